/**
 * A set-associative array of translation entries in int32 words: what a TLB and a paging-structure cache have in
 * common. Replacement is first-in first-out, or seeded random, and happens on fills only; a hit changes nothing (a
 * simplification: real ones approximate least-recently-used).
 *
 * Header of a set, two words: mask of valid ways, next way to replace. Entry, eight words:
 *
 *     0 keyLo    base address of the page or region, low half; bits 5:0 hold log2 of its size, so 0 means invalid
 *     1 keyHi
 *     2 context  the tag: PCID, ASID and VMID, PID and LPID
 *     3 attributes  rights, key, dirty as the architecture packs them; GLOBAL and HELD_FAST as here
 *     4 frameLo  number of the first 4 KiB frame that it leads to, bits 31:0
 *     5 frameHi  bits 39:32
 *     6 slot     provenance: physical address / 4 of the table slot that it was read from, -1 outside RAM
 *     7 root     frame number (low 32 bits) of the root table of the walk that filled it
 */
import type { CoherenceLedger } from "./ledger.ts";
import { nextRandom } from "./random.ts";
import type { TranslationObserver } from "./translation.ts";

export const ENTRY_WORDS = 8;
export const ENTRY_KEY_LO = 0;
export const ENTRY_KEY_HI = 1;
export const ENTRY_CONTEXT = 2;
export const ENTRY_ATTRIBUTES = 3;
export const ENTRY_FRAME_LO = 4;
export const ENTRY_FRAME_HI = 5;
export const ENTRY_SLOT = 6;
export const ENTRY_ROOT = 7;

/** Attribute: usable under every context. */
export const ATTRIBUTE_GLOBAL: number = 1 << 30;
/** Attribute: the fast TLB may hold tags copied from this entry. Upkeep only; no part of any hash. */
export const ATTRIBUTE_HELD_FAST: number = 1 << 31;

const SHIFT_MASK = 0x3f;
/** Any context, where one is asked for. */
export const ANY_CONTEXT = -1;

export interface ArrayGeometry {
  /** As it is printed, for example "L1D 4K". */
  readonly name: string;
  /** A power of two. */
  readonly sets: number;
  /** 1 … 31. */
  readonly ways: number;
}

/** What one core's arrays share. */
export interface ArrayHost {
  readonly core: number;
  readonly words: Int32Array;
  /** Word of the random generator; -1: replace first-in first-out. */
  readonly random: number;
  readonly observer: TranslationObserver | null;
  readonly ledger: CoherenceLedger | null;
  /** Number of the core's first entry in the ledger. */
  readonly holdings: number;
}

/** Where an array stands among the core's. */
export interface ArrayPlace {
  /** First word. */
  readonly base: number;
  /** The profile's index of the structure. */
  readonly structure: number;
  /** Number of its first entry among the core's entries. */
  readonly firstEntry: number;
}

/** Words of an array. */
export function arrayWords(geometry: ArrayGeometry): number {
  return geometry.sets * (2 + geometry.ways * ENTRY_WORDS);
}

/** Low key word of the region of 2^shift bytes, 12 ≤ shift < 64, that holds an address. @hot */
export function keyLo(lo: number, shift: number): number {
  return shift < 32 ? (lo & (-1 << shift)) | shift : shift;
}

/** High key word. @hot */
export function keyHi(hi: number, shift: number): number {
  return shift <= 32 ? hi : hi & (-1 << (shift - 32));
}

export abstract class SetArray {
  readonly name: string;
  readonly structure: number;
  /** Entries in it now; a lookup in an empty array can be skipped. */
  readonly entries: number;
  protected readonly words: Int32Array;
  readonly #host: ArrayHost;
  readonly #headers: number;
  readonly #first: number;
  readonly #setMask: number;
  readonly #ways: number;
  readonly #stride: number;
  readonly #fullMask: number;
  readonly #holdings: number;

  constructor(host: ArrayHost, geometry: ArrayGeometry, place: ArrayPlace) {
    if (geometry.ways < 1 || geometry.ways > 31 || (geometry.sets & (geometry.sets - 1)) !== 0) {
      throw new RangeError(`${geometry.name}: ${geometry.sets} sets of ${geometry.ways} ways`);
    }
    this.name = geometry.name;
    this.structure = place.structure;
    this.entries = geometry.sets * geometry.ways;
    this.words = host.words;
    this.#host = host;
    this.#headers = place.base;
    this.#first = place.base + geometry.sets * 2;
    this.#setMask = geometry.sets - 1;
    this.#ways = geometry.ways;
    this.#stride = geometry.ways * ENTRY_WORDS;
    this.#fullMask = 2 ** geometry.ways - 1;
    this.#holdings = host.holdings + place.firstEntry;
  }

  /** Word index of the entry for an address under a context (or global), or -1. Changes nothing. @hot */
  find(lo: number, hi: number, shift: number, context: number): number {
    const words = this.words;
    const set = this.#setOf(lo, hi, shift);
    if (words[this.#headers + (set << 1)] === 0) return -1;
    const wantLo = keyLo(lo, shift);
    const wantHi = keyHi(hi, shift);
    let at = this.#first + set * this.#stride;
    const end = at + this.#stride;
    for (; at < end; at += ENTRY_WORDS) {
      if (words[at] !== wantLo || words[at + ENTRY_KEY_HI] !== wantHi) continue;
      if (words[at + ENTRY_CONTEXT] === context || (words[at + ENTRY_ATTRIBUTES] & ATTRIBUTE_GLOBAL) !== 0) {
        return at;
      }
    }
    return -1;
  }

  /**
   * Fills: copies the eight words at `image` in, over the entry that its key and context find, into a free way, or over
   * the victim. Returns the word index. @hot
   */
  insert(image: number): number {
    const words = this.words;
    const lo = words[image];
    const shift = lo & SHIFT_MASK;
    const hi = words[image + ENTRY_KEY_HI];
    let at = this.find(lo, hi, shift, words[image + ENTRY_CONTEXT]);
    if (at >= 0) this.#detach(at);
    else at = this.#makeRoom(lo, hi, shift);
    words[at] = lo;
    words[at + 1] = hi;
    words[at + 2] = words[image + 2];
    words[at + 3] = words[image + 3] & ~ATTRIBUTE_HELD_FAST;
    words[at + 4] = words[image + 4];
    words[at + 5] = words[image + 5];
    words[at + 6] = words[image + 6];
    words[at + 7] = words[image + 7];
    const host = this.#host;
    if (host.observer !== null) {
      host.observer.fill(host.core, this.structure, lo & ~SHIFT_MASK, hi, words[at + ENTRY_FRAME_LO] >>> 0);
    }
    if (host.ledger !== null) this.#hold(at, host.ledger);
    return at;
  }

  /** Drops the entries for one address under a context; globals too unless `globals` is 0. Returns how many. */
  dropAddress(lo: number, hi: number, shift: number, context: number, globals: number): number {
    const words = this.words;
    const set = this.#setOf(lo, hi, shift);
    if (words[this.#headers + (set << 1)] === 0) return 0;
    const wantLo = keyLo(lo, shift);
    const wantHi = keyHi(hi, shift);
    let dropped = 0;
    let at = this.#first + set * this.#stride;
    const end = at + this.#stride;
    for (; at < end; at += ENTRY_WORDS) {
      if (words[at] !== wantLo || words[at + ENTRY_KEY_HI] !== wantHi) continue;
      if (!this.#inScope(at, context, globals)) continue;
      this.#remove(at);
      dropped++;
    }
    return dropped;
  }

  /** Drops all entries of a context (ANY_CONTEXT: of all); globals too unless `globals` is 0. Returns how many. */
  dropContext(context: number, globals: number): number {
    const words = this.words;
    let dropped = 0;
    for (let set = 0; set <= this.#setMask; set++) {
      let mask = words[this.#headers + (set << 1)];
      while (mask !== 0) {
        const way = 31 - Math.clz32(mask);
        mask ^= 1 << way;
        const at = this.#first + set * this.#stride + way * ENTRY_WORDS;
        if (!this.#inScope(at, context, globals)) continue;
        this.#remove(at);
        dropped++;
      }
    }
    return dropped;
  }

  /** Evicts the entry at a word index, if it is valid (-1: none). */
  evictAt(at: number): void {
    if (at < 0 || this.words[at] === 0) return;
    this.#reportEviction(at);
    this.#remove(at);
  }

  /** Word index of an entry by its number, 0 … entries-1; word 0 is 0 if it is invalid. */
  entryAt(entry: number): number {
    return this.#first + entry * ENTRY_WORDS;
  }

  /** The entry's number in the ledger. @hot */
  holdingOf(at: number): number {
    return this.#holdings + ((at - this.#first) >> 3);
  }

  /** Folds the valid entries and the replacement state into a hash. */
  hash(seed: number): number {
    const words = this.words;
    let hash = seed;
    for (let set = 0; set <= this.#setMask; set++) {
      const header = this.#headers + set * 2;
      hash = fold(fold(hash, words[header]), words[header + 1]);
      for (let way = 0; way < this.#ways; way++) {
        if (((words[header] >>> way) & 1) === 0) continue;
        const at = this.#first + set * this.#stride + way * ENTRY_WORDS;
        for (let i = 0; i < ENTRY_WORDS; i++) {
          hash = fold(hash, i === ENTRY_ATTRIBUTES ? words[at + i] & ~ATTRIBUTE_HELD_FAST : words[at + i]);
        }
      }
    }
    return hash;
  }

  /** A leaf (frame) or a table, for the ledger. */
  protected abstract readonly leadsTo: "frame" | "table";

  /** The entry at a word index is about to go or change. */
  protected abstract leaving(at: number): void;

  /** @hot */
  #setOf(lo: number, hi: number, shift: number): number {
    if (shift >= 32) return (hi >>> (shift - 32)) & this.#setMask;
    return ((lo >>> shift) | (hi << (32 - shift))) & this.#setMask;
  }

  #makeRoom(lo: number, hi: number, shift: number): number {
    const words = this.words;
    const set = this.#setOf(lo, hi, shift);
    const header = this.#headers + (set << 1);
    const free = ~words[header] & this.#fullMask;
    let way: number;
    if (free !== 0) {
      way = 31 - Math.clz32(free & -free);
    } else {
      const random = this.#host.random;
      if (random >= 0) {
        way = nextRandom(words, random) % this.#ways;
      } else {
        way = words[header + 1];
        words[header + 1] = way + 1 === this.#ways ? 0 : way + 1;
      }
      const victim = this.#first + set * this.#stride + way * ENTRY_WORDS;
      this.#reportEviction(victim);
      this.#detach(victim);
    }
    words[header] |= 1 << way;
    return this.#first + set * this.#stride + way * ENTRY_WORDS;
  }

  #inScope(at: number, context: number, globals: number): boolean {
    if ((this.words[at + ENTRY_ATTRIBUTES] & ATTRIBUTE_GLOBAL) !== 0) return globals !== 0;
    return context === ANY_CONTEXT || this.words[at + ENTRY_CONTEXT] === context;
  }

  #remove(at: number): void {
    this.#detach(at);
    const number = (at - this.#first) >> 3;
    const set = (number / this.#ways) | 0;
    this.words[this.#headers + (set << 1)] &= ~(1 << (number - set * this.#ways));
    this.words[at] = 0;
  }

  #detach(at: number): void {
    this.leaving(at);
    const { ledger } = this.#host;
    if (ledger !== null) ledger.release(this.holdingOf(at));
  }

  #reportEviction(at: number): void {
    const { observer, core } = this.#host;
    if (observer === null) return;
    observer.evict(core, this.structure, this.words[at] & ~SHIFT_MASK, this.words[at + ENTRY_KEY_HI]);
  }

  #hold(at: number, ledger: CoherenceLedger): void {
    const words = this.words;
    ledger.hold(
      this.holdingOf(at),
      this.leadsTo,
      words[at] & ~SHIFT_MASK,
      words[at + ENTRY_KEY_HI],
      words[at] & SHIFT_MASK,
      (words[at + ENTRY_ATTRIBUTES] & ATTRIBUTE_GLOBAL) !== 0 ? ANY_CONTEXT : words[at + ENTRY_CONTEXT],
      (words[at + ENTRY_FRAME_LO] >>> 0) + words[at + ENTRY_FRAME_HI] * 0x1_0000_0000,
    );
  }
}

/** One FNV-1a step over an int32. */
export function fold(hash: number, value: number): number {
  return Math.imul(hash ^ value, 0x0100_0193) ^ (value >>> 16);
}
