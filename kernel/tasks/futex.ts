/**
 * Futexes: futex(2) and kernel/futex/{waitwake,requeue}.c. No scheduling point separates a queue's change from the
 * bucket lock that guards it; user words are read under that lock with page faults disabled, and faulted in without it.
 *
 * Simplification: no priority inheritance (ENOSYS, counted).
 */
import type { Context, Work } from "../context.ts";
import { pagefaultDisable, pagefaultEnable } from "../context.ts";
import { COST_ACCESS, COST_ATOMIC, COST_UNLOCK } from "../costs.ts";
import { EAGAIN, EFAULT, EINVAL, ERESTART_RESTARTBLOCK, ERESTARTSYS, ETIMEDOUT } from "../errno.ts";
import { spinLock, spinUnlock } from "../locking/index.ts";
import { sharedObjectAt } from "../mm/index.ts";
import { wakeUpTask } from "../sched/schedule.ts";
import { TASK_INTERRUPTIBLE, TASK_NORMAL, TASK_RUNNING, type Task } from "../sched/task.ts";
import { scheduleTimeout } from "../sched/wait-queue.ts";
import { signalPending } from "../signal/send.ts";
import { NULL } from "../struct.ts";
import { changeUser32, getUser32 } from "../user-access.ts";
import { applyFutexOperation } from "./futex-operation.ts";
import {
  bucketOf,
  bucketWaiters,
  FUT_OFF_INODE,
  FUT_OFF_MMSHARED,
  FUTEX_LOCK,
  type FutexKey,
  type FutexTable,
  type FutexWaiter,
  sameKey,
} from "./futex-table.ts";
import { processOf } from "./process-state.ts";
import type { UserPointer } from "./user-pointer.ts";

const MATCH_ANY = -1;

export interface FutexWait {
  readonly at: UserPointer;
  readonly shared: boolean;
  readonly expected: number;
  readonly bitset: number;
  /** Infinity: no timeout. */
  readonly untilCycles: number;
}

/** FUTEX_WAIT and FUTEX_WAIT_BITSET: 0 or a negative errno. */
export function* futexWait(k: Context, wait: FutexWait): Work<number> {
  const task = k.task!;
  const state = processOf(task);
  const table = state.group.table.futexes;
  if (wait.bitset === 0) return -EINVAL;
  for (;;) {
    const key = yield* futexKey(k, wait.at, wait.shared, "read");
    if (typeof key === "number") return key;
    const waiter: FutexWaiter = { pid: task.pid, key, bitset: wait.bitset, bucket: bucketOf(key) };
    const queued = yield* queueIfEqual(k, table, waiter, wait);
    if (queued !== 0) return queued;
    const timedOut = yield* scheduleTimeout(k, wait.untilCycles);
    task.state = TASK_RUNNING;
    if (yield* unqueue(k, table, waiter)) return 0;
    if (timedOut) return -ETIMEDOUT;
    if (!signalPending(task)) continue;
    if (wait.untilCycles === Infinity) return -ERESTARTSYS;
    state.restart = { kind: "futex", wait };
    return -ERESTART_RESTARTBLOCK;
  }
}

/** FUTEX_WAKE and FUTEX_WAKE_BITSET: tasks woken, or a negative errno. Wakes one at least, as Linux does for a count of 0. */
export function* futexWake(
  k: Context,
  at: UserPointer,
  options: { shared: boolean; count: number; bitset: number },
): Work<number> {
  if (options.bitset === 0) return -EINVAL;
  const key = yield* futexKey(k, at, options.shared, "read");
  if (typeof key === "number") return key;
  const table = processOf(k.task!).group.table.futexes;
  const bucket = bucketOf(key);
  if (k.point(COST_ACCESS)) yield;
  if (bucketWaiters.get(k.ram, table.bucketAt(bucket)) === 0) return 0;
  yield* spinLock(k, table.lockAt(bucket), FUTEX_LOCK);
  const woken = takeWaiters(k, table, key, options.count, options.bitset);
  if (k.point(COST_UNLOCK)) yield;
  spinUnlock(k, table.lockAt(bucket), FUTEX_LOCK);
  wakeAll(k, woken);
  return woken.length;
}

/**
 * FUTEX_WAKE_OP: changes the second word in one step, wakes waiters of the first, and of the second if its former value
 * compares as told (futex_wake_op()).
 * @param options.operation of FUTEX_OP(), uapi/linux/futex.h
 * @returns tasks woken, or a negative errno
 */
export function* futexWakeOp(
  k: Context,
  at: UserPointer,
  second: UserPointer,
  options: { shared: boolean; count: number; secondCount: number; operation: number },
): Work<number> {
  const table = processOf(k.task!).group.table.futexes;
  for (;;) {
    const key = yield* futexKey(k, at, options.shared, "read");
    if (typeof key === "number") return key;
    const secondKey = yield* futexKey(k, second, options.shared, "write");
    if (typeof secondKey === "number") return secondKey;
    const buckets = [bucketOf(key), bucketOf(secondKey)] as const;
    yield* lockBoth(k, table, ...buckets);
    pagefaultDisable(k);
    const compared = yield* applyFutexOperation(k, second, options.operation);
    pagefaultEnable(k);
    if (compared < 0) {
      yield* unlockBoth(k, table, ...buckets);
      if (compared !== -EFAULT) return compared;
      // fault_in_user_writeable(): a write that changes nothing.
      if ((yield* changeUser32(k, second.lo, second.hi, (word) => word)) !== 0) return -EFAULT;
      continue;
    }
    const woken = takeWaiters(k, table, key, options.count, MATCH_ANY);
    if (compared > 0) woken.push(...takeWaiters(k, table, secondKey, options.secondCount, MATCH_ANY));
    yield* unlockBoth(k, table, ...buckets);
    wakeAll(k, woken);
    return woken.length;
  }
}

/**
 * FUTEX_REQUEUE and FUTEX_CMP_REQUEUE: wakes some waiters and moves others to another futex.
 * @param options.expected what the first word must hold; null: it is not read
 * @returns tasks woken and moved, or a negative errno
 */
export function* futexRequeue(
  k: Context,
  from: UserPointer,
  to: UserPointer,
  options: { shared: boolean; wake: number; requeue: number; expected: number | null },
): Work<number> {
  if (options.wake < 0 || options.requeue < 0) return -EINVAL;
  const table = processOf(k.task!).group.table.futexes;
  for (;;) {
    const source = yield* futexKey(k, from, options.shared, "read");
    if (typeof source === "number") return source;
    const target = yield* futexKey(k, to, options.shared, "read");
    if (typeof target === "number") return target;
    const first = bucketOf(source);
    const second = bucketOf(target);
    yield* lockBoth(k, table, first, second);
    if (options.expected !== null) {
      const status = yield* readAtomically(k, from);
      if (status !== 0) {
        yield* unlockBoth(k, table, first, second);
        if ((yield* getUser32(k, from.lo, from.hi)) !== 0) return -EFAULT;
        continue;
      }
      if (k.userValue !== (options.expected | 0)) {
        yield* unlockBoth(k, table, first, second);
        return -EAGAIN;
      }
    }
    const { woken, moved } = moveWaiters(k, table, source, target, options);
    yield* unlockBoth(k, table, first, second);
    wakeAll(k, woken);
    return woken.length + moved;
  }
}

/**
 * get_futex_key(): the key of a word, or -EINVAL, -EFAULT, -ENOMEM.
 * @param access what the operation does with the word (FUTEX_READ, FUTEX_WRITE)
 */
function* futexKey(
  k: Context,
  at: UserPointer,
  shared: boolean,
  access: "read" | "write",
): Work<FutexKey | number> {
  if ((at.lo & 3) !== 0) return -EINVAL;
  if (!k.kernel.arch.entry.isUserRange(at.lo, at.hi, 4)) return -EFAULT;
  const mm = k.task!.mm;
  const offset = at.lo & 0xfff;
  if (!shared) return { space: mm, pageLo: at.lo & ~0xfff, pageHi: at.hi, offset };
  const object = yield* sharedObjectAt(k, at.lo, at.hi, access);
  if (typeof object === "number") return object;
  if (object.at === NULL) {
    return { space: mm, pageLo: at.lo & ~0xfff, pageHi: at.hi, offset: offset | FUT_OFF_MMSHARED };
  }
  const page = object.index;
  return { space: object.at, pageLo: page << 12, pageHi: page >>> 20, offset: offset | FUT_OFF_INODE };
}

/** futex_wait_setup(): queues the waiter and sets the task's state if the word still has its value. */
function* queueIfEqual(k: Context, table: FutexTable, waiter: FutexWaiter, wait: FutexWait): Work<number> {
  const bucket = table.bucketAt(waiter.bucket);
  const lock = table.lockAt(waiter.bucket);
  for (;;) {
    if (k.point(COST_ATOMIC)) yield;
    bucketWaiters.add(k.ram, bucket, 1);
    yield* spinLock(k, lock, FUTEX_LOCK);
    const status = yield* readAtomically(k, wait.at);
    if (status === 0 && k.userValue === (wait.expected | 0)) break;
    spinUnlock(k, lock, FUTEX_LOCK);
    if (k.point(COST_ATOMIC)) yield;
    bucketWaiters.add(k.ram, bucket, -1);
    if (status === 0) return -EAGAIN;
    if ((yield* getUser32(k, wait.at.lo, wait.at.hi)) !== 0) return -EFAULT;
  }
  table.queues[waiter.bucket]!.push(waiter);
  k.task!.state = TASK_INTERRUPTIBLE;
  if (k.point(COST_UNLOCK)) yield;
  spinUnlock(k, lock, FUTEX_LOCK);
  return 0;
}

/** futex_unqueue(): true if the waiter had been woken; otherwise it is off its queue now. */
function* unqueue(k: Context, table: FutexTable, waiter: FutexWaiter): Work<boolean> {
  for (;;) {
    if (k.point(COST_ACCESS)) yield;
    const bucket = waiter.bucket;
    if (bucket < 0) return true;
    yield* spinLock(k, table.lockAt(bucket), FUTEX_LOCK);
    const isThere = waiter.bucket === bucket;
    if (isThere) remove(k, table, waiter);
    spinUnlock(k, table.lockAt(bucket), FUTEX_LOCK);
    if (isThere) return false;
  }
}

/** get_user() under the bucket lock: no fault is handled. */
function* readAtomically(k: Context, at: UserPointer): Work<number> {
  pagefaultDisable(k);
  const status = yield* getUser32(k, at.lo, at.hi);
  pagefaultEnable(k);
  return status;
}

/**
 * Takes the oldest waiters of a word off their queue: as many as told, and one at least. Lock: the bucket's.
 * @returns their pids
 */
function takeWaiters(k: Context, table: FutexTable, key: FutexKey, count: number, bitset: number): number[] {
  const taken: number[] = [];
  for (const waiter of [...table.queues[bucketOf(key)]!]) {
    if (!sameKey(waiter.key, key) || (waiter.bitset & bitset) === 0) continue;
    remove(k, table, waiter);
    taken.push(waiter.pid);
    if (taken.length >= count) break;
  }
  return taken;
}

function moveWaiters(
  k: Context,
  table: FutexTable,
  source: FutexKey,
  target: FutexKey,
  options: { wake: number; requeue: number },
): { woken: number[]; moved: number } {
  const woken: number[] = [];
  let moved = 0;
  const bucket = bucketOf(target);
  for (const waiter of [...table.queues[bucketOf(source)]!]) {
    if (woken.length + moved - options.wake >= options.requeue) break;
    if (!sameKey(waiter.key, source)) continue;
    remove(k, table, waiter);
    if (woken.length < options.wake) {
      woken.push(waiter.pid);
    } else {
      moved++;
      waiter.key = target;
      waiter.bucket = bucket;
      bucketWaiters.add(k.ram, table.bucketAt(bucket), 1);
      table.queues[bucket]!.push(waiter);
    }
  }
  return { woken, moved };
}

/** Takes a waiter off its queue and marks it woken. Lock: its bucket's. */
function remove(k: Context, table: FutexTable, waiter: FutexWaiter): void {
  const queue = table.queues[waiter.bucket]!;
  queue.splice(queue.indexOf(waiter), 1);
  bucketWaiters.add(k.ram, table.bucketAt(waiter.bucket), -1);
  waiter.bucket = -1;
}

function wakeAll(k: Context, pids: readonly number[]): void {
  for (const pid of pids) {
    const task: Task | null = k.kernel.sched.taskByPid(pid);
    if (task !== null) wakeUpTask(k, task, TASK_NORMAL);
  }
}

function* lockBoth(k: Context, table: FutexTable, a: number, b: number): Work {
  yield* spinLock(k, table.lockAt(Math.min(a, b)), FUTEX_LOCK);
  if (a !== b) yield* spinLock(k, table.lockAt(Math.max(a, b)), FUTEX_LOCK, 1);
}

function* unlockBoth(k: Context, table: FutexTable, a: number, b: number): Work {
  if (k.point(COST_UNLOCK)) yield;
  if (a !== b) spinUnlock(k, table.lockAt(Math.max(a, b)), FUTEX_LOCK);
  spinUnlock(k, table.lockAt(Math.min(a, b)), FUTEX_LOCK);
}
