/** assembly.txt against GNU as, where that is installed. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const PREFIX = "aarch64-linux-gnu-";
const isInstalled = spawnSync(`${PREFIX}as`, ["--version"]).status === 0;

const why = isInstalled ? "" : ` (skipped: no ${PREFIX}as here)`;

test.skipIf(!isInstalled)(`GNU as assembles each line to the recorded word${why}`, () => {
  const lines = readFileSync(join(import.meta.dirname, "assembly.txt"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split("\t") as [string, string]);
  const folder = mkdtempSync(join(tmpdir(), "faultline-assembly-"));
  try {
    const [source, object, code] = ["source.s", "object.o", "code.bin"].map((name) => join(folder, name));
    writeFileSync(source!, `.arch armv8.5-a+crc+lse\n${lines.map(([, text]) => text).join("\n")}\n`);
    expect(spawnSync(`${PREFIX}as`, ["-o", object!, source!]).stderr.toString()).toBe("");
    spawnSync(`${PREFIX}objcopy`, ["-O", "binary", "-j", ".text", object!, code!]);
    const bytes = readFileSync(code!);
    const words = lines.map((_, index) =>
      bytes
        .readUInt32LE(index * 4)
        .toString(16)
        .padStart(8, "0"),
    );
    expect(words.map((word, index) => `${word} ${lines[index]![1]}`)).toEqual(
      lines.map(([word, text]) => `${word} ${text}`),
    );
    expect(bytes.length).toBe(lines.length * 4);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
