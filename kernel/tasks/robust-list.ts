/**
 * Robust futexes of a thread that ends: words that still name it as owner get FUTEX_OWNER_DIED, and one waiter each is
 * woken (Documentation/locking/robust-futex-ABI.rst). The list is user memory, so every step may fail and its length is
 * bounded.
 *
 *     struct robust_list_head { list.next (8); futex_offset (8); list_op_pending (8) }
 */
import type { Context, Work } from "../context.ts";
import { cmpxchgUser32, getUser32 } from "../user-access.ts";
import { futexWake } from "./futex.ts";
import type { ProcessState } from "./process-state.ts";
import { addToUser, fetchUserPointer, NULL_USER, samePointer, type UserPointer } from "./user-pointer.ts";

/** ROBUST_LIST_LIMIT, include/uapi/linux/futex.h. */
const ROBUST_LIST_LIMIT = 2048;
const FUTEX_OWNER_DIED = 0x4000_0000;
const FUTEX_WAITERS: number = 0x8000_0000 | 0;
const FUTEX_TID_MASK = 0x3fff_ffff;

/** exit_robust_list(). */
export function* exitRobustList(k: Context, state: ProcessState): Work {
  const head = state.robustList;
  state.robustList = NULL_USER;
  let entry = yield* fetchUserPointer(k, head);
  const offset = yield* fetchUserPointer(k, addToUser(head, 8, 0));
  const pending = yield* fetchUserPointer(k, addToUser(head, 16, 0));
  if (entry === null || offset === null || pending === null) return;
  for (let count = 0; count < ROBUST_LIST_LIMIT && !samePointer(entry, head); count++) {
    const next: UserPointer | null = yield* fetchUserPointer(k, withoutFlag(entry));
    if (!samePointer(entry, pending)) {
      if (!(yield* markDead(k, addToUser(withoutFlag(entry), offset.lo, offset.hi), state.task.pid))) return;
    }
    if (next === null) return;
    entry = next;
  }
  if (!samePointer(pending, NULL_USER)) {
    yield* markDead(k, addToUser(withoutFlag(pending), offset.lo, offset.hi), state.task.pid);
  }
}

/** handle_futex_death(); false: the word could not be read. */
function* markDead(k: Context, at: UserPointer, pid: number): Work<boolean> {
  if ((at.lo & 3) !== 0) return false;
  for (;;) {
    if ((yield* getUser32(k, at.lo, at.hi)) !== 0) return false;
    const word = k.userValue;
    if ((word & FUTEX_TID_MASK) !== pid) return true;
    const dead = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
    if ((yield* cmpxchgUser32(k, at.lo, at.hi, word, dead)) !== 0) return false;
    if (k.userValue !== word) continue;
    if ((word & FUTEX_WAITERS) !== 0) yield* futexWake(k, at, { shared: true, count: 1, bitset: -1 });
    return true;
  }
}

/** Bit 0 of an entry says that its lock inherits priority. */
function withoutFlag(entry: UserPointer): UserPointer {
  return { lo: entry.lo & ~1, hi: entry.hi };
}
