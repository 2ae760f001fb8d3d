/** The local timer's interrupt: timed wake-ups that are due, and the tick. */
import type { Context } from "../context.ts";
import { COST_STEP } from "../costs.ts";
import { updateTimer } from "./core-timer.ts";
import type { RunQueue } from "./run-queue.ts";
import { pushExcess, wakeUpTask } from "./schedule.ts";
import { TASK_NORMAL, TIF_NEED_RESCHED } from "./task.ts";

/** The local timer interrupted: wakes who is due, ticks if it is time. In the interrupt handler, interrupts off. */
export function timerInterrupt(k: Context): void {
  const kernel = k.kernel;
  const queue = kernel.sched.queues[k.cpu.id]!;
  const clock = k.cpu.clock;
  queue.armedAt = Infinity;
  while (queue.timers.length > 0 && queue.timers[0]!.atCycles <= clock) {
    const timer = queue.timers.shift()!;
    k.cpu.charge(COST_STEP);
    const task = kernel.sched.taskByPid(timer.pid);
    if (task !== null) wakeUpTask(k, task, TASK_NORMAL);
  }
  if (queue.tickAt <= clock) tick(k, queue, clock);
  updateTimer(k);
}

function tick(k: Context, queue: RunQueue, clock: number): void {
  const sched = k.kernel.sched;
  queue.ticks++;
  queue.tickAt = clock + sched.tickCycles;
  sched.account(queue, clock);
  pushExcess(k);
  const best = sched.best(queue);
  if (best === null) return;
  const ran = queue.current.vruntime - best.vruntime;
  if (queue.current.idle || ran >= sched.sliceCycles(queue)) queue.current.setFlag(TIF_NEED_RESCHED);
}
