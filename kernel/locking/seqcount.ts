/**
 * Sequence counts: a 64-bit word in guest RAM, odd while a writer is inside. Readers never write; a reader that
 * finds the count odd or changed discards what it copied. Documentation/locking/seqlock.rst.
 *
 * All functions are plain and are each preceded by a point (the count is a marked access); the increments are not
 * atomic, as in Linux: writers exclude each other by a lock of their own.
 */
import type { Context } from "../context.ts";
import type { KPtr, U64Field } from "../struct.ts";

/** raw_read_seqcount(): the count, odd while a writer is inside. @hot */
export function seqRead(k: Context, object: KPtr, count: U64Field): number {
  k.kernel.observer?.seqReadBegin(k, count.at(object));
  return count.get(k.ram, object);
}

/** read_seqcount_retry(): true if the copy made since `start` must be discarded. @hot */
export function seqChanged(k: Context, object: KPtr, count: U64Field, start: number): boolean {
  const changed = count.get(k.ram, object) !== start;
  k.kernel.observer?.seqReadRetry(k, count.at(object), changed ? "changed" : "unchanged");
  return changed;
}

/** write_seqcount_begin(): asserts that no writer is inside. @hot */
export function seqWriteBegin(k: Context, object: KPtr, count: U64Field): void {
  const value = count.get(k.ram, object);
  if ((value & 1) !== 0)
    k.kernel.assertionFailed(k, "seqcount-begin", `BUG: ${count.name} is odd (${value}) at a write begin`);
  count.set(k.ram, object, value + 1);
}

/** write_seqcount_end(): asserts that a writer is inside. @hot */
export function seqWriteEnd(k: Context, object: KPtr, count: U64Field): void {
  const value = count.get(k.ram, object);
  if ((value & 1) !== 1)
    k.kernel.assertionFailed(k, "seqcount-end", `BUG: ${count.name} is even (${value}) at a write end`);
  count.set(k.ram, object, value + 1);
}
