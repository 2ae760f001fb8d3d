/**
 * Records golden/encodings.txt: random encodings of every row as GNU objdump prints them, and random words of which it
 * says that they are unallocated.
 *
 *     RECORD=encodings npx vitest run tests/emu/frontends/aarch64/generate
 *
 * Needs aarch64-linux-gnu-objdump.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROWS, randomInstruction } from "../../../../../emu/frontends/aarch64/index.ts";
import { seeded, seedOf } from "../../x86-64/random.ts";
import { vectorsOf } from "./row-classes.ts";

const PER_ROW = 24;
const UNALLOCATED_TRIALS = 3000;
const OBJDUMP = "aarch64-linux-gnu-objdump";

test.skipIf(process.env["RECORD"] !== "encodings")("record encodings with objdump", () => {
  const words: number[] = [];
  const rows = ROWS.filter(({ kind }) => kind === "lifted");
  for (const row of rows) {
    const random = seeded(seedOf(row.name));
    for (let i = 0; i < vectorsOf(row, rows, PER_ROW); i++) words.push(randomInstruction(row, random));
  }
  const random = seeded(64);
  const known = words.length;
  for (let i = 0; i < UNALLOCATED_TRIALS; i++) words.push(random() | 0);
  const lines = objdump(words)
    .map((text, index) => `${(words[index]! >>> 0).toString(16).padStart(8, "0")}\t${text}`)
    .filter((line, index) => index < known || line.includes(".inst"));
  const version = execFileSync(OBJDUMP, ["--version"], { encoding: "utf8" }).split("\n")[0];
  const name = new URL("../golden/encodings.txt", import.meta.url);
  writeFileSync(name, `# recorded by ${version}, -M no-aliases, at address 0 each\n${lines.join("\n")}\n`);
});

/** Each word's text, as if it lay at address 0. */
function objdump(words: readonly number[]): string[] {
  const file = join(mkdtempSync(join(tmpdir(), "encodings-")), "words");
  const bytes = Buffer.alloc(words.length * 4);
  for (const [index, word] of words.entries()) bytes.writeInt32LE(word, index * 4);
  writeFileSync(file, bytes);
  const options = ["-D", "-z", "-b", "binary", "-maarch64", "-Mno-aliases", file];
  const text = execFileSync(OBJDUMP, options, { encoding: "utf8", maxBuffer: 1 << 28 });
  const lines = [...text.matchAll(/^\s*([\da-f]+):\t[\da-f]{8} \t(.*)$/gm)];
  expect(lines.length).toBe(words.length);
  return lines.map(([, address, rest]) => {
    const plain = rest!
      .split(/\s*(?:\/\/|;)/)[0]!
      .replaceAll("\t", " ")
      .trim();
    return /^(b|bl|b\.\w+|cbn?z|tbn?z|adrp?|ldr\w*|prfm)\b/.test(plain)
      ? plain.replace(/(?<=[ ])0x([\da-f]+)$/, (_, target) =>
          relative(plain, BigInt(`0x${target}`), BigInt(`0x${address}`)),
        )
      : plain;
  });
}

function relative(text: string, target: bigint, address: bigint): string {
  const from = text.startsWith("adrp") ? address & ~0xfffn : address;
  return `0x${BigInt.asUintN(64, target - from).toString(16)}`;
}
