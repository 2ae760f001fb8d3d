/**
 * A set-associative array of translation entries in int32 words: what a TLB and a paging-structure cache have in
 * common. Replacement is first-in first-out, or seeded random, and happens on fills only; a hit changes nothing (a
 * simplification: real ones approximate least-recently-used).
 *
 * Header of a set: mask of valid ways, next way to replace, and a copy of each way's word 0 (0: invalid), so that a
 * lookup of twelve ways reads one host cache line or two. Entry, eight words:
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
import type { FastKeeper } from "./fast-keeper.ts";
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
const HEADER_VALID = 0;
const HEADER_NEXT = 1;
const HEADER_KEYS = 2;
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
  /** Word with a bit per structure: set if the array may hold entries. Speeds lookups up; decides nothing. */
  readonly occupied: number;
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

/** What an array's entries are. One class serves all, so that the hot paths see one shape. */
export interface ArrayPurpose {
  readonly leadsTo: "frame" | "table";
  /** The fast-TLB tags that are copies of its entries; keeper null: none. */
  readonly keeper: FastKeeper | null;
  readonly fastTags: "data" | "exec";
}

/** Words of an array. */
export function arrayWords(geometry: ArrayGeometry): number {
  return geometry.sets * (HEADER_KEYS + geometry.ways + geometry.ways * ENTRY_WORDS);
}

/** Low key word of the region of 2^shift bytes, 12 ≤ shift < 64, that holds an address. @hot */
export function keyLo(lo: number, shift: number): number {
  return shift < 32 ? (lo & (-1 << shift)) | shift : shift;
}

/** High key word. @hot */
export function keyHi(hi: number, shift: number): number {
  return shift <= 32 ? hi : hi & (-1 << (shift - 32));
}

export class SetArray {
  readonly name: string;
  readonly structure: number;
  /** Its bit in the host's word `occupied`. */
  readonly bit: number;
  readonly entries: number;
  readonly #words: Int32Array;
  readonly #host: ArrayHost;
  readonly #occupied: number;
  readonly #headers: number;
  readonly #headerStride: number;
  readonly #first: number;
  readonly #setMask: number;
  readonly #ways: number;
  readonly #stride: number;
  readonly #fullMask: number;
  readonly #leadsTo: "frame" | "table";
  readonly #keeper: FastKeeper | null;
  readonly #isExec: boolean;
  readonly #random: number;
  readonly #ledger: CoherenceLedger | null;
  /** There is an observer or a ledger. */
  readonly #isFollowed: boolean;
  readonly #holdings: number;

  constructor(host: ArrayHost, geometry: ArrayGeometry, place: ArrayPlace, purpose: ArrayPurpose) {
    if (geometry.ways < 1 || geometry.ways > 31 || (geometry.sets & (geometry.sets - 1)) !== 0) {
      throw new RangeError(`${geometry.name}: ${geometry.sets} sets of ${geometry.ways} ways`);
    }
    this.name = geometry.name;
    this.structure = place.structure;
    this.bit = 1 << place.structure;
    this.#occupied = host.occupied;
    this.entries = geometry.sets * geometry.ways;
    this.#words = host.words;
    this.#host = host;
    this.#headers = place.base;
    this.#headerStride = HEADER_KEYS + geometry.ways;
    this.#first = place.base + geometry.sets * this.#headerStride;
    this.#setMask = geometry.sets - 1;
    this.#ways = geometry.ways;
    this.#stride = geometry.ways * ENTRY_WORDS;
    this.#fullMask = 2 ** geometry.ways - 1;
    this.#leadsTo = purpose.leadsTo;
    this.#keeper = purpose.keeper;
    this.#isExec = purpose.fastTags === "exec";
    this.#random = host.random;
    this.#ledger = host.ledger;
    this.#isFollowed = host.observer !== null || host.ledger !== null;
    this.#holdings = host.holdings + place.firstEntry;
  }

  /** Word index of the entry for an address under a context (or global), or -1. Changes nothing. @hot */
  find(lo: number, hi: number, shift: number, context: number): number {
    const set = this.#setOf(lo, hi, shift);
    const keys = this.#headers + set * this.#headerStride + HEADER_KEYS;
    return this.#match(keys, this.#first + set * this.#stride, keyLo(lo, shift), keyHi(hi, shift), context);
  }

  /** find() for 4 KiB pages. @hot */
  findPage(lo: number, hi: number, context: number): number {
    const words = this.#words;
    const set = (lo >>> 12) & this.#setMask;
    const wantLo = (lo & ~0xfff) | 12;
    const keys = this.#headers + set * this.#headerStride + HEADER_KEYS;
    const end = keys + this.#ways;
    for (let key = keys; key < end; key++) {
      if (words[key] !== wantLo) continue;
      const at = this.#first + set * this.#stride + (key - keys) * ENTRY_WORDS;
      if (words[at + ENTRY_KEY_HI] !== hi) continue;
      if (words[at + ENTRY_CONTEXT] === context) return at;
      if ((words[at + ENTRY_ATTRIBUTES] & ATTRIBUTE_GLOBAL) !== 0) return at;
    }
    return -1;
  }

  /**
   * Begins a fill: makes room for an entry (over the one that the address and context find, in a free way, or over the
   * victim), writes its key and context and returns its word index. The caller writes the other words and calls
   * settle(). @hot
   */
  claim(lo: number, hi: number, shift: number, context: number): number {
    const at = this.find(lo, hi, shift, context);
    if (at < 0) return this.claimMissing(lo, hi, shift, context);
    this.#detach(at);
    this.#words[at + ENTRY_CONTEXT] = context;
    return at;
  }

  /** claim() of an entry that find() does not find. @hot */
  claimMissing(lo: number, hi: number, shift: number, context: number): number {
    const words = this.#words;
    const set = this.#setOf(lo, hi, shift);
    const header = this.#headers + set * this.#headerStride;
    const first = this.#first + set * this.#stride;
    const wantLo = keyLo(lo, shift);
    const free = ~words[header + HEADER_VALID] & this.#fullMask;
    const way = free !== 0 ? 31 - Math.clz32(free & -free) : this.#makeRoom(header, first);
    words[header + HEADER_VALID] |= 1 << way;
    words[header + HEADER_KEYS + way] = wantLo;
    words[this.#occupied] |= this.bit;
    const at = first + way * ENTRY_WORDS;
    words[at] = wantLo;
    words[at + ENTRY_KEY_HI] = keyHi(hi, shift);
    words[at + ENTRY_CONTEXT] = context;
    return at;
  }

  /** Ends a fill: tells who follows it. @hot */
  settle(at: number): void {
    if (this.#isFollowed) this.#settleFollowed(at);
  }

  /** Writes the words of an entry that a fill has claimed, and ends the fill. @hot */
  complete(
    at: number,
    attributes: number,
    frameLo: number,
    frameHi: number,
    slot: number,
    root: number,
  ): void {
    const words = this.#words;
    words[at + ENTRY_ATTRIBUTES] = attributes;
    words[at + ENTRY_FRAME_LO] = frameLo;
    words[at + ENTRY_FRAME_HI] = frameHi;
    words[at + ENTRY_SLOT] = slot;
    words[at + ENTRY_ROOT] = root;
    if (this.#isFollowed) this.#settleFollowed(at);
  }

  /** Fills with a copy of the eight words at `image`; returns the word index. @hot */
  insert(image: number): number {
    const words = this.#words;
    const lo = words[image];
    const at = this.claim(lo, words[image + ENTRY_KEY_HI], lo & SHIFT_MASK, words[image + ENTRY_CONTEXT]);
    words[at + ENTRY_ATTRIBUTES] = words[image + ENTRY_ATTRIBUTES] & ~ATTRIBUTE_HELD_FAST;
    words[at + ENTRY_FRAME_LO] = words[image + ENTRY_FRAME_LO];
    words[at + ENTRY_FRAME_HI] = words[image + ENTRY_FRAME_HI];
    words[at + ENTRY_SLOT] = words[image + ENTRY_SLOT];
    words[at + ENTRY_ROOT] = words[image + ENTRY_ROOT];
    this.settle(at);
    return at;
  }

  /** Drops the entries for one address under a context; globals too unless `globals` is 0. Returns how many. */
  dropAddress(lo: number, hi: number, shift: number, context: number, globals: number): number {
    const words = this.#words;
    const set = this.#setOf(lo, hi, shift);
    const header = this.#headers + set * this.#headerStride;
    const wantLo = keyLo(lo, shift);
    let dropped = 0;
    for (let way = 0; way < this.#ways; way++) {
      if (words[header + HEADER_KEYS + way] !== wantLo) continue;
      const at = this.#first + set * this.#stride + way * ENTRY_WORDS;
      if (words[at + ENTRY_KEY_HI] !== keyHi(hi, shift) || !this.#inScope(at, context, globals)) continue;
      this.#remove(header, way, at);
      dropped++;
    }
    return dropped;
  }

  /** Drops all entries of a context (ANY_CONTEXT: of all); globals too unless `globals` is 0. Returns how many. */
  dropContext(context: number, globals: number): number {
    const words = this.#words;
    let dropped = 0;
    let left = 0;
    if ((words[this.#occupied] & this.bit) === 0) return 0;
    for (let set = 0; set <= this.#setMask; set++) {
      const header = this.#headers + set * this.#headerStride;
      let mask = words[header + HEADER_VALID];
      while (mask !== 0) {
        const way = 31 - Math.clz32(mask);
        mask ^= 1 << way;
        const at = this.#first + set * this.#stride + way * ENTRY_WORDS;
        if (this.#inScope(at, context, globals)) {
          this.#remove(header, way, at);
          dropped++;
        } else {
          left++;
        }
      }
    }
    if (left === 0) words[this.#occupied] &= ~this.bit;
    return dropped;
  }

  /** Evicts the entry at a word index, if it is valid (-1: none). */
  evictAt(at: number): void {
    if (at < 0 || this.#words[at] === 0) return;
    this.#reportEviction(at);
    this.dropAt(at);
  }

  /** Drops the valid entry at a word index. */
  dropAt(at: number): void {
    const number = (at - this.#first) >> 3;
    const set = Math.floor(number / this.#ways);
    this.#remove(this.#headers + set * this.#headerStride, number - set * this.#ways, at);
  }

  /** Word index of an entry by its number, 0 … entries-1; word 0 is 0 if it is invalid. */
  entryAt(entry: number): number {
    return this.#first + entry * ENTRY_WORDS;
  }

  /** The word index is that of one of its entries. */
  holds(at: number): boolean {
    return at >= this.#first && at < this.#first + this.entries * ENTRY_WORDS;
  }

  /** The entry's number in the ledger. @hot */
  holdingOf(at: number): number {
    return this.#holdings + ((at - this.#first) >> 3);
  }

  /** Folds the valid entries and the replacement state into a hash. */
  hash(seed: number): number {
    const words = this.#words;
    let hash = seed;
    for (let set = 0; set <= this.#setMask; set++) {
      const header = this.#headers + set * this.#headerStride;
      hash = fold(fold(hash, words[header + HEADER_VALID]), words[header + HEADER_NEXT]);
      for (let way = 0; way < this.#ways; way++) {
        if (((words[header + HEADER_VALID] >>> way) & 1) === 0) continue;
        const at = this.#first + set * this.#stride + way * ENTRY_WORDS;
        for (let i = 0; i < ENTRY_WORDS; i++) {
          hash = fold(hash, i === ENTRY_ATTRIBUTES ? words[at + i] & ~ATTRIBUTE_HELD_FAST : words[at + i]);
        }
      }
    }
    return hash;
  }

  /** @hot */
  #setOf(lo: number, hi: number, shift: number): number {
    if (shift >= 32) return (hi >>> (shift - 32)) & this.#setMask;
    return ((lo >>> shift) | (hi << (32 - shift))) & this.#setMask;
  }

  /** @hot */
  #match(keys: number, first: number, wantLo: number, wantHi: number, context: number): number {
    const words = this.#words;
    const end = keys + this.#ways;
    for (let key = keys; key < end; key++) {
      if (words[key] !== wantLo) continue;
      const at = first + (key - keys) * ENTRY_WORDS;
      if (words[at + ENTRY_KEY_HI] !== wantHi) continue;
      if (words[at + ENTRY_CONTEXT] === context) return at;
      if ((words[at + ENTRY_ATTRIBUTES] & ATTRIBUTE_GLOBAL) !== 0) return at;
    }
    return -1;
  }

  /** Evicts from a full set; returns the way. @hot */
  #makeRoom(header: number, first: number): number {
    const words = this.#words;
    let way: number;
    if (this.#random >= 0) {
      way = nextRandom(words, this.#random) % this.#ways;
    } else {
      way = words[header + HEADER_NEXT];
      words[header + HEADER_NEXT] = way + 1 === this.#ways ? 0 : way + 1;
    }
    const victim = first + way * ENTRY_WORDS;
    if (this.#isFollowed) this.#reportEviction(victim);
    this.#detach(victim);
    return way;
  }

  #settleFollowed(at: number): void {
    const words = this.#words;
    const { core, observer, ledger } = this.#host;
    const lo = words[at] & ~SHIFT_MASK;
    if (observer !== null) {
      observer.fill(core, this.structure, lo, words[at + ENTRY_KEY_HI], words[at + ENTRY_FRAME_LO] >>> 0);
    }
    if (ledger !== null) this.#hold(at, ledger);
  }

  #inScope(at: number, context: number, globals: number): boolean {
    if ((this.#words[at + ENTRY_ATTRIBUTES] & ATTRIBUTE_GLOBAL) !== 0) return globals !== 0;
    return context === ANY_CONTEXT || this.#words[at + ENTRY_CONTEXT] === context;
  }

  #remove(header: number, way: number, at: number): void {
    this.#detach(at);
    this.#words[header + HEADER_VALID] &= ~(1 << way);
    this.#words[header + HEADER_KEYS + way] = 0;
    this.#words[at] = 0;
  }

  #detach(at: number): void {
    if ((this.#words[at + ENTRY_ATTRIBUTES] & ATTRIBUTE_HELD_FAST) !== 0) this.#dropFast(at);
    if (this.#ledger !== null) this.#ledger.release(this.holdingOf(at));
  }

  /** The fast-TLB tags copied from an entry go with it. */
  #dropFast(at: number): void {
    if (this.#keeper === null) return;
    const words = this.#words;
    const lo = words[at] & ~SHIFT_MASK;
    const shift = words[at] & SHIFT_MASK;
    if (this.#isExec) this.#keeper.dropExec(lo, words[at + ENTRY_KEY_HI], shift);
    else this.#keeper.dropData(lo, words[at + ENTRY_KEY_HI], shift);
  }

  #reportEviction(at: number): void {
    const { observer, core } = this.#host;
    if (observer === null) return;
    observer.evict(core, this.structure, this.#words[at] & ~SHIFT_MASK, this.#words[at + ENTRY_KEY_HI]);
  }

  #hold(at: number, ledger: CoherenceLedger): void {
    const words = this.#words;
    ledger.hold(
      this.holdingOf(at),
      this.#leadsTo,
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
