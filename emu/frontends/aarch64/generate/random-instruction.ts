/** Random instructions for tests and fuzzing, made from the table. */
import { fieldsOf } from "../decode/decoder.ts";
import { SYSTEM_REGISTERS } from "../system-registers.ts";
import { matches, ROWS, type Row } from "../table/index.ts";

/** Next uniformly distributed 32-bit number, as uint32. */
export type RandomSource = () => number;

const ATTEMPTS = 4096;

/** A row of the table that executes. */
export function randomRow(random: RandomSource): Row {
  for (;;) {
    const row = ROWS[random() % ROWS.length]!;
    if (row.kind === "lifted") return row;
  }
}

/**
 * One allocated encoding of the row whose meaning the manual fixes (no CONSTRAINED UNPREDICTABLE register choice), as
 * an int32. Registers that exist are preferred for MRS and MSR.
 */
export function randomInstruction(row: Row, random: RandomSource): number {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const word = withShouldBeOnes(row, row.value | (random() & ~row.mask)) | 0;
    const chosen = isRegisterMove(row) ? withKnownRegister(word, random) : word;
    if (matches(row, chosen) && isPredictable(row, chosen)) return chosen;
  }
  throw new Error(`randomInstruction: no encoding of ${row.name}`);
}

/** False for register choices and immediates that the manual leaves CONSTRAINED UNPREDICTABLE or reserved. */
export function isPredictable(row: Row, word: number): boolean {
  const f = fieldsOf(row, word);
  const { name } = row;
  if (row.group === "branches-system") return !/^MSR (UAO|PAN|SPSel|SSBS|DIT)/.test(name) || f["i"]! < 2;
  if (row.group !== "loads-stores") return true;
  const base = f["n"] === 31 ? -1 : f["n"];
  if (/post|pre/.test(name) && (f["t"] === base || f["u"] === base)) return false;
  if (/^LD.*P/.test(name) && f["u"] !== undefined && f["t"] === f["u"]) return false;
  if (/^ST.?X/.test(name)) return f["e"] !== f["t"] && f["e"] !== f["u"] && f["e"] !== base;
  return true;
}

function withShouldBeOnes(row: Row, word: number): number {
  let value = word;
  for (let index = 0; index < 32; index++) if (row.pattern[index] === "-") value |= 1 << (31 - index);
  return value;
}

function isRegisterMove(row: Row): boolean {
  return row.name === "MRS" || row.name === "MSR (register)";
}

function withKnownRegister(word: number, random: RandomSource): number {
  const [, encoding] = SYSTEM_REGISTERS[random() % SYSTEM_REGISTERS.length]!;
  const [op0, op1, CRn, CRm, op2] = encoding.split(":").map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const fields = ((op0 & 1) << 19) | (op1 << 16) | (CRn << 12) | (CRm << 8) | (op2 << 5);
  return (word & ~0xf_ffe0) | fields;
}
