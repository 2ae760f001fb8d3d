/** Wait queues and timed sleeps (kernel/sched/wait.c, kernel/time/timer.c). */
import type { Context, Work } from "../context.ts";
import { COST_ACCESS, COST_ATOMIC } from "../costs.ts";
import { addTimer, removeTimer } from "./core-timer.ts";
import { schedule, signalPendingState, wakeUpTask } from "./schedule.ts";
import { TASK_NORMAL, TASK_RUNNING } from "./task.ts";

/** Tasks that wait for one event, in order of arrival; plain data. */
export class WaitQueue {
  readonly pids: number[] = [];
}

/**
 * prepare_to_wait(): queues the current task and sets its state. The order is: prepareToWait, a point, check the
 * condition, `yield* schedule(k)`, again; finishWait at the end.
 */
export function prepareToWait(k: Context, queue: WaitQueue, state: number): void {
  const task = k.task!;
  if (!queue.pids.includes(task.pid)) queue.pids.push(task.pid);
  task.state = state;
}

/** finish_wait(). */
export function finishWait(k: Context, queue: WaitQueue): void {
  const task = k.task!;
  task.state = TASK_RUNNING;
  const index = queue.pids.indexOf(task.pid);
  if (index >= 0) queue.pids.splice(index, 1);
}

/**
 * wait_event() and its interruptible and killable forms: sleeps until the condition holds.
 * @returns true when it holds, false when a signal ended the sleep
 */
export function* waitEvent(
  k: Context,
  queue: WaitQueue,
  state: number,
  condition: () => boolean,
): Work<boolean> {
  for (;;) {
    if (k.point(COST_ATOMIC)) yield;
    prepareToWait(k, queue, state);
    if (k.point(COST_ACCESS)) yield;
    if (condition()) break;
    if (signalPendingState(k.task!, state)) {
      finishWait(k, queue);
      return false;
    }
    yield* schedule(k);
  }
  finishWait(k, queue);
  return true;
}

/** __wake_up(): wakes at most `count` sleepers of the queue, oldest first; how many. */
export function wakeUp(k: Context, queue: WaitQueue, count: number): number {
  let woken = 0;
  for (let index = 0; index < queue.pids.length && woken < count; ) {
    const task = k.kernel.sched.taskByPid(queue.pids[index]!);
    if (task === null || wakeUpTask(k, task, TASK_NORMAL)) {
      queue.pids.splice(index, 1);
      if (task !== null) woken++;
    } else {
      index++;
    }
  }
  return woken;
}

/**
 * schedule_timeout() with an absolute time: sleeps in the state that the caller has set until it is woken or its
 * core's clock passes `untilCycles` (Infinity: no limit). True if the time ran out.
 */
export function* scheduleTimeout(k: Context, untilCycles: number): Work<boolean> {
  if (untilCycles === Infinity) {
    yield* schedule(k);
    return false;
  }
  const cpu = k.cpu.id;
  const task = k.task!;
  addTimer(k, untilCycles, task);
  yield* schedule(k);
  return !removeTimer(k, task, cpu);
}
