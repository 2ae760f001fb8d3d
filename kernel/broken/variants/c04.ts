/** C04: the second of two MADV_DONTNEED finds empty entries and returns before the first has flushed. */
import { Gather } from "../../mm/gather.ts";
import { ALL_DESIGNS, type BrokenVariant } from "../variant.ts";

class NeverNested extends Gather {
  override isNested(): boolean {
    return false;
  }
}

export const C04: BrokenVariant = {
  id: "C04",
  title: "a gather does not flush for another one that is in progress (mm_tlb_flush_nested)",
  catalogue: "C04",
  designs: ALL_DESIGNS,
  invariants: ["I4", "I3"],
  needs: [],
  overrides: { gather: NeverNested },
};
