/**
 * Instructions that the lifters hand to the core (`exit.helper`): number, name, and what `a` and `b` hold. PC is the
 * following instruction when the helper runs. Helpers check Exception level and controls and raise the manual's
 * exceptions as exceptions of their own instruction. Each of them ends its block.
 */
export const SYSTEM_HELPERS = {
  /** UDF in kernel text at EL1; elsewhere in that page UNDEFINED. */
  KERNEL_ENTER: 0,
  /** a: register id (systemRegisterId()) | Rt << 16. Writes Xt; an unknown id is UNDEFINED, counted. */
  MRS: 1,
  /** a: register id | Rt << 16; b: value. */
  MSR: 2,
  /** a: PSTATE field (op1 << 3 | op2); b: the immediate. DAIFSet, DAIFClr, SPSel, PAN, UAO, DIT, SSBS. */
  MSR_IMMEDIATE: 3,
  /** a: op1 << 11 | CRn << 7 | CRm << 3 | op2, | Rt << 16; b: Xt. DC, IC, AT, TLBI and others. */
  SYS: 4,
  /** a: as SYS. Writes Xt. */
  SYSL: 5,
  /** a: CRm. Completes invalidations and accesses begun with what they dropped. */
  DSB: 6,
  /** Own fetches see completed changes. */
  ISB: 7,
  CLREX: 8,
  YIELD: 9,
  WFE: 10,
  WFI: 11,
  SEV: 12,
  SEVL: 13,
  /** a: imm16. Firmware calls (PSCI) or UNDEFINED. */
  HVC: 14,
  SMC: 15,
  /** a: imm16. Halting debug is not modelled: UNDEFINED. */
  HLT: 16,
  ERET: 17,
} as const;

export type SystemHelper = keyof typeof SYSTEM_HELPERS;

const NAMES = Object.keys(SYSTEM_HELPERS) as readonly SystemHelper[];

/** Name of a helper number. @throws Error for a number that no lifter emits */
export function systemHelperName(number: number): SystemHelper {
  const name = NAMES[number];
  if (name === undefined || SYSTEM_HELPERS[name] !== number)
    throw new Error(`there is no system helper ${number}`);
  return name;
}
