/**
 * A TLB: a set-associative array of leaf translations. First-level TLBs say which fast-TLB tags are copies of their
 * entries, so that no tag outlives its entry. A structure that several page sizes share is probed once per size.
 */
import type { FastKeeper } from "./fast-keeper.ts";
import {
  type ArrayGeometry,
  type ArrayHost,
  type ArrayPlace,
  ATTRIBUTE_HELD_FAST,
  ENTRY_ATTRIBUTES,
  ENTRY_KEY_HI,
  SetArray,
} from "./set-array.ts";

/** Which fast-TLB tags come from a TLB. */
export type FastRole = "none" | "data" | "exec";

export class Tlb extends SetArray {
  protected override readonly leadsTo = "frame";
  readonly #keeper: FastKeeper;
  readonly #role: FastRole;

  constructor(
    host: ArrayHost,
    geometry: ArrayGeometry,
    place: ArrayPlace,
    keeper: FastKeeper,
    role: FastRole,
  ) {
    super(host, geometry, place);
    this.#keeper = keeper;
    this.#role = role;
  }

  protected override leaving(at: number): void {
    const words = this.words;
    if ((words[at + ENTRY_ATTRIBUTES] & ATTRIBUTE_HELD_FAST) === 0) return;
    const shift = words[at] & 0x3f;
    const lo = words[at] & ~0x3f;
    if (this.#role === "data") this.#keeper.dropData(lo, words[at + ENTRY_KEY_HI], shift);
    else if (this.#role === "exec") this.#keeper.dropExec(lo, words[at + ENTRY_KEY_HI], shift);
  }
}
