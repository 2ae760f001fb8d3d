/** A12: nobody answers a flush that interrupts nobody, so interrupts off keep no table. */
import type { Context, Work } from "../../context.ts";
import { irqRestore, irqSave } from "../../locking/spinlock.ts";
import { SpfMm } from "../../mm/designs/index.ts";
import { Gather } from "../../mm/gather.ts";
import type { KPtr } from "../../struct.ts";
import { ARM64, type BrokenVariant, SPF_MM } from "../variant.ts";

class FreesAfterFlush extends Gather {
  override queueTable(k: Context, page: KPtr): Work {
    return this.queueWithPages(k, page);
  }
}

class WalksWithInterruptsOff extends SpfMm {
  override walkBegin(k: Context): boolean {
    return irqSave(k);
  }

  override walkEnd(k: Context, enabled: boolean): void {
    irqRestore(k, enabled);
  }
}

export const A12: BrokenVariant = {
  id: "A12",
  title: "tables are walked with interrupts off only, and freed right after the TLBI, without a grace period",
  catalogue: "A12",
  designs: SPF_MM,
  architectures: ARM64,
  invariants: ["I2"],
  needs: [],
  overrides: { spfMm: WalksWithInterruptsOff, gather: FreesAfterFlush },
};
