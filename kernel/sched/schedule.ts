/** Giving up the core, waking others. */
import type { Context, Work } from "../context.ts";
import type { Task } from "./task.ts";

/** schedule(): lets another task run; returns when this one is chosen again, perhaps on another core. */
export function* schedule(k: Context): Work {
  void k;
}

/** cond_resched(). */
export function* condResched(k: Context): Work {
  void k;
}

/** try_to_wake_up(): makes the task runnable if its state is in `states`; true if it was asleep. */
export function wakeUpTask(k: Context, task: Task, states: number): boolean {
  void k;
  void task;
  void states;
  return false;
}
