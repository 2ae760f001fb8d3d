/** mm_populate(): faults pages in ahead of their use (MAP_POPULATE), as far as that works (mm/gup.c). */
import type { Context, Work } from "../context.ts";
import { EFAULT, EINTR, EINVAL, ENOMEM } from "../errno.ts";
import { condResched } from "../sched/schedule.ts";
import { type KPtr, NULL } from "../struct.ts";
import { handleMmFault } from "./fault.ts";
import { FAULT_FLAG_WRITE, type FaultState, VM_FAULT_ERROR, VM_FAULT_OOM } from "./fault-state.ts";
import { memoryOf } from "./memory.ts";
import { mmapReadLock, mmapReadUnlock } from "./mmap-lock.ts";
import { findPteSlot, NO_SLOT } from "./page-table.ts";
import {
  VM_ACCESS_FLAGS,
  VM_PKEY_MASK_HI,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  vmEnd,
  vmFlags,
  vmFlagsHi,
  vmMm,
  vmNext,
  vmStart,
} from "./vma.ts";
import { findVma } from "./vma-tree.ts";
import { pageHi, pageLo } from "./vpn.ts";

/** Populates pages start … end-1 wherever they are mapped and accessible. Errors stop it and are not reported. */
export function* populate(k: Context, mm: KPtr, start: number, end: number): Work {
  const ram = k.ram;
  yield* mmapReadLock(k, mm);
  let vma = findVma(ram, mm, start);
  for (; vma !== NULL && vmStart.get(ram, vma) < end; vma = vmNext.get(ram, vma)) {
    const from = Math.max(vmStart.get(ram, vma), start);
    const to = Math.min(vmEnd.get(ram, vma), end);
    if ((yield* populateVma(k, mm, vma, from, to)) !== 0) break;
  }
  yield* mmapReadUnlock(k, mm);
}

/** populate_vma_page_range(). Locks: mmap_lock for read. @returns 0 or -errno */
export function* populateVma(k: Context, mm: KPtr, vma: KPtr, start: number, end: number): Work<number> {
  const flags = vmFlags.get(k.ram, vma);
  if ((flags & VM_ACCESS_FLAGS) === 0) return -EFAULT;
  // Private writable pages are broken from their copies right away; shared ones are only read.
  const write = (flags & (VM_WRITE | VM_SHARED)) === VM_WRITE;
  for (let page = start; page < end; page++) {
    if (k.kernel.process.fatalSignalPending(k.task!)) return -EINTR;
    const error = yield* faultInPage(k, mm, vma, page, write ? "write" : "read");
    if (error !== 0) return error;
    yield* condResched(k);
  }
  return 0;
}

/**
 * faultin_vma_page_range() (mm/gup.c): pages of a VMA as an access of a kind would leave them, for MADV_POPULATE_READ and
 * MADV_POPULATE_WRITE. Locks: mmap_lock for read.
 * @returns 0, -EINVAL (the VMA or its memory key forbids the access), -EFAULT, -ENOMEM, -EINTR
 */
export function* populateAdvised(
  k: Context,
  vma: KPtr,
  start: number,
  end: number,
  kind: "read" | "write",
): Work<number> {
  const { ram } = k;
  const needed = kind === "write" ? VM_WRITE : VM_READ;
  const key = vmFlagsHi.get(ram, vma) & VM_PKEY_MASK_HI;
  if ((vmFlags.get(ram, vma) & needed) === 0) return -EINVAL;
  if (!memoryOf(k).mmu.keyPermits(k, key, kind)) return -EINVAL;
  const mm = vmMm.get(ram, vma);
  for (let page = start; page < end; page++) {
    if (k.kernel.process.fatalSignalPending(k.task!)) return -EINTR;
    const error = yield* faultInPage(k, mm, vma, page, kind);
    if (error !== 0) return error;
    yield* condResched(k);
  }
  return 0;
}

/**
 * Makes one page of a VMA present. Locks: mmap_lock for read.
 * @param kind "own": a private copy, even if the VMA forbids writing
 * @returns 0 or -errno
 */
export function* faultInPage(
  k: Context,
  mm: KPtr,
  vma: KPtr,
  page: number,
  kind: "read" | "write" | "own",
): Work<number> {
  const m = memoryOf(k);
  const f: FaultState = m.faultState(k);
  for (;;) {
    const slot = findPteSlot(m, mm, page);
    if (slot !== NO_SLOT) {
      const lo = k.ram.read32(slot);
      const hi = k.ram.read32(slot + 4);
      const usable =
        kind === "read" || m.format.isWritable(lo, hi) || (kind === "own" && m.format.isDirty(lo, hi));
      if (m.format.isPresent(lo, hi) && usable) return 0;
    }
    f.mm = mm;
    f.vma = vma;
    f.page = page;
    f.lo = pageLo(page);
    f.hi = pageHi(page);
    f.flags = kind === "read" ? 0 : FAULT_FLAG_WRITE;
    f.archError = 0;
    const result = yield* handleMmFault(k, f);
    if ((result & VM_FAULT_ERROR) !== 0) return (result & VM_FAULT_OOM) !== 0 ? -ENOMEM : -EFAULT;
  }
}
