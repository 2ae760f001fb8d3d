/**
 * mremap(2): mm/mremap.c. How mappings move is 5.17's; what is refused, with which error and in which order is 6.18's:
 * arguments first (check_mremap_params()), then the mapping, and only then is the target unmapped. Not there: moving
 * several mappings in one call (6.17), which is -EFAULT as before.
 */
import type { Context, Work } from "../context.ts";
import { COST_ACCESS, COST_ATOMIC } from "../costs.ts";
import { EFAULT, EINVAL, ENOMEM, EPERM } from "../errno.ts";
import { type KPtr, NULL } from "../struct.ts";
import { anonVmaClone, unlinkAnonVmas } from "./anon-vma.ts";
import { accountVm, commitPages, MAX_MAP_COUNT, mayExpandVm, uncommitPages } from "./limits.ts";
import { memoryOf } from "./memory.ts";
import { mmMapCount } from "./mm-struct.ts";
import { mmapReadUnlock, mmapWriteLockKillable, mmapWriteUnlock } from "./mmap-lock.ts";
import { movePageTables } from "./move-tables.ts";
import { DOWNGRADED, doMunmap } from "./munmap.ts";
import { linkObjectVma } from "./object-map.ts";
import { getUnmappedArea, MMAP_MIN_PAGE } from "./unmapped-area.ts";
import {
  VM_ACCOUNT,
  VM_DONTEXPAND,
  VM_LOCKED,
  VM_MAYSHARE,
  VM_SHARED,
  vmAnonVma,
  vmaIsAnonymous,
  vmEnd,
  vmFile,
  vmFlags,
  vmFlagsHi,
  vmNext,
  vmPgoff,
  vmStart,
} from "./vma.ts";
import { mergeVma, vmaAdjust } from "./vma-adjust.ts";
import { duplicateVma, freeVma, getVmaObject } from "./vma-lifetime.ts";
import { findVma, findVmaLinks, linkVma, VmaPlace } from "./vma-tree.ts";
import { pageOf, pagesOfBytes } from "./vpn.ts";

export const MREMAP_MAYMOVE = 1;
export const MREMAP_FIXED = 2;
export const MREMAP_DONTUNMAP = 4;

/** Addresses and lengths as int32 halves. */
export interface RemapRequest {
  readonly lo: number;
  readonly hi: number;
  readonly oldLengthLo: number;
  readonly oldLengthHi: number;
  readonly newLengthLo: number;
  readonly newLengthHi: number;
  readonly flags: number;
  readonly newLo: number;
  readonly newHi: number;
}

/** In pages, checked. */
interface Remap {
  readonly mm: KPtr;
  readonly start: number;
  oldPages: number;
  readonly newPages: number;
  readonly flags: number;
  readonly target: number;
}

/** mremap(old address, old length, new length, flags, new address): first page of the mapping, or -errno. */
export function* mremap(k: Context, request: RemapRequest): Work<number> {
  const { flags } = request;
  const mm = k.task!.mm;
  const remap: Remap = {
    mm,
    start: pageOf(request.lo, request.hi),
    oldPages: alignedPages(request.oldLengthLo, request.oldLengthHi),
    newPages: alignedPages(request.newLengthLo, request.newLengthHi),
    flags,
    target: pageOf(request.newLo, request.newHi),
  };
  const isPlaced = (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0;
  const invalid = checkRequest(k, request, remap, isPlaced);
  if (invalid !== 0) return invalid;
  const error = yield* mmapWriteLockKillable(k, mm);
  if (error !== 0) return error;
  const vma = lookup(k, mm, remap.start);
  const isFull = isPlaced && !hasRoomToSplit(k, mm);
  if (isFull || vma === NULL) {
    yield* mmapWriteUnlock(k, mm);
    return isFull ? -ENOMEM : -EFAULT;
  }
  if (!isPlaced && remap.oldPages >= remap.newPages) return yield* shrink(k, remap);
  const result = isPlaced ? yield* remapTo(k, remap, vma) : yield* grow(k, remap, vma);
  yield* mmapWriteUnlock(k, mm);
  return result;
}

/** PAGE_ALIGN() of a length, which wraps to 0 at the end. */
function alignedPages(lo: number, hi: number): number {
  return pagesOfBytes(lo, hi) % 2 ** 52;
}

/** check_mremap_params() without its look at map_count: 0 or -EINVAL. @param isPlaced a new address is given, if only as a hint */
function checkRequest(k: Context, request: RemapRequest, remap: Remap, isPlaced: boolean): number {
  const { flags, start, oldPages, newPages, target } = remap;
  const limit = memoryOf(k).mmu.taskSizeMax;
  if ((flags & ~(MREMAP_FIXED | MREMAP_MAYMOVE | MREMAP_DONTUNMAP)) !== 0) return -EINVAL;
  if ((request.lo & 0xfff) !== 0) return -EINVAL;
  if (newPages === 0 || newPages > limit) return -EINVAL;
  if (!isPlaced) return 0;
  if ((request.newLo & 0xfff) !== 0 || target > limit - newPages) return -EINVAL;
  if ((flags & MREMAP_MAYMOVE) === 0) return -EINVAL;
  if ((flags & MREMAP_DONTUNMAP) !== 0 && oldPages !== newPages) return -EINVAL;
  return start + oldPages > target && target + newPages > start ? -EINVAL : 0;
}

/**
 * Both ranges may have to be split in three, and there must be room for that once they are unmapped. Linux since 6.15 looks
 * at the count with its other checks, before it takes the lock: a data race with whoever links a VMA. Locks: mmap_lock.
 */
function hasRoomToSplit(k: Context, mm: KPtr): boolean {
  return mmMapCount.get(k.ram, mm) + 2 < MAX_MAP_COUNT - 3;
}

function lookup(k: Context, mm: KPtr, page: number): KPtr {
  const vma = findVma(k.ram, mm, page);
  return vma !== NULL && vmStart.get(k.ram, vma) <= page ? vma : NULL;
}

/** A shrinking remap unmaps the tail. Releases mmap_lock. */
function* shrink(k: Context, remap: Remap): Work<number> {
  const { mm, start, oldPages, newPages } = remap;
  const result = yield* doMunmap(k, mm, start + newPages, oldPages - newPages, "downgrade");
  if (result === DOWNGRADED) {
    yield* mmapReadUnlock(k, mm);
    return start;
  }
  yield* mmapWriteUnlock(k, mm);
  return result < 0 && oldPages !== newPages ? result : start;
}

/** Grows in place if the mapping ends where the old range ends and there is room; else moves. */
function* grow(k: Context, remap: Remap, found: KPtr): Work<number> {
  const ram = k.ram;
  const { mm, start, oldPages, newPages } = remap;
  const error = checkResize(k, remap, found);
  if (error !== 0) return error;
  const flags = vmFlags.get(ram, found);
  if (start + oldPages === vmEnd.get(ram, found) && hasRoom(k, found, newPages - oldPages)) {
    const pages = newPages - oldPages;
    if (k.point(COST_ATOMIC)) yield;
    if ((flags & VM_ACCOUNT) !== 0 && commitPages(k, pages) !== 0) return -ENOMEM;
    const vmaFirst = vmStart.get(ram, found);
    const failed = yield* vmaAdjust(
      k,
      found,
      vmaFirst,
      start + newPages,
      vmPgoff.get(ram, found),
      NULL,
      NULL,
    );
    if (failed !== 0) {
      if ((flags & VM_ACCOUNT) !== 0) uncommitPages(k, pages);
      return -ENOMEM;
    }
    accountVm(k, mm, flags, pages);
    return start;
  }
  if ((remap.flags & MREMAP_MAYMOVE) === 0) return -ENOMEM;
  const target = getUnmappedArea(ram, mm, 0, newPages, memoryOf(k).mmu);
  if (target < 0) return target;
  return yield* moveVma(k, remap, found, target);
}

/** vma_expandable(): nothing lies in the way, and the end stays inside user space. */
function hasRoom(k: Context, vma: KPtr, delta: number): boolean {
  const ram = k.ram;
  const end = vmEnd.get(ram, vma) + delta;
  const next = vmNext.get(ram, vma);
  if (next !== NULL && vmStart.get(ram, next) < end) return false;
  return end <= memoryOf(k).mmu.taskSizeMax;
}

/** vma_to_resize(): 0, -EINVAL, -EFAULT or -ENOMEM. */
function checkResize(k: Context, remap: Remap, vma: KPtr): number {
  const ram = k.ram;
  const { start, oldPages, newPages } = remap;
  const flags = vmFlags.get(ram, vma);
  // An old length of 0 duplicates a shared mapping; of a private one there is nothing to duplicate.
  if (oldPages === 0 && (flags & (VM_SHARED | VM_MAYSHARE)) === 0) return -EINVAL;
  if ((remap.flags & MREMAP_DONTUNMAP) !== 0 && (flags & VM_DONTEXPAND) !== 0) return -EINVAL;
  if (oldPages > vmEnd.get(ram, vma) - start) return -EFAULT;
  if (newPages === oldPages) return 0;
  const pgoff = vmPgoff.get(ram, vma) + start - vmStart.get(ram, vma);
  if (pgoff + newPages >= 2 ** 52) return -EINVAL;
  if ((flags & VM_DONTEXPAND) !== 0) return -EFAULT;
  return mayExpandVm(k, remap.mm, flags, newPages - oldPages) ? 0 : -ENOMEM;
}

/** mremap_to(): to a place that the caller names (MREMAP_FIXED), or leaving the old one mapped (MREMAP_DONTUNMAP). */
function* remapTo(k: Context, remap: Remap, found: KPtr): Work<number> {
  const ram = k.ram;
  const { mm, start, newPages, target, flags } = remap;
  const fixed = (flags & MREMAP_FIXED) !== 0;
  const shrinks = remap.oldPages > newPages;
  if (!shrinks) {
    const error = checkResize(k, remap, found);
    if (error !== 0) return error;
  }
  if (fixed) {
    const error = yield* doMunmap(k, mm, target, newPages, "keep");
    if (error < 0) return error;
  }
  if (shrinks) {
    const error = yield* doMunmap(k, mm, start + newPages, remap.oldPages - newPages, "keep");
    if (error < 0) return error;
    remap.oldPages = newPages;
  }
  const vma = lookup(k, mm, start);
  if (vma === NULL) return -EFAULT;
  if (shrinks) {
    const error = checkResize(k, remap, vma);
    if (error !== 0) return error;
  }
  if ((flags & MREMAP_DONTUNMAP) !== 0 && !mayExpandVm(k, mm, vmFlags.get(ram, vma), remap.oldPages)) {
    return -ENOMEM;
  }
  let place = target;
  if (!fixed) place = getUnmappedArea(ram, mm, target, newPages, memoryOf(k).mmu);
  else if (place < MMAP_MIN_PAGE) return -EPERM;
  if (place < 0) return place;
  return yield* moveVma(k, remap, vma, place);
}

/** move_vma(): copies the VMA, moves the entries, unmaps the old range unless it is to stay. */
function* moveVma(k: Context, remap: Remap, source: KPtr, target: number): Work<number> {
  const ram = k.ram;
  const { mm, start, oldPages, newPages } = remap;
  const keepsOld = (remap.flags & MREMAP_DONTUNMAP) !== 0;
  if (mmMapCount.get(ram, mm) >= MAX_MAP_COUNT - 3) return -ENOMEM;
  const flags = vmFlags.get(ram, source);
  const toAccount = keepsOld ? newPages : newPages - oldPages;
  const accounted = (flags & VM_ACCOUNT) !== 0;
  if (k.point(COST_ATOMIC)) yield;
  if (accounted && commitPages(k, toAccount) !== 0) return -ENOMEM;
  const copy = yield* copyVma(k, mm, source, start, target, newPages);
  if (copy === null) {
    if (accounted) uncommitPages(k, toAccount);
    return -ENOMEM;
  }
  const old = copy.source;
  const moved = yield* memoryOf(k).design.moveTables(k, old, start, target, oldPages, copy.rmap);
  if (moved < oldPages) {
    // No memory for tables at the new place: everything goes back, where the tables still are.
    yield* movePageTables(k, copy.vma, target, start, moved, "locked");
    yield* undoCopy(k, mm, copy.vma, target, newPages, keepsOld ? 0 : oldPages);
    return -ENOMEM;
  }
  accountVm(k, mm, vmFlags.get(ram, copy.vma), newPages);
  if (keepsOld) {
    if (k.point(COST_ACCESS)) yield;
    vmFlags.set(ram, old, vmFlags.get(ram, old) & ~VM_LOCKED);
    const isWhole = vmStart.get(ram, old) === start && vmEnd.get(ram, old) === start + oldPages;
    if (copy.vma !== old && isWhole) yield* unlinkAnonVmas(k, old);
    return target;
  }
  yield* unmapMoved(k, mm, old, start, oldPages, accounted);
  return target;
}

/**
 * A failed move takes the new mapping away again. It was not counted yet; unmapping it gives back a reservation of its
 * whole length, of which only the difference was made.
 */
function* undoCopy(k: Context, mm: KPtr, vma: KPtr, target: number, pages: number, oldPages: number): Work {
  const flags = vmFlags.get(k.ram, vma);
  accountVm(k, mm, flags, pages);
  if (k.point(COST_ATOMIC)) yield;
  if ((flags & VM_ACCOUNT) !== 0) commitPages(k, oldPages);
  yield* doMunmap(k, mm, target, pages, "keep");
}

/** Unmaps the old range; its reservation went with the move, so it is hidden meanwhile (VM_ACCOUNT). */
function* unmapMoved(
  k: Context,
  mm: KPtr,
  old: KPtr,
  start: number,
  pages: number,
  accounted: boolean,
): Work {
  const ram = k.ram;
  let rest = false;
  let split = false;
  if (accounted) {
    if (k.point(COST_ACCESS)) yield;
    vmFlags.set(ram, old, vmFlags.get(ram, old) & ~VM_ACCOUNT);
    rest = vmEnd.get(ram, old) - vmStart.get(ram, old) > pages;
    split = start > vmStart.get(ram, old) && start + pages < vmEnd.get(ram, old);
  }
  if (pages > 0 && (yield* doMunmap(k, mm, start, pages, "keep")) < 0) {
    if (accounted) commitPages(k, pages);
    rest = false;
  }
  if (!rest) return;
  // The old VMA is one of the pieces that are left, and the lower one if there are two.
  if (k.point(COST_ACCESS)) yield;
  vmFlags.set(ram, old, vmFlags.get(ram, old) | VM_ACCOUNT);
  if (!split) return;
  const above = vmNext.get(ram, old);
  if (k.point(COST_ACCESS)) yield;
  vmFlags.set(ram, above, vmFlags.get(ram, above) | VM_ACCOUNT);
}

interface VmaCopy {
  /** The VMA of the new place, and that of the old one, which a merge may have replaced. */
  readonly vma: KPtr;
  readonly source: KPtr;
  readonly rmap: "locked" | "unlocked";
}

/** copy_vma(): a VMA for the new place with the old one's attributes; null: no memory. */
function* copyVma(
  k: Context,
  mm: KPtr,
  source: KPtr,
  start: number,
  target: number,
  pages: number,
): Work<VmaCopy | null> {
  const ram = k.ram;
  const sourceStart = vmStart.get(ram, source);
  let pgoff = vmPgoff.get(ram, source) + start - sourceStart;
  // Pages that were never touched have no offset to keep: take the one that merges best.
  if (vmaIsAnonymous(ram, source) && vmAnonVma.get(ram, source) === NULL) pgoff = target;
  const place = new VmaPlace();
  if (!findVmaLinks(ram, mm, target, target + pages, place)) return null;
  const key = {
    flags: vmFlags.get(ram, source),
    flagsHi: vmFlagsHi.get(ram, source),
    anonVma: vmAnonVma.get(ram, source),
    object: vmFile.get(ram, source),
    pgoff,
  };
  const merged = yield* mergeVma(k, mm, place.previous, target, target + pages, key);
  if (merged !== NULL) {
    const swallowed = sourceStart >= vmStart.get(ram, merged) && sourceStart < vmEnd.get(ram, merged);
    const now = swallowed ? merged : source;
    const rmap = vmPgoff.get(ram, merged) <= vmPgoff.get(ram, now) ? "locked" : "unlocked";
    return { vma: merged, source: now, rmap };
  }
  const vma = yield* duplicateVma(k, source);
  if (vma === NULL) return null;
  vmStart.set(ram, vma, target);
  vmEnd.set(ram, vma, target + pages);
  vmPgoff.set(ram, vma, pgoff);
  if ((yield* anonVmaClone(k, vma, source)) !== 0) {
    freeVma(k, vma);
    return null;
  }
  yield* getVmaObject(k, vma);
  yield* linkVma(k, mm, vma, place);
  yield* linkObjectVma(k, vma);
  return { vma, source, rmap: "unlocked" };
}
