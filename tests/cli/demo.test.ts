import { beforeAll, describe, expect, it } from "vitest";
import { programs } from "../../emu/cli/programs.ts";
import { type Ended, faultline } from "./command.ts";

const ARCHITECTURES = ["x86-64", "aarch64"];
const names = programs()
  .filter((program) => program.demo)
  .map((program) => program.name);

describe("faultline demo", () => {
  let ended: Ended;
  beforeAll(async () => {
    ended = await faultline(["demo"]);
  }, 120_000);

  it("succeeds without a word on standard error", () => {
    expect([ended.status, ended.stderr]).toEqual([0, ""]);
  });

  it("prints the boot log once for each architecture", () => {
    expect(ended.stdout.match(/smp: Brought up 1 node, 4 CPUs/g)).toHaveLength(ARCHITECTURES.length);
    for (const arch of ARCHITECTURES) expect(ended.stdout).toContain(`Faultline kernel (${arch})`);
  });

  it("prints what each program wrote, once per architecture and design", () => {
    for (const name of names) {
      const lines = ended.stdout.split("\n").filter((line) => line.startsWith(`${name} `));
      expect(lines.length, name).toBe(ARCHITECTURES.length * 2);
    }
    for (const arch of ARCHITECTURES) expect(ended.stdout).toMatch(new RegExp(`^${arch}, spf-mm: `, "m"));
  });

  it("ends with a table of architectures and designs and the ledger's verdict", () => {
    const table = ended.stdout.slice(
      ended.stdout.lastIndexOf("\n\n", ended.stdout.lastIndexOf("page faults")),
    );
    for (const line of table.split("\n").filter((each) => /^ |^[a-zA-Z]+.* [\d,]+$/.test(each)))
      expect(line.length).toBeLessThanOrEqual(120);
    expect(table).toMatch(/^ +x86-64 +x86-64 +aarch64 +aarch64$/m);
    expect(table).toMatch(/^ +classic +spf-mm +classic +spf-mm$/m);
    const [any, some, none] = ["[\\d,]+", "[1-9][\\d,]*", "0"];
    for (const [title, ...cells] of [
      ["page faults", some, some, some, some],
      ["speculative attempts", none, some, none, some],
      ["handled speculatively", none, some, none, some],
      ["aborts: SPF_ABORT_ODD", none, some, none, some],
      ["mmap_lock acquisitions, read", some, any, some, any],
      ["mmap_lock acquisitions, write", some, some, some, some],
      ["IPIs sent", some, some, some, some],
      ["TLB invalidations broadcast", none, none, some, some],
      ["TLB entries invalidated", some, some, some, some],
      ["virtual cycles", some, some, some, some],
    ]) {
      expect(table).toMatch(new RegExp(`^${title} +${cells.join(" +")}$`, "m"));
    }
    expect(ended.stdout).toMatch(/^Attempts: faults of user code .*made again under it\.$/m);
    expect(ended.stdout).toMatch(/ledger: 0 violations; kernel: 0 assertions fired\n$/);
  });

  it("has no colours when piped", () => {
    expect(ended.stdout).not.toContain("\u001b");
  });

  it("gives the same as one JSON object, of one architecture if asked to", async () => {
    const { status, stdout, stderr } = await faultline([
      "demo",
      "--json",
      "--mm",
      "spf-mm",
      "--arch",
      "aarch64",
    ]);
    expect([status, stderr]).toEqual([0, ""]);
    const summary = JSON.parse(stdout);
    expect(summary.machines.map(({ name }: { name: string }) => name)).toEqual(["aarch64"]);
    expect(summary.designs).toHaveLength(1);
    expect(summary.designs[0].programs.map((program: { name: string }) => program.name)).toEqual(names);
    for (const program of summary.designs[0].programs) expect(program.ok, program.name).toBe(true);
    expect(summary.designs[0].totals.handledSpeculatively).toBeGreaterThan(0);
  });
});
