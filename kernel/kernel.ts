/**
 * The kernel: what there is once per machine. It implements the emulator's KernelPort: `enter` when a core executes an
 * enter trap of the kernel text, `run` while a core is inside TypeScript.
 */
import type { Cpu, KernelPort, Platform } from "../emu/hardware.ts";
import type { PhysicalMemory } from "../mmu/index.ts";
import type { ArchPort } from "./arch/port.ts";
import type { Context } from "./context.ts";
import type { CallFunction, CallKind } from "./cross-call.ts";
import type { MemorySubsystem } from "./memory-port.ts";
import type { ProcessSubsystem } from "./process.ts";
import { Rcu } from "./rcu.ts";
import { Scheduler } from "./sched/scheduler.ts";
import { type KPtr, NULL } from "./struct.ts";

/** What the command line decides. */
export interface KernelOptions {
  /** Name of the fault design. */
  readonly design: string;
  /** Seed of everything that the kernel randomises (getrandom, address-space layout). */
  readonly seed: number;
  /** The init program's ELF file, argument vector and environment. */
  readonly init: {
    readonly image: Uint8Array;
    readonly argv: readonly string[];
    readonly envp: readonly string[];
  };
}

/** A mutable part of the kernel that is saved with the machine: plain data only. */
export interface Saveable {
  save(): unknown;
  restore(state: unknown): void;
}

export class Kernel implements KernelPort {
  readonly platform: Platform;
  readonly ram: PhysicalMemory;
  readonly options: KernelOptions;
  readonly arch: ArchPort;
  readonly rcu: Rcu;
  readonly sched: Scheduler;
  memory!: MemorySubsystem;
  process!: ProcessSubsystem;

  /** Per-core variables: address of core 0's copy, and distance between copies. */
  percpuBase: KPtr = NULL;
  percpuStride = 0;
  /** What each core executes in the kernel, or last executed. */
  readonly current: Context[] = [];
  /** Kernel assertions that fired. */
  assertions = 0;

  constructor(platform: Platform, arch: ArchPort, options: KernelOptions) {
    this.platform = platform;
    this.ram = platform.ram;
    this.arch = arch;
    this.options = options;
    this.rcu = new Rcu(this);
    this.sched = new Scheduler(this);
  }

  enter(cpu: Cpu, stub: number): void {
    this.arch.entry.enter(this, cpu, stub);
  }

  run(_cpu: Cpu): void {}

  /** Registers a part that is saved with the machine. */
  register(_name: string, _part: Saveable): void {}

  /** Registers a cross-call function; at start-up, in a fixed order. */
  registerCall(_name: string, _fn: CallFunction): CallKind {
    return 0 as CallKind;
  }

  /** A kernel assertion fired (BUG, WARN, lockdep): reports it, counts it, goes on. */
  assertionFailed(_k: Context, _text: string): void {
    this.assertions++;
  }

  /** Counts an event under its published name (`pgfault`, `SPF_ATTEMPT`). */
  count(_name: string): void {}

  /** Prints a report and stops the machine. */
  panic(_k: Context | null, _text: string): void {}

  /** One line of the kernel log. */
  printk(_text: string): void {}
}
