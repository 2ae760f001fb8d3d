/** C08: a table goes back to the allocator while walk caches and walkers still lead to it. */
import type { Context, Work } from "../../context.ts";
import { Gather } from "../../mm/gather.ts";
import { memoryOf } from "../../mm/memory.ts";
import type { KPtr } from "../../struct.ts";
import { ALL_DESIGNS, type BrokenVariant } from "../variant.ts";

class FreesTablesAtOnce extends Gather {
  // biome-ignore lint/correctness/useYield: it no longer waits for the flush.
  override *queueTable(k: Context, page: KPtr): Work {
    memoryOf(k).putPage(k, page);
  }
}

export const C08: BrokenVariant = {
  id: "C08",
  title: "an unlinked table is freed at once, before the flush",
  catalogue: "C08",
  designs: ALL_DESIGNS,
  invariants: ["I2", "I3"],
  needs: [],
  overrides: { gather: FreesTablesAtOnce },
};
