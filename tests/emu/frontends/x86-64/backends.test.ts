/** The recorded results once more, on every backend: registers, defined flags, memory, and whether it traps or faults. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  decode,
  Instruction,
  registerOffset,
  STATE_SYSTEM_FLAGS,
  trapVector,
  x86Frontend,
} from "../../../../emu/frontends/x86-64/index.ts";
import { FLAGS_ALL, STATE_FLAGS_A } from "../../../../emu/ir/index.ts";
import { BACKENDS } from "../../../exec/backends.ts";
import { emptyScene, mapPage, type Scene, viewOf } from "../../../exec/scene.ts";
import { FlatMachine } from "./flat-machine.ts";
import { fromHex } from "./hex.ts";
import {
  changedBytes,
  DATA,
  ENTRY,
  FLAGS_SEEN,
  formatOutcome,
  inputsOf,
  type Outcome,
  type RecordedCase,
  readCases,
  WINDOW,
  WINDOW_BYTES,
} from "./results.ts";
import { definedOutcome, undefinedFlagsOf } from "./undefined-flags.ts";

const CASES = readCases(readFileSync(new URL("golden/results.txt", import.meta.url), "utf8"));
const PC = { lo: Number(ENTRY), hi: 0 };
const PAGE_BYTES = 4096;
const VECTOR_SS = 12;
const VECTOR_GP = 13;
const VECTOR_PF = 14;

const instruction = new Instruction();

function sceneOf(recorded: RecordedCase): Scene {
  const scene = emptyScene(ENTRY);
  scene.state.set(new FlatMachine(inputsOf(recorded.seed, recorded.overrides)).bytes);
  viewOf(scene).setBigUint64(0, ENTRY, true);
  mapPage(scene, DATA);
  mapPage(scene, DATA + BigInt(PAGE_BYTES));
  mapPage(scene, WINDOW).bytes.set(
    inputsOf(recorded.seed, recorded.overrides).memory,
    Number(WINDOW) & (PAGE_BYTES - 1),
  );
  return scene;
}

/** The outcome without the fault's address and error code, which a scene does not know. */
function outcomeOf(text: string, scene: Scene, recorded: RecordedCase): string {
  const [kind, pc, number] = text.split(/[ ,]+/);
  if (kind === "fault") return "memory fault";
  if (kind === "trap") return `trap ${trapVector(Number(number)).toString(16)}`;
  const inputs = inputsOf(recorded.seed, recorded.overrides);
  const view = viewOf(scene);
  const registers = new Map<number, bigint>();
  for (let register = 0; register < 16; register++) {
    const value = view.getBigUint64(registerOffset(register), true);
    if (value !== inputs.registers[register]) registers.set(register, value);
  }
  const flags = (view.getInt32(STATE_FLAGS_A, true) & FLAGS_ALL) | view.getInt32(STATE_SYSTEM_FLAGS, true);
  const at = Number(WINDOW) & (PAGE_BYTES - 1);
  const window = mapPage(scene, WINDOW).bytes.slice(at, at + WINDOW_BYTES);
  const memory = changedBytes(inputs.memory, window);
  const outcome: Outcome = { kind: "done", rip: BigInt(pc!), registers, flags: flags & FLAGS_SEEN, memory };
  return formatOutcome(outcome);
}

function withoutAddress(text: string): string {
  const [kind, vector] = text.split(" ");
  if (kind !== "trap") return text;
  const number = Number.parseInt(vector!, 16);
  const isMemory = number === VECTOR_PF || number === VECTOR_GP || number === VECTOR_SS;
  return isMemory ? "memory fault" : `trap ${vector}`;
}

test.each(BACKENDS)("$name: recorded results", (backend) => {
  const wrong: string[] = [];
  for (const recorded of CASES) {
    const bytes = fromHex(recorded.bytes);
    decode(bytes, 0, bytes.length, instruction);
    const mask = undefinedFlagsOf(instruction, inputsOf(recorded.seed, recorded.overrides));
    const options = { kernelText: false, maxInstructions: 1 };
    const block = x86Frontend.lift(PC, bytes, 0, bytes.length, options)!;
    const { outcome, scene } = backend.run(block, sceneOf(recorded));
    let mine = outcomeOf(outcome, scene, recorded);
    if (mine === `trap ${VECTOR_GP.toString(16)}`) mine = "memory fault";
    const theirs = withoutAddress(recorded.outcome);
    if (definedOutcome(mine, mask) !== definedOutcome(theirs, mask)) {
      wrong.push(`${recorded.bytes} ${instruction.row!.instructionText}: ${mine} | ${theirs}`);
    }
  }
  expect(wrong).toEqual([]);
});
