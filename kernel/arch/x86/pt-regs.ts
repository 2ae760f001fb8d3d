/**
 * struct pt_regs (arch/x86/include/asm/ptrace.h): the registers that a trap saved, on the kernel stack. The CPU pushes
 * ss … ip (and the error code); entry code pushes the rest below.
 *
 *     00 r15   20 bp    40 r9    60 dx       80 ip
 *     08 r14   28 bx    48 r8    68 si       88 cs
 *     10 r13   30 r11   50 ax    70 di       90 flags
 *     18 r12   38 r10   58 cx    78 orig_ax  98 sp    a0 ss
 */
import type { PhysicalMemory } from "../../../mmu/index.ts";

export const REGS_R15 = 0x00;
export const REGS_R14 = 0x08;
export const REGS_R13 = 0x10;
export const REGS_R12 = 0x18;
export const REGS_BP = 0x20;
export const REGS_BX = 0x28;
export const REGS_R11 = 0x30;
export const REGS_R10 = 0x38;
export const REGS_R9 = 0x40;
export const REGS_R8 = 0x48;
export const REGS_AX = 0x50;
export const REGS_CX = 0x58;
export const REGS_DX = 0x60;
export const REGS_SI = 0x68;
export const REGS_DI = 0x70;
/** System-call number, or the CPU's error code, or -1. */
export const REGS_ORIG_AX = 0x78;
export const REGS_IP = 0x80;
export const REGS_CS = 0x88;
export const REGS_FLAGS = 0x90;
export const REGS_SP = 0x98;
export const REGS_SS = 0xa0;
export const REGS_BYTES = 0xa8;

/** The frame was pushed by user mode. @hot */
export function userMode(ram: PhysicalMemory, frame: number): boolean {
  return (ram.read32(frame + REGS_CS) & 3) !== 0;
}

/** Saves the general registers, RSP excluded. `gpr` holds RAX … R15 in encoding order, two words each. @hot */
export function saveGeneral(ram: PhysicalMemory, frame: number, gpr: Int32Array): void {
  ram.beforeWrite(frame);
  ram.beforeWrite(frame + REGS_BYTES - 1);
  const words = ram.i32;
  const at = frame >>> 2;
  words[at] = gpr[30]!;
  words[at + 1] = gpr[31]!;
  words[at + 2] = gpr[28]!;
  words[at + 3] = gpr[29]!;
  words[at + 4] = gpr[26]!;
  words[at + 5] = gpr[27]!;
  words[at + 6] = gpr[24]!;
  words[at + 7] = gpr[25]!;
  words[at + 8] = gpr[10]!;
  words[at + 9] = gpr[11]!;
  words[at + 10] = gpr[6]!;
  words[at + 11] = gpr[7]!;
  words[at + 12] = gpr[22]!;
  words[at + 13] = gpr[23]!;
  words[at + 14] = gpr[20]!;
  words[at + 15] = gpr[21]!;
  words[at + 16] = gpr[18]!;
  words[at + 17] = gpr[19]!;
  words[at + 18] = gpr[16]!;
  words[at + 19] = gpr[17]!;
  words[at + 20] = gpr[0]!;
  words[at + 21] = gpr[1]!;
  words[at + 22] = gpr[2]!;
  words[at + 23] = gpr[3]!;
  words[at + 24] = gpr[4]!;
  words[at + 25] = gpr[5]!;
  words[at + 26] = gpr[12]!;
  words[at + 27] = gpr[13]!;
  words[at + 28] = gpr[14]!;
  words[at + 29] = gpr[15]!;
}

/** Loads the general registers, RSP excluded. @hot */
export function restoreGeneral(ram: PhysicalMemory, frame: number, gpr: Int32Array): void {
  const words = ram.i32;
  const at = frame >>> 2;
  gpr[30] = words[at]!;
  gpr[31] = words[at + 1]!;
  gpr[28] = words[at + 2]!;
  gpr[29] = words[at + 3]!;
  gpr[26] = words[at + 4]!;
  gpr[27] = words[at + 5]!;
  gpr[24] = words[at + 6]!;
  gpr[25] = words[at + 7]!;
  gpr[10] = words[at + 8]!;
  gpr[11] = words[at + 9]!;
  gpr[6] = words[at + 10]!;
  gpr[7] = words[at + 11]!;
  gpr[22] = words[at + 12]!;
  gpr[23] = words[at + 13]!;
  gpr[20] = words[at + 14]!;
  gpr[21] = words[at + 15]!;
  gpr[18] = words[at + 16]!;
  gpr[19] = words[at + 17]!;
  gpr[16] = words[at + 18]!;
  gpr[17] = words[at + 19]!;
  gpr[0] = words[at + 20]!;
  gpr[1] = words[at + 21]!;
  gpr[2] = words[at + 22]!;
  gpr[3] = words[at + 23]!;
  gpr[4] = words[at + 24]!;
  gpr[5] = words[at + 25]!;
  gpr[12] = words[at + 26]!;
  gpr[13] = words[at + 27]!;
  gpr[14] = words[at + 28]!;
  gpr[15] = words[at + 29]!;
}

/** A register of a frame as 16 hex digits. */
export function regsHex(ram: PhysicalMemory, frame: number, offset: number): string {
  return hex32(ram.read32(frame + offset + 4)) + hex32(ram.read32(frame + offset));
}

function hex32(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}
