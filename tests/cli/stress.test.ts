import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { traceFaults } from "../stress/story/trace-format.ts";
import { type Ended, faultline } from "./command.ts";
import { type Answer, commandLine } from "./in-process.ts";

const MAIN = fileURLToPath(new URL("../../dist/bundle/faultline.js", import.meta.url));
const BROKEN = "load-vs-free-tables --mm spf-mm+early-ack --jobs 1";

const folder = mkdtempSync(join(tmpdir(), "faultline-stress-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function words(line: string): string[] {
  return line.split(" ").filter((word) => word !== "");
}

function stress(line: string, output: string): Promise<Answer> {
  return commandLine(["stress", ...words(line), "--output", join(folder, output)]);
}

function schedulesIn(output: string): string[] {
  return readdirSync(join(folder, output))
    .filter((name) => name.endsWith(".schedule"))
    .map((name) => join(folder, output, name));
}

describe("faultline stress", () => {
  it("is silent about a kernel that is whole: a table, status 0, no files", async () => {
    const { status, stdout, stderr } = await stress("two-copies --mm all --runs 30 --jobs 1", "silent");
    expect([status, stderr]).toEqual([undefined, ""]);
    expect(stdout).toMatch(
      /^scenario +machine +design +schedules +events each +n +k +bound, depth 3 +violations$/m,
    );
    expect(stdout).toMatch(/^two-copies +x86-64-small +classic +30 +\d+ +\d+ +\d+ +1\/[\d,]+ +0$/m);
    const spf = /^two-copies +x86-64-small +spf-mm +30 +\d+ +(\d+) +(\d+) +1\/([\d,]+) +0$/m.exec(stdout)!;
    const [n, k, odds] = spf.slice(1).map((number) => Number(number.replaceAll(",", "")));
    expect(odds).toBe(n! * k! ** 2);
    expect(stdout).toMatch(/^60 schedules, 0 findings$/m);
    expect(existsSync(join(folder, "silent"))).toBe(false);
  });

  it("ends with 125 when it found something, and names the replay of each finding", async () => {
    const { status, stdout } = await stress(`${BROKEN} --runs 50`, "found");
    expect(status).toBe(125);
    const files = schedulesIn("found");
    expect(files.length).toBeGreaterThan(0);
    expect(stdout).toMatch(
      /^I\d+ in load-vs-free-tables under spf-mm\+early-ack on x86-64-small: \d+ of 50 schedules/m,
    );
    for (const file of files) expect(stdout).toContain(`    faultline replay ${file}\n`);
    expect(stdout).toMatch(/^50 schedules, \d+ findings?$/m);
  });

  it("prints JSON", async () => {
    const { status, stdout } = await stress(`${BROKEN} --runs 50 --json`, "json");
    const printed = JSON.parse(stdout) as {
      plan: object;
      complete: boolean;
      errors: unknown[];
      units: Record<string, unknown>[];
      findings: { count: number; file: string; firstRun: number; signature: string }[];
    };
    expect(status).toBe(125);
    expect(printed.plan).toMatchObject({ runs: 50, seed: 1, scheduler: "pct", depth: 3, shards: 1 });
    expect(printed).toMatchObject({ complete: true, errors: [] });
    expect(printed.units).toEqual([
      expect.objectContaining({ scenario: "load-vs-free-tables", design: "spf-mm+early-ack", runs: 50 }),
    ]);
    expect(printed.findings.map(({ file }) => file).sort()).toEqual(schedulesIn("json").sort());
    for (const { firstRun } of printed.findings) expect(firstRun).toBeGreaterThan(0);
  });

  it("does the same again with the same seed, and something else with another", async () => {
    const first = await stress("two-copies --mm spf-mm --runs 30 --jobs 1 --json", "a");
    const again = await stress("two-copies --mm spf-mm --runs 30 --jobs 1 --json", "a");
    const other = await stress("two-copies --mm spf-mm --runs 30 --jobs 1 --json --seed 2", "a");
    expect(again.stdout).toBe(first.stdout);
    const events = ({ stdout }: Answer): number =>
      (JSON.parse(stdout) as { units: { events: number }[] }).units[0]!.events;
    expect(events(other)).not.toBe(events(first));
  });

  it("runs scenarios on each architecture, and a variant where its step is", async () => {
    const both = await stress("two-copies --arch all --mm classic --runs 5 --jobs 1", "both");
    expect(both.status).toBe(undefined);
    for (const machine of ["x86-64-small", "aarch64-small"])
      expect(both.stdout).toMatch(new RegExp(`^two-copies +${machine} +classic +5 `, "m"));
    const one = await stress("two-copies --arch all --mm spf-mm+early-ack --runs 1 --jobs 1", "one");
    expect(one.stdout).not.toContain("aarch64");
    const named = await stress("two-copies --machine aarch64-stress --mm classic --runs 5 --jobs 1", "named");
    expect(named.stdout).toMatch(/^two-copies +aarch64-stress +classic +5 /m);
  });

  it("stops at the first finding with --fail-fast", async () => {
    const { status, stdout } = await stress(`${BROKEN} --runs 5000 --fail-fast`, "fast");
    expect(status).toBe(125);
    expect(stdout).toMatch(/findings?; not complete$/m);
    const [, runs] = /^([\d,]+) schedules/m.exec(stdout)!;
    expect(Number(runs!.replace(",", ""))).toBeLessThan(5000);
  });

  it("leaves no results of an earlier campaign beside what it says itself", async () => {
    await stress(`${BROKEN} --runs 50`, "again");
    const results = join(folder, "again", "results.json");
    expect(readFileSync(results, "utf8")).toContain('"signature"');
    await stress("two-copies --mm classic --runs 5 --jobs 1", "again");
    expect(readFileSync(results, "utf8")).not.toContain('"signature"');
  });

  it("runs a scenario once that is named twice", async () => {
    const { stdout } = await stress("two-copies two-copies --mm classic --runs 5 --jobs 1", "twice");
    expect(stdout).toMatch(/^5 schedules, 0 findings$/m);
  });

  it("adds up shards to what one campaign would have said", async () => {
    const whole = await stress(`${BROKEN} --runs 61`, "whole");
    const files: string[] = [];
    for (const shard of ["1/2", "2/2"]) {
      const output = `shard-${shard[0]}`;
      await stress(`${BROKEN} --runs 61 --shard ${shard}`, output);
      files.push(join(folder, output, "results.json"));
    }
    const merged = await commandLine(["stress", "merge", ...files, "--output", join(folder, "whole")]);
    expect(merged).toEqual(whole);
    const half = await commandLine(["stress", "merge", files[1]!, "--output", join(folder, "half")]);
    expect(half.stdout).toMatch(/not complete$/m);
  });

  it.each([
    ["stress no-such-scenario", /no-such-scenario: there is no such scenario/],
    ["stress two-copies --runs -1", /--runs -1: is out of range/],
    ["stress two-copies --runs many", /--runs many: is not a number; give one, as in --runs 1$/m],
    ["stress two-copies --runs", /Not enough arguments following: runs/],
    ["stress two-copie", /two-copie: there is no such scenario; did you mean two-copies\?/],
    ["stress two-copies --mm spf-mn", /--mm spf-mn: there is no such fault design; did you mean spf-mm\?/],
    ["stress two-copies --mm spf-mm+a01", /there is no such broken variant; did you mean A01\?/],
    ["stress two-copies --machine x86-64-smal", /no such machine; did you mean x86-64-small\?/],
    ["stress two-copies --assertion-off lockdep", /--assertion-off lockdep: there is no such assertion/],
    [
      "stress two-copies --scheduler exhaustive --tlb adversarial",
      /--tlb adversarial: does not go with --scheduler exhaustive/,
    ],
    ["stres two-copies", /^faultline: stres: there is no such command; did you mean stress\?/],
    ["nonsense", /^faultline: nonsense: there is no such command; see /],
    ["stress two-copies --mm fastest", /--mm fastest: there is no such fault design/],
    ["stress two-copies --mm spf-mm+Z99", /--mm spf-mm\+Z99: /],
    ["stress two-copies --mm classic+A01", /--mm classic\+A01: /],
    [
      "stress two-copies --arch arm",
      /--arch arm: there is no such architecture; choose from x86-64, aarch64, all/,
    ],
    ["stress two-copies --machine no-such", /--machine no-such: there is no such machine/],
    [
      "stress two-copies --machine x86-64-small --arch aarch64",
      /--machine x86-64-small: is a machine of x86-64/,
    ],
    ["stress two-copies --mm spf-mm+C11 --arch aarch64", /--mm spf-mm\+C11: breaks nothing on aarch64/],
    ["stress two-copies --scheduler fair", /Invalid values/],
    ["stress two-copies --depth 0", /--depth 0: is out of range/],
    ["stress two-copies --jobs 0", /--jobs 0: is out of range/],
    ["stress two-copies --shard 3/2", /--shard 3\/2: is no shard; give i\/n/],
    ["stress two-copies --shard 0/2", /--shard 0\/2: is no shard/],
    ["stress two-copies --output /dev/null/a/b", /--output \/dev\/null\/a\/b: cannot be written \(ENOTDIR\)/],
    ["stress two-copies --output /dev/null", /--output \/dev\/null: cannot be written \(ENOTDIR\)/],
    ["stress merge", /stress merge: has nothing to add up/],
    ["stress merge /no/such/file", /\/no\/such\/file: cannot be read \(ENOENT\)/],
    ["stress merge /tmp", /\/tmp: cannot be read \(EISDIR\)/],
    ["stress merge /dev/null", /\/dev\/null: is no results file/],
    ["replay", /Not enough non-option arguments/],
    ["replay /no/such/file", /\/no\/such\/file: cannot be read \(ENOENT\)/],
    ["replay /tmp", /\/tmp: cannot be read \(EISDIR\)/],
    ["replay /dev/null", /\/dev\/null, line 1: a schedule file begins with/],
    ["replay /dev/null --columns 10", /--columns 10: is out of range/],
  ])("answers bad usage by one line and status 2: faultline %s", async (line, says) => {
    const { status, stdout, stderr } = await commandLine(words(line));
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(says);
    expect(stderr).toMatch(/^faultline: [^\n]+\n$/);
  });
});

describe("faultline stress that is interrupted", () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("by %s ends with status %i, and has written what it found", async (signal, status) => {
    const output = join(folder, `interrupted-${signal}`);
    const args = ["stress", ...words("load-vs-free-tables two-copies --mm spf-mm+early-ack")];
    const child = spawn(process.execPath, [
      MAIN,
      ...args,
      "--runs",
      "1000000",
      "--jobs",
      "2",
      "--output",
      output,
    ]);
    let stdout = "";
    child.stdout.on("data", (bytes: Buffer) => {
      stdout += bytes.toString();
    });
    const ended = new Promise((resolve) => child.once("close", resolve));
    const results = join(output, "results.json");
    while (!existsSync(results)) await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill(signal);
    expect(await ended).toBe(status);
    expect(stdout).toMatch(/findings?; not complete$/m);
    const written = JSON.parse(readFileSync(results, "utf8")) as {
      complete: boolean;
      units: { runs: number; findings: object[] }[];
    };
    expect(written.complete).toBe(false);
    expect(written.units[0]!.findings.length).toBeGreaterThan(0);
    expect(readdirSync(output).some((name) => name.endsWith(".schedule"))).toBe(true);
    expect(readdirSync(output).some((name) => name.endsWith(".new"))).toBe(false);
  });
});

describe("faultline replay", () => {
  let file = "";
  beforeAll(async () => {
    await stress(`${BROKEN} --runs 25`, "replay");
    file = schedulesIn("replay")[0]!;
  });

  function replay(...more: string[]): Promise<Answer> {
    return commandLine(["replay", file, ...more]);
  }

  it("tells the story in at most 40 lines, reproduced, with status 125", async () => {
    const { status, stdout, stderr } = await replay();
    expect([status, stderr]).toEqual([125, ""]);
    expect(stdout).toMatch(/^load-vs-free-tables under spf-mm\+early-ack on x86-64-small: I\d/);
    expect(stdout).toMatch(/^reproduced, trace [0-9a-f]{16}$/m);
    expect(stdout).toMatch(/^ {2}>1 earlier core \d, .*cycle \d+: /m);
    expect(stdout).toMatch(/^ {2}>2 later {3}core \d, .*cycle \d+: /m);
    expect(stdout).toMatch(/^ *\d+ >1 /m);
    expect(stdout).toMatch(/^ *\d+ >2 /m);
    expect(stdout.trimEnd().split("\n").length).toBeLessThanOrEqual(40);
  });

  it("says the same each time, and bundled the same as from its sources", async () => {
    const { stdout } = await replay("--full");
    const processes: Ended[] = [];
    for (let time = 0; time < 3; time++) processes.push(await faultline(["replay", file, "--full"]));
    for (const each of processes) expect([each.status, each.stdout]).toEqual([125, stdout]);
  });

  it("fits the width that it is given", async () => {
    for (const columns of [70, 110, 160]) {
      const { stdout } = await replay("--columns", String(columns));
      const story = stdout.slice(stdout.search(/^cycles/m)).split("\n");
      for (const line of story) expect(line.length).toBeLessThanOrEqual(columns);
    }
  });

  it("prints JSON with every event", async () => {
    const { status, stdout } = await replay("--json");
    const printed = JSON.parse(stdout) as {
      reproduced: boolean;
      trace: string;
      expected: string;
      events: object[];
    };
    expect(status).toBe(125);
    expect(printed.reproduced).toBe(true);
    expect(printed.trace).toBe(printed.expected);
    expect(printed.events.length).toBeGreaterThan(20);
  });

  it("writes a trace that Perfetto opens", async () => {
    const path = join(folder, "trace.json");
    await replay("--trace", path);
    expect(traceFaults(readFileSync(path, "utf8"))).toEqual([]);
    const { status, stderr } = await replay("--trace", "/no/such/folder/trace.json");
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^faultline: --trace \/no\/such\/folder\/trace\.json: cannot be written \(ENOENT\); give a path[^\n]*\n$/,
    );
  });

  it("says so, with status 1, when the schedule does not show the same here", async () => {
    const other = join(folder, "other.schedule");
    const text = readFileSync(file, "utf8");
    writeFileSync(other, text.replace(/^trace .*$/m, "trace 0123456789abcdef"));
    const wrongHash = await commandLine(["replay", other]);
    expect(wrongHash.status).toBe(1);
    expect(wrongHash.stdout).toMatch(
      /^NOT reproduced: .* instead of 0123456789abcdef\nevery decision fitted: [^\n]*$/m,
    );
    writeFileSync(other, text.replace(/^design .*$/m, "design spf-mm"));
    const whole = await commandLine(["replay", other]);
    expect(whole.status).toBe(1);
    expect(whole.stdout).toMatch(/^NOT reproduced: nothing is wrong in this run$/m);
  });

  it("refuses a turn of a core that the scenario does not have", async () => {
    const other = join(folder, "stranger.schedule");
    writeFileSync(other, readFileSync(file, "utf8").replace(/^run c\d/m, "run c9"));
    const { status, stderr } = await commandLine(["replay", other]);
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^faultline: [^\n]*stranger\.schedule: c9 takes a turn, and [^\n]* has \d cores;[^\n]*\n$/,
    );
  });

  it.each([
    ["scenario", "no-such", /no-such: there is no such scenario/],
    ["machine", "cray", /cray: there is no such machine/],
    ["design", "fastest", /there is no such fault design/],
  ])("refuses a schedule whose %s is unknown, by one line and status 2", async (item, value, says) => {
    const other = join(folder, "unknown.schedule");
    writeFileSync(
      other,
      readFileSync(file, "utf8").replace(new RegExp(`^${item} .*$`, "m"), `${item} ${value}`),
    );
    const { status, stdout, stderr } = await commandLine(["replay", other]);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(says);
    expect(stderr).toMatch(/^faultline: [^\n]+\n$/);
  });
});

describe("faultline list", () => {
  it("names every scenario with its cores, tasks and races", async () => {
    const { status, stdout } = await commandLine(["list", "scenarios"]);
    expect(status).toBe(undefined);
    expect(stdout).toMatch(/^name +cores +tasks +races +on +description$/m);
    expect(stdout).toMatch(/^fault-vs-munmap +2 +2 +.*A01/m);
    const { stdout: json } = await commandLine(["list", "scenarios", "--json"]);
    const listed = JSON.parse(json) as { name: string; cores: number }[];
    expect(listed.length).toBeGreaterThan(20);
    for (const { name } of listed) expect(stdout).toMatch(new RegExp(`^${name} `, "m"));
  });
});
