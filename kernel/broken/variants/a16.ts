/**
 * A16: the copy is made and checked, and yet the new page's place in the reverse map is read from the VMA itself, when it
 * is needed and a field at a time: a split gives it the start from before and the offset from after, and so the wrong
 * index.
 */
import type { Context, Work } from "../../context.ts";
import { COST_ACCESS } from "../../costs.ts";
import { SpfMm } from "../../mm/designs/index.ts";
import { FAULT_FLAG_SPECULATIVE, type FaultState } from "../../mm/fault-state.ts";
import { vmAnonVma, vmPgoff, vmStart } from "../../mm/vma.ts";
import { type BrokenVariant, SPF_MM } from "../variant.ts";

/** Reads the fields of page_add_new_anon_rmap() in its order. */
class LiveVma extends SpfMm {
  override *pteMapLock(k: Context, f: FaultState): Work<boolean> {
    if (!(yield* super.pteMapLock(k, f))) return false;
    if ((f.flags & FAULT_FLAG_SPECULATIVE) === 0) return true;
    const { ram } = k;
    if (k.point(COST_ACCESS)) yield;
    vmAnonVma.set(ram, f.vma, vmAnonVma.get(ram, f.found));
    if (k.point(COST_ACCESS)) yield;
    vmStart.set(ram, f.vma, vmStart.get(ram, f.found));
    if (k.point(COST_ACCESS)) yield;
    vmPgoff.set(ram, f.vma, vmPgoff.get(ram, f.found));
    return true;
  }
}

export const A16: BrokenVariant = {
  id: "A16",
  title: "the new page's index in the reverse map is read from the VMA in the tree, not from its copy",
  catalogue: "A16",
  designs: SPF_MM,
  invariants: ["I9", "I1"],
  needs: [],
  overrides: { spfMm: LiveVma },
};
