/** A world runs schedules from one start state: the same decisions give the same run, whatever ran before. */
import { beforeAll, describe, expect, it } from "vitest";
import { MACHINE_MODELS } from "../../../emu/machines/index.ts";
import { Pct, RandomWalk, Replay } from "../../../emu/schedulers/index.ts";
import { findScenario, readScenario, scenarioMachine } from "../../../stress/scenarios/index.ts";
import { World, type WorldOptions } from "../../../stress/world/index.ts";

function worldOf(name: string, options: Partial<WorldOptions> = {}): World {
  const scenario = findScenario(name);
  const model = MACHINE_MODELS.find((each) => each.name === scenarioMachine("x86-64", scenario))!;
  return new World({
    model,
    scenario,
    image: readScenario(model.arch, scenario),
    design: "spf-mm",
    tlb: "typical",
    ...options,
  });
}

describe("a world", () => {
  let world: World;
  beforeAll(() => {
    world = worldOf("fault-vs-munmap");
  });

  it("runs a seed twice with the same trace, and other seeds with others", () => {
    const hashes = [1, 2, 3, 1, 2, 3].map((seed) => world.run(new RandomWalk(seed), { seed: 1 }).traceHash);
    expect(hashes.slice(3)).toEqual(hashes.slice(0, 3));
    expect(new Set(hashes).size).toBe(3);
  });

  it("replays what a run decided to the same trace", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const strategy = new Pct({ seed, depth: 4, steps: 180, cores: 8 });
      const first = world.run(strategy, { seed });
      const again = world.run(new Replay(first.recorded), { seed });
      expect(again.traceHash, `seed ${seed}`).toBe(first.traceHash);
      expect(again.recorded, `seed ${seed}`).toEqual(first.recorded);
    }
  });

  it("gives another world with the same options the same run", () => {
    const other = worldOf("fault-vs-munmap");
    other.run(new RandomWalk(77), { seed: 77 });
    const strategy = (): RandomWalk => new RandomWalk(5);
    expect(other.run(strategy(), { seed: 5 }).traceHash).toBe(world.run(strategy(), { seed: 5 }).traceHash);
  });

  it("undoes a run that ended with a real exit", () => {
    const before = world.run(new RandomWalk(9), { seed: 9 }).traceHash;
    world.run(new RandomWalk(10), { seed: 128 });
    expect(world.run(new RandomWalk(9), { seed: 9 }).traceHash).toBe(before);
  });

  it.each(["asid-rollover", "cow-vs-discard", "dirty-vs-mprotect"])(
    "takes no notice of which code was decoded before, whatever the TLB drops: %s",
    (name) => {
      const adversarial = worldOf(name, { tlb: "adversarial" });
      const run = (seed: number): string => {
        const strategy = new Pct({ seed, depth: 3, steps: 200, cores: 16 });
        return adversarial.run(strategy, { seed }).traceHash;
      };
      const first = [1, 3, 128].map(run);
      expect([1, 3, 128, 1, 128, 3, 3].map(run)).toEqual([0, 1, 2, 0, 2, 1, 1].map((at) => first[at]));
    },
  );

  it("is the same with watchers and without the oracle", () => {
    const bare = worldOf("fault-vs-munmap", {
      withoutParts: ["structure", "lifetime", "translations", "witness", "races"],
    });
    const strategy = (): RandomWalk => new RandomWalk(21);
    expect(bare.run(strategy(), { seed: 21 }).traceHash).toBe(world.run(strategy(), { seed: 21 }).traceHash);
  });

  it("leaves a thread out if it is told to", () => {
    const alone = world.run(new Replay({ segments: [], failures: [] }), { seed: 1, absent: [1] });
    const both = world.run(new Replay({ segments: [], failures: [] }), { seed: 1 });
    expect(alone.events).toBeLessThan(both.events);
  });
});

describe("adversarial TLBs", () => {
  it("make no difference to what is right", () => {
    const world = worldOf("load-vs-discard", { tlb: "adversarial" });
    for (let seed = 1; seed <= 50; seed++) {
      expect(world.run(new RandomWalk(seed), { seed }).judgement, `seed ${seed}`).toBeNull();
    }
  });
});
