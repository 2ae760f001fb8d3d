/**
 * The per-core read-write semaphore (kernel/locking/percpu-rwsem.c, kernel/rcu/sync.c): while no writer is about, a
 * reader touches its own core's count and nothing else. A writer first sends readers to the slow path and waits for a
 * grace period, so that every reader that did not see it has counted itself; then it blocks newcomers and sleeps until
 * the counts add up to zero. A reader may leave on another core than it entered on: only the sum means something.
 *
 * Simplification: one list holds all who wait (readers, writers, for the grace period), and every change of state wakes
 * them all to look again.
 */
import type { Context, Work } from "../context.ts";
import { COST_ACCESS, COST_ATOMIC, COST_UNLOCK } from "../costs.ts";
import type { Kernel } from "../kernel.ts";
import { callRcu, type RcuKind, synchronizeRcu } from "../rcu.ts";
import { schedule, wakeUpTask } from "../sched/schedule.ts";
import { TASK_NORMAL, TASK_RUNNING, TASK_UNINTERRUPTIBLE, taskPid, waiterKind } from "../sched/task.ts";
import { type I32Field, type KPtr, NULL, type PtrField, StructLayout } from "../struct.ts";
import type { LockClass } from "./lock-class.ts";
import { lockAcquired, lockReleased, mightSleep } from "./lockdep.ts";
import { WaiterList } from "./waiter-list.ts";

/** For embedding, with PERCPU_RWSEM_BYTES. */
export const PERCPU_RWSEM: StructLayout = new StructLayout("percpu_rw_semaphore");
const SEM = PERCPU_RWSEM;
/** Readers inside, one count per core. */
const readCount: PtrField = SEM.ptr("read_count", "constant");
/** rcu_sync: IDLE: readers use the fast path. */
const syncState: I32Field = SEM.i32("rss.gp_state", "marked");
/** Writers that need the slow path. */
const syncCount: I32Field = SEM.i32("rss.gp_count", "marked");
/** 1: a writer is inside, or waits for the readers to leave. */
const block: I32Field = SEM.i32("block", "atomic");
const waiters: WaiterList = new WaiterList(SEM);

/** Size of a semaphore, for embedding with StructLayout.bytes. All zero but read_count is the unlocked state. */
export const PERCPU_RWSEM_BYTES = 64;

const IDLE = 0;
const ENTER = 1;
const PASSED = 2;
const EXIT = 3;
const REPLAY = 4;

/** The counts lie side by side, where a per-core allocator would put each into its core's own area. */
const COUNT_BYTES = 4;

/** Size of the array of counts that percpuInitRwsem is given. */
export function percpuRwsemCountsBytes(cpus: number): number {
  return cpus * COUNT_BYTES;
}

/** percpu_init_rwsem(). @param counts zeroed memory of percpuRwsemCountsBytes(); the caller frees it at the end */
export function percpuInitRwsem(k: Context, at: KPtr, counts: KPtr): void {
  readCount.set(k.ram, at, counts);
  syncState.set(k.ram, at, IDLE);
  syncCount.set(k.ram, at, 0);
  block.set(k.ram, at, 0);
}

/** The array of counts, to free it (percpu_free_rwsem, once percpuRwsemIsIdle). */
export function percpuRwsemCounts(k: Context, at: KPtr): KPtr {
  return readCount.get(k.ram, at);
}

/** No callback of the semaphore is outstanding: it may be freed. */
export function percpuRwsemIsIdle(k: Context, at: KPtr): boolean {
  return syncState.get(k.ram, at) === IDLE;
}

/** Registers the semaphore's deferred function; once, at start-up. */
export function registerPercpuRwsem(kernel: Kernel): RcuKind {
  return kernel.rcu.register("rcu_sync_func", syncFunction);
}

/** percpu_down_read_trylock(): plain, preceded by a point. @hot */
export function percpuDownReadTrylock(k: Context, at: KPtr, cls: LockClass): boolean {
  if (syncState.get(k.ram, at) !== IDLE && block.get(k.ram, at) !== 0) return false;
  countReader(k, at, 1);
  lockAcquired(k, at, cls, 0, "trylock");
  return true;
}

/** percpu_down_read(). */
export function* percpuDownRead(k: Context, at: KPtr, cls: LockClass): Work {
  if (k.point(COST_ATOMIC)) yield;
  lockAcquired(k, at, cls, 0, "shared");
  if (syncState.get(k.ram, at) === IDLE || block.get(k.ram, at) === 0) countReader(k, at, 1);
  else yield* downReadSlow(k, at, cls);
}

function* downReadSlow(k: Context, at: KPtr, cls: LockClass): Work {
  k.kernel.observer?.lockContended(k, at, cls, "shared");
  yield* waitUntil(k, at, () => block.get(k.ram, at) === 0 && countReader(k, at, 1));
  k.kernel.observer?.lockGranted(k, at, cls, "shared");
}

/** percpu_up_read(). */
export function* percpuUpRead(k: Context, at: KPtr, cls: LockClass): Work {
  if (k.point(COST_UNLOCK)) yield;
  percpuUpReadRelease(k, at, cls);
}

/** The same, plain, preceded by a point. @hot */
export function percpuUpReadRelease(k: Context, at: KPtr, cls: LockClass): void {
  lockReleased(k, at, cls);
  countReader(k, at, -1);
  if (syncState.get(k.ram, at) !== IDLE) wakeAll(k, at);
}

/** percpu_down_write(): excludes readers; waits for a grace period and for the readers inside. Sleeps. */
export function* percpuDownWrite(k: Context, at: KPtr, cls: LockClass): Work {
  mightSleep(k);
  lockAcquired(k, at, cls, 0, "exclusive");
  k.kernel.observer?.lockContended(k, at, cls, "exclusive");
  const ram = k.ram;
  if (k.point(COST_ATOMIC)) yield;
  const state = syncState.get(ram, at);
  syncCount.add(ram, at, 1);
  if (state === IDLE) {
    syncState.set(ram, at, ENTER);
    yield* synchronizeRcu(k);
    if (k.point(COST_ACCESS)) yield;
    syncState.set(ram, at, PASSED);
    wakeAll(k, at);
  } else {
    yield* waitUntil(k, at, () => syncState.get(ram, at) >= PASSED);
  }
  yield* waitUntil(k, at, () => block.get(ram, at) === 0 && setBlock(k, at));
  yield* waitUntil(k, at, () => sumReaders(k, at) === 0);
  k.kernel.observer?.lockGranted(k, at, cls, "exclusive");
}

/** percpu_up_write(). */
export function* percpuUpWrite(k: Context, at: KPtr, cls: LockClass): Work {
  const ram = k.ram;
  if (k.point(COST_UNLOCK)) yield;
  lockReleased(k, at, cls);
  block.set(ram, at, 0);
  wakeAll(k, at);
  if (k.point(COST_ATOMIC)) yield;
  if (syncCount.add(ram, at, -1) !== 0) return;
  if (syncState.get(ram, at) === PASSED) {
    syncState.set(ram, at, EXIT);
    callRcu(k, k.kernel.rcuSyncKind, at);
  } else {
    syncState.set(ram, at, REPLAY);
  }
}

/** rcu_sync_func(): a grace period after the last writer left, readers go back to the fast path. */
function* syncFunction(k: Context, at: KPtr): Work {
  const ram = k.ram;
  if (k.point(COST_ACCESS)) yield;
  if (syncCount.get(ram, at) !== 0) {
    syncState.set(ram, at, PASSED);
  } else if (syncState.get(ram, at) === REPLAY) {
    syncState.set(ram, at, EXIT);
    callRcu(k, k.kernel.rcuSyncKind, at);
  } else {
    syncState.set(ram, at, IDLE);
  }
  wakeAll(k, at);
}

/** Sleeps until the condition holds. */
function* waitUntil(k: Context, at: KPtr, condition: () => boolean): Work {
  const task = k.task!;
  for (;;) {
    if (k.point(COST_ATOMIC)) yield;
    if (condition()) break;
    if (waiterKind.get(k.ram, task.at) === 0) waiters.add(k.ram, at, task.at, 1);
    task.state = TASK_UNINTERRUPTIBLE;
    yield* schedule(k);
  }
  task.state = TASK_RUNNING;
  if (waiterKind.get(k.ram, task.at) !== 0) waiters.remove(k.ram, at, task.at);
}

function wakeAll(k: Context, at: KPtr): void {
  for (let waiter = waiters.first(k.ram, at); waiter !== NULL; waiter = waiters.first(k.ram, at)) {
    waiters.remove(k.ram, at, waiter);
    const task = k.kernel.sched.taskByPid(taskPid.get(k.ram, waiter));
    if (task !== null) wakeUpTask(k, task, TASK_NORMAL);
  }
}

/** this_cpu_inc() or this_cpu_dec(). @hot */
function countReader(k: Context, at: KPtr, delta: number): true {
  const word = readCount.get(k.ram, at) + k.cpu.id * COUNT_BYTES;
  k.ram.write32(word, (k.ram.read32(word) + delta) | 0);
  return true;
}

function setBlock(k: Context, at: KPtr): true {
  block.set(k.ram, at, 1);
  return true;
}

/** Reads one count per core without a point in between: the readers that matter can only leave. */
function sumReaders(k: Context, at: KPtr): number {
  const counts = readCount.get(k.ram, at);
  let sum = 0;
  for (let cpu = 0; cpu < k.kernel.platform.cpus.length; cpu++) {
    sum = (sum + k.ram.read32(counts + cpu * COUNT_BYTES)) | 0;
  }
  return sum;
}
