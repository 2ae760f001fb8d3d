/** A05, the late bump: the next writer enters before the last one has bumped, and two bumps meet: the count is even inside a writer. */
import type { Context, Work } from "../../context.ts";
import { upWrite } from "../../locking/rwsem.ts";
import { SpfMm } from "../../mm/designs/index.ts";
import { MMAP_LOCK } from "../../mm/locks.ts";
import { mmapLockOf } from "../../mm/mmap-lock.ts";
import type { KPtr } from "../../struct.ts";
import { type BrokenVariant, SPF_MM } from "../variant.ts";

class BumpAfterRelease extends SpfMm {
  override *writeUnlock(k: Context, mm: KPtr): Work {
    yield* upWrite(k, mmapLockOf(mm), MMAP_LOCK);
    yield* this.beforeWriteUnlock(k, mm);
  }
}

export const A05_LATE: BrokenVariant = {
  id: "A05-late",
  title: "the sequence count becomes even after mmap_lock was released, not before",
  catalogue: "A05",
  designs: SPF_MM,
  invariants: ["I15"],
  needs: [],
  overrides: { spfMm: BumpAfterRelease },
};
