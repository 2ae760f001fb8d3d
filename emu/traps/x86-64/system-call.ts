/**
 * SYSCALL and SYSRET: Intel SDM vol. 2, the instructions of that name. No memory is touched: CS and SS get the fixed
 * attributes of the manual, whatever the descriptor tables hold. SYSRET to compatibility mode is #GP(0), as that mode is
 * not there.
 */
import { CS, RFLAGS_RF, RFLAGS_VM, SS } from "../../frontends/x86-64/state.ts";
import { canonicalShift } from "./delivery.ts";
import { readRflags, writeRflags } from "./flags.ts";
import { VECTOR_GP, VECTOR_UD } from "./vectors.ts";
import {
  CPL,
  CR4,
  CS_SELECTOR,
  EFER,
  FMASK,
  GPR_R11,
  GPR_RCX,
  INTERRUPT_SHADOW,
  LSTAR,
  PC,
  SEGMENT_RIGHTS,
  SS_SELECTOR,
  STAR,
} from "./words.ts";

const EFER_SCE = 1;
/** Present, accessed; code: readable, L; data: writable, B, G. */
const CODE_RIGHTS = 0xa09b;
const DATA_RIGHTS = 0xc093;
const DPL_3 = 0x60;
/** RFLAGS that SYSRET takes from R11: all but RF, VM and what does not exist. */
const SYSRET_FLAGS = 0x3c_7fd7;

/** RCX and R11 hold the return address and flags already. */
export function enterSystemCall(words: Int32Array): void {
  const selector = (words[STAR + 1] & 0xffff) >>> 0;
  words[PC] = words[LSTAR];
  words[PC + 1] = words[LSTAR + 1];
  writeRflags(words, readRflags(words) & ~words[FMASK] & ~(RFLAGS_RF | RFLAGS_VM));
  words[CS_SELECTOR] = selector & 0xfffc;
  words[SEGMENT_RIGHTS + CS] = CODE_RIGHTS;
  words[SS_SELECTOR] = (selector + 8) & 0xffff;
  words[SEGMENT_RIGHTS + SS] = DATA_RIGHTS;
  words[CPL] = 0;
  words[INTERRUPT_SHADOW] = 0;
}

/**
 * To CPL 3 at RCX with the flags of R11.
 * @returns the vector of the fault, with error code 0 if it has one, or -1
 */
export function returnFromSystemCall(words: Int32Array, operandBits: number): number {
  if ((words[EFER] & EFER_SCE) === 0) return VECTOR_UD;
  const shift = canonicalShift(words[CR4]);
  const target = words[GPR_RCX + 1];
  if (words[CPL] !== 0 || operandBits !== 64 || (target << shift) >> shift !== target) return VECTOR_GP;
  const selector = words[STAR + 1] >>> 16;
  words[PC] = words[GPR_RCX];
  words[PC + 1] = target;
  writeRflags(words, words[GPR_R11] & SYSRET_FLAGS);
  words[CS_SELECTOR] = ((selector + 16) & 0xffff) | 3;
  words[SEGMENT_RIGHTS + CS] = CODE_RIGHTS | DPL_3;
  words[SS_SELECTOR] = ((selector + 8) & 0xffff) | 3;
  words[SEGMENT_RIGHTS + SS] = DATA_RIGHTS | DPL_3;
  words[CPL] = 3;
  words[INTERRUPT_SHADOW] = 0;
  return -1;
}
