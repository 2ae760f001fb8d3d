/**
 * Speculation, and the adversarial policy's events: at each slice start it may evict any entry or prefetch any address
 * under the loaded tables (Arm ARM D8 "Translation Lookaside Buffers": a descriptor that does not fault may be cached at
 * any time). A prefetch walks through the walk caches as an access does, sets AF with TCR_EL1.HA, checks no permissions
 * and clears no AP[2]. Nothing is ever prefetched under an ASID that is not current.
 */
import { Adversary } from "../adversary.ts";
import type { PhysicalMemory } from "../memory.ts";
import { ENTRY_FRAME_LO, ENTRY_KEY_HI, ENTRY_KEY_LO, keyHi, keyLo } from "../set-array.ts";
import { FETCH, READ } from "../translation.ts";
import { type AArch64Caches, MISSING } from "./caches.ts";
import { isInRange } from "./controls.ts";
import { lookupShift, TTD_TABLE, TTD_VALID } from "./descriptors.ts";
import {
  PHASE_FAULT,
  PHASE_IDLE,
  R_BASE_HI,
  R_BASE_LO,
  R_GRANULE,
  R_INPUT_BITS,
  R_START_LEVEL,
  R_START_MASK,
  RANGE_WORDS,
  S_ASID,
  S_ON,
  S_PREFETCH,
  S_RANDOM,
  S_RANGES,
  S_RECENT,
  S_STALL,
  S_WALK,
  W_FIRST_LEVEL,
  W_HI,
  W_IMAGE,
  W_KIND,
  W_LEVEL,
  W_LO,
  W_PHASE,
} from "./layout.ts";
import { SPECULATIVE, type Walker } from "./walker.ts";

export class AArch64Adversary extends Adversary {
  readonly #ram: PhysicalMemory;
  readonly #caches: AArch64Caches;
  readonly #walker: Walker;

  /** @param walker works on the record S_PREFETCH */
  constructor(words: Int32Array, ram: PhysicalMemory, caches: AArch64Caches, walker: Walker) {
    super({ words, random: S_RANDOM, recent: S_RECENT }, caches.arrays);
    this.#ram = ram;
    this.#caches = caches;
    this.#walker = walker;
  }

  /** Prefetches the translation of one address (without tag), unless a first level has it or it does not exist. */
  speculate(lo: number, hi: number, kind: number): void {
    const words = this.words;
    if (words[S_ON] === 0 || !isInRange(words, S_RANGES + (hi < 0 ? RANGE_WORDS : 0), lo, hi)) return;
    const caches = this.#caches;
    const tlb = caches.firstFor(kind);
    const asid = words[S_ASID];
    if (caches.find(tlb, lo, hi, asid) !== MISSING) return;
    const second = caches.find(caches.l2, lo, hi, asid);
    if (second !== MISSING) {
      if (second >= 0) caches.fill(tlb, second);
      return;
    }
    const stall = words[S_STALL];
    const phase =
      this.#walker.start(lo, hi, hi, kind, SPECULATIVE) === PHASE_FAULT ? PHASE_FAULT : this.#walker.run();
    words[S_STALL] = stall;
    words[S_PREFETCH + W_PHASE] = PHASE_IDLE;
    if (phase === PHASE_FAULT) return;
    caches.fill(caches.l2, S_PREFETCH + W_IMAGE);
    caches.fill(tlb, S_PREFETCH + W_IMAGE);
  }

  /** A walk is about to fill a contiguous group: caches the one page or block instead, by choice. */
  splitSome(): void {
    const words = this.words;
    const image = S_WALK + W_IMAGE;
    const group = words[image] & 0x3f;
    const lo = words[S_WALK + W_LO];
    const hi = words[S_WALK + W_HI];
    const granule = words[S_RANGES + (hi < 0 ? RANGE_WORDS : 0) + R_GRANULE];
    const single = lookupShift(granule, words[S_WALK + W_LEVEL]);
    if (group === single || this.choose(2) === 0) return;
    const within = (1 << (group - 12)) - 1;
    words[image + ENTRY_KEY_LO] = keyLo(lo, single);
    words[image + ENTRY_KEY_HI] = keyHi(hi, single);
    words[image + ENTRY_FRAME_LO] |= ((lo >>> 12) | (hi << 20)) & within & (-1 << (single - 12));
  }

  /** Drops the entry that a walk has just filled from either level, or both, by choice. */
  dropSome(): void {
    const words = this.words;
    const lo = words[S_WALK + W_LO];
    const hi = words[S_WALK + W_HI];
    const shift = words[S_WALK + W_IMAGE] & 0x3f;
    this.remember(lo, hi);
    const choice = this.choose(8);
    if (choice === 0 || choice === 1) {
      this.#caches.firstFor(words[S_WALK + W_KIND]).evictAt(words[S_WALK + W_FIRST_LEVEL]);
      words[S_WALK + W_FIRST_LEVEL] = -1;
    }
    if (choice === 0 || choice === 2) {
      const { l2 } = this.#caches;
      l2.evictAt(l2.find(lo, hi, shift, words[S_ASID]));
    }
  }

  protected override prefetch(lo: number, hi: number): void {
    this.speculate(lo, hi, this.#anyKind());
  }

  #anyKind(): number {
    return this.choose(4) === 0 ? FETCH : READ;
  }

  protected override prefetchAny(): void {
    const words = this.words;
    const half = this.choose(2);
    const r = S_RANGES + half * RANGE_WORDS;
    if (words[r + R_INPUT_BITS] === 0) return;
    const granule = words[r + R_GRANULE];
    let mask = words[r + R_START_MASK];
    let table = (words[r + R_BASE_LO] >>> 0) + words[r + R_BASE_HI] * 2 ** 32;
    const bits = words[r + R_INPUT_BITS];
    let lo = half === 1 && bits < 32 ? -1 << bits : 0;
    let hi = half === 0 ? 0 : -1 << Math.max(0, bits - 32);
    for (let level = words[r + R_START_LEVEL]; level <= 3; level++) {
      const index = this.#validIndex(table, mask);
      if (index < 0) return;
      const shift = lookupShift(granule, level);
      if (shift < 32) {
        lo |= index << shift;
        hi |= shift + granule - 3 > 32 ? index >>> (32 - shift) : 0;
      } else {
        hi |= index << (shift - 32);
      }
      const entryLo = this.#ram.i32[table / 4 + index * 2];
      const entryHi = this.#ram.i32[table / 4 + index * 2 + 1];
      if (level === 3 || (entryLo & TTD_TABLE) === 0) break;
      table = ((entryLo & (-1 << granule)) >>> 0) + (entryHi & 0xffff) * 2 ** 32;
      mask = (1 << (granule - 3)) - 1;
    }
    this.speculate(lo, hi, this.#anyKind());
  }

  /** The first valid entry from a random index on, around the table; -1: none. */
  #validIndex(table: number, mask: number): number {
    if (table + (mask + 1) * 8 > this.#ram.sizeBytes) return -1;
    const start = this.choose(mask + 1);
    for (let i = 0; i <= mask; i++) {
      const index = (start + i) & mask;
      if ((this.#ram.i32[table / 4 + index * 2] & TTD_VALID) !== 0) return index;
    }
    return -1;
  }
}
