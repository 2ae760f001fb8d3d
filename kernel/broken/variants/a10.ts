/**
 * A10: the table is linked after a writer's free_pgtables() went past the slot: nobody frees it, or it hangs under a
 * table that is freed itself.
 */
import type { Context, Work } from "../../context.ts";
import { SpfMm } from "../../mm/designs/index.ts";
import type { FaultState } from "../../mm/fault-state.ts";
import { memoryOf } from "../../mm/memory.ts";
import { installTable, NO_SLOT } from "../../mm/page-table.ts";
import { type BrokenVariant, SPF_MM } from "../variant.ts";

class TableMade extends SpfMm {
  override *tableMissing(k: Context, f: FaultState): Work<boolean> {
    const isNone = memoryOf(k).format.isNone(f.origPmdLo, f.origPmdHi);
    if (!isNone || !(yield* installTable(k, f.mm, f.pmdSlot))) return yield* super.tableMissing(k, f);
    f.origPmdLo = k.ram.read32(f.pmdSlot);
    f.origPmdHi = k.ram.read32(f.pmdSlot + 4);
    f.pteSlot = NO_SLOT;
    return true;
  }
}

export const A10: BrokenVariant = {
  id: "A10",
  title: "a missing lowest table is allocated and linked without mmap_lock",
  catalogue: "A10",
  designs: SPF_MM,
  invariants: ["I1", "I13"],
  needs: [],
  overrides: { spfMm: TableMade },
};
