import { describe, expect, it } from "vitest";
import { faultline } from "./command.ts";

const LOG_LINE = /^\[ *(\d+\.\d{6})\] /;

describe("faultline boot", () => {
  it("prints the kernel's log with rising virtual times, and the first program's output in between", async () => {
    const { status, stdout, stderr } = await faultline(["boot"]);
    expect([status, stderr]).toEqual([0, ""]);
    const lines = stdout.trimEnd().split("\n");
    const log = lines.filter((line) => LOG_LINE.test(line));
    expect(log.length).toBeGreaterThan(5);
    expect(lines.filter((line) => !LOG_LINE.test(line))).toEqual(["hello, world"]);
    const times = log.map((line) => Number(LOG_LINE.exec(line)![1]));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times.at(-1)).toBeGreaterThan(0);
    expect(stdout).toMatch(/Brought up 1 node, 4 CPUs/);
  });

  it("ends with the status of the first program", async () => {
    const { status, stdout } = await faultline(["boot", "--cpus", "1", "--init", "wild"]);
    expect(status).toBe(139);
    expect(stdout).toMatch(/wild\[\d+\]: segfault at dead0000/);
  });

  it.each(["classic", "spf-mm"])("boots the machine of an architecture: aarch64, %s", async (design) => {
    const { status, stdout, stderr } = await faultline(["boot", "--arch", "aarch64", "--mm", design]);
    expect([status, stderr]).toEqual([0, ""]);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.filter((line) => !LOG_LINE.test(line))).toEqual(["hello, world"]);
    expect(stdout).toMatch(/Faultline kernel \(aarch64\) #1 SMP/);
    expect(stdout).toMatch(/Brought up 1 node, 4 CPUs/);
  });

  it("tells of a wild pointer as the architecture's kernel does: aarch64", async () => {
    const { status, stdout } = await faultline(["boot", "--arch", "aarch64", "--init", "wild"]);
    expect(status).toBe(139);
    expect(stdout).toMatch(
      /wild\[1\]: unhandled exception: DABT \(lower EL\), ESR 0x0000000092000045, level 1 translation fault/,
    );
  });

  it("brings up as many cores as it is told to", async () => {
    const { status, stdout } = await faultline(["boot", "--cpus", "64"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/Brought up 1 node, 64 CPUs/);
  });

  it("is the same every time", async () => {
    const [once, again] = [await faultline(["boot"]), await faultline(["boot"])];
    expect(once.stdout).toBe(again.stdout);
  });

  it("prints one JSON object with --json", async () => {
    const { status, stdout, stderr } = await faultline(["boot", "--json", "--mm", "spf-mm", "--seed", "7"]);
    expect([status, stderr]).toEqual([0, ""]);
    const summary = JSON.parse(stdout);
    expect(summary).toMatchObject({
      cpus: 4,
      design: "spf-mm",
      seed: 7,
      scheduler: "timed",
      status: 0,
      stdout: "hello, world\n",
      stop: { kind: "power-off" },
    });
    expect(summary.log.length).toBeGreaterThan(5);
    expect(summary.statistics.instructions).toBeGreaterThan(0);
    expect(summary.statistics.counters.pgfault).toBeGreaterThan(0);
  });
});

describe("faultline list", () => {
  it.each([
    ["machines", ["arch", "maxCores", "cyclesPerSecond", "description"]],
    ["designs", ["description"]],
    ["programs", ["args", "exitStatus", "description"]],
  ])("lists %s as a table and as JSON", async (what, fields) => {
    const table = await faultline(["list", what]);
    const json = await faultline(["list", what, "--json"]);
    expect([table.status, table.stderr, json.status, json.stderr]).toEqual([0, "", 0, ""]);
    const objects = JSON.parse(json.stdout) as Record<string, unknown>[];
    expect(objects.length).toBeGreaterThan(0);
    const lines = table.stdout.trimEnd().split("\n");
    expect(lines.length).toBe(objects.length + 2);
    for (const [index, object] of objects.entries()) {
      expect(lines[index + 2]).toContain(object["name"]);
      for (const field of fields) expect(object).toHaveProperty(field);
    }
  });

  it("lists both designs", async () => {
    const { stdout } = await faultline(["list", "designs", "--json"]);
    expect((JSON.parse(stdout) as { name: string }[]).map((design) => design.name)).toEqual([
      "classic",
      "spf-mm",
    ]);
  });
});
