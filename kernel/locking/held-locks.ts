/** The locks that a context holds, in acquisition order: preallocated, so that taking a lock allocates nothing. */
import type { LockClass } from "./lock-class.ts";

/** Locks that one context can hold at once; the deepest known nesting is below ten. */
export const MAX_HELD_LOCKS = 48;

export class HeldLocks {
  count = 0;
  readonly at: Int32Array = new Int32Array(MAX_HELD_LOCKS);
  readonly classes: (LockClass | null)[] = [];
  /** Nesting of interrupts and deferred work at the acquire: locks of the interrupted code do not order ours. */
  readonly level: Uint8Array = new Uint8Array(MAX_HELD_LOCKS);
  readonly subclass: Uint8Array = new Uint8Array(MAX_HELD_LOCKS);

  constructor() {
    for (let slot = 0; slot < MAX_HELD_LOCKS; slot++) this.classes.push(null);
  }
}
