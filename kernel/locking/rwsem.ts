/**
 * The sleeping read-write semaphore (kernel/locking/rwsem.c), state and waiters in guest RAM.
 *
 *     count:  31            8   2     1       0
 *             [  readers    ]...[HANDOFF][WAITERS][WRITER]
 *
 * New readers queue behind any waiter, so a waiting writer is not starved. Grants go in order of arrival; when a reader
 * is first, all waiting readers are granted together, as Linux does since 5.x. A waiter is the node in its task_struct.
 *
 * Simplifications: no optimistic spinning on the owner and no lock stealing; HANDOFF is therefore never needed.
 * mmap_lock wraps these in kernel/mm.
 */
import type { Context, Work } from "../context.ts";
import { COST_ACCESS, COST_ATOMIC, COST_IRQ_MASK, COST_UNLOCK } from "../costs.ts";
import { EINTR } from "../errno.ts";
import { schedule, wakeUpTask } from "../sched/schedule.ts";
import {
  TASK_KILLABLE,
  TASK_NORMAL,
  TASK_RUNNING,
  TASK_UNINTERRUPTIBLE,
  taskPid,
  waiterKind,
  waiterNext,
} from "../sched/task.ts";
import { type KPtr, NULL, StructLayout } from "../struct.ts";
import { type LockClass, lockClass } from "./lock-class.ts";
import { type AcquireKind, assertHeld, lockAcquired, lockReleased, mightSleep } from "./lockdep.ts";
import { irqRestore, irqSave, spinLock, spinUnlock } from "./spinlock.ts";
import { WaiterList } from "./waiter-list.ts";

/** For embedding. All zero is the unlocked state. */
export const RWSEM: StructLayout = new StructLayout("rw_semaphore");
/** Readers and flags; atomic. */
const semCount = RWSEM.i32("count", "atomic");
const semWaitLock = RWSEM.i32("wait_lock", "itself");
/** task_struct of the writer that holds the lock (for reports). */
const semOwner = RWSEM.ptr("owner", "atomic");
const semWaiters = new WaiterList(RWSEM);

/** Size of a semaphore, for embedding with StructLayout.bytes. All zero is the unlocked state. */
export const RWSEM_BYTES: number = RWSEM.sizeBytes;

const WRITER = 1;
const WAITERS = 2;
const READER = 0x100;
/** A reader that finds any of these has not got the lock. */
const READ_FAILED: number = WRITER | WAITERS;
const LOCK_MASK: number = ~0xff | WRITER;

const WANTS_READ = 1;
const WANTS_WRITE = 2;

const WAIT_LOCK: LockClass = lockClass({
  name: "rwsem.wait_lock",
  rank: 900,
  context: "irq-safe",
  kind: "spin",
  guards: "waiters of an rwsem",
});

type Sleep = "uninterruptible" | "killable";

/** A writer holds it. @hot */
export function rwsemIsWriteLocked(k: Context, at: KPtr): boolean {
  return (semCount.get(k.ram, at) & WRITER) !== 0;
}

/** rwsem_is_locked(). @hot */
export function rwsemIsLocked(k: Context, at: KPtr): boolean {
  return (semCount.get(k.ram, at) & LOCK_MASK) !== 0;
}

/** down_read_trylock(): plain, preceded by a point. @hot */
export function downReadTrylock(k: Context, at: KPtr, cls: LockClass): boolean {
  const count = semCount.get(k.ram, at);
  if ((count & READ_FAILED) !== 0) return false;
  semCount.set(k.ram, at, count + READER);
  lockAcquired(k, at, cls, 0, "trylock");
  return true;
}

/** One attempt of down_read(); false: continue with downReadSlow. Preceded by a point. @hot */
export function downReadAcquire(k: Context, at: KPtr, cls: LockClass): boolean {
  const count = semCount.get(k.ram, at);
  if ((count & READ_FAILED) !== 0) return false;
  semCount.set(k.ram, at, count + READER);
  lockAcquired(k, at, cls, 0, "shared");
  return true;
}

/** down_read(). */
export function* downRead(k: Context, at: KPtr, cls: LockClass): Work {
  if (k.point(COST_ATOMIC)) yield;
  if (!downReadAcquire(k, at, cls)) yield* downReadSlow(k, at, cls, "uninterruptible");
}

/** down_read_killable(): 0 or -EINTR. */
export function* downReadKillable(k: Context, at: KPtr, cls: LockClass): Work<number> {
  if (k.point(COST_ATOMIC)) yield;
  if (downReadAcquire(k, at, cls)) return 0;
  return yield* downReadSlow(k, at, cls, "killable");
}

/** Waits for the read lock. */
export function* downReadSlow(k: Context, at: KPtr, cls: LockClass, sleep: Sleep): Work<number> {
  return yield* waitForLock(k, at, cls, 0, "shared", sleep);
}

/** up_read(). */
export function* upRead(k: Context, at: KPtr, cls: LockClass): Work {
  if (k.point(COST_UNLOCK)) yield;
  if (upReadRelease(k, at, cls)) yield* wake(k, at);
}

/** The plain half of up_read(); true: continue with rwsemWake. @hot */
export function upReadRelease(k: Context, at: KPtr, cls: LockClass): boolean {
  lockReleased(k, at, cls);
  const count = semCount.add(k.ram, at, -READER);
  return (count & (LOCK_MASK | WAITERS)) === WAITERS;
}

/** down_write_trylock(): plain, preceded by a point. @hot */
export function downWriteTrylock(k: Context, at: KPtr, cls: LockClass): boolean {
  if (semCount.get(k.ram, at) !== 0) return false;
  takeForWriting(k, at);
  lockAcquired(k, at, cls, 0, "trylock");
  return true;
}

/** One attempt of down_write(); false: continue with downWriteSlow. Preceded by a point. @hot */
export function downWriteAcquire(k: Context, at: KPtr, cls: LockClass, subclass = 0): boolean {
  if (semCount.get(k.ram, at) !== 0) return false;
  takeForWriting(k, at);
  lockAcquired(k, at, cls, subclass, "exclusive");
  return true;
}

/** down_write(), down_write_nested(). */
export function* downWrite(k: Context, at: KPtr, cls: LockClass, subclass = 0): Work {
  if (k.point(COST_ATOMIC)) yield;
  if (!downWriteAcquire(k, at, cls, subclass)) {
    yield* waitForLock(k, at, cls, subclass, "exclusive", "uninterruptible");
  }
}

/** down_write_killable(): 0 or -EINTR. */
export function* downWriteKillable(k: Context, at: KPtr, cls: LockClass, subclass = 0): Work<number> {
  if (k.point(COST_ATOMIC)) yield;
  if (downWriteAcquire(k, at, cls, subclass)) return 0;
  return yield* waitForLock(k, at, cls, subclass, "exclusive", "killable");
}

/** Waits for the write lock. @returns 0 or -EINTR */
export function downWriteSlow(k: Context, at: KPtr, cls: LockClass, sleep: Sleep): Work<number> {
  return waitForLock(k, at, cls, 0, "exclusive", sleep);
}

/** up_write(). */
export function* upWrite(k: Context, at: KPtr, cls: LockClass): Work {
  if (k.point(COST_UNLOCK)) yield;
  if (upWriteRelease(k, at, cls)) yield* wake(k, at);
}

/** The plain half of up_write(); true: continue with rwsemWake. @hot */
export function upWriteRelease(k: Context, at: KPtr, cls: LockClass): boolean {
  lockReleased(k, at, cls);
  if ((semCount.get(k.ram, at) & WRITER) === 0) {
    k.kernel.assertionFailed(k, "rwsem-owner", `BUG: up_write of ${cls.name}, which no writer holds`);
    return false;
  }
  semOwner.set(k.ram, at, NULL);
  const count = semCount.add(k.ram, at, -WRITER);
  return (count & WAITERS) !== 0;
}

/** downgrade_write(): from writer to reader without letting another writer in between. */
export function* downgradeWrite(k: Context, at: KPtr, cls: LockClass): Work {
  if (k.point(COST_ATOMIC)) yield;
  assertHeld(k, at, cls);
  k.kernel.observer?.lockReleased(k, at, cls, "downgrade");
  semOwner.set(k.ram, at, NULL);
  const count = semCount.add(k.ram, at, READER - WRITER);
  if ((count & WAITERS) !== 0) yield* wake(k, at);
}

function takeForWriting(k: Context, at: KPtr): void {
  semCount.set(k.ram, at, semCount.get(k.ram, at) + WRITER);
  semOwner.set(k.ram, at, k.task!.at);
}

/** rwsem_down_read_slowpath() and rwsem_down_write_slowpath(). */
function* waitForLock(
  k: Context,
  at: KPtr,
  cls: LockClass,
  subclass: number,
  kind: AcquireKind,
  sleep: Sleep,
): Work<number> {
  mightSleep(k);
  lockAcquired(k, at, cls, subclass, kind);
  k.kernel.observer?.lockContended(k, at, cls, kind);
  const task = k.task!;
  const ram = k.ram;
  const wanted = kind === "shared" ? WANTS_READ : WANTS_WRITE;
  const waitLock = semWaitLock.at(at) as KPtr;
  if (k.point(COST_IRQ_MASK)) yield;
  let enabled = irqSave(k);
  yield* spinLock(k, waitLock, WAIT_LOCK);
  semWaiters.add(ram, at, task.at, wanted);
  if (k.point(COST_ATOMIC)) yield;
  semCount.set(ram, at, semCount.get(ram, at) | WAITERS);
  grant(k, at);
  let killed = false;
  for (;;) {
    if (waiterKind.get(ram, task.at) === 0) break;
    if (sleep === "killable" && k.kernel.process.fatalSignalPending(task)) {
      killed = true;
      semWaiters.remove(ram, at, task.at);
      grant(k, at);
      break;
    }
    task.state = sleep === "killable" ? TASK_KILLABLE : TASK_UNINTERRUPTIBLE;
    spinUnlock(k, waitLock, WAIT_LOCK);
    irqRestore(k, enabled);
    yield* schedule(k);
    if (k.point(COST_IRQ_MASK)) yield;
    enabled = irqSave(k);
    yield* spinLock(k, waitLock, WAIT_LOCK);
  }
  task.state = TASK_RUNNING;
  if (!killed) k.kernel.observer?.lockGranted(k, at, cls, kind);
  spinUnlock(k, waitLock, WAIT_LOCK);
  irqRestore(k, enabled);
  if (k.point(COST_IRQ_MASK)) yield;
  if (!killed) return 0;
  lockReleased(k, at, cls);
  return -EINTR;
}

/** rwsem_wake(): what follows a release that says so. */
export function* rwsemWake(k: Context, at: KPtr): Work {
  yield* wake(k, at);
}

/** rwsem_wake(): somebody waits and nobody holds the lock in a way that excludes the first waiter. */
function* wake(k: Context, at: KPtr): Work {
  const waitLock = semWaitLock.at(at) as KPtr;
  if (k.point(COST_IRQ_MASK)) yield;
  const enabled = irqSave(k);
  yield* spinLock(k, waitLock, WAIT_LOCK);
  if (k.point(COST_ACCESS)) yield;
  grant(k, at);
  spinUnlock(k, waitLock, WAIT_LOCK);
  irqRestore(k, enabled);
  if (k.point(COST_IRQ_MASK)) yield;
}

/**
 * rwsem_mark_wake(): hands the lock to the first waiter if it is free for it, and to every waiting reader if the first
 * is a reader. The word changes in one atomic step; called with the wait lock held.
 */
function grant(k: Context, at: KPtr): void {
  const ram = k.ram;
  const first = semWaiters.first(ram, at);
  let count = semCount.get(ram, at);
  if (first === NULL) {
    semCount.set(ram, at, count & ~WAITERS);
    return;
  }
  if ((count & WRITER) !== 0) return;
  if (waiterKind.get(ram, first) === WANTS_WRITE) {
    if ((count & LOCK_MASK) !== 0) return;
    semOwner.set(ram, at, first);
    release(k, at, first);
    count |= WRITER;
  } else {
    for (let waiter = first; waiter !== NULL; ) {
      const next = waiterNext.get(ram, waiter);
      if (waiterKind.get(ram, waiter) === WANTS_READ) {
        release(k, at, waiter);
        count += READER;
      }
      waiter = next;
    }
  }
  semCount.set(ram, at, semWaiters.first(ram, at) === NULL ? count & ~WAITERS : count);
}

/** Takes a waiter off the list, marks it granted and wakes its task. */
function release(k: Context, at: KPtr, waiter: KPtr): void {
  semWaiters.remove(k.ram, at, waiter);
  const task = k.kernel.sched.taskByPid(taskPid.get(k.ram, waiter));
  if (task !== null && task !== k.task) wakeUpTask(k, task, TASK_NORMAL);
}
