/**
 * What a TLBI drops on one core: Arm ARM D8 "TLB maintenance instructions". By address, last-level entries that are
 * global or match the ASID, and, unless the operation names the last level only, walk-cache entries that match the ASID.
 * An operand whose granule is not the one in use, or whose level hint is not that of the entry, does not drop the entry:
 * hardware need not. An invalidation abandons the walk in progress, so that it fills no older reading.
 */

import type { Adversary } from "../adversary.ts";
import type { MaySets } from "../may-sets.ts";
import { ANY_CONTEXT } from "../set-array.ts";
import type { TranslationObserver } from "../translation.ts";
import { type AArch64Caches, ALL_SIZES, sizeBit } from "./caches.ts";
import { asidMask } from "./controls.ts";
import type { GranuleShift } from "./descriptors.ts";
import { PHASE_IDLE, R_GRANULE, RANGE_WORDS, S_RANGES, S_WALK, W_PHASE } from "./layout.ts";
import { ANY_ASID, leafShifts, type TlbiOperation } from "./tlbi.ts";

export interface InvalidationParts {
  readonly core: number;
  readonly words: Int32Array;
  readonly asidBits: 8 | 16;
  readonly caches: AArch64Caches;
  readonly observer: TranslationObserver | null;
  /** Hears of the addresses; null: the policy is another one. */
  readonly adversary: Adversary | null;
  readonly maySets: MaySets | null;
}

export class Invalidation {
  readonly #core: number;
  readonly #words: Int32Array;
  readonly #asidBits: 8 | 16;
  readonly #caches: AArch64Caches;
  readonly #observer: TranslationObserver | null;
  readonly #adversary: Adversary | null;
  readonly #maySets: MaySets | null;

  constructor(parts: InvalidationParts) {
    this.#core = parts.core;
    this.#words = parts.words;
    this.#asidBits = parts.asidBits;
    this.#caches = parts.caches;
    this.#observer = parts.observer;
    this.#adversary = parts.adversary;
    this.#maySets = parts.maySets;
  }

  /** Returns how many entries went. */
  apply(operation: TlbiOperation): number {
    const words = this.#words;
    const dropped = this.#drop(operation);
    words[S_WALK + W_PHASE] = PHASE_IDLE;
    this.#observer?.invalidate(this.#core, operation.name, operation.lo, operation.hi, dropped);
    if (operation.scope === "address") this.#adversary?.remember(operation.lo, operation.hi);
    return dropped;
  }

  #drop(operation: TlbiOperation): number {
    const { scope, lo, hi, pages } = operation;
    const words = this.#words;
    if (scope === "all") {
      this.#maySets?.invalidateContext(this.#core, ANY_CONTEXT, "globals");
      return this.#caches.dropAll();
    }
    const asid = operation.asid === ANY_ASID ? ANY_CONTEXT : operation.asid & asidMask(words, this.#asidBits);
    if (scope === "asid") {
      this.#maySets?.invalidateContext(this.#core, asid, "tagged");
      return this.#caches.dropAsid(asid);
    }
    const granule = words[S_RANGES + (hi < 0 ? RANGE_WORDS : 0) + R_GRANULE] as GranuleShift;
    if (operation.granule !== 0 && operation.granule !== granule) return 0;
    let sizes = ALL_SIZES;
    let below = operation.levels === "last" ? 0 : 3;
    if (operation.hintedLevel >= 0) {
      const [single, group] = leafShifts(granule, operation.hintedLevel);
      sizes = sizeBit(single) | sizeBit(group);
      below = Math.min(below, operation.hintedLevel);
    }
    if (this.#maySets !== null && hi >= 0) this.#tell(this.#maySets, operation, asid);
    if (pages > 1) return this.#caches.dropRange(lo, hi, pages, asid, sizes, below);
    return this.#caches.dropPage(lo, hi, asid, sizes) + this.#caches.dropWalk(lo, hi, asid, granule, below);
  }

  /** May-sets go by pages, and take a level hint that is right for granted. */
  #tell(maySets: MaySets, operation: TlbiOperation, asid: number): void {
    const walks = operation.levels === "last" ? "no walks" : "address";
    const first = (operation.lo >>> 12) + operation.hi * 0x10_0000;
    for (let page = first; page < first + operation.pages; page++) {
      const hi = Math.floor(page / 0x10_0000);
      maySets.invalidatePage(this.#core, asid, (page % 0x10_0000) << 12, hi, "globals", walks);
    }
  }
}
