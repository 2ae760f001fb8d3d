/**
 * A07: the holder of the page-table lock flushes and waits for this core, which spins with interrupts off. Where a flush
 * interrupts nobody, nobody waits for anybody.
 */
import type { Context, Work } from "../../context.ts";
import { spinLock } from "../../locking/spinlock.ts";
import { SpfMm } from "../../mm/designs/index.ts";
import type { FaultState } from "../../mm/fault-state.ts";
import { PTL } from "../../mm/locks.ts";
import { type BrokenVariant, SPF_MM, X86 } from "../variant.ts";

class SpinsWithInterruptsOff extends SpfMm {
  override *lockContended(k: Context, f: FaultState): Work<boolean> {
    yield* spinLock(k, f.ptl, PTL);
    return true;
  }
}

export const A07: BrokenVariant = {
  id: "A07",
  title: "the page-table lock is waited for, not tried, with interrupts off",
  catalogue: "A07",
  designs: SPF_MM,
  architectures: X86,
  invariants: ["I10"],
  needs: [],
  overrides: { spfMm: SpinsWithInterruptsOff },
};
