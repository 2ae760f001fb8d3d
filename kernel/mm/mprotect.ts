/** mprotect(2) and pkey_mprotect(2): mm/mprotect.c, 5.17. */
import type { Context, Work } from "../context.ts";
import { COST_ACCESS, COST_ATOMIC, COST_LOCK, COST_PTE, COST_UNLOCK } from "../costs.ts";
import { EACCES, EINVAL, ENOMEM } from "../errno.ts";
import { spinAcquire, spinLockSlow, spinUnlock } from "../locking/spinlock.ts";
import { type KPtr, NULL } from "../struct.ts";
import { accountVm, commitPages, mayExpandVm, uncommitPages } from "./limits.ts";
import { PTL } from "./locks.ts";
import { memoryOf } from "./memory.ts";
import { mmExecuteOnlyPkey, mmTlbFlushPending } from "./mm-struct.ts";
import { PROT_EXEC, PROT_READ, PROT_WRITE, vmFlagsOfProt } from "./mmap.ts";
import { mmapWriteLockKillable, mmapWriteUnlock } from "./mmap-lock.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "./mmu-notifier.ts";
import { pteSlot, ptlOf, setPteAt, tableOf } from "./page-table.ts";
import { executeOnlyPkey, pkeyIsAllocated } from "./pkeys.ts";
import { TableWalk } from "./table-walk.ts";
import {
  VM_ACCESS_FLAGS,
  VM_ACCOUNT,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_NORESERVE,
  VM_PKEY_MASK_HI,
  VM_SHARED,
  VM_WRITE,
  vmAnonVma,
  vmEnd,
  vmFile,
  vmFlags,
  vmFlagsHi,
  vmMm,
  vmNext,
  vmPageProtHi,
  vmPageProtLo,
  vmPgoff,
  vmPrev,
  vmStart,
} from "./vma.ts";
import { mergeVma, splitVma } from "./vma-adjust.ts";
import { setPageProt } from "./vma-lifetime.ts";
import { findVma } from "./vma-tree.ts";
import { pageOf, pagesOfBytes } from "./vpn.ts";

/** Means nothing for anonymous memory, but is valid. */
const PROT_SEM = 0x8;
const PROT_GROWSDOWN = 0x0100_0000;
const PROT_GROWSUP = 0x0200_0000;
const PROT_VALID: number = PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM;

/**
 * mprotect(addr, length, prot), or pkey_mprotect() with a key other than -1.
 * @returns 0, -EINVAL, -ENOMEM (part of the range unmapped; what came before it is changed), -EACCES or -EINTR
 */
export function* mprotect(
  k: Context,
  lo: number,
  hi: number,
  lengthLo: number,
  lengthHi: number,
  protection: number,
  key: number,
): Work<number> {
  const grows = protection & (PROT_GROWSDOWN | PROT_GROWSUP);
  const prot = protection & ~(PROT_GROWSDOWN | PROT_GROWSUP);
  if (grows === (PROT_GROWSDOWN | PROT_GROWSUP)) return -EINVAL;
  if ((lo & 0xfff) !== 0) return -EINVAL;
  if ((lengthLo | lengthHi) === 0) return 0;
  const start = pageOf(lo, hi);
  const end = start + pagesOfBytes(lengthLo, lengthHi);
  if (end >= 2 ** 52) return -ENOMEM;
  if ((prot & ~PROT_VALID) !== 0) return -EINVAL;
  const mm = k.task!.mm;
  const error = yield* mmapWriteLockKillable(k, mm);
  if (error !== 0) return error;
  const result = yield* protectRange(k, mm, start, end, prot, grows, key);
  yield* mmapWriteUnlock(k, mm);
  return result;
}

/** do_mprotect_pkey() under mmap_lock for write. */
function* protectRange(
  k: Context,
  mm: KPtr,
  from: number,
  end: number,
  prot: number,
  grows: number,
  key: number,
): Work<number> {
  const ram = k.ram;
  if (key !== -1 && !pkeyIsAllocated(k, mm, key)) return -EINVAL;
  let vma = findVma(ram, mm, from);
  if (vma === NULL) return -ENOMEM;
  let start = from;
  if ((grows & PROT_GROWSDOWN) !== 0) {
    if (vmStart.get(ram, vma) >= end) return -ENOMEM;
    start = vmStart.get(ram, vma);
    if ((vmFlags.get(ram, vma) & VM_GROWSDOWN) === 0) return -EINVAL;
  } else {
    if (vmStart.get(ram, vma) > start) return -ENOMEM;
    if ((grows & PROT_GROWSUP) !== 0) return -EINVAL;
  }
  let previous = start > vmStart.get(ram, vma) ? vma : vmPrev.get(ram, vma);
  for (;;) {
    const flags = vmFlags.get(ram, vma);
    const newKey = keyOf(k, mm, vma, prot, key);
    const newFlags = vmFlagsOfProt(prot) | (flags & ~VM_ACCESS_FLAGS);
    // VM_MAYx lies four bits above VM_x.
    if ((newFlags & ~(newFlags >>> 4) & VM_ACCESS_FLAGS) !== 0) return -EACCES;
    const stop = Math.min(vmEnd.get(ram, vma), end);
    const changed = yield* protectVma(k, mm, vma, previous, start, stop, newFlags, newKey);
    if (changed < 0) return changed;
    previous = changed as KPtr;
    start = Math.max(stop, vmEnd.get(ram, previous));
    if (start >= end) return 0;
    vma = vmNext.get(ram, previous);
    if (vma === NULL || vmStart.get(ram, vma) !== start) return -ENOMEM;
  }
}

/** arch_override_mprotect_pkey(): PROT_EXEC alone asks for the execute-only key, leaving it gives the key up. */
function keyOf(k: Context, mm: KPtr, vma: KPtr, prot: number, key: number): number {
  if (key !== -1) return key;
  const present = vmFlagsHi.get(k.ram, vma) & VM_PKEY_MASK_HI;
  if (prot === PROT_EXEC) {
    const executeOnly = executeOnlyPkey(k, mm);
    if (executeOnly > 0) return executeOnly;
  } else {
    const isExecuteOnly =
      (vmFlags.get(k.ram, vma) & VM_ACCESS_FLAGS) === VM_EXEC && present === mmExecuteOnlyPkey.get(k.ram, mm);
    if (isExecuteOnly) return 0;
  }
  return present;
}

/** mprotect_fixup(): one VMA or a part of it. @returns the VMA that covers `start` now, or -ENOMEM */
function* protectVma(
  k: Context,
  mm: KPtr,
  found: KPtr,
  previous: KPtr,
  start: number,
  end: number,
  wantedFlags: number,
  key: number,
): Work<number> {
  const ram = k.ram;
  const oldFlags = vmFlags.get(ram, found);
  if (wantedFlags === oldFlags && key === vmFlagsHi.get(ram, found)) return found;
  const pages = end - start;
  let flags = wantedFlags;
  let charged = 0;
  if ((flags & VM_WRITE) !== 0) {
    if (!mayExpandVm(k, mm, flags, pages) && mayExpandVm(k, mm, oldFlags, pages)) return -ENOMEM;
    if ((oldFlags & (VM_ACCOUNT | VM_WRITE | VM_SHARED | VM_NORESERVE)) === 0) {
      if (k.point(COST_ATOMIC)) yield;
      if (commitPages(k, pages) !== 0) return -ENOMEM;
      charged = pages;
      flags |= VM_ACCOUNT;
    }
  }
  const mergeKey = {
    flags,
    flagsHi: key,
    anonVma: vmAnonVma.get(ram, found),
    object: vmFile.get(ram, found),
    pgoff: vmPgoff.get(ram, found) + start - vmStart.get(ram, found),
  };
  let vma = yield* mergeVma(k, mm, previous, start, end, mergeKey);
  if (vma === NULL) {
    vma = found;
    let error = 0;
    if (start !== vmStart.get(ram, vma)) error = yield* splitVma(k, mm, vma, start, "below");
    if (error === 0 && end !== vmEnd.get(ram, vma)) error = yield* splitVma(k, mm, vma, end, "above");
    if (error !== 0) {
      uncommitPages(k, charged);
      return error;
    }
  }
  if (k.point(COST_ACCESS)) yield;
  vmFlags.set(ram, vma, flags);
  if (k.point(COST_ACCESS)) yield;
  vmFlagsHi.set(ram, vma, key);
  if (k.point(COST_ACCESS)) yield;
  setPageProt(k, vma);
  yield* changeProtection(k, mm, vma, start, end);
  accountVm(k, mm, oldFlags, -pages);
  accountVm(k, mm, flags, pages);
  return vma;
}

/** change_protection(): gives the entries the VMA's rights; flushes if there were any. */
function* changeProtection(k: Context, mm: KPtr, vma: KPtr, start: number, end: number): Work {
  const m = memoryOf(k);
  let changed = 0;
  if (k.point(COST_ATOMIC)) yield;
  mmTlbFlushPending.add(k.ram, mm, 1);
  invalidateRangeStart(k, mm);
  const walk = new TableWalk(m, mm, start, end);
  while (walk.at < end) {
    if (k.point(COST_PTE)) yield;
    if (!walk.read()) continue;
    changed += yield* changeTable(k, vma, walk.pmdSlot, walk.at, walk.next);
    walk.leave();
  }
  // Only if an entry was changed: an empty one is in no TLB.
  if (changed > 0) yield* m.steps.flushProtected(k, mm, start, end);
  invalidateRangeEnd(k, mm);
  if (k.point(COST_ATOMIC)) yield;
  mmTlbFlushPending.add(k.ram, mm, -1);
}

/** change_pte_range(): entries of one table; how many. */
function* changeTable(k: Context, vma: KPtr, pmdSlot: number, start: number, end: number): Work<number> {
  const m = memoryOf(k);
  const { ram } = k;
  const format = m.format;
  const mm = vmMm.get(ram, vma);
  const protLo = vmPageProtLo.get(ram, vma);
  const protHi = vmPageProtHi.get(ram, vma);
  let changed = 0;
  const ptl = ptlOf(m, pmdSlot);
  if (k.point(COST_LOCK)) yield;
  if (!spinAcquire(k, ptl, PTL)) yield* spinLockSlow(k, ptl, PTL);
  const table = tableOf(m, pmdSlot);
  for (let page = start; page < end; page++) {
    const slot = pteSlot(m, table, page);
    if (k.point(COST_PTE)) yield;
    const lo = ram.read32(slot);
    const hi = ram.read32(slot + 4);
    if (!format.isPresent(lo, hi)) continue;
    m.steps.startModify(k, mm, page, slot);
    if (k.point(COST_PTE)) yield;
    format.load(lo, hi);
    format.modify(protLo, protHi);
    setPteAt(k, mm, page, slot, format.lo, format.hi);
    changed++;
  }
  if (k.point(COST_UNLOCK)) yield;
  spinUnlock(k, ptl, PTL);
  return changed;
}
