/** What GCC and Clang make of integer code at every optimisation level decodes, and every instruction executes. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { decode, Instruction } from "../../../../emu/frontends/x86-64/index.ts";
import { toHex } from "./hex.ts";

const SOURCE = fileURLToPath(new URL("fixtures/integer.c", import.meta.url));
const OPTIONS = ["-w", "-c", "-mgeneral-regs-only", "-mcx16", "-mmovbe", "-fcf-protection=full"];
const TARGETS = ["x86-64", "x86-64-v3"];
const LEVELS = ["-O0", "-O1", "-O2", "-O3", "-Os"];

function isPresent(program: string): boolean {
  return spawnSync(program, ["--version"]).status === 0;
}

function compile(compiler: string, target: string, level: string): Uint8Array {
  const directory = mkdtempSync(join(tmpdir(), "compilers-"));
  const [object, image] = [join(directory, "integer.o"), join(directory, "integer.bin")];
  execFileSync(compiler, [...OPTIONS, `-march=${target}`, level, SOURCE, "-o", object]);
  execFileSync("objcopy", ["-O", "binary", "-j", ".text", object, image]);
  return readFileSync(image);
}

/** Instructions that do not decode or are not lifted. */
function failures(code: Uint8Array): string[] {
  const instruction = new Instruction();
  const found: string[] = [];
  for (let at = 0; at < code.length; at += Math.max(instruction.lengthBytes, 1)) {
    const status = decode(code, at, code.length, instruction);
    if (status === "ok" && instruction.row!.kind === "lifted") continue;
    found.push(`${at.toString(16)}: ${status} ${toHex(code.subarray(at, at + 12))}`);
  }
  return found;
}

describe.each(["gcc", "clang"])("%s", (compiler) => {
  const ready = isPresent(compiler) && isPresent("objcopy");
  const why = ready ? "" : " (skipped: not installed here)";
  test.skipIf(!ready).each(TARGETS)(`-march=%s: every instruction executes${why}`, (target) => {
    for (const level of LEVELS) {
      const code = compile(compiler, target, level);
      expect(code.length).toBeGreaterThan(1000);
      expect(failures(code), level).toEqual([]);
    }
  });
});
