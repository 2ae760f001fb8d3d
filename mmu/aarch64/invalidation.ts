/**
 * What a TLBI drops on one core: Arm ARM D8 "TLB maintenance instructions". By address, last-level entries that are
 * global or match the ASID, and, unless the operation names the last level only, walk-cache entries that match the ASID.
 * An operand whose granule is not the one in use, or whose level hint is not that of the entry, does not drop the entry:
 * hardware need not. An invalidation abandons the walk in progress, so that it fills no older reading.
 */

import type { Adversary } from "../adversary.ts";
import type { MayInvalidation } from "../may-sets.ts";
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
}

export class Invalidation {
  readonly #core: number;
  readonly #words: Int32Array;
  readonly #asidBits: 8 | 16;
  readonly #caches: AArch64Caches;
  readonly #observer: TranslationObserver | null;
  readonly #adversary: Adversary | null;

  constructor(parts: InvalidationParts) {
    this.#core = parts.core;
    this.#words = parts.words;
    this.#asidBits = parts.asidBits;
    this.#caches = parts.caches;
    this.#observer = parts.observer;
    this.#adversary = parts.adversary;
  }

  /** Drops what an operation names from the structures; returns how many entries went. */
  drop(operation: TlbiOperation): number {
    const words = this.#words;
    const dropped = this.#drop(operation);
    words[S_WALK + W_PHASE] = PHASE_IDLE;
    this.#observer?.invalidate(this.#core, operation.name, operation.lo, operation.hi, dropped);
    if (operation.scope === "address") this.#adversary?.remember(operation.lo, operation.hi);
    return dropped;
  }

  /** An operation as the may-sets have it; null: it need not drop anything. */
  describe(operation: TlbiOperation): MayInvalidation | null {
    const { lo, hi, pages } = operation;
    const tag = this.#tagOf(operation);
    if (operation.scope !== "address") {
      return {
        scope: "context",
        tag,
        lo,
        hi,
        pages,
        leaves: 0,
        walks: 0,
        takesGlobals: operation.scope === "all",
      };
    }
    const reach = this.#reach(operation);
    if (reach === null) return null;
    const leaves = operation.hintedLevel < 0 ? -1 : 1 << (4 - operation.hintedLevel);
    // Levels count from the leaf table here: lookup levels 0 … below - 1 are 4 … 5 - below.
    const walks = -1 << (5 - reach.below);
    return {
      scope: "addresses",
      tag,
      lo,
      hi,
      pages,
      leaves,
      walks: reach.below === 0 ? 0 : walks,
      takesGlobals: true,
    };
  }

  #drop(operation: TlbiOperation): number {
    const { scope, lo, hi, pages } = operation;
    if (scope === "all") return this.#caches.dropAll();
    const tag = this.#tagOf(operation);
    if (scope === "asid") return this.#caches.dropAsid(tag);
    const reach = this.#reach(operation);
    if (reach === null) return 0;
    const { granule, sizes, below } = reach;
    if (pages > 1) return this.#caches.dropRange(lo, hi, pages, tag, sizes, below);
    return this.#caches.dropPage(lo, hi, tag, sizes) + this.#caches.dropWalk(lo, hi, tag, granule, below);
  }

  #tagOf(operation: TlbiOperation): number {
    if (operation.asid === ANY_ASID) return ANY_CONTEXT;
    return operation.asid & asidMask(this.#words, this.#asidBits);
  }

  /** Sizes of the leaves that an operation by address drops, and the level below the walk-cache entries that it drops. */
  #reach({ hi, granule: named, hintedLevel, levels }: TlbiOperation): Reach | null {
    const granule = this.#words[S_RANGES + (hi < 0 ? RANGE_WORDS : 0) + R_GRANULE] as GranuleShift;
    if (named !== 0 && named !== granule) return null;
    const below = levels === "last" ? 0 : 3;
    if (hintedLevel < 0) return { granule, sizes: ALL_SIZES, below };
    const [single, group] = leafShifts(granule, hintedLevel);
    return { granule, sizes: sizeBit(single) | sizeBit(group), below: Math.min(below, hintedLevel) };
  }
}

interface Reach {
  readonly granule: GranuleShift;
  /** Mask over AARCH64_LEAF_SHIFTS. */
  readonly sizes: number;
  readonly below: number;
}
