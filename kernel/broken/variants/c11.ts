/** C11: a flusher that comes between the two sends nothing, and the core believes that its entries are new. */
import { X86Tlb } from "../../arch/x86/tlb.ts";
import type { Context, Work } from "../../context.ts";
import { COST_ACCESS, COST_ATOMIC } from "../../costs.ts";
import { mmCpumask, mmTlbGen } from "../../mm/mm-struct.ts";
import type { KPtr } from "../../struct.ts";
import { ALL_DESIGNS, type BrokenVariant, X86 } from "../variant.ts";

class GenerationFirst extends X86Tlb {
  override *joinMm(k: Context, next: KPtr): Work<number> {
    if (k.point(COST_ACCESS)) yield;
    const gen = mmTlbGen.get(k.ram, next);
    if (next !== this.initMm) {
      if (k.point(COST_ATOMIC)) yield;
      mmCpumask.add(k.ram, next, k.cpu.id);
    }
    return gen;
  }
}

export const C11: BrokenVariant = {
  id: "C11",
  title: "switch_mm reads the TLB generation before it sets the core's bit in mm_cpumask",
  catalogue: "C11",
  designs: ALL_DESIGNS,
  architectures: X86,
  invariants: ["I4", "I3"],
  needs: [],
  overrides: { x86Tlb: GenerationFirst },
};
