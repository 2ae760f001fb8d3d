/** A17: readers change no sequence count, so the copy may have the new start of a growing stack and its old offset. */
import type { Context, Work } from "../../context.ts";
import { SpfMm } from "../../mm/designs/index.ts";
import type { FaultState } from "../../mm/fault-state.ts";
import { mmapReadUnlock } from "../../mm/mmap-lock.ts";
import { expandDownwards } from "../../mm/stack.ts";
import { type BrokenVariant, SPF_MM } from "../variant.ts";

class GrowsUnderReadLock extends SpfMm {
  override *growStack(k: Context, f: FaultState): Work<boolean> {
    if ((yield* expandDownwards(k, f.vma, f.page)) === 0) return true;
    yield* mmapReadUnlock(k, f.mm);
    return false;
  }
}

export const A17: BrokenVariant = {
  id: "A17",
  title: "a stack grows under mmap_lock for read, without a bump of the sequence count",
  catalogue: "A17",
  designs: SPF_MM,
  invariants: ["I9"],
  needs: [],
  overrides: { spfMm: GrowsUnderReadLock },
};
