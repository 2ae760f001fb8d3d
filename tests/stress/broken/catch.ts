/**
 * Whether a broken variant of the kernel is caught by what the catalogue says that it violates. Runs of its scenarios
 * under pct until one of the named invariants is reported; a kernel assertion that comes first is switched off, so that
 * what it hides shows.
 */

import { type BrokenVariant, listDesigns } from "../../../kernel/index.ts";

import {
  type CampaignPlan,
  type Finding,
  openUnit,
  type Schedule,
  type Unit,
} from "../../../stress/campaign/index.ts";
import {
  SCENARIO_ARCHITECTURES,
  type Scenario,
  scenarioMachine,
  scenarios,
} from "../../../stress/scenarios/index.ts";

export interface Catch {
  readonly variant: string;
  readonly arch: string;
  readonly design: string;
  readonly scenario: string;
  /** The invariant that was reported; null: nothing that the catalogue names. */
  readonly invariant: string | null;
  /** Runs that it took, the last one included; over all scenarios that were tried. */
  readonly runs: number;
  /** Kernel assertions that had to be switched off. */
  readonly assertionsOff: readonly string[];
  /** Other invariants reported on the way. */
  readonly others: readonly string[];
  /** Shrunk. */
  readonly schedule: Schedule | null;
}

/** Seed of the campaigns, and runs of one scenario. */
export const CATCH_SEED = 1;
export const MAX_CATCH_RUNS = 2000;
const PART_RUNS = 50;
const DEPTHS: readonly number[] = [3];

/** The scenarios that are after a variant, or all. */
export function scenariosOf(variant: BrokenVariant): readonly Scenario[] {
  return scenarios().filter((scenario) => scenario.races.includes(variant.id));
}

export function designOf(variant: BrokenVariant): string {
  const designs = listDesigns().map((design) => design.name);
  const design = designs.findLast((name) => variant.designs.includes(name));
  if (design === undefined) throw new Error(`${variant.id} is for no design that exists`);
  return `${design}+${variant.id}`;
}

/** The architectures that have the step. */
export function architecturesOf(variant: BrokenVariant): readonly string[] {
  return variant.architectures ?? SCENARIO_ARCHITECTURES;
}

/** Tries the scenarios in turn, a part of each at a time, until the variant is caught. */
export function catchVariant(
  variant: BrokenVariant,
  maxRuns: number = MAX_CATCH_RUNS,
  arch: string = architecturesOf(variant)[0]!,
): Catch {
  const design = designOf(variant);
  const assertionsOff: string[] = [];
  const others = new Set<string>();
  let runs = 0;
  let tried = "";
  for (const scenario of scenariosOf(variant)) {
    tried = scenario.name;
    for (const depth of DEPTHS) {
      const open = (shrink: CampaignPlan["shrink"]): Unit =>
        openCatchUnit(scenario, design, { assertionsOff, arch, depth, shrink });
      let unit = open("keep");
      let first = 1;
      while (first <= maxRuns) {
        const end = Math.min(first === 1 ? 2 : first + PART_RUNS, maxRuns + 1);
        const { findings } = unit.run({ first, end, stride: 1, known: [] });
        const caught = findings.find((finding) => isNamed(variant, finding));
        if (caught !== undefined) {
          const { firstRun } = caught;
          const again = open("shrink").run({ first: firstRun, end: firstRun + 1, stride: 1, known: [] });
          return {
            variant: variant.id,
            arch,
            design,
            scenario: scenario.name,
            invariant: caught.invariant,
            runs: runs + firstRun,
            assertionsOff,
            others: [...others],
            schedule: again.findings[0]!.schedule,
          };
        }
        for (const finding of findings) others.add(finding.invariant);
        const assertion = findings.find((finding) => finding.invariant === "I15");
        if (assertion === undefined) {
          first = end;
          continue;
        }
        const name = assertion.signature.replace(/^I15 assertions: /, "");
        assertionsOff.push(name.startsWith("I15 races: ") ? "data-race" : name);
        unit = open("keep");
        first = 1;
      }
      runs += maxRuns;
    }
  }
  return {
    variant: variant.id,
    arch,
    design,
    scenario: tried,
    invariant: null,
    runs,
    assertionsOff,
    others: [...others],
    schedule: null,
  };
}

function isNamed(variant: BrokenVariant, finding: Finding): boolean {
  return (variant.invariants as readonly string[]).includes(finding.invariant);
}

export interface CatchOptions {
  readonly arch: string;
  readonly assertionsOff?: readonly string[];
  readonly depth?: number;
  readonly shrink?: CampaignPlan["shrink"];
}

/** One scenario under one design, with the seed of the catalogue. */
export function openCatchUnit(
  scenario: Scenario,
  design: string,
  { arch, assertionsOff = [], depth = DEPTHS[0]!, shrink = "keep" }: CatchOptions,
): Unit {
  const unit = { scenario: scenario.name, machine: scenarioMachine(arch, scenario), design };
  const plan: CampaignPlan = {
    units: [unit],
    runs: MAX_CATCH_RUNS,
    seed: CATCH_SEED,
    scheduler: "pct",
    depth,
    tlb: "typical",
    shrink,
    shard: 0,
    shards: 1,
    assertionsOff: [...assertionsOff],
  };
  return openUnit(plan, unit);
}
