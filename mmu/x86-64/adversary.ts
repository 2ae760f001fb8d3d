/**
 * Speculation, and the adversarial policy's events: at each slice start it may evict any entry or prefetch any address
 * under the loaded root (Intel SDM vol. 3A 4.10.2.3: a processor may cache translations that no access needs; 4.10.3.1:
 * it may cache upper entries as well). A prefetch walks through the paging-structure caches as an access does, sets A,
 * checks no rights and never sets D. Nothing is ever prefetched under a tag that is not loaded.
 */
import { Adversary } from "../adversary.ts";
import type { PhysicalMemory } from "../memory.ts";
import { READ } from "../translation.ts";
import type { X86Caches } from "./caches.ts";
import {
  PHASE_FAULT,
  PHASE_IDLE,
  S_CR3_HI,
  S_CR3_LO,
  S_LEVELS,
  S_PCID,
  S_PREFETCH,
  S_RANDOM,
  S_RECENT,
  S_STALL,
  S_WALK,
  W_FIRST_LEVEL,
  W_HI,
  W_IMAGE,
  W_KIND,
  W_LO,
  W_PHASE,
} from "./layout.ts";
import { isCanonical, levelShift, PTE_P, PTE_PS } from "./paging.ts";
import { SPECULATIVE, type Walker } from "./walker.ts";

export class X86Adversary extends Adversary {
  readonly #ram: PhysicalMemory;
  readonly #caches: X86Caches;
  readonly #walker: Walker;

  /** @param walker works on the record S_PREFETCH */
  constructor(words: Int32Array, ram: PhysicalMemory, caches: X86Caches, walker: Walker) {
    super({ words, random: S_RANDOM, recent: S_RECENT }, caches.arrays);
    this.#ram = ram;
    this.#caches = caches;
    this.#walker = walker;
  }

  /** Prefetches the translation of one address, unless the first level has it or it does not exist. */
  speculate(lo: number, hi: number): void {
    const words = this.words;
    const levels = words[S_LEVELS];
    if (levels === 0 || !isCanonical(hi, levels === 5 ? 5 : 4)) return;
    const caches = this.#caches;
    if (caches.findFirst(lo, hi, READ) >= 0) return;
    const second = caches.findSecond(lo, hi);
    if (second >= 0) {
      caches.fillFirst(second, lo, hi, READ);
      return;
    }
    const stall = words[S_STALL];
    this.#walker.start(lo, hi, READ, SPECULATIVE);
    const phase = this.#walker.run();
    words[S_STALL] = stall;
    words[S_PREFETCH + W_PHASE] = PHASE_IDLE;
    if (phase === PHASE_FAULT) return;
    caches.fillSecond(S_PREFETCH + W_IMAGE);
    caches.fillFirst(S_PREFETCH + W_IMAGE, lo, hi, READ);
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
      const first = this.#caches.firstFor(shift, words[S_WALK + W_KIND]);
      first.evictAt(words[S_WALK + W_FIRST_LEVEL]);
      words[S_WALK + W_FIRST_LEVEL] = -1;
    }
    if (choice === 0 || choice === 2) {
      const second = this.#caches.secondFor(shift);
      second.evictAt(second.find(lo, hi, shift, words[S_PCID]));
    }
  }

  protected override prefetch(lo: number, hi: number): void {
    this.speculate(lo, hi);
  }

  protected override prefetchAny(): void {
    const words = this.words;
    let level = words[S_LEVELS];
    let table = (words[S_CR3_LO] >>> 12) + (words[S_CR3_HI] & 0xf_ffff) * 0x10_0000;
    let lo = 0;
    let hi = 0;
    for (; level >= 1; level--) {
      if (table >= this.#ram.frames) return;
      const index = this.#presentIndex(table);
      if (index < 0) return;
      const shift = levelShift(level);
      if (shift < 32) {
        lo |= index << shift;
        if (shift === 30) hi |= index >>> 2;
      } else {
        hi |= index << (shift - 32);
      }
      const entryLo = this.#ram.i32[table * 1024 + index * 2];
      const entryHi = this.#ram.i32[table * 1024 + index * 2 + 1];
      if (level === 1 || (entryLo & PTE_PS) !== 0) break;
      table = (entryLo >>> 12) + (entryHi & 0xf_ffff) * 0x10_0000;
    }
    const unused = words[S_LEVELS] === 5 ? 7 : 16;
    this.speculate(lo, (hi << unused) >> unused);
  }

  /** The first present entry from a random index on, around the table; -1: none. */
  #presentIndex(table: number): number {
    const start = this.choose(512);
    for (let i = 0; i < 512; i++) {
      const index = (start + i) & 511;
      if ((this.#ram.i32[table * 1024 + index * 2] & PTE_P) !== 0) return index;
    }
    return -1;
  }
}
