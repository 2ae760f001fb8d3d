/**
 * A task. What other cores race on (state, flags, the core that it runs on, address space) lies in a small task_struct
 * at the low end of its kernel stack in guest RAM, where thread_info lay before Linux 4.9; the object here is a handle
 * plus scheduler data that one core touches at a time. The registers of user mode lie at the high end of the stack.
 *
 *     stack + 0                                              stack + KERNEL_STACK_BYTES
 *     [ task_struct | stack end magic |  ...  nested frames  <-  | user pt_regs ]
 */
import type { Cpu } from "../../emu/hardware.ts";
import type { PhysicalMemory } from "../../mmu/index.ts";
import { Context } from "../context.ts";
import { CpuSet } from "../cpu-set.ts";
import type { Kernel } from "../kernel.ts";
import type { TaskProcess } from "../process.ts";
import { type I32Field, type KPtr, kptrOf, type PtrField, StructLayout, type U64Field } from "../struct.ts";

/** THREAD_SIZE. */
export const KERNEL_STACK_BYTES = 16384;
/** STACK_END_MAGIC, include/uapi/linux/magic.h. */
const STACK_END_MAGIC = 0x57ac6e9d;

/** Task states, include/linux/sched.h. */
export const TASK_RUNNING = 0;
export const TASK_INTERRUPTIBLE = 1;
export const TASK_UNINTERRUPTIBLE = 2;
export const TASK_DEAD = 0x80;
export const TASK_WAKEKILL = 0x100;
export const TASK_KILLABLE: number = TASK_WAKEKILL | TASK_UNINTERRUPTIBLE;
/** Wake-up masks: which sleepers a wake-up finds. */
export const TASK_NORMAL: number = TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE;

/** Bits of the flags word (thread_info.flags): what is due before the return to user mode. */
export const TIF_SIGPENDING: number = 1 << 2;
export const TIF_NEED_RESCHED: number = 1 << 3;
export const TIF_NOTIFY_RESUME: number = 1 << 1;
/** Bits that send the return to user mode through the exit work. */
export const TIF_EXIT_WORK: number = TIF_SIGPENDING | TIF_NEED_RESCHED | TIF_NOTIFY_RESUME;

const TASK = new StructLayout("task_struct");
/** TIF_*; atomic bit operations by any core. */
export const taskFlags: I32Field = TASK.i32("flags", "atomic");
/** TASK_*. */
export const taskState: I32Field = TASK.i32("state", "marked");
/** The core whose run queue the task is on, or on which it last ran. */
export const taskCpu: I32Field = TASK.i32("cpu", "scheduler");
/** 1 while a core executes the task. */
export const taskOnCpu: I32Field = TASK.i32("on_cpu", "scheduler");
export const taskPid: I32Field = TASK.i32("pid", "constant");
export const taskTgid: I32Field = TASK.i32("tgid", "constant");
/** The address space, 0 for a task that has none any more (or never had). */
export const taskMm: PtrField = TASK.ptr("mm", "task_lock");
/** The address space whose tables are loaded while the task runs. */
export const taskActiveMm: PtrField = TASK.ptr("active_mm", "scheduler");
/** The task's place in the list of waiters of one rwsem (struct rwsem_waiter). */
export const waiterNext: PtrField = TASK.ptr("waiter.next", "wait_lock");
export const waiterPrev: PtrField = TASK.ptr("waiter.prev", "wait_lock");
/** 1 waits to read, 2 waits to write, 0 granted or not waiting. */
export const waiterKind: I32Field = TASK.i32("waiter.type", "wait_lock");
const stackEndMagic: U64Field = TASK.u64("stack_end", "constant");

export class Task {
  readonly kernel: Kernel;
  readonly ram: PhysicalMemory;
  readonly pid: number;
  /** Thread group: the pid of the process's first thread. */
  readonly tgid: number;
  /** The task_struct, which is the low end of the kernel stack. */
  readonly at: KPtr;
  /** The registers of user mode, at the high end of the stack. */
  readonly userFrame: KPtr;
  readonly context: Context;
  /** Cores that the task may run on. */
  readonly affinity: CpuSet;
  /** 16 bytes at most, as in Linux. */
  comm: string;
  /** Process data: signals, files, family. Null for the idle tasks. */
  process: TaskProcess | null = null;
  /** True for a core's idle task. */
  readonly idle: boolean;

  /** Fair-share time used, in cycles. */
  vruntime = 0;
  /** Clock of its core when it was last put on, in cycles. */
  execStart = 0;
  /** Cycles executed in all, user and kernel. */
  sumExec = 0;
  /** On a run queue, or running. */
  queued = false;
  /** Its last entry from user mode was a system call: the fast return may fit. */
  returnsBySyscall = false;
  /** Sleeps in synchronize_rcu(). */
  rcuWaiting = false;
  /** Has run: its first steps are done. */
  started = false;
  /** Waited for: the pid is free, and the stack goes with the last switch. */
  released = false;
  /** Voluntary and involuntary switches. */
  nvcsw = 0;
  nivcsw = 0;
  /** Kernel stack pointer (physical) while it does not run. */
  savedSp: number;
  /** Registers that only user code uses, saved when another task runs; the architecture knows their order. */
  readonly userRegisters: Int32Array = new Int32Array(8);

  /**
   * @param stack KERNEL_STACK_BYTES of zeroed guest RAM, aligned to 16
   * @param options.cpu the core that it starts on
   * @param options.state "restored": guest RAM holds its task_struct already
   */
  constructor(
    kernel: Kernel,
    options: {
      pid: number;
      tgid: number;
      stack: KPtr;
      cpu: Cpu;
      comm: string;
      kind: "user" | "idle";
      state?: "new" | "restored";
    },
  ) {
    this.kernel = kernel;
    this.ram = kernel.ram;
    this.pid = options.pid;
    this.tgid = options.tgid;
    this.at = options.stack;
    this.comm = options.comm;
    this.idle = options.kind === "idle";
    this.affinity = CpuSet.first(kernel.platform.cpus.length);
    this.context = new Context(kernel, options.cpu, this);
    this.userFrame = kptrOf(this.stackTop - kernel.arch.entry.frameBytes);
    this.savedSp = this.idle ? this.stackTop : this.userFrame;
    if (options.state === "restored") return;
    taskPid.set(this.ram, this.at, this.pid);
    taskTgid.set(this.ram, this.at, this.tgid);
    taskCpu.set(this.ram, this.at, options.cpu.id);
    stackEndMagic.setHalves(this.ram, this.at, STACK_END_MAGIC, 0);
  }

  /** One past the high end of the kernel stack. */
  get stackTop(): number {
    return this.at + KERNEL_STACK_BYTES;
  }
  get mm(): KPtr {
    return taskMm.get(this.ram, this.at);
  }
  set mm(value: KPtr) {
    taskMm.set(this.ram, this.at, value);
  }
  get activeMm(): KPtr {
    return taskActiveMm.get(this.ram, this.at);
  }
  set activeMm(value: KPtr) {
    taskActiveMm.set(this.ram, this.at, value);
  }
  get state(): number {
    return taskState.get(this.ram, this.at);
  }
  /** A marked store: preceded by a point. */
  set state(value: number) {
    taskState.set(this.ram, this.at, value);
  }
  /** The flags word. @hot */
  get flags(): number {
    return taskFlags.get(this.ram, this.at);
  }
  /** set_tsk_thread_flag(). */
  setFlag(flag: number): void {
    taskFlags.set(this.ram, this.at, this.flags | flag);
  }
  clearFlag(flag: number): void {
    taskFlags.set(this.ram, this.at, this.flags & ~flag);
  }
  /** The stack has not grown into the task_struct. */
  stackIsIntact(): boolean {
    return stackEndMagic.getLo(this.ram, this.at) === (STACK_END_MAGIC | 0);
  }
}
