/**
 * The kernel on the emulated cores of an architecture, with its own memory management and without programs: tasks are kernel
 * functions. Interrupts, frames, returns and the interrupt controller are the machine's.
 */
import { Machine } from "../../../emu/machine.ts";
import { MACHINE_MODELS } from "../../../emu/machines/index.ts";
import { ARCHITECTURES } from "../../../kernel/arch/index.ts";
import type { ArchPort } from "../../../kernel/arch/port.ts";
import type { ArchProcess } from "../../../kernel/arch/process-port.ts";
import type { Context, Work } from "../../../kernel/context.ts";
import { Kernel } from "../../../kernel/kernel.ts";
import { DESIGNS } from "../../../kernel/mm/designs/index.ts";
import { Memory } from "../../../kernel/mm/memory.ts";
import type { ProcessSubsystem } from "../../../kernel/process.ts";
import { schedule, TASK_DEAD, wakeUpNewTask } from "../../../kernel/sched/index.ts";

export type KernelCode = (k: Context) => Work;

export interface RealOptions {
  /** Default: x86-64. */
  readonly arch?: string;
  readonly cpus: number;
  readonly scheduler: "timed" | "random";
  readonly seed?: number;
}

/** A machine whose first task starts `works` as tasks and switches the machine off when all have finished. */
export class RealMachine {
  readonly machine: Machine;
  readonly kernel: Kernel;
  readonly lines: string[] = [];

  constructor(options: RealOptions, works: readonly KernelCode[]) {
    const model = MACHINE_MODELS.find((each) => each.arch === (options.arch ?? "x86-64"))!;
    this.machine = new Machine({
      model,
      cpus: options.cpus,
      memoryBytes: 64 * 1024 * 1024,
      scheduler: options.scheduler,
      tlb: "typical",
      seed: options.seed ?? 1,
      ledger: "on",
      console: (_stream, bytes) => this.lines.push(new TextDecoder().decode(bytes).trimEnd()),
    });
    const arch: ArchPort = {
      ...ARCHITECTURES.get(model.arch)!(this.machine),
      process: {} as unknown as ArchProcess,
    };
    this.kernel = new Kernel(this.machine, arch, {
      design: DESIGNS[0]!.name,
      seed: 1,
      init: { image: new Uint8Array(0), argv: ["tasks"], envp: [], stdin: () => new Uint8Array(0) },
    });
    this.kernel.memory = new Memory(this.kernel, { design: DESIGNS[0]!.create() });
    this.kernel.process = fakeProcesses(works);
    this.machine.kernel = this.kernel;
    this.kernel.boot();
  }

  /** Runs until the machine stops; its kind, and the log if it is not switched off. */
  run(): string {
    const reason = this.machine.run({ maxInstructions: 1_000_000 });
    return reason.kind === "power-off"
      ? "power-off"
      : `${reason.kind}: ${reason.text}\n${this.lines.join("\n")}`;
  }
}

function fakeProcesses(works: readonly KernelCode[]): ProcessSubsystem {
  let left = works.length;
  function* runTask(k: Context, work: KernelCode): Work {
    yield* work(k);
    if (--left === 0) k.kernel.powerOff(k, 0);
    const task = k.task!;
    k.kernel.sched.forget(task);
    if (k.point(10)) yield;
    task.state = TASK_DEAD;
    yield* schedule(k);
  }
  return {
    *startInit(k: Context): Work {
      const { sched, memory } = k.kernel;
      for (const work of works) {
        const stack = yield* memory.allocStack(k);
        const pid = sched.allocPid();
        const task = sched.newTask({ pid, tgid: pid, stack, cpu: k.cpu.id, comm: `task${pid}` });
        task.started = true;
        task.context.push(runTask(task.context, work), 0);
        wakeUpNewTask(k, task);
      }
      k.task!.state = TASK_DEAD;
      yield* schedule(k);
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
    forceSignal: () => {},
    signalPending: () => false,
    fatalSignalPending: () => false,
    save: () => null,
    restore: () => {},
  };
}
