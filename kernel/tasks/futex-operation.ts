/**
 * The operation that FUTEX_WAKE_OP encodes in one word (uapi/linux/futex.h, futex_atomic_op_inuser() of
 * kernel/futex/waitwake.c):
 *
 *     31      30-28  27-24    23-12     11-0
 *     shift   op     compare  operand   comparand     operand and comparand are signed
 *
 * With the shift bit the operand is 1 << operand, whose low five bits count. Linux also logs an operand that has others.
 */
import type { Context, Work } from "../context.ts";
import { EFAULT, ENOSYS } from "../errno.ts";
import { changeUser32 } from "../user-access.ts";
import type { UserPointer } from "./user-pointer.ts";

const SHIFT_OPERAND = 8;

const OPERATIONS: readonly ((word: number, operand: number) => number)[] = [
  (_word, operand) => operand,
  (word, operand) => word + operand,
  (word, operand) => word | operand,
  (word, operand) => word & ~operand,
  (word, operand) => word ^ operand,
];

const COMPARISONS: readonly ((word: number, comparand: number) => boolean)[] = [
  (word, comparand) => word === comparand,
  (word, comparand) => word !== comparand,
  (word, comparand) => word < comparand,
  (word, comparand) => word <= comparand,
  (word, comparand) => word > comparand,
  (word, comparand) => word >= comparand,
];

/**
 * Changes a user word and compares what it held before. Page faults are disabled.
 * @returns 1 or 0 as the comparison came out, -EFAULT, -ENOSYS (no such operation; or comparison, with the word changed)
 */
export function* applyFutexOperation(k: Context, at: UserPointer, encoded: number): Work<number> {
  const operation = OPERATIONS[(encoded >> 28) & 7];
  const compare = COMPARISONS[(encoded >> 24) & 15];
  const given = (encoded << 8) >> 20;
  const operand = ((encoded >>> 28) & SHIFT_OPERAND) !== 0 ? 1 << (given & 31) : given;
  const comparand = (encoded << 20) >> 20;
  if (!k.kernel.arch.entry.isUserRange(at.lo, at.hi, 4)) return -EFAULT;
  if (operation === undefined) return -ENOSYS;
  const failed = yield* changeUser32(k, at.lo, at.hi, (word) => operation(word, operand));
  if (failed !== 0) return failed;
  if (compare === undefined) return -ENOSYS;
  return compare(k.userValue, comparand) ? 1 : 0;
}
