/** Strategies without a machine: what they choose from lists of agents. */
import { describe, expect, it } from "vitest";
import {
  AGENTS_PER_CORE,
  type Agent,
  type Choices,
  Pct,
  pctBound,
  RandomWalk,
  Replay,
  ROLE_TIMER,
  type Strategy,
} from "../../../emu/schedulers/index.ts";

const CORE_0 = 0;
const CORE_1 = AGENTS_PER_CORE;
const TIMER_0 = ROLE_TIMER;

function choices(agents: readonly Agent[], current: Agent, spins = false): Choices {
  return {
    agents: Int32Array.from(agents),
    count: agents.length,
    current,
    continues: agents.includes(current),
    spins,
  };
}

/** Lets two cores take so many steps each; the order of the steps. */
function interleave(strategy: Strategy, steps: number): Agent[] {
  const left = new Map([
    [CORE_0, steps],
    [CORE_1, steps],
  ]);
  const order: Agent[] = [];
  let current = -1;
  for (;;) {
    const agents = [...left].filter(([, count]) => count > 0).map(([agent]) => agent);
    if (agents.length === 0) return order;
    current = strategy.choose(choices(agents, current));
    left.set(current, left.get(current)! - 1);
    order.push(current);
  }
}

function switches(order: readonly Agent[]): number {
  return order.filter((agent, at) => at > 0 && order[at - 1] !== agent).length;
}

describe("pct", () => {
  it("of depth 1 lets the higher priority go first to its end", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const order = interleave(new Pct({ seed, depth: 1, steps: 20, cores: 8 }), 10);
      expect(switches(order)).toBe(1);
    }
  });

  it("of depth d changes the order at most d-1 times more", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const order = interleave(new Pct({ seed, depth: 3, steps: 20, cores: 8 }), 10);
      expect(switches(order)).toBeLessThanOrEqual(3);
    }
  });

  it("finds each order of two events at least as often as its bound says", () => {
    // Core 1's 4th step before core 0's 2nd, which comes before core 1's 5th: two constraints, depth 3.
    const runs = 20_000;
    let found = 0;
    for (let seed = 1; seed <= runs; seed++) {
      const order = interleave(new Pct({ seed, depth: 3, steps: 20, cores: 8 }), 10);
      const nth = (agent: Agent, count: number): number => {
        let left = count;
        return order.findIndex((each) => each === agent && --left === 0);
      };
      if (nth(CORE_1, 4) < nth(CORE_0, 2) && nth(CORE_0, 2) < nth(CORE_1, 5)) found++;
    }
    expect(found / runs).toBeGreaterThan(pctBound(2, 20, 3));
  });

  it("puts who spins behind everybody", () => {
    const strategy = new Pct({ seed: 1, depth: 1, steps: 100, cores: 8 });
    const first = strategy.choose(choices([CORE_0, CORE_1], -1));
    const other = first === CORE_0 ? CORE_1 : CORE_0;
    expect(strategy.choose(choices([CORE_0, CORE_1], first, true))).toBe(other);
    expect(strategy.choose(choices([CORE_0, CORE_1], other))).toBe(other);
  });

  it("gives an interrupt a new priority each time one becomes possible", () => {
    const interrupt = 2;
    const strategy = new Pct({ seed: 3, depth: 1, steps: 1000, cores: 8 });
    const results = new Set<boolean>();
    for (let time = 0; time < 40; time++) {
      results.add(strategy.choose(choices([CORE_0, interrupt], CORE_0)) === interrupt);
      strategy.choose(choices([CORE_0], CORE_0));
    }
    expect(results.size).toBe(2);
  });
});

describe("a random walk", () => {
  it("is the same for the same seed", () => {
    const orders = [7, 7, 8].map((seed) => interleave(new RandomWalk(seed), 50).join());
    expect(orders[0]).toBe(orders[1]);
    expect(orders[0]).not.toBe(orders[2]);
  });

  it("lets timers fire, but rarely", () => {
    const strategy = new RandomWalk(1);
    let fired = 0;
    for (let step = 0; step < 10_000; step++) {
      if (strategy.choose(choices([CORE_0, TIMER_0], CORE_0)) === TIMER_0) fired++;
    }
    expect(fired).toBeGreaterThan(0);
    expect(fired).toBeLessThan(500);
  });
});

describe("replay", () => {
  it("follows its segments, and then the agent that runs", () => {
    const strategy = new Replay({
      segments: [
        [CORE_1, 3],
        [CORE_0, 2],
      ],
      failures: [1],
    });
    const order = interleave(strategy, 4);
    expect(order).toEqual([CORE_1, CORE_1, CORE_1, CORE_0, CORE_0, CORE_0, CORE_0, CORE_1]);
    expect([strategy.fails(), strategy.fails(), strategy.fails()]).toEqual([false, true, false]);
    expect(strategy.misfit).toBeNull();
  });

  it("goes on with the next segment when an agent cannot go on", () => {
    const strategy = new Replay({
      segments: [
        [CORE_1, 3],
        [CORE_0, 1],
      ],
      failures: [],
    });
    expect(strategy.choose(choices([CORE_0], -1))).toBe(CORE_0);
  });

  it("says where its segments first did not fit", () => {
    const strategy = new Replay({
      segments: [
        [CORE_0, 2],
        [CORE_1, 9],
        [CORE_0, 9],
      ],
      failures: [],
    });
    interleave(strategy, 4);
    expect(strategy.misfit).toEqual({ events: 6, agent: CORE_1 });
  });
});
