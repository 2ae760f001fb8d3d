/**
 * A kernel context: what one kernel stack executes. It belongs to a stack (a task's, or a core's IST or NMI stack) and
 * moves with it: `cpu` is the core that runs it now and changes when its task migrates, so code reads `k.cpu` afresh
 * after every yield that may sleep. Interrupts nest: a trap accepted in kernel code pushes a further generator on the
 * same context, and the ones below wait until its return from trap comes back to them.
 *
 * Kernel functions that may reach a scheduling point are generators of type Work and are called with `yield*`. A hot
 * function that usually has nothing to wait for is split: a plain function that does the common case, and `xSlow`.
 */
import type { Cpu } from "../emu/hardware.ts";
import type { PhysicalMemory } from "../mmu/index.ts";
import type { Kernel } from "./kernel.ts";
import { HeldLocks } from "./locking/held-locks.ts";
import type { Task } from "./sched/task.ts";

/** A kernel function in progress. It yields only at scheduling points and while it waits. */
export type Work<T = void> = Generator<void, T, void>;

/** Work that is done before it begins: what a step returns that had nothing to wait for, at no cost. */
export const NOTHING: Work = done(undefined);
export const YES: Work<boolean> = done(true);
export const NO: Work<boolean> = done(false);

/** Constant work with a result, which may be waited for (`yield*`) any number of times. */
export function done<T>(value: T): Work<T> {
  const result: IteratorResult<void, T> = { done: true, value };
  const work = { next: () => result, [Symbol.iterator]: () => work };
  return work as unknown as Work<T>;
}

export class Context {
  readonly kernel: Kernel;
  readonly ram: PhysicalMemory;
  /** The core that runs this context now. */
  cpu: Cpu;
  /** The task that owns the stack; null on a core's own IST stacks. */
  readonly task: Task | null;
  /** Generators, outermost first; the last one runs. */
  readonly traps: Work[] = [];
  /** For each generator the trap frame that it handles, or 0 for work that was put on top without a trap. */
  readonly frames: number[] = [];
  /** The stub number at which the core last came back into this context (resume, retry of an access, fixup). */
  resumedAt = 0;
  /** Spinlock, interrupt, softirq and preemption nesting; sleeping is allowed only at 0. */
  atomicDepth = 0;
  /** Nesting of hardware interrupt handlers on this stack. */
  irqDepth = 0;
  /** Nesting of deferred work (the softirq-like point). */
  softirqDepth = 0;
  /** Nesting of RCU read-side sections of this context. */
  rcuDepth = 0;
  /** Nesting of pagefault_disable(): a fault in a user copy goes straight to the fixup. */
  pagefaultDisabled = 0;
  /** Result of the last getUser or cmpxchgUser: low and high half. */
  userValue = 0;
  userValueHi = 0;
  /** Locks held, for lockdep. */
  readonly held: HeldLocks = new HeldLocks();

  constructor(kernel: Kernel, cpu: Cpu, task: Task | null) {
    this.kernel = kernel;
    this.ram = kernel.ram;
    this.cpu = cpu;
    this.task = task;
  }

  /** A scheduling point; true: yield now. @hot */
  point(cost: number): boolean {
    return this.cpu.point(cost);
  }

  /** Forgets everything that was in progress: the machine is restored to a state in which nothing was. */
  reset(): void {
    this.traps.length = 0;
    this.frames.length = 0;
    this.atomicDepth = this.irqDepth = this.softirqDepth = this.rcuDepth = this.pagefaultDisabled = 0;
    this.held.count = 0;
  }

  /** Puts a trap handler (frame: address of its registers) or other work (frame 0) on top. @hot */
  push(work: Work, frame: number): void {
    this.traps.push(work);
    this.frames.push(frame);
  }
}

/** Faults in user copies no longer sleep: they fail with the fixup. @hot */
export function pagefaultDisable(k: Context): void {
  k.pagefaultDisabled++;
}

/** @hot */
export function pagefaultEnable(k: Context): void {
  k.pagefaultDisabled--;
}
