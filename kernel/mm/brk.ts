/** brk(2): mm/mmap.c, 5.17. */
import type { Context, Work } from "../context.ts";
import { COST_ATOMIC } from "../costs.ts";
import { EINTR } from "../errno.ts";
import { type KPtr, NULL } from "../struct.ts";
import { accountVm, commitPages, MAX_MAP_COUNT, mayExpandVm, RLIMIT_DATA, uncommitPages } from "./limits.ts";
import { memoryOf } from "./memory.ts";
import { mmBrk, mmEndData, mmMapCount, mmStartBrk, mmStartData } from "./mm-struct.ts";
import { mmapReadUnlock, mmapWriteLockKillable, mmapWriteUnlock } from "./mmap-lock.ts";
import { DOWNGRADED, doMunmap } from "./munmap.ts";
import {
  VM_ACCOUNT,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYWRITE,
  VM_READ,
  VM_SOFTDIRTY,
  VM_WRITE,
  vmEnd,
  vmFlags,
  vmPgoff,
  vmStart,
  vmStartGap,
} from "./vma.ts";
import { mergeVma } from "./vma-adjust.ts";
import { allocateVma, setPageProt } from "./vma-lifetime.ts";
import { findVma, findVmaIntersection, findVmaLinks, linkVma, VmaPlace } from "./vma-tree.ts";

const BRK_FLAGS: number = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_ACCOUNT;

/**
 * brk(address in bytes). The heap lies below 2^47 always, so bytes are exact.
 * @returns the break afterwards: the old one if it could not be moved
 */
export function* brk(k: Context, address: number): Work<number> {
  const ram = k.ram;
  const mm = k.task!.mm;
  if ((yield* mmapWriteLockKillable(k, mm)) !== 0) return -EINTR;
  const old = mmBrk.get(ram, mm);
  if (address < mmStartBrk.get(ram, mm) || !isWithinLimit(k, mm, address)) {
    yield* mmapWriteUnlock(k, mm);
    return old;
  }
  const newPage = Math.ceil(address / 4096);
  const oldPage = Math.ceil(old / 4096);
  if (newPage === oldPage) {
    mmBrk.set(ram, mm, address);
  } else if (address <= old) {
    // The break changes first: under the read lock another brk() could not see it half done.
    mmBrk.set(ram, mm, address);
    const result = yield* doMunmap(k, mm, newPage, oldPage - newPage, "downgrade");
    if (result === DOWNGRADED) {
      yield* mmapReadUnlock(k, mm);
      return address;
    }
    if (result < 0) mmBrk.set(ram, mm, old);
  } else {
    const next = findVma(ram, mm, oldPage);
    const isBlocked = next !== NULL && newPage + 1 > vmStartGap(ram, next);
    if (!isBlocked && (yield* growHeap(k, mm, oldPage, newPage - oldPage))) mmBrk.set(ram, mm, address);
  }
  const now = mmBrk.get(ram, mm);
  yield* mmapWriteUnlock(k, mm);
  return now;
}

/** check_data_rlimit(): heap and data segment together. */
function isWithinLimit(k: Context, mm: KPtr, address: number): boolean {
  const ram = k.ram;
  const data = mmEndData.get(ram, mm) - mmStartData.get(ram, mm);
  return address - mmStartBrk.get(ram, mm) + data <= memoryOf(k).resourceLimit(k, RLIMIT_DATA);
}

/** do_brk_flags(). Locks: mmap_lock for write. @returns false: no room or no memory */
function* growHeap(k: Context, mm: KPtr, start: number, pages: number): Work<boolean> {
  const ram = k.ram;
  const end = start + pages;
  if (end > memoryOf(k).mmu.taskSize || findVmaIntersection(ram, mm, start, end) !== NULL) return false;
  if (!mayExpandVm(k, mm, BRK_FLAGS, pages)) return false;
  if (mmMapCount.get(ram, mm) > MAX_MAP_COUNT) return false;
  if (k.point(COST_ATOMIC)) yield;
  if (commitPages(k, pages) !== 0) return false;
  const place = new VmaPlace();
  findVmaLinks(ram, mm, start, end, place);
  const key = { flags: BRK_FLAGS, flagsHi: 0, anonVma: NULL, object: NULL, pgoff: start };
  let vma = yield* mergeVma(k, mm, place.previous, start, end, key);
  if (vma === NULL) {
    vma = yield* allocateVma(k, mm);
    if (vma === NULL) {
      uncommitPages(k, pages);
      return false;
    }
    vmStart.set(ram, vma, start);
    vmEnd.set(ram, vma, end);
    vmPgoff.set(ram, vma, start);
    vmFlags.set(ram, vma, BRK_FLAGS);
    setPageProt(k, vma);
    yield* linkVma(k, mm, vma, place);
  }
  accountVm(k, mm, BRK_FLAGS, pages);
  vmFlags.set(ram, vma, vmFlags.get(ram, vma) | VM_SOFTDIRTY);
  return true;
}
