/** A13: a walker under rcu_read_lock() has interrupts on, and answers an interrupt in the middle of its walk. */
import type { Context, Work } from "../../context.ts";
import { CpuSet } from "../../cpu-set.ts";
import { type CallKind, smpCallFunctionMany } from "../../cross-call.ts";
import type { Kernel } from "../../kernel.ts";
import { memoryOf } from "../../mm/memory.ts";
import { TableBatches } from "../../mm/table-batch.ts";
import { type KPtr, NULL } from "../../struct.ts";
import { ARM64, type BrokenVariant, SPF_MM } from "../variant.ts";

/** tlb_remove_table_sync_one() of mm/mmu_gather.c. */
class FreesAfterInterrupt extends TableBatches {
  readonly #syncKind: CallKind;

  constructor(kernel: Kernel) {
    super(kernel);
    this.#syncKind = kernel.registerCall("tlb_remove_table_smp_sync", nothing);
  }

  override *freeAlone(k: Context, page: KPtr): Work {
    const others = new CpuSet(k.kernel.sched.online.words.slice());
    others.delete(k.cpu.id);
    yield* smpCallFunctionMany(k, others, this.#syncKind, NULL, { wait: "wait" });
    memoryOf(k).putPage(k, page);
  }
}

/** The interrupt alone is what is wanted. */
function* nothing(): Work {}

export const A13: BrokenVariant = {
  id: "A13",
  title:
    "without memory for a batch, a table is freed after an interrupt of all cores, not after a grace period",
  catalogue: "A13",
  designs: SPF_MM,
  architectures: ARM64,
  invariants: ["I2"],
  needs: [],
  overrides: { tableBatches: FreesAfterInterrupt },
};
