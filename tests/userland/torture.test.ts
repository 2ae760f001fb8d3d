/**
 * torture/torture.c: integer C of many kinds, which prints the same lines whatever compiles it. torture/expected.txt was
 * recorded with qemu-aarch64 7.2.22 and is what an x86-64 host prints when it runs the program natively. The committed
 * builds (GCC 12.2.0; options below) always run; where the compilers are installed, so do others of each architecture
 * version and optimisation level.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { faultline } from "../cli/command.ts";

const FOLDER = fileURLToPath(new URL("torture/", import.meta.url));
const EXPECTED = readFileSync(join(FOLDER, "expected.txt"), "utf8");
const TIMEOUT_MS = 120_000;
const OPTIONS = [
  ..."-w -ffreestanding -nostdlib -static -s -fno-stack-protector -fno-strict-aliasing -mgeneral-regs-only".split(
    " ",
  ),
  ..."-Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size=4096".split(" "),
];

interface Compiler {
  readonly arch: "x86-64" | "aarch64";
  readonly command: readonly string[];
}

/** A function that copies must not be compiled into a call of itself. */
const GCC: Compiler = {
  arch: "aarch64",
  command: ["aarch64-linux-gnu-gcc", "-fno-tree-loop-distribute-patterns", "-mno-outline-atomics"],
};
const CLANG: Compiler = {
  arch: "aarch64",
  command: ["clang", "--target=aarch64-linux-gnu", "-fno-builtin", "-mno-outline-atomics"],
};
const HOST_GCC: Compiler = {
  arch: "x86-64",
  command: ["gcc", "-fno-tree-loop-distribute-patterns", "-fcf-protection=none"],
};

/** Each version and each level at least once. */
const BUILDS: readonly (readonly [Compiler, target: string, level: string])[] = [
  [GCC, "armv8-a", "-O0"],
  [CLANG, "armv8-a+crc", "-Os"],
  [GCC, "armv8.1-a", "-O2"],
  [CLANG, "armv8.2-a", "-O1"],
  [GCC, "armv8.3-a", "-O1"],
  [CLANG, "armv8.4-a", "-O0"],
  [GCC, "armv8.5-a", "-O3"],
  [HOST_GCC, "x86-64", "-O3"],
];

/** From Armv8.3 on, return addresses are signed with instructions that are no hints; the modelled cores lack them. */
function protection({ arch }: Compiler, target: string): readonly string[] {
  if (arch !== "aarch64") return [];
  return [`-mbranch-protection=${/v8\.[345]/.test(target) ? "bti" : "standard"}`];
}

function isInstalled({ command }: Compiler): boolean {
  return spawnSync(command[0]!, ["--version"]).status === 0;
}

describe("torture.c prints what it prints everywhere", { timeout: TIMEOUT_MS }, () => {
  test.each(["gcc-armv8-a-Os", "gcc-armv8.5-a-O2"])("committed build %s", async (name) => {
    const { status, stdout, stderr } = await faultline(["run", join(FOLDER, name)]);
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: EXPECTED, stderr: "" });
  });

  for (const [compiler, target, level] of BUILDS) {
    // Another architecture's host has another compiler by the name of gcc.
    const ready = isInstalled(compiler) && (compiler !== HOST_GCC || process.arch === "x64");
    const name = `${compiler.command[0]} -march=${target} ${level}${ready ? "" : " (skipped: not installed here)"}`;
    test.skipIf(!ready)(name, async () => {
      const folder = mkdtempSync(join(tmpdir(), "torture-"));
      try {
        const file = join(folder, "torture");
        const [program, ...options] = compiler.command;
        const own = [...options, ...protection(compiler, target), `-march=${target}`, level];
        execFileSync(program!, [...own, ...OPTIONS, join(FOLDER, "torture.c"), "-o", file, "-lgcc"]);
        const { status, stdout, stderr } = await faultline(["run", file]);
        expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: EXPECTED, stderr: "" });
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
});
