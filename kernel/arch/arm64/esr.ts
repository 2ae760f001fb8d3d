/**
 * ESR_EL1 of instruction and data aborts: Arm ARM D24 "ESR_EL1", ISS encodings; arch/arm64/include/asm/esr.h.
 *
 *     31-26  25  24   23-11          10   9   8   7      6    5-0
 *     EC     IL  ISV  SAS SSE SRT …  FnV  EA  CM  S1PTW  WnR  DFSC or IFSC
 */
export const ESR_EC_SHIFT = 26;
export const ESR_IL: number = 1 << 25;
export const ESR_FNV: number = 1 << 10;
export const ESR_CM: number = 1 << 8;
export const ESR_S1PTW: number = 1 << 7;
export const ESR_WNR: number = 1 << 6;

/** Exception classes. */
export const EC_IABT_LOW = 0x20;
export const EC_IABT_CUR = 0x21;
export const EC_DABT_LOW = 0x24;
export const EC_DABT_CUR = 0x25;

/** Fault status code, and its kind without the level. */
const FSC_MASK = 0x3f;
const FSC_TYPE_MASK = 0x3c;
export const FSC_TYPE_TRANSLATION = 0x04;
export const FSC_TYPE_ACCESS_FLAG = 0x08;
export const FSC_TYPE_PERMISSION = 0x0c;
export const FSC_ALIGNMENT_FAULT = 0x21;
export const FSC_TLB_CONFLICT_ABORT = 0x30;

/** @hot */
export function exceptionClass(esr: number): number {
  return esr >>> ESR_EC_SHIFT;
}

/** @hot */
export function faultStatus(esr: number): number {
  return esr & FSC_MASK;
}

/** Translation, access flag and permission faults without their level. @hot */
export function faultType(esr: number): number {
  return esr & FSC_TYPE_MASK;
}

/** is_el0_instruction_abort(). @hot */
export function isInstructionAbort(esr: number): boolean {
  return exceptionClass(esr) === EC_IABT_LOW;
}

/** is_write_abort(): cache maintenance says WnR, but reads. @hot */
export function isWriteAbort(esr: number): boolean {
  return (esr & (ESR_WNR | ESR_CM)) === ESR_WNR && !isInstructionAbort(esr);
}

/** The exception was taken from EL0. @hot */
export function isFromUser(esr: number): boolean {
  const ec = exceptionClass(esr);
  return ec === EC_IABT_LOW || ec === EC_DABT_LOW;
}
