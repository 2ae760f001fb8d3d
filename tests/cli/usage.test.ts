import { describe, expect, it } from "vitest";
import { faultline } from "./command.ts";
import { commandLine } from "./in-process.ts";

const BAD: readonly (readonly [string, RegExp])[] = [
  ["", /say what to do/],
  ["reboot", /reboot: there is no such command; did you mean boot\?/],
  ["run", /Not enough non-option arguments/],
  ["run --cpus 2", /Not enough non-option arguments/],
  ["run no-such-program", /no-such-program: there is no such program/],
  ["run ./no-such-file", /no-such-file: no such file/],
  ["run /tmp", /\/tmp: is a directory/],
  ["run --frobnicate 1 hello", /Unknown argument: frobnicate/],
  ["run --cpus 0 hello", /--cpus 0: is out of range; give a whole number from 1 to \d+/],
  ["run --cpus 1.5 hello", /--cpus 1.5: is out of range/],
  ["run --cpus many hello", /--cpus many: is not a number; give one, as in --cpus 4/],
  ["run --cpus= hello", /--cpus: is not a number/],
  ["run --cpus 9999 hello", /--cpus 9999: is out of range; give a whole number from 1 to \d+/],
  ["run --cpus 100000 hello", /--cpus 100000: is out of range/],
  ["run --cpus -4 hello", /--cpus -4: is out of range/],
  ["run --mem 1 hello", /--mem 1: /],
  ["run --mem 0 hello", /--mem 0: is out of range; give 16M to 3584M/],
  ["run --mem -5M hello", /--mem -5M: is not a size; give a number with K, M or G, as in 256M/],
  ["boot --mem -5M", /--mem -5M: is not a size/],
  ["run --mem 8M hello", /--mem 8M: is out of range; give 16M to 3584M/],
  ["run --mem 5G hello", /--mem 5G: is out of range/],
  ["run --mem big hello", /--mem big: is not a size/],
  ["run --mem 100000001 hello", /is no multiple of 64K/],
  ["run --mm fastest hello", /--mm fastest: there is no such fault design; choose from classic, spf-mm/],
  ["run --seed -1 hello", /--seed -1: is out of range/],
  ["run --seed abc hello", /--seed abc: is not a number; give one, as in --seed 1/],
  ["run --seed a\u001bb hello", /--seed a\\x1bb: is not a number/],
  ["run --seed 1.5 hello", /--seed 1.5: is out of range; give a whole number/],
  [
    "run --seed 99999999999999999999 hello",
    /--seed 99999999999999999999: is out of range; give a whole number from 0 to 4294967295\n/,
  ],
  ["run --seed 4294967296 hello", /--seed 4294967296: is out of range/],
  ["run --cpus 99999999999999999999 hello", /--cpus 99999999999999999999: is out of range/],
  ["boot --max-instructions 99999999999999999999", /--max-instructions 99999999999999999999: is out of/],
  ["stress two-copies --seed 99999999999999999999", /--seed 99999999999999999999: is out of range/],
  ["stress two-copies --runs 99999999999999999999", /--runs 99999999999999999999: is out of range/],
  ["run --scheduler fair hello", /Invalid values.*scheduler.*timed.*random/s],
  ["run --tlb huge hello", /Invalid values.*tlb.*typical.*adversarial/s],
  ["run --arch z80 hello", /--arch z80: there is no machine of this architecture/],
  ["run --machine cray hello", /--machine cray: there is no such machine/],
  ["run --max-instructions 0 hello", /--max-instructions 0: is out of range/],
  ["run --timeout 0 hello", /--timeout 0: is not a positive number/],
  ["run --timeout -.5 hello", /--timeout -0.5: is not a positive number/],
  ["run --timeout never hello", /--timeout never: is not a number/],
  [
    "run --trace /no/such/folder/file hello",
    /--trace \/no\/such\/folder\/file: cannot be written \(ENOENT\)/,
  ],
  ["boot --init no-such-program", /no-such-program: there is no such program/],
  ["boot surplus", /Unknown argument: surplus/],
  ["list nonsense", /Invalid values/],
  ["list", /Not enough non-option arguments/],
  ["demo --mm fastest", /--mm fastest: there is no such fault design/],
];

describe("bad usage", () => {
  it.each(BAD)("is answered by one line and status 2: faultline %s", async (line, says) => {
    const { status, stdout, stderr } = await commandLine(line.split(" ").filter((word) => word !== ""));
    expect(stdout).toBe("");
    expect(stderr).toMatch(says);
    expect(stderr).toMatch(/^faultline: [^\n]+\n$/);
    expect(status).toBe(2);
  });
});

describe("bad usage of the command as a process", () => {
  it.each(BAD.filter((_bad, index) => index % 8 === 0))("faultline %s", async (line, says) => {
    const { status, stdout, stderr } = await faultline(line.split(" ").filter((word) => word !== ""));
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(says);
  });
});

describe("--version", () => {
  it.each(["--version", "run --version", "boot --version"])(
    "faultline %s names the package's",
    async (line) => {
      const { status, stdout, stderr } = await faultline(line.split(" "));
      expect([status, stderr]).toEqual([0, ""]);
      expect(stdout).toMatch(/^faultline \d+\.\d+\.\d+\n$/);
    },
  );
});

describe("--help", () => {
  it.each(["", "boot", "run", "list", "demo"])("explains every option of faultline %s", async (command) => {
    const { status, stdout, stderr } = await faultline([...(command === "" ? [] : [command]), "--help"]);
    expect([status, stderr]).toEqual([0, ""]);
    const options = stdout.split("\n").filter((line) => /^ {2}--?\w/.test(line));
    expect(options.length).toBeGreaterThan(0);
    for (const option of options) expect(option).toMatch(/^ {2}--?[\w-]+(, --\w+)? {2,}\S|^ {2}-\w, --/);
  });

  it("is free of colour and control characters when piped", async () => {
    const { stdout } = await faultline(["run", "--help"]);
    expect(stdout).not.toContain("\u001b");
  });
});
