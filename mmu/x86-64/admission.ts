/**
 * Which pages of the modelled first level enter the fast TLB, and with which tags. No page enters from implicit
 * accesses, as their rights are not those of a regime; none in exploring runs, where every access is an event.
 */
import type { FastKeeper } from "../fast-keeper.ts";
import { FRAME_CODE, FRAME_DIRTY, FRAME_MONITORED, FRAME_WATCHED, type PhysicalMemory } from "../memory.ts";
import { ATTRIBUTE_HELD_FAST, ENTRY_ATTRIBUTES } from "../set-array.ts";
import { type EventBudget, FETCH, IMPLICIT, SUPERVISOR, USER, WRITE } from "../translation.ts";
import { ATTRIBUTE_D, ATTRIBUTE_US, S_SLOW_USER } from "./layout.ts";
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
   * index `first`. @hot
   */
  admit(first: number, lo: number, hi: number, kind: number, privilege: number, frame: number): void {
    if (frame >= this.#ram.frames || privilege === IMPLICIT || this.#budget.exploring) return;
    if (kind === FETCH) {
      this.#words[first + ENTRY_ATTRIBUTES] |= ATTRIBUTE_HELD_FAST;
      this.#keeper.insertExec(lo, hi, privilege, frame << 12);
    } else {
      this.#admitData(first, lo, hi, kind, privilege, frame);
    }
  }

  /** @hot */
  #admitData(first: number, lo: number, hi: number, kind: number, privilege: number, frame: number): void {
    const words = this.#words;
    const flags = this.#ram.frameFlags[frame];
    if ((flags & FRAME_WATCHED) !== 0 || (privilege === USER && words[S_SLOW_USER] !== 0)) return;
    const attributes = words[first + ENTRY_ATTRIBUTES];
    let writable = 0;
    if (kind === WRITE) {
      this.#ram.markDirty(frame);
      writable = (flags & (FRAME_CODE | FRAME_MONITORED)) === 0 ? 1 : 0;
    } else if (flags === FRAME_DIRTY && (attributes & ATTRIBUTE_D) !== 0) {
      writable = isPermitted(words, attributes, WRITE, privilege) ? 1 : 0;
    }
    words[first + ENTRY_ATTRIBUTES] = attributes | ATTRIBUTE_HELD_FAST;
    const marked = privilege === SUPERVISOR ? attributes & ATTRIBUTE_US : 0;
    this.#keeper.insertData(lo, hi, privilege, frame << 12, writable, marked);
  }
}
