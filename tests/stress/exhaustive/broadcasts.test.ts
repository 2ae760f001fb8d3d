/** Where cores broadcast invalidations, nothing is left out: the reduction knows no conflicts of their effects. */
import { expect, it } from "vitest";
import { MACHINE_MODELS } from "../../../emu/machines/index.ts";
import { ExhaustiveSearch } from "../../../stress/exhaustive/index.ts";
import { findScenario, readScenario, scenarioMachine } from "../../../stress/scenarios/index.ts";

/** Schedules of the first ones without a preemption. */
function schedulesOf(reduction: "bounded" | "none", least: number): number {
  const scenario = findScenario("two-faults");
  const model = MACHINE_MODELS.find((each) => each.name === scenarioMachine("aarch64", scenario))!;
  const search = new ExhaustiveSearch({
    model,
    scenario,
    image: readScenario(model.arch, scenario),
    design: "spf-mm",
    tlb: "typical",
    preemptions: 0,
    reduction,
    failures: 0,
    seed: 1,
  });
  while (search.state.schedules < least && search.next() !== null);
  return search.state.schedules;
}

it("asking for the reduction makes no difference on AArch64", { timeout: 240_000 }, () => {
  const all = schedulesOf("none", 2000);
  expect(all).toBeGreaterThan(50);
  expect(all).toBeLessThan(2000);
  expect(schedulesOf("bounded", 2000)).toBe(all);
});
