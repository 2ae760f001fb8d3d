/**
 * `noUncheckedIndexedAccess` everywhere but in the layers whose state is typed arrays with fixed layouts. The compiler has
 * no such setting per folder: a file takes its importer's. So it checks everything, and this test says where that counts.
 */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TSC = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
const TYPED_ARRAY_LAYERS = ["mmu/", "emu/interrupts/", "emu/traps/", "tests/mmu/"];

/** Path, place and message of each error that the option brings; all of them name `undefined`. */
function errors(): string[] {
  const { stdout } = spawnSync(
    process.execPath,
    [TSC, "-p", "tsconfig.json", "--noEmit", "--pretty", "false", "--noUncheckedIndexedAccess"],
    { cwd: ROOT, encoding: "utf8" },
  );
  return stdout.split("\n").filter((line) => /^\S.*\(\d+,\d+\): error TS\d+: .*undefined/.test(line));
}

test("what an index gives may be undefined, but in the typed-array layers", { timeout: 180_000 }, () => {
  const found = errors();
  expect(found.filter((line) => !TYPED_ARRAY_LAYERS.some((layer) => line.startsWith(layer)))).toEqual([]);
  // A layer that needs no exception any more leaves the list.
  const unneeded = TYPED_ARRAY_LAYERS.filter((layer) => !found.some((line) => line.startsWith(layer)));
  expect(unneeded).toEqual([]);
});
