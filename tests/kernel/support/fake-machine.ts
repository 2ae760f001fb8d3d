/**
 * A machine of FakeCpus with a kernel on top: a seeded scheduler that may choose another core at every scheduling point,
 * and fakes of memory management and processes. A test gives system calls as kernel functions and user mode as a
 * function that is called once per slice.
 */
import type { LedgerPort, Platform, StopReason } from "../../../emu/hardware.ts";
import type { ArchMmu } from "../../../kernel/arch/mmu-port.ts";
import type { ArchPort } from "../../../kernel/arch/port.ts";
import type { ArchProcess } from "../../../kernel/arch/process-port.ts";
import { X86Entry } from "../../../kernel/arch/x86/entry.ts";
import { fixupException } from "../../../kernel/arch/x86/exceptions.ts";
import { stubAt } from "../../../kernel/arch/x86/stubs.ts";
import type { Context, Work } from "../../../kernel/context.ts";
import { Kernel } from "../../../kernel/kernel.ts";
import type { MemorySubsystem } from "../../../kernel/memory-port.ts";
import { percpuStride } from "../../../kernel/percpu.ts";
import type { FaultSignal, ProcessSubsystem } from "../../../kernel/process.ts";
import {
  KERNEL_STACK_BYTES,
  schedule,
  TASK_DEAD,
  type Task,
  TIF_NOTIFY_RESUME,
  TIF_SIGPENDING,
  wakeUpNewTask,
} from "../../../kernel/sched/index.ts";
import { type KPtr, kptrOf } from "../../../kernel/struct.ts";
import { PhysicalMemory } from "../../../mmu/index.ts";
import { FakeCpu } from "./fake-cpu.ts";

export type UserCode = (cpu: FakeCpu, task: Task) => void;
export type KernelCode = (k: Context) => Work;

export interface FakeOptions {
  readonly cpus?: number;
  readonly seed?: number;
  /** What a system call does; the frame's ax is left alone. */
  readonly syscall?: (k: Context, frame: KPtr) => Work;
  readonly user?: UserCode;
  readonly pageFault?: (k: Context, frame: KPtr, lo: number, hi: number) => Work;
}

/** Cycles after which a fake core in user mode is looked at again. */
const USER_SLICE = 200;

export class FakeMachine implements Platform {
  readonly ram: PhysicalMemory = new PhysicalMemory(16 * 1024 * 1024, 65536);
  readonly cpus: FakeCpu[] = [];
  readonly cyclesPerSecond = 1e9;
  readonly ledger: LedgerPort | null = null;
  readonly firmware: Readonly<Record<string, number>> = { pagingLevels: 4, contextSlots: 6 };
  readonly kernel: Kernel;
  readonly lines: string[] = [];
  readonly events: string[] = [];
  readonly signals: FaultSignal[] = [];
  readonly userPages: Map<number, { pa: number; writable: boolean }> = new Map();
  readonly freedStacks: number[] = [];
  /** Reference counts of the fake address spaces. */
  readonly mmCounts: Map<number, number> = new Map();
  readonly loadedMm: number[] = [];
  stopped: StopReason | null = null;
  slices = 0;
  text = 0;
  readonly options: FakeOptions;
  #seed: number;
  #next = 0x20_0000;

  constructor(options: FakeOptions = {}) {
    this.options = options;
    this.#seed = (options.seed ?? 1) * 2654435761;
    for (let id = 0; id < (options.cpus ?? 1); id++) this.cpus.push(new FakeCpu(id, this));
    const pageFault =
      options.pageFault ??
      // biome-ignore lint/correctness/useYield: a handler has the type of Work.
      function* (k: Context, frame: KPtr): Work {
        if (!fixupException(k, frame)) throw new Error("page fault in the kernel");
      };
    const entry = new X86Entry(this, { pagingLevels: 4, pageFault });
    const arch: ArchPort = {
      name: "x86-64",
      entry,
      mmu: this.#mmu() as unknown as ArchMmu,
      process: {} as unknown as ArchProcess,
    };
    this.kernel = new Kernel(this, arch, {
      design: "classic",
      seed: 1,
      init: { image: new Uint8Array(0), argv: ["/init"], envp: [] },
    });
    this.kernel.percpuStride = percpuStride();
    this.kernel.percpuBase = kptrOf(this.take(percpuStride() * this.cpus.length, 4096));
    entry.takeBootMemory(this.kernel, this);
    this.kernel.memory = this.#memory();
    this.kernel.process = this.#process();
  }

  take(lengthBytes: number, alignBytes: number): number {
    const at = Math.ceil(this.#next / alignBytes) * alignBytes;
    this.#next = at + lengthBytes;
    this.ram.u8.fill(0, at, this.#next);
    return at;
  }

  setKernelText(firstFrame: number): void {
    this.text = firstFrame * 4096;
  }
  console(_stream: string, bytes: Uint8Array): void {
    this.lines.push(new TextDecoder().decode(bytes).trimEnd());
  }
  trace(cpu: number, name: string, a: number, b: number): void {
    this.events.push(`${cpu} ${name} ${a} ${b}`);
  }

  /** A seeded coin: true if another core should go on at this point. */
  prefersAnother(cpu: FakeCpu): boolean {
    return this.cpus.some((other) => other !== cpu && this.#canRun(other)) && this.random(3) === 0;
  }

  /** Starts the sequence of choices anew. */
  reseed(seed: number): void {
    this.#seed = seed * 2654435761;
  }

  random(limit: number): number {
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) | 0;
    return (this.#seed >>> 8) % limit;
  }

  executeStub(cpu: FakeCpu): void {
    const stub = stubAt(cpu.pc[0], cpu.pc[1]);
    if (stub < 0) throw new Error(`kernel PC ${cpu.pc[0].toString(16)} is not in the text`);
    this.kernel.enter(cpu, stub);
  }

  boot(): void {
    this.kernel.boot();
    const cpu = this.cpus[0]!;
    cpu.phase = "kernel";
    this.executeStub(cpu);
  }

  /** Makes a task that executes `work` in the kernel and then user code, and wakes it. Call from kernel code. */
  *spawn(k: Context, comm: string, work: KernelCode): Work<Task> {
    const stack = yield* this.kernel.memory.allocStack(k);
    const pid = this.kernel.sched.allocPid();
    const task = this.kernel.sched.newTask({ pid, tgid: pid, stack, cpu: k.cpu.id, comm });
    this.prepareUserFrame(task);
    task.context.push(work(task.context), 0);
    task.started = true;
    wakeUpNewTask(k, task);
    return task;
  }

  /** do_exit() of a task whose parent does not wait. */
  *exit(k: Context): Work {
    const task = k.task!;
    this.kernel.sched.forget(task);
    if (k.point(10)) yield;
    task.state = TASK_DEAD;
    yield* schedule(k);
    throw new Error("a dead task runs");
  }

  /** Boots, runs `works` as tasks of their own that exit afterwards, and returns when all of them have. */
  runTasks(works: readonly KernelCode[], slices = 200_000): void {
    const machine = this;
    let left = works.length;
    this.init = function* (k: Context): Work {
      for (const [index, work] of works.entries()) {
        yield* machine.spawn(k, `task${index}`, function* (own: Context): Work {
          yield* work(own);
          left--;
          yield* machine.exit(own);
        });
      }
    };
    this.boot();
    this.run(slices);
    if (left !== 0) {
      throw new Error(`${left} of ${works.length} tasks did not finish: ${this.kernel.reports.join("; ")}`);
    }
  }

  prepareUserFrame(task: Task): void {
    const frame = task.userFrame;
    this.ram.write64(frame + 0x80, 0x40_0000 + task.pid * 0x1000, 0);
    this.ram.write64(frame + 0x88, 0x33, 0);
    this.ram.write64(frame + 0x90, 0x202, 0);
    this.ram.write64(frame + 0x98, 0x7fff_0000, 0);
    this.ram.write64(frame + 0xa0, 0x2b, 0);
  }

  /** Runs until the machine stops, nothing can run, or `slices` are used up. */
  run(slices = 100_000): void {
    for (let slice = 0; slice < slices && this.stopped === null; slice++) {
      const able = this.cpus.filter((cpu) => this.#canRun(cpu));
      if (able.length === 0 && !this.#skipToTimer()) return;
      if (able.length === 0) continue;
      this.slices++;
      this.#slice(able[this.random(able.length)]!);
    }
  }

  userTask(cpu: FakeCpu): Task {
    return this.kernel.current[cpu.id]!.task!;
  }

  #slice(cpu: FakeCpu): void {
    if (cpu.phase === "waiting") cpu.phase = "kernel";
    if (cpu.interruptReady()) {
      cpu.acceptInterrupt();
      return;
    }
    if (cpu.phase === "user") {
      cpu.clock += USER_SLICE;
      this.options.user?.(cpu, this.userTask(cpu));
      return;
    }
    if (cpu.phase !== "kernel") return;
    cpu.left = false;
    this.kernel.run(cpu);
  }

  #canRun(cpu: FakeCpu): boolean {
    if (cpu.phase === "parked") return false;
    if (cpu.interruptReady()) return true;
    if (cpu.phase === "halted") return false;
    if (cpu.phase === "waiting") return this.ram.read32(cpu.waitAt) !== cpu.waitValue;
    return cpu.phase === "kernel" || this.options.user !== undefined;
  }

  /** Nobody can run: time passes until the first timer. */
  #skipToTimer(): boolean {
    const first = Math.min(...this.cpus.map((cpu) => cpu.deadline));
    if (first === Infinity) return false;
    for (const cpu of this.cpus) {
      if (cpu.clock < first && (cpu.phase === "halted" || cpu.phase === "user")) cpu.clock = first;
    }
    return this.cpus.some((cpu) => this.#canRun(cpu));
  }

  #mmu(): Pick<ArchMmu, "switchMm" | "enterLazyTlb"> {
    const machine = this;
    return {
      *switchMm(k: Context, _prev: KPtr, next: KPtr): Work {
        if (k.point(10)) yield;
        machine.loadedMm[k.cpu.id] = next;
      },
      enterLazyTlb(k: Context, mm: KPtr): void {
        if (machine.loadedMm[k.cpu.id] !== undefined && machine.loadedMm[k.cpu.id] !== mm) {
          throw new Error(`core ${k.cpu.id} goes lazy with ${mm}, loaded is ${machine.loadedMm[k.cpu.id]}`);
        }
      },
    };
  }

  #memory(): MemorySubsystem {
    const machine = this;
    const counts = this.mmCounts;
    const initMm = kptrOf(this.take(4096, 64));
    return {
      initMm,
      grabMm(_k: Context, mm: KPtr): void {
        counts.set(mm, (counts.get(mm) ?? 0) + 1);
      },
      *dropMm(k: Context, mm: KPtr): Work {
        if (k.point(10)) yield;
        counts.set(mm, (counts.get(mm) ?? 0) - 1);
      },
      *allocStack(k: Context): Work<KPtr> {
        if (k.point(10)) yield;
        return kptrOf(machine.take(KERNEL_STACK_BYTES, 4096));
      },
      *freeStack(k: Context, stack: KPtr): Work {
        if (k.point(10)) yield;
        machine.freedStacks.push(stack);
      },
      save: () => null,
      restore: () => {},
    };
  }

  #process(): ProcessSubsystem {
    const machine = this;
    return {
      *syscall(k: Context, frame: KPtr): Work {
        // As the process half does: the entry code leaves interrupts off.
        k.cpu.setInterruptsEnabled(true);
        if (k.point(1)) yield;
        yield* machine.options.syscall?.(k, frame) ?? [];
      },
      *exitWork(k: Context): Work {
        if (k.point(1)) yield;
        k.task!.clearFlag(TIF_SIGPENDING | TIF_NOTIFY_RESUME);
      },
      forceSignal: (_k, signal) => {
        this.signals.push(signal);
      },
      fatalSignalPending: (task) => (task.flags & TIF_SIGPENDING) !== 0,
      signalPending: (task) => (task.flags & TIF_SIGPENDING) !== 0,
      *startInit(k: Context): Work {
        if (k.point(1)) yield;
        machine.prepareUserFrame(k.task!);
        yield* machine.init?.(k) ?? [];
      },
      *scheduleTail(k: Context): Work {
        if (k.point(1)) yield;
      },
      save: () => null,
      restore: () => {},
    };
  }

  /** What the first task does in the kernel before it goes to user mode. */
  init: KernelCode | null = null;
}
