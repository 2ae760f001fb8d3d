/**
 * RCU with real grace periods. The kernel is not preemptible, so a core is inside a read section only between two
 * quiescent states: context switch, user mode, idle. A grace period waits for every core that was in the kernel when it
 * started to pass one; regions with interrupts off and interrupt handlers are therefore readers too. Deferred
 * callbacks are data (a registered kind and one pointer) and run from the softirq-like point of the core that queued
 * them, from the first legal moment on. Documentation/RCU/Design/Requirements/Requirements.rst.
 *
 * Simplifications: one flat set of cores instead of the combining tree, and no grace-period thread: the core that
 * passes the last quiescent state ends the grace period and starts the next one if it is asked for. User mode counts
 * as quiescent without waiting for a tick, as with full context tracking.
 */
import type { Context, Work } from "./context.ts";
import { COST_ACCESS, COST_CALLBACK } from "./costs.ts";
import type { Kernel } from "./kernel.ts";
import { mightSleep } from "./locking/lockdep.ts";
import { updateTimer } from "./sched/core-timer.ts";
import { schedule, wakeUpTask } from "./sched/schedule.ts";
import { TASK_NORMAL, TASK_UNINTERRUPTIBLE } from "./sched/task.ts";
import { type KPtr, kptrOf } from "./struct.ts";

declare const rcuKind: unique symbol;
/** Registered function of deferred callbacks; a number so that waiting callbacks are plain data. */
export type RcuKind = number & { readonly [rcuKind]: true };
/** Runs in the softirq-like point: interrupts on, atomic. */
export type RcuFunction = (k: Context, arg: KPtr) => Work;

interface Callback {
  readonly kind: number;
  readonly arg: number;
  /** Number of the grace period that must have ended. */
  readonly period: number;
}

interface SavedRcu {
  started: number;
  completed: number;
  wanted: number;
  waiting: number[];
  inKernel: number[];
  callbacks: Callback[][];
}

export class Rcu {
  readonly #kernel: Kernel;
  readonly #functions: RcuFunction[] = [];
  readonly #names: string[] = [];
  /** Callbacks per core, in order of queueing. */
  readonly #callbacks: Callback[][] = [];
  /** 1: the running grace period waits for this core. @hot read at every return to user mode */
  readonly waiting: Uint8Array;
  /** 1: the core is in the kernel (neither user mode nor idle). */
  readonly inKernel: Uint8Array;
  #waitingCores = 0;
  /** Grace periods begun and ended, and the highest one asked for. */
  #started = 0;
  #completed = 0;
  #wanted = 0;
  readonly #wake: RcuKind;

  constructor(kernel: Kernel) {
    const cores = kernel.platform.cpus.length;
    this.#kernel = kernel;
    this.waiting = new Uint8Array(cores);
    this.inKernel = new Uint8Array(cores);
    for (let cpu = 0; cpu < cores; cpu++) this.#callbacks.push([]);
    this.#wake = this.register("wakeme_after_rcu", wakeAfterRcu);
    kernel.register("rcu", this);
  }

  /** Registers a function; at start-up, in a fixed order. */
  register(name: string, fn: RcuFunction): RcuKind {
    this.#functions.push(fn);
    this.#names.push(name);
    return (this.#functions.length - 1) as RcuKind;
  }

  /** Grace periods that have ended. */
  get completed(): number {
    return this.#completed;
  }

  /** Callbacks that have not run yet. */
  get pendingCallbacks(): number {
    return this.#callbacks.reduce((sum, list) => sum + list.length, 0);
  }

  /** Callbacks wait on this core, so its tick must run. @hot */
  needsCore(cpu: number): boolean {
    return this.#callbacks[cpu]!.length !== 0;
  }

  /** Callbacks of this core may run now. @hot */
  isReady(cpu: number): boolean {
    const list = this.#callbacks[cpu]!;
    if (list.length === 0) return false;
    this.#kernel.observer?.rcuPolled(cpu);
    return list[0]!.period <= this.#completed;
  }

  /** The core enters the kernel from user mode or idle. @hot */
  enterKernel(cpu: number): void {
    this.inKernel[cpu] = 1;
  }

  /** The core goes to user mode or idle. @hot */
  leaveKernel(cpu: number): void {
    this.inKernel[cpu] = 0;
    this.#kernel.observer?.rcuQuiescent(cpu);
    if (this.waiting[cpu] !== 0) this.#quiescent(cpu);
  }

  /** The core switches tasks. @hot */
  contextSwitch(cpu: number): void {
    this.#kernel.observer?.rcuQuiescent(cpu);
    if (this.waiting[cpu] !== 0) this.#quiescent(cpu);
  }

  /** See callRcu. */
  queue(k: Context, kind: RcuKind, arg: KPtr): void {
    const list = this.#callbacks[k.cpu.id]!;
    const period = this.#started + 1;
    const wasEmpty = list.length === 0;
    list.push({ kind, arg, period });
    this.#kernel.observer?.rcuQueued(k, this.#names[kind]!, arg);
    if (period > this.#wanted) this.#wanted = period;
    if (this.#started === this.#completed) this.#start();
    if (wasEmpty) updateTimer(k);
  }

  /** Runs the callbacks of this core whose grace period has ended; called from the softirq-like point. */
  *runCallbacks(k: Context): Work {
    const list = this.#callbacks[k.cpu.id]!;
    let done = 0;
    this.#kernel.observer?.rcuPolled(k.cpu.id);
    while (done < list.length && list[done]!.period <= this.#completed) {
      const callback = list[done++]!;
      if (k.point(COST_CALLBACK)) yield;
      this.#kernel.observer?.rcuCallback(k, this.#names[callback.kind]!, kptrOf(callback.arg));
      yield* this.#functions[callback.kind]!(k, kptrOf(callback.arg));
      this.#kernel.observer?.rcuPolled(k.cpu.id);
    }
    list.splice(0, done);
  }

  /** synchronize_rcu(). */
  *synchronize(k: Context): Work {
    mightSleep(k);
    if (k.point(COST_ACCESS)) yield;
    if (this.#kernel.sched.online.count() === 1) return;
    const task = k.task!;
    task.state = TASK_UNINTERRUPTIBLE;
    task.rcuWaiting = true;
    this.queue(k, this.#wake, kptrOf(task.pid));
    while (task.rcuWaiting) {
      task.state = TASK_UNINTERRUPTIBLE;
      yield* schedule(k);
    }
  }

  save(): SavedRcu {
    return {
      started: this.#started,
      completed: this.#completed,
      wanted: this.#wanted,
      waiting: Array.from(this.waiting),
      inKernel: Array.from(this.inKernel),
      callbacks: this.#callbacks.map((list) => list.map((callback) => ({ ...callback }))),
    };
  }

  restore(state: unknown): void {
    const saved = state as SavedRcu;
    this.#started = saved.started;
    this.#completed = saved.completed;
    this.#wanted = saved.wanted;
    this.waiting.set(saved.waiting);
    this.inKernel.set(saved.inKernel);
    this.#waitingCores = saved.waiting.reduce((sum, flag) => sum + flag, 0);
    saved.callbacks.forEach((list, cpu) => {
      this.#callbacks[cpu]!.length = 0;
      for (const callback of list) this.#callbacks[cpu]!.push({ ...callback });
    });
  }

  /** A grace period begins: it waits for the cores that are in the kernel now. */
  #start(): void {
    this.#started++;
    this.#waitingCores = 0;
    const online = this.#kernel.sched.online;
    for (let cpu = online.next(0); cpu >= 0; cpu = online.next(cpu + 1)) {
      if (this.inKernel[cpu] === 0) continue;
      this.waiting[cpu] = 1;
      this.#waitingCores++;
    }
    if (this.#waitingCores === 0) this.#end(0);
  }

  #quiescent(cpu: number): void {
    this.waiting[cpu] = 0;
    if (--this.#waitingCores === 0) this.#end(cpu);
  }

  #end(cpu: number): void {
    this.#completed = this.#started;
    this.#kernel.observer?.gracePeriodEnd(cpu);
    this.#kernel.platform.trace(cpu, "rcu-grace-period", this.#completed, 0);
    if (this.#wanted > this.#completed) this.#start();
  }
}

/** rcu_read_lock(). @hot */
export function rcuReadLock(k: Context): void {
  if (k.rcuDepth++ === 0) k.kernel.observer?.rcuReadLock(k);
}

/** rcu_read_unlock(). @hot */
export function rcuReadUnlock(k: Context): void {
  if (--k.rcuDepth === 0) k.kernel.observer?.rcuReadUnlock(k);
}

/** call_rcu(): `kind`'s function is called with `arg` after a grace period. Any context. */
export function callRcu(k: Context, kind: RcuKind, arg: KPtr): void {
  k.kernel.rcu.queue(k, kind, arg);
}

/** synchronize_rcu(): sleeps until a grace period that starts now has ended. */
export function* synchronizeRcu(k: Context): Work {
  yield* k.kernel.rcu.synchronize(k);
}

function* wakeAfterRcu(k: Context, arg: KPtr): Work {
  if (k.point(COST_ACCESS)) yield;
  const task = k.kernel.sched.taskByPid(arg);
  if (task === null) return;
  task.rcuWaiting = false;
  wakeUpTask(k, task, TASK_NORMAL);
}
