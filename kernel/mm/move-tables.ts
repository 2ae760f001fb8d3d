/**
 * Moving entries between two places of an address space: move_page_tables() of mm/mremap.c. Both tables are locked, and
 * the old addresses are flushed before the locks go: else another thread could free a moved page, or have it freed, that
 * a core still reaches through its old address (CVE-2018-18281).
 * Simplification: whole tables are never moved at once; entries move one by one.
 */
import type { Context, Work } from "../context.ts";
import { COST_LOCK, COST_PTE } from "../costs.ts";
import { spinAcquire, spinLockSlow } from "../locking/spinlock.ts";
import { condResched } from "../sched/schedule.ts";
import { type KPtr, NULL } from "../struct.ts";
import { anonVmaLockWrite, anonVmaUnlockWrite } from "./anon-vma.ts";
import { PTL } from "./locks.ts";
import { memoryOf } from "./memory.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "./mmu-notifier.ts";
import { objectMapLock, objectMapUnlock } from "./object-map.ts";
import {
  allocateToPmd,
  installTable,
  NO_SLOT,
  pteSlot,
  ptlOf,
  setPteAt,
  tableOf,
  walkToPmd,
} from "./page-table.ts";
import { vmAnonVma, vmFile, vmMm } from "./vma.ts";

/**
 * Moves the entries of `pages` pages. Locks: mmap_lock for write.
 * @param rmap "locked": a walker of the reverse map could pass the new place before and the old place after the move
 * @returns pages moved; fewer if there is no memory for tables
 */
export function* movePageTables(
  k: Context,
  vma: KPtr,
  from: number,
  to: number,
  pages: number,
  rmap: "locked" | "unlocked",
): Work<number> {
  const m = memoryOf(k);
  const { ram } = k;
  const mm = vmMm.get(ram, vma);
  const span = m.format.spanPages(2);
  invalidateRangeStart(k, mm);
  let done = 0;
  while (done < pages) {
    yield* condResched(k);
    // Up to the end of the nearer table.
    const oldRest = span - ((from + done) % span);
    const newRest = span - ((to + done) % span);
    const extent = Math.min(pages - done, oldRest, newRest);
    const oldPmd = yield* walkToPmd(k, mm, from + done);
    if (oldPmd !== NO_SLOT && m.format.isTable(ram.read32(oldPmd), ram.read32(oldPmd + 4))) {
      const newPmd = yield* allocateToPmd(k, mm, to + done);
      if (newPmd === NO_SLOT) break;
      const isNone = m.format.isNone(ram.read32(newPmd), ram.read32(newPmd + 4));
      if (isNone && !(yield* installTable(k, mm, newPmd))) break;
      yield* moveEntries(k, vma, oldPmd, newPmd, from + done, to + done, extent, rmap);
    }
    done += extent;
  }
  invalidateRangeEnd(k, mm);
  return done;
}

/** move_ptes(): entries of one table, and the flush of their old addresses under both locks. */
function* moveEntries(
  k: Context,
  vma: KPtr,
  oldPmd: number,
  newPmd: number,
  from: number,
  to: number,
  pages: number,
  rmap: "locked" | "unlocked",
): Work {
  const m = memoryOf(k);
  const { ram } = k;
  const format = m.format;
  const object = rmap === "locked" ? vmFile.get(ram, vma) : NULL;
  if (object !== NULL) yield* objectMapLock(k, object);
  const anonVma = rmap === "locked" ? vmAnonVma.get(ram, vma) : 0;
  if (anonVma !== 0) yield* anonVmaLockWrite(k, anonVma as KPtr);
  const oldPtl = ptlOf(m, oldPmd);
  const newPtl = ptlOf(m, newPmd);
  if (k.point(COST_LOCK)) yield;
  if (!spinAcquire(k, oldPtl, PTL)) yield* spinLockSlow(k, oldPtl, PTL);
  if (newPtl !== oldPtl) {
    if (k.point(COST_LOCK)) yield;
    if (!spinAcquire(k, newPtl, PTL, 1)) yield* spinLockSlow(k, newPtl, PTL, 1);
  }
  const mm = vmMm.get(ram, vma);
  const oldTable = tableOf(m, oldPmd);
  const newTable = tableOf(m, newPmd);
  let mustFlush = false;
  for (let index = 0; index < pages; index++) {
    const slot = pteSlot(m, oldTable, from + index);
    if (k.point(COST_PTE)) yield;
    const lo = ram.read32(slot);
    const hi = ram.read32(slot + 4);
    if (format.isNone(lo, hi)) continue;
    setPteAt(k, mm, from + index, slot, 0, 0);
    if (format.isPresent(lo, hi)) mustFlush = true;
    if (k.point(COST_PTE)) yield;
    setPteAt(k, mm, to + index, pteSlot(m, newTable, to + index), lo, hi);
  }
  yield* m.steps.endMove(k, mm, from, mustFlush ? pages : 0, oldPtl, newPtl);
  if (anonVma !== 0) yield* anonVmaUnlockWrite(k, anonVma as KPtr);
  if (object !== NULL) yield* objectMapUnlock(k, object);
}
