/**
 * A21: a fault without mmap_lock copies a page of the parent while another core still writes it through an entry that
 * fork has made read-only since.
 */
import type { Context, Work } from "../../context.ts";
import { upWrite } from "../../locking/rwsem.ts";
import { SpfMm } from "../../mm/designs/index.ts";
import { MMAP_LOCK } from "../../mm/locks.ts";
import { memoryOf } from "../../mm/memory.ts";
import { mmapLockOf } from "../../mm/mmap-lock.ts";
import type { KPtr } from "../../struct.ts";
import { type BrokenVariant, SPF_MM } from "../variant.ts";

class EvenBeforeFlush extends SpfMm {
  override *endFork(k: Context, mm: KPtr): Work {
    k.kernel.observer?.mmWriteUnlock(k, mm);
    yield* this.beforeWriteUnlock(k, mm);
    yield* memoryOf(k).steps.flushForked(k, mm);
    yield* upWrite(k, mmapLockOf(mm), MMAP_LOCK);
  }
}

export const A21: BrokenVariant = {
  id: "A21",
  title: "fork: the sequence count becomes even before the parent's TLBs are flushed",
  catalogue: "A21",
  designs: SPF_MM,
  invariants: ["I6", "I4"],
  needs: [],
  overrides: { spfMm: EvenBeforeFlush },
};
