/**
 * C22: the new VMA is in the tree and mmap_lock is free, or the sequence count even, while cores still reach the pages of
 * the mapping that was replaced: for a moment one address leads to two frames.
 */
import type { Context, Work } from "../../context.ts";
import type { DesignClass } from "../../mm/designs/index.ts";
import { type Gather, gatherFinish } from "../../mm/gather.ts";
import { memoryOf } from "../../mm/memory.ts";
import { MmSteps, type UnmapPurpose } from "../../mm/mm-steps.ts";
import type { KPtr } from "../../struct.ts";
import { ALL_DESIGNS, type BrokenVariant } from "../variant.ts";

/** The step goes from one place to another: finishUnmap() leaves what it should flush to the end of the section. */
class FlushPutOff extends MmSteps {
  readonly #putOff = new Map<number, Gather>();

  override *finishUnmap(k: Context, gather: Gather, purpose: UnmapPurpose): Work {
    const pid = k.task!.pid;
    if (purpose === "unmap" || this.#putOff.has(pid)) yield* gatherFinish(k, gather);
    else this.#putOff.set(pid, gather);
  }

  *finishPutOff(k: Context): Work {
    const pid = k.task!.pid;
    const gather = this.#putOff.get(pid);
    if (gather === undefined) return;
    this.#putOff.delete(pid);
    yield* gatherFinish(k, gather);
  }

  override reset(): void {
    this.#putOff.clear();
  }
}

function flushesAfterUnlock(base: DesignClass): DesignClass {
  return class FlushesAfterUnlock extends base {
    override *writeUnlock(k: Context, mm: KPtr): Work {
      yield* super.writeUnlock(k, mm);
      const { steps } = memoryOf(k);
      if (steps instanceof FlushPutOff) yield* steps.finishPutOff(k);
    }
  };
}

export const C22: BrokenVariant = {
  id: "C22",
  title: "MAP_FIXED: faults on the new mapping are admitted before the old range is flushed",
  catalogue: "C22",
  designs: ALL_DESIGNS,
  invariants: ["I7", "I1"],
  needs: [],
  overrides: { steps: FlushPutOff, design: flushesAfterUnlock },
};
