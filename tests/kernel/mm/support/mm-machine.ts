/**
 * The kernel's memory management on an emulated x86-64 machine, without programs: tasks are kernel functions with
 * address spaces of their own. Stores and loads go through the MMU by the user-copy helpers, faults of user code through
 * the page-fault handler with a frame made by hand.
 */
import { Machine, type MachineOptions } from "../../../../emu/machine.ts";
import { X86_MACHINES } from "../../../../emu/machines/x86-64.ts";
import type { ArchPort } from "../../../../kernel/arch/port.ts";
import type { ArchProcess } from "../../../../kernel/arch/process-port.ts";
import { X86Entry } from "../../../../kernel/arch/x86/entry.ts";
import { pageFault } from "../../../../kernel/arch/x86/fault.ts";
import { X86Mmu } from "../../../../kernel/arch/x86/mmu.ts";
import { REGS_CS, REGS_FLAGS, REGS_ORIG_AX } from "../../../../kernel/arch/x86/pt-regs.ts";
import { X86Tlb } from "../../../../kernel/arch/x86/tlb.ts";
import type { Overrides } from "../../../../kernel/broken/index.ts";
import type { Context, Work } from "../../../../kernel/context.ts";
import { Kernel } from "../../../../kernel/kernel.ts";
import { irqRestore, irqSave } from "../../../../kernel/locking/index.ts";
import type { FaultDesign } from "../../../../kernel/mm/designs/design.ts";
import { Classic } from "../../../../kernel/mm/designs/index.ts";
import { Gather } from "../../../../kernel/mm/gather.ts";
import {
  allocateMm,
  dropUsersOfMm,
  exitMm,
  grabUsersOfMm,
  Memory,
  mmapAnonymous,
  munmap,
} from "../../../../kernel/mm/index.ts";
import { MmSteps } from "../../../../kernel/mm/mm-steps.ts";
import { percpuOf } from "../../../../kernel/percpu.ts";
import type { FaultSignal, ProcessSubsystem } from "../../../../kernel/process.ts";
import { schedule, TASK_DEAD, type Task, wakeUpNewTask } from "../../../../kernel/sched/index.ts";
import { type KPtr, NULL } from "../../../../kernel/struct.ts";
import { copyFromUser, copyToUser } from "../../../../kernel/user-access.ts";
import { PF_P, PF_US, PF_WR } from "../../../../mmu/index.ts";

export type KernelCode = (k: Context) => Work;

export interface MmOptions {
  readonly cpus?: number;
  readonly levels?: 4 | 5;
  readonly scheduler?: MachineOptions["scheduler"];
  readonly seed?: number;
  readonly design?: FaultDesign;
  readonly memoryMb?: number;
  /** Classes of a broken variant, but for its design, which is given like any other. */
  readonly classes?: Overrides;
  /** Makes the machine's memory (MachineOptions.memory). */
  readonly memory?: NonNullable<MachineOptions["memory"]>;
}

export class MmMachine {
  readonly machine: Machine;
  readonly kernel: Kernel;
  readonly memory: Memory;
  readonly mmu: X86Mmu;
  readonly lines: string[] = [];
  readonly signals: FaultSignal[] = [];
  #failure: unknown = null;

  constructor(options: MmOptions = {}) {
    const levels = options.levels ?? 4;
    this.machine = new Machine({
      model: X86_MACHINES[levels === 5 ? 1 : 0]!,
      cpus: options.cpus ?? 1,
      memoryBytes: (options.memoryMb ?? 32) * 1024 * 1024,
      scheduler: options.scheduler ?? "timed",
      tlb: "typical",
      seed: options.seed ?? 1,
      ledger: "on",
      ...(options.memory === undefined ? {} : { memory: options.memory }),
      console: (_stream, bytes) => this.lines.push(new TextDecoder().decode(bytes).trimEnd()),
    });
    const { classes = {} } = options;
    const tlbClass = classes.x86Tlb ?? X86Tlb;
    this.mmu = new X86Mmu({ levels, pcid: "pcid", pkeys: "pkeys", tlbClass });
    const arch: ArchPort = {
      name: "x86-64",
      entry: new X86Entry(this.machine, { pagingLevels: levels, pageFault }),
      mmu: this.mmu,
      process: {} as unknown as ArchProcess,
    };
    const design = options.design ?? new Classic();
    this.kernel = new Kernel(this.machine, arch, {
      design: design.name,
      seed: 1,
      init: { image: new Uint8Array(0), argv: ["tasks"], envp: [], stdin: () => new Uint8Array(0) },
    });
    this.memory = new Memory(this.kernel, {
      design,
      steps: new (classes.steps ?? MmSteps)(),
      gatherClass: classes.gather ?? Gather,
    });
    this.kernel.memory = this.memory;
    this.machine.kernel = this.kernel;
  }

  /** Runs each function as a task, all in one address space, until all have finished. Throws what one of them threw. */
  run(...works: readonly KernelCode[]): void {
    this.kernel.process = this.#processes(works);
    this.kernel.boot();
    const reason = this.machine.run({ maxInstructions: 10_000_000 });
    if (this.#failure !== null) throw this.#failure;
    if (reason.kind !== "power-off")
      throw new Error(`${reason.kind}: ${reason.text}\n${this.lines.join("\n")}`);
  }

  /** Frames that nobody has, on the free lists and in the cores' lists. */
  freeFrames(): number {
    const areas = this.machine.cpus.map((cpu) => percpuOf(this.kernel, cpu.id));
    return this.memory.frames.freeFrames(areas);
  }

  #processes(works: readonly KernelCode[]): ProcessSubsystem {
    const machine = this;
    let left = works.length;
    function* runTask(k: Context, work: KernelCode): Work {
      try {
        yield* work(k);
      } catch (error) {
        machine.#failure ??= error;
        k.kernel.powerOff(k, 1);
      }
      yield* exitMm(k);
      if (--left === 0) k.kernel.powerOff(k, 0);
      yield* die(k);
    }
    function* die(k: Context): Work {
      k.kernel.sched.forget(k.task!);
      if (k.point(10)) yield;
      k.task!.state = TASK_DEAD;
      yield* schedule(k);
    }
    return {
      *startInit(k: Context): Work {
        const mm = yield* allocateMm(k);
        for (const work of works) {
          grabUsersOfMm(k, mm);
          yield* startTask(k, mm, (context) => runTask(context, work));
        }
        yield* dropUsersOfMm(k, mm);
        yield* die(k);
      },
      // biome-ignore lint/correctness/useYield: there is no user mode.
      *syscall(): Work {
        throw new Error("a system call without user mode");
      },
      // biome-ignore lint/correctness/useYield: there is no user mode.
      *exitWork(): Work {
        throw new Error("exit work without user mode");
      },
      *scheduleTail(): Work {},
      forceSignal: (_k, signal) => {
        this.signals.push(signal);
      },
      signalPending: () => false,
      fatalSignalPending: () => false,
      save: () => null,
      restore: () => {},
    };
  }
}

/** Starts a task that executes `work` with an address space whose user it becomes. */
export function* startTask(k: Context, mm: KPtr, work: KernelCode): Work<Task> {
  const { sched, memory } = k.kernel;
  const stack = yield* memory.allocStack(k);
  const pid = sched.allocPid();
  const task = sched.newTask({ pid, tgid: pid, stack, cpu: k.cpu.id, comm: `task${pid}` });
  task.mm = mm;
  task.activeMm = mm;
  task.started = true;
  task.context.push(work(task.context), 0);
  wakeUpNewTask(k, task);
  return task;
}

/** The running task works in another address space while `work` runs. Both have users all the time. */
export function* inMm<T>(k: Context, mm: KPtr, work: () => Work<T>): Work<T> {
  const own = k.task!.mm;
  yield* switchTo(k, mm);
  const result = yield* work();
  yield* switchTo(k, own);
  return result;
}

function* switchTo(k: Context, mm: KPtr): Work {
  const task = k.task!;
  const enabled = irqSave(k);
  const previous = task.activeMm;
  task.mm = mm;
  task.activeMm = mm;
  yield* k.kernel.arch.mmu.switchMm(k, previous, mm);
  irqRestore(k, enabled);
}

export function halves(page: number): [lo: number, hi: number] {
  const va = BigInt(page) << 12n;
  return [Number(BigInt.asIntN(32, va)), Number(BigInt.asIntN(32, va >> 32n))];
}

/** mmap() in pages. */
export function* mapPages(
  k: Context,
  page: number,
  pages: number,
  prot: number,
  flags: number,
): Work<number> {
  return yield* mmapAnonymous(k, ...halves(page), ...halves(pages), prot, flags);
}

/** munmap() in pages. */
export function* unmapPages(k: Context, page: number, pages: number): Work<number> {
  return yield* munmap(k, ...halves(page), ...halves(pages));
}

/** Stores a 32-bit value at the start of a page; false: the access failed. */
export function* store(k: Context, page: number, value: number): Work<boolean> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return (yield* copyToUser(k, ...halves(page), bytes)) === 0;
}

/** The 32-bit value at the start of a page, or null if the access failed. */
export function* load(k: Context, page: number): Work<number | null> {
  const bytes = new Uint8Array(4);
  if ((yield* copyFromUser(k, bytes, ...halves(page))) !== 0) return null;
  return new DataView(bytes.buffer).getInt32(0, true);
}

/** A page fault of user code at a page: the error code's P bit says that an entry forbade it. */
export function* userFault(
  k: Context,
  page: number,
  kind: "read" | "write",
  present: "present" | "absent" = "absent",
): Work {
  const frame = k.task!.userFrame;
  const error = PF_US | (kind === "write" ? PF_WR : 0) | (present === "present" ? PF_P : 0);
  k.ram.write64(frame + REGS_ORIG_AX, error, 0);
  k.ram.write64(frame + REGS_CS, 0x33, 0);
  k.ram.write64(frame + REGS_FLAGS, 0x202, 0);
  const enabled = irqSave(k);
  yield* pageFault(k, frame, ...halves(page));
  irqRestore(k, enabled);
}

export { NULL };
