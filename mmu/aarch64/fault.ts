/**
 * Fault status codes: Arm ARM D24 "ESR_EL1", ISS encodings for Data and Instruction Aborts. What depends on the
 * exception level (EC, IL) and on the instruction (CM, SSE, SF, AR, FnV) is for whoever takes the exception.
 */
import {
  type AccessKind,
  type Privilege,
  type TranslationCause,
  type TranslationFault,
  WRITE,
} from "../translation.ts";

/** A fault with what ESR_EL1.ISS says of it. FAR_EL1 gets the address as it was given, tag byte included. */
export interface AArch64TranslationFault extends TranslationFault {
  /** The manual's lookup level 0 … 3; `level` counts from the leaf table, 4 - lookupLevel. */
  lookupLevel: number;
  /** DFSC or IFSC, 6 bits. */
  statusCode: number;
  /** ISS bits 7:0: the status code, WnR (data aborts by stores) and S1PTW (0: there is no stage 2). */
  iss: number;
  /**
   * A read of the address would have raised this fault as well: WnR is then 0 for an instruction that reads and writes
   * atomically.
   */
  isReadFault: boolean;
}

export const FSC_ADDRESS_SIZE = 0x00;
export const FSC_TRANSLATION = 0x04;
export const FSC_ACCESS_FLAG = 0x08;
export const FSC_PERMISSION = 0x0c;
/** Synchronous External abort, not on a walk. */
export const FSC_EXTERNAL = 0x10;
/** Synchronous External abort on a walk; the level is added. */
export const FSC_EXTERNAL_WALK = 0x14;
export const FSC_ALIGNMENT = 0x21;
export const FSC_TLB_CONFLICT = 0x30;
export const ISS_WNR: number = 1 << 6;

/** The status code of a cause at a lookup level. */
export function faultStatusCode(cause: TranslationCause, lookupLevel: number): number {
  switch (cause) {
    case "address-size":
      return FSC_ADDRESS_SIZE + lookupLevel;
    case "not-canonical":
    case "not-present":
      return FSC_TRANSLATION + lookupLevel;
    case "access-flag":
      return FSC_ACCESS_FLAG + lookupLevel;
    case "protection":
      return FSC_PERMISSION + lookupLevel;
    case "bus":
      return FSC_EXTERNAL_WALK + lookupLevel;
    case "alignment":
      return FSC_ALIGNMENT;
    case "tlb-conflict":
      return FSC_TLB_CONFLICT;
    default:
      throw new Error(`faultStatusCode: no AArch64 fault is "${cause}"`);
  }
}

/** Fills in the record of a fault. `isReadFault` counts for permission faults; every other fault is a reader's too. */
export function describeFault(
  fault: AArch64TranslationFault,
  cause: TranslationCause,
  lookupLevel: number,
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
  fault.level = 4 - lookupLevel;
  fault.lookupLevel = lookupLevel;
  fault.statusCode = faultStatusCode(cause, lookupLevel);
  fault.iss = fault.statusCode | (kind === WRITE ? ISS_WNR : 0);
  fault.isReadFault = true;
}
