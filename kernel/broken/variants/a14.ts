/** A14: a lockless lookup reads a VMA that has gone back to the slab, or is another one by now. */
import type { Context } from "../../context.ts";
import { SpfMm } from "../../mm/designs/index.ts";
import { memoryOf } from "../../mm/memory.ts";
import type { KPtr } from "../../struct.ts";
import { type BrokenVariant, SPF_MM } from "../variant.ts";

class FreedAtOnce extends SpfMm {
  override freeVma(k: Context, vma: KPtr): void {
    memoryOf(k).vmaCache.free(k, vma);
  }
}

export const A14: BrokenVariant = {
  id: "A14",
  title: "a VMA is freed without a grace period",
  catalogue: "A14",
  designs: SPF_MM,
  invariants: ["I11"],
  needs: [],
  overrides: { spfMm: FreedAtOnce },
};
