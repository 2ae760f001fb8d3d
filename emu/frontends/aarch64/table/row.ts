/**
 * A row of the A64 table: one instruction form as the "Encoding" diagrams of the Arm Architecture Reference Manual
 * (DDI 0487, chapter C6) draw it.
 *
 * Pattern: 32 characters, bit 31 first. `0` and `1` are fixed bits; a letter is one bit of the field of that name, most
 * significant first; `-` is a bit that should be 1 and is ignored ("(1)" in the manual).
 *
 * Letters: d Rd, n Rn, m Rm, a Ra, t Rt, u Rt2, e Rs, s sf (X registers if 1), w (W registers if 1), c cond, v nzcv, A
 * acquire, R release; others as the row's syntax uses them.
 *
 * Syntax: GNU objdump's canonical text (-M no-aliases) with operands in angle brackets (disassemble/operands.ts).
 *
 * Exclusions: what the fields could spell but is unallocated (exclusions.ts).
 */
import { EXCLUSIONS, type ExclusionName } from "./exclusions.ts";

export type RowSource = readonly [pattern: string, name: string, syntax: string, exclusions?: ExclusionName];

/** A declared gap: a form of a feature that the frontend does not execute, by mnemonic. */
export type GapSource = readonly [pattern: string, name: string];

type Letters<Pattern extends string> = Pattern extends `${infer Bit}${infer Rest}`
  ? (Bit extends "0" | "1" | "-" ? never : Bit) | Letters<Rest>
  : never;

/** The fields that a pattern names, as unsigned numbers. */
export type Fields<Pattern extends string> = { readonly [Letter in Letters<Pattern>]: number };

/** The fields of a row whatever it is. */
export type AnyFields = Readonly<Record<string, number>>;

/** `lifted` executes; `gap` raises the Undefined Instruction exception, counted. */
export type RowKind = "lifted" | "gap";

/** A field: the instruction bits that make it, and how to put them together. */
export interface Field {
  readonly letter: string;
  /** Instruction bit numbers, most significant first. */
  readonly bits: readonly number[];
  /** Number of the lowest bit if the bits lie together, else -1. */
  readonly shift: number;
  /** Ones as wide as the field. */
  readonly mask: number;
}

/** Fixed bits of a pattern: a word matches if `(word & mask) === value`. */
export interface Fixed {
  readonly mask: number;
  readonly value: number;
}

export interface Row extends Fixed {
  /** Index in ROWS. */
  readonly id: number;
  readonly kind: RowKind;
  /** Name of the class in C4, as the table files are named. */
  readonly group: string;
  readonly pattern: string;
  /** Unique among lifted rows. */
  readonly name: string;
  /** Counts are kept under this: the first word of a lifted row's name, the whole name of a gap. */
  readonly mnemonic: string;
  readonly syntax: string;
  readonly exclusions: readonly Fixed[];
  readonly fields: readonly Field[];
}

/** @throws Error for a pattern that is malformed */
export function parseRow(source: RowSource | GapSource, group: string, kind: RowKind, id: number): Row {
  const [pattern, name] = source;
  return {
    id,
    kind,
    group,
    pattern,
    name,
    mnemonic: kind === "gap" ? name : name.split(" ")[0]!,
    syntax: source[2] ?? name.split(" ")[0]!.toLowerCase(),
    exclusions: (source[3] === undefined ? [] : EXCLUSIONS[source[3]]).map(fixedBits),
    fields: fieldsOf(pattern),
    ...fixedBits(pattern),
  };
}

/** Fixed bits of a pattern or an exclusion. */
function fixedBits(pattern: string): Fixed {
  if (pattern.length !== 32) throw new Error(`A64 pattern ${pattern} has ${pattern.length} bits`);
  let mask = 0;
  let value = 0;
  for (const bit of pattern) {
    mask = (mask << 1) | (bit === "0" || bit === "1" ? 1 : 0);
    value = (value << 1) | (bit === "1" ? 1 : 0);
  }
  return { mask, value };
}

function fieldsOf(pattern: string): readonly Field[] {
  const letters = [...new Set(pattern.replace(/[01-]/g, ""))];
  return letters.map((letter) => {
    const bits = [...pattern].flatMap((bit, index) => (bit === letter ? [31 - index] : []));
    const together = bits[0]! - bits.at(-1)! === bits.length - 1;
    return { letter, bits, shift: together ? bits.at(-1)! : -1, mask: 2 ** bits.length - 1 };
  });
}

/** Value of a field in an instruction, unsigned. */
export function fieldValue(field: Field, word: number): number {
  if (field.shift >= 0) return (word >>> field.shift) & field.mask;
  return field.bits.reduce((value, bit) => (value << 1) | ((word >>> bit) & 1), 0);
}

/** The word is an allocated encoding of the row. */
export function matches(row: Row, word: number): boolean {
  if ((word & row.mask) !== row.value) return false;
  return !row.exclusions.some(({ mask, value }) => (word & mask) === value);
}
