/**
 * C13: the ASID allocator's rollover, each of its four rules left out once: two address spaces come to share an ASID. One
 * finds what the other has left under it; or a flush names an ASID that not every core runs under, and one that missed it
 * has the old page where the others have the new one.
 */
import { Asids, type AsidsClass, reservedAsids } from "../../arch/arm64/asid.ts";
import type { Context } from "../../context.ts";
import type { KPtr } from "../../struct.ts";
import { ALL_DESIGNS, ARM64, type BrokenVariant } from "../variant.ts";

/** A core that has not switched since the last rollover has nothing that says under which ASID it runs. */
class ForgetsReserved extends Asids {
  override keptAsid(_k: Context, _core: KPtr, active: number): number {
    return active;
  }
}

/** Another core that runs the address space keeps the old id, and so loses it to the next rollovers. */
class RenewsOne extends Asids {
  override updateReserved(k: Context, id: number, newId: number): boolean {
    for (let cpu = this.cores - 1; cpu >= 0; cpu--) {
      if (reservedAsids.get(k.ram, this.core(cpu)) !== id) continue;
      reservedAsids.set(k.ram, this.core(cpu), newId);
      return true;
    }
    return false;
  }
}

/** The TLB still has what the ASID's last owner left there. */
class SkipsFlush extends Asids {
  override takeFlushPending(k: Context): boolean {
    super.takeFlushPending(k);
    return false;
  }
}

/** An id of an old generation is taken for one of this. */
class IgnoresGeneration extends Asids {
  override isCurrent(_k: Context, id: number): boolean {
    return id !== 0;
  }
}

export const C13A: BrokenVariant = variant(
  "C13a",
  "a rollover forgets what a core runs under that has not switched since the last one",
  ForgetsReserved,
);
export const C13B: BrokenVariant = variant(
  "C13b",
  "an address space's new id reaches the reserved ASID of only one of the cores that run it",
  RenewsOne,
);
export const C13C: BrokenVariant = variant(
  "C13c",
  "a core does not flush its TLB at its first switch after a rollover",
  SkipsFlush,
);
export const C13D: BrokenVariant = variant(
  "C13d",
  "switch_mm's fast path does not compare the generation",
  IgnoresGeneration,
);

function variant(id: string, title: string, arm64Asids: AsidsClass): BrokenVariant {
  return {
    id,
    title,
    catalogue: "C13",
    designs: ALL_DESIGNS,
    architectures: ARM64,
    invariants: ["I7"],
    needs: ["few ASIDs"],
    overrides: { arm64Asids },
  };
}
