/**
 * Delivery of signals on the return to user mode: get_signal(), handle_signal() and the restart of interrupted system
 * calls (kernel/signal.c, arch_do_signal_or_restart()).
 */
import type { Context, Work } from "../context.ts";
import { COST_STEP } from "../costs.ts";
import { EINTR, ERESTART_RESTARTBLOCK, ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS } from "../errno.ts";
import { schedule } from "../sched/schedule.ts";
import { TASK_KILLABLE, TASK_RUNNING, TIF_NOTIFY_RESUME } from "../sched/task.ts";
import type { KPtr } from "../struct.ts";
import { groupExit } from "../tasks/exit.ts";
import { notifyParentOfJob } from "../tasks/family.ts";
import { type ProcessState, processOf } from "../tasks/process-state.ts";
import type { SignalDelivery } from "./delivery-record.ts";
import { reportFault } from "./fault-report.ts";
import { forceToTask, recalculatePending, signalPending } from "./send.ts";
import { signalInfo } from "./signal-info.ts";
import {
  CLD_CONTINUED,
  CLD_STOPPED,
  defaultAction,
  SA_NODEFER,
  SA_RESETHAND,
  SA_RESTART,
  SI_KERNEL,
  SIGCONT,
  SIGSEGV,
  SS_AUTODISARM,
  SS_DISABLE,
} from "./signal-numbers.ts";

/** Does everything that signals make due before the return to user mode. Interrupts on; no locks. */
export function* deliverSignals(k: Context, frame: KPtr): Work {
  const task = k.task!;
  task.clearFlag(TIF_NOTIFY_RESUME);
  while (signalPending(task)) {
    if (k.point(COST_STEP)) yield;
    const delivery = yield* nextDelivery(k, frame);
    if (delivery === null) {
      restartWithoutHandler(k, frame, processOf(task));
      return;
    }
    yield* enterHandler(k, frame, delivery);
  }
  const state = processOf(task);
  if (state.savedMask !== null) restoreSavedMask(state);
}

/** get_signal(): the next signal that has a handler; null: none is pending any more. Does not return if the task ends. */
function* nextDelivery(k: Context, frame: KPtr): Work<SignalDelivery | null> {
  const task = k.task!;
  const state = processOf(task);
  const group = state.group;
  for (;;) {
    if (group.groupExit) yield* groupExit(k, group.exitCode);
    if (group.stopped) {
      yield* waitWhileStopped(k, state);
      continue;
    }
    if (group.continueDue) {
      group.continueDue = false;
      notifyParentOfJob(k, group, CLD_CONTINUED, SIGCONT);
      continue;
    }
    const own = state.pending.next(state.blocked);
    const signal = own !== 0 ? own : group.shared.next(state.blocked);
    if (signal === 0) {
      recalculatePending(task);
      return null;
    }
    const info = (own !== 0 ? state.pending : group.shared).take(signal);
    if (state.actions.isIgnored(signal)) continue;
    if (state.actions.hasHandler(signal)) {
      const action = { ...state.actions.get(signal) };
      if ((action.flags & SA_RESETHAND) !== 0) state.actions.reset(signal);
      const mask = state.savedMask ?? state.blocked;
      recalculatePending(task);
      return { info, action, maskLo: mask.lo, maskHi: mask.hi, altStack: state.altStack, fault: state.fault };
    }
    const action = defaultAction(signal);
    if (action === "stop") {
      group.stopped = true;
      group.stopReported = false;
      group.stopSignal = signal;
      group.continued = false;
      for (const other of group.threads) recalculatePending(other);
      notifyParentOfJob(k, group, CLD_STOPPED, signal);
    } else if (action === "terminate" || action === "core") {
      if (state.fault.reportDue) yield* reportFault(k, frame);
      yield* groupExit(k, signal);
    }
  }
}

/** do_signal_stop(): the thread waits until the process continues or is killed. */
function* waitWhileStopped(k: Context, state: ProcessState): Work {
  const task = k.task!;
  while (state.group.stopped && !state.isKilled) {
    task.state = TASK_KILLABLE;
    yield* schedule(k);
  }
  task.state = TASK_RUNNING;
  recalculatePending(task);
}

/** handle_signal(): makes the handler run next. */
function* enterHandler(k: Context, frame: KPtr, delivery: SignalDelivery): Work {
  const task = k.task!;
  const state = processOf(task);
  const arch = k.kernel.arch.process;
  const { info, action } = delivery;
  if (task.returnsBySyscall && arch.syscallNumber(k.ram, frame) >= 0) {
    const result = -arch.resultLo(k.ram, frame);
    if (result === ERESTARTNOINTR || (result === ERESTARTSYS && (action.flags & SA_RESTART) !== 0)) {
      arch.restartSyscall(k.ram, frame);
    } else if (isRestart(result)) {
      arch.setResult(k.ram, frame, -EINTR, -1);
    }
  }
  state.restart = null;
  if (!(yield* arch.pushSignalFrame(k, frame, delivery))) {
    forceToTask(k, task, signalInfo(SIGSEGV, SI_KERNEL), info.signal === SIGSEGV ? "exit" : "deliver");
    return;
  }
  state.savedMask = null;
  if ((state.altStack.flags & SS_AUTODISARM) !== 0) {
    Object.assign(state.altStack, { lo: 0, hi: 0, sizeBytes: 0, flags: SS_DISABLE });
  }
  state.blocked.assign(state.blocked.lo | action.maskLo, state.blocked.hi | action.maskHi);
  if ((action.flags & SA_NODEFER) === 0) state.blocked.add(info.signal);
  state.blocked.dropUnblockable();
  recalculatePending(task);
}

/** No handler ran: the call goes on as if nothing had happened. */
function restartWithoutHandler(k: Context, frame: KPtr, state: ProcessState): void {
  const arch = k.kernel.arch.process;
  if (state.task.returnsBySyscall && arch.syscallNumber(k.ram, frame) >= 0) {
    const result = -arch.resultLo(k.ram, frame);
    if (result === ERESTART_RESTARTBLOCK) arch.restartBySyscall(k.ram, frame);
    else if (isRestart(result)) arch.restartSyscall(k.ram, frame);
  }
  if (state.savedMask !== null) restoreSavedMask(state);
}

function isRestart(result: number): boolean {
  return (
    result === ERESTARTSYS ||
    result === ERESTARTNOINTR ||
    result === ERESTARTNOHAND ||
    result === ERESTART_RESTARTBLOCK
  );
}

function restoreSavedMask(state: ProcessState): void {
  state.blocked.assign(state.savedMask!.lo, state.savedMask!.hi);
  state.savedMask = null;
  recalculatePending(state.task);
}
