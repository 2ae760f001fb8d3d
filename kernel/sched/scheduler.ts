/**
 * Tasks and run queues of the machine. Fair by virtual run time, in the manner of CFS (Documentation/scheduler/
 * sched-design-CFS.rst) with equal weights: the runnable task that has had the least is next, a newcomer starts at the
 * queue's floor, and a slice is the latency target divided by the runnable tasks. Load is balanced where tasks are
 * placed (fork, wake-up) and where a core would go idle. No step depends on anything but the order of events.
 */
import { CpuSet } from "../cpu-set.ts";
import type { Kernel } from "../kernel.ts";
import { type KPtr, NULL } from "../struct.ts";
import { RunQueue } from "./run-queue.ts";
import { Task, taskCpu, taskOnCpu } from "./task.ts";

/** HZ: ticks per second of virtual time. */
export const HZ = 250;
/** sysctl_sched_latency and sysctl_sched_min_granularity, in microseconds. */
const LATENCY_US = 6000;
const MIN_GRANULARITY_US = 750;
const WAKEUP_GRANULARITY_US = 1000;
/** Largest pid, as /proc/sys/kernel/pid_max starts. */
export const PID_MAX = 32768;
const RESERVED_PIDS = 300;

export interface SavedTask {
  pid: number;
  tgid: number;
  at: number;
  cpu: number;
  comm: string;
  affinity: number[];
  vruntime: number;
  execStart: number;
  sumExec: number;
  queued: boolean;
  nvcsw: number;
  nivcsw: number;
  savedSp: number;
  started: boolean;
  released: boolean;
  returnsBySyscall: boolean;
  userRegisters: number[];
}

interface SavedQueue {
  current: number;
  queue: number[];
  minVruntime: number;
  timers: { atCycles: number; pid: number }[];
  tickAt: number | null;
  armedAt: number | null;
  ticks: number;
  switches: number;
  idle: SavedTask;
}

interface SavedScheduler {
  nextPid: number;
  tasks: SavedTask[];
  queues: SavedQueue[];
}

export class Scheduler {
  readonly kernel: Kernel;
  readonly queues: RunQueue[] = [];
  /** Cores that have started. */
  readonly online: CpuSet = new CpuSet();
  readonly tickCycles: number;
  readonly latencyCycles: number;
  readonly minGranularityCycles: number;
  readonly wakeupGranularityCycles: number;
  readonly #tasks = new Map<number, Task>();
  #nextPid = 1;
  /** The tasks of the state that was saved or restored last: whoever goes back to it again finds the same objects. */
  #kept: { readonly state: SavedScheduler; readonly tasks: readonly Task[] } | null = null;

  constructor(kernel: Kernel) {
    const perSecond = kernel.platform.cyclesPerSecond;
    this.kernel = kernel;
    this.tickCycles = Math.floor(perSecond / HZ);
    this.latencyCycles = Math.floor((perSecond / 1e6) * LATENCY_US);
    this.minGranularityCycles = Math.floor((perSecond / 1e6) * MIN_GRANULARITY_US);
    this.wakeupGranularityCycles = Math.floor((perSecond / 1e6) * WAKEUP_GRANULARITY_US);
    kernel.register("sched", this);
  }

  /** Adds a core with its idle task. Cores are added in order of their numbers. */
  addCore(idle: Task): void {
    const cpu = this.queues.length;
    const queue = new RunQueue(cpu, idle);
    taskOnCpu.set(this.kernel.ram, idle.at, 1);
    idle.queued = true;
    this.queues.push(queue);
  }

  /** All tasks but the idle ones, by pid. */
  tasks(): IterableIterator<Task> {
    return this.#tasks.values();
  }

  taskByPid(pid: number): Task | null {
    return this.#tasks.get(pid) ?? null;
  }

  /** alloc_pid(): the next free pid, cyclically; -1 if there is none. */
  allocPid(): number {
    for (let tries = 0; tries < PID_MAX; tries++) {
      const pid = this.#nextPid;
      this.#nextPid = pid + 1 >= PID_MAX ? RESERVED_PIDS : pid + 1;
      if (!this.#tasks.has(pid)) return pid;
    }
    return -1;
  }

  /**
   * A new task that has not run. Its user frame is written by the caller before wakeUpNewTask.
   * @param options.stack from MemorySubsystem.allocStack
   */
  newTask(options: { pid: number; tgid: number; stack: KPtr; cpu: number; comm: string }): Task {
    const cpu = this.kernel.platform.cpus[options.cpu]!;
    const task = new Task(this.kernel, { ...options, cpu, kind: "user" });
    this.#tasks.set(task.pid, task);
    return task;
  }

  /** release_task(): the pid is free again. The stack goes when the task is off its core, or now. */
  forget(task: Task): void {
    this.#tasks.delete(task.pid);
    task.released = true;
  }

  /** The core that a waking or new task goes to (select_task_rq_fair). */
  placeTask(task: Task, reason: "wake" | "fork"): number {
    const ram = this.kernel.ram;
    const previous = taskCpu.get(ram, task.at);
    if (taskOnCpu.get(ram, task.at) !== 0) return previous;
    const allowed = task.affinity;
    const mayStay = allowed.has(previous) && this.online.has(previous);
    if (mayStay && this.queues[previous]!.isIdle) return previous;
    const cores = this.queues.length;
    let best = -1;
    let bestLoad = Infinity;
    for (let step = 0; step < cores; step++) {
      const cpu = (previous + step) % cores;
      if (!allowed.has(cpu) || !this.online.has(cpu)) continue;
      const queue = this.queues[cpu]!;
      if (queue.isIdle) return cpu;
      if (queue.load < bestLoad) {
        best = cpu;
        bestLoad = queue.load;
      }
    }
    return reason === "wake" && mayStay ? previous : best;
  }

  /** activate_task(): puts a runnable task on a queue. */
  enqueue(task: Task, cpu: number, credit: number): void {
    const queue = this.queues[cpu]!;
    const from = taskCpu.get(this.kernel.ram, task.at);
    if (from !== cpu && from < this.queues.length) {
      task.vruntime += queue.minVruntime - this.queues[from]!.minVruntime;
    }
    task.vruntime = Math.max(task.vruntime, queue.minVruntime - credit);
    task.queued = true;
    taskCpu.set(this.kernel.ram, task.at, cpu);
    queue.queue.push(task);
  }

  /** Takes a waiting task off its queue. */
  dequeue(task: Task): void {
    const queue = this.queues[taskCpu.get(this.kernel.ram, task.at)]!.queue;
    const index = queue.indexOf(task);
    if (index >= 0) queue.splice(index, 1);
    task.queued = false;
  }

  /** Charges the current task of a queue for the time since it was last looked at (update_curr). @hot */
  account(queue: RunQueue, clock: number): void {
    const task = queue.current;
    const delta = clock - task.execStart;
    if (delta <= 0) return;
    task.execStart = clock;
    if (task.idle) return;
    task.vruntime += delta;
    task.sumExec += delta;
    let floor = task.vruntime;
    for (let index = 0; index < queue.queue.length; index++) {
      floor = Math.min(floor, queue.queue[index]!.vruntime);
    }
    if (floor > queue.minVruntime) queue.minVruntime = floor;
  }

  /** The waiting task that has had the least, or null; it stays on the queue. */
  best(queue: RunQueue): Task | null {
    let best: Task | null = null;
    for (let index = 0; index < queue.queue.length; index++) {
      const task = queue.queue[index]!;
      if (best === null || task.vruntime < best.vruntime) best = task;
    }
    return best;
  }

  /** newidle_balance(): a task that waits on the busiest core and may run on this one moves over; false: none. */
  pull(queue: RunQueue): boolean {
    let busiest: RunQueue | null = null;
    for (let step = 1; step < this.queues.length; step++) {
      const other = this.queues[(queue.cpu + step) % this.queues.length]!;
      if (other.queue.length > (busiest?.queue.length ?? 0) && this.movable(other, queue.cpu) !== null) {
        busiest = other;
      }
    }
    const task = busiest === null ? null : this.movable(busiest, queue.cpu);
    if (task === null) return false;
    this.dequeue(task);
    this.enqueue(task, queue.cpu, 0);
    return true;
  }

  /** A task of `other` that may move to `cpu`: not one whose switch is unfinished there. */
  movable(other: RunQueue, cpu: number): Task | null {
    for (const task of other.queue) {
      if (task.affinity.has(cpu) && taskOnCpu.get(this.kernel.ram, task.at) === 0) return task;
    }
    return null;
  }

  /** The core with the fewest runnable tasks, if they are at least two fewer and one from here may go there. */
  lighterCore(queue: RunQueue): RunQueue | null {
    let lightest: RunQueue | null = null;
    for (let step = 1; step < this.queues.length; step++) {
      const other = this.queues[(queue.cpu + step) % this.queues.length]!;
      if (!this.online.has(other.cpu) || other.load > queue.load - 2) continue;
      if (lightest !== null && other.load >= lightest.load) continue;
      if (this.movable(queue, other.cpu) !== null) lightest = other;
    }
    return lightest;
  }

  /** pick_next_task(): the task to run next, the current one included if it is still runnable; the idle task if none. */
  pickNext(queue: RunQueue, currentRunnable: boolean): Task {
    if (!currentRunnable && queue.queue.length === 0) this.pull(queue);
    const waiting = this.best(queue);
    if (!currentRunnable) return waiting ?? queue.idle;
    const current = queue.current;
    return waiting !== null && waiting.vruntime < current.vruntime ? waiting : current;
  }

  /** Time that the current task may run while others wait (sched_slice). */
  sliceCycles(queue: RunQueue): number {
    return Math.max(Math.floor(this.latencyCycles / queue.load), this.minGranularityCycles);
  }

  save(): SavedScheduler {
    const state: SavedScheduler = {
      nextPid: this.#nextPid,
      tasks: Array.from(this.#tasks.values(), saveTask),
      queues: this.queues.map((queue) => ({
        current: queue.current.pid,
        queue: queue.queue.map((task) => task.pid),
        minVruntime: queue.minVruntime,
        timers: queue.timers.map((timer) => ({ ...timer })),
        tickAt: finite(queue.tickAt),
        armedAt: finite(queue.armedAt),
        ticks: queue.ticks,
        switches: queue.switches,
        idle: saveTask(queue.idle),
      })),
    };
    this.#kept = { state, tasks: [...this.#tasks.values()] };
    return state;
  }

  /** Guest RAM has been restored already; the cores exist. */
  restore(state: unknown): void {
    const saved = state as SavedScheduler;
    this.#nextPid = saved.nextPid;
    if (this.#kept?.state !== saved) this.#kept = { state: saved, tasks: this.#tasksOf(saved) };
    const { tasks } = this.#kept;
    this.#tasks.clear();
    for (let index = 0; index < tasks.length; index++) {
      restoreTask(tasks[index]!, saved.tasks[index]!, this.kernel);
      this.#tasks.set(tasks[index]!.pid, tasks[index]!);
    }
    for (let cpu = 0; cpu < saved.queues.length; cpu++)
      this.#restoreQueue(this.queues[cpu]!, saved.queues[cpu]!);
  }

  #restoreQueue(queue: RunQueue, saved: SavedQueue): void {
    restoreTask(queue.idle, saved.idle, this.kernel);
    queue.current = saved.current === 0 ? queue.idle : this.#tasks.get(saved.current)!;
    queue.queue.length = 0;
    for (const pid of saved.queue) queue.queue.push(this.#tasks.get(pid)!);
    queue.minVruntime = saved.minVruntime;
    queue.timers.length = 0;
    for (const timer of saved.timers) queue.timers.push({ ...timer });
    queue.tickAt = saved.tickAt ?? Infinity;
    queue.armedAt = saved.armedAt ?? Infinity;
    queue.ticks = saved.ticks;
    queue.switches = saved.switches;
    queue.previous = null;
    queue.unfinishedSwitch = false;
    queue.previousMm = NULL;
    queue.migrate = null;
    this.kernel.current[queue.cpu] = queue.current.context;
    queue.current.context.cpu = this.kernel.platform.cpus[queue.cpu]!;
  }

  /** The tasks of a state: those that live still, and new objects for the others. */
  #tasksOf(saved: SavedScheduler): Task[] {
    return saved.tasks.map((entry) => {
      const task = this.#tasks.get(entry.pid);
      return task !== undefined && task.at === entry.at ? task : this.#rebuilt(entry);
    });
  }

  #rebuilt(entry: SavedTask): Task {
    return new Task(this.kernel, {
      pid: entry.pid,
      tgid: entry.tgid,
      stack: entry.at as KPtr,
      cpu: this.kernel.platform.cpus[entry.cpu]!,
      comm: entry.comm,
      kind: "user",
      state: "restored",
    });
  }
}

function saveTask(task: Task): SavedTask {
  return {
    pid: task.pid,
    tgid: task.tgid,
    at: task.at,
    cpu: taskCpu.get(task.ram, task.at),
    comm: task.comm,
    affinity: task.affinity.save(),
    vruntime: task.vruntime,
    execStart: task.execStart,
    sumExec: task.sumExec,
    queued: task.queued,
    nvcsw: task.nvcsw,
    nivcsw: task.nivcsw,
    savedSp: task.savedSp,
    started: task.started,
    released: task.released,
    returnsBySyscall: task.returnsBySyscall,
    userRegisters: Array.from(task.userRegisters),
  };
}

function restoreTask(task: Task, saved: SavedTask, kernel: Kernel): void {
  task.comm = saved.comm;
  task.affinity.words.set(saved.affinity);
  task.vruntime = saved.vruntime;
  task.execStart = saved.execStart;
  task.sumExec = saved.sumExec;
  task.queued = saved.queued;
  task.nvcsw = saved.nvcsw;
  task.nivcsw = saved.nivcsw;
  task.savedSp = saved.savedSp;
  task.started = saved.started;
  task.released = saved.released;
  task.returnsBySyscall = saved.returnsBySyscall;
  task.rcuWaiting = false;
  task.userRegisters.set(saved.userRegisters);
  task.context.cpu = kernel.platform.cpus[saved.cpu]!;
  task.context.reset();
}

function finite(cycles: number): number | null {
  return cycles === Infinity ? null : cycles;
}
