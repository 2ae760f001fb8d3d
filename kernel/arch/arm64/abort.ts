/**
 * What ESR_EL1 says of an instruction or data abort: Arm ARM D24 "ESR_EL1", ISS encodings; arch/arm64/mm/fault.c, 6.6.
 *
 *     31-26  25  24 … 11  10   9   8   7      6    5-2   1-0
 *     EC     IL  …        FnV  EA  CM  S1PTW  WnR  kind  lookup level      (translation, access flag, permission)
 */
import {
  ESR_CM,
  ESR_EC_DABT_CUR,
  ESR_EC_DABT_LOW,
  ESR_EC_IABT_CUR,
  ESR_EC_IABT_LOW,
  ESR_WNR,
  esrClass,
} from "./esr.ts";

/** Status codes without their level. */
const FSC_TYPE_MASK = 0x3c;
const FSC_TYPE_TRANSLATION = 0x04;
const FSC_TYPE_PERMISSION = 0x0c;

/** is_el0_instruction_abort(). @hot */
export function isInstructionAbort(esr: number): boolean {
  return esrClass(esr) === ESR_EC_IABT_LOW;
}

/** is_el1_instruction_abort(). */
export function isKernelInstructionAbort(esr: number): boolean {
  return esrClass(esr) === ESR_EC_IABT_CUR;
}

/** is_write_abort() of a data abort: cache maintenance says WnR, but only reads. @hot */
export function isWriteAbort(esr: number): boolean {
  return (esr & (ESR_WNR | ESR_CM)) === ESR_WNR && !isInstructionAbort(esr);
}

/** The abort was taken from EL0. @hot */
export function isFromUser(esr: number): boolean {
  const ec = esrClass(esr);
  return ec === ESR_EC_DABT_LOW || ec === ESR_EC_IABT_LOW;
}

/** is_el1_permission_fault(): kernel code was denied an access, by PAN as a rule. (No software PAN: nothing else is.) */
export function isKernelPermissionFault(esr: number): boolean {
  const ec = esrClass(esr);
  if (ec !== ESR_EC_DABT_CUR && ec !== ESR_EC_IABT_CUR) return false;
  return (esr & FSC_TYPE_MASK) === FSC_TYPE_PERMISSION;
}

/** Nothing valid was found for the address. */
export function isTranslationFault(esr: number): boolean {
  return (esr & FSC_TYPE_MASK) === FSC_TYPE_TRANSLATION;
}
