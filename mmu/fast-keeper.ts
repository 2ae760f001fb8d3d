/**
 * Upkeep of the fast TLB (layout: fast-tlb.ts): insertion, and removal whenever the modelled first-level entry behind
 * a tag goes away or its rights change. Contexts change often and 1,024 entries are many, so the used entries are
 * kept in a list and emptying costs only what was used.
 *
 * The spare word of an entry holds LISTED and MARKED; MARKED is for the architecture: entries whose permission hangs
 * on a switch that flips often (a user page in the supervisor regime, under SMAP or PAN).
 */
import {
  FAST_ADDEND,
  FAST_ENTRIES,
  FAST_EXEC,
  FAST_INVALID,
  FAST_READ,
  FAST_REGIMES,
  FAST_WORDS,
  FAST_WRITE,
  fastIndex,
} from "./fast-tlb.ts";

const SPARE = 7;
const LISTED = 1;
const MARKED = 2;
const LIST_LENGTH = FAST_ENTRIES * FAST_REGIMES;

export class FastKeeper {
  /** Words needed: the fast TLB itself, a count and the list of used entries. */
  static readonly words: number = FAST_WORDS + 1 + LIST_LENGTH;

  readonly fast: Int32Array;
  readonly #words: Int32Array;
  readonly #count: number;
  readonly #list: number;
  /** False: no entry is marked, and there is nothing to look for. */
  #mayHoldMarked = false;

  /** @param base word index of the area, whose first FAST_WORDS words are the fast TLB */
  constructor(words: Int32Array, base: number) {
    this.fast = words.subarray(base, base + FAST_WORDS);
    this.#words = words;
    this.#count = base + FAST_WORDS;
    this.#list = this.#count + 1;
  }

  /** Sets every tag absent, for the first time. */
  reset(): void {
    this.fast.fill(0);
    for (let at = 0; at < FAST_WORDS; at += 8) this.#invalidate(at);
    this.#words[this.#count] = 0;
  }

  /** Adds a page's read tag, and its write tag if `writable` is 1. `pagePa` is the page's physical address mod 2^32. @hot */
  insertData(lo: number, hi: number, regime: number, pagePa: number, writable: number, marked: number): void {
    const pageLo = lo & ~0xfff;
    const at = this.#claim(pageLo, regime, pagePa);
    const fast = this.fast;
    fast[at + FAST_READ] = pageLo;
    fast[at + FAST_READ + 1] = hi;
    if (writable !== 0) {
      fast[at + FAST_WRITE] = pageLo;
      fast[at + FAST_WRITE + 1] = hi;
    }
    if (marked !== 0) {
      fast[at + SPARE] |= MARKED;
      this.#mayHoldMarked = true;
    }
  }

  /** Adds a page's execute tag. @hot */
  insertExec(lo: number, hi: number, regime: number, pagePa: number): void {
    const pageLo = lo & ~0xfff;
    const at = this.#claim(pageLo, regime, pagePa);
    this.fast[at + FAST_EXEC] = pageLo;
    this.fast[at + FAST_EXEC + 1] = hi;
  }

  /** Empties both regimes. */
  empty(): void {
    const words = this.#words;
    const end = this.#list + words[this.#count];
    for (let i = this.#list; i < end; i++) {
      const at = words[i];
      this.#invalidate(at);
      this.fast[at + SPARE] = 0;
    }
    words[this.#count] = 0;
  }

  /** Removes the entries that were inserted as marked. */
  dropMarked(): void {
    if (!this.#mayHoldMarked) return;
    this.#mayHoldMarked = false;
    const words = this.#words;
    const end = this.#list + words[this.#count];
    for (let i = this.#list; i < end; i++) {
      const at = words[i];
      if ((this.fast[at + SPARE] & MARKED) === 0) continue;
      this.#invalidate(at);
      this.fast[at + SPARE] = LISTED;
    }
  }

  /** Removes the read and write tags of a page of 2^shift bytes; `lo` is its base. */
  dropData(lo: number, hi: number, shift: number): void {
    if (shift !== 12) {
      this.#dropRange(lo, hi, shift, FAST_READ);
      this.#dropRange(lo, hi, shift, FAST_WRITE);
      return;
    }
    const fast = this.fast;
    for (let regime = 0; regime < FAST_REGIMES; regime++) {
      const at = fastIndex(lo, regime);
      if (fast[at + FAST_READ] === lo && fast[at + FAST_READ + 1] === hi) fast[at + FAST_READ] = FAST_INVALID;
      if (fast[at + FAST_WRITE] === lo && fast[at + FAST_WRITE + 1] === hi) {
        fast[at + FAST_WRITE] = FAST_INVALID;
      }
    }
  }

  /** Removes the execute tags of a page of 2^shift bytes; `lo` is its base. */
  dropExec(lo: number, hi: number, shift: number): void {
    if (shift !== 12) {
      this.#dropRange(lo, hi, shift, FAST_EXEC);
      return;
    }
    const fast = this.fast;
    for (let regime = 0; regime < FAST_REGIMES; regime++) {
      const at = fastIndex(lo, regime);
      if (fast[at + FAST_EXEC] === lo && fast[at + FAST_EXEC + 1] === hi) fast[at + FAST_EXEC] = FAST_INVALID;
    }
  }

  #dropRange(lo: number, hi: number, shift: number, tag: number): void {
    const { fast } = this;
    const words = this.#words;
    const mask = shift < 32 ? -1 << shift : 0;
    const maskHi = shift < 32 ? -1 : -1 << (shift - 32);
    const end = this.#list + words[this.#count];
    for (let i = this.#list; i < end; i++) {
      const at = words[i] + tag;
      const tagLo = fast[at];
      if (tagLo !== FAST_INVALID && (tagLo & mask) === lo && (fast[at + 1] & maskHi) === hi) {
        fast[at] = FAST_INVALID;
      }
    }
  }

  /** The entry for a page, listed, with the right addend and without tags that need another one. @hot */
  #claim(pageLo: number, regime: number, pagePa: number): number {
    const fast = this.fast;
    const at = fastIndex(pageLo, regime);
    const addend = (pagePa - pageLo) | 0;
    if (fast[at + SPARE] === 0) {
      const words = this.#words;
      words[this.#list + words[this.#count]++] = at;
      fast[at + SPARE] = LISTED;
    }
    if (fast[at + FAST_ADDEND] !== addend) {
      this.#invalidate(at);
      fast[at + FAST_ADDEND] = addend;
    }
    return at;
  }

  /** @hot */
  #invalidate(at: number): void {
    const fast = this.fast;
    fast[at + FAST_READ] = FAST_INVALID;
    fast[at + FAST_WRITE] = FAST_INVALID;
    fast[at + FAST_EXEC] = FAST_INVALID;
  }
}
