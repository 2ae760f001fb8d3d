/**
 * Sending signals (kernel/signal.c): what is dropped at once, which thread gets a signal of the process, and when a
 * signal ends the process before any thread has seen it. Plain functions: each runs between two scheduling points.
 *
 * Simplification: no permission checks (everybody is root) and no protection of the first process: a signal that ends
 * a process by default ends it too.
 */
import type { Context } from "../context.ts";
import { EAGAIN } from "../errno.ts";
import { wakeUpTask } from "../sched/schedule.ts";
import {
  TASK_INTERRUPTIBLE,
  TASK_WAKEKILL,
  type Task,
  TIF_SIGPENDING,
  taskCpu,
  taskOnCpu,
} from "../sched/task.ts";
import { processOf } from "../tasks/process-state.ts";
import type { ThreadGroup } from "../tasks/thread-group.ts";
import type { SignalInfo } from "./signal-info.ts";
import { defaultAction, SIGCONT, SIGKILL, SIGSTOP } from "./signal-numbers.ts";

/** recalc_sigpending(): sets or clears the flag that sends the return to user mode through the signal work. */
export function recalculatePending(task: Task): void {
  const state = processOf(task);
  const shared = state.group.shared;
  const due =
    state.pending.next(state.blocked) !== 0 ||
    shared.next(state.blocked) !== 0 ||
    state.isKilled ||
    state.group.stopped ||
    state.group.continueDue;
  if (due) task.setFlag(TIF_SIGPENDING);
  else task.clearFlag(TIF_SIGPENDING);
}

/** signal_pending(). @hot */
export function signalPending(task: Task): boolean {
  return (task.flags & TIF_SIGPENDING) !== 0;
}

/** fatal_signal_pending(). */
export function fatalSignalPending(task: Task): boolean {
  return signalPending(task) && task.process !== null && processOf(task).isKilled;
}

/**
 * signal_wake_up(): the task looks at its signals soon, wherever it is.
 * @param reach "killable" also wakes sleeps that only a fatal signal ends
 */
export function signalWakeUp(k: Context, task: Task, reach: "interruptible" | "killable"): void {
  task.setFlag(TIF_SIGPENDING);
  const states = reach === "killable" ? TASK_INTERRUPTIBLE | TASK_WAKEKILL : TASK_INTERRUPTIBLE;
  if (wakeUpTask(k, task, states)) return;
  const cpu = taskCpu.get(k.ram, task.at);
  if (taskOnCpu.get(k.ram, task.at) !== 0 && cpu !== k.cpu.id) k.kernel.arch.entry.sendReschedule(k, cpu);
}

/** A signal for one thread (tkill): 0 or -EAGAIN. */
export function sendToTask(k: Context, task: Task, info: SignalInfo): number {
  if (!prepare(k, task, info.signal)) return 0;
  const result = processOf(task).pending.push(info);
  if (result === "full") return -EAGAIN;
  if (result === "queued") complete(k, task, info.signal, "thread");
  return 0;
}

/** A signal for a process (kill): 0 or -EAGAIN. The process has at least one thread. */
export function sendToGroup(k: Context, group: ThreadGroup, info: SignalInfo): number {
  const task = group.threads[0];
  if (task === undefined || !prepare(k, task, info.signal)) return 0;
  const result = group.shared.push(info);
  if (result === "full") return -EAGAIN;
  if (result === "queued") complete(k, task, info.signal, "process");
  return 0;
}

/**
 * force_sig_info(): a signal that the task cannot escape. If it is blocked or ignored, it ends the process.
 * @param how "exit": it does so even if there is a handler (force_fatal_sig())
 */
export function forceToTask(k: Context, task: Task, info: SignalInfo, how: "deliver" | "exit"): void {
  const state = processOf(task);
  const blocked = state.blocked.has(info.signal);
  if (blocked || state.actions.isIgnored(info.signal) || how === "exit") {
    state.actions.reset(info.signal);
    if (blocked) state.blocked.delete(info.signal);
  }
  if (state.pending.push(info) === "full") {
    state.pending.clear();
    state.pending.push(info);
  }
  complete(k, task, info.signal, "thread");
}

/** zap_other_threads() and its kin: the process ends with a wait status; threads find out as soon as they look. */
export function startGroupExit(k: Context, group: ThreadGroup, exitCode: number): void {
  if (group.groupExit) return;
  group.groupExit = true;
  group.exitCode = exitCode;
  group.stopped = false;
  group.continued = false;
  group.continueDue = false;
  for (const task of group.threads) {
    if (processOf(task).exiting) continue;
    processOf(task).pending.markKilled();
    signalWakeUp(k, task, "killable");
  }
}

/** prepare_signal(): stop and continue signals cancel each other; false: the signal has no effect. */
function prepare(k: Context, task: Task, signal: number): boolean {
  const state = processOf(task);
  const group = state.group;
  if (group.groupExit) return signal === SIGKILL;
  if (defaultAction(signal) === "stop") flushEverywhere(group, (other) => other === SIGCONT);
  if (signal === SIGCONT) {
    flushEverywhere(group, (other) => defaultAction(other) === "stop");
    resume(k, group);
  }
  if (state.blocked.has(signal)) return true;
  return !state.actions.discards(signal);
}

function flushEverywhere(group: ThreadGroup, which: (signal: number) => boolean): void {
  const queues = [group.shared, ...group.threads.map((task) => processOf(task).pending)];
  for (const queue of queues) {
    for (const signal of queue.set.signals()) if (which(signal)) queue.flush(signal);
  }
}

function resume(k: Context, group: ThreadGroup): void {
  if (!group.stopped) return;
  group.stopped = false;
  group.stopReported = false;
  group.continued = true;
  group.continueDue = true;
  for (const task of group.threads) signalWakeUp(k, task, "killable");
}

/** complete_signal(): chooses the thread that takes a signal, and ends the process at once if that is its effect. */
function complete(k: Context, task: Task, signal: number, target: "thread" | "process"): void {
  const group = processOf(task).group;
  const takes =
    wants(task, signal) || target === "thread" ? task : group.threads.find((other) => wants(other, signal));
  if (takes === undefined || !wants(takes, signal)) return;
  const isFatal = processOf(takes).actions.isDefault(signal) && defaultAction(signal) === "terminate";
  if (isFatal && !group.groupExit) startGroupExit(k, group, signal);
  else signalWakeUp(k, takes, signal === SIGKILL ? "killable" : "interruptible");
}

/** wants_signal(). */
function wants(task: Task, signal: number): boolean {
  const state = processOf(task);
  if (state.blocked.has(signal) || state.exiting) return false;
  if (signal === SIGKILL) return true;
  return !state.group.stopped || signal === SIGSTOP;
}
