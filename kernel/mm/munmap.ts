/**
 * munmap(2). The VMAs are taken out of the tree under mmap_lock for write; then the lock is downgraded, and pages and
 * tables go under the read lock, unless a stack above could grow into the range meanwhile (CVE-2021-20200).
 */
import type { Context, Work } from "../context.ts";
import { COST_ACCESS, COST_ATOMIC } from "../costs.ts";
import { EINVAL, ENOMEM } from "../errno.ts";
import { type KPtr, NULL } from "../struct.ts";
import { freePgtables } from "./free-pgtables.ts";
import { gatherBegin } from "./gather.ts";
import { accountVm, MAX_MAP_COUNT, uncommitPages } from "./limits.ts";
import { memoryOf } from "./memory.ts";
import type { UnmapPurpose } from "./mm-steps.ts";
import { mmHighestVmEnd, mmMapCount, mmMmap } from "./mm-struct.ts";
import { mmapReadUnlock, mmapWriteDowngrade, mmapWriteLockKillable, mmapWriteUnlock } from "./mmap-lock.ts";
import { VM_ACCOUNT, VM_GROWSDOWN, vmEnd, vmFlags, vmNext, vmPrev, vmStart } from "./vma.ts";
import { splitVmaUnchecked } from "./vma-adjust.ts";
import { removeVma } from "./vma-lifetime.ts";
import { eraseFromTree, findVma, findVmaIntersection, updateGap } from "./vma-tree.ts";
import { pageOf, pagesOfBytes } from "./vpn.ts";
import { unmapVmas } from "./zap.ts";

/** What an unmapping leaves of mmap_lock. */
export const STILL_WRITE = 0;
export const DOWNGRADED = 1;

/** munmap(addr, length): 0 or -errno. */
export function* munmap(
  k: Context,
  lo: number,
  hi: number,
  lengthLo: number,
  lengthHi: number,
): Work<number> {
  const mm = k.task!.mm;
  const error = yield* mmapWriteLockKillable(k, mm);
  if (error !== 0) return error;
  let result = -EINVAL;
  if ((lo & 0xfff) === 0) {
    result = yield* doMunmap(k, mm, pageOf(lo, hi), pagesOfBytes(lengthLo, lengthHi), "downgrade");
  }
  if (result === DOWNGRADED) {
    yield* mmapReadUnlock(k, mm);
    return 0;
  }
  yield* mmapWriteUnlock(k, mm);
  return result;
}

/**
 * __do_munmap(): unmaps `pages` pages from `start`. Locks: mmap_lock for write, kept unless DOWNGRADED is returned.
 * @param lock "downgrade": the lock may come back held for read; "replace": kept, and a new mapping takes the place
 * @returns STILL_WRITE, DOWNGRADED, -EINVAL or -ENOMEM
 */
export function* doMunmap(
  k: Context,
  mm: KPtr,
  start: number,
  pages: number,
  lock: "downgrade" | "keep" | "replace",
): Work<number> {
  const ram = k.ram;
  const size = memoryOf(k).mmu.taskSizeMax;
  if (start > size || pages > size - start || pages === 0) return -EINVAL;
  const end = start + pages;
  let vma = findVmaIntersection(ram, mm, start, end);
  if (vma === NULL) return STILL_WRITE;
  let previous = vmPrev.get(ram, vma);
  if (start > vmStart.get(ram, vma)) {
    if (end < vmEnd.get(ram, vma) && mmMapCount.get(ram, mm) >= MAX_MAP_COUNT) return -ENOMEM;
    const error = yield* splitVmaUnchecked(k, vma, start, "above");
    if (error !== 0) return error;
    previous = vma;
  }
  const last = findVma(ram, mm, end);
  if (last !== NULL && end > vmStart.get(ram, last)) {
    const error = yield* splitVmaUnchecked(k, last, end, "below");
    if (error !== 0) return error;
  }
  vma = previous === NULL ? mmMmap.get(ram, mm) : vmNext.get(ram, previous);
  const mayDowngrade = yield* detachVmas(k, mm, vma, previous, end);
  const downgrade = lock === "downgrade" && mayDowngrade;
  if (downgrade) yield* mmapWriteDowngrade(k, mm);
  yield* unmapRegion(k, mm, vma, previous, start, end, lock === "replace" ? "replace" : "unmap");
  yield* removeVmaList(k, mm, vma);
  return downgrade ? DOWNGRADED : STILL_WRITE;
}

/**
 * detach_vmas_to_be_unmapped(): takes the VMAs from `first` up to `end` out of tree and list; they stay linked to each
 * other. @returns whether mmap_lock may be downgraded
 */
function* detachVmas(k: Context, mm: KPtr, first: KPtr, previous: KPtr, end: number): Work<boolean> {
  const ram = k.ram;
  vmPrev.set(ram, first, NULL);
  let tail: KPtr = first;
  let vma: KPtr = first;
  do {
    yield* eraseFromTree(k, mm, vma);
    tail = vma;
    vma = vmNext.get(ram, vma);
  } while (vma !== NULL && vmStart.get(ram, vma) < end);
  if (k.point(COST_ACCESS)) yield;
  if (previous === NULL) mmMmap.set(ram, mm, vma);
  else vmNext.set(ram, previous, vma);
  if (vma === NULL) {
    mmHighestVmEnd.set(ram, mm, previous === NULL ? 0 : vmEnd.get(ram, previous));
  } else {
    vmPrev.set(ram, vma, previous);
    updateGap(ram, vma);
  }
  vmNext.set(ram, tail, NULL);
  return vma === NULL || (vmFlags.get(ram, vma) & VM_GROWSDOWN) === 0;
}

/** unmap_region(): pages, then tables, each flushed before it is freed. Locks: mmap_lock, either mode. */
function* unmapRegion(
  k: Context,
  mm: KPtr,
  first: KPtr,
  previous: KPtr,
  start: number,
  end: number,
  purpose: UnmapPurpose,
): Work {
  const ram = k.ram;
  const next = previous === NULL ? mmMmap.get(ram, mm) : vmNext.get(ram, previous);
  const gather = yield* gatherBegin(k, mm, "range");
  yield* unmapVmas(k, gather, first, start, end);
  const floor = previous === NULL ? 0 : vmEnd.get(ram, previous);
  yield* freePgtables(k, gather, first, floor, next === NULL ? 0 : vmStart.get(ram, next));
  yield* memoryOf(k).steps.finishUnmap(k, gather, purpose);
}

/** remove_vma_list(): what the VMAs counted for, and the VMAs. */
function* removeVmaList(k: Context, mm: KPtr, first: KPtr): Work {
  const ram = k.ram;
  let accounted = 0;
  for (let vma = first; vma !== NULL; ) {
    const next = vmNext.get(ram, vma);
    const pages = vmEnd.get(ram, vma) - vmStart.get(ram, vma);
    const flags = vmFlags.get(ram, vma);
    if ((flags & VM_ACCOUNT) !== 0) accounted += pages;
    accountVm(k, mm, flags, -pages);
    yield* removeVma(k, vma);
    vma = next;
  }
  if (k.point(COST_ATOMIC)) yield;
  uncommitPages(k, accounted);
}
