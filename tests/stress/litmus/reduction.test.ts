import { describe, expect, it } from "vitest";
import { runLitmusTest } from "../../../stress/litmus/index.ts";
import { coresOf, type LitmusTest } from "../../../stress/litmus/test.ts";
import { litmusTests } from "./files.ts";

/** Two-core tests that are small enough to enumerate everything in. */
const TWO_CORES = [
  "clean-no-invalidation",
  "locked-add-with-updates",
  "local-invalidation-only",
  "later-writer-invalidates",
  "plain-clear-loses-dirty",
  "exchange-keeps-dirty",
  "frame-reuse-write-no-shootdown",
  "leaf-then-table",
];

const small = litmusTests("x86-64")
  .filter((test) => coresOf(test) === 1 || TWO_CORES.includes(test.name))
  .map((test): [string, LitmusTest] => [test.name, test]);

describe("leaving out TLB content that cannot matter", () => {
  it.each(small)("leaves %s its final states", (_, test) => {
    const reduced = runLitmusTest(test, { vacuity: "unchecked" });
    const whole = runLitmusTest(test, { vacuity: "unchecked", enumeration: "everything" });
    expect(whole.exceeded).toBeNull();
    expect(reduced.finals).toEqual(whole.finals);
    expect(reduced.states).toBeLessThanOrEqual(whole.states);
  });
});
