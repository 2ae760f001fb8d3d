/** The public face of kernel/tasks/: processes, threads, exec, futexes. */

export * from "./process-state.ts";
export * from "./process-table.ts";
export * from "./processes.ts";
export * from "./thread-group.ts";
