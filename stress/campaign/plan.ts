/** What a campaign is to do: plain data, so that it goes to workers and into result files as it is. */
import { MACHINE_MODELS } from "../../emu/machines/index.ts";
import type { MachineModel } from "../../emu/machines/model.ts";
import { nearMiss, UserError } from "../../emu/user-error.ts";
import { findScenario, readScenario } from "../scenarios/index.ts";
import { type SchedulerName, Unit } from "./unit.ts";

export interface UnitPlan {
  readonly scenario: string;
  readonly machine: string;
  readonly design: string;
}

export interface CampaignPlan {
  readonly units: readonly UnitPlan[];
  /** Runs of each unit, over all shards. */
  readonly runs: number;
  readonly seed: number;
  readonly scheduler: SchedulerName;
  readonly depth: number;
  /** Bounds of exhaustive. */
  readonly preemptions?: number;
  readonly failures?: 0 | 1;
  readonly tlb: "typical" | "adversarial";
  readonly shrink: "shrink" | "keep";
  /** This shard has the runs whose number modulo `shards` is `shard`. */
  readonly shard: number;
  readonly shards: number;
  readonly assertionsOff: readonly string[];
}

/** @throws UserError */
export function modelByName(name: string): MachineModel {
  const model = MACHINE_MODELS.find((each) => each.name === name);
  if (model === undefined) {
    const names = MACHINE_MODELS.map((each) => each.name);
    throw new UserError(
      "there is no such machine",
      name,
      nearMiss(name, names, "see `faultline list machines`"),
    );
  }
  return model;
}

/** @throws UserError if the scenario cannot be started */
export function openUnit(plan: CampaignPlan, unit: UnitPlan): Unit {
  const model = modelByName(unit.machine);
  const scenario = findScenario(unit.scenario);
  const { scheduler, depth, preemptions, failures, seed, tlb, assertionsOff, shrink } = plan;
  return new Unit({
    model,
    scenario,
    image: readScenario(model.arch, scenario),
    design: unit.design,
    tlb,
    assertionsOff,
    scheduler,
    depth,
    preemptions,
    failures,
    seed,
    shrink,
  });
}
