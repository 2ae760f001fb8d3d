/** ESR_EL1 as the kernel reads it: exception classes and their names (asm/esr.h, esr_class_str[] of arch/arm64/kernel/traps.c). */
export const ESR_EC_UNKNOWN = 0x00;
export const ESR_EC_WFX = 0x01;
export const ESR_EC_FP_ASIMD = 0x07;
export const ESR_EC_BTI = 0x0d;
export const ESR_EC_ILL = 0x0e;
export const ESR_EC_SVC64 = 0x15;
export const ESR_EC_SYS64 = 0x18;
export const ESR_EC_IABT_LOW = 0x20;
export const ESR_EC_IABT_CUR = 0x21;
export const ESR_EC_PC_ALIGN = 0x22;
export const ESR_EC_DABT_LOW = 0x24;
export const ESR_EC_DABT_CUR = 0x25;
export const ESR_EC_SP_ALIGN = 0x26;
export const ESR_EC_BREAKPT_LOW = 0x30;
export const ESR_EC_BREAKPT_CUR = 0x31;
export const ESR_EC_SOFTSTP_LOW = 0x32;
export const ESR_EC_SOFTSTP_CUR = 0x33;
export const ESR_EC_WATCHPT_LOW = 0x34;
export const ESR_EC_WATCHPT_CUR = 0x35;
export const ESR_EC_BRK64 = 0x3c;

const ESR_EC_SHIFT = 26;
export const ESR_EC_MASK: number = 0xfc00_0000 | 0;
export const ESR_IL = 0x200_0000;
/** Of data aborts: write not read, by cache maintenance, FAR not valid; and the fault status code of both aborts. */
export const ESR_WNR = 0x40;
export const ESR_CM = 0x100;
export const ESR_FNV = 0x400;
export const ESR_FSC = 0x3f;

/** ESR_ELx_EC(). @hot */
export function esrClass(esr: number): number {
  return esr >>> ESR_EC_SHIFT;
}

/** esr_get_class_string(). */
export function esrClassText(esr: number): string {
  return CLASS_TEXTS[esrClass(esr)] ?? "UNRECOGNIZED EC";
}

const CLASS_TEXTS: Readonly<Record<number, string>> = {
  0: "Unknown/Uncategorized",
  1: "WFI/WFE",
  3: "CP15 MCR/MRC",
  4: "CP15 MCRR/MRRC",
  5: "CP14 MCR/MRC",
  6: "CP14 LDC/STC",
  7: "ASIMD",
  8: "CP10 MRC/VMRS",
  9: "PAC",
  12: "CP14 MCRR/MRRC",
  13: "BTI",
  14: "PSTATE.IL",
  17: "SVC (AArch32)",
  18: "HVC (AArch32)",
  19: "SMC (AArch32)",
  21: "SVC (AArch64)",
  22: "HVC (AArch64)",
  23: "SMC (AArch64)",
  24: "MSR/MRS (AArch64)",
  25: "SVE",
  26: "ERET/ERETAA/ERETAB",
  28: "FPAC",
  29: "SME",
  31: "EL3 IMP DEF",
  32: "IABT (lower EL)",
  33: "IABT (current EL)",
  34: "PC Alignment",
  36: "DABT (lower EL)",
  37: "DABT (current EL)",
  38: "SP Alignment",
  40: "FP (AArch32)",
  44: "FP (AArch64)",
  47: "SError",
  48: "Breakpoint (lower EL)",
  49: "Breakpoint (current EL)",
  50: "Software Step (lower EL)",
  51: "Software Step (current EL)",
  52: "Watchpoint (lower EL)",
  53: "Watchpoint (current EL)",
  56: "BKPT (AArch32)",
  58: "Vector catch (AArch32)",
  60: "BRK (AArch64)",
};
