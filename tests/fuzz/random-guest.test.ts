import { describe, expect, it } from "vitest";
import { checkSeed, type Execution, FUZZED } from "./run-seed.ts";

/** Seeds of the sample; `npm run fuzz` runs 10,000. */
const SEEDS = 200;
/** Seeds to a test. */
const BATCH = 10;

const EXECUTIONS: readonly Execution[] = ["whole", "suspended"];
const CASES = FUZZED.flatMap((arch) => EXECUTIONS.map((execution) => [arch, execution] as const));

describe.each(CASES)("guests that execute random bytes and instructions: %s, %s", (arch, execution) => {
  it.each(Array.from({ length: SEEDS / BATCH }, (_, batch) => 1 + batch * BATCH))(
    "neither crash the host nor the kernel: seeds from %i",
    (first) => {
      const wrong: string[] = [];
      for (let seed = first; seed < first + BATCH; seed++) wrong.push(...checkSeed(seed, execution, arch));
      expect(wrong).toEqual([]);
    },
  );
});
