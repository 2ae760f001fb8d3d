/**
 * A fault design: how a fault finds and keeps a VMA, what it validates when it commits, what writers owe, and how VMAs
 * die. Each step is a method, barriers and re-checks included, so that a variant is a subclass that overrides one step.
 * The steps here are those of a fault under mmap_lock: nothing to validate, as writers are excluded.
 */
import type { Context, Work } from "../../context.ts";
import { COST_LOCK, COST_PTE } from "../../costs.ts";
import { spinAcquire, spinLockSlow } from "../../locking/spinlock.ts";
import type { KPtr } from "../../struct.ts";
import type { FaultState } from "../fault-state.ts";
import { PTL } from "../locks.ts";
import { memoryOf } from "../memory.ts";
import { NO_SLOT, pteSlot, ptlOf, tableOf } from "../page-table.ts";

/** Result of attempt(): no attempt was made, or it ended before the fault core was entered. */
export const NOT_ATTEMPTED = -1;
export const ABORTED = -2;

export abstract class FaultDesign {
  /** As on the command line. */
  abstract readonly name: string;
  /** One line for `faultline list designs`. */
  abstract readonly summary: string;

  /** attempt() may do something: else it is not called. */
  readonly attempts: boolean = false;

  /**
   * Tries to handle a fault without mmap_lock. `f` has mm, address, flags and archError.
   * @returns VM_FAULT_* of the fault core, ABORTED or NOT_ATTEMPTED; the last two and VM_FAULT_RETRY: take mmap_lock
   */
  // biome-ignore lint/correctness/useYield: a design that never tries has nothing to wait for.
  *attempt(_k: Context, _f: FaultState): Work<number> {
    return NOT_ATTEMPTED;
  }

  /** pte_map_lock(): maps the lowest table if needed and takes its lock; false: give up, nothing is held. */
  *pteMapLock(k: Context, f: FaultState): Work<boolean> {
    const m = memoryOf(k);
    if (k.point(COST_PTE)) yield;
    f.ptl = ptlOf(m, f.pmdSlot);
    if (f.pteSlot === NO_SLOT) f.pteSlot = pteSlot(m, tableOf(m, f.pmdSlot), f.page);
    if (k.point(COST_LOCK)) yield;
    if (!spinAcquire(k, f.ptl, PTL)) yield* spinLockSlow(k, f.ptl, PTL);
    return true;
  }

  /** pte_spinlock(): the same for a table that is mapped already. */
  *pteSpinlock(k: Context, f: FaultState): Work<boolean> {
    return yield* this.pteMapLock(k, f);
  }

  /** Before copy-on-write tells MMU notifiers; false: give up. */
  // biome-ignore lint/correctness/useYield: under mmap_lock nobody can register.
  *cowBegin(_k: Context, _f: FaultState): Work<boolean> {
    return true;
  }

  /** After copy-on-write told MMU notifiers. */
  *cowEnd(_k: Context, _f: FaultState): Work {}

  /** Right after mmap_lock was taken for write, in every variant of the call that succeeded. */
  *afterWriteLock(_k: Context, _mm: KPtr): Work {}

  /** Right before mmap_lock is released from write or downgraded to read. */
  *beforeWriteUnlock(_k: Context, _mm: KPtr): Work {}

  /** vm_area_free(): the VMA is unlinked and nobody holds it under mmap_lock. */
  freeVma(k: Context, vma: KPtr): void {
    memoryOf(k).vmaCache.free(k, vma);
  }
}
