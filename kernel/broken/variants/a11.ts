/**
 * A11: who frees a table waits only for cores that answer its flush, and this one answers in the middle of its walk. Where
 * tables wait for a grace period, code that is not preempted is a reader all the time.
 */
import { SpfMm } from "../../mm/designs/index.ts";
import { type BrokenVariant, SPF_MM, X86 } from "../variant.ts";

class WalksWithInterruptsOn extends SpfMm {
  override walkBegin(): boolean {
    return false;
  }
}

export const A11: BrokenVariant = {
  id: "A11",
  title: "page tables are walked and locked with interrupts on, outside RCU",
  catalogue: "A11",
  designs: SPF_MM,
  architectures: X86,
  invariants: ["I2"],
  needs: [],
  overrides: { spfMm: WalksWithInterruptsOn },
};
