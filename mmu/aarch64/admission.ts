/**
 * Which pages of the modelled first level enter the fast TLB, and with which tags. No page enters from accesses that
 * PSTATE.PAN does not govern, as their rights are not those of a regime; none in exploring runs, where every access is an
 * event; no data page of Device memory or under SCTLR_EL1.A, where alignment is checked. A tagged address lets the
 * page in without the tag, so that accesses with one stay slow.
 */
import type { FastKeeper } from "../fast-keeper.ts";
import { FRAME_CODE, FRAME_DIRTY, FRAME_MONITORED, FRAME_WATCHED, type PhysicalMemory } from "../memory.ts";
import { ATTRIBUTE_HELD_FAST, ENTRY_ATTRIBUTES } from "../set-array.ts";
import { type EventBudget, FETCH, IMPLICIT, SUPERVISOR, WRITE } from "../translation.ts";
import { SCTLR_HI_EPAN } from "./descriptors.ts";
import { ATTRIBUTE_DIRTY, ATTRIBUTE_EL0, ATTRIBUTE_UXN, S_SCTLR_HI, S_SLOW_DATA } from "./layout.ts";
import { isPermitted } from "./rights.ts";

export class Admission {
  readonly #words: Int32Array;
  readonly #ram: PhysicalMemory;
  readonly #budget: EventBudget;
  readonly #keeper: FastKeeper;

  constructor(words: Int32Array, ram: PhysicalMemory, budget: EventBudget, keeper: FastKeeper) {
    this.#words = words;
    this.#ram = ram;
    this.#budget = budget;
    this.#keeper = keeper;
  }

  /**
   * The access may go ahead, to a frame below 2^32 in RAM or not; lets its page in by the first-level entry at word
   * index `first`. `isDevice` is 1 for Device memory. @hot
   */
  admit(
    first: number,
    lo: number,
    hi: number,
    kind: number,
    privilege: number,
    frame: number,
    isDevice: number,
  ): void {
    if (frame >= this.#ram.frames || privilege === IMPLICIT || this.#budget.exploring) return;
    if (kind === FETCH) {
      this.#words[first + ENTRY_ATTRIBUTES] |= ATTRIBUTE_HELD_FAST;
      this.#keeper.insertExec(lo, hi, privilege, frame << 12);
    } else if (isDevice === 0 && this.#words[S_SLOW_DATA] === 0) {
      this.#admitData(first, lo, hi, kind, privilege, frame);
    }
  }

  /** @hot */
  #admitData(first: number, lo: number, hi: number, kind: number, privilege: number, frame: number): void {
    const words = this.#words;
    const flags = this.#ram.frameFlags[frame];
    if ((flags & FRAME_WATCHED) !== 0) return;
    const attributes = words[first + ENTRY_ATTRIBUTES];
    let writable = 0;
    if (kind === WRITE) {
      this.#ram.markDirty(frame);
      writable =
        (flags & (FRAME_CODE | FRAME_MONITORED)) === 0 && (attributes & ATTRIBUTE_DIRTY) !== 0 ? 1 : 0;
    } else if (flags === FRAME_DIRTY && (attributes & ATTRIBUTE_DIRTY) !== 0) {
      writable = isPermitted(words, attributes, WRITE, privilege) ? 1 : 0;
    }
    words[first + ENTRY_ATTRIBUTES] = attributes | ATTRIBUTE_HELD_FAST;
    const marked = privilege === SUPERVISOR && this.#hangsOnPan(attributes) ? 1 : 0;
    this.#keeper.insertData(lo, hi, privilege, frame << 12, writable, marked);
  }

  /** @hot */
  #hangsOnPan(attributes: number): boolean {
    if ((attributes & ATTRIBUTE_EL0) !== 0) return true;
    return (this.#words[S_SCTLR_HI] & SCTLR_HI_EPAN) !== 0 && (attributes & ATTRIBUTE_UXN) === 0;
  }
}
