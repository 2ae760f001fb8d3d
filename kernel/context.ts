/**
 * A kernel context: what one kernel stack executes. It belongs to a stack (a task's, or a core's interrupt, IST or NMI
 * stack) and moves with it: `cpu` is the core that runs it now and changes when its task migrates, so code reads
 * `k.cpu` afresh after every yield that may sleep. Interrupts nest: a trap accepted in kernel code pushes a further
 * generator on the same context, and the ones below wait until its return from trap comes back to them.
 *
 * Kernel functions that may reach a scheduling point are generators of type Work and are called with `yield*`. A hot
 * function that usually has nothing to wait for is split: a plain function that does the common case, and `xSlow`.
 */
import type { Cpu } from "../emu/hardware.ts";
import type { PhysicalMemory } from "../mmu/index.ts";
import type { Kernel } from "./kernel.ts";
import type { Task } from "./sched/task.ts";

/** A kernel function in progress. It yields only at scheduling points and while it waits. */
export type Work<T = void> = Generator<void, T, void>;

export class Context {
  readonly kernel: Kernel;
  readonly ram: PhysicalMemory;
  /** The core that runs this context now. */
  cpu: Cpu;
  /** The task that owns the stack; null on a core's own stacks. */
  task: Task | null;
  /** Generators, outermost trap first; the last one runs. */
  readonly traps: Work[] = [];
  /** The stub number at which the core last came back into this context (resume, retry of an access, fixup). */
  resumedAt = 0;
  /** Interrupt, softirq and preemption nesting; sleeping is allowed only at 0. */
  atomicDepth = 0;
  /** Nesting of RCU read-side sections of this context. */
  rcuDepth = 0;

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
}
