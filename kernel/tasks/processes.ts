/** The process half of the kernel: system calls, signals, exec, behind the interface that the rest of it calls. */
import type { Context, Work } from "../context.ts";
import { COST_IRQ_MASK, COST_STEP } from "../costs.ts";
import { ENOSYS } from "../errno.ts";
import { FileTable } from "../fs/file-table.ts";
import type { Kernel } from "../kernel.ts";
import type { FaultSignal, ProcessSubsystem } from "../process.ts";
import type { Task } from "../sched/task.ts";
import { deliverSignals } from "../signal/deliver.ts";
import { fatalSignalPending, forceToTask, signalPending } from "../signal/send.ts";
import { SignalActions } from "../signal/signal-action.ts";
import { faultInfo, signalInfo } from "../signal/signal-info.ts";
import { SI_KERNEL } from "../signal/signal-numbers.ts";
import type { KPtr } from "../struct.ts";
import type { SyscallEntry } from "../syscalls/syscall.ts";
import { putUser32 } from "../user-access.ts";
import { execInit } from "./exec.ts";
import { ProcessState, processOf } from "./process-state.ts";
import { ProcessTable } from "./process-table.ts";
import { ProcessSnapshots } from "./save.ts";
import { defaultLimits, type ProgramImage, ThreadGroup } from "./thread-group.ts";
import { isNullPointer, NULL_USER } from "./user-pointer.ts";

/** A call that was made and is not implemented. */
export interface UnknownCall {
  readonly number: number;
  readonly name: string;
  readonly count: number;
}

export class Processes implements ProcessSubsystem {
  readonly kernel: Kernel;
  readonly table: ProcessTable;
  readonly #snapshots: ProcessSnapshots;
  readonly #byNumber: (SyscallEntry | undefined)[] = [];

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.table = new ProcessTable(kernel, kernel.options.init.stdin ?? (() => new Uint8Array(0)));
    this.#snapshots = new ProcessSnapshots(this.table);
    for (const entry of kernel.arch.process.syscalls) this.#byNumber[entry.number] = entry;
    kernel.register("process", this);
  }

  /** Implemented calls, in order of number. */
  get implementedCalls(): readonly SyscallEntry[] {
    return this.#byNumber.filter((entry) => entry !== undefined);
  }

  /** Calls that programs made and that are not implemented, in order of number. */
  get unknownCalls(): readonly UnknownCall[] {
    const calls = [...this.table.unknownCalls].sort(([a], [b]) => a - b);
    return calls.map(([number, count]) => ({
      number,
      name: this.kernel.arch.process.syscallName(number),
      count,
    }));
  }

  *syscall(k: Context, frame: KPtr): Work {
    k.cpu.setInterruptsEnabled(true);
    if (k.point(COST_IRQ_MASK)) yield;
    const task = k.task!;
    const { call } = processOf(task);
    call.begin(frame);
    const entry = this.#byNumber[call.number];
    k.kernel.platform.trace(k.cpu.id, "syscall", task.pid, call.number);
    if (entry === undefined) {
      this.#countUnknown(call.number);
      call.finish(-ENOSYS);
      return;
    }
    k.kernel.observer?.syscallEnter(k, entry.name, call);
    const work = entry.handler(k, call);
    const result = typeof work === "number" ? work : yield* work;
    k.kernel.observer?.syscallExit(k, entry.name, call, result);
    call.finish(result);
  }

  *exitWork(k: Context, frame: KPtr): Work {
    yield* deliverSignals(k, frame);
  }

  forceSignal(k: Context, signal: FaultSignal): void {
    k.kernel.observer?.signalForced(k, signal);
    const task = k.task!;
    const { fault, actions } = processOf(task);
    fault.trap = signal.trap;
    fault.reportDue = !actions.hasHandler(signal.signo);
    if (signal.addressKind !== "unrecorded") fault.error = signal.error;
    if (signal.addressKind === "page-fault") {
      fault.addressLo = signal.lo;
      fault.addressHi = signal.hi;
    } else if (signal.addressKind === "none") {
      fault.addressLo = fault.addressHi = 0;
    }
    if (signal.code === SI_KERNEL) {
      forceToTask(k, task, signalInfo(signal.signo, SI_KERNEL), "deliver");
      return;
    }
    const info = faultInfo(signal.signo, signal.code, signal.lo, signal.hi, signal.pkey ?? 0);
    forceToTask(k, task, info, "deliver");
  }

  fatalSignalPending(task: Task): boolean {
    return fatalSignalPending(task);
  }

  signalPending(task: Task): boolean {
    return signalPending(task);
  }

  *startInit(k: Context): Work {
    const task = k.task!;
    const table = this.table;
    const none: ProgramImage = { path: "", segments: [], vdsoVpn: 0 };
    const group = new ThreadGroup({
      table,
      tgid: task.tgid,
      parent: null,
      exitSignal: 0,
      image: none,
      limits: defaultLimits(),
      startCycles: table.clock.cycles(k),
    });
    group.threads.push(task);
    table.groups.set(group.tgid, group);
    table.init = group;
    task.process = new ProcessState(task, group, SignalActions.defaults(), FileTable.standard());
    yield* execInit(k, group);
  }

  *scheduleTail(k: Context): Work {
    const state = processOf(k.task!);
    if (k.point(COST_STEP)) yield;
    if (isNullPointer(state.setChildTid)) return;
    const { lo, hi } = state.setChildTid;
    state.setChildTid = NULL_USER;
    yield* putUser32(k, lo, hi, k.task!.pid);
  }

  save(): unknown {
    return this.#snapshots.save();
  }

  restore(state: unknown): void {
    this.#snapshots.restore(state);
  }

  #countUnknown(number: number): void {
    const name = this.kernel.arch.process.syscallName(number);
    this.table.unknownCalls.set(number, (this.table.unknownCalls.get(number) ?? 0) + 1);
    this.kernel.count(`ENOSYS ${name}`);
  }
}
