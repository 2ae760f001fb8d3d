/** Where nothing is wrong, nothing is reported: every scenario under every design, some schedules of each kind. */
import { describe, expect, it } from "vitest";
import { listDesigns } from "../../kernel/index.ts";
import { type CampaignPlan, openUnit } from "../../stress/campaign/index.ts";
import { SCENARIO_ARCHITECTURES, scenarioMachine, scenarios } from "../../stress/scenarios/index.ts";

const RUNS = 20;

const cases = SCENARIO_ARCHITECTURES.flatMap((arch) =>
  scenarios().map((scenario) => ({ name: scenario.name, machine: scenarioMachine(arch, scenario) })),
);

describe.each(cases)("$name on $machine", ({ name, machine }) => {
  it.each(listDesigns().map((design) => design.name))("under %s breaks nothing", (design) => {
    const unit = { scenario: name, machine, design };
    for (const scheduler of ["pct", "random"] as const) {
      const plan: CampaignPlan = {
        units: [unit],
        runs: RUNS,
        seed: 3,
        scheduler,
        depth: 3,
        tlb: scheduler === "pct" ? "typical" : "adversarial",
        shrink: "keep",
        shard: 0,
        shards: 1,
        assertionsOff: [],
      };
      const result = openUnit(plan, unit).run({ first: 1, end: RUNS + 1, stride: 1, known: [] });
      expect(result.runs).toBe(RUNS);
      expect(
        result.findings.map(({ signature, firstRun }) => `${scheduler}, run ${firstRun}: ${signature}`),
      ).toEqual([]);
    }
  });
});
