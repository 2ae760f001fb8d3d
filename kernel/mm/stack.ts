/**
 * Stack growth (mm/mmap.c expand_downwards; since 6.5 under mmap_lock for write, as growing under the read lock raced
 * with everything that walks the tree: CVE-2023-3269).
 */
import type { Context, Work } from "../context.ts";
import { COST_ACCESS } from "../costs.ts";
import { ENOMEM, EPERM } from "../errno.ts";
import { spinLock, spinUnlock } from "../locking/spinlock.ts";
import { type KPtr, kptrOf, NULL } from "../struct.ts";
import {
  anonVmaLockWrite,
  anonVmaPrepare,
  anonVmaUnlockWrite,
  postUpdateVma,
  preUpdateVma,
} from "./anon-vma.ts";
import type { FaultState } from "./fault-state.ts";
import { accountStackGrowth } from "./limits.ts";
import { PAGE_TABLE_LOCK } from "./locks.ts";
import { mmPageTableLock } from "./mm-struct.ts";
import { mmapReadUnlock, mmapWriteDowngrade, mmapWriteLockKillable, mmapWriteUnlock } from "./mmap-lock.ts";
import { MMAP_MIN_PAGE } from "./unmapped-area.ts";
import {
  STACK_GUARD_GAP_PAGES,
  VM_ACCESS_FLAGS,
  VM_GROWSDOWN,
  vmAnonVma,
  vmEnd,
  vmFlags,
  vmMm,
  vmPgoff,
  vmPrev,
  vmStart,
} from "./vma.ts";
import { findVma, updateGap } from "./vma-tree.ts";

/** From read to write: the lock is let go in between, so whatever was found must be found again. false: killed. */
export function* upgradeForStack(k: Context, mm: KPtr): Work<boolean> {
  yield* mmapReadUnlock(k, mm);
  return (yield* mmapWriteLockKillable(k, mm)) === 0;
}

/** Finds the VMA again, grows it to the faulting page and keeps mmap_lock for read; false: nothing is held. */
export function* expandStackAndDowngrade(k: Context, f: FaultState): Work<boolean> {
  const ram = k.ram;
  f.vma = findVma(ram, f.mm, f.page);
  let found = f.vma !== NULL;
  if (found && vmStart.get(ram, f.vma) > f.page) {
    found =
      (vmFlags.get(ram, f.vma) & VM_GROWSDOWN) !== 0 && (yield* expandDownwards(k, f.vma, f.page)) === 0;
  }
  if (!found) {
    yield* mmapWriteUnlock(k, f.mm);
    return false;
  }
  yield* mmapWriteDowngrade(k, f.mm);
  return true;
}

/**
 * expand_downwards(): makes the VMA begin at `page`. Locks: mmap_lock for write.
 * @returns 0, -EPERM (below the lowest address), -ENOMEM (guard gap, limits)
 */
export function* expandDownwards(k: Context, vma: KPtr, page: number): Work<number> {
  const ram = k.ram;
  if (page < MMAP_MIN_PAGE) return -EPERM;
  const previous = vmPrev.get(ram, vma);
  if (previous !== NULL) {
    const flags = vmFlags.get(ram, previous);
    const guarded = (flags & VM_GROWSDOWN) === 0 && (flags & VM_ACCESS_FLAGS) !== 0;
    if (guarded && page - vmEnd.get(ram, previous) < STACK_GUARD_GAP_PAGES) return -ENOMEM;
  }
  if ((yield* anonVmaPrepare(k, vma)) !== 0) return -ENOMEM;
  const anonVma = vmAnonVma.get(ram, vma);
  yield* anonVmaLockWrite(k, anonVma);
  let error = 0;
  const start = vmStart.get(ram, vma);
  if (page < start) {
    const grow = start - page;
    error = -ENOMEM;
    if (grow <= vmPgoff.get(ram, vma)) error = accountStackGrowth(k, vma, vmEnd.get(ram, vma) - page, grow);
    if (error === 0) {
      const lock = kptrOf(mmPageTableLock.at(vmMm.get(ram, vma)));
      yield* spinLock(k, lock, PAGE_TABLE_LOCK);
      yield* preUpdateVma(k, vma);
      if (k.point(COST_ACCESS)) yield;
      vmStart.set(ram, vma, page);
      if (k.point(COST_ACCESS)) yield;
      vmPgoff.set(ram, vma, vmPgoff.get(ram, vma) - grow);
      yield* postUpdateVma(k, vma);
      updateGap(ram, vma);
      spinUnlock(k, lock, PAGE_TABLE_LOCK);
    }
  }
  yield* anonVmaUnlockWrite(k, anonVma);
  return error;
}
