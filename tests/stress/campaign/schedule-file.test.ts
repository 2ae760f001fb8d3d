import { describe, expect, it } from "vitest";
import { UserError } from "../../../emu/user-error.ts";
import { agentName, formatSchedule, parseSchedule, type Schedule } from "../../../stress/campaign/index.ts";

const SCHEDULE: Schedule = {
  scenario: "fault-vs-munmap",
  machine: "x86-64",
  design: "spf-mm+A01",
  tlb: "adversarial",
  seed: 495_300_822,
  assertionsOff: ["BUG: mmap_seq", "WARNING: two words"],
  found: "pct depth 3, run 382 of seed 1",
  invariant: "I1",
  signature: "I1 structure: entry installed",
  trace: "1d1805dfe616fe83",
  absent: [2, 3],
  decisions: {
    segments: Array.from({ length: 40 }, (_, at) => [at % 16, at * 7 + 1] as const),
    failures: [0, 3],
  },
};
const TEXT = formatSchedule(SCHEDULE);

describe("a schedule file", () => {
  it("holds the whole schedule", () => {
    expect(parseSchedule(TEXT, "f")).toEqual(SCHEDULE);
    const bare: Schedule = {
      ...SCHEDULE,
      assertionsOff: [],
      absent: [],
      decisions: { segments: [], failures: [] },
    };
    expect(parseSchedule(formatSchedule(bare), "f")).toEqual(bare);
  });

  it("may have comments, empty lines and the line ends of another host", () => {
    const edited = `${TEXT.replace("\n", "\n# by hand\n\n")}\n`.replaceAll("\n", "\r\n");
    expect(parseSchedule(edited, "f")).toEqual(SCHEDULE);
  });

  it("names agents by role and core", () => {
    expect([0, 1, 2, 3, 4, 5, 9].map(agentName)).toEqual(["c0", "m0", "i0", "t0", "b0", "c1", "b1"]);
  });

  const BAD: readonly (readonly [string, string, RegExp])[] = [
    ["nothing", "", /f, line 1: a schedule file begins with/],
    ["another header", TEXT.replace("schedule 1", "schedules"), /line 1: a schedule file begins with/],
    ["another version", TEXT.replace("schedule 1", "schedule 2"), /line 1: format 2 .* another version/],
    [
      "another invariant than its signature's",
      TEXT.replace("invariant I1", "invariant I2"),
      /line 8: invariant I2/,
    ],
    ["an unknown item", TEXT.replace("tlb ", "tbl "), /line 5: there is no item "tbl"/],
    ["an item twice", TEXT.replace("tlb ", "seed 1\ntlb "), /line 7: "seed" is there twice/],
    [
      "a TLB policy that does not exist",
      TEXT.replace("adversarial", "huge"),
      /line 5: tlb is typical or adversarial/,
    ],
    ["a seed that is none", TEXT.replace("seed 495300822", "seed x"), /line 6: "x" is no number/],
    ["an agent without a role", TEXT.replace("run c0", "run q0"), /line \d+: "q0" is no agent/],
    ["an agent without a core", TEXT.replace("run c0", "run c"), /line \d+: "c" is no agent/],
    ["half a segment", TEXT.replace("run c0 1", "run c0"), /a run is agents and numbers in turn/],
    ["a count below 0", TEXT.replace("run c0 1", "run c0 -1"), /"-1" is no number/],
    ["a failure that is no number", TEXT.replace("failures 0", "failures a"), /"a" is no number/],
    ["binary rubbish", "\u0000\u0001\u0002", /line 1/],
  ];
  it.each(BAD)("is refused in one line: %s", (_what, text, says) => {
    let error: unknown = null;
    try {
      parseSchedule(text, "f");
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).line).toMatch(says);
    expect((error as UserError).line).not.toContain("\n");
  });

  it.each(["scenario", "machine", "design", "tlb", "seed", "found", "invariant", "signature", "trace"])(
    "is refused without its %s",
    (key) => {
      const without = TEXT.split("\n")
        .filter((line) => !line.startsWith(`${key} `))
        .join("\n");
      expect(() => parseSchedule(without, "f")).toThrow(`the item "${key}" is missing`);
    },
  );
});
