/**
 * The steps of writers that order three things: an entry of a page table changes, no core uses the old translation any
 * more, and what the entry led to (or the lock that guards it) is let go. Each is a method, so that a variant of the
 * kernel is a subclass that overrides one. What gathers do is in gather.ts, what fault designs do in designs/.
 */
import { type Context, NOTHING, type Work } from "../context.ts";
import { COST_PTE, COST_UNLOCK } from "../costs.ts";
import { spinUnlock } from "../locking/spinlock.ts";
import type { KPtr } from "../struct.ts";
import type { FaultState } from "./fault-state.ts";
import { type Gather, gatherFinish } from "./gather.ts";
import { PTL } from "./locks.ts";
import { memoryOf } from "./memory.ts";
import { setPteAt } from "./page-table.ts";

/** What an unmapping is for: the call of that name, or making room for a new mapping in the same writer's section. */
export type UnmapPurpose = "unmap" | "replace";

/** MmSteps, or a subclass of it. */
export type MmStepsClass = new () => MmSteps;

export class MmSteps {
  /**
   * ptep_clear_flush() of copy-on-write. Under the table's lock, so that no core sees the new page while another writes
   * the old one. Locks: ptl.
   */
  *clearAndFlush(k: Context, f: FaultState): Work {
    const m = memoryOf(k);
    if (k.point(COST_PTE)) yield;
    const wasPresent = m.format.isPresent(k.ram.read32(f.pteSlot), k.ram.read32(f.pteSlot + 4));
    setPteAt(k, f.mm, f.page, f.pteSlot, 0, 0);
    if (wasPresent) yield* this.flushCopied(k, f);
  }

  /** The flush of it. Locks: ptl. */
  flushCopied(k: Context, f: FaultState): Work {
    return memoryOf(k).mmu.flushRange(k, f.mm, f.page, f.page + 1, 1, "tables-kept");
  }

  /** set_pte_at_notify(): the copy takes the old page's place, which no core uses any more. Preceded by a point. Locks: ptl. */
  setCopied(k: Context, f: FaultState, lo: number, hi: number): Work {
    setPteAt(k, f.mm, f.page, f.pteSlot, lo, hi);
    return NOTHING;
  }

  /**
   * fork has made the parent's private entries read-only: flush_tlb_mm(), which reaches lazy cores as well, although no
   * tables were freed. Locks: mmap_lock for write.
   */
  flushForked(k: Context, mm: KPtr): Work {
    return memoryOf(k).mmu.flushRange(k, mm, 0, 0, 1, "tables-freed");
  }

  /** mprotect has changed entries in pages start … end-1. Locks: mmap_lock for write. */
  flushProtected(k: Context, mm: KPtr, start: number, end: number): Work {
    return memoryOf(k).mmu.flushRange(k, mm, start, end, 1, "tables-kept");
  }

  /**
   * ptep_modify_prot_start(): the entry, which was just read, is cleared for the change, so that the hardware sets no
   * bit that the changed one would not have. Same step as the read. Locks: ptl.
   */
  startModify(k: Context, mm: KPtr, page: number, slot: number): void {
    setPteAt(k, mm, page, slot, 0, 0);
  }

  /**
   * The end of move_ptes(): the old addresses are flushed before the locks go, else who unmaps the new place could free
   * a page that a core still reaches at the old one (CVE-2018-18281). Locks: both ptl, released here.
   * @param pages moved from page `from` on; 0: no entry was present
   */
  *endMove(k: Context, mm: KPtr, from: number, pages: number, oldPtl: KPtr, newPtl: KPtr): Work {
    if (pages !== 0) yield* this.flushMoved(k, mm, from, pages);
    if (k.point(COST_UNLOCK)) yield;
    if (newPtl !== oldPtl) spinUnlock(k, newPtl, PTL);
    spinUnlock(k, oldPtl, PTL);
  }

  /** The flush of it. */
  flushMoved(k: Context, mm: KPtr, from: number, pages: number): Work {
    return memoryOf(k).mmu.flushRange(k, mm, from, from + pages, 1, "tables-kept");
  }

  /** The end of unmap_region(): everything that it took out is flushed and freed. */
  finishUnmap(k: Context, gather: Gather, _purpose: UnmapPurpose): Work {
    return gatherFinish(k, gather);
  }

  /** The machine goes back to a state in which no call was in progress. */
  reset(): void {}
}
