/**
 * Taking pages out of an address space: unmap_page_range() of mm/memory.c. Entries are cleared under the table's lock;
 * the pages wait in the gather until no core can reach them.
 */
import type { Context, Work } from "../context.ts";
import { COST_ATOMIC, COST_LOCK, COST_PTE, COST_UNLOCK } from "../costs.ts";
import { spinAcquire, spinLockSlow, spinUnlock } from "../locking/spinlock.ts";
import { condResched } from "../sched/schedule.ts";
import { type KPtr, NULL } from "../struct.ts";
import { type Gather, gatherBegin, gatherFinish } from "./gather.ts";
import { PTL } from "./locks.ts";
import { memoryOf } from "./memory.ts";
import { mmRssAnon, mmRssShmem } from "./mm-struct.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "./mmu-notifier.ts";
import { pteSlot, ptlOf, setPteAt, tableOf } from "./page-table.ts";
import { pageIsAnon, pageRemoveRmap } from "./rmap.ts";
import { TableWalk } from "./table-walk.ts";
import { vmEnd, vmMm, vmNext, vmStart } from "./vma.ts";

/** zap_pte_range() over the part of one table. Locks: mmap_lock, either mode. */
function* zapTable(k: Context, gather: Gather, pmdSlot: number, start: number, end: number): Work {
  const m = memoryOf(k);
  const { ram } = k;
  const format = m.format;
  for (let at = start; at < end; ) {
    let mustFlush = false;
    let isFull = false;
    const ptl = ptlOf(m, pmdSlot);
    if (k.point(COST_LOCK)) yield;
    if (!spinAcquire(k, ptl, PTL)) yield* spinLockSlow(k, ptl, PTL);
    const table = tableOf(m, pmdSlot);
    let anon = 0;
    let shmem = 0;
    for (; at < end && !isFull; at++) {
      const slot = pteSlot(m, table, at);
      if (k.point(COST_PTE)) yield;
      // ptep_get_and_clear(): one atomic exchange, so that no accessed or dirty bit is lost.
      const lo = ram.read32(slot);
      const hi = ram.read32(slot + 4);
      if (format.isNone(lo, hi)) continue;
      setPteAt(k, gather.mm, at, slot, 0, 0);
      gather.noteEntry(at);
      if (format.isSpecial(lo, hi)) continue;
      const page = m.frames.map.page(format.frame(lo, hi));
      if (pageIsAnon(ram, page)) {
        anon++;
      } else {
        shmem++;
        // The page lives on: nobody may write it through an old entry once the lock is gone.
        if (format.isDirty(lo, hi)) mustFlush = true;
      }
      if (k.point(COST_ATOMIC)) yield;
      pageRemoveRmap(ram, page);
      if (gather.addPage(k, page) && !(yield* gather.nextBatch(k))) isFull = true;
    }
    if (isFull) mustFlush = true;
    if (anon !== 0) mmRssAnon.add(ram, gather.mm, -anon);
    if (shmem !== 0) mmRssShmem.add(ram, gather.mm, -shmem);
    if (mustFlush) yield* gather.flushDirty(k);
    if (k.point(COST_UNLOCK)) yield;
    spinUnlock(k, ptl, PTL);
    if (mustFlush) yield* gather.flush(k);
    yield* condResched(k);
  }
}

/** unmap_page_range(): clears pages start … end-1 of one address space. Locks: mmap_lock, either mode. */
export function* unmapPageRange(k: Context, gather: Gather, start: number, end: number): Work {
  const walk = new TableWalk(memoryOf(k), gather.mm, start, end);
  while (walk.at < end) {
    if (k.point(COST_PTE)) yield;
    if (!walk.read()) continue;
    yield* zapTable(k, gather, walk.pmdSlot, walk.at, walk.next);
    walk.leave();
  }
}

/** unmap_vmas(): the parts of a list of VMAs inside pages start … end-1. */
export function* unmapVmas(k: Context, gather: Gather, first: KPtr, start: number, end: number): Work {
  const ram = k.ram;
  invalidateRangeStart(k, gather.mm);
  for (let vma = first; vma !== NULL && vmStart.get(ram, vma) < end; vma = vmNext.get(ram, vma)) {
    const from = Math.max(vmStart.get(ram, vma), start);
    const to = Math.min(vmEnd.get(ram, vma), end);
    if (from < to) yield* unmapPageRange(k, gather, from, to);
  }
  invalidateRangeEnd(k, gather.mm);
}

/** zap_page_range(): the same with a gather of its own, for discarding. Locks: mmap_lock, either mode. */
export function* zapPageRange(k: Context, vma: KPtr, start: number, end: number): Work {
  const mm = vmMm.get(k.ram, vma);
  const gather = yield* gatherBegin(k, mm, "range");
  invalidateRangeStart(k, mm);
  yield* unmapPageRange(k, gather, start, end);
  invalidateRangeEnd(k, mm);
  yield* gatherFinish(k, gather);
}
