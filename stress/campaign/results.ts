/**
 * Results of a campaign: what all parts together showed. They add up in any order to the same, so shards and workers
 * need not know of each other; the text form is a JSON file that `faultline stress merge` reads.
 */
import { UserError } from "../../emu/user-error.ts";
import type { Finding } from "./finding.ts";
import type { CampaignPlan, UnitPlan } from "./plan.ts";
import type { UnitResult } from "./unit.ts";

const FORMAT = "faultline stress results 2";

export class CampaignResults {
  readonly plan: CampaignPlan;
  readonly units: UnitResult[] = [];
  /** Parts that could not be run, and why. */
  readonly errors: string[] = [];
  /** Every run that was asked for was made. */
  complete = false;

  constructor(plan: CampaignPlan) {
    this.plan = plan;
  }

  get runs(): number {
    return this.units.reduce((sum, unit) => sum + unit.runs, 0);
  }

  get findings(): readonly Finding[] {
    return this.units.flatMap((unit) => unit.findings);
  }

  /** Reports that are no known defect of a published design. */
  get unexplained(): readonly Finding[] {
    return this.findings.filter((finding) => finding.known === null);
  }

  /** What was asked for as this unit, so far; null: nothing yet. */
  unitOf(plan: UnitPlan): UnitResult | null {
    return this.units.find((unit) => isSameUnit(unit, plan)) ?? null;
  }

  add(part: UnitResult): void {
    const unit = this.unitOf(part);
    if (unit === null) {
      this.units.push({
        ...part,
        findings: part.findings.map((finding) => ({ ...finding })),
        repeats: [],
      });
      this.#addRepeats(this.units.at(-1)!, part);
      return;
    }
    unit.runs += part.runs;
    unit.events += part.events;
    if (part.search !== undefined && part.search.schedules >= (unit.search?.schedules ?? 0))
      unit.search = part.search;
    for (const finding of part.findings) addFinding(unit.findings, finding);
    this.#addRepeats(unit, part);
  }

  /** In the order of the plan, so that the order of arrival does not show. */
  sort(): void {
    const place = (unit: UnitResult): number => this.plan.units.findIndex((each) => isSameUnit(each, unit));
    this.units.sort((a, b) => place(a) - place(b));
    for (const unit of this.units) unit.findings.sort((a, b) => a.firstRun - b.firstRun);
  }

  toText(): string {
    const { plan, complete, errors, units } = this;
    return `${JSON.stringify({ format: FORMAT, plan, complete, errors, units }, null, 1)}\n`;
  }

  /** A part that came before the one that made the signature known may arrive after it. */
  #addRepeats(unit: UnitResult, part: UnitResult): void {
    for (const { signature, count } of part.repeats) {
      const finding = unit.findings.find((each) => each.signature === signature);
      if (finding !== undefined) finding.count += count;
    }
  }
}

function isSameUnit(a: UnitPlan, b: UnitPlan): boolean {
  return a.scenario === b.scenario && a.machine === b.machine && a.design === b.design;
}

/** @throws UserError if it is no results file */
export function parseResults(text: string, file: string): CampaignResults {
  try {
    const read = JSON.parse(text) as {
      format: string;
      plan: CampaignPlan;
      complete: boolean;
      errors: string[];
      units: UnitResult[];
    };
    if (read?.format !== FORMAT) throw new Error(`its format is not "${FORMAT}"`);
    if (!isPlan(read.plan)) throw new Error("it does not say what was to be done");
    const results = new CampaignResults(read.plan);
    for (const unit of read.units) results.add(unit);
    results.complete = read.complete;
    results.errors.push(...read.errors);
    return results;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UserError(
      `is no results file: ${why}`,
      file,
      "give files that `faultline stress --output` wrote",
    );
  }
}

function isPlan(plan: Partial<CampaignPlan> | undefined): boolean {
  const { units, runs, shard, shards } = plan ?? {};
  return Array.isArray(units) && [runs, shard, shards].every((each) => Number.isSafeInteger(each));
}

/** Shards of one campaign. @throws UserError if they are not, or if one is there twice */
export function mergeResults(files: readonly { name: string; results: CampaignResults }[]): CampaignResults {
  const first = files[0]!;
  const shards = new Map<number, string>();
  const merged = new CampaignResults({ ...first.results.plan, shard: 0 });
  merged.complete = true;
  for (const { name, results } of files) {
    const { shard } = results.plan;
    if (JSON.stringify({ ...results.plan, shard: 0 }) !== JSON.stringify(merged.plan)) {
      throw new UserError(
        "is a part of another campaign",
        `${name} beside ${first.name}`,
        "merge shards that were started with the same options",
      );
    }
    const twice = shards.get(shard);
    if (twice !== undefined) {
      throw new UserError(`holds the same shard as ${twice}`, name, "give each shard once");
    }
    shards.set(shard, name);
    for (const unit of results.units) merged.add(unit);
    merged.errors.push(...results.errors);
    if (!results.complete) merged.complete = false;
  }
  if (shards.size < merged.plan.shards) merged.complete = false;
  merged.sort();
  return merged;
}

function addFinding(findings: Finding[], finding: Finding): void {
  const same = findings.find((each) => each.signature === finding.signature);
  if (same === undefined) {
    findings.push({ ...finding });
    return;
  }
  same.count += finding.count;
  if (finding.firstRun >= same.firstRun) return;
  // What is said is of the run that is kept.
  same.text = finding.text;
  same.firstRun = finding.firstRun;
  same.firstSeed = finding.firstSeed;
  same.schedule = finding.schedule;
}
