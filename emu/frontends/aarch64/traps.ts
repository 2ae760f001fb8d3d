/**
 * Trap numbers of exit.trap and trap.if: exception class << 25 | ISS, so that ESR_ELx is the number with IL and with the
 * class moved to bits 31:26. For class 0, which has no ISS, the low bits tell the mnemonic that is counted.
 * DDI 0487, D17.2.37 "ESR_EL1".
 */
import { ROWS, type Row } from "./table/index.ts";

export const EC_UNKNOWN = 0x00;
export const EC_SVC = 0x15;
export const EC_PC_ALIGNMENT = 0x22;
export const EC_SP_ALIGNMENT = 0x26;
export const EC_BRK = 0x3c;

const ISS_BITS = 25;
const ISS_MASK: number = 2 ** ISS_BITS - 1;

/** Mnemonic 0 stands for unallocated encodings. */
const MNEMONICS: readonly string[] = ["(unallocated)", ...new Set(ROWS.map((row) => row.mnemonic))];
const NUMBERS: ReadonlyMap<string, number> = new Map(MNEMONICS.map((mnemonic, number) => [mnemonic, number]));

/** @param exceptionClass 0-63 @param iss 25 bits */
export function trapNumber(exceptionClass: number, iss: number): number {
  return exceptionClass * 2 ** ISS_BITS + iss;
}

/** ESR_ELx.EC of a trap. */
export function trapClass(trap: number): number {
  return trap >>> ISS_BITS;
}

/** ESR_ELx.ISS of a trap. */
export function trapIss(trap: number): number {
  return trapClass(trap) === EC_UNKNOWN ? 0 : trap & ISS_MASK;
}

/** UNDEFINED: of a row, or of an unallocated encoding. */
export function undefinedTrap(row: Row | null): number {
  return trapNumber(EC_UNKNOWN, row === null ? 0 : NUMBERS.get(row.mnemonic)!);
}

/** The mnemonic under which a trap of undefinedTrap() is counted; null for other traps. */
export function undefinedMnemonic(trap: number): string | null {
  return trapClass(trap) === EC_UNKNOWN ? (MNEMONICS[trap & ISS_MASK] ?? null) : null;
}

/** Mnemonics of the declared gaps. */
export function gapMnemonics(): readonly string[] {
  return [...new Set(ROWS.filter((row) => row.kind === "gap").map((row) => row.mnemonic))];
}
