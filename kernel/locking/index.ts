/** The public face of kernel/locking/. */
export * from "./held-locks.ts";
export * from "./lock-class.ts";
export * from "./lockdep.ts";
export * from "./percpu-rwsem.ts";
export * from "./rwsem.ts";
export * from "./seqcount.ts";
export * from "./spinlock.ts";
