/**
 * struct pt_regs of Linux 6.6 (arch/arm64/include/asm/ptrace.h): the registers that an exception saved, on the kernel
 * stack. The CPU saves nothing in memory; entry code writes all of it.
 *
 *     000 x0 … x30   0f8 sp   100 pc   108 pstate   110 orig_x0   118 syscallno   11c unused2
 *     120 sdei_ttbr1   128 pmr_save   130 stackframe (fp, pc)   140 lockdep_hardirqs   148 exit_rcu
 *
 * sdei_ttbr1, pmr_save, lockdep_hardirqs and exit_rcu belong to features that this kernel does without; they are not written.
 */
import type { PhysicalMemory } from "../../../mmu/index.ts";
import { PSR_I_BIT, PSR_MODE_EL0t, PSR_MODE_MASK } from "./registers.ts";

export const REGS_X0 = 0x00;
export const REGS_X1 = 0x08;
export const REGS_X2 = 0x10;
export const REGS_X8 = 0x40;
export const REGS_X29 = 0xe8;
export const REGS_X30 = 0xf0;
export const REGS_SP = 0xf8;
export const REGS_PC = 0x100;
export const REGS_PSTATE = 0x108;
/** X0 as a system call found it: what a restart puts back. */
export const REGS_ORIG_X0 = 0x110;
/** The call's number (int); NO_SYSCALL: the last entry from user mode was none. */
export const REGS_SYSCALLNO = 0x118;
export const REGS_STACKFRAME = 0x130;
export const REGS_BYTES = 0x150;

export const NO_SYSCALL = -1;
/** X0 … X30, as words. */
const GENERAL_WORDS = 62;

/** Place of Xn. */
export function regsOfX(number: number): number {
  return REGS_X0 + number * 8;
}

/** user_mode(): the frame is user code's. @hot */
export function userMode(ram: PhysicalMemory, frame: number): boolean {
  return (ram.read32(frame + REGS_PSTATE) & PSR_MODE_MASK) === PSR_MODE_EL0t;
}

/** interrupts_enabled(): they were on where the exception came from. @hot */
export function interruptsWereOn(ram: PhysicalMemory, frame: number): boolean {
  return (ram.read32(frame + REGS_PSTATE) & PSR_I_BIT) === 0;
}

/** Saves X0 … X30. `gpr` holds two words each. @hot */
export function saveGeneral(ram: PhysicalMemory, frame: number, gpr: Int32Array): void {
  ram.beforeWrite(frame);
  ram.beforeWrite(frame + REGS_BYTES - 1);
  const words = ram.i32;
  const at = frame >>> 2;
  for (let word = 0; word < GENERAL_WORDS; word++) words[at + word] = gpr[word]!;
}

/** Loads X0 … X30. @hot */
export function restoreGeneral(ram: PhysicalMemory, frame: number, gpr: Int32Array): void {
  const words = ram.i32;
  const at = frame >>> 2;
  for (let word = 0; word < GENERAL_WORDS; word++) gpr[word] = words[at + word]!;
}

/** A register of a frame as 16 hex digits. */
export function regsHex(ram: PhysicalMemory, frame: number, offset: number): string {
  return hex32(ram.read32(frame + offset + 4)) + hex32(ram.read32(frame + offset));
}

function hex32(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}
