/**
 * A fault design: how a fault finds and keeps a VMA, what it validates when it commits, what writers owe, and how VMAs
 * die. Each step is a method, barriers and re-checks included, so that a variant is a subclass that overrides one step.
 * The steps here are those of a fault under mmap_lock: nothing to validate, as writers are excluded.
 */
import { type Context, done, NOTHING, type Work, YES } from "../../context.ts";
import { COST_LOCK, COST_PTE, COST_UNLOCK } from "../../costs.ts";
import { rwsemWake, upWriteRelease } from "../../locking/rwsem.ts";
import { spinAcquire, spinLockSlow } from "../../locking/spinlock.ts";
import type { KPtr } from "../../struct.ts";
import type { FaultState } from "../fault-state.ts";
import { MMAP_LOCK, PTL } from "../locks.ts";
import { memoryOf } from "../memory.ts";
import { mmapLockOf, mmapWriteUnlock } from "../mmap-lock.ts";
import { movePageTables } from "../move-tables.ts";
import { NO_SLOT, pteSlot, ptlOf, tableOf } from "../page-table.ts";
import { expandStackAndDowngrade, upgradeForStack } from "../stack.ts";
import { SPF_ABORT_ANON_VMA } from "../vm-events.ts";

/** Result of attempt(): no attempt was made, or it ended before the fault core was entered. */
export const NOT_ATTEMPTED = -1;
export const ABORTED = -2;
export const DONE_NOT_ATTEMPTED: Work<number> = done(NOT_ATTEMPTED);
export const DONE_ABORTED: Work<number> = done(ABORTED);

export abstract class FaultDesign {
  /** As on the command line. */
  abstract readonly name: string;
  /** One line for `faultline list designs`. */
  abstract readonly summary: string;

  /**
   * Faults try without mmap_lock first: a point, startAttempt(), attempt() until it is through, commitAttempt(),
   * endAttempt(). `f` has mm, address, flags and archError. The result is VM_FAULT_* of the fault core, ABORTED or
   * NOT_ATTEMPTED; the last two and VM_FAULT_RETRY mean to take mmap_lock.
   */
  readonly attempts: boolean = false;

  /** The first access of an attempt comes next; the point before it has been made. */
  startAttempt(_f: FaultState): void {}

  /**
   * What comes before the fault core, as far as no point gives way. Plain, as a chain of generators costs at every yield.
   * @returns false: yield, and call again
   */
  attempt(_k: Context, _f: FaultState): boolean {
    return true;
  }

  /** The fault core, or the result of an attempt that ended before it. */
  commitAttempt(_k: Context, _f: FaultState): Work<number> {
    return DONE_NOT_ATTEMPTED;
  }

  /** After commitAttempt(). @returns result of the attempt */
  endAttempt(_k: Context, _f: FaultState, result: number): number {
    return result;
  }

  /** pte_map_lock(): maps the lowest table if needed and takes its lock; false: give up, nothing is held. */
  pteMapLock(k: Context, f: FaultState): Work<boolean> {
    if (!k.cpu.isQuiet(COST_PTE + COST_LOCK)) return this.pteMapLockByPoints(k, f);
    k.cpu.charge(COST_PTE);
    this.mapTable(k, f);
    k.cpu.charge(COST_LOCK);
    return spinAcquire(k, f.ptl, PTL) ? YES : this.awaitPteLock(k, f);
  }

  /** The same where something can come in between. */
  *pteMapLockByPoints(k: Context, f: FaultState): Work<boolean> {
    if (k.point(COST_PTE)) yield;
    this.mapTable(k, f);
    if (k.point(COST_LOCK)) yield;
    return spinAcquire(k, f.ptl, PTL) || (yield* this.awaitPteLock(k, f));
  }

  *awaitPteLock(k: Context, f: FaultState): Work<boolean> {
    yield* spinLockSlow(k, f.ptl, PTL);
    return true;
  }

  /** Where the entry and its lock are. Preceded by a point. */
  mapTable(k: Context, f: FaultState): void {
    const m = memoryOf(k);
    f.ptl = ptlOf(m, f.pmdSlot);
    if (f.pteSlot === NO_SLOT) f.pteSlot = pteSlot(m, tableOf(m, f.pmdSlot), f.page);
  }

  /** pte_spinlock(): the same for a table that is mapped already. */
  pteSpinlock(k: Context, f: FaultState): Work<boolean> {
    return this.pteMapLock(k, f);
  }

  /** pte_same(*pte, orig_pte), under the table's lock, before an entry is changed. Preceded by a point. @hot */
  entryIsSame(k: Context, f: FaultState): boolean {
    return k.ram.read32(f.pteSlot) === f.origLo && k.ram.read32(f.pteSlot + 4) === f.origHi;
  }

  /** pte_none(*pte), under the table's lock, before a page is mapped. Preceded by a point. @hot */
  entryIsNone(k: Context, f: FaultState): boolean {
    return memoryOf(k).format.isNone(k.ram.read32(f.pteSlot), k.ram.read32(f.pteSlot + 4));
  }

  /**
   * A fault without mmap_lock needs an anon_vma that the VMA does not have. Looking for one to share reads the VMAs
   * beside it, which only mmap_lock keeps. @returns whether the fault goes on
   */
  // biome-ignore lint/correctness/useYield: giving up takes no time; a variant may prepare it.
  *anonVmaMissing(k: Context, _f: FaultState): Work<boolean> {
    memoryOf(k).events.count(k.cpu.id, SPF_ABORT_ANON_VMA);
    return false;
  }

  /** A fault that gives up returns the page that it meant to map. */
  dropPage(k: Context, page: KPtr): void {
    memoryOf(k).putPage(k, page);
  }

  /** Before copy-on-write tells MMU notifiers; false: give up. */
  cowBegin(_k: Context, _f: FaultState): Work<boolean> {
    return YES;
  }

  /** After copy-on-write told MMU notifiers. */
  cowEnd(_k: Context, _f: FaultState): Work {
    return NOTHING;
  }

  /** Right after mmap_lock was taken for write, in every variant of the call that succeeded. */
  afterWriteLock(_k: Context, _mm: KPtr): Work {
    return NOTHING;
  }

  /** The same for the variant that a fatal signal ends, which most system calls use. */
  afterWriteLockKillable(k: Context, mm: KPtr): Work {
    return this.afterWriteLock(k, mm);
  }

  /** Right before mmap_lock is released from write. */
  beforeWriteUnlock(_k: Context, _mm: KPtr): Work {
    return NOTHING;
  }

  /** Right before mmap_lock is downgraded: readers do not bump, so a writer's section ends here. */
  beforeWriteDowngrade(k: Context, mm: KPtr): Work {
    return this.beforeWriteUnlock(k, mm);
  }

  /** mmap_write_unlock(): a writer's section ends while the lock still keeps the next one out. */
  *writeUnlock(k: Context, mm: KPtr): Work {
    yield* this.beforeWriteUnlock(k, mm);
    if (k.point(COST_UNLOCK)) yield;
    if (upWriteRelease(k, mmapLockOf(mm), MMAP_LOCK)) yield* rwsemWake(k, mmapLockOf(mm));
  }

  /**
   * fork's last step on the parent: its TLBs are flushed inside the writer's section, as no copy of a page may begin
   * while a core can still write the page through an old entry.
   */
  *endFork(k: Context, mm: KPtr): Work {
    yield* memoryOf(k).steps.flushForked(k, mm);
    yield* mmapWriteUnlock(k, mm);
  }

  /** mremap's move of entries to a VMA that is in the tree already, inside the writer's section: movePageTables(). */
  moveTables(
    k: Context,
    vma: KPtr,
    from: number,
    to: number,
    pages: number,
    rmap: "locked" | "unlocked",
  ): Work<number> {
    return movePageTables(k, vma, from, to, pages, rmap);
  }

  /**
   * The faulting address lies below a growing stack. Locks: mmap_lock for read, and again on return; for write while
   * the stack grows. @returns false: nothing is held, the access fails
   */
  *growStack(k: Context, f: FaultState): Work<boolean> {
    if (!(yield* upgradeForStack(k, f.mm))) return false;
    return yield* expandStackAndDowngrade(k, f);
  }

  /** vm_area_free(): the VMA is unlinked and nobody holds it under mmap_lock. */
  freeVma(k: Context, vma: KPtr): void {
    memoryOf(k).vmaCache.free(k, vma);
  }
}
