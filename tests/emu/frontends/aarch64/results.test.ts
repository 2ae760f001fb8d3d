/** The recorded results on every backend: registers, flags, memory, faults. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  aarch64Frontend,
  decode,
  disassemble,
  flagsOfNzcv,
  nzcvOfFlags,
  registerOffset,
  STATE_SP,
  STATE_SP_CHECK,
} from "../../../../emu/frontends/aarch64/index.ts";
import { STATE_FLAGS_A } from "../../../../emu/ir/index.ts";
import { BACKENDS } from "../../../exec/backends.ts";
import { emptyScene, mapPage, type Scene, viewOf } from "../../../exec/scene.ts";
import { incompleteClasses } from "./generate/row-classes.ts";
import { USER_ROWS } from "./generate/user-cases.ts";
import {
  DATA,
  ENTRY,
  formatOutcome,
  type Inputs,
  inputsOf,
  type RecordedCase,
  readCases,
  SP,
  WINDOW,
  WINDOW_BYTES,
} from "./results.ts";

const CASES = readCases(readFileSync(new URL("golden/results.txt", import.meta.url), "utf8"));
const PC = { lo: Number(ENTRY), hi: 0 };
const OPTIONS = { kernelText: false, maxInstructions: 1 };
const PAGE_BYTES = 4096;

function offsetOf(register: number): number {
  return register === SP ? STATE_SP : registerOffset(register);
}

function sceneOf(inputs: Inputs): Scene {
  const scene = emptyScene(ENTRY);
  const view = viewOf(scene);
  for (const [number, value] of inputs.registers.entries()) view.setBigUint64(offsetOf(number), value, true);
  view.setInt32(STATE_FLAGS_A, flagsOfNzcv(inputs.nzcv), true);
  view.setInt32(STATE_SP_CHECK, 15, true);
  mapPage(scene, DATA);
  mapPage(scene, DATA + BigInt(PAGE_BYTES));
  mapPage(scene, WINDOW).bytes.set(inputs.memory, Number(WINDOW) & (PAGE_BYTES - 1));
  return scene;
}

function outcomeOf(text: string, scene: Scene, inputs: Inputs): string {
  const [kind, pc] = text.split(/[ ,]+/);
  if (kind === "fault") return "fault";
  if (kind === "trap" || kind === "helper") return text;
  const view = viewOf(scene);
  const at = Number(WINDOW) & (PAGE_BYTES - 1);
  return formatOutcome(inputs, {
    pc: BigInt(pc!),
    registers: inputs.registers.map((_, number) => view.getBigUint64(offsetOf(number), true)),
    nzcv: nzcvOfFlags(view.getInt32(STATE_FLAGS_A, true)),
    memory: mapPage(scene, WINDOW).bytes.slice(at, at + WINDOW_BYTES),
  });
}

function codeOf({ word }: RecordedCase): Uint8Array {
  const code = new Uint8Array(4);
  new DataView(code.buffer).setInt32(0, word, true);
  return code;
}

test("every row that a user process can execute has recorded results", () => {
  const seen = new Set(CASES.map(({ word }) => decode(word)!.id));
  expect(USER_ROWS.filter(({ id }) => !seen.has(id)).map(({ name }) => name)).toEqual([]);
});

test("every class of the manual that a user process can execute has enough recorded results", () => {
  expect(incompleteClasses(CASES.map(({ word }) => decode(word)))).toEqual([]);
});

test("recorded compare-and-swaps of pairs find what they expect, and do not", () => {
  const pairs = CASES.filter(({ word }) => decode(word)!.name === "CASP");
  const stores = pairs.filter(({ outcome }) => / m\d+=/.test(outcome));
  expect(stores.length).toBeGreaterThan(20);
  expect(pairs.length - stores.length).toBeGreaterThan(20);
});

test.each(BACKENDS)("$name: recorded results", (backend) => {
  const wrong: string[] = [];
  for (const recorded of CASES) {
    const inputs = inputsOf(recorded.seed, recorded.overrides);
    const block = aarch64Frontend.lift(PC, codeOf(recorded), 0, 4, OPTIONS)!;
    const { outcome, scene } = backend.run(block, sceneOf(inputs));
    const mine = outcomeOf(outcome, scene, inputs);
    const theirs = recorded.outcome.replace(/^fault .*/, "fault");
    if (mine !== theirs) wrong.push(`${disassemble(recorded.word, 0n)}: ${mine} | ${theirs}`);
  }
  expect(wrong).toEqual([]);
});
