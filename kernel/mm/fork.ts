/** Copying an address space: dup_mmap() of kernel/fork.c and copy_page_range() of mm/memory.c, 5.17. */
import type { Context, Work } from "../context.ts";
import { COST_ATOMIC, COST_LOCK, COST_PTE, COST_UNLOCK } from "../costs.ts";
import { EINTR, ENOMEM } from "../errno.ts";
import { spinAcquire, spinLockSlow, spinUnlock } from "../locking/spinlock.ts";
import { condResched } from "../sched/schedule.ts";
import { type KPtr, NULL } from "../struct.ts";
import { anonVmaFork } from "./anon-vma.ts";
import { accountVm, commitPages, uncommitPages } from "./limits.ts";
import { PTL } from "./locks.ts";
import { memoryOf } from "./memory.ts";
import { allocateMm, dropUsersOfMm } from "./mm-lifetime.ts";
import {
  mmBrk,
  mmDataVm,
  mmEndCode,
  mmEndData,
  mmExecuteOnlyPkey,
  mmExecVm,
  mmMmap,
  mmMmapBase,
  mmPkeyMap,
  mmRssAnon,
  mmRssShmem,
  mmStackVm,
  mmStartBrk,
  mmStartCode,
  mmStartData,
  mmStartStack,
  mmTotalVm,
} from "./mm-struct.ts";
import { mmapWriteLockKillable, mmapWriteLockNested, mmapWriteUnlock } from "./mmap-lock.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "./mmu-notifier.ts";
import { linkObjectVma } from "./object-map.ts";
import { allocateToPmd, installTable, NO_SLOT, pteSlot, ptlOf, setPteAt, tableOf } from "./page-table.ts";
import { pageDupRmap, pageIsAnon } from "./rmap.ts";
import { TableWalk } from "./table-walk.ts";
import {
  VM_ACCOUNT,
  VM_DONTCOPY,
  VM_LOCKED,
  VM_MAYWRITE,
  VM_SHARED,
  VM_WIPEONFORK,
  vmAnonVma,
  vmEnd,
  vmFlags,
  vmMm,
  vmNext,
  vmStart,
} from "./vma.ts";
import { insertVma } from "./vma-adjust.ts";
import { duplicateVma, freeVma, getVmaObject } from "./vma-lifetime.ts";

/** What a child's address space takes over as it is. */
const COPIED = [
  mmTotalVm,
  mmDataVm,
  mmExecVm,
  mmStackVm,
  mmStartCode,
  mmEndCode,
  mmStartData,
  mmEndData,
  mmStartBrk,
  mmBrk,
  mmStartStack,
  mmMmapBase,
  mmPkeyMap,
  mmExecuteOnlyPkey,
] as const;

/** dup_mm(): a copy of an address space with one user; NULL: no memory, or the task is being killed. */
export function* duplicateMm(k: Context, old: KPtr): Work<KPtr> {
  const mm = yield* allocateMm(k);
  if (mm === NULL) return NULL;
  k.kernel.observer?.mmForked(k, mm, old);
  const error = yield* duplicateMappings(k, mm, old);
  if (error === 0) return mm;
  yield* dropUsersOfMm(k, mm);
  return NULL;
}

/**
 * dup_mmap(). The parent's lock is held for write until its TLBs are flushed: no copy of a page may begin while a core
 * can still write the page through an old entry.
 */
function* duplicateMappings(k: Context, mm: KPtr, old: KPtr): Work<number> {
  const ram = k.ram;
  const m = memoryOf(k);
  const interrupted = yield* mmapWriteLockKillable(k, old);
  if (interrupted !== 0) return interrupted;
  yield* mmapWriteLockNested(k, mm);
  for (const field of COPIED) field.set(ram, mm, field.get(ram, old));
  let error = 0;
  for (let vma = mmMmap.get(ram, old); vma !== NULL && error === 0; vma = vmNext.get(ram, vma)) {
    if ((vmFlags.get(ram, vma) & VM_DONTCOPY) !== 0) {
      accountVm(k, mm, vmFlags.get(ram, vma), vmStart.get(ram, vma) - vmEnd.get(ram, vma));
    } else if (k.kernel.process.fatalSignalPending(k.task!)) {
      error = -EINTR;
    } else {
      error = yield* duplicateMapping(k, mm, vma);
    }
  }
  yield* mmapWriteUnlock(k, mm);
  yield* m.design.endFork(k, old);
  return error;
}

function* duplicateMapping(k: Context, mm: KPtr, source: KPtr): Work<number> {
  const ram = k.ram;
  const flags = vmFlags.get(ram, source);
  const charged = (flags & VM_ACCOUNT) !== 0 ? vmEnd.get(ram, source) - vmStart.get(ram, source) : 0;
  if (k.point(COST_ATOMIC)) yield;
  if (charged !== 0 && commitPages(k, charged) !== 0) return -ENOMEM;
  const vma = yield* duplicateVma(k, source);
  if (vma === NULL) {
    uncommitPages(k, charged);
    return -ENOMEM;
  }
  vmMm.set(ram, vma, mm);
  const wiped = (flags & VM_WIPEONFORK) !== 0;
  if (wiped) vmAnonVma.set(ram, vma, NULL);
  else if ((yield* anonVmaFork(k, vma, source)) !== 0) {
    uncommitPages(k, charged);
    freeVma(k, vma);
    return -ENOMEM;
  }
  vmFlags.set(ram, vma, flags & ~VM_LOCKED);
  yield* getVmaObject(k, vma);
  yield* insertVma(k, mm, vma);
  yield* linkObjectVma(k, vma);
  return wiped ? 0 : yield* copyPageRange(k, vma, source);
}

/** copy_page_range(): entries of a VMA that was written privately; the others fault in again. */
function* copyPageRange(k: Context, vma: KPtr, source: KPtr): Work<number> {
  const ram = k.ram;
  if (vmAnonVma.get(ram, source) === NULL) return 0;
  const mm = vmMm.get(ram, vma);
  const old = vmMm.get(ram, source);
  const isCow = (vmFlags.get(ram, source) & (VM_SHARED | VM_MAYWRITE)) === VM_MAYWRITE;
  let error = 0;
  if (isCow) invalidateRangeStart(k, old);
  const end = vmEnd.get(ram, source);
  const walk = new TableWalk(memoryOf(k), old, vmStart.get(ram, source), end);
  while (walk.at < end && error === 0) {
    if (k.point(COST_PTE)) yield;
    if (!walk.read()) continue;
    error = yield* copyTable(k, mm, old, walk.pmdSlot, walk.at, walk.next, isCow);
    walk.leave();
  }
  if (isCow) invalidateRangeEnd(k, old);
  return error;
}

/** copy_pte_range(): entries of one table. Both tables are locked, the child's first. */
function* copyTable(
  k: Context,
  mm: KPtr,
  old: KPtr,
  oldPmd: number,
  start: number,
  end: number,
  isCow: boolean,
): Work<number> {
  const m = memoryOf(k);
  const { ram } = k;
  const format = m.format;
  const pmd = yield* allocateToPmd(k, mm, start);
  if (pmd === NO_SLOT) return -ENOMEM;
  if (format.isNone(ram.read32(pmd), ram.read32(pmd + 4)) && !(yield* installTable(k, mm, pmd))) {
    return -ENOMEM;
  }
  const ptl = ptlOf(m, pmd);
  const oldPtl = ptlOf(m, oldPmd);
  if (k.point(COST_LOCK)) yield;
  if (!spinAcquire(k, ptl, PTL)) yield* spinLockSlow(k, ptl, PTL);
  if (k.point(COST_LOCK)) yield;
  if (!spinAcquire(k, oldPtl, PTL, 1)) yield* spinLockSlow(k, oldPtl, PTL, 1);
  const table = tableOf(m, pmd);
  const oldTable = tableOf(m, oldPmd);
  let anon = 0;
  let shmem = 0;
  for (let at = start; at < end; at++) {
    const from = pteSlot(m, oldTable, at);
    if (k.point(COST_PTE)) yield;
    let lo = ram.read32(from);
    let hi = ram.read32(from + 4);
    if (!format.isPresent(lo, hi)) continue;
    if (!format.isSpecial(lo, hi)) {
      const page = m.frames.map.page(format.frame(lo, hi));
      if (k.point(COST_ATOMIC)) yield;
      m.getPage(page);
      pageDupRmap(ram, page);
      if (pageIsAnon(ram, page)) anon++;
      else shmem++;
    }
    if (isCow && format.isWritable(lo, hi)) {
      // ptep_set_wrprotect(): one atomic step on the entry as it is now, which may have become dirty.
      if (k.point(COST_PTE)) yield;
      format.load(ram.read32(from), ram.read32(from + 4));
      format.wrprotect();
      lo = format.lo;
      hi = format.hi;
      setPteAt(k, old, at, from, lo, hi);
    }
    if (k.point(COST_PTE)) yield;
    format.load(lo, hi);
    if (!isCow) format.mkClean();
    format.mkOld();
    setPteAt(k, mm, at, pteSlot(m, table, at), format.lo, format.hi);
  }
  mmRssAnon.add(ram, mm, anon);
  mmRssShmem.add(ram, mm, shmem);
  if (k.point(COST_UNLOCK)) yield;
  spinUnlock(k, oldPtl, PTL);
  spinUnlock(k, ptl, PTL);
  yield* condResched(k);
  return 0;
}
