/** C28: between the two no flush reaches the core, whose root is still the old one. */
import { X86Tlb } from "../../arch/x86/tlb.ts";
import type { Context, Work } from "../../context.ts";
import { COST_ACCESS, COST_ATOMIC } from "../../costs.ts";
import { mmCpumask } from "../../mm/mm-struct.ts";
import type { KPtr } from "../../struct.ts";
import { ALL_DESIGNS, type BrokenVariant, X86 } from "../variant.ts";

class LeavesMaskFirst extends X86Tlb {
  override *changeRoot(k: Context, real: KPtr, next: KPtr, asid: number, flag: number): Work {
    if (real !== next && real !== this.initMm) {
      if (k.point(COST_ATOMIC)) yield;
      mmCpumask.delete(k.ram, real, k.cpu.id);
    }
    if (k.point(COST_ACCESS)) yield;
    this.loadRoot(k, next, asid, flag);
  }
}

export const C28: BrokenVariant = {
  id: "C28",
  title: "switch_mm clears the core's bit of the old mm before the new root is loaded",
  catalogue: "C28",
  designs: ALL_DESIGNS,
  architectures: X86,
  invariants: ["I2", "I3", "I4"],
  needs: [],
  overrides: { x86Tlb: LeavesMaskFirst },
};
