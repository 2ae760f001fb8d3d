/**
 * A unit of a campaign: one scenario under one design, run by number. What run n does follows from the campaign's seed
 * and n alone, so runs can be dealt out to workers and shards in any way.
 */
import {
  AGENTS_PER_CORE,
  type Choices,
  Pct,
  pctBound,
  RandomNumbers,
  RandomWalk,
  Replay,
  ROLE_INTERRUPT,
  type Strategy,
} from "../../emu/schedulers/index.ts";
import { UserError } from "../../emu/user-error.ts";
import { ExhaustiveSearch, type SearchState } from "../exhaustive/index.ts";
import { type RunResult, World, type WorldOptions } from "../world/world.ts";
import { type Finding, signatureOf } from "./finding.ts";
import { knownDefect } from "./known.ts";
import type { Schedule } from "./schedule-file.ts";
import { shrink } from "./shrink.ts";

export type SchedulerName = "random" | "pct" | "exhaustive";

export interface UnitOptions extends WorldOptions {
  readonly scheduler: SchedulerName;
  /** Depth of pct. */
  readonly depth: number;
  /** Bounds of exhaustive: preemptions, and failing allocations, in one schedule. */
  readonly preemptions?: number | undefined;
  readonly failures?: 0 | 1 | undefined;
  /** Of the campaign. */
  readonly seed: number;
  readonly shrink: "shrink" | "keep";
}

/** Bounds of exhaustive unless something else is said. */
export const DEFAULT_PREEMPTIONS = 2;
const DEFAULT_FAILURES = 0;

/** What some runs of a unit showed. */
export interface UnitResult {
  readonly scenario: string;
  readonly machine: string;
  readonly design: string;
  runs: number;
  events: number;
  /** Agents, and events of a run under the simplest schedule: n and k of pct's bound. */
  readonly agents: number;
  readonly steps: number;
  /** By signature. */
  readonly findings: Finding[];
  /** More of what was known before. */
  readonly repeats: { readonly signature: string; count: number }[];
  /** Exhaustive: how far the search has come. */
  search?: SearchState;
}

/** Runs first, first + stride, … below end. */
export interface UnitPart {
  readonly first: number;
  readonly end: number;
  readonly stride: number;
  readonly known: readonly string[];
}

export class Unit {
  readonly world: World;
  readonly #options: UnitOptions;
  readonly #search: ExhaustiveSearch | null;
  readonly #measured: Measured;

  /** @throws UserError if the scenario cannot be started */
  constructor(options: UnitOptions) {
    this.#options = options;
    this.#search = options.scheduler === "exhaustive" ? newSearch(options) : null;
    this.world = this.#search?.world ?? new World(options);
    this.#measured = measure(this.world);
  }

  /** Probability that one run finds a bug of this depth, at least; null: the scheduler promises nothing. */
  get bound(): number | null {
    const { scheduler, depth } = this.#options;
    const { agents, steps } = this.#measured;
    return scheduler === "pct" ? pctBound(agents, steps, depth) : null;
  }

  /** The seed of run n: what it decides and what scenario_seed is. */
  seedOf(run: number): number {
    return new RandomNumbers((this.#options.seed * 0x1_0001 + run) | 0).below(0x7fff_ffff) + 1;
  }

  /** Runs the part; a violation whose signature is known is counted and needs no schedule. */
  run({ first, end, stride, known }: UnitPart): UnitResult {
    const { scenario, model, design } = this.#options;
    const result: UnitResult = {
      scenario: scenario.name,
      machine: model.name,
      design,
      runs: 0,
      events: 0,
      agents: this.#measured.agents,
      steps: this.#measured.steps,
      findings: [],
      repeats: [],
    };
    if (this.#search !== null) return this.#runSearch(this.#search, result, { first, end, stride, known });
    for (let run = first; run < end; run += stride) {
      const seed = this.seedOf(run);
      const ended = this.world.run(this.#strategy(seed), { seed, record: "findings" });
      result.runs++;
      result.events += ended.events;
      if (ended.judgement !== null) this.#note(result, known, run, seed, ended);
    }
    return result;
  }

  /** The next schedules of the search, wherever it is; all have the campaign's seed. */
  #runSearch(search: ExhaustiveSearch, result: UnitResult, { first, end, known }: UnitPart): UnitResult {
    const { seed } = this.#options;
    for (let run = first; run < end; run++) {
      const ended = search.next();
      if (ended === null) break;
      result.runs++;
      result.events += ended.events;
      if (ended.judgement !== null) this.#note(result, known, run, seed, ended);
    }
    result.search = search.state;
    return result;
  }

  #strategy(seed: number): Strategy {
    const { scheduler, depth } = this.#options;
    if (scheduler === "random") return new RandomWalk(seed);
    return new Pct({ seed, depth, steps: this.#measured.steps, cores: this.world.machine.cores.length });
  }

  #note(result: UnitResult, known: readonly string[], run: number, seed: number, ended: RunResult): void {
    const judgement = ended.judgement!;
    const signature = signatureOf(judgement);
    const same =
      result.findings.find((finding) => finding.signature === signature) ??
      result.repeats.find((repeat) => repeat.signature === signature);
    if (same !== undefined) {
      same.count++;
      return;
    }
    if (known.includes(signature)) {
      result.repeats.push({ signature, count: 1 });
      return;
    }
    const { design, scheduler, depth, preemptions = DEFAULT_PREEMPTIONS } = this.#options;
    const bounds = { random: "", pct: ` depth ${depth}`, exhaustive: ` to ${preemptions} preemptions` };
    const how = `${scheduler}${bounds[scheduler]}`;
    result.findings.push({
      signature,
      invariant: judgement.invariant,
      text: judgement.text,
      count: 1,
      firstRun: run,
      firstSeed: seed,
      schedule: this.#schedule(seed, ended, `${how}, run ${run} of seed ${this.#options.seed}`),
      known: knownDefect(design, signature),
    });
  }

  #schedule(seed: number, ended: RunResult, found: string): Schedule {
    const { scenario, design, model, tlb, assertionsOff = [] } = this.#options;
    let best = ended;
    let absent: readonly number[] = [];
    if (this.#options.shrink === "shrink") {
      const shrunk = shrink(this.world, seed, ended);
      best = shrunk.result;
      absent = shrunk.absent;
    }
    return {
      scenario: scenario.name,
      machine: model.name,
      design,
      tlb,
      seed,
      assertionsOff,
      found,
      invariant: ended.judgement!.invariant,
      signature: signatureOf(ended.judgement!),
      trace: best.traceHash,
      absent,
      decisions: best.recorded,
    };
  }
}

/** Seeds whose runs are measured. */
const MEASURED_SEEDS = 8;

/** n and k of pct's bound: of runs in which everybody goes on as long as possible, the most agents and the most events. */
interface Measured {
  readonly agents: number;
  readonly steps: number;
}

function measure(world: World): Measured {
  let [agents, steps] = [0, 0];
  for (let seed = 1; seed <= MEASURED_SEEDS; seed++) {
    const strategy = new CountedReplay();
    const { events } = world.run(strategy, { seed });
    agents = Math.max(agents, world.machine.cores.length * ROLE_INTERRUPT + strategy.passing);
    steps = Math.max(steps, events);
  }
  return { agents, steps };
}

/** The simplest schedule. Beside cores and MMUs each interrupt, timer and broadcast is an agent, which takes one turn. */
class CountedReplay extends Replay {
  passing = 0;

  constructor() {
    super({ segments: [], failures: [] });
  }

  override choose(choices: Choices): number {
    const agent = super.choose(choices);
    if (agent % AGENTS_PER_CORE >= ROLE_INTERRUPT) this.passing++;
    return agent;
  }
}

/** @throws UserError if the scenario cannot be started, or the search would not cover what happens */
function newSearch(options: UnitOptions): ExhaustiveSearch {
  const { preemptions = DEFAULT_PREEMPTIONS, failures = DEFAULT_FAILURES } = options;
  if (options.tlb === "adversarial") {
    throw new UserError(
      "does not go with the scheduler exhaustive, which takes TLB content as given",
      "--tlb adversarial",
      "take the scheduler random or pct",
    );
  }
  return new ExhaustiveSearch({ ...options, preemptions, failures, reduction: "bounded" });
}
