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
  const p = new Protection(k, mm, start, end, prot, key);
  let result = p.begin(grows);
  while (result === 0 && p.start < end) {
    result = p.enter();
    if (result === 0 && p.isChange) {
      result = yield* changeVma(k, p);
      if (result === 0) {
        yield* changeProtection(k, mm, p.vma, p.start, p.stop);
        p.account();
      }
    }
    if (result === 0) result = p.leave();
  }
  yield* mmapWriteUnlock(k, mm);
  return result;
}

/**
 * do_mprotect_pkey() under mmap_lock for write: a range is changed VMA by VMA. Plain: who walks makes the points. The
 * methods give 0 or a negative errno.
 */
class Protection {
  readonly #k: Context;
  readonly #mm: KPtr;
  readonly #end: number;
  readonly #prot: number;
  readonly #key: number;
  /** What is left begins here, and ends in this VMA at `stop`. */
  start: number;
  stop = 0;
  vma: KPtr = NULL;
  previous: KPtr = NULL;
  /** VM_* and key of the VMA before and after the change. */
  oldFlags = 0;
  flags = 0;
  flagsHi = 0;
  /** The VMA does not have these rights already. */
  isChange = false;

  constructor(k: Context, mm: KPtr, start: number, end: number, prot: number, key: number) {
    this.#k = k;
    this.#mm = mm;
    this.#end = end;
    this.#prot = prot;
    this.#key = key;
    this.start = start;
  }

  /** Finds the first VMA. @param grows PROT_GROWSDOWN, PROT_GROWSUP or 0 */
  begin(grows: number): number {
    const k = this.#k;
    const ram = k.ram;
    if (this.#key !== -1 && !pkeyIsAllocated(k, this.#mm, this.#key)) return -EINVAL;
    const vma = findVma(ram, this.#mm, this.start);
    if (vma === NULL) return -ENOMEM;
    if ((grows & PROT_GROWSDOWN) !== 0) {
      if (vmStart.get(ram, vma) >= this.#end) return -ENOMEM;
      this.start = vmStart.get(ram, vma);
      if ((vmFlags.get(ram, vma) & VM_GROWSDOWN) === 0) return -EINVAL;
    } else {
      if (vmStart.get(ram, vma) > this.start) return -ENOMEM;
      if ((grows & PROT_GROWSUP) !== 0) return -EINVAL;
    }
    this.vma = vma;
    this.previous = this.start > vmStart.get(ram, vma) ? vma : vmPrev.get(ram, vma);
    return 0;
  }

  /** What this VMA, or the part of it, is to become. */
  enter(): number {
    const { ram } = this.#k;
    const vma = this.vma;
    this.oldFlags = vmFlags.get(ram, vma);
    this.flagsHi = keyOf(this.#k, this.#mm, vma, this.#prot, this.#key);
    this.flags = vmFlagsOfProt(this.#prot) | (this.oldFlags & ~VM_ACCESS_FLAGS);
    this.isChange = this.flags !== this.oldFlags || this.flagsHi !== vmFlagsHi.get(ram, vma);
    // VM_MAYx lies four bits above VM_x.
    if ((this.flags & ~(this.flags >>> 4) & VM_ACCESS_FLAGS) !== 0) return -EACCES;
    this.stop = Math.min(vmEnd.get(ram, vma), this.#end);
    return 0;
  }

  /** vm_stat_account() for what has changed its kind. */
  account(): void {
    const pages = this.stop - this.start;
    accountVm(this.#k, this.#mm, this.oldFlags, -pages);
    accountVm(this.#k, this.#mm, this.flags, pages);
  }

  /** Goes on to the next VMA; -ENOMEM: there is a hole. */
  leave(): number {
    const { ram } = this.#k;
    this.previous = this.vma;
    this.start = Math.max(this.stop, vmEnd.get(ram, this.vma));
    if (this.start >= this.#end) return 0;
    this.vma = vmNext.get(ram, this.previous);
    return this.vma === NULL || vmStart.get(ram, this.vma) !== this.start ? -ENOMEM : 0;
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

/**
 * The VMA's half of mprotect_fixup(): p.vma becomes one that covers the part alone, or all that has the same rights, and
 * has the rights. @returns 0 or -ENOMEM
 */
function* changeVma(k: Context, p: Protection): Work<number> {
  const ram = k.ram;
  const { start, stop, oldFlags } = p;
  const found = p.vma;
  const mm = vmMm.get(ram, found);
  const pages = stop - start;
  let charged = 0;
  if ((p.flags & VM_WRITE) !== 0) {
    if (!mayExpandVm(k, mm, p.flags, pages) && mayExpandVm(k, mm, oldFlags, pages)) return -ENOMEM;
    if ((oldFlags & (VM_ACCOUNT | VM_WRITE | VM_SHARED | VM_NORESERVE)) === 0) {
      if (k.point(COST_ATOMIC)) yield;
      if (commitPages(k, pages) !== 0) return -ENOMEM;
      charged = pages;
      p.flags |= VM_ACCOUNT;
    }
  }
  const mergeKey = {
    flags: p.flags,
    flagsHi: p.flagsHi,
    anonVma: vmAnonVma.get(ram, found),
    object: vmFile.get(ram, found),
    pgoff: vmPgoff.get(ram, found) + start - vmStart.get(ram, found),
  };
  const merged = yield* mergeVma(k, mm, p.previous, start, stop, mergeKey);
  if (merged === NULL) {
    let error = 0;
    if (start !== vmStart.get(ram, found)) error = yield* splitVma(k, mm, found, start, "below");
    if (error === 0 && stop !== vmEnd.get(ram, found)) error = yield* splitVma(k, mm, found, stop, "above");
    if (error !== 0) {
      uncommitPages(k, charged);
      return error;
    }
  } else {
    p.vma = merged;
  }
  if (k.point(COST_ACCESS)) yield;
  vmFlags.set(ram, p.vma, p.flags);
  if (k.point(COST_ACCESS)) yield;
  vmFlagsHi.set(ram, p.vma, p.flagsHi);
  if (k.point(COST_ACCESS)) yield;
  setPageProt(k, p.vma);
  return 0;
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
