/** Where cores broadcast invalidations and page-table stores are late, the reduction leaves out what differs in nothing. */
import { describe, expect, it } from "vitest";
import { finalsOf, optionsOf } from "./final-states.ts";

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
      const all = finalsOf(optionsOf("aarch64", name, { design, preemptions, reduction: "none" }));
      const reduced = finalsOf(optionsOf("aarch64", name, { design, preemptions, reduction: "bounded" }));
      expect(reduced.finals).toEqual(all.finals);
      expect(reduced.finals.length).toBeGreaterThanOrEqual(least);
      expect(reduced.schedules * factor).toBeLessThan(all.schedules);
    },
  );
});
