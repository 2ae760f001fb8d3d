/**
 * What neutral kernel code asks of an architecture. One object per architecture, built by kernel/arch/<arch>/index.ts.
 * `entry` is trap entry and exit, context switch, interrupts and start-up; `mmu` is page tables, TLB and address-space
 * switch; `process` is registers at system calls, signal frames and program start.
 */
import type { Cpu } from "../../emu/hardware.ts";
import type { Context, Work } from "../context.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../sched/task.ts";
import type { KPtr } from "../struct.ts";
import type { ArchMmu } from "./mmu-port.ts";
import type { ArchProcess } from "./process-port.ts";

export interface ArchPort {
  readonly name: string;
  readonly entry: ArchEntry;
  readonly mmu: ArchMmu;
  readonly process: ArchProcess;
}

export interface ArchEntry {
  /** Length of the user-mode trap frame at the top of a kernel stack (struct pt_regs). */
  readonly frameBytes: number;

  /** KernelPort.enter. @hot */
  enter(kernel: Kernel, cpu: Cpu, stub: number): void;
  /**
   * The trap whose frame is at the stack pointer is handled, and nothing is due: restores registers and starts the
   * return. The caller leaves run() at once. @hot
   */
  returnFromTrap(kernel: Kernel, cpu: Cpu, frame: number): void;
  /** The frame was pushed by user mode. @hot */
  isUserFrame(kernel: Kernel, frame: number): boolean;

  /** Stack, thread registers and stack for traps from user mode: the core goes from one task to another. */
  switchRegisters(k: Context, prev: Task, next: Task): void;
  /** Makes the core wait for an interrupt in its idle task; the caller leaves run() at once. */
  idle(kernel: Kernel, cpu: Cpu): void;

  /** Address of the kernel-text stub of a user-access site, or of its fixup. @hot */
  setAccessSite(cpu: Cpu, site: number): void;
  /** The kernel PC is the resume stub again. @hot */
  clearAccessSite(cpu: Cpu): void;
  /** The core came back at the fixup of a site (k.resumedAt). @hot */
  cameBackAtFixup(k: Context): boolean;
  /** Opens and closes user memory to kernel accesses (STAC/CLAC, PAN, KUAP). @hot */
  userAccessBegin(cpu: Cpu): void;
  userAccessEnd(cpu: Cpu): void;
  /** access_ok(): the range lies below the end of user space. @hot */
  isUserRange(lo: number, hi: number, lengthBytes: number): boolean;
  /**
   * untagged_addr(): high half of an address that is only looked up, without the bits that translation ignores. What the
   * kernel itself accesses goes to isUserRange() as it is. @hot
   */
  untaggedHi(hi: number): number;

  /** RESCHEDULE: the target looks at its flags word. */
  sendReschedule(k: Context, target: number): void;
  /** CALL_FUNCTION_SINGLE or, when it is one of several, CALL_FUNCTION to another core. */
  sendCallFunction(k: Context, target: number, vector: "single" | "many"): void;

  /** The core's timer interrupts once its clock passes `atCycles`; Infinity: never. */
  armTimer(cpu: Cpu, atCycles: number): void;

  /** Takes and fills what the cores need in RAM (kernel text, descriptor tables, stacks), while memory is laid out. */
  takeBootMemory(kernel: Kernel, boot: { take(lengthBytes: number, alignBytes: number): number }): void;
  /** Puts the boot core, whatever its state, at the boot stub with tables, stack and segments of the kernel. */
  startBootCore(kernel: Kernel): void;
  /** Starts one secondary core and waits until it runs in the kernel. */
  startSecondary(k: Context, target: number): Work;

  /** Text of a trap frame for reports. */
  describeFrame(kernel: Kernel, frame: KPtr): string;
  /** Name of a kernel-text address (halves), as in a backtrace. */
  symbolAt(lo: number, hi: number): string | null;
  /** What the kernel calls an interrupt by its number (x86-64: vector; AArch64: INTID), for reports. */
  interruptName(number: number): string;
}
