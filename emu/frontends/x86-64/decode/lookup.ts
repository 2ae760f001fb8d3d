/**
 * From opcode byte and fields to the row. Per map and opcode byte a list of candidates, narrow rows first, and per
 * list a memo indexed by everything but rm, REX.B and VEX.L.
 */
import { breadth, ROWS, type Row } from "../table/index.ts";

const MAPS = 8;
const MEMO_SIZE = 4 * 4 * 2 * 8;

export interface OpcodeEntry {
  readonly hasModRM: boolean;
  readonly candidates: readonly Row[];
  readonly memo: (readonly Row[] | undefined)[];
}

const ENTRIES: readonly (OpcodeEntry | null)[] = buildEntries();

/** Candidates of a map (0-3; 4-7 the same under VEX) and opcode byte; null if nothing is defined there. */
export function opcodeEntry(map: number, opcode: number): OpcodeEntry | null {
  return ENTRIES[map * 256 + opcode]!;
}

/**
 * The row that applies, or null.
 * @param size W << 1 | 66 present @param rep 0 none, 1 F2, 2 F3 @param modRM the ModRM byte, 0 if there is none
 * @param b REX.B @param l VEX.L
 */
export function findRow(
  entry: OpcodeEntry,
  size: number,
  rep: number,
  modRM: number,
  b: number,
  l: number,
): Row | null {
  const isRegister = modRM >= 0xc0 ? 1 : 0;
  const reg = (modRM >> 3) & 7;
  const key = (((size << 2) | rep) << 4) | (isRegister << 3) | reg;
  const rows = (entry.memo[key] ??= narrow(entry.candidates, size, rep, isRegister, reg));
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if ((row.rm >> (modRM & 7)) & (row.b >> b) & (row.l >> l) & 1) return row;
  }
  return null;
}

function narrow(
  rows: readonly Row[],
  size: number,
  rep: number,
  isRegister: number,
  reg: number,
): readonly Row[] {
  return rows.filter(
    (row) =>
      (row.size >> size) &
      (row.rep >> rep) &
      (row.modIgnored ? 1 : row.mod >> isRegister) &
      (row.reg >> reg) &
      1,
  );
}

function buildEntries(): readonly (OpcodeEntry | null)[] {
  const lists = Array.from({ length: MAPS * 256 }, (): Row[] => []);
  for (const row of ROWS) {
    const map = row.map + (row.vex ? 4 : 0);
    for (let r = 0; r < (row.plusRegister ? 8 : 1); r++) lists[map * 256 + row.opcode + r]!.push(row);
  }
  return lists.map((rows) => {
    if (rows.length === 0) return null;
    rows.sort((a, b) => breadth(a) - breadth(b) || a.id - b.id);
    const hasModRM = rows[0]!.hasModRM;
    if (rows.some((row) => row.hasModRM !== hasModRM)) {
      throw new Error(`x86-64 table: ${rows[0]!.opcodeText}: some rows of this opcode have ModRM, some not`);
    }
    return {
      hasModRM,
      candidates: rows,
      memo: new Array<readonly Row[] | undefined>(MEMO_SIZE).fill(undefined),
    };
  });
}
