import { describe, expect, it } from "vitest";
import { BROKEN, WAITING } from "../../kernel/broken/index.ts";
import { commandLine } from "./in-process.ts";

describe("faultline list broken", () => {
  it("names every variant with what it violates, and those that wait with their reason", async () => {
    const { stdout } = await commandLine(["list", "broken"]);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.length).toBe(2 + BROKEN.length + WAITING.length);
    expect(stdout).toMatch(
      /^A01 +A01 +I1 I13 +spf-mm +x86-64 aarch64 +the sequence count is not checked again/m,
    );
    expect(stdout).toMatch(/^C12 .*needs two context slots/m);
    expect(stdout).toMatch(/^A09 .*\(waits for collapse into huge pages\)/m);
  });

  it("prints the same as JSON", async () => {
    const { stdout } = await commandLine(["list", "broken", "--json"]);
    const all = JSON.parse(stdout) as { id: string; waitsFor: string | null }[];
    expect(all.map((each) => each.id)).toEqual([...BROKEN, ...WAITING].map((each) => each.id));
    expect(all.filter((each) => each.waitsFor !== null).length).toBe(WAITING.length);
  });
});

describe("--mm DESIGN+VARIANT", () => {
  it("runs programs on the broken kernel, and what the ledger sees is a violation", async () => {
    const { status, stderr } = await commandLine([
      "run",
      "--mm=spf-mm+C07",
      "--ledger=on",
      "--mem=32M",
      "hello",
    ]);
    expect(status).toBe(125);
    expect(stderr).toMatch(/frame/);
  });

  it.each([
    ["run --mm spf-mm+A99 hello", /--mm spf-mm\+A99: there is no such broken variant; choose from A01, /],
    ["run --mm spf-mm+A09 hello", /--mm spf-mm\+A09: A09 is not there yet; it waits for collapse/],
    ["boot --mm classic+A01", /--mm classic\+A01: breaks nothing in classic; it is for spf-mm/],
    ["demo --mm spf-mm+nothing", /--mm spf-mm\+nothing: there is no such broken variant/],
  ])("%s is answered by one line and status 2", async (line, says) => {
    const { status, stdout, stderr } = await commandLine(line.split(" "));
    expect([stdout, status]).toEqual(["", 2]);
    expect(stderr).toMatch(says);
    expect(stderr).toMatch(/^faultline: [^\n]+\n$/);
  });
});
