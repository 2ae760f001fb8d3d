/** Clocks and sleeps: clock_gettime(2), clock_nanosleep(2) and their older forms. All time is virtual. */
import type { Context, Work } from "../context.ts";
import { EFAULT, EINTR, EINVAL, EOPNOTSUPP, ERESTART_RESTARTBLOCK, ERESTARTNOHAND } from "../errno.ts";
import { HZ } from "../sched/scheduler.ts";
import { TASK_INTERRUPTIBLE, TASK_RUNNING, type Task } from "../sched/task.ts";
import { scheduleTimeout } from "../sched/wait-queue.ts";
import { signalPending } from "../signal/send.ts";
import { futexWait } from "../tasks/futex.ts";
import { processOf } from "../tasks/process-state.ts";
import type { UserPointer } from "../tasks/user-pointer.ts";
import { BOOT_EPOCH_SECONDS, type Clock, isValidTime, NS_PER_SECOND, type TimeSpec } from "../time.ts";
import type { Syscall } from "./syscall.ts";
import { pointerArgument, readTimeSpec, Words, writeBytes, writeTimeSpec } from "./user-data.ts";

const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC = 1;
const CLOCK_PROCESS_CPUTIME_ID = 2;
const CLOCK_THREAD_CPUTIME_ID = 3;
const CLOCK_MONOTONIC_RAW = 4;
const CLOCK_REALTIME_COARSE = 5;
const CLOCK_MONOTONIC_COARSE = 6;
const CLOCK_BOOTTIME = 7;
const CLOCK_TAI = 11;
const WALL_CLOCKS: readonly number[] = [CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI];
const UPTIME_CLOCKS: readonly number[] = [
  CLOCK_MONOTONIC,
  CLOCK_MONOTONIC_RAW,
  CLOCK_MONOTONIC_COARSE,
  CLOCK_BOOTTIME,
];
const TIMER_ABSTIME = 1;
/** Time spans are cut off here, far beyond any run. */
const MAX_SECONDS = 2 ** 31;

/** clock_gettime(clock, time). The coarse clocks are as fine as the others. */
export function* sysClockGettime(k: Context, call: Syscall): Work<number> {
  const time = readClock(k, call.lo(0));
  if (time === null) return -EINVAL;
  return yield* writeTimeSpec(k, pointerArgument(call, 1), time);
}

export function* sysClockGetres(k: Context, call: Syscall): Work<number> {
  const clock = call.lo(0);
  if (readClock(k, clock) === null) return -EINVAL;
  if (call.isNull(1)) return 0;
  const coarse = clock === CLOCK_REALTIME_COARSE || clock === CLOCK_MONOTONIC_COARSE;
  const nanoseconds = coarse ? NS_PER_SECOND / HZ : 1;
  return yield* writeTimeSpec(k, pointerArgument(call, 1), { seconds: 0, nanoseconds });
}

/** gettimeofday(time, zone). */
export function* sysGettimeofday(k: Context, call: Syscall): Work<number> {
  if (!call.isNull(0)) {
    const now = wallClock(k);
    const data = new Words(k, 2);
    data.set(0, now.seconds);
    data.set(1, Math.floor(now.nanoseconds / 1000));
    if ((yield* writeBytes(k, pointerArgument(call, 0), data.bytes)) !== 0) return -EFAULT;
  }
  if (call.isNull(1)) return 0;
  return yield* writeBytes(k, pointerArgument(call, 1), new Uint8Array(8));
}

/** time(result): whole seconds. */
export function* sysTime(k: Context, call: Syscall): Work<number> {
  const { seconds } = wallClock(k);
  if (call.isNull(0)) return seconds;
  const data = new Words(k, 1);
  data.set(0, seconds);
  return (yield* writeBytes(k, pointerArgument(call, 0), data.bytes)) !== 0 ? -EFAULT : seconds;
}

/** nanosleep(request, remaining). */
export function* sysNanosleep(k: Context, call: Syscall): Work<number> {
  const request = yield* readTimeSpec(k, pointerArgument(call, 0));
  if (request === null) return -EFAULT;
  if (!isValidTime(request)) return -EINVAL;
  const remaining = call.isNull(1) ? null : pointerArgument(call, 1);
  return yield* sleepUntil(k, k.cpu.clock + spanCycles(k, request), remaining);
}

/** clock_nanosleep(clock, flags, request, remaining). */
export function* sysClockNanosleep(k: Context, call: Syscall): Work<number> {
  const clock = call.lo(0);
  const isWall = WALL_CLOCKS.includes(clock);
  if (clock === CLOCK_THREAD_CPUTIME_ID) return -EINVAL;
  if (!isWall && !UPTIME_CLOCKS.includes(clock)) return -EINVAL;
  if (
    clock !== CLOCK_REALTIME &&
    clock !== CLOCK_MONOTONIC &&
    clock !== CLOCK_BOOTTIME &&
    clock !== CLOCK_TAI
  ) {
    return -EOPNOTSUPP;
  }
  const request = yield* readTimeSpec(k, pointerArgument(call, 2));
  if (request === null) return -EFAULT;
  if (!isValidTime(request)) return -EINVAL;
  if ((call.lo(1) & TIMER_ABSTIME) === 0) {
    const remaining = call.isNull(3) ? null : pointerArgument(call, 3);
    return yield* sleepUntil(k, k.cpu.clock + spanCycles(k, request), remaining);
  }
  const result = yield* sleepUntil(k, absoluteCycles(k, request, isWall ? "wall" : "uptime"), null);
  return result === -ERESTART_RESTARTBLOCK ? -ERESTARTNOHAND : result;
}

/** Core cycles at which an absolute time is reached. */
export function absoluteCycles(k: Context, time: TimeSpec, kind: "wall" | "uptime"): number {
  const seconds = kind === "wall" ? time.seconds - BOOT_EPOCH_SECONDS : time.seconds;
  return clockOf(k).toCycles({ seconds: Math.min(seconds, MAX_SECONDS), nanoseconds: time.nanoseconds });
}

/** Cycles of a relative time. */
export function spanCycles(k: Context, span: TimeSpec): number {
  return clockOf(k).toCycles({
    seconds: Math.min(span.seconds, MAX_SECONDS),
    nanoseconds: span.nanoseconds,
  });
}

function* sleepUntil(k: Context, untilCycles: number, remaining: UserPointer | null): Work<number> {
  const task = k.task!;
  while (k.cpu.clock < untilCycles) {
    task.state = TASK_INTERRUPTIBLE;
    const timedOut = yield* scheduleTimeout(k, untilCycles);
    task.state = TASK_RUNNING;
    if (timedOut) return 0;
    if (!signalPending(task)) continue;
    const left = Math.max(untilCycles - k.cpu.clock, 0);
    if (remaining !== null && left > 0) {
      if ((yield* writeTimeSpec(k, remaining, clockOf(k).toTimeSpec(left))) !== 0) return -EFAULT;
    }
    if (left === 0) return 0;
    processOf(task).restart = { kind: "sleep", untilCycles, remaining };
    return -ERESTART_RESTARTBLOCK;
  }
  return 0;
}

/** pause(): until a handler has run. */
export function* sysPause(k: Context): Work<number> {
  const task = k.task!;
  while (!signalPending(task)) {
    task.state = TASK_INTERRUPTIBLE;
    yield* scheduleTimeout(k, Infinity);
  }
  task.state = TASK_RUNNING;
  return -ERESTARTNOHAND;
}

/** restart_syscall(). */
export function* sysRestartSyscall(k: Context): Work<number> {
  const state = processOf(k.task!);
  const restart = state.restart;
  state.restart = null;
  if (restart === null) return -EINTR;
  if (restart.kind === "sleep") return yield* sleepUntil(k, restart.untilCycles, restart.remaining);
  return yield* futexWait(k, restart.wait);
}

function clockOf(k: Context): Clock {
  return processOf(k.task!).group.table.clock;
}

function wallClock(k: Context): TimeSpec {
  const now = clockOf(k).now(k);
  return { seconds: now.seconds + BOOT_EPOCH_SECONDS, nanoseconds: now.nanoseconds };
}

function readClock(k: Context, clock: number): TimeSpec | null {
  if (WALL_CLOCKS.includes(clock)) return wallClock(k);
  if (UPTIME_CLOCKS.includes(clock)) return clockOf(k).now(k);
  if (clock === CLOCK_THREAD_CPUTIME_ID) return clockOf(k).toTimeSpec(executed(k, k.task!));
  if (clock !== CLOCK_PROCESS_CPUTIME_ID) return null;
  let cycles = 0;
  for (const task of processOf(k.task!).group.threads) cycles += executed(k, task);
  return clockOf(k).toTimeSpec(cycles);
}

/** Cycles that a task has executed, the present run included. */
function executed(k: Context, task: Task): number {
  const running = k.kernel.sched.queues.find((queue) => queue.current === task);
  if (running === undefined) return task.sumExec;
  return task.sumExec + Math.max(k.kernel.platform.cpus[running.cpu]!.clock - task.execStart, 0);
}
