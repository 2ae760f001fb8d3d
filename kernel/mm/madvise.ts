/**
 * madvise(2): mm/madvise.c, 5.17, for anonymous memory. -EINVAL is the answer to advice of parts that are not here, as
 * of a kernel built without them: KSM (MERGEABLE, UNMERGEABLE), huge pages (HUGEPAGE, NOHUGEPAGE), memory failure
 * (HWPOISON, SOFT_OFFLINE).
 */
import type { Context, Work } from "../context.ts";
import { COST_ACCESS, COST_ATOMIC, COST_LOCK, COST_PTE, COST_UNLOCK } from "../costs.ts";
import { EACCES, EAGAIN, EINVAL, ENOMEM } from "../errno.ts";
import { spinAcquire, spinLockSlow, spinUnlock } from "../locking/spinlock.ts";
import { type KPtr, NULL } from "../struct.ts";
import { deactivateRange } from "./deactivate.ts";
import { type Gather, gatherBegin, gatherFinish } from "./gather.ts";
import { PTL } from "./locks.ts";
import { memoryOf } from "./memory.ts";
import { mmapReadLock, mmapReadUnlock, mmapWriteLockKillable, mmapWriteUnlock } from "./mmap-lock.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "./mmu-notifier.ts";
import { removeObjectPages } from "./object-map.ts";
import { PG_SWAPBACKED, pageFlags } from "./page.ts";
import { pteSlot, ptlOf, setPteAt, tableOf } from "./page-table.ts";
import { populateAdvised } from "./populate.ts";
import { shmemGet, shmemPut } from "./shmem.ts";
import { TableWalk } from "./table-walk.ts";
import { PGLAZYFREE } from "./vm-events.ts";
import {
  VM_DONTCOPY,
  VM_DONTDUMP,
  VM_DONTEXPAND,
  VM_LOCKED,
  VM_SHARED,
  VM_WIPEONFORK,
  VM_WRITE,
  vmAnonVma,
  vmaIsAnonymous,
  vmEnd,
  vmFile,
  vmFlags,
  vmFlagsHi,
  vmPgoff,
  vmPrev,
  vmStart,
} from "./vma.ts";
import { mergeVma, splitVma } from "./vma-adjust.ts";
import { findVma } from "./vma-tree.ts";
import { pageOf, pagesOfBytes } from "./vpn.ts";
import { zapPageRange } from "./zap.ts";

export const MADV_NORMAL = 0;
export const MADV_RANDOM = 1;
export const MADV_SEQUENTIAL = 2;
export const MADV_WILLNEED = 3;
export const MADV_DONTNEED = 4;
export const MADV_FREE = 8;
export const MADV_REMOVE = 9;
export const MADV_DONTFORK = 10;
export const MADV_DOFORK = 11;
export const MADV_DONTDUMP = 16;
export const MADV_DODUMP = 17;
export const MADV_WIPEONFORK = 18;
export const MADV_KEEPONFORK = 19;
export const MADV_COLD = 20;
export const MADV_PAGEOUT = 21;
export const MADV_POPULATE_READ = 22;
export const MADV_POPULATE_WRITE = 23;

const VM_SEQ_READ = 0x8000;
const VM_RAND_READ = 0x1_0000;

/** Advice that changes the VMA needs mmap_lock for write (madvise_need_mmap_write). */
const CHANGES_FLAGS: ReadonlyMap<number, { set: number; clear: number }> = new Map([
  [MADV_NORMAL, { set: 0, clear: VM_SEQ_READ | VM_RAND_READ }],
  [MADV_RANDOM, { set: VM_RAND_READ, clear: VM_SEQ_READ }],
  [MADV_SEQUENTIAL, { set: VM_SEQ_READ, clear: VM_RAND_READ }],
  [MADV_DONTFORK, { set: VM_DONTCOPY, clear: 0 }],
  [MADV_DOFORK, { set: 0, clear: VM_DONTCOPY }],
  [MADV_DONTDUMP, { set: VM_DONTDUMP, clear: 0 }],
  [MADV_DODUMP, { set: 0, clear: VM_DONTDUMP }],
  [MADV_WIPEONFORK, { set: VM_WIPEONFORK, clear: 0 }],
  [MADV_KEEPONFORK, { set: 0, clear: VM_WIPEONFORK }],
]);
const ACTS: ReadonlySet<number> = new Set([
  MADV_WILLNEED,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_REMOVE,
  MADV_COLD,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
]);

/**
 * madvise(addr, length, advice).
 * @returns 0, -EINVAL, -ENOMEM (part of the range unmapped; the rest was treated), -EAGAIN (no memory for a VMA), -EINTR
 */
export function* madvise(
  k: Context,
  lo: number,
  hi: number,
  lengthLo: number,
  lengthHi: number,
  advice: number,
): Work<number> {
  const writes = CHANGES_FLAGS.has(advice);
  if (!writes && !ACTS.has(advice)) return -EINVAL;
  if ((lo & 0xfff) !== 0) return -EINVAL;
  const start = pageOf(lo, hi);
  const end = start + pagesOfBytes(lengthLo, lengthHi);
  if (end >= 2 ** 52) return -EINVAL;
  if (end === start) return 0;
  const mm = k.task!.mm;
  if (!writes) {
    yield* mmapReadLock(k, mm);
    const result = yield* adviseRange(k, mm, start, end, advice);
    yield* mmapReadUnlock(k, mm);
    return result;
  }
  const error = yield* mmapWriteLockKillable(k, mm);
  if (error !== 0) return error;
  const result = yield* adviseRange(k, mm, start, end, advice);
  yield* mmapWriteUnlock(k, mm);
  return result;
}

/** madvise_walk_vmas(): holes are skipped and reported at the end. */
function* adviseRange(k: Context, mm: KPtr, from: number, end: number, advice: number): Work<number> {
  const ram = k.ram;
  let unmapped = 0;
  let start = from;
  let vma = findVma(ram, mm, start);
  for (;;) {
    if (vma === NULL) return -ENOMEM;
    if (start < vmStart.get(ram, vma)) {
      unmapped = -ENOMEM;
      start = vmStart.get(ram, vma);
      if (start >= end) return unmapped;
    }
    const stop = Math.min(vmEnd.get(ram, vma), end);
    const result = yield* adviseVma(k, mm, vma, start, stop, advice);
    if (result < 0) return result;
    start = stop;
    if (start >= end) return unmapped;
    vma = findVma(ram, mm, start);
  }
}

function* adviseVma(
  k: Context,
  mm: KPtr,
  vma: KPtr,
  start: number,
  end: number,
  advice: number,
): Work<number> {
  switch (advice) {
    case MADV_WILLNEED:
      // Nothing is swapped out, so there is nothing to read ahead.
      return 0;
    case MADV_DONTNEED:
      yield* zapPageRange(k, vma, start, end);
      return 0;
    case MADV_FREE:
      if (!vmaIsAnonymous(k.ram, vma)) return -EINVAL;
      yield* freeLazily(k, mm, start, end);
      return 0;
    case MADV_REMOVE:
      return yield* removePages(k, mm, vma, start, end);
    case MADV_COLD:
    case MADV_PAGEOUT:
      // Without swap the reclaim that PAGEOUT starts puts every page back, so both come to the same.
      yield* deactivateRange(k, mm, start, end);
      return 0;
    case MADV_POPULATE_READ:
      return yield* populateAdvised(k, vma, start, end, "read");
    case MADV_POPULATE_WRITE:
      return yield* populateAdvised(k, vma, start, end, "write");
    default: {
      const error = yield* changeFlags(k, mm, vma, start, end, advice);
      return error === -ENOMEM ? -EAGAIN : error;
    }
  }
}

/**
 * madvise_remove(): frees the pages of a shared object, for everybody who maps it. mmap_lock is let go meanwhile, and is
 * held for read again on return; the VMA may be gone.
 * @returns 0, -EINVAL (locked, or no shared object), -EACCES (not writable)
 */
function* removePages(k: Context, mm: KPtr, vma: KPtr, start: number, end: number): Work<number> {
  const { ram } = k;
  const flags = vmFlags.get(ram, vma);
  const object = vmFile.get(ram, vma);
  if ((flags & VM_LOCKED) !== 0 || object === NULL) return -EINVAL;
  if ((flags & (VM_SHARED | VM_WRITE)) !== (VM_SHARED | VM_WRITE)) return -EACCES;
  const from = vmPgoff.get(ram, vma) + start - vmStart.get(ram, vma);
  if (k.point(COST_ATOMIC)) yield;
  shmemGet(k, object);
  yield* mmapReadUnlock(k, mm);
  yield* removeObjectPages(k, object, from, from + end - start);
  yield* shmemPut(k, object);
  yield* mmapReadLock(k, mm);
  return 0;
}

/** madvise_free_single_vma(): pages keep their contents, but entries say that nobody wrote them since. */
function* freeLazily(k: Context, mm: KPtr, start: number, end: number): Work {
  const gather = yield* gatherBegin(k, mm, "range");
  invalidateRangeStart(k, mm);
  const walk = new TableWalk(memoryOf(k), mm, start, end);
  while (walk.at < end) {
    if (k.point(COST_PTE)) yield;
    if (!walk.read()) continue;
    yield* freeTableLazily(k, gather, walk.pmdSlot, walk.at, walk.next);
    walk.leave();
  }
  invalidateRangeEnd(k, mm);
  yield* gatherFinish(k, gather);
}

/** madvise_free_pte_range(). Simplification: nothing reclaims the pages, so they stay until they are unmapped. */
function* freeTableLazily(k: Context, gather: Gather, pmdSlot: number, start: number, end: number): Work {
  const m = memoryOf(k);
  const { ram } = k;
  const format = m.format;
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
    if (format.isYoung(lo, hi) || format.isDirty(lo, hi)) {
      setPteAt(k, gather.mm, at, slot, 0, 0);
      if (k.point(COST_PTE)) yield;
      format.load(lo, hi);
      format.mkOld();
      format.mkClean();
      setPteAt(k, gather.mm, at, slot, format.lo, format.hi);
      gather.noteEntry(at);
    }
    const page = m.frames.map.page(format.frame(lo, hi));
    // mark_page_lazyfree(): once, as only reclaim that finds the page dirty would take the mark away.
    const flags = pageFlags.get(ram, page);
    if ((flags & PG_SWAPBACKED) === 0) continue;
    pageFlags.set(ram, page, flags & ~PG_SWAPBACKED);
    m.events.count(k.cpu.id, PGLAZYFREE);
  }
  if (k.point(COST_UNLOCK)) yield;
  spinUnlock(k, ptl, PTL);
}

/** madvise_update_vma(): the advice becomes flags of exactly the range. Locks: mmap_lock for write. */
function* changeFlags(
  k: Context,
  mm: KPtr,
  found: KPtr,
  start: number,
  end: number,
  advice: number,
): Work<number> {
  const ram = k.ram;
  const old = vmFlags.get(ram, found);
  if (advice === MADV_WIPEONFORK && (!vmaIsAnonymous(ram, found) || (old & VM_SHARED) !== 0)) return -EINVAL;
  if (advice === MADV_DODUMP && (old & VM_DONTEXPAND) !== 0) return -EINVAL;
  const { set, clear } = CHANGES_FLAGS.get(advice)!;
  const flags = (old & ~clear) | set;
  if (flags === old) return 0;
  const key = {
    flags,
    flagsHi: vmFlagsHi.get(ram, found),
    anonVma: vmAnonVma.get(ram, found),
    object: vmFile.get(ram, found),
    pgoff: vmPgoff.get(ram, found) + start - vmStart.get(ram, found),
  };
  const previous = start > vmStart.get(ram, found) ? found : vmPrev.get(ram, found);
  let vma = yield* mergeVma(k, mm, previous, start, end, key);
  if (vma === NULL) {
    vma = found;
    let error = 0;
    if (start !== vmStart.get(ram, vma)) error = yield* splitVma(k, mm, vma, start, "below");
    if (error === 0 && end !== vmEnd.get(ram, vma)) error = yield* splitVma(k, mm, vma, end, "above");
    if (error !== 0) return error;
  }
  if (k.point(COST_ACCESS)) yield;
  vmFlags.set(ram, vma, flags);
  return 0;
}
