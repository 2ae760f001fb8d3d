import { MACHINE_MODELS } from "../../emu/machines/index.ts";
import { World } from "../../stress/world/index.ts";
import { scenarios, readScenario } from "../../stress/scenarios/index.ts";
import { Pct } from "../../emu/schedulers/index.ts";
const tlb = (process.env["TLB"] ?? "typical") as "typical";
for (const scenario of scenarios().slice(0, Number(process.env["K"] ?? 12))) {
  const model = MACHINE_MODELS.find((each) => each.name === ((scenario as any).machine ?? `x86-64-${(scenario as any).profile}`))!;
  const w = new World({ model, scenario, image: readScenario(model.arch, scenario), design: "spf-mm", tlb });
  const run = (seed: number): string => { let h = ""; const r = w.run(new Pct({ seed, depth: 3, steps: 200, agents: 16 }), { seed, explored: () => { h = w.machine.events.hash; } }); return `${h} ${r.traceHash} ${r.events}`; };
  const first = [1, 3, 128].map(run);
  const again = [1, 3, 128].map(run);
  const third = [128, 1, 128, 3, 3].map(run);
  console.log(scenario.name, first.join(" | "), third.join("|").length, first[0] === again[0], first[1] === again[1], first[2] === again[2], third[0] === first[2], third[1] === first[0], third[2] === first[2], third[3] === first[1], third[4] === first[1]);
}
