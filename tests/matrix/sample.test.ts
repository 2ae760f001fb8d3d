import { describe, expect, it } from "vitest";
import { allCombinations, CPUS, checkCombination, replayCommand, sample } from "./combination.ts";

/** Combinations in the fixed sample. */
const MOST = 300;

const combinations = sample(MOST);

describe("the sample of the matrix", () => {
  it("meets every value of every dimension with every program and design", () => {
    expect(combinations.length).toBeLessThanOrEqual(MOST);
    expect(new Set(combinations.map(replayCommand)).size).toBe(combinations.length);
    const all = allCombinations();
    const count = (pick: (combination: (typeof all)[number]) => unknown): [number, number] => [
      new Set(combinations.map(pick)).size,
      new Set(all.map(pick)).size,
    ];
    for (const pick of [
      (c: (typeof all)[number]) => `${c.program} ${c.design}`,
      (c: (typeof all)[number]) => `${c.design} ${c.cpus} ${c.tlb}`,
      (c: (typeof all)[number]) => `${c.design} ${c.scheduler} ${c.seed}`,
      (c: (typeof all)[number]) => `${c.program} ${c.scheduler}`,
      (c: (typeof all)[number]) => `${c.program} ${c.cpus}`,
      (c: (typeof all)[number]) => `${c.program} ${c.tlb}`,
    ]) {
      const [seen, there] = count(pick);
      expect(seen).toBe(there);
    }
    expect(new Set(combinations.map((c) => c.cpus))).toEqual(new Set(CPUS));
  });

  it.each(combinations.map((combination) => [replayCommand(combination), combination] as const))(
    "runs clean: %s",
    (_command, combination) => {
      expect(checkCombination(combination)).toEqual([]);
    },
  );
});
