/** The whole A64 table in the order of C4 "A64 Instruction Set Encoding"; one file per class. */
import { BRANCHES_SYSTEM } from "./branches-system.ts";
import { DATA_PROCESSING_IMMEDIATE } from "./data-processing-immediate.ts";
import { DATA_PROCESSING_REGISTER } from "./data-processing-register.ts";
import { GAPS_FP_SIMD, GAPS_INTEGER, GAPS_LOADS_STORES_SIMD } from "./gaps.ts";
import { LOADS_STORES } from "./loads-stores.ts";
import { RESERVED } from "./reserved.ts";
import { type GapSource, parseRow, type Row, type RowKind, type RowSource } from "./row.ts";

export {
  type AnyFields,
  type Field,
  type Fields,
  type Fixed,
  fieldValue,
  matches,
  type Row,
  type RowKind,
  type RowSource,
} from "./row.ts";

const GROUPS: readonly (readonly [name: string, kind: RowKind, rows: readonly (RowSource | GapSource)[]])[] =
  [
    ["reserved", "lifted", RESERVED],
    ["data-processing-immediate", "lifted", DATA_PROCESSING_IMMEDIATE],
    ["branches-system", "lifted", BRANCHES_SYSTEM],
    ["loads-stores", "lifted", LOADS_STORES],
    ["data-processing-register", "lifted", DATA_PROCESSING_REGISTER],
    ["integer-gaps", "gap", GAPS_INTEGER],
    ["loads-stores-simd", "gap", GAPS_LOADS_STORES_SIMD],
    ["fp-simd", "gap", GAPS_FP_SIMD],
  ];

function readTable(): readonly Row[] {
  const rows: Row[] = [];
  for (const [name, kind, sources] of GROUPS)
    for (const source of sources) rows.push(parseRow(source, name, kind, rows.length));
  return rows;
}

/** Every row; `ROWS[i].id === i`. */
export const ROWS: readonly Row[] = readTable();

/** True if both rows can apply to one word, exclusions aside. */
export function overlaps(a: Row, b: Row): boolean {
  return ((a.value ^ b.value) & a.mask & b.mask) === 0;
}
