/** C10: the flush of single pages that arrives first takes the core to a generation whose other flush it has not done. */
import { X86Tlb } from "../../arch/x86/tlb.ts";
import { ALL_DESIGNS, type BrokenVariant, X86 } from "../variant.ts";

class AnyOrder extends X86Tlb {
  override isNext(): boolean {
    return true;
  }
}

export const C10: BrokenVariant = {
  id: "C10",
  title: "a flush of single pages is believed enough whichever generation the core has",
  catalogue: "C10",
  designs: ALL_DESIGNS,
  architectures: X86,
  invariants: ["I4"],
  needs: [],
  overrides: { x86Tlb: AnyOrder },
};
