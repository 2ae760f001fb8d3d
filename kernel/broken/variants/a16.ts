/**
 * A16: the copy is made and checked, and the fault reads the VMA itself: a split gives it the start from before and the
 * offset from after, and so the wrong index for the reverse map.
 */
import type { Context } from "../../context.ts";
import { SpfMm } from "../../mm/designs/index.ts";
import type { FaultState } from "../../mm/fault-state.ts";
import type { KPtr } from "../../struct.ts";
import { type BrokenVariant, SPF_MM } from "../variant.ts";

class LiveVma extends SpfMm {
  override copyBegin(k: Context, f: FaultState, vma: KPtr): KPtr {
    const copy = super.copyBegin(k, f, vma);
    f.vma = vma;
    return copy;
  }
}

export const A16: BrokenVariant = {
  id: "A16",
  title: "the fault works with the VMA in the tree, not with its copy",
  catalogue: "A16",
  designs: SPF_MM,
  invariants: ["I9", "I1"],
  needs: [],
  overrides: { spfMm: LiveVma },
};
