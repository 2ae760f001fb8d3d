/** C01 (CVE-2018-18281): who unmaps the new place frees a page that a core still reaches at the old one. */
import type { Context, Work } from "../../context.ts";
import { COST_UNLOCK } from "../../costs.ts";
import { spinUnlock } from "../../locking/spinlock.ts";
import { PTL } from "../../mm/locks.ts";
import { MmSteps } from "../../mm/mm-steps.ts";
import type { KPtr } from "../../struct.ts";
import { ALL_DESIGNS, type BrokenVariant } from "../variant.ts";

class UnlockedBeforeFlush extends MmSteps {
  override *endMove(k: Context, mm: KPtr, from: number, pages: number, oldPtl: KPtr, newPtl: KPtr): Work {
    if (k.point(COST_UNLOCK)) yield;
    if (newPtl !== oldPtl) spinUnlock(k, newPtl, PTL);
    spinUnlock(k, oldPtl, PTL);
    if (pages !== 0) yield* this.flushMoved(k, mm, from, pages);
  }
}

export const C01: BrokenVariant = {
  id: "C01",
  title: "mremap drops the page-table locks before it flushes the old addresses",
  catalogue: "C01",
  designs: ALL_DESIGNS,
  invariants: ["I3", "I4"],
  needs: [],
  overrides: { steps: UnlockedBeforeFlush },
};
