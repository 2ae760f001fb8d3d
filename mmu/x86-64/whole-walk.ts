/**
 * A walk in one go, for timed runs: what Walker (walker.ts, the manual's steps) does up to the fill or a fault, followed
 * by the fill, with the walk's state in locals. It takes the common course alone: tables in RAM, entries that refer to
 * tables with A = 1, and at the end a 4 KiB page that permits the access, or an entry with P = 0. Whatever else it meets
 * it leaves to Walker, in a walk record that stands before the read in question. Nobody acts between a lookup and its
 * walk in a timed run, so the entries made here are known to be missing. Ledgers hear of Walker's steps only.
 *
 * measured: a fault on a page and the walk after its return, 1.2 to 0.6 µs, Node 20.20.
 */
import type { PhysicalMemory } from "../memory.ts";
import {
  ATTRIBUTE_GLOBAL,
  ENTRY_ATTRIBUTES,
  ENTRY_FRAME_HI,
  ENTRY_FRAME_LO,
  type SetArray,
} from "../set-array.ts";
import { FETCH, WRITE } from "../translation.ts";
import type { WalkCache } from "../walk-cache.ts";
import type { X86Caches } from "./caches.ts";
import {
  ATTRIBUTE_D,
  ATTRIBUTE_KEY_SHIFT,
  PHASE_READ,
  S_CR3_HI,
  S_CR3_LO,
  S_CR4,
  S_LEVELS,
  S_OCCUPIED,
  S_PCID,
  S_RESERVED_HI,
  S_STALL,
  S_WALK,
  W_HI,
  W_KIND,
  W_LEVEL,
  W_LO,
  W_PHASE,
  W_PRIVILEGE,
  W_RIGHTS,
  W_TABLE_HI,
  W_TABLE_LO,
} from "./layout.ts";
import { CR4_PGE, levelShift, PTE_A, PTE_D, PTE_G, PTE_P, PTE_PS, tableIndex } from "./paging.ts";
import type { X86TranslationProfile } from "./profiles.ts";
import { isPermitted } from "./rights.ts";

/** Results of walk() other than the word index of the first-level entry. */
export const WHOLE_NOT_PRESENT = -1;
/** The record S_WALK is set; Walker goes on. */
export const WHOLE_LEFT = -2;

export class WholeWalk {
  /**
   * Level of the entry that ended the last walk with WHOLE_NOT_PRESENT. Paging-structure caches of this level and below
   * hold nothing for the address then.
   */
  level = 0;
  /** Level of the paging-structure cache that the walk starts from. */
  #startLevel = 0;
  readonly #words: Int32Array;
  readonly #ram: PhysicalMemory;
  readonly #i32: Int32Array;
  readonly #frames: number;
  readonly #walkCaches: readonly (WalkCache | null)[];
  readonly #l1d: SetArray;
  readonly #l1i: SetArray;
  readonly #stlb: SetArray;
  readonly #readCycles: number;
  readonly #updateCycles: number;

  constructor(words: Int32Array, ram: PhysicalMemory, profile: X86TranslationProfile, caches: X86Caches) {
    this.#words = words;
    this.#ram = ram;
    this.#i32 = ram.i32;
    this.#frames = ram.frames;
    this.#walkCaches = caches.walkCaches;
    this.#l1d = caches.l1d4k;
    this.#l1i = caches.l1i4k;
    this.#stlb = caches.stlb;
    this.#readCycles = profile.walkReadCycles;
    this.#updateCycles = profile.updateCycles;
  }

  /**
   * Walks for an access that has just missed both levels; the address is canonical and paging is on. Returns the word
   * index of the first-level entry filled, or one of the results above. @hot
   */
  walk(lo: number, hi: number, kind: number, privilege: number): number {
    const words = this.#words;
    const i32 = this.#i32;
    const context = words[S_PCID];
    const root = (words[S_CR3_LO] >>> 12) | (words[S_CR3_HI] << 20);
    let level = words[S_LEVELS];
    let table = root;
    let tableHi = (words[S_CR3_HI] >>> 12) & 0xff;
    let rights = 3;
    const at = this.#start(lo, hi, level, context);
    if (at >= 0) {
      level = this.#startLevel - 1;
      table = words[at + ENTRY_FRAME_LO];
      tableHi = words[at + ENTRY_FRAME_HI];
      rights = words[at + ENTRY_ATTRIBUTES] & 7;
    }
    while (tableHi === 0 && table >>> 0 < this.#frames) {
      const slot = (table << 10) | (tableIndex(lo, hi, level) << 1) | 0;
      let entryLo = i32[slot];
      const entryHi = i32[slot + 1];
      if ((entryLo & PTE_P) === 0) {
        words[S_STALL] += this.#readCycles;
        this.level = level;
        return WHOLE_NOT_PRESENT;
      }
      if ((entryHi & words[S_RESERVED_HI]) !== 0) break;
      const here = ((entryLo >>> 1) & 3) | ((entryHi >>> 31) << 2);
      const below = (rights & here & 3) | ((rights | here) & 4);
      const frame = (entryLo >>> 12) | (entryHi << 20);
      const frameHi = (entryHi >>> 12) & 0xff;
      if (level === 1) {
        const need = kind === WRITE ? PTE_A | PTE_D : PTE_A;
        let attributes = below | (((entryHi >>> 27) & 15) << ATTRIBUTE_KEY_SHIFT);
        if (!isPermitted(words, attributes, kind, privilege)) break;
        words[S_STALL] += this.#readCycles;
        if ((entryLo & need) !== need) {
          words[S_STALL] += this.#updateCycles;
          entryLo |= need;
          this.#ram.write32((slot << 2) >>> 0, entryLo);
        }
        if ((entryLo & PTE_D) !== 0) attributes |= ATTRIBUTE_D;
        if ((entryLo & PTE_G) !== 0 && (words[S_CR4] & CR4_PGE) !== 0) attributes |= ATTRIBUTE_GLOBAL;
        const second = this.#stlb.claimMissing(lo, hi, 12, context);
        this.#stlb.complete(second, attributes, frame, frameHi, slot, root);
        const tlb = kind === FETCH ? this.#l1i : this.#l1d;
        const first = tlb.claimMissing(lo, hi, 12, context);
        tlb.complete(first, attributes, frame, frameHi, slot, root);
        return first;
      }
      if ((entryLo & (PTE_A | PTE_PS)) !== PTE_A) break;
      words[S_STALL] += this.#readCycles;
      const cache = this.#walkCaches[level]!;
      const entry = cache.claimMissing(lo, hi, levelShift(level), context);
      cache.complete(entry, below, frame, frameHi, slot, root);
      table = frame;
      tableHi = frameHi;
      rights = below;
      level--;
    }
    this.#leave(lo, hi, kind, privilege);
    words[S_WALK + W_LEVEL] = level;
    words[S_WALK + W_TABLE_LO] = table;
    words[S_WALK + W_TABLE_HI] = tableHi;
    words[S_WALK + W_RIGHTS] = rights;
    return WHOLE_LEFT;
  }

  /** Step 1: the deepest paging-structure-cache entry for the address, or -1; sets #startLevel. @hot */
  #start(lo: number, hi: number, levels: number, context: number): number {
    const occupied = this.#words[S_OCCUPIED];
    for (let level = 2; level <= levels; level++) {
      const cache = this.#walkCaches[level]!;
      if ((occupied & cache.bit) === 0) continue;
      const at = cache.find(lo, hi, levelShift(level), context);
      if (at < 0) continue;
      this.#startLevel = level;
      return at;
    }
    return -1;
  }

  #leave(lo: number, hi: number, kind: number, privilege: number): void {
    const words = this.#words;
    words[S_WALK + W_LO] = lo;
    words[S_WALK + W_HI] = hi;
    words[S_WALK + W_KIND] = kind;
    words[S_WALK + W_PRIVILEGE] = privilege;
    words[S_WALK + W_PHASE] = PHASE_READ;
  }
}
