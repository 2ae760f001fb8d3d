/** From an instruction word to its row: buckets by bits 31-21, which tell almost all rows apart. */
import { type AnyFields, fieldValue, matches, ROWS, type Row } from "../table/index.ts";

const KEY_SHIFT = 21;
const KEYS = 2048;

const BUCKETS: readonly (readonly Row[])[] = Array.from({ length: KEYS }, (_, key) => {
  const high = key << KEY_SHIFT;
  const highMask = -1 << KEY_SHIFT;
  return ROWS.filter((row) => ((row.value ^ high) & row.mask & highMask) === 0);
});

/** The row of a word (int32 or uint32), or null for an unallocated encoding. */
export function decode(word: number): Row | null {
  const candidates = BUCKETS[word >>> KEY_SHIFT]!;
  for (const row of candidates) if (matches(row, word)) return row;
  return null;
}

/** All fields of a word that the row's pattern names. */
export function fieldsOf(row: Row, word: number): AnyFields {
  const fields: Record<string, number> = {};
  for (const field of row.fields) fields[field.letter] = fieldValue(field, word);
  return fields;
}

/** The little-endian word at an offset of code. */
export function wordAt(code: Uint8Array, offset: number): number {
  return code[offset]! | (code[offset + 1]! << 8) | (code[offset + 2]! << 16) | (code[offset + 3]! << 24);
}
