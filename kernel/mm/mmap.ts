/** mmap(2) of anonymous memory: do_mmap() and mmap_region() of mm/mmap.c, 5.17. */
import type { Context, Work } from "../context.ts";
import { COST_ATOMIC } from "../costs.ts";
import { EEXIST, EINVAL, ENOMEM, EPERM } from "../errno.ts";
import { type KPtr, NULL } from "../struct.ts";
import {
  accountVm,
  commitPages,
  isAccountable,
  MAX_MAP_COUNT,
  mayExpandVm,
  uncommitPages,
} from "./limits.ts";
import { memoryOf } from "./memory.ts";
import { mmMapCount } from "./mm-struct.ts";
import { mmapWriteLockKillable, mmapWriteUnlock } from "./mmap-lock.ts";
import { doMunmap } from "./munmap.ts";
import { linkObjectVma } from "./object-map.ts";
import { executeOnlyPkey } from "./pkeys.ts";
import { populate } from "./populate.ts";
import { shmemCreate } from "./shmem.ts";
import { getUnmappedArea, MMAP_MIN_PAGE } from "./unmapped-area.ts";
import {
  VM_ACCOUNT,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_NORESERVE,
  VM_READ,
  VM_SHARED,
  VM_SOFTDIRTY,
  VM_WRITE,
  vmEnd,
  vmFile,
  vmFlags,
  vmFlagsHi,
  vmNext,
  vmOps,
  vmPgoff,
  vmStart,
} from "./vma.ts";
import { mergeVma } from "./vma-adjust.ts";
import { allocateVma, freeVma, setPageProt } from "./vma-lifetime.ts";
import { findVmaIntersection, findVmaLinks, linkVma, VmaPlace } from "./vma-tree.ts";
import { pageOf, pagesOfBytes } from "./vpn.ts";

export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const PROT_EXEC = 4;
export const MAP_SHARED = 0x01;
export const MAP_PRIVATE = 0x02;
const MAP_TYPE = 0x0f;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
export const MAP_GROWSDOWN = 0x100;
export const MAP_NORESERVE = 0x4000;
export const MAP_POPULATE = 0x8000;
export const MAP_NONBLOCK = 0x1_0000;
/** Only says that the mapping is a stack; ignored, as in Linux. */
export const MAP_STACK = 0x2_0000;
/** There are no huge pages of hugetlbfs. */
const MAP_HUGETLB = 0x4_0000;
export const MAP_FIXED_NOREPLACE = 0x10_0000;

/** calc_vm_prot_bits(): PROT_READ, _WRITE, _EXEC have the values of VM_READ, _WRITE, _EXEC. */
export function vmFlagsOfProt(prot: number): number {
  return prot & (VM_READ | VM_WRITE | VM_EXEC);
}

/**
 * mmap(addr, length, prot, flags) with MAP_ANONYMOUS. Address and length as int32 halves.
 * @returns first page of the mapping, or -errno
 */
export function* mmapAnonymous(
  k: Context,
  lo: number,
  hi: number,
  lengthLo: number,
  lengthHi: number,
  prot: number,
  flags: number,
): Work<number> {
  if ((flags & MAP_HUGETLB) !== 0) return -EINVAL;
  const mm = k.task!.mm;
  const error = yield* mmapWriteLockKillable(k, mm);
  if (error !== 0) return error;
  const start = yield* doMmap(k, mm, lo, hi, lengthLo, lengthHi, prot, flags);
  yield* mmapWriteUnlock(k, mm);
  const wanted = (flags & (MAP_POPULATE | MAP_NONBLOCK)) === MAP_POPULATE;
  if (start >= 0 && wanted) yield* populate(k, mm, start, start + pagesOfBytes(lengthLo, lengthHi));
  return start;
}

/** do_mmap(). Locks: mmap_lock for write. */
function* doMmap(
  k: Context,
  mm: KPtr,
  lo: number,
  hi: number,
  lengthLo: number,
  lengthHi: number,
  prot: number,
  mapFlags: number,
): Work<number> {
  const ram = k.ram;
  const m = memoryOf(k);
  if ((lengthLo | lengthHi) === 0) return -EINVAL;
  const fixed = (mapFlags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) !== 0;
  const pages = pagesOfBytes(lengthLo, lengthHi);
  if (pages >= 2 ** 52) return -ENOMEM;
  if (mmMapCount.get(ram, mm) > MAX_MAP_COUNT) return -ENOMEM;
  let start = pageOf(lo, hi);
  if (!fixed && start !== 0 && start < MMAP_MIN_PAGE) start = MMAP_MIN_PAGE;
  if (fixed) {
    if (pages > m.mmu.taskSizeMax || start > m.mmu.taskSizeMax - pages) return -ENOMEM;
    if ((lo & 0xfff) !== 0) return -EINVAL;
    if (start < MMAP_MIN_PAGE) return -EPERM;
  } else {
    start = getUnmappedArea(ram, mm, start, pages, m.mmu);
    if (start < 0) return start;
  }
  if ((mapFlags & MAP_FIXED_NOREPLACE) !== 0 && findVmaIntersection(ram, mm, start, start + pages) !== NULL) {
    return -EEXIST;
  }
  let key = 0;
  if (prot === PROT_EXEC) key = Math.max(executeOnlyPkey(k, mm), 0);
  let flags = vmFlagsOfProt(prot) | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
  if ((mapFlags & MAP_GROWSDOWN) !== 0) flags |= VM_GROWSDOWN;
  let pgoff = start;
  switch (mapFlags & MAP_TYPE) {
    case MAP_SHARED:
      if ((flags & VM_GROWSDOWN) !== 0) return -EINVAL;
      flags |= VM_SHARED | VM_MAYSHARE;
      pgoff = 0;
      break;
    case MAP_PRIVATE:
      break;
    default:
      return -EINVAL;
  }
  if ((mapFlags & MAP_NORESERVE) !== 0) flags |= VM_NORESERVE;
  return yield* mmapRegion(k, mm, start, pages, flags, key, pgoff);
}

/**
 * mmap_region(): replaces what is in the range by a new mapping. Locks: mmap_lock for write.
 * @param key memory key
 * @returns first page or -ENOMEM
 */
export function* mmapRegion(
  k: Context,
  mm: KPtr,
  start: number,
  pages: number,
  wantedFlags: number,
  key: number,
  pgoff: number,
): Work<number> {
  const ram = k.ram;
  const end = start + pages;
  let flags = wantedFlags;
  if (!mayExpandVm(k, mm, flags, pages)) {
    if (!mayExpandVm(k, mm, flags, pages - mappedPages(k, mm, start, end))) return -ENOMEM;
  }
  const place = new VmaPlace();
  while (!findVmaLinks(ram, mm, start, end, place)) {
    if ((yield* doMunmap(k, mm, start, pages, "replace")) < 0) return -ENOMEM;
  }
  if (isAccountable(flags)) {
    if (k.point(COST_ATOMIC)) yield;
    if (commitPages(k, pages) !== 0) return -ENOMEM;
    flags |= VM_ACCOUNT;
  }
  const mergeKey = { flags, flagsHi: key, anonVma: NULL, object: NULL, pgoff };
  let vma = yield* mergeVma(k, mm, place.previous, start, end, mergeKey);
  if (vma === NULL) {
    vma = yield* newVma(k, mm, start, end, flags, key, pgoff, place);
    if (vma === NULL) {
      if ((flags & VM_ACCOUNT) !== 0) uncommitPages(k, pages);
      return -ENOMEM;
    }
  }
  accountVm(k, mm, flags, pages);
  vmFlags.set(ram, vma, vmFlags.get(ram, vma) | VM_SOFTDIRTY);
  setPageProt(k, vma);
  return start;
}

function* newVma(
  k: Context,
  mm: KPtr,
  start: number,
  end: number,
  flags: number,
  key: number,
  pgoff: number,
  place: VmaPlace,
): Work<KPtr> {
  const ram = k.ram;
  const vma = yield* allocateVma(k, mm);
  if (vma === NULL) return NULL;
  vmStart.set(ram, vma, start);
  vmEnd.set(ram, vma, end);
  vmFlags.set(ram, vma, flags);
  vmFlagsHi.set(ram, vma, key);
  vmPgoff.set(ram, vma, pgoff);
  setPageProt(k, vma);
  if ((flags & VM_SHARED) !== 0) {
    const pages = end - start;
    const object = yield* shmemCreate(k, pages, (flags & VM_NORESERVE) === 0 ? pages : 0);
    if (object === NULL) {
      freeVma(k, vma);
      return NULL;
    }
    vmFile.set(ram, vma, object);
    vmOps.set(ram, vma, memoryOf(k).shmemOps);
  }
  yield* linkVma(k, mm, vma, place);
  yield* linkObjectVma(k, vma);
  return vma;
}

/** count_vma_pages_range(). */
function mappedPages(k: Context, mm: KPtr, start: number, end: number): number {
  const ram = k.ram;
  let pages = 0;
  for (
    let vma = findVmaIntersection(ram, mm, start, end);
    vma !== NULL && vmStart.get(ram, vma) < end;
    vma = vmNext.get(ram, vma)
  ) {
    pages += Math.min(end, vmEnd.get(ram, vma)) - Math.max(start, vmStart.get(ram, vma));
  }
  return pages;
}
