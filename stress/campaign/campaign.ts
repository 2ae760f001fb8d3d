/**
 * A campaign on worker processes. Parts are handed out in the order of their run numbers and their results are added up
 * as they come; a worker that dies costs the part that it was at, which another one runs once more.
 */
import { type ChildProcess, fork } from "node:child_process";
import type { CampaignPlan } from "./plan.ts";
import { openUnit } from "./plan.ts";
import { CampaignResults } from "./results.ts";
import type { UnitPart } from "./unit.ts";
import type { Answer, Order } from "./worker.ts";

export interface CampaignOptions {
  readonly plan: CampaignPlan;
  readonly jobs: number;
  /** The worker's program (stress/campaign/worker.ts, built); null: everything in this process. */
  readonly worker: string | null;
  /** A part has been added. */
  onPart(results: CampaignResults): void;
  /** Looked at before each part; true: hand out no more. */
  stops(results: CampaignResults): boolean;
}

/** Runs of a part. */
const PART_RUNS = 250;

interface Part extends UnitPart {
  readonly unit: number;
  readonly tries: number;
}

/** Runs it to its end, or until it is stopped; what was done by then is in the results. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResults> {
  const campaign = new Campaign(options);
  await campaign.run();
  return campaign.results;
}

class Campaign {
  readonly results: CampaignResults;
  readonly #options: CampaignOptions;
  readonly #queue: Part[] = [];
  #lost = 0;
  /** A search was told to stop. */
  #isCut = false;

  constructor(options: CampaignOptions) {
    this.#options = options;
    this.results = new CampaignResults(options.plan);
    const { units, runs, shard, shards, scheduler } = options.plan;
    const span = PART_RUNS * shards;
    units.forEach((_, unit) => {
      if (scheduler === "exhaustive") {
        // A search is one process's: a shard has whole units, and only their first parts are handed out.
        if (unit % shards !== shard) return;
        this.#queue.push({ unit, first: 1, end: partEnd(1, runs), stride: 1, known: [], tries: 0 });
        return;
      }
      for (let first = 1; first <= runs; first += span) {
        // The shard's own numbers of first … first + span - 1.
        const own = first + ((((shard - first) % shards) + shards) % shards);
        const end = Math.min(first + span, runs + 1);
        if (own < end) this.#queue.push({ unit, first: own, end, stride: shards, known: [], tries: 0 });
      }
    });
    this.#queue.reverse();
  }

  async run(): Promise<void> {
    const { worker, jobs } = this.#options;
    if (worker === null) await this.#runHere();
    else await Promise.all(Array.from({ length: jobs }, () => this.#work(worker)));
    const isWhole = this.#queue.length === 0 && this.#lost === 0 && !this.#isCut;
    this.results.complete = isWhole && this.results.errors.length === 0;
    this.results.sort();
  }

  /** @param after the part that this worker did last: a search goes on where it is */
  #next(after: Part | null = null): Part | null {
    const rest = after === null ? null : this.#restOf(after);
    if ((rest === null && this.#queue.length === 0) || this.#options.stops(this.results)) {
      if (rest !== null) this.#isCut = true;
      return null;
    }
    const part = rest ?? this.#queue.pop()!;
    // Once more is the same again: what was found meanwhile comes later in the campaign.
    if (part.tries > 0) return part;
    const unit = this.#options.plan.units[part.unit]!;
    const known = this.results.unitOf(unit)?.findings.map((finding) => finding.signature) ?? [];
    return { ...part, known };
  }

  /** What follows a part of a search; null: it is complete, has had its runs, or failed. */
  #restOf({ unit, end, tries }: Part): Part | null {
    const { units, runs, scheduler } = this.#options.plan;
    if (scheduler !== "exhaustive" || end > runs) return null;
    const result = this.results.unitOf(units[unit]!);
    if (result?.search === undefined || result.search.isComplete || result.runs < end - 1) return null;
    return { unit, first: end, end: partEnd(end, runs), stride: 1, known: [], tries };
  }

  /** Without workers: the caller's process is busy, but is asked between parts. */
  async #runHere(): Promise<void> {
    const { plan } = this.#options;
    let open = -1;
    let unit = null;
    for (let part = this.#next(); part !== null; part = this.#next(part)) {
      if (open !== part.unit) unit = openUnit(plan, plan.units[part.unit]!);
      open = part.unit;
      this.results.add(unit!.run(part));
      this.#options.onPart(this.results);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #work(program: string): Promise<void> {
    let child: ChildProcess | null = null;
    try {
      for (let part = this.#next(); part !== null; part = this.#next(part)) {
        if (child === null || !child.connected)
          child = fork(program, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
        const answer = await ask(child, { plan: this.#options.plan, ...part });
        if (answer === null) this.#died(part);
        else if ("error" in answer) this.#failed(part, answer.error);
        else this.results.add(answer.result);
        this.#options.onPart(this.results);
      }
    } catch (error) {
      // Results that cannot be written, say: the other workers have nothing more to do either.
      this.#queue.length = 0;
      this.#isCut = true;
      throw error;
    } finally {
      if (child?.connected === true) child.disconnect();
    }
  }

  /** Its worker died: once more, unless that has been tried; a search died with it. */
  #died(part: Part): void {
    const isLost = this.#options.plan.scheduler === "exhaustive" && part.first > 1;
    if (part.tries === 0 && !isLost) {
      this.#queue.push({ ...part, tries: 1 });
      return;
    }
    this.#lost++;
    const times = isLost ? "" : " twice";
    this.results.errors.push(
      `${this.#name(part)}: the worker died${times} in runs ${part.first} to ${part.end - 1}`,
    );
  }

  #name(part: Part): string {
    const { scenario, machine, design } = this.#options.plan.units[part.unit]!;
    return `${scenario}, ${machine}, ${design}`;
  }

  /** The unit cannot be run at all: its other parts cannot either. */
  #failed(part: Part, text: string): void {
    this.results.errors.push(`${this.#name(part)}: ${text}`);
    for (let at = this.#queue.length - 1; at >= 0; at--) {
      if (this.#queue[at]!.unit === part.unit) this.#queue.splice(at, 1);
    }
  }
}

/** Exclusive end of the part of a search that begins with a run. */
function partEnd(first: number, runs: number): number {
  return Math.min(first + PART_RUNS, runs + 1);
}

/** null: the worker died. */
function ask(child: ChildProcess, order: Order): Promise<Answer | null> {
  return new Promise((resolve) => {
    const died = (): void => {
      child.off("message", answered);
      child.off("exit", died);
      resolve(null);
    };
    const answered = (answer: unknown): void => {
      child.off("exit", died);
      resolve(answer as Answer);
    };
    child.once("exit", died);
    child.once("message", answered);
    // It may have died since the last answer.
    child.send(order, (error) => {
      if (error !== null) died();
    });
  });
}
