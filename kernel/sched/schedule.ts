/**
 * Giving up the core, and waking others (kernel/sched/core.c). A switch has two halves: the outgoing side picks, makes
 * the next task's context current and stops; the run loop then drives the incoming task, whose first work is
 * finishTaskSwitch: address space, release of the previous task, first steps of a new one.
 *
 * Kernel code is not preempted (PREEMPT_VOLUNTARY): a task gives way when it sleeps, at condResched, and on its way to
 * user mode.
 */
import type { Context, Work } from "../context.ts";
import { COST_ACCESS, COST_CONTEXT_SWITCH, COST_IRQ_MASK, COST_STEP } from "../costs.ts";
import { mightSleep } from "../locking/lockdep.ts";
import { NULL } from "../struct.ts";
import { updateTimer } from "./core-timer.ts";
import type { RunQueue } from "./run-queue.ts";
import {
  TASK_DEAD,
  TASK_INTERRUPTIBLE,
  TASK_RUNNING,
  TASK_WAKEKILL,
  type Task,
  TIF_NEED_RESCHED,
  taskCpu,
  taskOnCpu,
} from "./task.ts";

/** schedule(): lets another task run; returns when this one is chosen again, perhaps on another core. */
export function* schedule(k: Context): Work {
  mightSleep(k);
  if (k.point(COST_IRQ_MASK)) yield;
  k.cpu.setInterruptsEnabled(false);
  if (k.point(COST_CONTEXT_SWITCH)) yield;
  if (switchAway(k, "sleep")) {
    yield;
  } else {
    k.cpu.setInterruptsEnabled(true);
    if (k.point(COST_IRQ_MASK)) yield;
  }
}

/** cond_resched(): gives way if the core's time is up. */
export function* condResched(k: Context): Work {
  if (k.point(COST_ACCESS)) yield;
  if ((k.task!.flags & TIF_NEED_RESCHED) !== 0) yield* schedule(k);
}

/** sched_yield(): goes behind every task that waits on this core. */
export function* yieldTask(k: Context): Work {
  const sched = k.kernel.sched;
  const queue = sched.queues[k.cpu.id]!;
  sched.account(queue, k.cpu.clock);
  for (const task of queue.queue) k.task!.vruntime = Math.max(k.task!.vruntime, task.vruntime + 1);
  yield* schedule(k);
}

/**
 * The outgoing half, with interrupts off: picks the next task and makes it current; false: nothing to switch to.
 * @param reason "sleep": a task that is not TASK_RUNNING leaves the queue; "preempt": it stays whatever its state
 */
export function switchAway(k: Context, reason: "sleep" | "preempt"): boolean {
  const kernel = k.kernel;
  const sched = kernel.sched;
  const cpu = k.cpu;
  const queue = sched.queues[cpu.id]!;
  const prev = k.task!;
  sched.account(queue, cpu.clock);
  if (!prev.stackIsIntact()) kernel.panic(k, "corrupted stack end detected inside scheduler");
  prev.clearFlag(TIF_NEED_RESCHED);
  kernel.rcu.contextSwitch(cpu.id);
  let runnable = !prev.idle;
  if (runnable && reason === "sleep" && prev.state !== TASK_RUNNING) {
    if (signalPendingState(prev, prev.state)) prev.state = TASK_RUNNING;
    else runnable = false;
  }
  const mayStay = runnable && prev.affinity.has(cpu.id);
  const next = sched.pickNext(queue, mayStay);
  if (next === prev) {
    updateTimer(k);
    return false;
  }
  if (!next.idle) sched.dequeue(next);
  next.queued = true;
  if (mayStay) {
    queue.queue.push(prev);
    prev.nivcsw++;
  } else if (!prev.idle) {
    prev.queued = false;
    prev.nvcsw++;
  }
  queue.migrate = runnable && !mayStay ? prev : null;
  queue.current = next;
  queue.previous = prev;
  queue.unfinishedSwitch = true;
  queue.switches++;
  next.execStart = cpu.clock;
  next.context.cpu = cpu;
  taskCpu.set(k.ram, next.at, cpu.id);
  taskOnCpu.set(k.ram, next.at, 1);
  kernel.arch.entry.switchRegisters(k, prev, next);
  kernel.current[cpu.id] = next.context;
  kernel.observer?.contextSwitch(k, prev, next);
  kernel.platform.trace(cpu.id, "switch", prev.pid, next.pid);
  return true;
}

/**
 * The incoming half (context_switch, finish_task_switch): with interrupts off at first, on at the end. `k` is the
 * incoming task's context.
 */
export function* finishTaskSwitch(k: Context): Work {
  const kernel = k.kernel;
  const ram = k.ram;
  const queue = kernel.sched.queues[k.cpu.id]!;
  const prev = queue.previous!;
  const next = k.task!;
  queue.unfinishedSwitch = false;
  queue.previous = null;
  const active = prev.activeMm;
  if (next.mm === NULL) {
    next.activeMm = active;
    if (k.point(COST_ACCESS)) yield;
    if (prev.mm !== NULL) kernel.memory.grabMm(k, active);
    else prev.activeMm = NULL;
    if (k.point(COST_ACCESS)) yield;
    kernel.arch.mmu.enterLazyTlb(k, active);
  } else {
    next.activeMm = next.mm;
    yield* kernel.arch.mmu.switchMm(k, active, next.mm);
    if (prev.mm === NULL) {
      queue.previousMm = active;
      prev.activeMm = NULL;
    }
  }
  if (k.point(COST_ACCESS)) yield;
  taskOnCpu.set(ram, prev.at, 0);
  const migrate = queue.migrate;
  queue.migrate = null;
  if (migrate !== null) activate(k, migrate, "wake");
  updateTimer(k);
  const dropped = queue.previousMm;
  queue.previousMm = NULL;
  k.cpu.setInterruptsEnabled(true);
  if (k.point(COST_IRQ_MASK)) yield;
  if (dropped !== NULL) yield* kernel.memory.dropMm(k, dropped);
  if ((prev.state & TASK_DEAD) !== 0) {
    prev.context.reset();
    if (prev.released) yield* kernel.memory.freeStack(k, prev.at);
  }
  if (!next.started) {
    next.started = true;
    if (!next.idle) yield* kernel.process.scheduleTail(k);
  }
}

/** try_to_wake_up(): makes the task runnable if its state is in `states`; true if it was asleep. */
export function wakeUpTask(k: Context, task: Task, states: number): boolean {
  const state = task.state;
  if ((state & states) === 0) return false;
  task.state = TASK_RUNNING;
  k.kernel.observer?.taskWoken(k, task);
  k.cpu.charge(COST_STEP);
  if (!task.queued) activate(k, task, "wake");
  return true;
}

/** wake_up_new_task(). */
export function wakeUpNewTask(k: Context, task: Task): void {
  task.state = TASK_RUNNING;
  k.kernel.observer?.taskWoken(k, task);
  const queue = k.kernel.sched.queues[k.cpu.id]!;
  task.vruntime = queue.minVruntime;
  activate(k, task, "fork");
}

/** resched_curr(): the core's current task gives way at its next return to user mode. */
export function reschedule(k: Context, cpu: number): void {
  const queue = k.kernel.sched.queues[cpu]!;
  const current = queue.current;
  if ((current.flags & TIF_NEED_RESCHED) !== 0) return;
  current.setFlag(TIF_NEED_RESCHED);
  if (cpu !== k.cpu.id) k.kernel.arch.entry.sendReschedule(k, cpu);
}

/** sched_setaffinity(): the task moves if it may not stay; the caller reschedules if it is the current one. */
export function setAffinity(k: Context, task: Task, allowed: { readonly words: Int32Array }): void {
  const sched = k.kernel.sched;
  task.affinity.words.set(allowed.words);
  const cpu = taskCpu.get(k.ram, task.at);
  if (task.affinity.has(cpu) || !task.queued) return;
  if (taskOnCpu.get(k.ram, task.at) !== 0) {
    reschedule(k, cpu);
    return;
  }
  sched.dequeue(task);
  activate(k, task, "wake");
}

/** load_balance(), pushing: a task that waits on this core moves to one that has at least two fewer. From the tick. */
export function pushExcess(k: Context): void {
  const sched = k.kernel.sched;
  const queue = sched.queues[k.cpu.id]!;
  const target = sched.lighterCore(queue);
  if (target === null) return;
  const task = sched.movable(queue, target.cpu)!;
  sched.dequeue(task);
  place(k, task, target, 0);
}

/** Puts a runnable task on a queue and lets that core know. */
function activate(k: Context, task: Task, reason: "wake" | "fork"): void {
  const sched = k.kernel.sched;
  const queue = sched.queues[sched.placeTask(task, reason)]!;
  place(k, task, queue, reason === "wake" ? sched.latencyCycles / 2 : 0);
}

function place(k: Context, task: Task, queue: RunQueue, credit: number): void {
  const { sched, arch } = k.kernel;
  sched.account(queue, k.cpu.clock);
  sched.enqueue(task, queue.cpu, credit);
  if (shouldPreempt(k, queue, task)) reschedule(k, queue.cpu);
  else if (queue.cpu !== k.cpu.id && queue.tickAt === Infinity) arch.entry.sendReschedule(k, queue.cpu);
  if (queue.cpu === k.cpu.id) updateTimer(k);
}

/** check_preempt_wakeup(). */
function shouldPreempt(k: Context, queue: RunQueue, task: Task): boolean {
  if (queue.current === queue.idle) return true;
  return queue.current.vruntime - task.vruntime > k.kernel.sched.wakeupGranularityCycles;
}

/** signal_pending_state(): a signal is there that a sleep in this state answers to. */
export function signalPendingState(task: Task, state: number): boolean {
  const process = task.kernel.process;
  if ((state & TASK_INTERRUPTIBLE) !== 0) return process.signalPending(task);
  return (state & TASK_WAKEKILL) !== 0 && process.fatalSignalPending(task);
}
