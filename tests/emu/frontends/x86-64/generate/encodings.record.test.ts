/**
 * Records golden/encodings.txt: for every row random encodings from our table, read by GNU objdump.
 *
 *     RECORD=encodings npx vitest run tests/emu/frontends/x86-64/generate
 *
 * The encodings are ours, their lengths and texts are objdump's. Every instruction lies in its own 32 bytes of NOPs.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROWS, randomInstruction } from "../../../../../emu/frontends/x86-64/index.ts";
import { toHex } from "../hex.ts";
import { seeded, seedOf } from "../random.ts";

const SLOT_BYTES = 32;
const PER_LIFTED_ROW = 5;
const PER_GAP_ROW = 2;

test.skipIf(process.env["RECORD"] !== "encodings")("record encodings with objdump", () => {
  const cases = ROWS.filter((row) => row.kind !== "invalid").flatMap((row) => {
    const random = seeded(seedOf(`${row.opcodeText} ${row.instructionText}`));
    const count = row.kind === "lifted" ? PER_LIFTED_ROW : PER_GAP_ROW;
    return Array.from({ length: count }, () => ({ row, bytes: randomInstruction(row, random) }));
  });
  const image = new Uint8Array(cases.length * SLOT_BYTES).fill(0x90);
  for (const [index, { bytes }] of cases.entries()) image.set(bytes, index * SLOT_BYTES);
  const file = join(mkdtempSync(join(tmpdir(), "encodings-")), "image.bin");
  writeFileSync(file, image);
  const options = ["-D", "-w", "-b", "binary", "-mi386:x86-64", "-M", "intel,intel64", file];
  const listing = execFileSync("objdump", options, { maxBuffer: 1 << 30 }).toString();
  const version = execFileSync("objdump", ["--version"]).toString().split("\n")[0];
  const texts = new Map<number, string>();
  for (const line of listing.split("\n")) {
    const match = /^\s*([0-9a-f]+):\t([0-9a-f ]+?)\s*\t(.*)$/.exec(line);
    if (!match) continue;
    const length = match[2]!.trim().split(" ").length;
    texts.set(Number.parseInt(match[1]!, 16), `${length}\t${match[3]!.replace(/\s+/g, " ").trim()}`);
  }
  const lines = [
    `# ${version}: objdump ${options.slice(0, -1).join(" ")}; instruction i lies at address 32 i`,
  ];
  for (const [index, { bytes }] of cases.entries())
    lines.push(`${toHex(bytes)}\t${texts.get(index * SLOT_BYTES)}`);
  writeFileSync(new URL("../golden/encodings.txt", import.meta.url), lines.join("\n") + "\n");
  expect(texts.size).toBeGreaterThan(cases.length);
});
