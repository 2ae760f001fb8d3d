import { afterEach, describe, expect, it, vi } from "vitest";

/** The programs themselves: they end before they begin their work. */
const PROGRAMS = {
  bench: () => import("./bench/main.ts"),
  matrix: () => import("./matrix/main.ts"),
  fuzz: () => import("./fuzz/main.ts"),
  broken: () => import("./stress/broken/main.ts"),
  mutations: () => import("./stress/broken/mutations.ts"),
} as const satisfies Record<string, () => Promise<unknown>>;

class Ended extends Error {}

interface Answer {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

const { argv } = process;
afterEach(() => {
  process.argv = argv;
  vi.restoreAllMocks();
  vi.resetModules();
});

async function run(program: keyof typeof PROGRAMS, line: string): Promise<Answer> {
  process.argv = [argv[0]!, program, ...line.split(" ")];
  const stdout: string[] = [];
  const stderr: string[] = [];
  let status: number | undefined;
  vi.spyOn(console, "log").mockImplementation((text) => void stdout.push(text));
  vi.spyOn(console, "error").mockImplementation((text) => void stderr.push(text));
  vi.spyOn(process, "exit").mockImplementation((code) => {
    status = Number(code);
    throw new Ended();
  });
  await expect(PROGRAMS[program]()).rejects.toThrow(Ended);
  return { status, stdout: stdout.join("\n"), stderr: stderr.join("\n") };
}

const BAD: readonly (readonly [keyof typeof PROGRAMS, string, RegExp])[] = [
  ["matrix", "--jobs abc", /^--jobs abc: is not a whole number; give one from 1 to 512$/],
  ["matrix", "--jobs 0", /^--jobs 0: is out of range; give one from 1 to 512$/],
  ["matrix", "--sample 20x", /^--sample 20x: is not a whole number/],
  ["matrix", "--sample 0", /^--sample 0: is out of range/],
  ["matrix", "--sample=-1", /^--sample -1: is out of range/],
  ["matrix", "--sample 1.5", /^--sample 1.5: is not a whole number/],
  ["matrix", "--sample", /--sample <value>' argument missing; see --help$/],
  ["matrix", "--only no-such-program", /^--only no-such-program: no combination has this/],
  ["matrix", "--sample 20 --only seed:99", /^--only seed:99: no combination has this/],
  ["matrix", "--ledger of", /^--ledger of: is not known; give on or off$/],
  ["matrix", "--frobnicate 1", /Unknown option '--frobnicate'; see --help$/],
  ["matrix", "surplus", /^surplus: is not known; leave it out/],
  ["bench", "--runs 1", /Unknown option '--runs'/],
  ["bench", "--only no-such", /^--only no-such: no measurement begins so; choose from /],
  ["fuzz", "--seeds x", /^--seeds x: is not a whole number/],
  ["fuzz", "--jobs x", /^--jobs x: is not a whole number/],
  ["fuzz", "--first 99999999999999999999", /^--first 99999999999999999999: is out of range/],
  ["fuzz", "--execution none", /^--execution none: is not known; give whole or suspended or both$/],
  ["broken", "--runs x", /^--runs x: is not a whole number/],
  ["broken", "C04 no-such-variant", /^no-such-variant: is not known; give IDs of the list/],
  ["mutations", "--runs 1e3", /^--runs 1e3: is not a whole number/],
  ["mutations", "no-such-step", /^no-such-step: is not known/],
  ["mutations", "--fast", /Unknown option '--fast'/],
];

describe("bad command lines of the long runs", () => {
  it.each(BAD)("are answered by one line and status 2: %s %s", async (program, line, says) => {
    const { status, stdout, stderr } = await run(program, line);
    expect(stderr).toMatch(says);
    expect(stderr).not.toContain("\n");
    expect([status, stdout]).toEqual([2, ""]);
  });
});

describe("--help of the long runs", () => {
  it.each([
    ["bench", /^npm run bench -- .*--json TEXT .*--only TEXT /s],
    ["matrix", /^npm run test:matrix -- .*--jobs N .*--sample N .*--ledger on\|off /s],
    ["fuzz", /^npm run fuzz -- .*--seeds N .*--execution whole\|suspended\|both /s],
    ["broken", /^npm run stress:broken -- \[OPTIONS\] \[IDs…\].*--runs N .*--json /s],
    ["mutations", /^npm run stress:mutations -- \[OPTIONS\] \[IDs…\].*--runs N .*--json /s],
  ] as const)("prints the usage of %s", async (program, says) => {
    const { status, stdout, stderr } = await run(program, "--help");
    expect(stdout).toMatch(says);
    expect([status, stderr]).toEqual([0, ""]);
  });
});
