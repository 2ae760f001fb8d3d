/** C09: a lazy core's walker goes on through a table that was freed. */
import { UNLESS_LAZY, X86Tlb } from "../../arch/x86/tlb.ts";
import type { SendOptions } from "../../cross-call.ts";
import { ALL_DESIGNS, type BrokenVariant, X86 } from "../variant.ts";

class LazyCoresSkipped extends X86Tlb {
  override sendOptions(): SendOptions {
    return UNLESS_LAZY;
  }
}

export const C09: BrokenVariant = {
  id: "C09",
  title: "lazy cores are left out of a flush although tables were freed",
  catalogue: "C09",
  designs: ALL_DESIGNS,
  architectures: X86,
  invariants: ["I2"],
  needs: [],
  overrides: { x86Tlb: LazyCoresSkipped },
};
