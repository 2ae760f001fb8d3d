/** C07: pages go back to the allocator while cores still reach them. */
import type { Context, Work } from "../../context.ts";
import { Gather } from "../../mm/gather.ts";
import { ALL_DESIGNS, type BrokenVariant } from "../variant.ts";

class FreesFirst extends Gather {
  override *flush(k: Context): Work {
    yield* this.freePages(k);
    yield* super.flush(k);
  }
}

export const C07: BrokenVariant = {
  id: "C07",
  title: "the pages of a gather are freed before the flush",
  catalogue: "C07",
  designs: ALL_DESIGNS,
  invariants: ["I3", "I5"],
  needs: [],
  overrides: { gather: FreesFirst },
};
