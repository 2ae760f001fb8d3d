/**
 * A core's timer: timed wake-ups, and the tick while it is needed. The tick runs only while somebody waits for the
 * core or deferred callbacks wait on it (a tickless kernel, Documentation/timers/no_hz.rst), so a lone task is not
 * disturbed.
 */
import type { Context } from "../context.ts";
import { COST_TIMER } from "../costs.ts";
import type { RunQueue } from "./run-queue.ts";
import type { Task } from "./task.ts";

/** Timed wake-ups that one core can hold: every sleeping task has one at most. */
const MAX_TIMERS = 65536;

/** Starts or stops the tick of this core as needed and programs its timer. Interrupts off, or no matter. */
export function updateTimer(k: Context): void {
  const kernel = k.kernel;
  const queue = kernel.sched.queues[k.cpu.id]!;
  if (queue.queue.length === 0 && !kernel.rcu.needsCore(k.cpu.id)) queue.tickAt = Infinity;
  else if (queue.tickAt === Infinity) queue.tickAt = k.cpu.clock + kernel.sched.tickCycles;
  program(k, queue);
}

/** Wakes a task of this core once the clock passes a time. */
export function addTimer(k: Context, atCycles: number, task: Task): void {
  const queue = k.kernel.sched.queues[k.cpu.id]!;
  const timers = queue.timers;
  if (timers.length >= MAX_TIMERS) {
    k.kernel.assertionFailed(k, "timer-count", `BUG: more than ${MAX_TIMERS} timers on core ${queue.cpu}`);
    return;
  }
  let index = timers.length;
  while (index > 0 && timers[index - 1]!.atCycles > atCycles) index--;
  timers.splice(index, 0, { atCycles, pid: task.pid });
  program(k, queue);
}

/** Removes the timed wake-up of a task, on whichever core it was set; true if it was still there. */
export function removeTimer(k: Context, task: Task, cpu: number): boolean {
  const queue = k.kernel.sched.queues[cpu]!;
  const index = queue.timers.findIndex((timer) => timer.pid === task.pid);
  if (index < 0) return false;
  queue.timers.splice(index, 1);
  if (cpu === k.cpu.id) program(k, queue);
  return true;
}

/** Sets the core's timer to whatever comes first. */
function program(k: Context, queue: RunQueue): void {
  const first = queue.timers.length === 0 ? Infinity : queue.timers[0]!.atCycles;
  const at = Math.min(first, queue.tickAt);
  if (at === queue.armedAt) return;
  queue.armedAt = at;
  k.cpu.charge(COST_TIMER);
  k.kernel.arch.entry.armTimer(k.cpu, at);
}
