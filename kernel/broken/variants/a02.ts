/**
 * A02: the tables that the walk found may have been freed while the fault allocated its page with interrupts on. Where
 * tables wait for a grace period, there is none while the core neither sleeps nor leaves the kernel, and here an
 * allocation does not sleep.
 */
import { SpfMm } from "../../mm/designs/index.ts";
import { type BrokenVariant, SPF_MM, X86 } from "../variant.ts";

class NoFirstCheck extends SpfMm {
  override seq1(): boolean {
    return true;
  }
}

export const A02: BrokenVariant = {
  id: "A02",
  title: "the sequence count is not checked before the tables of the walk are used again (SEQ1)",
  catalogue: "A02",
  designs: SPF_MM,
  architectures: X86,
  invariants: ["I2"],
  needs: [],
  overrides: { spfMm: NoFirstCheck },
};
