/** Registers at system calls, signal frames and program start, as neutral code asks them of an architecture. */
import type { PhysicalMemory } from "../../mmu/index.ts";
import type { Context, Work } from "../context.ts";
import type { Task } from "../sched/task.ts";
import type { SignalDelivery } from "../signal/delivery-record.ts";
import type { KPtr } from "../struct.ts";
import type { SyscallEntry } from "../syscalls/syscall.ts";

/** What the first trap of a program finds in the registers. */
export interface ProgramStart {
  readonly entry: bigint;
  readonly sp: bigint;
}

/** What clone() changes in the registers that the child starts with. */
export interface ChildStart {
  /** The child's stack pointer; null: the parent's. */
  readonly stack: { readonly lo: number; readonly hi: number } | null;
  /** The thread pointer (CLONE_SETTLS); null: the parent's. */
  readonly tls: { readonly lo: number; readonly hi: number } | null;
}

export interface ArchProcess {
  /** e_machine of programs, and the machine field of uname(). */
  readonly elfMachine: number;
  readonly machineName: string;
  readonly littleEndian: boolean;
  /** AT_PLATFORM, AT_HWCAP, AT_HWCAP2, AT_MINSIGSTKSZ. */
  readonly platform: string;
  readonly hwcap: number;
  readonly hwcap2: number;
  readonly minimumSignalStackBytes: number;
  /** MINSIGSTKSZ: the smallest alternate stack that sigaltstack() takes. */
  readonly minimumAlternateStackBytes: number;
  /** O_DIRECTORY and O_NOFOLLOW, which differ from one architecture to another (asm/fcntl.h). */
  readonly openFlags: { readonly directory: number; readonly noFollow: number };
  /** Page number of the first page above the stack of a new program. */
  readonly stackTopVpn: number;
  /** Page number at which position-independent programs without an interpreter are loaded. */
  readonly programBaseVpn: number;

  /** What the vDSO's page holds, from its start on: code that the kernel's signal frames return to; null: no such page. */
  readonly vdsoCode: Uint8Array | null;

  /** Implemented calls, by number. */
  readonly syscalls: readonly SyscallEntry[];
  /** Name of any call of the ABI. */
  syscallName(number: number): string;

  /** Number of the system call in a frame (orig_ax); -1: the trap was none. @hot */
  syscallNumber(ram: PhysicalMemory, frame: KPtr): number;
  /** Argument 0 … 5, low and high half. @hot */
  argumentLo(ram: PhysicalMemory, frame: KPtr, index: number): number;
  argumentHi(ram: PhysicalMemory, frame: KPtr, index: number): number;
  /** Puts the result where user code finds it. @hot */
  setResult(ram: PhysicalMemory, frame: KPtr, lo: number, hi: number): void;
  /** The low half of the result register. */
  resultLo(ram: PhysicalMemory, frame: KPtr): number;
  /** Makes the return to user mode execute the call again. */
  restartSyscall(ram: PhysicalMemory, frame: KPtr): void;
  /** The same with restart_syscall instead. */
  restartBySyscall(ram: PhysicalMemory, frame: KPtr): void;

  pcLo(ram: PhysicalMemory, frame: KPtr): number;
  pcHi(ram: PhysicalMemory, frame: KPtr): number;
  spLo(ram: PhysicalMemory, frame: KPtr): number;
  spHi(ram: PhysicalMemory, frame: KPtr): number;

  /** Registers of a new program, all others zero. `frame` is the current task's user frame. */
  startProgram(k: Context, frame: KPtr, start: ProgramStart): void;
  /** The child's user frame and thread registers: the parent's with result 0 and what clone() changes. */
  startChild(k: Context, parentFrame: KPtr, child: Task, start: ChildStart): void;

  /** Pushes a signal frame and enters the handler; false: the frame could not be written. */
  pushSignalFrame(k: Context, frame: KPtr, delivery: SignalDelivery): Work<boolean>;
  /** rt_sigreturn: restores registers and mask from the frame on the user stack, or forces the signal that a bad one means. */
  popSignalFrame(k: Context, frame: KPtr): Work;

  /** The line of the kernel log about a fatal fault. `location`: what follows the registers, or empty. */
  faultLine(k: Context, frame: KPtr, task: Task, location: string): string;
  /** The line with the code bytes around the PC; null: the architecture prints none for this fault. */
  codeLine(k: Context, frame: KPtr): Work<string | null>;
}
