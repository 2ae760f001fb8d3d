/** Where a shared word lives, for those that must name it in every address space alike (futexes). */
import type { Context, Work } from "../context.ts";
import { type KPtr, NULL } from "../struct.ts";
import { mmapReadLock, mmapReadUnlock } from "./mmap-lock.ts";
import { linearPageIndex, VM_SHARED, vmFile, vmFlags, vmStart } from "./vma.ts";
import { findVma } from "./vma-tree.ts";
import { pageOf } from "./vpn.ts";

export interface SharedPlace {
  /** The object of a shared mapping; NULL: the memory is private to the address space. */
  readonly at: KPtr;
  /** Page offset in the object. */
  readonly index: number;
}

const PRIVATE: SharedPlace = { at: NULL, index: 0 };

/** The object and page offset behind a mapped address of the running task (halves). */
export function* sharedObjectAt(k: Context, lo: number, hi: number): Work<SharedPlace> {
  const ram = k.ram;
  const mm = k.task!.mm;
  const page = pageOf(lo, hi);
  yield* mmapReadLock(k, mm);
  const vma = findVma(ram, mm, page);
  const isShared = vma !== NULL && vmStart.get(ram, vma) <= page && (vmFlags.get(ram, vma) & VM_SHARED) !== 0;
  const place = isShared ? { at: vmFile.get(ram, vma), index: linearPageIndex(ram, vma, page) } : PRIVATE;
  yield* mmapReadUnlock(k, mm);
  return place;
}
