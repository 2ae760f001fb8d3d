/**
 * Instructions that invalidate: INVLPG and INVPCID, and the context-wide part of MOV to CR0, CR3 and CR4. Intel SDM vol.
 * 3A 4.10.4.1, vol. 2 INVLPG and INVPCID. Each abandons the walk in progress, so that it fills no older reading.
 */

import type { Adversary } from "../adversary.ts";
import type { MaySets } from "../may-sets.ts";
import { ANY_CONTEXT } from "../set-array.ts";
import type { TranslationObserver } from "../translation.ts";
import type { X86Caches } from "./caches.ts";
import { PHASE_IDLE, S_CR4, S_LEVELS, S_PCID, S_WALK, W_PHASE } from "./layout.ts";
import { CR4_PCIDE, isCanonical } from "./paging.ts";

/** INVPCID types (SDM vol. 2, INVPCID). */
export const INVPCID_ADDRESS = 0;
export const INVPCID_SINGLE_CONTEXT = 1;
export const INVPCID_ALL = 2;
export const INVPCID_ALL_BUT_GLOBAL = 3;

export interface InvalidationParts {
  readonly core: number;
  readonly words: Int32Array;
  readonly caches: X86Caches;
  readonly observer: TranslationObserver | null;
  /** Hears of the addresses; null: the policy is another one. */
  readonly adversary: Adversary | null;
  readonly maySets: MaySets | null;
}

export class Invalidation {
  readonly #core: number;
  readonly #words: Int32Array;
  readonly #caches: X86Caches;
  readonly #observer: TranslationObserver | null;
  readonly #adversary: Adversary | null;
  readonly #maySets: MaySets | null;

  constructor(parts: InvalidationParts) {
    this.#core = parts.core;
    this.#words = parts.words;
    this.#caches = parts.caches;
    this.#observer = parts.observer;
    this.#adversary = parts.adversary;
    this.#maySets = parts.maySets;
  }

  invlpg(lo: number, hi: number): void {
    const words = this.#words;
    if (words[S_LEVELS] !== 0 && !this.#isCanonical(hi)) return;
    const pcid = words[S_PCID];
    const dropped = this.#caches.dropPage(lo, hi, pcid, 1) + this.#caches.dropWalks(pcid);
    this.#maySets?.invalidatePage(this.#core, pcid, lo, hi, "globals", "all walks");
    this.#report("INVLPG", lo, hi, dropped);
    if (this.#adversary !== null) this.#adversary.remember(lo, hi);
  }

  invpcid(type: number, pcid: number, lo: number, hi: number): boolean {
    const words = this.#words;
    if (type >>> 0 > INVPCID_ALL_BUT_GLOBAL || pcid >>> 12 !== 0) return false;
    if (type < INVPCID_ALL && pcid !== 0 && (words[S_CR4] & CR4_PCIDE) === 0) return false;
    if (type === INVPCID_ADDRESS) {
      if (!this.#isCanonical(hi)) return false;
      const dropped = this.#caches.dropPage(lo, hi, pcid, 0) + this.#caches.dropWalk(lo, hi, pcid);
      this.#maySets?.invalidatePage(this.#core, pcid, lo, hi, "tagged", "address");
      this.#report("INVPCID 0", lo, hi, dropped);
      if (this.#adversary !== null) this.#adversary.remember(lo, hi);
    } else if (type === INVPCID_SINGLE_CONTEXT) {
      this.context("INVPCID 1", pcid, 0);
    } else if (type === INVPCID_ALL) {
      this.context("INVPCID 2", ANY_CONTEXT, 1);
    } else {
      this.context("INVPCID 3", ANY_CONTEXT, 0);
    }
    return true;
  }

  /** Drops a PCID's entries, or all (ANY_CONTEXT); observers get the PCID in place of an address. */
  context(scope: string, pcid: number, globals: 0 | 1): void {
    this.#maySets?.invalidateContext(this.#core, pcid, globals === 1 ? "globals" : "tagged");
    this.#report(scope, pcid, 0, this.#caches.dropContext(pcid, globals));
  }

  #report(scope: string, lo: number, hi: number, dropped: number): void {
    this.#words[S_WALK + W_PHASE] = PHASE_IDLE;
    if (this.#observer !== null) this.#observer.invalidate(this.#core, scope, lo, hi, dropped);
  }

  #isCanonical(hi: number): boolean {
    return isCanonical(hi, this.#words[S_LEVELS] === 5 ? 5 : 4);
  }
}
