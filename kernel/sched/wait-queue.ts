/** Wait queues and timed sleeps. */
import type { Context, Work } from "../context.ts";

/** Tasks that wait for one event, in order of arrival; plain data. */
export class WaitQueue {
  readonly pids: number[] = [];
}

/** prepare_to_wait(): queues the current task and sets its state; then check the condition and schedule(). */
export function prepareToWait(k: Context, queue: WaitQueue, state: number): void {
  void k;
  void queue;
  void state;
}

/** finish_wait(). */
export function finishWait(k: Context, queue: WaitQueue): void {
  void k;
  void queue;
}

/** __wake_up(): wakes at most `count` tasks of the queue; how many. */
export function wakeUp(k: Context, queue: WaitQueue, count: number): number {
  void k;
  void queue;
  return count - count;
}

/**
 * schedule_timeout() with an absolute time: sleeps in the state that the caller has set until it is woken or its
 * core's clock passes `untilCycles` (Infinity: no limit). True if the time ran out.
 */
export function* scheduleTimeout(k: Context, untilCycles: number): Work<boolean> {
  void k;
  void untilCycles;
  return false;
}
