/** When two rows can apply to one encoding. */
import { SIZE_16, SIZE_32, SIZE_W0 } from "./conditions.ts";
import type { Row } from "./row.ts";

/** True if both rows can apply to one encoding. */
export function overlaps(a: Row, b: Row): boolean {
  if (a.vex !== b.vex || a.map !== b.map) return false;
  const [firstA, lastA] = opcodeRange(a);
  const [firstB, lastB] = opcodeRange(b);
  if (firstA > lastB || firstB > lastA) return false;
  return (
    (a.size & b.size) !== 0 &&
    (a.rep & b.rep) !== 0 &&
    (a.mod & b.mod) !== 0 &&
    (a.reg & b.reg) !== 0 &&
    (a.rm & b.rm) !== 0 &&
    (a.b & b.b) !== 0 &&
    (a.l & b.l) !== 0
  );
}

/** Number of encodings of the conditions that the row accepts: of two overlapping rows the smaller one applies. */
export function breadth(row: Row): number {
  const count = (mask: number): number => mask.toString(2).replaceAll("0", "").length;
  const masks = [row.size, row.rep, row.mod, row.reg, row.rm, row.b, row.l];
  return masks.reduce((product, mask) => product * count(mask), row.plusRegister ? 8 : 1);
}

function opcodeRange(row: Row): readonly [number, number] {
  return [row.opcode, row.opcode + (row.plusRegister ? 7 : 0)];
}

/** 66 is ignored by a 32-bit form that has no 16-bit sibling: widens the row's size condition. */
export function ignoreOperandSizeWithoutSibling(rows: readonly Row[]): readonly Row[] {
  return rows.map((row) => {
    if (row.size !== SIZE_32 || row.vex || /\b(NP|o32|REX\.W0)\b/.test(row.opcodeText)) return row;
    const wide: Row = { ...row, size: SIZE_W0 };
    const sibling = rows.some(
      (other) => other.id !== row.id && other.size === SIZE_16 && overlaps(wide, other),
    );
    return sibling ? row : wide;
  });
}
