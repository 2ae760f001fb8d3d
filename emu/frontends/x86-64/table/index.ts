/**
 * The whole instruction table, in the SDM's groups. One row per instruction form; rows of one group lie in one file.
 */
import { ARITHMETIC } from "./arithmetic.ts";
import { BIT } from "./bit.ts";
import { BMI } from "./bmi.ts";
import { CONTROL_TRANSFER } from "./control-transfer.ts";
import { DATA_TRANSFER } from "./data-transfer.ts";
import { FLAGS } from "./flags.ts";
import { GAPS_AVX } from "./gaps-avx.ts";
import { GAPS_CRYPTO } from "./gaps-crypto.ts";
import { GAPS_MMX } from "./gaps-mmx.ts";
import { GAPS_SSE } from "./gaps-sse.ts";
import { GAPS_SSE2 } from "./gaps-sse2.ts";
import { GAPS_SSE3_4 } from "./gaps-sse3-4.ts";
import { GAPS_SYSTEM } from "./gaps-system.ts";
import { GAPS_X87 } from "./gaps-x87.ts";
import { INVALID_64 } from "./invalid-64.ts";
import { IO } from "./io.ts";
import { LOGIC } from "./logic.ts";
import { MISCELLANEOUS } from "./miscellaneous.ts";
import { parseRow } from "./notation.ts";
import { ignoreOperandSizeWithoutSibling } from "./overlap.ts";
import type { Row, RowKind, RowSource } from "./row.ts";
import { SHIFT_ROTATE } from "./shift-rotate.ts";
import { STRING } from "./string.ts";
import { SYSTEM } from "./system.ts";

export { breadth, overlaps } from "./overlap.ts";
export type { OperandSpec, RegisterFile, Row, RowKind, RowSource } from "./row.ts";

const GROUPS: readonly (readonly [name: string, kind: RowKind, rows: readonly RowSource[]])[] = [
  ["data-transfer", "lifted", DATA_TRANSFER],
  ["arithmetic", "lifted", ARITHMETIC],
  ["logic", "lifted", LOGIC],
  ["shift-rotate", "lifted", SHIFT_ROTATE],
  ["bit", "lifted", BIT],
  ["bmi", "lifted", BMI],
  ["control-transfer", "lifted", CONTROL_TRANSFER],
  ["string", "lifted", STRING],
  ["io", "lifted", IO],
  ["flags", "lifted", FLAGS],
  ["miscellaneous", "lifted", MISCELLANEOUS],
  ["system", "lifted", SYSTEM],
  ["x87", "gap", GAPS_X87],
  ["mmx", "gap", GAPS_MMX],
  ["sse", "gap", GAPS_SSE],
  ["sse2", "gap", GAPS_SSE2],
  ["sse3-4", "gap", GAPS_SSE3_4],
  ["crypto", "gap", GAPS_CRYPTO],
  ["avx", "gap", GAPS_AVX],
  ["extended-system", "gap", GAPS_SYSTEM],
  ["invalid-64", "invalid", INVALID_64],
];

function readTable(): readonly Row[] {
  const rows: Row[] = [];
  for (const [name, kind, sources] of GROUPS) {
    for (const source of sources) rows.push(parseRow(source, name, kind, rows.length));
  }
  return ignoreOperandSizeWithoutSibling(rows);
}

/** Every row; `ROWS[i].id === i`. */
export const ROWS: readonly Row[] = readTable();
