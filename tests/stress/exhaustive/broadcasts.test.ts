/** Where cores broadcast invalidations and page-table stores are late, the reduction leaves out what differs in nothing. */
import { describe, expect, it } from "vitest";
import { MACHINE_MODELS } from "../../../emu/machines/index.ts";
import { ExhaustiveSearch, finalState } from "../../../stress/exhaustive/index.ts";
import { findScenario, readScenario, scenarioMachine } from "../../../stress/scenarios/index.ts";

interface Found {
  readonly finals: readonly string[];
  readonly schedules: number;
}

function search(name: string, design: string, preemptions: number, reduction: "bounded" | "none"): Found {
  const scenario = findScenario(name);
  const model = MACHINE_MODELS.find((each) => each.name === scenarioMachine("aarch64", scenario))!;
  const image = readScenario(model.arch, scenario);
  const search = new ExhaustiveSearch({
    model,
    scenario,
    image,
    design,
    tlb: "typical",
    preemptions,
    reduction,
    failures: 0,
    seed: 1,
  });
  const finals = new Set<string>();
  for (;;) {
    const result = search.next(() => finals.add(finalState(search.world)));
    if (result === null) break;
    if (result.judgement !== null) finals.add(result.judgement.text);
  }
  expect(search.state.isComplete).toBe(true);
  return { finals: [...finals].sort(), schedules: search.state.schedules };
}

describe("the final states of a scenario on AArch64", () => {
  it.each([
    ["two-faults", "spf-mm", 0, 2, 10],
    ["two-faults", "classic", 0, 2, 5],
    ["load-vs-discard", "spf-mm", 0, 2, 5],
    ["fault-vs-mmap", "spf-mm", 0, 1, 5],
  ] as const)(
    "are the same with the reduction: %s under %s, %d preemptions",
    { timeout: 120_000 },
    (name, design, preemptions, least, factor) => {
      const all = search(name, design, preemptions, "none");
      const reduced = search(name, design, preemptions, "bounded");
      expect(reduced.finals).toEqual(all.finals);
      expect(reduced.finals.length).toBeGreaterThanOrEqual(least);
      expect(reduced.schedules * factor).toBeLessThan(all.schedules);
    },
  );
});
