/** Page-fault error code: Intel SDM vol. 3A 4.7. */
import {
  type AccessKind,
  FETCH,
  type Privilege,
  type TranslationCause,
  type TranslationFault,
  USER,
  WRITE,
} from "../translation.ts";
import { S_CR4, S_EFER } from "./layout.ts";
import { CR4_SMEP, EFER_NXE, PF_ID, PF_P, PF_PK, PF_RSVD, PF_US, PF_WR } from "./paging.ts";

/** A fault with what #PF pushes. */
export interface X86TranslationFault extends TranslationFault {
  /** Page-fault error code; 0 for not-canonical, which is #GP or #SS. */
  errorCode: number;
}

/**
 * The error code of a cause. PK is set whenever the key denies, so "protection-key" is the cause even if other rights
 * are missing as well. U/S is 1 for user-mode accesses only: implicit supervisor accesses at CPL 3 have it 0. I/D
 * needs CR4.SMEP or EFER.NXE.
 */
export function pageFaultErrorCode(
  words: Int32Array,
  cause: TranslationCause,
  kind: number,
  privilege: number,
): number {
  let code = 0;
  switch (cause) {
    case "not-present":
      break;
    case "reserved-bit":
      code = PF_P | PF_RSVD;
      break;
    case "protection":
      code = PF_P;
      break;
    case "protection-key":
      code = PF_P | PF_PK;
      break;
    default:
      return 0;
  }
  if (kind === WRITE) code |= PF_WR;
  if (privilege === USER) code |= PF_US;
  if (kind === FETCH && ((words[S_CR4] & CR4_SMEP) !== 0 || (words[S_EFER] & EFER_NXE) !== 0)) code |= PF_ID;
  return code;
}

/** Fills in the record of a fault. */
export function describeFault(
  fault: X86TranslationFault,
  words: Int32Array,
  cause: TranslationCause,
  level: number,
  lo: number,
  hi: number,
  kind: AccessKind,
  privilege: Privilege,
): void {
  fault.cause = cause;
  fault.lo = lo;
  fault.hi = hi;
  fault.kind = kind;
  fault.privilege = privilege;
  fault.level = level;
  fault.errorCode = pageFaultErrorCode(words, cause, kind, privilege);
}
