/** New threads and processes (kernel/fork.c): clone flags, what is copied and what is shared. */
import type { Context, Work } from "../context.ts";
import { COST_ATOMIC, COST_STEP } from "../costs.ts";
import { EAGAIN, EINVAL, ENOMEM, ERESTARTNOINTR } from "../errno.ts";
import { dropUsersOfMm, duplicateMm, grabUsersOfMm } from "../mm/index.ts";
import { wakeUpNewTask } from "../sched/schedule.ts";
import { TASK_KILLABLE, type Task } from "../sched/task.ts";
import { waitEvent } from "../sched/wait-queue.ts";
import { signalPending } from "../signal/send.ts";
import { SIGCHLD, SS_DISABLE } from "../signal/signal-numbers.ts";
import { type KPtr, NULL } from "../struct.ts";
import { putUser32 } from "../user-access.ts";
import { ProcessState, processOf } from "./process-state.ts";
import { ThreadGroup } from "./thread-group.ts";
import { isNullPointer, type UserPointer } from "./user-pointer.ts";

/** include/uapi/linux/sched.h. */
export const CSIGNAL = 0xff;
export const CLONE_VM = 0x100;
export const CLONE_FS = 0x200;
export const CLONE_FILES = 0x400;
export const CLONE_SIGHAND = 0x800;
export const CLONE_PIDFD = 0x1000;
export const CLONE_VFORK = 0x4000;
export const CLONE_PARENT = 0x8000;
export const CLONE_THREAD = 0x1_0000;
export const CLONE_NEWNS = 0x2_0000;
export const CLONE_SETTLS = 0x8_0000;
export const CLONE_PARENT_SETTID = 0x10_0000;
export const CLONE_CHILD_CLEARTID = 0x20_0000;
export const CLONE_CHILD_SETTID = 0x100_0000;
/** Namespaces of every kind (CLONE_NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET and NEWNS). */
const CLONE_NAMESPACES: number = 0x7e00_0000 | CLONE_NEWNS;

/** Threads in all (max_threads): a bound, not a promise of memory. */
const MAX_TASKS = 16384;

export interface CloneArguments {
  /** CLONE_*, with the exit signal in the low byte. */
  readonly flags: number;
  /** The child's stack pointer; null pointer: the parent's. */
  readonly stack: UserPointer;
  readonly parentTid: UserPointer;
  readonly childTid: UserPointer;
  readonly tls: UserPointer;
}

/** kernel_clone(): the child's pid, or a negative errno. */
export function* cloneTask(k: Context, args: CloneArguments): Work<number> {
  const { flags } = args;
  const invalid = checkFlags(flags);
  if (invalid !== 0) return invalid;
  if (signalPending(k.task!)) return -ERESTARTNOINTR;
  const child = yield* copyProcess(k, args);
  if (typeof child === "number") return child;
  const pid = child.pid;
  if ((flags & CLONE_PARENT_SETTID) !== 0) yield* putUser32(k, args.parentTid.lo, args.parentTid.hi, pid);
  const group = processOf(child).group;
  if ((flags & CLONE_VFORK) !== 0) group.vforkDone = false;
  k.kernel.platform.trace(k.cpu.id, "clone", pid, flags);
  wakeUpNewTask(k, child);
  if ((flags & CLONE_VFORK) !== 0) {
    yield* waitEvent(k, group.vforkWaiters, TASK_KILLABLE, () => group.vforkDone);
  }
  return pid;
}

function checkFlags(flags: number): number {
  const has = (bits: number): boolean => (flags & bits) === bits;
  if ((flags & CLONE_NAMESPACES) !== 0) return -EINVAL;
  if (has(CLONE_THREAD) && !has(CLONE_SIGHAND)) return -EINVAL;
  if (has(CLONE_SIGHAND) && !has(CLONE_VM)) return -EINVAL;
  if (has(CLONE_PIDFD)) return -EINVAL;
  return 0;
}

/** copy_process(): everything but the start. */
function* copyProcess(k: Context, args: CloneArguments): Work<Task | number> {
  const { flags } = args;
  const parent = k.task!;
  const own = processOf(parent);
  const table = own.group.table;
  const sched = k.kernel.sched;
  if (k.point(COST_STEP)) yield;
  if ([...sched.tasks()].length >= MAX_TASKS) return -EAGAIN;
  const stack = yield* k.kernel.memory.allocStack(k);
  if (stack === NULL) return -ENOMEM;
  const mm = yield* copyMm(k, flags);
  if (mm === NULL) {
    yield* k.kernel.memory.freeStack(k, stack);
    return -ENOMEM;
  }
  const pid = table.allocatePid();
  if (pid < 0 || own.isKilled) {
    yield* dropUsersOfMm(k, mm);
    yield* k.kernel.memory.freeStack(k, stack);
    return pid < 0 ? -EAGAIN : -ERESTARTNOINTR;
  }
  const isThread = (flags & CLONE_THREAD) !== 0;
  const tgid = isThread ? own.group.tgid : pid;
  const child = sched.newTask({ pid, tgid, stack, cpu: k.cpu.id, comm: parent.comm });
  child.affinity.copyFrom(parent.affinity);
  child.mm = mm;
  child.activeMm = mm;
  const group = isThread ? own.group : newGroup(k, own.group, pid, flags);
  const state = copyState(child, own, group, args);
  child.process = state;
  group.threads.push(child);
  k.kernel.arch.process.startChild(k, own.call.frame, child, {
    stack: isNullPointer(args.stack) ? null : args.stack,
    tls: (flags & CLONE_SETTLS) === 0 ? null : args.tls,
  });
  return child;
}

function* copyMm(k: Context, flags: number): Work<KPtr> {
  const mm = k.task!.mm;
  if ((flags & CLONE_VM) === 0) return yield* duplicateMm(k, mm);
  if (k.point(COST_ATOMIC)) yield;
  grabUsersOfMm(k, mm);
  return mm;
}

function newGroup(k: Context, own: ThreadGroup, pid: number, flags: number): ThreadGroup {
  const isSibling = (flags & CLONE_PARENT) !== 0;
  const group = new ThreadGroup({
    table: own.table,
    tgid: pid,
    parent: isSibling ? own.parent : own,
    exitSignal: isSibling ? own.exitSignal : flags & CSIGNAL,
    image: own.image,
    limits: own.limits,
    startCycles: own.table.clock.cycles(k),
  });
  group.pgid = own.pgid;
  group.sid = own.sid;
  group.parent?.children.push(group);
  own.table.groups.set(pid, group);
  return group;
}

function copyState(child: Task, own: ProcessState, group: ThreadGroup, args: CloneArguments): ProcessState {
  const { flags } = args;
  const actions = (flags & CLONE_SIGHAND) !== 0 ? own.actions : own.actions.clone();
  const files = (flags & CLONE_FILES) !== 0 ? own.files!.share() : own.files!.clone();
  const state = new ProcessState(child, group, actions, files);
  state.blocked.assign(own.blocked.lo, own.blocked.hi);
  // A thread that shares memory but is no vfork child must not run on its parent's alternate stack.
  if ((flags & (CLONE_VM | CLONE_VFORK)) !== CLONE_VM) Object.assign(state.altStack, own.altStack);
  else state.altStack.flags = SS_DISABLE;
  if ((flags & CLONE_CHILD_SETTID) !== 0) state.setChildTid = args.childTid;
  if ((flags & CLONE_CHILD_CLEARTID) !== 0) state.clearChildTid = args.childTid;
  return state;
}

/** fork(): a child with a copy of everything. */
export function* forkTask(k: Context): Work<number> {
  const none: UserPointer = { lo: 0, hi: 0 };
  return yield* cloneTask(k, { flags: SIGCHLD, stack: none, parentTid: none, childTid: none, tls: none });
}

/** vfork(): a child on the parent's memory; the parent sleeps until the child lets go of it. */
export function* vforkTask(k: Context): Work<number> {
  const none: UserPointer = { lo: 0, hi: 0 };
  const flags = CLONE_VFORK | CLONE_VM | SIGCHLD;
  return yield* cloneTask(k, { flags, stack: none, parentTid: none, childTid: none, tls: none });
}
