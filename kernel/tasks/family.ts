/** Parents, children and orphans: what the end of a process means to its family (exit_notify() of kernel/exit.c). */
import type { Context } from "../context.ts";
import { wakeUp } from "../sched/wait-queue.ts";
import { sendToGroup } from "../signal/send.ts";
import { childInfo } from "../signal/signal-info.ts";
import {
  CLD_EXITED,
  CLD_KILLED,
  SA_NOCLDSTOP,
  SA_NOCLDWAIT,
  SIGCHLD,
  SIGNALS,
} from "../signal/signal-numbers.ts";
import { processOf } from "./process-state.ts";
import type { ThreadGroup } from "./thread-group.ts";

/** The last thread of a process has ended: its children get a new parent, its own parent hears of it. */
export function notifyFamily(k: Context, group: ThreadGroup): void {
  const adopter = group.table.init;
  for (const child of group.children.splice(0)) {
    child.parent = adopter === group ? null : adopter;
    child.exitSignal = SIGCHLD;
    if (child.parent === null) continue;
    child.parent.children.push(child);
    if (child.zombie && notifyParent(k, child) === "release") releaseGroup(child);
  }
  group.zombie = true;
  if (notifyParent(k, group) === "release") releaseGroup(group);
}

/** The process is reaped: its pid is free. */
export function releaseGroup(group: ThreadGroup): void {
  group.table.groups.delete(group.tgid);
  const siblings = group.parent?.children;
  if (siblings !== undefined) siblings.splice(siblings.indexOf(group), 1);
  group.parent = null;
}

/** do_notify_parent(); "release": nobody will wait for the process. */
function notifyParent(k: Context, group: ThreadGroup): "keep" | "release" {
  const parent = group.parent;
  if (parent === null) return "release";
  let result: "keep" | "release" = "keep";
  let signal = group.exitSignal;
  const thread = parent.threads[0];
  if (signal === SIGCHLD && thread !== undefined) {
    const actions = processOf(thread).actions;
    if (actions.isIgnored(SIGCHLD) || (actions.get(SIGCHLD).flags & SA_NOCLDWAIT) !== 0) result = "release";
    if (actions.isIgnored(SIGCHLD)) signal = 0;
  }
  if (signal !== 0 && signal <= SIGNALS) {
    const killed = (group.exitCode & 0x7f) !== 0;
    const status = killed ? group.exitCode & 0x7f : group.exitCode >>> 8;
    sendToGroup(k, parent, childInfo(signal, killed ? CLD_KILLED : CLD_EXITED, group.tgid, status));
  }
  wakeUp(k, parent.childWaiters, Infinity);
  return result;
}

/** do_notify_parent_cldstop(): a job-control signal stopped the process, or SIGCONT continued it. @param code CLD_* */
export function notifyParentOfJob(k: Context, group: ThreadGroup, code: number, signal: number): void {
  const parent = group.parent;
  const thread = parent?.threads[0];
  if (parent === null || thread === undefined) return;
  const actions = processOf(thread).actions;
  if (!actions.isIgnored(SIGCHLD) && (actions.get(SIGCHLD).flags & SA_NOCLDSTOP) === 0) {
    sendToGroup(k, parent, childInfo(SIGCHLD, code, group.tgid, signal));
  }
  wakeUp(k, parent.childWaiters, Infinity);
}
