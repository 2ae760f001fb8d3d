/**
 * A05, the late bump: the next writer enters before the last one has bumped, and two bumps meet. The count is even inside
 * a writer. And since nothing excludes the other bump, the halves of this one count: one of two is lost, and the count
 * stays odd.
 */
import type { Context, Work } from "../../context.ts";
import { COST_ACCESS } from "../../costs.ts";
import { upWrite } from "../../locking/rwsem.ts";
import { SpfMm } from "../../mm/designs/index.ts";
import { MMAP_LOCK } from "../../mm/locks.ts";
import { mmMmapSeq } from "../../mm/mm-struct.ts";
import { mmapLockOf } from "../../mm/mmap-lock.ts";
import type { KPtr } from "../../struct.ts";
import { type BrokenVariant, SPF_MM } from "../variant.ts";

class BumpAfterRelease extends SpfMm {
  override *writeUnlock(k: Context, mm: KPtr): Work {
    yield* upWrite(k, mmapLockOf(mm), MMAP_LOCK);
    if (k.point(COST_ACCESS)) yield;
    const count = mmMmapSeq.get(k.ram, mm);
    if (k.point(COST_ACCESS)) yield;
    mmMmapSeq.set(k.ram, mm, count + 1);
  }
}

export const A05_LATE: BrokenVariant = {
  id: "A05-late",
  title: "the sequence count becomes even after mmap_lock was released, not before",
  catalogue: "A05",
  designs: SPF_MM,
  invariants: ["I1", "I10"],
  needs: [],
  overrides: { spfMm: BumpAfterRelease },
};
