/**
 * Trap numbers of exit.trap and trap.if. 0-31 are vectors (error code 0 where the vector has one); from
 * TRAP_UNDEFINED on it is #UD of an instruction that is undefined or not implemented, counted by mnemonic.
 * Intel SDM Vol. 3 §6.15.
 */
import { ROWS, type Row } from "./table/index.ts";

export const TRAP_DE = 0;
export const TRAP_DB = 1;
export const TRAP_BP = 3;
export const TRAP_UD = 6;
export const TRAP_NM = 7;
export const TRAP_GP = 13;
export const TRAP_UNDEFINED = 0x100;

/** Mnemonic 0 stands for opcodes that no row describes. */
const MNEMONICS: readonly string[] = ["(unknown)", ...new Set(ROWS.map((row) => row.mnemonic))];
const NUMBERS: ReadonlyMap<string, number> = new Map(MNEMONICS.map((mnemonic, number) => [mnemonic, number]));

/** The #UD of a row, or of an opcode without row. */
export function undefinedTrap(row: Row | null): number {
  return TRAP_UNDEFINED + (row === null ? 0 : NUMBERS.get(row.mnemonic)!);
}

/** The mnemonic under which a trap of undefinedTrap() is counted; null for other traps. */
export function undefinedMnemonic(trap: number): string | null {
  return trap < TRAP_UNDEFINED ? null : (MNEMONICS[trap - TRAP_UNDEFINED] ?? null);
}

/** The exception vector of a trap number. */
export function trapVector(trap: number): number {
  return trap < TRAP_UNDEFINED ? trap : TRAP_UD;
}

/** Mnemonics of the declared gaps: they decode, and raise #UD. */
export function gapMnemonics(): readonly string[] {
  return [...new Set(ROWS.filter((row) => row.kind === "gap").map((row) => row.mnemonic))];
}
