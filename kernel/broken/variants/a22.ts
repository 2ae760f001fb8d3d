/** A22: a fault installs a page at the new place, and the move of the entries overwrites it. */
import type { Context, Work } from "../../context.ts";
import { SpfMm } from "../../mm/designs/index.ts";
import { vmMm } from "../../mm/vma.ts";
import type { KPtr } from "../../struct.ts";
import { type BrokenVariant, SPF_MM } from "../variant.ts";

class EvenBeforeMove extends SpfMm {
  override *moveTables(
    k: Context,
    vma: KPtr,
    from: number,
    to: number,
    pages: number,
    rmap: "locked" | "unlocked",
  ): Work<number> {
    const mm = vmMm.get(k.ram, vma);
    yield* this.beforeWriteUnlock(k, mm);
    const moved = yield* super.moveTables(k, vma, from, to, pages, rmap);
    yield* this.afterWriteLock(k, mm);
    return moved;
  }
}

export const A22: BrokenVariant = {
  id: "A22",
  title: "mremap: the sequence count is even while the entries move to the new VMA",
  catalogue: "A22",
  designs: SPF_MM,
  invariants: ["I1", "I13"],
  needs: [],
  overrides: { spfMm: EvenBeforeMove },
};
