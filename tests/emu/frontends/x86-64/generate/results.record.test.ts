/**
 * Records golden/results.txt: instructions executed one by one on the host processor by native-runner.c.
 *
 *     RECORD=results npx vitest run tests/emu/frontends/x86-64/generate
 *
 * Needs an x86-64 Linux host with BMI1, BMI2, ADX, MOVBE and FSGSBASE, and GCC.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { fromHex } from "../hex.ts";
import { seeded, seedOf } from "../random.ts";
import {
  changedBytes,
  ENTRY,
  FLAGS_SEEN,
  formatCase,
  formatOutcome,
  type Inputs,
  inputsOf,
  type Outcome,
  type RecordedCase,
  WINDOW_BYTES,
} from "../results.ts";
import { NATIVE_ROWS, nativeCase } from "./native-cases.ts";

const INPUT_BYTES = 16 + 17 * 8 + WINDOW_BYTES;
const OUTPUT_BYTES = 21 * 8 + WINDOW_BYTES;
const PER_ROW = 8;
const VECTOR_SINGLE_STEP = 1;
const VECTOR_BREAKPOINT = 3;
const VECTOR_PAGE_FAULT = 14;

test.skipIf(process.env["RECORD"] !== "results")("record results on the host", () => {
  const cases: RecordedCase[] = [];
  for (const row of NATIVE_ROWS) {
    let seed = seedOf(`${row.opcodeText} ${row.instructionText}`) >>> 8;
    const random = seeded(seed);
    for (let i = 0; i < PER_ROW; i++) {
      const made = nativeCase(row, seed++, random, "window");
      if (made) cases.push(made);
    }
    for (const reach of ["unmapped", "non-canonical"] as const) {
      const made = nativeCase(row, seed++, random, reach);
      if (made && random() % 4 === 0) cases.push(made);
    }
  }
  const input = Buffer.alloc(cases.length * INPUT_BYTES, 0xcc);
  const inputs = cases.map((made) => inputsOf(made.seed, made.overrides));
  for (const [index, made] of cases.entries())
    writeInput(input, index * INPUT_BYTES, fromHex(made.bytes), inputs[index]!);
  const program = join(mkdtempSync(join(tmpdir(), "results-")), "native-runner");
  execFileSync("gcc", ["-O1", "-o", program, fileURLToPath(new URL("native-runner.c", import.meta.url))]);
  if (process.env["DUMP"]) writeFileSync(process.env["DUMP"], input);
  const run = spawnSync(program, { input, maxBuffer: 1 << 30 });
  expect(run.status).toBe(0);
  expect(run.stdout.length).toBe(cases.length * OUTPUT_BYTES);
  const cpu = /model name\s*: (.*)/.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1];
  const vendor = /vendor_id\s*: (.*)/.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1];
  const lines = [`# recorded by native-runner.c on ${vendor} ${cpu}`];
  for (const [index, made] of cases.entries()) {
    const outcome = readOutcome(run.stdout, index * OUTPUT_BYTES, inputs[index]!);
    lines.push(formatCase({ ...made, outcome: formatOutcome(outcome) }));
  }
  writeFileSync(new URL("../golden/results.txt", import.meta.url), lines.join("\n") + "\n");
});

function writeInput(buffer: Buffer, at: number, code: Uint8Array, inputs: Inputs): void {
  buffer.set(code, at);
  for (const [number, value] of inputs.registers.entries())
    buffer.writeBigUInt64LE(value, at + 16 + number * 8);
  buffer.writeBigUInt64LE(BigInt(inputs.flags), at + 16 + 128);
  buffer.set(inputs.memory, at + 16 + 136);
}

function readOutcome(buffer: Buffer, at: number, inputs: Inputs): Outcome {
  const word = (index: number): bigint => buffer.readBigUInt64LE(at + index * 8);
  const vector = Number(word(0));
  if (vector !== VECTOR_SINGLE_STEP && vector !== VECTOR_BREAKPOINT) {
    expect(word(3)).toBe(ENTRY);
    for (let number = 0; number < 16; number++) expect(word(4 + number)).toBe(inputs.registers[number]);
    return {
      kind: "trap",
      vector,
      error: Number(word(1)),
      address: vector === VECTOR_PAGE_FAULT ? word(2) : null,
    };
  }
  const registers = new Map<number, bigint>();
  for (let number = 0; number < 16; number++) {
    if (word(4 + number) !== inputs.registers[number]) registers.set(number, word(4 + number));
  }
  const after = new Uint8Array(buffer.subarray(at + 168, at + 168 + WINDOW_BYTES));
  return {
    kind: "done",
    rip: word(3) - (vector === VECTOR_BREAKPOINT ? 1n : 0n),
    registers,
    flags: Number(word(20)) & FLAGS_SEEN,
    memory: changedBytes(inputs.memory, after),
  };
}
