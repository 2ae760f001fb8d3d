/** One case file, every backend: tests/exec/cases. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { OPERATIONS, type Opcode, verify } from "../../emu/ir/index.ts";
import { BACKENDS } from "./backends.ts";
import { parseCases } from "./case-file.ts";
import { differences } from "./scene.ts";
import { VALUE_CASES } from "./value-cases.ts";

const FOLDER = new URL("cases/", import.meta.url);
const FILES = readdirSync(FOLDER)
  .sort()
  .map((name) => ({ name, cases: parseCases(readFileSync(new URL(name, FOLDER), "utf8")) }));

describe.each(FILES)("$name", ({ cases }) => {
  it.each(cases)("$title: is a valid block", ({ block }) => {
    expect(verify(block)).toEqual([]);
  });

  describe.each(BACKENDS)("$name", (backend) => {
    it.each(cases)("$title", ({ start, block, outcome, end }) => {
      const ending = backend.run(block, start);
      expect(ending.outcome).toBe(backend.sees(outcome));
      expect(differences(ending.scene, end)).toEqual([]);
    });
  });
});

it("every operation occurs in a case", () => {
  const used = new Set<Opcode>(VALUE_CASES.map(({ opcode }) => opcode));
  for (const { cases } of FILES)
    for (const { block } of cases) for (const { opcode } of block.instructions) used.add(opcode);
  expect(Object.keys(OPERATIONS).filter((opcode) => !used.has(opcode as Opcode))).toEqual([]);
});
