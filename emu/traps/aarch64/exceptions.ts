/**
 * Taking exceptions to EL1, and ERET. Arm ARM DDI 0487, D1.3 "Exceptions", J1 "AArch64.TakeException",
 * "AArch64.ExceptionReturn", "SetPSTATEFromPSR", D24.2.40 "ESR_EL1", D24.2.41 "FAR_EL1". Nothing here touches memory: an
 * entry and a return are one step each.
 *
 * Vector offsets from VBAR_EL1: 0x000 from EL1 with SP_EL0, 0x200 from EL1 with SP_EL1, 0x400 from EL0; plus 0x000 for
 * synchronous exceptions, 0x080 IRQ, 0x100 FIQ, 0x180 SError.
 */
import {
  EC_PC_ALIGNMENT,
  PSTATE_DIT,
  PSTATE_EL,
  PSTATE_IL,
  PSTATE_PAN,
  PSTATE_SP,
  PSTATE_SSBS,
} from "../../frontends/aarch64/index.ts";
import {
  exceptionLevel,
  PSTATE_DAIF,
  PSTATE_EL1,
  PSTATE_KEPT,
  readPstate,
  setPstate,
  writeNzcv,
} from "./pstate.ts";
import { ELR, ESR, FAR, MONITOR, PC, PSTATE, SCTLR, SPSR, TCR, VBAR } from "./words.ts";

export const VECTOR_SYNCHRONOUS = 0;
export const VECTOR_IRQ = 0x80;
export const VECTOR_FIQ = 0x100;
export const VECTOR_SERROR = 0x180;
const FROM_EL1_SP1 = 0x200;
const FROM_EL0 = 0x400;
const VECTOR_TABLE_MASK = -0x800;

/** Exception classes besides those of the frontend's traps. */
export const EC_WFX = 0x01;
export const EC_ILLEGAL_STATE = 0x0e;
export const EC_SYSTEM = 0x18;
export const EC_INSTRUCTION_ABORT = 0x20;
export const EC_DATA_ABORT = 0x24;
/** Added to the class of an abort that is taken from EL1. */
const SAME_LEVEL = 1;

const ESR_EC_SHIFT = 26;
/** ESR_EL1.IL: every instruction is 32 bits long, and the classes that have no such instruction set it. */
const ESR_IL = 1 << 25;
/** SCTLR_EL1 bits: SPAN, and DSSBS in the upper half. */
const SCTLR_SPAN = 1 << 23;
const SCTLR_HI_DSSBS = 1 << 12;
/** M[4:0] of the states that exist: EL0t, EL1t, EL1h. */
const MODE_MASK = 0x1f;
const MODE_EL0T = 0;
const MODE_EL1T = 4;
const MODE_EL1H = 5;
/** TCR_EL1, upper half. FEAT_PAuth, and with it TBID, is absent. */
const TCR_HI_TBI0 = 1 << 5;
const TCR_HI_TBI1 = 1 << 6;

/** A synchronous exception. The caller sets FAR_EL1 if the class has one. @param iss 25 bits @hot */
export function takeSynchronous(
  words: Int32Array,
  exceptionClass: number,
  iss: number,
  pcLo: number,
  pcHi: number,
): void {
  words[ESR] = (exceptionClass << ESR_EC_SHIFT) | ESR_IL | iss;
  words[ESR + 1] = 0;
  enter(words, VECTOR_SYNCHRONOUS, pcLo, pcHi);
}

/** An Instruction or Data Abort. @hot */
export function takeAbort(
  words: Int32Array,
  exceptionClass: typeof EC_INSTRUCTION_ABORT | typeof EC_DATA_ABORT,
  iss: number,
  farLo: number,
  farHi: number,
): void {
  words[FAR] = farLo;
  words[FAR + 1] = farHi;
  const level = exceptionLevel(words) === 0 ? 0 : SAME_LEVEL;
  takeSynchronous(words, exceptionClass + level, iss, words[PC], words[PC + 1]);
}

/** FAR_EL1 holds the PC. */
export function takePcAlignment(words: Int32Array, pcLo: number, pcHi: number): void {
  words[FAR] = pcLo;
  words[FAR + 1] = branchAddressHi(words, pcHi);
  takeSynchronous(words, EC_PC_ALIGNMENT, 0, pcLo, pcHi);
}

/** Enters a vector with PC as preferred exception return address; ESR_EL1 and FAR_EL1 are as they are. @hot */
export function enter(words: Int32Array, vector: number, pcLo: number, pcHi: number): void {
  const before = words[PSTATE];
  words[SPSR] = readPstate(words);
  words[SPSR + 1] = 0;
  words[ELR] = pcLo;
  words[ELR + 1] = branchAddressHi(words, pcHi);
  let after = PSTATE_EL1 | PSTATE_SP | PSTATE_DAIF | (before & (PSTATE_PAN | PSTATE_DIT));
  if ((words[SCTLR] & SCTLR_SPAN) === 0) after |= PSTATE_PAN;
  if ((words[SCTLR + 1] & SCTLR_HI_DSSBS) !== 0) after |= PSTATE_SSBS;
  setPstate(words, after);
  const from = (before & PSTATE_EL) === 0 ? FROM_EL0 : (before & PSTATE_SP) !== 0 ? FROM_EL1_SP1 : 0;
  words[PC] = (words[VBAR] & VECTOR_TABLE_MASK) | from | vector;
  words[PC + 1] = words[VBAR + 1];
}

/**
 * ERET at EL1. A return to a state that does not exist (AArch32, EL2 or EL3, EL0 with SP_EL1, M[1] set) keeps EL and SP and
 * sets PSTATE.IL; D1.4.6 "Illegal exception returns". The local monitor is cleared. @hot
 */
export function exceptionReturn(words: Int32Array): void {
  const spsr = words[SPSR];
  const mode = spsr & MODE_MASK;
  const illegal = mode !== MODE_EL0T && mode !== MODE_EL1H && mode !== MODE_EL1T;
  const level = illegal ? words[PSTATE] & (PSTATE_EL | PSTATE_SP) : mode;
  const il = illegal ? PSTATE_IL : spsr & PSTATE_IL;
  words[MONITOR] = 0;
  writeNzcv(words, spsr);
  setPstate(words, level | il | (spsr & PSTATE_KEPT));
  words[PC] = words[ELR];
  words[PC + 1] = branchAddressHi(words, words[ELR + 1]);
}

/** AArch64.BranchAddr(): the tag byte of a PC is a copy of bit 55 where the half of the address space has tags. @hot */
export function branchAddressHi(words: Int32Array, hi: number): number {
  const upper = (hi & (1 << 23)) !== 0;
  const hasTags = (words[TCR + 1] & (upper ? TCR_HI_TBI1 : TCR_HI_TBI0)) !== 0;
  if (!hasTags) return hi;
  return upper ? hi | (0xff << 24) : hi & 0xff_ffff;
}
