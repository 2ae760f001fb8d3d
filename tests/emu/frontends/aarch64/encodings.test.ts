/** Decoder and disassembler against what GNU objdump printed (golden/encodings.txt). */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { decode, disassemble, ROWS } from "../../../../emu/frontends/aarch64/index.ts";
import { incompleteClasses } from "./generate/row-classes.ts";

const LINES = readFileSync(new URL("golden/encodings.txt", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => line.split("\t") as [string, string])
  .map(([word, text]) => ({ word: Number.parseInt(word, 16) | 0, text }));

/** Registers with (1) bits that are not 1: objdump calls these undefined, the manual says the bits are ignored. */
function ignoresBits(word: number): boolean {
  const row = decode(word);
  if (row === null) return false;
  return [...row.pattern].some((bit, index) => bit === "-" && ((word >>> (31 - index)) & 1) === 0);
}

test("every lifted row is printed as GNU objdump prints it", () => {
  const wrong = LINES.filter(({ text }) => !text.startsWith(".inst"))
    .map(({ word, text }) => [disassemble(word, 0n), text])
    .filter(([mine, theirs]) => mine !== theirs);
  expect(wrong).toEqual([]);
});

test("every lifted row has recorded encodings", () => {
  const seen = new Set(LINES.map(({ word }) => decode(word)?.id));
  const missing = ROWS.filter((row) => row.kind === "lifted" && !seen.has(row.id));
  expect(missing.map((row) => row.name)).toEqual([]);
});

test("every class of the manual has enough recorded encodings", () => {
  expect(incompleteClasses(LINES.map(({ word }) => decode(word)))).toEqual([]);
});

test("what objdump calls unallocated is no lifted row", () => {
  const words = LINES.filter(({ text }) => text.startsWith(".inst"));
  expect(words.length).toBeGreaterThan(500);
  const wrong = words.filter(({ word }) => decode(word)?.kind === "lifted" && !ignoresBits(word));
  expect(wrong.map(({ word }) => disassemble(word, 0n))).toEqual([]);
});
