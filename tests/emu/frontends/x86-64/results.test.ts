import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { evaluate } from "../../../../emu/backends/reference/index.ts";
import { decode, Instruction, trapVector, x86Frontend } from "../../../../emu/frontends/x86-64/index.ts";
import { FlatMachine } from "./flat-machine.ts";
import { NATIVE_ROWS } from "./generate/native-cases.ts";
import { fromHex } from "./hex.ts";
import {
  changedBytes,
  ENTRY,
  FLAGS_SEEN,
  formatOutcome,
  inputsOf,
  type Outcome,
  type RecordedCase,
  readCases,
} from "./results.ts";
import { definedOutcome, undefinedFlagsOf } from "./undefined-flags.ts";

const CASES = readCases(readFileSync(new URL("golden/results.txt", import.meta.url), "utf8"));
const PC = { lo: Number(ENTRY), hi: 0 };
const VECTOR_SS = 12;
const VECTOR_GP = 13;
const VECTOR_PF = 14;

const instruction = new Instruction();

/** Lifts and evaluates one recorded case. */
function run(recorded: RecordedCase): { outcome: Outcome; machine: FlatMachine } {
  const bytes = fromHex(recorded.bytes);
  const inputs = inputsOf(recorded.seed, recorded.overrides);
  const machine = new FlatMachine(inputs);
  const options = { kernelText: false, maxInstructions: 1 };
  const block = x86Frontend.lift(PC, bytes, 0, bytes.length, options)!;
  const end = evaluate(block, machine);
  if (end.kind === "fault") return { outcome: faultOutcome(machine), machine };
  if (end.kind === "trap") {
    return { outcome: { kind: "trap", vector: trapVector(end.trap), error: 0, address: null }, machine };
  }
  const registers = new Map<number, bigint>();
  for (let number = 0; number < 16; number++) {
    if (machine.register(number) !== inputs.registers[number])
      registers.set(number, machine.register(number));
  }
  const memory = changedBytes(inputs.memory, machine.window);
  return {
    outcome: { kind: "done", rip: end.pc, registers, flags: machine.flags & FLAGS_SEEN, memory },
    machine,
  };
}

/** What the processor makes of the fault: #PF with its error code (user, write), #GP or #SS. */
function faultOutcome(machine: FlatMachine): Outcome {
  const { address, write, attr } = machine.fault!;
  if (BigInt.asUintN(64, BigInt.asIntN(48, address)) !== address) {
    return { kind: "trap", vector: attr & 64 ? VECTOR_SS : VECTOR_GP, error: 0, address: null };
  }
  return { kind: "trap", vector: VECTOR_PF, error: write ? 6 : 4, address };
}

test("every row that a user process can execute has recorded results", () => {
  const seen = new Set<number>();
  for (const recorded of CASES) {
    const bytes = fromHex(recorded.bytes);
    expect(decode(bytes, 0, bytes.length, instruction)).toBe("ok");
    seen.add(instruction.row!.id);
  }
  const missing = NATIVE_ROWS.filter((row) => !seen.has(row.id));
  expect(missing.map((row) => `${row.opcodeText} ${row.instructionText}`)).toEqual([]);
});

test("registers, flags, memory and faults are those of the recorded processor", () => {
  const wrong: string[] = [];
  for (const recorded of CASES) {
    const { outcome, machine } = run(recorded);
    const bytes = fromHex(recorded.bytes);
    decode(bytes, 0, bytes.length, instruction);
    const mask = undefinedFlagsOf(instruction, inputsOf(recorded.seed, recorded.overrides));
    const mine = definedOutcome(formatOutcome(outcome), mask);
    const theirs = definedOutcome(recorded.outcome, mask);
    if (mine !== theirs) {
      const { text } = x86Frontend.disassemble(PC, bytes, 0, bytes.length);
      wrong.push(`${recorded.bytes} ${text} [seed ${recorded.seed}]: ${mine} | ${theirs}`);
    }
    if (outcome.kind === "trap") {
      const inputs = inputsOf(recorded.seed, recorded.overrides);
      for (let number = 0; number < 16; number++)
        expect(machine.register(number)).toBe(inputs.registers[number]);
    }
  }
  expect(wrong).toEqual([]);
});

test("the comparison notices a wrong instruction, a wrong flag and a lost fault", () => {
  const differs = (recorded: RecordedCase, bytes: string): boolean =>
    formatOutcome(run({ ...recorded, bytes }).outcome) !== recorded.outcome;
  const adds = CASES.filter(
    ({ bytes, outcome }) => /^(4.)?01[c-f]/.test(bytes) && !outcome.startsWith("trap"),
  );
  const subtractions = adds.map((add) => add.bytes.replace("01", "29"));
  expect(adds.filter((add) => differs(add, add.bytes))).toEqual([]);
  expect(adds.filter((add, index) => differs(add, subtractions[index]!)).length).toBeGreaterThan(
    adds.length / 2,
  );
  const faults = CASES.filter(({ outcome }) => outcome.startsWith("trap e"));
  for (const fault of faults.slice(0, 20)) expect(differs(fault, "90")).toBe(true);
});
