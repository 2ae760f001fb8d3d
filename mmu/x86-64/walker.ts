/**
 * The page walker of 4-level and 5-level paging: Intel SDM vol. 3A 4.5.4 (linear-address translation), 4.8 (accessed
 * and dirty flags) and 4.10.3 (paging-structure caches). A step function over an explicit walk record in the core's
 * words (layout.ts): one step is one table read or one A/D update, so that a scheduler can let other cores change the
 * tables in between. The fill and the access are steps of the translation unit. Timed runs take the common course of a
 * walk in one go (whole-walk.ts).
 *
 * Steps of a walk:
 * 1. Start at the deepest paging-structure-cache entry that matches the address and the PCID, else at CR3.
 * 2. Read the entry of the level's table.
 * 3. P = 0: not present. A reserved bit set: reserved-bit. Either ends the walk; nothing is cached.
 * 4. An entry that refers to a table: set A by compare-and-swap if it is clear (an entry that changed meanwhile goes
 *    back to step 3 with its new value), enter it into the paging-structure cache, and go on with step 2 a level down.
 *    A is set even if the rights so far rule the access out: the entry is used.
 * 5. A leaf: check the rights of the whole walk (protection or protection-key); then set A, and D for a write, in
 *    the same manner; then the translation may be cached, since A is 1 in every entry used.
 *
 * Physical addresses outside RAM read as all ones.
 */
import type { CoherenceLedger } from "../ledger.ts";
import type { PhysicalMemory } from "../memory.ts";
import {
  ATTRIBUTE_GLOBAL,
  ENTRY_ATTRIBUTES,
  ENTRY_CONTEXT,
  ENTRY_FRAME_HI,
  ENTRY_FRAME_LO,
  ENTRY_KEY_HI,
  ENTRY_KEY_LO,
  ENTRY_ROOT,
  ENTRY_SLOT,
  keyLo,
} from "../set-array.ts";
import { type TranslationCause, WRITE } from "../translation.ts";
import type { WalkCache } from "../walk-cache.ts";
import {
  ATTRIBUTE_D,
  ATTRIBUTE_KEY_SHIFT,
  PHASE_FAULT,
  PHASE_FILL,
  PHASE_READ,
  PHASE_UPDATE,
  S_CR3_HI,
  S_CR3_LO,
  S_CR4,
  S_LEVELS,
  S_OCCUPIED,
  S_PCID,
  S_RESERVED_HI,
  S_STALL,
  W_ENTRY_HI,
  W_ENTRY_LO,
  W_HI,
  W_IMAGE,
  W_KIND,
  W_LEVEL,
  W_LO,
  W_NEED,
  W_PHASE,
  W_PRIVILEGE,
  W_RIGHTS,
  W_SLOT,
  W_TABLE_HI,
  W_TABLE_LO,
} from "./layout.ts";
import {
  CR4_PGE,
  levelShift,
  PDE_LEAF_RESERVED,
  PDPTE_LEAF_RESERVED,
  PTE_A,
  PTE_D,
  PTE_G,
  PTE_P,
  PTE_PS,
  tableIndex,
} from "./paging.ts";
import type { X86TranslationProfile } from "./profiles.ts";
import { isPermitted, keyDenies } from "./rights.ts";

/** Privilege of a speculative walk: no rights are checked, D is never set. */
export const SPECULATIVE = 3;

export interface WalkerParts {
  readonly core: number;
  readonly words: Int32Array;
  readonly ram: PhysicalMemory;
  readonly profile: X86TranslationProfile;
  readonly ledger: CoherenceLedger | null;
  /** Paging-structure caches by the level of the entries they hold: index 2 PDE … 5 PML5E. */
  readonly caches: readonly (WalkCache | null)[];
}

export class Walker {
  /** Why the last walk that ended in PHASE_FAULT did, and the level of the entry. Not saved: read at once. */
  cause: TranslationCause = "none";
  level = 0;
  readonly #core: number;
  readonly #words: Int32Array;
  readonly #record: number;
  readonly #ram: PhysicalMemory;
  readonly #i32: Int32Array;
  readonly #frames: number;
  readonly #ledger: CoherenceLedger | null;
  readonly #caches: readonly (WalkCache | null)[];
  readonly #readCycles: number;
  readonly #updateCycles: number;

  /** @param record word index of the walk record */
  constructor(parts: WalkerParts, record: number) {
    this.#core = parts.core;
    this.#words = parts.words;
    this.#record = record;
    this.#ram = parts.ram;
    this.#i32 = parts.ram.i32;
    this.#frames = parts.ram.frames;
    this.#ledger = parts.ledger;
    this.#caches = parts.caches;
    this.#readCycles = parts.profile.walkReadCycles;
    this.#updateCycles = parts.profile.updateCycles;
  }

  /** Step 1. The address is canonical and paging is on. @hot */
  start(lo: number, hi: number, kind: number, privilege: number): void {
    const words = this.#words;
    const r = this.#record;
    words[r + W_LO] = lo;
    words[r + W_HI] = hi;
    words[r + W_KIND] = kind;
    words[r + W_PRIVILEGE] = privilege;
    words[r + W_PHASE] = PHASE_READ;
    const levels = words[S_LEVELS];
    const context = words[S_PCID];
    const occupied = words[S_OCCUPIED];
    for (let level = 2; level <= levels; level++) {
      const cache = this.#caches[level]!;
      if ((occupied & cache.bit) === 0) continue;
      const at = cache.find(lo, hi, levelShift(level), context);
      if (at < 0) continue;
      if (this.#ledger !== null) this.#use(this.#ledger, cache, at, level, lo, hi);
      words[r + W_LEVEL] = level - 1;
      words[r + W_TABLE_LO] = words[at + ENTRY_FRAME_LO];
      words[r + W_TABLE_HI] = words[at + ENTRY_FRAME_HI];
      words[r + W_RIGHTS] = words[at + ENTRY_ATTRIBUTES] & 7;
      return;
    }
    words[r + W_LEVEL] = levels;
    words[r + W_TABLE_LO] = (words[S_CR3_LO] >>> 12) | (words[S_CR3_HI] << 20);
    words[r + W_TABLE_HI] = (words[S_CR3_HI] >>> 12) & 0xff;
    words[r + W_RIGHTS] = 3;
  }

  /** The walk starts at a paging-structure-cache entry of a level. */
  #use(ledger: CoherenceLedger, cache: WalkCache, at: number, level: number, lo: number, hi: number): void {
    ledger.use(cache.holdingOf(at), lo, hi);
    const { maySets } = ledger;
    if (maySets === null || !maySets.checksUses) return;
    const words = this.#words;
    const frame = (words[at + ENTRY_FRAME_LO] >>> 0) + words[at + ENTRY_FRAME_HI] * 0x1_0000_0000;
    maySets.walkUsed(this.#core, words[S_PCID], lo, hi, level, words[at + ENTRY_ATTRIBUTES] & 7, frame);
  }

  /** The record is that of a walk for this access. */
  isFor(lo: number, hi: number, kind: number, privilege: number): boolean {
    const words = this.#words;
    const r = this.#record;
    return (
      words[r + W_LO] === lo &&
      words[r + W_HI] === hi &&
      words[r + W_KIND] === kind &&
      words[r + W_PRIVILEGE] === privilege
    );
  }

  /** One step in PHASE_READ or PHASE_UPDATE; returns the phase after it. @hot */
  step(): number {
    return this.#words[this.#record + W_PHASE] === PHASE_READ ? this.#read() : this.#update();
  }

  /** All steps up to the fill or a fault, for timed runs: nobody acts in between. @hot */
  run(): number {
    let phase = this.#words[this.#record + W_PHASE];
    do phase = phase === PHASE_READ ? this.#read() : this.#update();
    while (phase < PHASE_FILL);
    return phase;
  }

  /** Step 2. @hot */
  #read(): number {
    const words = this.#words;
    const r = this.#record;
    words[S_STALL] += this.#readCycles;
    const level = words[r + W_LEVEL];
    const table = words[r + W_TABLE_LO];
    if (words[r + W_TABLE_HI] !== 0 || table >>> 0 >= this.#frames) {
      words[r + W_SLOT] = -1;
      return this.#judge(level, -1, -1);
    }
    if (this.#ledger !== null) this.#ledger.tableRead(table, words[r + W_LO], words[r + W_HI]);
    const slot = (table << 10) | (tableIndex(words[r + W_LO], words[r + W_HI], level) << 1) | 0;
    words[r + W_SLOT] = slot;
    return this.#judge(level, this.#i32[slot], this.#i32[slot + 1]);
  }

  /** The update of steps 4 and 5: atomic, on the entry as it was judged or not at all. @hot */
  #update(): number {
    const words = this.#words;
    const r = this.#record;
    words[S_STALL] += this.#updateCycles;
    const slot = words[r + W_SLOT];
    const level = words[r + W_LEVEL];
    const lo = this.#i32[slot];
    const hi = this.#i32[slot + 1];
    if (lo !== words[r + W_ENTRY_LO] || hi !== words[r + W_ENTRY_HI]) return this.#judge(level, lo, hi);
    const updated = lo | words[r + W_NEED];
    this.#ram.updateEntry32((slot << 2) >>> 0, updated);
    if (level === 1 || (lo & PTE_PS) !== 0) return this.#finish(level, updated, hi);
    return this.#descend(level, updated, hi);
  }

  /** Steps 3 to 5 on an entry, as far as they go without touching memory. @hot */
  #judge(level: number, lo: number, hi: number): number {
    const words = this.#words;
    const r = this.#record;
    if ((lo & PTE_P) === 0) return this.#fail("not-present");
    if ((hi & words[S_RESERVED_HI]) !== 0) return this.#fail("reserved-bit");
    if (level > 1) {
      if ((lo & PTE_PS) === 0) {
        return (lo & PTE_A) !== 0 ? this.#descend(level, lo, hi) : this.#needs(PTE_A, lo, hi);
      }
      if (level > 3 || (lo & (level === 3 ? PDPTE_LEAF_RESERVED : PDE_LEAF_RESERVED)) !== 0) {
        return this.#fail("reserved-bit");
      }
    }
    const kind = words[r + W_KIND];
    const privilege = words[r + W_PRIVILEGE];
    const attributes = this.#attributes(lo, hi);
    if (privilege !== SPECULATIVE && !isPermitted(words, attributes, kind, privilege)) {
      return this.#fail(keyDenies(words, attributes, kind, privilege) ? "protection-key" : "protection");
    }
    const need = kind === WRITE ? PTE_A | PTE_D : PTE_A;
    return (lo & need) === need ? this.#finish(level, lo, hi) : this.#needs(need, lo, hi);
  }

  /** The entry needs bits set before it is used. @hot */
  #needs(bits: number, lo: number, hi: number): number {
    const words = this.#words;
    const r = this.#record;
    words[r + W_ENTRY_LO] = lo;
    words[r + W_ENTRY_HI] = hi;
    words[r + W_NEED] = bits;
    return (words[r + W_PHASE] = PHASE_UPDATE);
  }

  /** End of step 4: the entry refers to a table, is valid and has A = 1. @hot */
  #descend(level: number, lo: number, hi: number): number {
    const words = this.#words;
    const r = this.#record;
    const rights = combineRights(words[r + W_RIGHTS], lo, hi);
    const cache = this.#caches[level]!;
    const at = cache.claim(words[r + W_LO], words[r + W_HI], levelShift(level), words[S_PCID]);
    words[at + ENTRY_ATTRIBUTES] = rights;
    words[r + W_TABLE_LO] = words[at + ENTRY_FRAME_LO] = (lo >>> 12) | (hi << 20);
    words[r + W_TABLE_HI] = words[at + ENTRY_FRAME_HI] = (hi >>> 12) & 0xff;
    words[at + ENTRY_SLOT] = words[r + W_SLOT];
    words[at + ENTRY_ROOT] = (words[S_CR3_LO] >>> 12) | (words[S_CR3_HI] << 20);
    cache.settle(at);
    words[r + W_RIGHTS] = rights;
    words[r + W_LEVEL] = level - 1;
    return (words[r + W_PHASE] = PHASE_READ);
  }

  /** End of step 5: makes the image of the translation. @hot */
  #finish(level: number, lo: number, hi: number): number {
    const words = this.#words;
    const r = this.#record;
    const image = r + W_IMAGE;
    const shift = levelShift(level);
    words[image + ENTRY_KEY_LO] = keyLo(words[r + W_LO], shift);
    words[image + ENTRY_KEY_HI] = words[r + W_HI];
    words[image + ENTRY_CONTEXT] = words[S_PCID];
    words[image + ENTRY_ATTRIBUTES] = this.#attributes(lo, hi);
    const frame = (lo >>> 12) | (hi << 20);
    // Bits 20:13 and 29:13 of a large leaf are 0 here; bit 12 is PAT.
    words[image + ENTRY_FRAME_LO] = level > 1 ? frame & ~1 : frame;
    words[image + ENTRY_FRAME_HI] = (hi >>> 12) & 0xff;
    words[image + ENTRY_SLOT] = words[r + W_SLOT];
    words[image + ENTRY_ROOT] = (words[S_CR3_LO] >>> 12) | (words[S_CR3_HI] << 20);
    return (words[r + W_PHASE] = PHASE_FILL);
  }

  /** Attributes of a leaf. @hot */
  #attributes(lo: number, hi: number): number {
    const words = this.#words;
    let attributes =
      combineRights(words[this.#record + W_RIGHTS], lo, hi) | (((hi >>> 27) & 15) << ATTRIBUTE_KEY_SHIFT);
    if ((lo & PTE_D) !== 0) attributes |= ATTRIBUTE_D;
    if ((lo & PTE_G) !== 0 && (words[S_CR4] & CR4_PGE) !== 0) attributes |= ATTRIBUTE_GLOBAL;
    return attributes;
  }

  #fail(cause: TranslationCause): number {
    const words = this.#words;
    this.cause = cause;
    this.level = words[this.#record + W_LEVEL];
    return (words[this.#record + W_PHASE] = PHASE_FAULT);
  }
}

/** R/W and U/S ANDed, XD ORed over the entries of a walk. @hot */
function combineRights(above: number, lo: number, hi: number): number {
  const here = ((lo >>> 1) & 3) | ((hi >>> 31) << 2);
  return (above & here & 3) | ((above | here) & 4);
}
