/**
 * mmap_lock: the rwsem of an address space with the hooks of the fault design (include/linux/mmap_lock.h). A design
 * learns of every writer here: after the lock is taken, and before it is released or downgraded.
 */
import type { Context, Work } from "../context.ts";
import { COST_ATOMIC } from "../costs.ts";
import {
  downgradeWrite,
  downReadAcquire,
  downReadSlow,
  downReadTrylock,
  downWrite,
  downWriteAcquire,
  downWriteSlow,
  downWriteTrylock,
  rwsemIsLocked,
  rwsemWake,
  upRead,
  upReadRelease,
} from "../locking/rwsem.ts";
import { type KPtr, kptrOf } from "../struct.ts";
import { MMAP_LOCK } from "./locks.ts";
import { memoryOf } from "./memory.ts";
import { MM_MMAP_LOCK } from "./mm-struct.ts";
import { MMAP_LOCK_CONTENDED, MMAP_LOCK_READ, MMAP_LOCK_WRITE } from "./vm-events.ts";

/** Address of the rwsem of an mm. @hot */
export function mmapLockOf(mm: KPtr): KPtr {
  return kptrOf(mm + MM_MMAP_LOCK);
}

function countWrite(k: Context, mm: KPtr): void {
  const events = memoryOf(k).events;
  events.count(k.cpu.id, MMAP_LOCK_WRITE);
  if (rwsemIsLocked(k, mmapLockOf(mm))) events.count(k.cpu.id, MMAP_LOCK_CONTENDED);
}

/** mmap_write_lock(). */
export function* mmapWriteLock(k: Context, mm: KPtr): Work {
  countWrite(k, mm);
  yield* downWrite(k, mmapLockOf(mm), MMAP_LOCK);
  k.kernel.observer?.mmWriteLocked(k, mm);
  yield* memoryOf(k).design.afterWriteLock(k, mm);
}

/** mmap_write_lock_nested(): a second address space, for fork. */
export function* mmapWriteLockNested(k: Context, mm: KPtr): Work {
  countWrite(k, mm);
  yield* downWrite(k, mmapLockOf(mm), MMAP_LOCK, 1);
  k.kernel.observer?.mmWriteLocked(k, mm);
  yield* memoryOf(k).design.afterWriteLock(k, mm);
}

/** mmap_write_lock_killable(): 0 or -EINTR, then nothing is held. */
export function* mmapWriteLockKillable(k: Context, mm: KPtr): Work<number> {
  countWrite(k, mm);
  if (k.point(COST_ATOMIC)) yield;
  if (!downWriteAcquire(k, mmapLockOf(mm), MMAP_LOCK)) {
    const error = yield* downWriteSlow(k, mmapLockOf(mm), MMAP_LOCK, "killable");
    if (error !== 0) return error;
  }
  k.kernel.observer?.mmWriteLocked(k, mm);
  yield* memoryOf(k).design.afterWriteLockKillable(k, mm);
  return 0;
}

/** mmap_write_trylock(). */
export function* mmapWriteTrylock(k: Context, mm: KPtr): Work<boolean> {
  if (k.point(COST_ATOMIC)) yield;
  if (!downWriteTrylock(k, mmapLockOf(mm), MMAP_LOCK)) return false;
  memoryOf(k).events.count(k.cpu.id, MMAP_LOCK_WRITE);
  k.kernel.observer?.mmWriteLocked(k, mm);
  yield* memoryOf(k).design.afterWriteLock(k, mm);
  return true;
}

/** mmap_write_unlock(). */
export function mmapWriteUnlock(k: Context, mm: KPtr): Work {
  k.kernel.observer?.mmWriteUnlock(k, mm);
  return memoryOf(k).design.writeUnlock(k, mm);
}

/** mmap_write_downgrade(). */
export function* mmapWriteDowngrade(k: Context, mm: KPtr): Work {
  k.kernel.observer?.mmWriteDowngrade(k, mm);
  yield* memoryOf(k).design.beforeWriteDowngrade(k, mm);
  yield* downgradeWrite(k, mmapLockOf(mm), MMAP_LOCK);
}

/** mmap_read_trylock(): plain, preceded by a point. @hot */
export function mmapReadTrylock(k: Context, mm: KPtr): boolean {
  if (!downReadTrylock(k, mmapLockOf(mm), MMAP_LOCK)) return false;
  memoryOf(k).events.count(k.cpu.id, MMAP_LOCK_READ);
  k.kernel.observer?.mmReadLocked(k, mm);
  return true;
}

/** mmap_read_lock(). */
export function* mmapReadLock(k: Context, mm: KPtr): Work {
  const events = memoryOf(k).events;
  events.count(k.cpu.id, MMAP_LOCK_READ);
  if (k.point(COST_ATOMIC)) yield;
  if (!downReadAcquire(k, mmapLockOf(mm), MMAP_LOCK)) {
    events.count(k.cpu.id, MMAP_LOCK_CONTENDED);
    yield* downReadSlow(k, mmapLockOf(mm), MMAP_LOCK, "uninterruptible");
  }
  k.kernel.observer?.mmReadLocked(k, mm);
}

/** mmap_read_lock_killable(): 0 or -EINTR. */
export function* mmapReadLockKillable(k: Context, mm: KPtr): Work<number> {
  const events = memoryOf(k).events;
  events.count(k.cpu.id, MMAP_LOCK_READ);
  if (k.point(COST_ATOMIC)) yield;
  let error = 0;
  if (!downReadAcquire(k, mmapLockOf(mm), MMAP_LOCK)) {
    events.count(k.cpu.id, MMAP_LOCK_CONTENDED);
    error = yield* downReadSlow(k, mmapLockOf(mm), MMAP_LOCK, "killable");
  }
  if (error === 0) k.kernel.observer?.mmReadLocked(k, mm);
  return error;
}

/** The plain half of mmap_read_unlock(), preceded by a point; true: mmapWake() must follow. @hot */
export function mmapReadRelease(k: Context, mm: KPtr): boolean {
  k.kernel.observer?.mmReadUnlock(k, mm);
  return upReadRelease(k, mmapLockOf(mm), MMAP_LOCK);
}

/** Wakes who waits for the lock. */
export function* mmapWake(k: Context, mm: KPtr): Work {
  yield* rwsemWake(k, mmapLockOf(mm));
}

/** mmap_read_unlock(). */
export function* mmapReadUnlock(k: Context, mm: KPtr): Work {
  k.kernel.observer?.mmReadUnlock(k, mm);
  yield* upRead(k, mmapLockOf(mm), MMAP_LOCK);
}
