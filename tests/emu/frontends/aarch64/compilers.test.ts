/** What GCC and Clang make of integer code at every optimisation level decodes, and every instruction executes. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { decode, disassemble, wordAt } from "../../../../emu/frontends/aarch64/index.ts";

const SOURCE = fileURLToPath(new URL("fixtures/integer.c", import.meta.url));
const OPTIONS = ["-w", "-c", "-mgeneral-regs-only", "-ffreestanding"];
const TARGETS = ["armv8-a+crc", "armv8.1-a", "armv8.2-a", "armv8.3-a", "armv8.4-a", "armv8.5-a"];
const LEVELS = ["-O0", "-O1", "-O2", "-O3", "-Os"];
const COMPILERS: readonly (readonly string[])[] = [
  ["aarch64-linux-gnu-gcc", "-mno-outline-atomics"],
  ["clang", "--target=aarch64-linux-gnu"],
];

/** From Armv8.3 on, return addresses are signed with instructions that are no hints; the modelled cores lack them. */
function protection(target: string): string {
  return `-mbranch-protection=${/v8\.[345]/.test(target) ? "bti" : "standard"}`;
}

function isPresent(compiler: readonly string[]): boolean {
  return spawnSync(compiler[0]!, [...compiler.slice(1), "--version"]).status === 0;
}

function compile([program, ...options]: readonly string[], target: string, level: string): Uint8Array {
  const directory = mkdtempSync(join(tmpdir(), "compilers-"));
  const [object, image] = [join(directory, "integer.o"), join(directory, "integer.bin")];
  execFileSync(program!, [
    ...options,
    ...OPTIONS,
    protection(target),
    `-march=${target}`,
    level,
    SOURCE,
    "-o",
    object,
  ]);
  execFileSync("aarch64-linux-gnu-objcopy", ["-O", "binary", "-j", ".text", object, image]);
  return readFileSync(image);
}

/** Instructions that are unallocated or not lifted. */
function failures(code: Uint8Array): string[] {
  const found: string[] = [];
  for (let at = 0; at < code.length; at += 4) {
    const word = wordAt(code, at);
    if (decode(word)?.kind !== "lifted") found.push(`${at.toString(16)}: ${disassemble(word, BigInt(at))}`);
  }
  return found;
}

describe.each(COMPILERS)("%s", (...compiler) => {
  const ready = isPresent(compiler) && isPresent(["aarch64-linux-gnu-objcopy"]);
  const why = ready ? "" : " (skipped: not installed here)";
  test.skipIf(!ready).each(TARGETS)(`-march=%s: every instruction executes${why}`, (target) => {
    for (const level of LEVELS) {
      const code = compile(compiler, target, level);
      expect(code.length).toBeGreaterThan(1000);
      expect(failures(code), level).toEqual([]);
    }
  });
});
