/**
 * Records golden/results.txt: instructions executed one by one by qemu-runner.c under QEMU's user mode.
 *
 *     RECORD=results npx vitest run tests/emu/frontends/aarch64/generate
 *
 * Needs aarch64-linux-gnu-gcc and qemu-aarch64.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { seeded, seedOf } from "../../x86-64/random.ts";
import {
  formatCase,
  formatFault,
  formatOutcome,
  inputsOf,
  type RecordedCase,
  WINDOW_BYTES,
} from "../results.ts";
import { vectorsOf } from "./row-classes.ts";
import { USER_ROWS, userCase } from "./user-cases.ts";

const INPUT_BYTES = 34 * 8 + WINDOW_BYTES;
const OUTPUT_BYTES = 36 * 8 + WINDOW_BYTES;
const PER_ROW = 30;
const MAX_ATTEMPTS = 2000;
const SIGTRAP = 5;
const SIGSEGV = 11;
const CPU = "max,pauth=off";

test.skipIf(process.env["RECORD"] !== "results")("record results in user mode", () => {
  const cases: Omit<RecordedCase, "outcome">[] = [];
  for (const row of USER_ROWS) {
    let seed = seedOf(row.name) >>> 8;
    const random = seeded(seed);
    const wanted = cases.length + vectorsOf(row, USER_ROWS, PER_ROW);
    for (let attempt = 0; attempt < MAX_ATTEMPTS && cases.length < wanted; attempt++) {
      const made = userCase(row, seed++, random);
      if (made !== null) cases.push(made);
    }
  }
  const input = Buffer.alloc(cases.length * INPUT_BYTES);
  const inputs = cases.map((made) => inputsOf(made.seed, made.overrides));
  for (const [index, { word }] of cases.entries()) {
    const at = index * INPUT_BYTES;
    const { registers, nzcv, memory } = inputs[index]!;
    input.writeUInt32LE(word >>> 0, at);
    for (const [number, value] of registers.entries()) input.writeBigUInt64LE(value, at + 8 + number * 8);
    input.writeUInt32LE((nzcv << 28) >>> 0, at + 33 * 8);
    input.set(memory, at + 34 * 8);
  }
  const program = join(mkdtempSync(join(tmpdir(), "results-")), "qemu-runner");
  const source = fileURLToPath(new URL("qemu-runner.c", import.meta.url));
  execFileSync("aarch64-linux-gnu-gcc", ["-O1", "-static", "-o", program, source]);
  const run = spawnSync("qemu-aarch64", ["-cpu", CPU, program], { input, maxBuffer: 1 << 30 });
  expect(run.status).toBe(0);
  expect(run.stdout.length).toBe(cases.length * OUTPUT_BYTES);
  const version = execFileSync("qemu-aarch64", ["--version"], { encoding: "utf8" }).split("\n")[0];
  const lines = [`# recorded by qemu-runner.c, ${version}, -cpu ${CPU}`];
  for (const [index, made] of cases.entries()) {
    const at = index * OUTPUT_BYTES;
    const word = (number: number): bigint => run.stdout.readBigUInt64LE(at + number * 8);
    const signal = Number(word(0));
    expect([SIGTRAP, SIGSEGV], formatCase({ ...made, outcome: `signal ${signal}` })).toContain(signal);
    const after = {
      pc: word(2),
      registers: Array.from({ length: 32 }, (_, number) => word(3 + number)),
      nzcv: Number(word(35) >> 28n),
      memory: Uint8Array.from(run.stdout.subarray(at + 36 * 8, at + OUTPUT_BYTES)),
    };
    const outcome = signal === SIGSEGV ? formatFault(word(1)) : formatOutcome(inputs[index]!, after);
    lines.push(formatCase({ ...made, outcome }));
  }
  writeFileSync(new URL("../golden/results.txt", import.meta.url), lines.join("\n") + "\n");
});
