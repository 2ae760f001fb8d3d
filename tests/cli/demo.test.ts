import { beforeAll, describe, expect, it } from "vitest";
import { programs } from "../../emu/cli/programs.ts";
import { type Ended, faultline } from "./command.ts";

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

  it("prints the boot log once", () => {
    expect(ended.stdout.match(/smp: Brought up 1 node, 4 CPUs/g)).toHaveLength(1);
  });

  it("prints what each program wrote, once per design", () => {
    for (const name of names) {
      const lines = ended.stdout.split("\n").filter((line) => line.startsWith(`${name} `));
      expect(lines.length, name).toBe(2);
    }
  });

  it("ends with a table of the designs and the ledger's verdict", () => {
    const table = ended.stdout.slice(
      ended.stdout.lastIndexOf("\n\n", ended.stdout.lastIndexOf("page faults")),
    );
    expect(table).toMatch(/^ +classic +spf-mm$/m);
    for (const row of [
      /^page faults +[\d,]+ +[\d,]+$/m,
      /^speculative attempts +0 +[1-9][\d,]*$/m,
      /^handled speculatively +0 +[1-9][\d,]*$/m,
      /^aborts: SPF_ABORT_\w+ +0 +[1-9][\d,]*$/m,
      /^mmap_lock acquisitions, read +[1-9][\d,]* +[\d,]+$/m,
      /^mmap_lock acquisitions, write +[1-9][\d,]* +[1-9][\d,]*$/m,
      /^IPIs sent +[1-9][\d,]* +[1-9][\d,]*$/m,
      /^TLB entries invalidated +[1-9][\d,]* +[1-9][\d,]*$/m,
      /^virtual cycles +[1-9][\d,]* +[1-9][\d,]*$/m,
    ]) {
      expect(table).toMatch(row);
    }
    expect(ended.stdout).toMatch(/^Attempts: faults of user code .*made again under it\.$/m);
    expect(ended.stdout).toMatch(/ledger: 0 violations; kernel: 0 assertions fired\n$/);
  });

  it("has no colours when piped", () => {
    expect(ended.stdout).not.toContain("\u001b");
  });

  it("gives the same as one JSON object", async () => {
    const { status, stdout, stderr } = await faultline(["demo", "--json", "--mm", "spf-mm"]);
    expect([status, stderr]).toEqual([0, ""]);
    const summary = JSON.parse(stdout);
    expect(summary.designs).toHaveLength(1);
    expect(summary.designs[0].programs.map((program: { name: string }) => program.name)).toEqual(names);
    for (const program of summary.designs[0].programs) expect(program.ok, program.name).toBe(true);
    expect(summary.designs[0].totals.handledSpeculatively).toBeGreaterThan(0);
  });
});
