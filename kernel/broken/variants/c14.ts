/** C14: the sequence of a flush (DSB ISHST, TLBI …IS, DSB ISH), each part left out once. */
import type { TlbiInstruction } from "../../../emu/hardware.ts";
import { Arm64Tlb, type Arm64TlbClass } from "../../arch/arm64/tlb.ts";
import { type Context, NOTHING, type Work } from "../../context.ts";
import { ALL_DESIGNS, ARM64, type BrokenVariant } from "../variant.ts";

/** A walker that still reads the old entry fills it again behind the TLBI. */
class NotPublished extends Arm64Tlb {
  override publishStores(): Work {
    return NOTHING;
  }
}

/** The call goes on while other cores have not dropped the entry, or are in the middle of using it. */
class NotAwaited extends Arm64Tlb {
  override awaitAll(): Work {
    return NOTHING;
  }
}

/** Other cores keep the entry. */
class LocalOnly extends Arm64Tlb {
  override broadcast(k: Context, name: TlbiInstruction, lo: number, hi: number): void {
    super.broadcast(k, name.replace(/is$/, "") as TlbiInstruction, lo, hi);
  }
}

export const C14_ISHST: BrokenVariant = variant("C14-ishst", "no DSB ISHST before the TLBI", NotPublished);
export const C14_ISH: BrokenVariant = variant("C14-ish", "no DSB ISH after the TLBI", NotAwaited);
export const C14_LOCAL: BrokenVariant = variant(
  "C14-local",
  "TLBI in the form that reaches this core alone",
  LocalOnly,
);

function variant(id: string, title: string, arm64Tlb: Arm64TlbClass): BrokenVariant {
  return {
    id,
    title,
    catalogue: "C14",
    designs: ALL_DESIGNS,
    architectures: ARM64,
    invariants: ["I4", "I3"],
    needs: [],
    overrides: { arm64Tlb },
  };
}
