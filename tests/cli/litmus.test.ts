import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { commandLine } from "./in-process.ts";

const X86 = new URL("../litmus/x86-64/", import.meta.url).pathname;
const AARCH64 = new URL("../litmus/aarch64/", import.meta.url).pathname;

function fileWith(text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "litmus-")), "t.litmus");
  writeFileSync(path, text);
  return path;
}

describe("faultline litmus", () => {
  it("prints a line for each test, the bounds and a summary", async () => {
    const { status, stdout, stderr } = await commandLine([
      "litmus",
      `${X86}row06-clear-invlpg-load.litmus`,
      `${X86}row05-clear-fence-serialise-load.litmus`,
    ]);
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^ +6 +clear-invlpg-load +forbidden +not reached +1 +\d+ +1 of 1 needed$/m);
    expect(stdout).toMatch(/^ +5 +clear-fence-serialise-load +allowed +witnessed +2 +\d+ +-$/m);
    expect(stdout).toMatch(/^bounds: 200,000 states, depth 2,000; none exceeded$/m);
    expect(stdout).toMatch(/^2 tests: 0 forbidden outcomes reached, 1 allowed witnessed, /m);
  });

  it("reads a folder, lists its rows without a file, and reaches nothing that is forbidden", async () => {
    const { status, stdout } = await commandLine(["litmus", AARCH64]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^ +7 +own8isb +forbidden +not reached +1 +\d+ +2 of 2 needed$/m);
    expect(stdout).toMatch(
      /^80 tests: 0 forbidden outcomes reached, 34 allowed witnessed, 0 not witnessed, 5 inex/m,
    );
    expect(stdout).toMatch(/^row 57: inapplicable: /m);
  });

  it("takes the verdicts of the model that is asked for", async () => {
    const { stdout } = await commandLine(["litmus", "--model", "ETS2", `${AARCH64}own8.litmus`]);
    expect(stdout).toMatch(/^ +8 +own8 +forbidden +not reached/m);
  });

  it("ends with 125 where a forbidden outcome is reached, and shows the final states on request", async () => {
    const path = fileWith(
      "X86_64 t\n{ x=1; }\n P0 ;\n MOV [PTE(x)],(P:0) ;\n L0: MOV RBX,[x] ;\n~exists (0:RBX=1)\n",
    );
    const { status, stdout } = await commandLine(["litmus", "--finals", path]);
    expect(status).toBe(125);
    expect(stdout).toMatch(/REACHED/);
    expect(stdout).toMatch(/^ {2}\* 0:RBX=1$/m);
    expect(stdout).toMatch(/^ {4}0:RBX=0$/m);
  });

  it("prints JSON with every count", async () => {
    const { stdout } = await commandLine(["litmus", "--json", `${X86}row06-clear-invlpg-load.litmus`]);
    const { bounds, tests } = JSON.parse(stdout) as { bounds: object; tests: Record<string, unknown>[] };
    expect(bounds).toEqual({ maxStates: 200_000, maxDepth: 2_000 });
    expect(tests[0]).toMatchObject({
      name: "clear-invlpg-load",
      row: "6",
      verdict: "forbidden",
      outcome: "ok",
      exceeded: null,
      vacuity: [{ without: "INVLPG [x]", reached: 1 }],
    });
  });

  it("says that a test is incomplete when a bound ends it", async () => {
    const path = `${X86}row06-clear-invlpg-load.litmus`;
    const { status, stdout } = await commandLine(["litmus", "--max-states", "2", path]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/incomplete: maxStates/);
    expect(stdout).toMatch(/^bounds: 2 states, depth 2,000; exceeded by clear-invlpg-load$/m);
  });

  it.each([
    [["litmus"], /Not enough non-option arguments/],
    [["litmus", "/no/such/file"], /\/no\/such\/file: no such file or folder/],
    [["litmus", "/dev"], /\/dev: holds no \.litmus files/],
    [["litmus", "--max-states", "0", X86], /--max-states 0: is no count of states/],
    [["litmus", fileWith("X86_64 t\n")], /t\.litmus:1: has no initial state/],
  ])("answers %j by one line and status 2", async (words, says) => {
    const { status, stdout, stderr } = await commandLine(words);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(says);
    expect(stderr).toMatch(/^faultline: [^\n]+\n$/);
  });
});
