/** C12: an address space begins under a PCID that still has the translations of another one. */
import { X86Tlb } from "../../arch/x86/tlb.ts";
import { ALL_DESIGNS, type BrokenVariant, X86 } from "../variant.ts";

class SlotNotFlushed extends X86Tlb {
  override isUsed(): boolean {
    return false;
  }
}

export const C12: BrokenVariant = {
  id: "C12",
  title: "a context slot (PCID) is taken for another address space without a flush",
  catalogue: "C12",
  designs: ALL_DESIGNS,
  architectures: X86,
  invariants: ["I7", "I4"],
  needs: ["two context slots"],
  overrides: { x86Tlb: SlotNotFlushed },
};
