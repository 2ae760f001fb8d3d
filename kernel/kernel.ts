/**
 * The kernel: what there is once per machine. It implements the emulator's KernelPort: `enter` when a core executes an
 * enter trap of the kernel text, `run` while a core is inside TypeScript.
 *
 * `run` drives the innermost generator of the core's current context. A generator that is done was a trap handler
 * (then the trap returns) or work put on top of one (then the one below goes on). A task without generators is on its
 * way to user mode; what is due before that (another task's turn, signals) is found there.
 */
import type { Cpu, KernelPort, Platform } from "../emu/hardware.ts";
import type { PhysicalMemory } from "../mmu/index.ts";
import type { ArchPort } from "./arch/port.ts";
import { type AssertionId, assertionIds } from "./assertions.ts";
import type { Context, Work } from "./context.ts";
import { COST_CONTEXT_SWITCH } from "./costs.ts";
import { Counters } from "./counters.ts";
import { type CallFunction, type CallKind, CrossCalls } from "./cross-call.ts";
import { heldLocksText } from "./locking/lockdep.ts";
import { registerPercpuRwsem } from "./locking/percpu-rwsem.ts";
import type { MemorySubsystem } from "./memory-port.ts";
import type { KernelObserver } from "./observer.ts";
import { KernelLog } from "./printk.ts";
import type { ProcessSubsystem } from "./process.ts";
import { Rcu, type RcuKind } from "./rcu.ts";
import { finishTaskSwitch, switchAway } from "./sched/schedule.ts";
import { Scheduler } from "./sched/scheduler.ts";
import { TIF_EXIT_WORK, TIF_NEED_RESCHED } from "./sched/task.ts";
import { type KPtr, NULL } from "./struct.ts";

/** What the command line decides. */
export interface KernelOptions {
  /** Name of the fault design. */
  readonly design: string;
  /** Seed of everything that the kernel randomises (getrandom, address-space layout). */
  readonly seed: number;
  /** Names of assertions that are switched off (kernel/assertions.ts). */
  readonly assertionsOff?: readonly string[];
  /** The init program's ELF file, argument vector and environment. */
  readonly init: {
    readonly image: Uint8Array;
    readonly argv: readonly string[];
    readonly envp: readonly string[];
    /** What it reads from descriptor 0; nothing if absent. */
    readonly stdin?: () => Uint8Array;
  };
}

/** A mutable part of the kernel that is saved with the machine: plain data only. */
export interface Saveable {
  save(): unknown;
  restore(state: unknown): void;
}

/** Generator.prototype.next: called by name, it would be looked up anew for every kind of handler. */
const resume: (this: Work) => IteratorResult<void, void> = Object.getPrototypeOf(runSoftirqs.prototype).next;

/** Assertions reported in full; the rest are counted. */
const MAX_REPORTS = 20;

export class Kernel implements KernelPort {
  readonly platform: Platform;
  readonly ram: PhysicalMemory;
  readonly options: KernelOptions;
  readonly arch: ArchPort;
  readonly log: KernelLog;
  readonly counters: Counters = new Counters();
  readonly crossCalls: CrossCalls = new CrossCalls();
  readonly rcu: Rcu;
  readonly rcuSyncKind: RcuKind;
  readonly sched: Scheduler;
  /** Set once by the composition, before boot(). */
  memory!: MemorySubsystem;
  process!: ProcessSubsystem;

  /** Who watches the run; null in ordinary runs. */
  observer: KernelObserver | null = null;
  /** Per-core variables: address of core 0's copy, and distance between copies. */
  percpuBase: KPtr = NULL;
  percpuStride = 0;
  /** What each core executes in the kernel, or last executed. */
  readonly current: Context[] = [];
  /** Kernel assertions that fired, and their texts. */
  assertions = 0;
  readonly reports: string[] = [];
  readonly #parts = new Map<string, Saveable>();
  readonly #assertionsOff: ReadonlySet<AssertionId>;
  #activeCpu: Cpu;

  /** @throws UserError if an option names an assertion that does not exist */
  constructor(platform: Platform, arch: ArchPort, options: KernelOptions) {
    this.platform = platform;
    this.ram = platform.ram;
    this.arch = arch;
    this.options = options;
    this.#assertionsOff = assertionIds(options.assertionsOff ?? [], "--assertion-off");
    this.#activeCpu = platform.cpus[0]!;
    this.log = new KernelLog((bytes) => platform.console("kernel", bytes));
    this.register("log", this.log);
    this.register("counters", this.counters);
    this.sched = new Scheduler(this);
    this.rcu = new Rcu(this);
    this.rcuSyncKind = registerPercpuRwsem(this);
  }

  /** What executes in the kernel now, or executed last. @hot */
  get running(): Context {
    return this.current[this.#activeCpu.id]!;
  }

  /** Prepares the boot core; the machine then starts it. */
  boot(): void {
    this.arch.entry.startBootCore(this);
  }

  /** @hot */
  enter(cpu: Cpu, stub: number): void {
    this.#activeCpu = cpu;
    this.arch.entry.enter(this, cpu, stub);
  }

  /** @hot */
  run(cpu: Cpu): void {
    this.#activeCpu = cpu;
    for (;;) {
      const k = this.current[cpu.id]!;
      const traps = k.traps;
      const depth = traps.length;
      if (depth === 0) {
        if (this.#leave(k, cpu)) return;
        continue;
      }
      if (!resume.call(traps[depth - 1]!).done) {
        if (this.current[cpu.id] === k) return;
        this.#startIncoming(cpu);
        continue;
      }
      traps.pop();
      const frame = k.frames.pop()!;
      if (this.observer !== null && frame !== 0) this.observer.trapEnd(k, frame);
      if (frame === 0 || (depth === 1 && k.task !== null && !k.task.idle)) continue;
      this.arch.entry.returnFromTrap(this, cpu, frame);
      return;
    }
  }

  /** Registers a part that is saved with the machine. Names are unique. */
  register(name: string, part: Saveable): void {
    if (this.#parts.has(name)) throw new Error(`kernel part ${name} is registered twice`);
    this.#parts.set(name, part);
  }

  /** Registers a cross-call function; at start-up, in a fixed order. */
  registerCall(name: string, fn: CallFunction): CallKind {
    return this.crossCalls.register(name, fn);
  }

  /** True when every task is in user mode (or waits for its turn to go there): the machine can be saved. */
  isQuiet(): boolean {
    for (const queue of this.sched.queues) {
      if (queue.unfinishedSwitch || queue.current.context.traps.length !== 0) return false;
    }
    for (const task of this.sched.tasks()) if (task.context.traps.length !== 0) return false;
    return true;
  }

  /** Plain data of all registered parts. Guest RAM is saved by the machine. @throws Error unless isQuiet() */
  save(): Record<string, unknown> {
    if (!this.isQuiet()) throw new Error("a machine is saved only while every task is in user mode");
    const state: Record<string, unknown> = {
      assertions: this.assertions,
      reports: [...this.reports],
    };
    for (const [name, part] of this.#parts) state[name] = part.save();
    return state;
  }

  /** Undoes everything since save(), after guest RAM has been restored. */
  restore(state: Record<string, unknown>): void {
    this.assertions = state["assertions"] as number;
    this.reports.length = 0;
    this.reports.push(...(state["reports"] as string[]));
    for (const [name, part] of this.#parts) part.restore(state[name]);
  }

  /** A kernel assertion fired (BUG, WARN, lockdep): reports it, counts it, goes on. Nothing if it is switched off. */
  assertionFailed(k: Context, id: AssertionId, text: string): void {
    if (this.#assertionsOff.has(id)) return;
    this.assertions++;
    this.counters.count("kernel_assertions");
    this.platform.trace(k.cpu.id, "assertion", this.assertions, 0);
    this.observer?.assertionFailed(k, text, id);
    if (this.assertions > MAX_REPORTS) return;
    const report = `${text}\n${this.#where(k)}`;
    this.reports.push(report);
    this.printk(`------------[ cut here ]------------\n${report}\n---[ end trace ]---`);
  }

  /** Counts an event under its published name; hot paths use counters.add. */
  count(name: string): void {
    this.counters.count(name);
  }

  /** Prints a report and stops the machine. */
  panic(k: Context | null, text: string): void {
    const cpu = k?.cpu ?? this.#activeCpu;
    this.printk(`Kernel panic - not syncing: ${text}`);
    if (k !== null) this.printk(`${this.#where(k)}\n${heldLocksText(k)}`);
    this.printk(`---[ end Kernel panic - not syncing: ${text} ]---`);
    cpu.stopMachine({ kind: "panic", text, status: 125 });
  }

  /** The machine switches itself off: the first task has exited with this wait status' exit code. */
  powerOff(k: Context, status: number): void {
    this.printk("reboot: Power down");
    k.cpu.stopMachine({ kind: "power-off", text: "init exited", status });
  }

  /** Prints to the kernel log, with the virtual time of the core that executes. */
  printk(text: string): void {
    const timeUs = Math.floor((this.#activeCpu.clock / this.platform.cyclesPerSecond) * 1e6);
    this.log.print(timeUs, text);
  }

  /**
   * Nothing is in progress on this stack: an idle core looks for work, a task goes to user mode; true: leave run().
   */
  #leave(k: Context, cpu: Cpu): boolean {
    const task = k.task!;
    if (task.idle) return this.#idle(k, cpu);
    if ((task.flags & TIF_EXIT_WORK) !== 0 && !this.#exitWork(k, cpu)) return false;
    if (k.atomicDepth !== 0 || k.rcuDepth !== 0 || k.held.count !== 0) this.#leakedLock(k);
    this.rcu.leaveKernel(cpu.id);
    this.arch.entry.returnFromTrap(this, cpu, task.userFrame);
    return true;
  }

  /** exit_to_user_mode_loop(); true: nothing is due any more. */
  #exitWork(k: Context, cpu: Cpu): boolean {
    const task = k.task!;
    if ((task.flags & TIF_NEED_RESCHED) !== 0) {
      cpu.setInterruptsEnabled(false);
      cpu.charge(COST_CONTEXT_SWITCH);
      if (switchAway(k, "preempt")) {
        this.#startIncoming(cpu);
        return false;
      }
    }
    if ((task.flags & TIF_EXIT_WORK) === 0) return true;
    cpu.setInterruptsEnabled(true);
    k.push(this.process.exitWork(k, task.userFrame), 0);
    return false;
  }

  #idle(k: Context, cpu: Cpu): boolean {
    const queue = this.sched.queues[cpu.id]!;
    if (this.rcu.isReady(cpu.id)) {
      k.push(softirqWork(k), 0);
      return false;
    }
    cpu.setInterruptsEnabled(false);
    if (queue.queue.length !== 0 || this.sched.pull(queue)) {
      cpu.charge(COST_CONTEXT_SWITCH);
      if (switchAway(k, "preempt")) {
        this.#startIncoming(cpu);
        return false;
      }
    }
    k.task!.clearFlag(TIF_NEED_RESCHED);
    this.rcu.leaveKernel(cpu.id);
    if (this.rcu.isReady(cpu.id)) {
      this.rcu.enterKernel(cpu.id);
      return false;
    }
    this.arch.entry.idle(this, cpu);
    return true;
  }

  /** The switch has made another context current: its first work is to finish the switch. */
  #startIncoming(cpu: Cpu): void {
    const k = this.current[cpu.id]!;
    if (this.sched.queues[cpu.id]!.unfinishedSwitch) k.push(finishTaskSwitch(k), 0);
  }

  #leakedLock(k: Context): void {
    this.assertionFailed(
      k,
      "lock-leak",
      `BUG: lock held when returning to user space (atomic ${k.atomicDepth}, rcu ${k.rcuDepth})\n${heldLocksText(k)}`,
    );
    k.atomicDepth = 0;
    k.rcuDepth = 0;
    k.held.count = 0;
  }

  /** Who executes, and where the outermost trap in progress came from. */
  #where(k: Context): string {
    const task = k.task;
    const who = task === null ? "none" : `${task.pid} Comm: ${task.comm}`;
    const frame = k.frames.find((at) => at !== 0);
    const from =
      frame === undefined ? "" : `\n${this.arch.entry.describeFrame(this, frame as KPtr).split("\n")[0]}`;
    return `CPU: ${k.cpu.id} PID: ${who} clock: ${k.cpu.clock}${from}`;
  }
}

/** Deferred work from the idle task. */
function* softirqWork(k: Context): Generator<void, void, void> {
  k.cpu.setInterruptsEnabled(true);
  yield* runSoftirqs(k);
}

/** __do_softirq(): what interrupts have left to do with interrupts on: deferred callbacks. */
export function* runSoftirqs(k: Context): Generator<void, void, void> {
  k.softirqDepth++;
  k.atomicDepth++;
  yield* k.kernel.rcu.runCallbacks(k);
  k.atomicDepth--;
  k.softirqDepth--;
}
