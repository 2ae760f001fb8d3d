/** MADV_COLD and MADV_PAGEOUT: pages that the caller does not expect to use soon (madvise_cold_or_pageout_pte_range()). */
import type { Context, Work } from "../context.ts";
import { COST_LOCK, COST_PTE, COST_UNLOCK } from "../costs.ts";
import { spinAcquire, spinLockSlow, spinUnlock } from "../locking/spinlock.ts";
import type { KPtr } from "../struct.ts";
import { type Gather, gatherBegin, gatherFinish } from "./gather.ts";
import { PTL } from "./locks.ts";
import { memoryOf } from "./memory.ts";
import { pageMapcount } from "./page.ts";
import { pteSlot, ptlOf, setPteAt, tableOf } from "./page-table.ts";
import { TableWalk } from "./table-walk.ts";

/**
 * Clears the accessed bit of entries that alone map their page, and flushes them. Locks: mmap_lock for read.
 * Simplification: there are no LRU lists (page.ts) from one of which the page would move to the other.
 */
export function* deactivateRange(k: Context, mm: KPtr, start: number, end: number): Work {
  const gather = yield* gatherBegin(k, mm, "range");
  const walk = new TableWalk(memoryOf(k), mm, start, end);
  while (walk.at < end) {
    if (k.point(COST_PTE)) yield;
    if (!walk.read()) continue;
    yield* deactivateTable(k, gather, walk.pmdSlot, walk.at, walk.next);
    walk.leave();
  }
  yield* gatherFinish(k, gather);
}

function* deactivateTable(k: Context, gather: Gather, pmdSlot: number, start: number, end: number): Work {
  const m = memoryOf(k);
  const { ram } = k;
  const { format } = m;
  const ptl = ptlOf(m, pmdSlot);
  if (k.point(COST_LOCK)) yield;
  if (!spinAcquire(k, ptl, PTL)) yield* spinLockSlow(k, ptl, PTL);
  const table = tableOf(m, pmdSlot);
  for (let at = start; at < end; at++) {
    const slot = pteSlot(m, table, at);
    if (k.point(COST_PTE)) yield;
    const lo = ram.read32(slot);
    const hi = ram.read32(slot + 4);
    if (!format.isPresent(lo, hi) || format.isSpecial(lo, hi)) continue;
    // _mapcount starts at -1: others use the page too unless it is 0.
    if (pageMapcount.get(ram, m.frames.map.page(format.frame(lo, hi))) !== 0) continue;
    if (!format.isYoung(lo, hi)) continue;
    setPteAt(k, gather.mm, at, slot, 0, 0);
    if (k.point(COST_PTE)) yield;
    format.load(lo, hi);
    format.mkOld();
    setPteAt(k, gather.mm, at, slot, format.lo, format.hi);
    gather.noteEntry(at);
  }
  if (k.point(COST_UNLOCK)) yield;
  spinUnlock(k, ptl, PTL);
}
