/** Where a shared word lives, for those that must name it in every address space alike (futexes). */
import type { Context, Work } from "../context.ts";
import { EFAULT } from "../errno.ts";
import { type KPtr, NULL } from "../struct.ts";
import { memoryOf } from "./memory.ts";
import { mmapReadLock, mmapReadUnlock } from "./mmap-lock.ts";
import { faultInPage } from "./populate.ts";
import {
  linearPageIndex,
  VM_PKEY_MASK_HI,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  vmFile,
  vmFlags,
  vmFlagsHi,
  vmStart,
} from "./vma.ts";
import { findVma } from "./vma-tree.ts";
import { pageOf } from "./vpn.ts";

export interface SharedPlace {
  /** The object of a shared mapping; NULL: the memory is private to the address space. */
  readonly at: KPtr;
  /** Page offset in the object. */
  readonly index: number;
}

const PRIVATE: SharedPlace = { at: NULL, index: 0 };

/**
 * The object and page offset behind an address of the running task (halves), whose page is there afterwards: the part of
 * get_futex_key() with get_user_pages_fast() (kernel/futex/core.c). The page is asked for as one to write to, and only
 * if that fails, and `access` is "read", as one to read. Private memory that can only be read has no place: it never
 * changes.
 *
 * Simplification: a program's read-only segments are private memory here, pages of a file in Linux.
 * @returns the place, -EFAULT or -ENOMEM
 */
export function* sharedObjectAt(
  k: Context,
  lo: number,
  hi: number,
  access: "read" | "write",
): Work<SharedPlace | number> {
  const mm = k.task!.mm;
  yield* mmapReadLock(k, mm);
  const place = yield* placeOf(k, mm, pageOf(lo, hi), access);
  yield* mmapReadUnlock(k, mm);
  return place;
}

/** Locks: mmap_lock for read. */
function* placeOf(k: Context, mm: KPtr, page: number, access: "read" | "write"): Work<SharedPlace | number> {
  const { ram } = k;
  const vma = findVma(ram, mm, page);
  if (vma === NULL || vmStart.get(ram, vma) > page) return -EFAULT;
  const isShared = (vmFlags.get(ram, vma) & VM_SHARED) !== 0;
  let error = yield* getUserPage(k, mm, vma, page, "write");
  if (error === -EFAULT && access === "read") {
    error = yield* getUserPage(k, mm, vma, page, "read");
    if (error === 0 && !isShared) return -EFAULT;
  }
  if (error !== 0) return error;
  return isShared ? { at: vmFile.get(ram, vma), index: linearPageIndex(ram, vma, page) } : PRIVATE;
}

/** get_user_pages() of one page: 0, -EFAULT (forbidden, or not to be had), -ENOMEM. Locks: mmap_lock for read. */
function* getUserPage(k: Context, mm: KPtr, vma: KPtr, page: number, access: "read" | "write"): Work<number> {
  const needed = access === "write" ? VM_WRITE : VM_READ;
  if ((vmFlags.get(k.ram, vma) & needed) === 0) return -EFAULT;
  const key = vmFlagsHi.get(k.ram, vma) & VM_PKEY_MASK_HI;
  if (!memoryOf(k).mmu.keyPermits(k, key, access)) return -EFAULT;
  return yield* faultInPage(k, mm, vma, page, access);
}
