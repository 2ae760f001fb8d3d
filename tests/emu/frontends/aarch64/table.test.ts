import { expect, test } from "vitest";
import {
  aarch64Frontend,
  decode,
  overlaps,
  ROWS,
  type Row,
  randomInstruction,
  undefinedMnemonic,
  undefinedTrap,
} from "../../../../emu/frontends/aarch64/index.ts";
import { verify } from "../../../../emu/ir/index.ts";
import { seeded } from "../x86-64/random.ts";

/** Pairs of rows that may share an encoding, as `first | second`. */
const OVERLAPPING: readonly string[] = [];

const PC = { lo: 0x1000, hi: 0 };
const OPTIONS = { kernelText: false, maxInstructions: 1 };

function codeOf(word: number): Uint8Array {
  const code = new Uint8Array(4);
  new DataView(code.buffer).setInt32(0, word, true);
  return code;
}

function pairs(): [Row, Row][] {
  return ROWS.flatMap((a) => ROWS.slice(a.id + 1).map((b): [Row, Row] => [a, b]));
}

test("no two rows apply to one word but those that are listed", () => {
  const found = pairs().filter(([a, b]) => overlaps(a, b));
  expect(found.map(([a, b]) => `${a.name} | ${b.name}`)).toEqual(OVERLAPPING);
});

test("the overlap test finds a row that contains another", () => {
  const add = ROWS.find(({ name }) => name === "ADD (immediate)")!;
  expect(overlaps(add, { ...add, mask: add.mask & ~1, value: add.value & ~1 })).toBe(true);
});

test("names of lifted rows are unique", () => {
  const names = ROWS.filter(({ kind }) => kind === "lifted").map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

test("a random encoding of a row decodes to that row and lifts to a valid block", () => {
  const random = seeded(1);
  for (const row of ROWS.filter(({ kind }) => kind === "lifted")) {
    for (let trial = 0; trial < 20; trial++) {
      const word = randomInstruction(row, random);
      expect(decode(word)?.name).toBe(row.name);
      const block = aarch64Frontend.lift(PC, codeOf(word), 0, 4, OPTIONS)!;
      expect(verify(block), `${row.name} ${(word >>> 0).toString(16)}`).toEqual([]);
    }
  }
});

test("gaps and unallocated words become counted UNDEFINED traps", () => {
  const fadd = ROWS.find(({ name }) => name === "FADD")!;
  for (const [word, row, mnemonic] of [
    [0x1e62_2820, fadd, "FADD"],
    [0xffff_ffff, null, "(unallocated)"],
  ] as const) {
    const block = aarch64Frontend.lift(PC, codeOf(word), 0, 4, OPTIONS)!;
    const exit = block.instructions.at(-1)!;
    expect([exit.opcode, exit.immediates]).toEqual(["exit.trap", [undefinedTrap(row), PC.lo, PC.hi]]);
    expect(undefinedMnemonic(undefinedTrap(row))).toBe(mnemonic);
  }
  expect(aarch64Frontend.gaps()).toContain("FADD");
});
