/**
 * C27: a core in the middle of switch_mm has read the generation and set its bit, but says LOADED_MM_SWITCHING or the
 * old mm; whoever goes by what it says sends it nothing.
 */
import { loadedMm, X86Tlb } from "../../arch/x86/tlb.ts";
import type { Context } from "../../context.ts";
import type { SendOptions } from "../../cross-call.ts";
import { percpuOf } from "../../percpu.ts";
import type { KPtr } from "../../struct.ts";
import { ALL_DESIGNS, type BrokenVariant, X86 } from "../variant.ts";

class ByLoadedMm extends X86Tlb {
  override sendOptions(mm: KPtr, tables: "tables-freed" | "tables-kept"): SendOptions {
    const { wait, condition } = super.sendOptions(mm, tables);
    const isLoaded = (k: Context, cpu: number): boolean =>
      loadedMm.get(k.ram, percpuOf(k.kernel, cpu)) === mm && (condition === undefined || condition(k, cpu));
    return { wait, condition: isLoaded };
  }
}

export const C27: BrokenVariant = {
  id: "C27",
  title: "a flusher leaves out cores of the mask whose loaded_mm is not the mm, even while they switch to it",
  catalogue: "C27",
  designs: ALL_DESIGNS,
  architectures: X86,
  invariants: ["I4", "I3"],
  needs: [],
  overrides: { x86Tlb: ByLoadedMm },
};
