/** Exhaustive search of scenarios: the same final states with and without reduction, and bugs that lie within the bound. */
import { describe, expect, it } from "vitest";
import { Replay } from "../../../emu/schedulers/index.ts";
import { ExhaustiveSearch } from "../../../stress/exhaustive/index.ts";
import { World } from "../../../stress/world/index.ts";
import { finalsOf, optionsOf } from "./final-states.ts";

describe("the final states of a scenario", () => {
  it.each([
    ["two-faults", "spf-mm", 1, 4],
    ["two-faults", "classic", 1, 3],
    ["fault-vs-munmap", "spf-mm", 0, 2],
    ["dirty-vs-mprotect", "spf-mm", 0, 2],
    ["load-vs-discard", "classic", 0, 2],
    ["fault-vs-mmap", "spf-mm", 1, 6],
    ["fault-vs-split", "classic", 1, 2],
    ["fault-vs-stack-growth", "spf-mm", 1, 6],
  ] as const)(
    "are the same with the reduction: %s under %s, %d preemptions",
    (name, design, preemptions, least) => {
      const all = finalsOf(optionsOf("x86-64", name, { design, preemptions, reduction: "none" }));
      const reduced = finalsOf(optionsOf("x86-64", name, { design, preemptions, reduction: "bounded" }));
      expect(reduced.finals).toEqual(all.finals);
      expect(reduced.finals.length).toBeGreaterThanOrEqual(least);
      expect(reduced.schedules * 2).toBeLessThan(all.schedules + 8);
    },
  );

  it("are more with more preemptions", () => {
    const sizes = [0, 1, 2].map(
      (preemptions) => finalsOf(optionsOf("x86-64", "two-faults", { preemptions })).finals.length,
    );
    expect(sizes[0]).toBeLessThan(sizes[1]!);
    expect(sizes[1]).toBeLessThan(sizes[2]!);
  });
});

describe("a search", () => {
  it("finds the missing check of sequence counts within two preemptions, and its schedule replays", () => {
    const options = optionsOf("x86-64", "fault-vs-munmap", { design: "spf-mm+A01" });
    const search = new ExhaustiveSearch(options);
    let result = search.next();
    while (result !== null && result.judgement === null) result = search.next();
    expect(result?.judgement?.invariant).toBe("I1");
    const again = new World(options).run(new Replay(result!.recorded), { seed: options.seed });
    expect(again.judgement?.text).toBe(result!.judgement!.text);
    expect(again.traceHash).toBe(result!.traceHash);
  });

  it.each([
    ["an acknowledgement before the flush", "load-vs-free-tables", "early-ack", "I3"],
    ["a lost dirty bit", "dirty-vs-mprotect", "C18", "I5"],
    ["a table allocated without the lock", "fault-without-table", "A10", "I13"],
  ])("finds %s: %s, %s", (_what, name, variant, invariant) => {
    const search = new ExhaustiveSearch(optionsOf("x86-64", name, { design: `spf-mm+${variant}` }));
    let result = search.next();
    while (result !== null && result.judgement === null) result = search.next();
    expect(result?.judgement?.invariant).toBe(invariant);
  });

  it("does not find it without preemptions", () => {
    const search = new ExhaustiveSearch(
      optionsOf("x86-64", "fault-vs-munmap", { design: "spf-mm+A01", preemptions: 0 }),
    );
    for (let result = search.next(); result !== null; result = search.next())
      expect(result.judgement).toBeNull();
    expect(search.state.isComplete).toBe(true);
  });

  it("makes each allocation fail in its turn if it may", () => {
    const failed = new Set<number>();
    const search = new ExhaustiveSearch(
      optionsOf("x86-64", "switch-vs-discard", { preemptions: 0, failures: 1 }),
    );
    for (let result = search.next(); result !== null; result = search.next()) {
      for (const ordinal of result.recorded.failures) failed.add(ordinal);
      expect(result.recorded.failures.length).toBeLessThan(2);
    }
    expect(failed.has(0)).toBe(true);
  });
});
