import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Replay } from "../../../emu/schedulers/index.ts";
import {
  type CampaignPlan,
  CampaignResults,
  mergeResults,
  parseResults,
  runCampaign,
  signatureOf,
  type UnitResult,
} from "../../../stress/campaign/index.ts";
import { firstFinding, planOf, unitOf } from "../support/findings.ts";

/** Built by tests/build.ts. */
const WORKER = fileURLToPath(new URL("../../../dist/bundle/stress-worker.js", import.meta.url));

const PLAN = planOf("cow-vs-discard", "spf-mm+C10", { runs: 400, shrink: "keep" });

interface Ways {
  readonly jobs?: number;
  readonly onPart?: (results: CampaignResults) => void;
  readonly stops?: (results: CampaignResults) => boolean;
}

function campaign(plan: CampaignPlan, { jobs = 0, onPart = () => {}, stops = () => false }: Ways = {}) {
  const worker = jobs === 0 ? null : WORKER;
  return runCampaign({ plan, jobs: Math.max(jobs, 1), worker, onPart, stops });
}

/** PLAN in this process, once for all tests. */
let whole: Promise<CampaignResults> | null = null;
function wholeCampaign(): Promise<CampaignResults> {
  whole ??= campaign(PLAN);
  return whole;
}

/** Without what a shard is. */
function content(results: CampaignResults): unknown {
  const { units, errors, complete } = results;
  return { units, errors, complete };
}

describe("a campaign", () => {
  it("finds the same with any number of workers", async () => {
    const here = await wholeCampaign();
    expect(here.runs).toBe(400);
    expect(here.findings.length).toBeGreaterThan(0);
    for (const jobs of [1, 2]) expect(content(await campaign(PLAN, { jobs }))).toEqual(content(here));
  });

  it("is cut by shards into the same runs: together they are the whole", async () => {
    const whole = await wholeCampaign();
    const shards = 3;
    const parts = [];
    for (let shard = 0; shard < shards; shard++) {
      const results = await campaign({ ...PLAN, shard, shards });
      parts.push({ name: `shard ${shard}`, results: parseResults(results.toText(), `shard ${shard}`) });
    }
    const counts = parts.map(({ results }) => results.runs);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    expect(content(mergeResults(parts.reverse()))).toEqual(content(whole));
  });

  it("measures k on more than one program, where the seed makes it", () => {
    const unit = unitOf(planOf("random", "classic"));
    const { steps } = unit.run({ first: 1, end: 1, stride: 1, known: [] });
    const [first, ...others] = [1, 2, 3, 4, 5, 6, 7, 8].map(
      (seed) => unit.world.run(new Replay({ segments: [], failures: [] }), { seed }).events,
    );
    expect(steps).toBe(Math.max(first!, ...others));
    expect(steps).toBeGreaterThan(first!);
  });

  it("stops when it is told to, and says that it is not complete", async () => {
    const results = await campaign(PLAN, { stops: ({ findings }) => findings.length > 0 });
    expect(results.findings.length).toBeGreaterThan(0);
    expect(results.complete).toBe(false);
    expect(results.runs).toBeLessThan(PLAN.runs);
  });

  it("loses nothing when a worker is killed", async () => {
    const whole = content(await wholeCampaign());
    let killed = 0;
    const results = await campaign(PLAN, {
      jobs: 2,
      onPart: () => {
        if (killed > 0) return;
        for (const pid of workersOf(process.pid)) {
          process.kill(pid, "SIGKILL");
          killed++;
        }
      },
    });
    expect(killed).toBeGreaterThan(0);
    expect(content(results)).toEqual(whole);
  });

  it("says what could not be run, and runs the rest", async () => {
    const units = [{ scenario: "fault-vs-munmap", machine: "x86-64", design: "no-such" }, ...PLAN.units];
    const results = await campaign({ ...PLAN, units, runs: 10 }, { jobs: 1 });
    expect(results.errors).toEqual([
      expect.stringMatching(/^fault-vs-munmap, x86-64, no-such: .*no such fault design/),
    ]);
    expect(results.runs).toBe(10);
    expect(results.complete).toBe(false);
  });
});

/** Worker processes of the campaign among a process's children. */
function workersOf(parent: number): number[] {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim().split(" ");
  return children
    .filter((pid) => pid !== "" && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("stress-worker"))
    .map(Number);
}

describe("results", () => {
  it("are a text that can be read again", async () => {
    const results = await campaign({ ...PLAN, runs: 250 });
    const again = parseResults(results.toText(), "f");
    expect(content(again)).toEqual(content(results));
    expect(again.toText()).toBe(results.toText());
  });

  it.each([
    ["nothing", ""],
    ["no JSON", "faultline"],
    ["null", "null"],
    ["another format", '{"format":"faultline stress results 1"}'],
    ["no plan", '{"format":"faultline stress results 2","complete":true,"errors":[],"units":[]}'],
    ["half a plan", '{"format":"faultline stress results 2","plan":{"units":[]},"errors":[],"units":[]}'],
    ["no units", '{"format":"faultline stress results 2","plan":{"units":[],"runs":1,"shard":0,"shards":1}}'],
  ])("are refused if they are none: %s", (_what, text) => {
    expect(() => parseResults(text, "f")).toThrow(/^f: is no results file: /);
  });

  it("say of a finding what its first run showed, in whatever order parts arrive", () => {
    const { signature, ...found } = firstFinding("two-copies", "spf-mm+no-pte-same");
    const unit = { scenario: "two-copies", machine: "x86-64-small", design: "spf-mm+no-pte-same" };
    const part = (firstRun: number, text: string): UnitResult => ({
      ...unit,
      runs: 1,
      events: 1,
      agents: 1,
      steps: 1,
      findings: [{ ...found, signature, count: 1, firstRun, text }],
      repeats: [],
    });
    for (const order of [
      [part(3, "early"), part(9, "late")],
      [part(9, "late"), part(3, "early")],
    ]) {
      const results = new CampaignResults(PLAN);
      for (const each of order) results.add(each);
      expect(results.findings).toMatchObject([{ count: 2, firstRun: 3, text: "early" }]);
    }
  });

  it("of another campaign, or of a shard that is there already, are not added", async () => {
    const shard = async (index: number, more: Partial<CampaignPlan> = {}) => ({
      name: `s${index}`,
      results: await campaign({ ...PLAN, runs: 4, shard: index, shards: 2, ...more }),
    });
    const one = await shard(1);
    const other = await shard(0, { seed: 2 });
    expect(() => mergeResults([one, other])).toThrow(/s0 beside s1: is a part of another campaign/);
    expect(() => mergeResults([one, { ...one, name: "again" }])).toThrow(/again: holds the same shard as s1/);
    expect(mergeResults([one]).complete).toBe(false);
    expect(mergeResults([one, await shard(0)]).complete).toBe(true);
  });
});

describe("shrinking", () => {
  const CASES = [
    ["two-copies", "spf-mm+no-pte-same"],
    ["cow-vs-cow-flush", "spf-mm+A07"],
    ["fault-vs-stack-growth", "spf-mm+A17"],
  ] as const;

  it.each(CASES)(
    "keeps the signature, needs fewer switches, and replays exactly: %s, %s",
    (scenario, design) => {
      const kept = firstFinding(scenario, design, { shrink: "keep" });
      const shrunk = firstFinding(scenario, design);
      expect(shrunk.signature).toBe(kept.signature);
      expect(shrunk.firstRun).toBe(kept.firstRun);
      const [long, short] = [kept, shrunk].map(({ schedule }) => schedule.decisions.segments.length);
      expect(short!).toBeLessThan(long!);
      const { world } = unitOf(planOf(scenario, design));
      for (const { schedule } of [kept, shrunk, shrunk]) {
        const { seed, absent, decisions, trace, signature } = schedule;
        const result = world.run(new Replay(decisions), { seed, absent });
        expect(result.traceHash).toBe(trace);
        expect(signatureOf(result.judgement!)).toBe(signature);
        expect(result.recorded).toEqual(decisions);
      }
    },
  );

  it("leaves out a thread that has no part in it", () => {
    // Three threads; the deadlock is between two.
    const { schedule } = firstFinding("cow-vs-cow-flush", "spf-mm+A07");
    expect(schedule.absent).toHaveLength(1);
  });
});
