/**
 * A lock class: all locks that play one role, as lockdep sees them. A lock is taken only while every lock already held
 * in the same context has a lower rank (equal rank: a lower subclass of the same class). An `irq-safe` class may be
 * taken by interrupt handlers or deferred work and so is taken with interrupts off everywhere; a `process` class never
 * is, and is not taken while an irq-safe lock is held.
 */
export interface LockClass {
  /** As Linux names the lock: `mmap_lock`, `ptlock`. */
  readonly name: string;
  /** Order: lower ranks are taken first. */
  readonly rank: number;
  readonly context: "irq-safe" | "process";
  /** Spinning locks make the section atomic, sleeping ones must not be taken in one. */
  readonly kind: "spin" | "sleep";
  /** The fields that the lock guards, for reports and readers. */
  readonly guards: string;
}

export function lockClass(description: LockClass): LockClass {
  return Object.freeze({ ...description });
}
