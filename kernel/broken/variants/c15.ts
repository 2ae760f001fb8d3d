/**
 * C15: copy-on-write puts the new page in the place of the old one and flushes then: in between some cores use the one and
 * some the other, and on AArch64 a live entry changes its output address, which takes break-before-make.
 */
import { type Context, NOTHING, type Work } from "../../context.ts";
import type { FaultState } from "../../mm/fault-state.ts";
import { MmSteps } from "../../mm/mm-steps.ts";
import { ALL_DESIGNS, type BrokenVariant } from "../variant.ts";

class MakesBeforeBreak extends MmSteps {
  override clearAndFlush(): Work {
    return NOTHING;
  }

  override *setCopied(k: Context, f: FaultState, lo: number, hi: number): Work {
    yield* super.setCopied(k, f, lo, hi);
    yield* this.flushCopied(k, f);
  }
}

export const C15: BrokenVariant = {
  id: "C15",
  title: "copy-on-write sets the new entry over the old one, and flushes afterwards",
  catalogue: "C15",
  designs: ALL_DESIGNS,
  invariants: ["I7"],
  needs: [],
  overrides: { steps: MakesBeforeBreak },
};
