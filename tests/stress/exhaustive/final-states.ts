/** The final states that a search of a scenario reaches, for comparisons of searches. */
import { expect } from "vitest";
import { MACHINE_MODELS } from "../../../emu/machines/index.ts";
import { ExhaustiveSearch, finalState, type SearchOptions } from "../../../stress/exhaustive/index.ts";
import { findScenario, readScenario, scenarioMachine } from "../../../stress/scenarios/index.ts";

export type Wanted = Partial<Pick<SearchOptions, "preemptions" | "reduction" | "failures" | "design">>;

export interface Found {
  readonly finals: readonly string[];
  readonly schedules: number;
}

/** spf-mm to 2 preemptions, reduced, unless something else is wanted. */
export function optionsOf(arch: "x86-64" | "aarch64", name: string, wanted: Wanted): SearchOptions {
  const scenario = findScenario(name);
  const model = MACHINE_MODELS.find((each) => each.name === scenarioMachine(arch, scenario))!;
  return {
    model,
    scenario,
    image: readScenario(model.arch, scenario),
    design: "spf-mm",
    tlb: "typical",
    preemptions: 2,
    reduction: "bounded",
    failures: 0,
    seed: 1,
    ...wanted,
  };
}

/** All final states, violations included, of a search that comes to its end. */
export function finalsOf(options: SearchOptions): Found {
  const search = new ExhaustiveSearch(options);
  const finals = new Set<string>();
  for (;;) {
    const result = search.next(() => finals.add(finalState(search.world)));
    if (result === null) break;
    if (result.judgement !== null) finals.add(result.judgement.text);
  }
  expect(search.state.isComplete).toBe(true);
  return { finals: [...finals].sort(), schedules: search.state.schedules };
}
