/** The public face of kernel/sched/. */
export * from "./core-timer.ts";
export * from "./run-queue.ts";
export * from "./schedule.ts";
export * from "./scheduler.ts";
export * from "./task.ts";
export * from "./tick.ts";
export * from "./wait-queue.ts";
