/**
 * Layout of an AArch64 core's slots in the core state: byte offsets, little-endian. The neutral head (PC, condition
 * record, exclusive monitor) is emu/ir's.
 *
 * NZCV lives in the condition record: N is FLAG_S, Z is FLAG_Z, V is FLAG_O, and FLAG_C is the inverse of C. The carry of
 * an Arm subtraction is "no borrow", so the record of a comparison is the neutral one, and HI, LS, CS and CC are the
 * predicates `a`, `be`, `nc` and `c`.
 *
 *      64  X0-X30, 8 bytes each
 *     312  SP of the current stack pointer selection; the banked SP_EL0 and SP_EL1 follow (traps swap on a change)
 *     336  PSTATE without NZCV (i32, in SPSR_ELx positions), SP bits that must be 0 (i32)
 *     344  TPIDR_EL0, TPIDRRO_EL0, TPIDR_EL1 (i64 each)
 *     368  FPCR, FPSR (i32 each)
 *     376  reserved
 *     384  V0-V31, 16 bytes each, up to 896
 *     896  system registers (i64 each), in the order of SYSTEM_REGISTERS
 */
import { FLAG_C, FLAG_O, FLAG_S, FLAG_Z, STATE_FRONTEND_BASE } from "../../ir/index.ts";
import { SYSTEM_REGISTERS, type SystemRegister } from "./system-registers.ts";

export const STATE_REGISTERS: number = STATE_FRONTEND_BASE;
export const STATE_SP: number = STATE_REGISTERS + 31 * 8;
export const STATE_SP_EL0: number = STATE_SP + 8;
export const STATE_SP_EL1: number = STATE_SP + 16;
export const STATE_PSTATE: number = STATE_SP + 24;
/** 15 if SCTLR_EL1.SA (at EL0: SA0) is set, else 0: SP bits that are checked when SP is a base. The core keeps it. */
export const STATE_SP_CHECK: number = STATE_SP + 28;
export const STATE_TPIDR_EL0: number = STATE_SP + 32;
export const STATE_TPIDRRO_EL0: number = STATE_SP + 40;
export const STATE_TPIDR_EL1: number = STATE_SP + 48;
export const STATE_FPCR: number = STATE_SP + 56;
export const STATE_FPSR: number = STATE_SP + 60;
export const STATE_VECTORS = 384;
export const STATE_SYSTEM_REGISTERS: number = STATE_VECTORS + 32 * 16;
export const STATE_SYSTEM_REGISTERS_END: number = STATE_SYSTEM_REGISTERS + SYSTEM_REGISTERS.length * 8;

/** Bits of STATE_PSTATE, where SPSR_ELx has them (DDI 0487, C5.2 "SPSR_EL1"). */
export const PSTATE_EL = 0xc;
export const PSTATE_SP = 0x1;
export const PSTATE_F = 0x40;
export const PSTATE_I = 0x80;
export const PSTATE_A = 0x100;
export const PSTATE_D = 0x200;
export const PSTATE_SSBS = 0x1000;
export const PSTATE_IL = 0x10_0000;
export const PSTATE_PAN = 0x40_0000;
export const PSTATE_UAO = 0x80_0000;
export const PSTATE_DIT = 0x100_0000;

/** NZCV in bits 31:28 of a word. */
export const NZCV_N = 0x8;
export const NZCV_Z = 0x4;
export const NZCV_C = 0x2;
export const NZCV_V = 0x1;

/** @param number 0-30 */
export function registerOffset(number: number): number {
  if (number > 30) throw new Error(`registerOffset: there is no X${number}`);
  return STATE_REGISTERS + number * 8;
}

/** Slot of a system register's value; registers with a slot of their own above, or none, leave theirs unused. */
export function systemRegisterOffset(name: SystemRegister): number {
  return STATE_SYSTEM_REGISTERS + SYSTEM_REGISTERS.findIndex(([known]) => known === name) * 8;
}

/** Condition record bits → NZCV as four bits. */
export function nzcvOfFlags(flags: number): number {
  return (
    (flags & FLAG_S ? NZCV_N : 0) |
    (flags & FLAG_Z ? NZCV_Z : 0) |
    (flags & FLAG_C ? 0 : NZCV_C) |
    (flags & FLAG_O ? NZCV_V : 0)
  );
}

/** NZCV as four bits → condition record bits. */
export function flagsOfNzcv(nzcv: number): number {
  return (
    (nzcv & NZCV_N ? FLAG_S : 0) |
    (nzcv & NZCV_Z ? FLAG_Z : 0) |
    (nzcv & NZCV_C ? 0 : FLAG_C) |
    (nzcv & NZCV_V ? FLAG_O : 0)
  );
}
