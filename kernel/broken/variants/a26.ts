/**
 * A26: the search for an anon_vma to share reads the neighbours of a VMA that only its address is left of, and takes the
 * lock of an anon_vma that a writer may be freeing.
 */
import type { Context, Work } from "../../context.ts";
import { anonVmaPrepare } from "../../mm/anon-vma.ts";
import { SpfMm } from "../../mm/designs/index.ts";
import type { FaultState } from "../../mm/fault-state.ts";
import { vmAnonVma } from "../../mm/vma.ts";
import { type BrokenVariant, SPF_MM } from "../variant.ts";

class AnonVmaPrepared extends SpfMm {
  override *anonVmaMissing(k: Context, f: FaultState): Work<boolean> {
    if ((yield* anonVmaPrepare(k, f.found)) !== 0) return yield* super.anonVmaMissing(k, f);
    vmAnonVma.set(k.ram, f.vma, vmAnonVma.get(k.ram, f.found));
    return true;
  }
}

export const A26: BrokenVariant = {
  id: "A26",
  title: "__anon_vma_prepare() is called without mmap_lock",
  catalogue: "A26",
  designs: SPF_MM,
  invariants: ["I11", "I9"],
  needs: [],
  overrides: { spfMm: AnonVmaPrepared },
};
