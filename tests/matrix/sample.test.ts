import { describe, expect, it } from "vitest";
import { allCombinations, CPUS, checkCombination, replayCommand, sample } from "./combination.ts";

/** Combinations in the fixed sample. */
const MOST = 300;

const combinations = sample(MOST);

describe("the sample of the matrix", () => {
  it.each([1, 20, 53, 54, 55, 1000])("has as many as asked for, all different: %i", (most) => {
    expect(new Set(sample(most).map(replayCommand)).size).toBe(most);
  });

  it("has all combinations, if that many are asked for", () => {
    const all = allCombinations().map(replayCommand).sort();
    expect(sample(all.length).map(replayCommand).sort()).toEqual(all);
    expect(sample(all.length + 1)).toHaveLength(all.length);
  });

  it("is spread over programs, architectures, designs, machines and schedules when it is short", () => {
    const short = sample(20);
    expect(new Set(short.map((c) => c.program)).size).toBeGreaterThan(15);
    expect(new Set(short.map((c) => `${c.arch} ${c.design}`)).size).toBe(4);
    expect(new Set(short.map((c) => `${c.cpus} ${c.tlb}`)).size).toBe(8);
    expect(new Set(short.map((c) => c.scheduler)).size).toBe(2);
  });

  it("meets every value of every dimension with every program and design", () => {
    expect(combinations.length).toBe(MOST);
    expect(new Set(combinations.map(replayCommand)).size).toBe(combinations.length);
    const all = allCombinations();
    const count = (pick: (combination: (typeof all)[number]) => unknown): [number, number] => [
      new Set(combinations.map(pick)).size,
      new Set(all.map(pick)).size,
    ];
    for (const pick of [
      (c: (typeof all)[number]) => `${c.arch} ${c.program} ${c.design}`,
      (c: (typeof all)[number]) => `${c.arch} ${c.cpus} ${c.tlb}`,
      (c: (typeof all)[number]) => `${c.arch} ${c.scheduler} ${c.seed}`,
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
