/** The public face of kernel/sched/. */
export * from "./schedule.ts";
export * from "./scheduler.ts";
export * from "./task.ts";
export * from "./wait-queue.ts";
