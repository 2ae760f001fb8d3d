/** Speed of exploration with the whole oracle on, what its parts cost, and replays under load. */
import { type ChildProcess, spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { MACHINE_MODELS } from "../../emu/machines/index.ts";
import { Replay } from "../../emu/schedulers/index.ts";
import { listDesigns } from "../../kernel/index.ts";
import { Unit, type UnitOptions } from "../../stress/campaign/index.ts";
import { ExhaustiveSearch } from "../../stress/exhaustive/index.ts";
import {
  findScenario,
  readScenario,
  type Scenario,
  scenarioMachine,
  scenarios,
} from "../../stress/scenarios/index.ts";
import { ORACLE_PARTS, World } from "../../stress/world/index.ts";
import { LOAD } from "./host-load.ts";
import type { Measurement } from "./row.ts";

const SAMPLES = 5;
/** Two threads, about 100 points when nobody comes in between. */
const SMALL = "two-faults";
const DESIGN = "spf-mm";
const WARM_UP_RUNS = 3000;
const RUNS = 4000;
const REPLAYS = 100;

function optionsOf(name: string, withoutParts: readonly string[]): UnitOptions {
  const scenario = findScenario(name);
  const model = MACHINE_MODELS.find((each) => each.name === scenarioMachine("x86-64", scenario))!;
  return {
    model,
    scenario,
    image: readScenario(model.arch, scenario),
    design: DESIGN,
    tlb: "typical",
    withoutParts,
    scheduler: "pct",
    depth: 3,
    seed: 1,
    shrink: "keep",
  };
}

/** Schedules and events per second of one worker. */
function explore(withoutParts: readonly string[]): { schedules: number; events: number } {
  const unit = new Unit(optionsOf(SMALL, withoutParts));
  unit.run({ first: 1, end: WARM_UP_RUNS, stride: 1, known: [] });
  const from = process.hrtime.bigint();
  const result = unit.run({ first: WARM_UP_RUNS, end: WARM_UP_RUNS + RUNS, stride: 1, known: [] });
  const seconds = Number(process.hrtime.bigint() - from) / 1e9;
  if (result.findings.length > 0) throw new Error(`${SMALL}: ${result.findings[0]!.signature}`);
  return { schedules: result.runs / seconds, events: result.events / seconds };
}

function schedules(name: string, without: readonly string[], what: string): Measurement {
  const whole = without.length === 0;
  return {
    name,
    what,
    unit: "/s",
    asked: whole ? 5000 : null,
    goal: whole ? 20_000 : null,
    better: "more",
    samples: whole ? SAMPLES : 3,
    sample: () => explore(without).schedules,
  };
}

/** One finding, replayed while other processes come and go: the number of different traces. */
const replays: Measurement = {
  name: "stress-replays",
  what: `different traces of one finding in ${REPLAYS} replays under random host load`,
  unit: "",
  asked: 1,
  goal: null,
  better: "less",
  samples: 1,
  sample: () => {
    const load: ChildProcess[] = Array.from({ length: 2 * availableParallelism() }, () =>
      spawn(process.execPath, ["-e", LOAD], { stdio: "ignore" }),
    );
    try {
      const options = { ...optionsOf("two-copies", []), design: `${DESIGN}+no-pte-same` };
      const { findings } = new Unit(options).run({ first: 1, end: 500, stride: 1, known: [] });
      const { seed, decisions, trace } = findings[0]!.schedule;
      const world = new World(options);
      const traces = new Set([trace]);
      for (let run = 0; run < REPLAYS; run++)
        traces.add(world.run(new Replay(decisions), { seed }).traceHash);
      return traces.size;
    } finally {
      for (const child of load) child.kill();
    }
  },
};

/** Schedules of a scenario to 2 preemptions, all of them; the slowest scenario of two threads and design count. */
const exhaustive: Measurement = {
  name: "stress-exhaustive",
  what: "exhaustive to 2 preemptions, the slowest scenario of two threads under either design, whole oracle",
  unit: "s",
  asked: 60,
  goal: null,
  better: "less",
  samples: 1,
  sample: () =>
    Math.max(
      ...scenarios()
        .filter(({ tasks }) => tasks === 2)
        .flatMap((scenario) => listDesigns().map(({ name }) => searchSeconds(scenario, name))),
    ),
};

function searchSeconds({ name }: Scenario, design: string): number {
  const from = process.hrtime.bigint();
  const options = {
    ...optionsOf(name, []),
    design,
    preemptions: 2,
    failures: 0,
    reduction: "bounded",
  } as const;
  const search = new ExhaustiveSearch(options);
  for (let result = search.next(); result !== null; result = search.next()) {
    if (result.judgement !== null) throw new Error(`${name}: ${result.judgement.text}`);
  }
  return Number(process.hrtime.bigint() - from) / 1e9;
}

export const STRESS: readonly Measurement[] = [
  schedules("stress-schedules", [], `schedules of ${SMALL} (two threads), whole oracle, one worker`),
  {
    name: "stress-events",
    what: "scheduling points of these, whole oracle",
    unit: "/s",
    asked: 1_000_000,
    goal: null,
    better: "more",
    samples: SAMPLES,
    sample: () => explore([]).events,
  },
  schedules("stress-bare", ORACLE_PARTS, "the same schedules with ledger, may-sets and assertions alone"),
  ...ORACLE_PARTS.map((part) =>
    schedules(`stress-without-${part}`, [part], `the same schedules without the part "${part}"`),
  ),
  replays,
  exhaustive,
];
