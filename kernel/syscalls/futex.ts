/** futex(2): the arguments of each operation (kernel/futex/syscalls.c), and the robust list. */
import type { Context, Work } from "../context.ts";
import { EFAULT, EINVAL, ENOSYS } from "../errno.ts";
import { futexRequeue, futexWait, futexWake, futexWakeOp } from "../tasks/futex.ts";
import { processOf } from "../tasks/process-state.ts";
import { isValidTime } from "../time.ts";
import type { Syscall } from "./syscall.ts";
import { absoluteCycles, spanCycles } from "./time.ts";
import { pointerArgument, readTimeSpec } from "./user-data.ts";

const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
const FUTEX_REQUEUE = 3;
const FUTEX_CMP_REQUEUE = 4;
const FUTEX_WAKE_OP = 5;
const FUTEX_WAIT_BITSET = 9;
const FUTEX_WAKE_BITSET = 10;
const FUTEX_PRIVATE_FLAG = 128;
const FUTEX_CLOCK_REALTIME = 256;
const FUTEX_COMMAND_MASK: number = ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
/** Operations that are not there: priority inheritance, descriptors. */
const FUTEX_NAMES: Readonly<Record<number, string>> = {
  2: "FD",
  6: "LOCK_PI",
  7: "UNLOCK_PI",
  8: "TRYLOCK_PI",
  11: "WAIT_REQUEUE_PI",
  12: "CMP_REQUEUE_PI",
  13: "LOCK_PI2",
};
const MATCH_ANY = -1;

/** futex(word, op, value, timeout or value2, word2, value3). */
export function* sysFutex(k: Context, call: Syscall): Work<number> {
  const op = call.lo(1);
  const command = op & FUTEX_COMMAND_MASK;
  const at = pointerArgument(call, 0);
  const shared = (op & FUTEX_PRIVATE_FLAG) === 0;
  const bitset = command === FUTEX_WAIT_BITSET || command === FUTEX_WAKE_BITSET ? call.lo(5) : MATCH_ANY;
  if ((op & FUTEX_CLOCK_REALTIME) !== 0 && command !== FUTEX_WAIT_BITSET) return -ENOSYS;
  if (command === FUTEX_WAIT || command === FUTEX_WAIT_BITSET) {
    const untilCycles = yield* deadline(k, call, op);
    if (untilCycles < 0) return untilCycles;
    return yield* futexWait(k, { at, shared, expected: call.lo(2), bitset, untilCycles });
  }
  switch (command) {
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
      return yield* futexWake(k, at, { shared, count: call.lo(2), bitset });
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE: {
      const expected = command === FUTEX_CMP_REQUEUE ? call.lo(5) : null;
      const options = { shared, wake: call.lo(2), requeue: call.lo(3), expected };
      return yield* futexRequeue(k, at, pointerArgument(call, 4), options);
    }
    case FUTEX_WAKE_OP: {
      const options = { shared, count: call.lo(2), secondCount: call.lo(3), operation: call.lo(5) };
      return yield* futexWakeOp(k, at, pointerArgument(call, 4), options);
    }
    default:
      k.kernel.count(`ENOSYS futex ${FUTEX_NAMES[command] ?? "unknown"}`);
      return -ENOSYS;
  }
}

/** The end of a wait in cycles, Infinity without a timeout, or a negative errno: relative for WAIT, absolute otherwise. */
function* deadline(k: Context, call: Syscall, op: number): Work<number> {
  if (call.isNull(3)) return Infinity;
  const time = yield* readTimeSpec(k, pointerArgument(call, 3));
  if (time === null) return -EFAULT;
  if (!isValidTime(time)) return -EINVAL;
  if ((op & FUTEX_COMMAND_MASK) === FUTEX_WAIT) return k.cpu.clock + spanCycles(k, time);
  const kind = (op & FUTEX_CLOCK_REALTIME) !== 0 ? "wall" : "uptime";
  return Math.max(absoluteCycles(k, time, kind), 0);
}

/** sizeof(struct robust_list_head). */
const ROBUST_LIST_HEAD_BYTES = 24;

export function sysSetRobustList(k: Context, call: Syscall): number {
  if (call.size(1) !== ROBUST_LIST_HEAD_BYTES) return -EINVAL;
  processOf(k.task!).robustList = pointerArgument(call, 0);
  return 0;
}
