/** Findings of broken kernels, made anew: what a campaign would have written. */
import {
  type CampaignPlan,
  type Finding,
  openUnit,
  type Schedule,
  type Unit,
} from "../../../stress/campaign/index.ts";

export function planOf(scenario: string, design: string, more: Partial<CampaignPlan> = {}): CampaignPlan {
  return {
    units: [{ scenario, machine: "x86-64", design }],
    runs: 500,
    seed: 1,
    scheduler: "pct",
    depth: 3,
    tlb: "typical",
    shrink: "shrink",
    shard: 0,
    shards: 1,
    assertionsOff: [],
    ...more,
  };
}

export function unitOf(plan: CampaignPlan): Unit {
  return openUnit(plan, plan.units[0]!);
}

const STEP = 25;

/** The first finding of a scenario under a broken design. */
export function firstFinding(scenario: string, design: string, more: Partial<CampaignPlan> = {}): Finding {
  const plan = planOf(scenario, design, more);
  const unit = unitOf(plan);
  for (let first = 1; first <= plan.runs; first += STEP) {
    const { findings } = unit.run({ first, end: first + STEP, stride: 1, known: [] });
    if (findings.length > 0) return findings[0]!;
  }
  throw new Error(`${scenario}, ${design}: nothing in ${plan.runs} runs`);
}

export function firstSchedule(scenario: string, design: string, more: Partial<CampaignPlan> = {}): Schedule {
  return firstFinding(scenario, design, more).schedule;
}
