import { describe, expect, it } from "vitest";
import { Replay } from "../../../emu/schedulers/index.ts";
import { modelByName, type Schedule } from "../../../stress/campaign/index.ts";
import { findScenario, readScenario } from "../../../stress/scenarios/index.ts";
import { chromeTrace, StoryRecorder, storyLines } from "../../../stress/story/index.ts";
import { type RunResult, World } from "../../../stress/world/index.ts";
import { firstSchedule, planOf, unitOf } from "../support/findings.ts";
import { traceFaults } from "./trace-format.ts";

interface Told {
  readonly recorder: StoryRecorder;
  readonly result: RunResult;
  readonly cores: number;
}

function replay(schedule: Schedule): Told {
  const model = modelByName(schedule.machine);
  const scenario = findScenario(schedule.scenario);
  let recorder: StoryRecorder | undefined;
  const world = new World({
    model,
    scenario,
    image: readScenario(model.arch, scenario),
    design: schedule.design,
    tlb: schedule.tlb,
    watch: (machine) => (recorder = new StoryRecorder(machine)),
  });
  recorder!.attach(world.program);
  const { seed, absent, decisions } = schedule;
  const result = world.run(new Replay(decisions), { seed, absent });
  recorder!.finish();
  return { recorder: recorder!, result, cores: scenario.cores };
}

function story(told: Told, columns: number, maxLines = 40): string[] {
  return storyLines(told.recorder, { maxLines, columns, judgement: told.result.judgement });
}

/** What must be seen in the story of a race, in this order: the columns are cores. */
const RACES: readonly {
  readonly scenario: string;
  readonly design: string;
  readonly machine?: string;
  readonly seen: readonly RegExp[];
  readonly unseen?: RegExp;
}[] = [
  {
    // Growth under the read lock, while the other copies the VMA.
    scenario: "fault-vs-stack-growth",
    design: "spf-mm+A17",
    seen: [
      /write fault at 0x4012a000/,
      /mmap_lock for reading \[mmap:r\]/,
      /vm_start of \w+: 4012c000 -> 4012a000 \[mmap:r/,
      />2 /,
    ],
  },
  {
    // The lock is waited for with interrupts off while its holder waits for our answer.
    scenario: "cow-vs-cow-flush",
    design: "spf-mm+A07",
    seen: [
      /clearAndFlush: flush 4000\d000 \[mn:r ptl\]/,
      /sends call-function IPI to core \d/,
      /waits for ptl@\w+ \[(mn:r )?irqoff\]/,
      />2 /,
    ],
  },
  {
    scenario: "two-discards",
    design: "spf-mm+C04",
    seen: [
      /tlb_flush_pending: 0 -> 1/,
      />1 .*zapTable: pte 40000000: #\w+ rw D -> none/,
      /tlb_flush_pending: 1 -> 2/,
      />2 .*madvise = 0/,
    ],
  },
  {
    scenario: "load-vs-free-tables",
    design: "spf-mm+early-ack",
    seen: [
      /munmap: mmap_seq: \d+ -> \d+ \[mmap:w\]/,
      />1 .*zapTable: pte 40000000/,
      /flush 40000000-40002000, tables/,
      /sends call-function IPI to core 0/,
      /accepts call-function IPI from core 1/,
      />2 .*frees frame/,
    ],
  },
  {
    scenario: "fault-vs-reused-vma",
    design: "spf-mm+A14",
    seen: [/write fault at/, />1 .*frees vm_area_struct (\w+)/, />2 .*attempt: reads FREED vm_area_struct/],
  },
  {
    // The end of the section that took the mapping away, and the entry that is set all the same.
    scenario: "fault-vs-munmap",
    design: "spf-mm+A01",
    seen: [
      /seq1: reads mmap_seq: 16/,
      /mmap_seq: 16 -> 17/,
      />1 .*mmap_lock: reader leaves/,
      />2 .*pte 40001000: none -> #/,
    ],
  },
  {
    // Frames are hexadecimal wherever they are named.
    scenario: "fork-vs-stores",
    design: "spf-mm+A21",
    seen: [/pte 40000000: #2a7 rw D -> #2a7 ro D/, />1 .*stores 0x400000\w+ #2a7, STALE/, />2 /],
  },
  {
    scenario: "load-vs-discard",
    design: "spf-mm+C14-ishst",
    machine: "aarch64-small",
    seen: [
      />1 .*pte 40000000/,
      /TLBI VALE1IS 0x40000000$/,
      /from core \d/,
      /DSB ISH done/,
      />2 .*frees frame/,
    ],
    unseen: /DSB ISHST/,
  },
  {
    scenario: "load-vs-discard",
    design: "spf-mm+C14-ish",
    machine: "aarch64-small",
    seen: [/>1 .*pte 40000000/, /DSB ISHST/, /TLBI VALE1IS 0x40000000$/, />2 .*frees frame/],
    unseen: /DSB ISH\b/,
  },
  {
    scenario: "load-vs-discard",
    design: "spf-mm+C14-local",
    machine: "aarch64-small",
    seen: [/>1 .*pte 40000000/, /DSB ISHST/, /TLBI VALE1 0x40000000$/, /DSB ISH\b/, />2 .*frees frame/],
    unseen: /VALE1IS/,
  },
];

describe("the story of a race", () => {
  it.each(RACES)(
    "shows it: $scenario under $design",
    ({ scenario, design, machine = "x86-64", seen, unseen }) => {
      const told = replay(firstSchedule(scenario, design, { units: [{ scenario, machine, design }] }));
      const lines = story(told, 130);
      if (unseen !== undefined) expect(lines.filter((line) => unseen.test(line))).toEqual([]);
      expect(lines.length).toBeLessThanOrEqual(40);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(130);
      let at = -1;
      for (const what of seen) {
        const found = lines.findIndex((line, index) => index > at && what.test(line));
        expect(found, `${what} after line ${at} of\n${lines.join("\n")}`).toBeGreaterThan(at);
        at = found;
      }
      // The violation is the end.
      expect(lines.filter((line) => !line.endsWith("--full tells them")).at(-1)).toMatch(/^ *\d+ >2 /);
    },
  );

  it("tells of the whole run what shows at its end only", () => {
    const unit = unitOf(planOf("fault-without-table", "spf-mm+A10"));
    const { findings } = unit.run({ first: 1, end: 400, stride: 1, known: [] });
    const { schedule } = findings.find(({ invariant }) => invariant === "I13")!;
    const lines = story(replay(schedule), 130);
    expect(lines.length).toBeLessThanOrEqual(40);
    const [links, unmaps, ends] = [/links table #/, /frees table #/, />2 .*end of the run/].map((what) =>
      lines.findIndex((line) => what.test(line)),
    );
    expect(links).toBeGreaterThan(0);
    expect(unmaps).toBeGreaterThan(0);
    expect(ends).toBeGreaterThan(Math.max(links!, unmaps!));
  });

  it("calls the words of an architecture as its kernel does", () => {
    const [scenario, design] = ["load-vs-discard", "spf-mm+C14-ish"];
    const machine = "aarch64-small";
    const told = replay(firstSchedule(scenario, design, { units: [{ scenario, machine, design }] }));
    const lines = story(told, 130, Number.POSITIVE_INFINITY);
    expect(lines.filter((line) => /reads context\.id: 10001\b/.test(line))).toHaveLength(1);
    expect(lines.filter((line) => line.includes("tlb_gen"))).toEqual([]);
  });

  it("marks the events at the core and time of the violation's sites", () => {
    const told = replay(firstSchedule("two-discards", "spf-mm+C04"));
    const { earlier, later } = told.result.judgement!;
    const lines = story(told, 130);
    const marked = lines.filter((line) => / >[12] /.test(line));
    expect(marked.map((line) => Number.parseInt(line, 10))).toEqual([earlier!.time, later.time]);
    for (const [line, site] of [
      [marked[0]!, earlier!],
      [marked[1]!, later],
    ] as const) {
      const column = lines[0]!.indexOf(`core ${site.core}`);
      expect(line.slice(column, column + 4).trim()).not.toBe("");
    }
  });

  it("holds what is told, whatever the width: columns, or one for all cores", () => {
    const told = replay(firstSchedule("two-discards", "spf-mm+C04"));
    const wide = story(told, 130);
    const narrow = story(told, 80);
    expect(wide[0]).toMatch(/^cycles +core 0 +\| core 1$/);
    expect(narrow[0]).toBe("cycles    core");
    expect(narrow).toHaveLength(wide.length);
    for (const line of narrow) expect(line.length).toBeLessThanOrEqual(80);
    expect(narrow.at(1)).toMatch(/^\d+ {4}c0 {2}madvise\(/);
  });

  it("has no more lines than asked for, and keeps the two events", () => {
    const told = replay(firstSchedule("two-discards", "spf-mm+C04"));
    for (const maxLines of [4, 7, 12]) {
      const lines = story(told, 130, maxLines);
      expect(lines.length).toBeLessThanOrEqual(maxLines);
      expect(lines.filter((line) => / >[12] /.test(line))).toHaveLength(2);
    }
  });

  it("tells every event if asked to", () => {
    const told = replay(firstSchedule("two-discards", "spf-mm+C04"));
    const all = story(told, 130, Number.POSITIVE_INFINITY);
    expect(all.length).toBeGreaterThan(story(told, 130).length);
    expect(all.join("\n")).not.toContain("left out");
  });

  it("names functions as the source does", () => {
    const { recorder } = replay(firstSchedule("load-vs-free-tables", "spf-mm+early-ack"));
    const names = new Set(recorder.events.map(({ where }) => where).filter((name) => name !== ""));
    expect(names).toContain("zapTable");
    expect(names).toContain("flushTlbFunc");
    for (const name of names) expect(name).toMatch(/^[A-Za-z_]\w*$/);
  });
});

describe("recording", () => {
  it("changes nothing: the same trace with and without", () => {
    for (const [scenario, design] of [
      ["load-vs-free-tables", "spf-mm+early-ack"],
      ["two-copies", "spf-mm+no-pte-same"],
    ] as const) {
      const schedule = firstSchedule(scenario, design);
      expect(replay(schedule).result.traceHash).toBe(schedule.trace);
    }
  });
});

describe("the Chrome trace of a run", () => {
  const RUNS = [
    ["load-vs-free-tables", "spf-mm+early-ack"],
    ["cow-vs-cow-flush", "spf-mm+A07"],
    // A task sleeps, another has its turn on the core.
    ["lazy-vs-free-tables", "spf-mm+C09"],
  ] as const;

  it.each(RUNS)("can be opened: %s under %s", (scenario, design) => {
    const told = replay(firstSchedule(scenario, design));
    const trace = chromeTrace(told.recorder.events, {
      name: scenario,
      cores: told.cores,
      cyclesPerSecond: 3e9,
    });
    expect(traceFaults(JSON.stringify(trace))).toEqual([]);
    const kinds = new Set(trace.traceEvents.map(({ ph }) => ph));
    expect([...kinds]).toEqual(expect.arrayContaining(["M", "B", "E", "i"]));
  });

  it("has the interprocessor interrupt as a flow from the flush to its handler", () => {
    const told = replay(firstSchedule("load-vs-free-tables", "spf-mm+early-ack"));
    const { traceEvents } = chromeTrace(told.recorder.events, { name: "x", cores: 2, cyclesPerSecond: 3e9 });
    const start = traceEvents.find(({ ph }) => ph === "s")!;
    const end = traceEvents.find(({ ph, id }) => ph === "f" && id === start.id)!;
    expect([start.tid, end.tid]).toEqual([1, 0]);
    expect(end.ts).toBeGreaterThan(start.ts);
    const sent = told.recorder.events.find(({ kind }) => kind === "ipi")!;
    expect(start.ts).toBeCloseTo(sent.time / 3000, 6);
    const slices = traceEvents.filter(
      ({ ph, name, tid }) => ph === "B" && tid === 1 && name.startsWith("flush"),
    );
    expect(slices).toHaveLength(1);
    expect(slices[0]!.ts).toBeLessThanOrEqual(start.ts);
  });

  it("has a broadcast as flows to the cores that carry it out, but for those whose clocks are behind", () => {
    const moment = {
      weight: 2,
      phase: "moment",
      span: 0,
      kind: "invalidate",
      where: "",
      pid: 1,
      locks: "",
    } as const;
    const tlbi = { ...moment, what: "TLBI VALE1IS 0x1000", flow: 1, page: 1, frame: -1 };
    const events = [
      { ...tlbi, core: 1, time: 30, peer: -1 },
      { ...tlbi, core: 0, time: 40, peer: 1 },
      { ...tlbi, core: 2, time: 20, peer: 1 },
    ];
    const trace = chromeTrace(events, { name: "x", cores: 3, cyclesPerSecond: 1e6 });
    expect(traceFaults(JSON.stringify(trace))).toEqual([]);
    const flows = trace.traceEvents.filter(({ ph }) => ph === "s" || ph === "f");
    expect(flows.map(({ ph, tid, ts, cat }) => [ph, tid, ts, cat])).toEqual([
      ["s", 1, 30, "broadcast"],
      ["f", 0, 40, "broadcast"],
    ]);
    expect(flows[0]!.id).toBe(flows[1]!.id);
    expect(trace.traceEvents.filter(({ ph, dur }) => ph === "X" && dur === 0)).toHaveLength(3);
  });

  it("is refused by the validator when it is damaged", () => {
    const told = replay(firstSchedule("load-vs-free-tables", "spf-mm+early-ack"));
    const trace = chromeTrace(told.recorder.events, { name: "x", cores: 2, cyclesPerSecond: 3e9 });
    const damaged = (change: (events: Record<string, unknown>[]) => void): string[] => {
      const copy = structuredClone(trace.traceEvents) as unknown as Record<string, unknown>[];
      change(copy);
      return traceFaults(JSON.stringify({ ...trace, traceEvents: copy }));
    };
    const indexOf = (events: Record<string, unknown>[], ph: string): number =>
      events.findIndex((event) => event["ph"] === ph);
    expect(damaged((events) => events.splice(indexOf(events, "E"), 1))).not.toEqual([]);
    expect(damaged((events) => events.splice(indexOf(events, "B"), 1))).not.toEqual([]);
    expect(damaged((events) => events.splice(indexOf(events, "s"), 1))).not.toEqual([]);
    expect(damaged((events) => events.reverse())).not.toEqual([]);
  });
});
