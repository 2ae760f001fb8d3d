/** A broken kernel is a kernel: on one core, without a race, its programs do what they should. */
import { describe, expect, test } from "vitest";
import { BROKEN } from "../../../kernel/broken/index.ts";
import { Guest } from "../../matrix/guest.ts";

const MEMORY_BYTES: number = 16 * 2 ** 20;
/** Freed before the flush: the ledger sees the core's own entries, whoever else runs. */
const SEEN_AT_ONCE = ["C07", "C08"];
/** The count is odd where a writer should find it even, on one core too. */
const ASSERTION_AT_ONCE: readonly string[] = ["A04"];
/** The same, once a call has downgraded: hello makes none. */
const ASSERTION_AFTER_DOWNGRADE: readonly string[] = ["A05"];

describe.each(BROKEN.map((variant) => [variant.id, variant] as const))("%s on one core", (id, variant) => {
  test.each([
    ["hello", []],
    ["storm", ["2", "1", "8", "16"]],
  ])("%s ends well", (program, args) => {
    const design = `${variant.designs.at(-1)}+${id}`;
    const machine = variant.architectures?.[0] ?? "x86-64";
    const guest = new Guest({
      program,
      args,
      machine,
      design,
      cpus: 1,
      ledger: "on",
      memoryBytes: MEMORY_BYTES,
    });
    const { status, kind } = guest.run();
    expect([kind, status]).toEqual(["power-off", 0]);
    const { session } = guest;
    const asserts =
      ASSERTION_AT_ONCE.includes(id) || (program === "storm" && ASSERTION_AFTER_DOWNGRADE.includes(id));
    expect(session.kernel.assertions > 0).toBe(asserts);
    expect((session.machine.ledger?.total ?? 0) > 0).toBe(SEEN_AT_ONCE.includes(id));
  });
});
