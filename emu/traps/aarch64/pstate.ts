/**
 * PSTATE: SPSR images, and the stack pointer selection. Arm ARM DDI 0487, D1.4 "Process state, PSTATE", C5.2.19
 * "SPSR_EL1". FEAT_UAO, FEAT_BTI and FEAT_MTE are absent, and PSTATE.SS is always 0, as software step is not modelled.
 */
import {
  flagsOfNzcv,
  nzcvOfFlags,
  PSTATE_A,
  PSTATE_D,
  PSTATE_DIT,
  PSTATE_EL,
  PSTATE_F,
  PSTATE_I,
  PSTATE_PAN,
  PSTATE_SP,
  PSTATE_SSBS,
} from "../../frontends/aarch64/index.ts";
import { readFlags, writeFlags } from "../../ir/index.ts";
import { PSTATE, SCTLR, SP, SP_CHECK, SP_EL0, SP_EL1 } from "./words.ts";

export const PSTATE_DAIF: number = PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F;
export const PSTATE_EL1 = 4;
/** Fields that an SPSR carries besides NZCV, IL and M, and that do not hang on the Exception level. */
export const PSTATE_KEPT: number = PSTATE_DAIF | PSTATE_SSBS | PSTATE_PAN | PSTATE_DIT;

const SCTLR_SA = 1 << 3;
const SCTLR_SA0 = 1 << 4;
const STACK_ALIGNMENT_MASK = 15;

/** SPSR image of PSTATE. @hot */
export function readPstate(words: Int32Array): number {
  return words[PSTATE] | (nzcvOfFlags(readFlags(words)) << 28);
}

export function writeNzcv(words: Int32Array, spsr: number): void {
  writeFlags(words, flagsOfNzcv(spsr >>> 28));
}

/** Exception level 0 or 1. @hot */
export function exceptionLevel(words: Int32Array): 0 | 1 {
  return (words[PSTATE] & PSTATE_EL) === 0 ? 0 : 1;
}

/**
 * Replaces PSTATE, NZCV excepted. SP moves between its bank and the slot of the selected one. @param pstate as in
 * SPSR_EL1; M is EL0t, EL1t or EL1h @hot
 */
export function setPstate(words: Int32Array, pstate: number): void {
  const from = (words[PSTATE] & PSTATE_SP) !== 0 ? SP_EL1 : SP_EL0;
  const to = (pstate & PSTATE_SP) !== 0 ? SP_EL1 : SP_EL0;
  words[PSTATE] = pstate;
  if (from !== to) {
    words[from] = words[SP];
    words[from + 1] = words[SP + 1];
    words[SP] = words[to];
    words[SP + 1] = words[to + 1];
  }
  deriveStackCheck(words);
}

/** SCTLR_EL1.SA and SA0 say at which level SP is checked. @hot */
export function deriveStackCheck(words: Int32Array): void {
  const bit = (words[PSTATE] & PSTATE_EL) === 0 ? SCTLR_SA0 : SCTLR_SA;
  words[SP_CHECK] = (words[SCTLR] & bit) !== 0 ? STACK_ALIGNMENT_MASK : 0;
}

/** Word index at which SP_EL0 or SP_EL1 is to be found at the moment. @hot */
export function stackSlot(words: Int32Array, level: 0 | 1): number {
  const selected = (words[PSTATE] & PSTATE_SP) !== 0 ? 1 : 0;
  if (selected === level) return SP;
  return level === 0 ? SP_EL0 : SP_EL1;
}
