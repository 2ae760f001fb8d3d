/** System calls about signals: rt_sigaction(2) and its kin, kill(2), tgkill(2), sigaltstack(2). */
import type { Context, Work } from "../context.ts";
import { EFAULT, EINVAL, EPERM, ERESTARTNOHAND, ESRCH } from "../errno.ts";
import { TASK_INTERRUPTIBLE, TASK_RUNNING } from "../sched/task.ts";
import { scheduleTimeout } from "../sched/wait-queue.ts";
import { changeAlternateStack } from "../signal/alternate-stack.ts";
import { isOnAlternateStack } from "../signal/delivery-record.ts";
import { recalculatePending, sendToGroup, sendToTask, signalPending } from "../signal/send.ts";
import { sentInfo } from "../signal/signal-info.ts";
import {
  SI_TKILL,
  SI_USER,
  SIGKILL,
  SIGNALS,
  SIGSTOP,
  SS_AUTODISARM,
  SS_DISABLE,
  SS_ONSTACK,
} from "../signal/signal-numbers.ts";
import { SignalSet } from "../signal/signal-set.ts";
import { type ProcessState, processOf } from "../tasks/process-state.ts";
import type { ThreadGroup } from "../tasks/thread-group.ts";
import type { Syscall } from "./syscall.ts";
import { pointerArgument, readWords, Words, writeBytes } from "./user-data.ts";

/** sizeof(sigset_t) of the kernel. */
const SIGSET_BYTES = 8;
const SIG_BLOCK = 0;
const SIG_UNBLOCK = 1;
const SIG_SETMASK = 2;

/**
 * rt_sigaction(signal, new, old, size). The structure has four words: handler, flags, restorer, mask
 * (architectures without SA_RESTORER have no restorer, but keep its place here).
 */
export function* sysRtSigaction(k: Context, call: Syscall): Work<number> {
  if (call.size(3) !== SIGSET_BYTES) return -EINVAL;
  const signal = call.lo(0);
  const next = call.isNull(1) ? null : yield* readWords(k, pointerArgument(call, 1), 4);
  if (next === null && !call.isNull(1)) return -EFAULT;
  if (signal < 1 || signal > SIGNALS) return -EINVAL;
  if (next !== null && (signal === SIGKILL || signal === SIGSTOP)) return -EINVAL;
  const state = processOf(k.task!);
  const old = { ...state.actions.get(signal) };
  if (next !== null) {
    const mask = new SignalSet(next.lo(3), next.hi(3));
    mask.dropUnblockable();
    state.actions.set(signal, {
      handlerLo: next.lo(0),
      handlerHi: next.hi(0),
      flags: next.lo(1),
      restorerLo: next.lo(2),
      restorerHi: next.hi(2),
      maskLo: mask.lo,
      maskHi: mask.hi,
    });
    if (state.actions.discards(signal)) flushPending(state.group, signal);
  }
  if (call.isNull(2)) return 0;
  const data = new Words(k, 4);
  data.setHalves(0, old.handlerLo, old.handlerHi);
  data.setHalves(1, old.flags, 0);
  data.setHalves(2, old.restorerLo, old.restorerHi);
  data.setHalves(3, old.maskLo, old.maskHi);
  return yield* writeBytes(k, pointerArgument(call, 2), data.bytes);
}

/** rt_sigprocmask(how, set, old, size). */
export function* sysRtSigprocmask(k: Context, call: Syscall): Work<number> {
  if (call.size(3) !== SIGSET_BYTES) return -EINVAL;
  const state = processOf(k.task!);
  const { lo, hi } = state.blocked;
  if (!call.isNull(1)) {
    const set = yield* readWords(k, pointerArgument(call, 1), 1);
    if (set === null) return -EFAULT;
    switch (call.lo(0)) {
      case SIG_BLOCK:
        state.blocked.assign(lo | set.lo(0), hi | set.hi(0));
        break;
      case SIG_UNBLOCK:
        state.blocked.assign(lo & ~set.lo(0), hi & ~set.hi(0));
        break;
      case SIG_SETMASK:
        state.blocked.assign(set.lo(0), set.hi(0));
        break;
      default:
        return -EINVAL;
    }
    state.blocked.dropUnblockable();
    recalculatePending(k.task!);
  }
  return call.isNull(2) ? 0 : yield* writeSet(k, call, 2, lo, hi);
}

/** rt_sigpending(set, size): pending and blocked. */
export function* sysRtSigpending(k: Context, call: Syscall): Work<number> {
  if (call.size(1) > SIGSET_BYTES) return -EINVAL;
  const state = processOf(k.task!);
  const own = state.pending.set;
  const shared = state.group.shared.set;
  const lo = (own.lo | shared.lo) & state.blocked.lo;
  const hi = (own.hi | shared.hi) & state.blocked.hi;
  return yield* writeSet(k, call, 0, lo, hi);
}

/** rt_sigsuspend(mask, size). */
export function* sysRtSigsuspend(k: Context, call: Syscall): Work<number> {
  if (call.size(1) !== SIGSET_BYTES) return -EINVAL;
  const set = yield* readWords(k, pointerArgument(call, 0), 1);
  if (set === null) return -EFAULT;
  const task = k.task!;
  const state = processOf(task);
  state.savedMask = new SignalSet(state.blocked.lo, state.blocked.hi);
  state.blocked.assign(set.lo(0), set.hi(0));
  state.blocked.dropUnblockable();
  recalculatePending(task);
  while (!signalPending(task)) {
    task.state = TASK_INTERRUPTIBLE;
    yield* scheduleTimeout(k, Infinity);
  }
  task.state = TASK_RUNNING;
  return -ERESTARTNOHAND;
}

/** rt_sigreturn(): the registers come from the frame on the user stack. */
export function* sysRtSigreturn(k: Context, call: Syscall): Work<number> {
  call.keepsFrame = true;
  const task = k.task!;
  processOf(task).restart = null;
  yield* k.kernel.arch.process.popSignalFrame(k, call.frame);
  recalculatePending(task);
  return 0;
}

/** kill(pid, signal): one process, a process group, or everybody else. */
export function sysKill(k: Context, call: Syscall): number {
  const pid = call.lo(0);
  const signal = call.lo(1);
  const own = processOf(k.task!).group;
  if (signal < 0 || signal > SIGNALS) return -EINVAL;
  const targets = killTargets(own, pid);
  if (targets.length === 0) return -ESRCH;
  let result = 0;
  for (const target of targets) {
    if (signal !== 0) result = sendToGroup(k, target, sentInfo(signal, SI_USER, own.tgid));
  }
  return result;
}

function killTargets(own: ThreadGroup, pid: number): ThreadGroup[] {
  const groups = own.table.groups;
  if (pid > 0) {
    const group = groups.get(pid) ?? groupOfThread(own, pid);
    return group === null ? [] : [group];
  }
  if (pid === -1) return [...groups.values()].filter((group) => group !== own && group.tgid > 1);
  const pgid = pid === 0 ? own.pgid : -pid;
  return [...groups.values()].filter((group) => group.pgid === pgid);
}

function groupOfThread(own: ThreadGroup, pid: number): ThreadGroup | null {
  const task = own.table.kernel.sched.taskByPid(pid);
  return task === null || task.process === null ? null : processOf(task).group;
}

/** tgkill(tgid, tid, signal). */
export function sysTgkill(k: Context, call: Syscall): number {
  if (call.lo(0) <= 0 || call.lo(1) <= 0) return -EINVAL;
  return signalThread(k, call.lo(0), call.lo(1), call.lo(2));
}

/** tkill(tid, signal). */
export function sysTkill(k: Context, call: Syscall): number {
  return call.lo(0) <= 0 ? -EINVAL : signalThread(k, 0, call.lo(0), call.lo(1));
}

/** @param tgid 0: any process */
function signalThread(k: Context, tgid: number, tid: number, signal: number): number {
  const task = k.kernel.sched.taskByPid(tid);
  if (task === null || task.process === null || (tgid !== 0 && task.tgid !== tgid)) return -ESRCH;
  if (signal < 0 || signal > SIGNALS) return -EINVAL;
  if (signal === 0 || processOf(task).exiting) return 0;
  return sendToTask(k, task, sentInfo(signal, SI_TKILL, k.task!.tgid));
}

/** sigaltstack(new, old). stack_t: pointer, int flags, size. */
export function* sysSigaltstack(k: Context, call: Syscall): Work<number> {
  const state = processOf(k.task!);
  const arch = k.kernel.arch.process;
  const next = call.isNull(0) ? null : yield* readWords(k, pointerArgument(call, 0), 3);
  if (next === null && !call.isNull(0)) return -EFAULT;
  const onStack = isOnAlternateStack(
    state.altStack,
    arch.spLo(k.ram, call.frame),
    arch.spHi(k.ram, call.frame),
  );
  const old = new Words(k, 3);
  old.setHalves(0, state.altStack.lo, state.altStack.hi);
  old.setInt(8, stackFlags(state, onStack));
  old.set(2, state.altStack.sizeBytes);
  if (next !== null) {
    if (onStack) return -EPERM;
    const wanted = { lo: next.lo(0), hi: next.hi(0), sizeBytes: next.unsigned(2), flags: next.int(8) };
    const error = changeAlternateStack(state.altStack, wanted, arch.minimumAlternateStackBytes);
    if (error !== 0) return error;
  }
  return call.isNull(1) ? 0 : yield* writeBytes(k, pointerArgument(call, 1), old.bytes);
}

/** sas_ss_flags(), with the bits that user code set. */
function stackFlags(state: ProcessState, onStack: boolean): number {
  const kept = state.altStack.flags & SS_AUTODISARM;
  if (state.altStack.sizeBytes === 0) return SS_DISABLE | kept;
  return (onStack ? SS_ONSTACK : 0) | kept;
}

/** A signal that has become ignored is no longer pending anywhere in the process. */
function flushPending(group: ThreadGroup, signal: number): void {
  group.shared.flush(signal);
  for (const task of group.threads) {
    processOf(task).pending.flush(signal);
    recalculatePending(task);
  }
}

function* writeSet(k: Context, call: Syscall, index: number, lo: number, hi: number): Work<number> {
  const data = new Words(k, 1);
  data.setHalves(0, lo, hi);
  return yield* writeBytes(k, pointerArgument(call, index), data.bytes);
}
