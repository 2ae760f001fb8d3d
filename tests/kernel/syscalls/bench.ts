/**
 * System calls on the fake machine: tests call them as user code would, by number and registers, from a task whose user
 * memory is a few pages. What needs a real address space (mmap, fork) is tested by guest programs on the whole machine.
 */
import { X86Process } from "../../../kernel/arch/x86/process.ts";
import {
  REGS_AX,
  REGS_DI,
  REGS_DX,
  REGS_ORIG_AX,
  REGS_R8,
  REGS_R9,
  REGS_R10,
  REGS_SI,
} from "../../../kernel/arch/x86/pt-regs.ts";
import { x86SyscallNumber } from "../../../kernel/arch/x86/syscall-names.ts";
import type { Context, Work } from "../../../kernel/context.ts";
import { FileTable } from "../../../kernel/fs/file-table.ts";
import type { Task } from "../../../kernel/sched/task.ts";
import { SignalActions } from "../../../kernel/signal/signal-action.ts";
import { defaultLimits, Processes, ProcessState, ThreadGroup } from "../../../kernel/tasks/index.ts";
import type { FakeCpu } from "../support/fake-cpu.ts";
import { FakeMachine } from "../support/fake-machine.ts";

/** User memory: a writable page, a read-only page, nothing, a writable page. */
export const PAGE = 0x1000_0000;
export const READ_ONLY: number = PAGE + 0x1000;
export const HOLE: number = PAGE + 0x2000;
export const OTHER: number = PAGE + 0x3000;
/** No user address. */
export const KERNEL_ADDRESS = 0xffff_8880_0000_0000n;

const ARGUMENTS = [REGS_DI, REGS_SI, REGS_DX, REGS_R10, REGS_R8, REGS_R9];

export type BenchBody = (bench: SyscallBench, k: Context) => Work;

export class SyscallBench {
  readonly machine: FakeMachine;
  readonly processes: Processes;

  constructor(options: { cpus?: number; seed?: number } = {}) {
    // The first task loops in user mode for ever; time passes on halted cores too.
    const user = (running: FakeCpu): void => {
      for (const cpu of this.machine.cpus) {
        if (cpu.phase === "halted" && cpu.clock < running.clock) cpu.clock = running.clock;
      }
    };
    this.machine = new FakeMachine({ ...options, user });
    const { kernel } = this.machine;
    (kernel.arch as unknown as { process: X86Process }).process = new X86Process();
    this.processes = new Processes(kernel);
    kernel.process = this.#bootable();
    for (const [address, writable] of [
      [PAGE, true],
      [READ_ONLY, false],
      [OTHER, true],
    ] as const) {
      this.machine.userPages.set(address / 4096, { pa: this.machine.take(4096, 4096), writable });
    }
    this.processes.table.futexes.base = this.machine.take(16384, 4096) as never;
  }

  /** Runs bodies as threads of one process, or of a process each, until all have ended. */
  run(bodies: readonly BenchBody[], family: "threads" | "processes" = "threads"): void {
    let group: ThreadGroup | null = null;
    const actions = SignalActions.defaults();
    this.machine.runTasks(
      bodies.map((body) => {
        const bench = this;
        return function* (k: Context): Work {
          const task = k.task!;
          if (group === null || family === "processes") group = bench.#newGroup(task);
          task.process = new ProcessState(task, group, actions, FileTable.standard());
          group.threads.push(task);
          k.cpu.setInterruptsEnabled(true);
          yield* body(bench, k);
          group.threads.splice(group.threads.indexOf(task), 1);
        };
      }),
    );
  }

  /** Makes a call; its result as a signed number. */
  *call(k: Context, name: string, ...args: (number | bigint)[]): Work<number> {
    const number = /^\d+$/.test(name) ? Number(name) : x86SyscallNumber(name);
    const frame = k.task!.userFrame;
    const { view } = k.ram;
    view.setBigInt64(frame + REGS_ORIG_AX, BigInt(number), true);
    for (const [index, register] of ARGUMENTS.entries()) {
      view.setBigInt64(frame + register, BigInt.asIntN(64, BigInt(args[index] ?? 0)), true);
    }
    yield* this.machine.kernel.process.syscall(k, frame);
    return Number(view.getBigInt64(frame + REGS_AX, true));
  }

  /** Physical address of user memory. */
  at(address: number): number {
    const page = this.machine.userPages.get(Math.floor(address / 4096));
    if (page === undefined) throw new Error(`no user page at ${address.toString(16)}`);
    return page.pa + (address % 4096);
  }

  write64(address: number, ...words: (number | bigint)[]): void {
    for (const [index, word] of words.entries()) {
      this.machine.ram.view.setBigInt64(this.at(address + index * 8), BigInt.asIntN(64, BigInt(word)), true);
    }
  }

  read64(address: number): bigint {
    return this.machine.ram.view.getBigInt64(this.at(address), true);
  }

  write32(address: number, value: number): void {
    this.machine.ram.view.setInt32(this.at(address), value, true);
  }

  read32(address: number): number {
    return this.machine.ram.view.getInt32(this.at(address), true);
  }

  writeText(address: number, text: string): void {
    for (const [index, byte] of new TextEncoder().encode(`${text}\0`).entries()) {
      this.machine.ram.u8[this.at(address + index)] = byte;
    }
  }

  #newGroup(task: Task): ThreadGroup {
    const { table } = this.processes;
    const group = new ThreadGroup({
      table,
      tgid: task.tgid,
      parent: table.init,
      exitSignal: 17,
      image: { path: "/bench", segments: [], vdsoVpn: 0 },
      limits: defaultLimits(),
      startCycles: 0,
    });
    table.groups.set(task.tgid, group);
    table.init ??= group;
    group.parent?.children.push(group);
    return group;
  }

  /** The fake machine starts the first task itself; everything else is the real thing. */
  #bootable(): Processes {
    const fake = this.machine.kernel.process;
    const real = this.processes;
    const process = Object.create(real) as Processes;
    process.startInit = (k) => fake.startInit(k);
    process.scheduleTail = (k) => (k.task!.process === null ? fake.scheduleTail(k) : real.scheduleTail(k));
    process.exitWork = (k, frame) =>
      k.task!.process === null ? fake.exitWork(k, frame) : real.exitWork(k, frame);
    process.syscall = (k, frame) => real.syscall(k, frame);
    process.signalPending = (task) => task.process !== null && real.signalPending(task);
    process.fatalSignalPending = (task) => real.fatalSignalPending(task);
    return process;
  }
}
