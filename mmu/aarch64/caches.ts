/**
 * The modelled structures of one core, and what can be dropped from them: Arm ARM D8 "Translation Lookaside Buffers",
 * "TLB maintenance". Every TLB holds every size, so a lookup probes each size that may be present, and sees whether two
 * entries match: Arm ARM D8 "TLB conflict aborts".
 */
import type { FastKeeper } from "../fast-keeper.ts";
import {
  ANY_CONTEXT,
  type ArrayGeometry,
  type ArrayHost,
  type ArrayPlace,
  ATTRIBUTE_GLOBAL,
  arrayWords,
  ENTRY_ATTRIBUTES,
  ENTRY_CONTEXT,
  ENTRY_FRAME_HI,
  ENTRY_FRAME_LO,
  ENTRY_KEY_HI,
  type SetArray,
} from "../set-array.ts";
import { firstLevelTlb, secondLevelTlb, type Tlb } from "../tlb.ts";
import { FETCH } from "../translation.ts";
import { type WalkCache, walkCache } from "../walk-cache.ts";
import { AARCH64_LEAF_SHIFTS, lookupShift } from "./descriptors.ts";
import {
  ARRAYS,
  ATTRIBUTE_CONTIGUOUS,
  ATTRIBUTE_DIRTY,
  ATTRIBUTE_INDEX_SHIFT,
  ATTRIBUTE_LEVEL_SHIFT,
  ATTRIBUTE_SH_SHIFT,
  PERMISSIONS,
  S_OCCUPIED,
  S_SIZES,
} from "./layout.ts";
import type { AArch64TranslationProfile } from "./profiles.ts";

/** One modelled entry, for debuggers and tests. */
export interface AArch64CachedEntry {
  readonly structure: string;
  readonly lo: number;
  readonly hi: number;
  readonly shift: number;
  readonly asid: number;
  readonly global: boolean;
  /** RO, EL0, UXN, PXN as bits 0 … 3. */
  readonly permissions: number;
  readonly dirty: boolean;
  readonly attributeIndex: number;
  readonly shareability: number;
  readonly frame: number;
}

/** Results of find() other than a word index. */
export const MISSING = -1;
export const CONFLICT = -2;

/** All sizes, as a mask over AARCH64_LEAF_SHIFTS. */
export const ALL_SIZES: number = (1 << AARCH64_LEAF_SHIFTS.length) - 1;

const SIZE_4K = 1;
const SIZE_BITS: Int32Array = Int32Array.from({ length: 64 }, (_, shift) => {
  const index = AARCH64_LEAF_SHIFTS.indexOf(shift);
  return index < 0 ? 0 : 1 << index;
});

/** Mask of a size; 0: no page, block or contiguous group has it. @hot */
export function sizeBit(shift: number): number {
  return SIZE_BITS[shift];
}

export class AArch64Caches {
  readonly l1d: Tlb;
  readonly l1i: Tlb;
  readonly l2: Tlb;
  readonly tlbs: readonly Tlb[];
  /** Walk caches by the level of their descriptors: 0, 1, 2. */
  readonly walkCaches: readonly WalkCache[];
  /** All, in the order of their structure numbers. */
  readonly arrays: readonly SetArray[];
  readonly #words: Int32Array;
  readonly #keeper: FastKeeper;

  constructor(host: ArrayHost, profile: AArch64TranslationProfile, keeper: FastKeeper) {
    this.#words = host.words;
    this.#keeper = keeper;
    let base = ARRAYS;
    let firstEntry = 0;
    let structure = 0;
    const place = (geometry: ArrayGeometry): ArrayPlace => {
      const here = { base, structure, firstEntry };
      base += arrayWords(geometry);
      firstEntry += geometry.sets * geometry.ways;
      structure++;
      return here;
    };
    this.l1d = firstLevelTlb(host, profile.l1d, place(profile.l1d), keeper, "data");
    this.l1i = firstLevelTlb(host, profile.l1i, place(profile.l1i), keeper, "exec");
    this.l2 = secondLevelTlb(host, profile.l2, place(profile.l2));
    this.tlbs = [this.l1d, this.l1i, this.l2];
    const { level0, level1, level2 } = profile;
    this.walkCaches = [level0, level1, level2].map((geometry) => walkCache(host, geometry, place(geometry)));
    this.arrays = [...this.tlbs, ...this.walkCaches];
  }

  /** The first-level TLB for a kind of access. @hot */
  firstFor(kind: number): Tlb {
    return kind === FETCH ? this.l1i : this.l1d;
  }

  /** Word index of the one entry of a TLB for an address under an ASID (or global), MISSING or CONFLICT. @hot */
  find(tlb: Tlb, lo: number, hi: number, asid: number): number {
    let sizes = this.#words[S_SIZES - (hi >> 31)];
    if (sizes === SIZE_4K) return tlb.findPage(lo, hi, asid);
    let found = MISSING;
    while (sizes !== 0) {
      const at = tlb.find(lo, hi, AARCH64_LEAF_SHIFTS[31 - Math.clz32(sizes & -sizes)], asid);
      sizes &= sizes - 1;
      if (at < 0) continue;
      if (found < 0) found = at;
      else if (this.#isConflict(found, at)) return CONFLICT;
    }
    return found;
  }

  /** Enters an image into a TLB; returns its word index. @hot */
  fill(tlb: Tlb, image: number): number {
    const words = this.#words;
    const size = sizeBit(words[image] & 0x3f);
    const sizes = S_SIZES - (words[image + ENTRY_KEY_HI] >> 31);
    words[sizes] |= size;
    if (words[sizes] !== size) this.#dropHidden(image);
    return tlb.insert(image);
  }

  /** Entries of other sizes may match the same addresses soon: their fast tags would hide it. */
  #dropHidden(image: number): void {
    const lo = this.#words[image] & ~0x3f;
    const hi = this.#words[image + ENTRY_KEY_HI];
    const shift = this.#words[image] & 0x3f;
    this.#keeper.dropData(lo, hi, shift);
    this.#keeper.dropExec(lo, hi, shift);
  }

  /** The ledger's number of the TLB entry at a word index. */
  holdingOf(at: number): number {
    for (const tlb of this.tlbs) if (tlb.holds(at)) return tlb.holdingOf(at);
    throw new Error(`word ${at} is no TLB entry`);
  }

  /**
   * TLB entries of some sizes that translate an address under an ASID (ANY_CONTEXT: under any), and its global ones;
   * returns how many.
   */
  dropPage(lo: number, hi: number, asid: number, sizes: number): number {
    let dropped = 0;
    for (let rest = sizes & this.#words[S_SIZES - (hi >> 31)]; rest !== 0; rest &= rest - 1) {
      const shift = AARCH64_LEAF_SHIFTS[31 - Math.clz32(rest & -rest)];
      for (const tlb of this.tlbs) dropped += tlb.dropAddress(lo, hi, shift, asid, 1);
    }
    return dropped;
  }

  /** Walk-cache entries of levels above `below` that would be used for an address under an ASID (or any). */
  dropWalk(lo: number, hi: number, asid: number, granule: number, below: number): number {
    const occupied = this.#words[S_OCCUPIED];
    let dropped = 0;
    for (let level = 0; level < below; level++) {
      const cache = this.walkCaches[level];
      if ((occupied & cache.bit) !== 0) {
        dropped += cache.dropAddress(lo, hi, lookupShift(granule, level), asid, 0);
      }
    }
    return dropped;
  }

  /**
   * Entries of an ASID (ANY_CONTEXT: of all) that translate, or in walk caches lead to what translates, some address
   * from (lo, hi) on for so many pages of 4 KiB; global TLB entries too, if they are of the sizes. Walk caches lose
   * entries of levels above `below` (0: none).
   */
  dropRange(lo: number, hi: number, pages: number, asid: number, sizes: number, below: number): number {
    const first = pageNumber(lo, hi);
    let dropped = 0;
    for (const tlb of this.tlbs) dropped += this.#dropOverlaps(tlb, first, pages, asid, sizes);
    for (let level = 0; level < below; level++) {
      dropped += this.#dropOverlaps(this.walkCaches[level], first, pages, asid, -1);
    }
    return dropped;
  }

  /** All entries of an ASID but global ones, walk caches included. */
  dropAsid(asid: number): number {
    let dropped = 0;
    for (const array of this.arrays) dropped += array.dropContext(asid, 0);
    return dropped;
  }

  /** Everything. */
  dropAll(): number {
    let dropped = 0;
    for (const array of this.arrays) dropped += array.dropContext(ANY_CONTEXT, 1);
    this.#words[S_SIZES] = 0;
    this.#words[S_SIZES + 1] = 0;
    return dropped;
  }

  /** Every valid entry, in a fixed order. */
  list(): AArch64CachedEntry[] {
    const words = this.#words;
    const found: AArch64CachedEntry[] = [];
    for (const array of this.arrays) {
      for (let entry = 0; entry < array.entries; entry++) {
        const at = array.entryAt(entry);
        if (words[at] === 0) continue;
        const attributes = words[at + ENTRY_ATTRIBUTES];
        found.push({
          structure: array.name,
          lo: words[at] & ~0x3f,
          hi: words[at + ENTRY_KEY_HI],
          shift: words[at] & 0x3f,
          asid: words[at + ENTRY_CONTEXT],
          global: (attributes & ATTRIBUTE_GLOBAL) !== 0,
          permissions: attributes & PERMISSIONS,
          dirty: (attributes & ATTRIBUTE_DIRTY) !== 0,
          attributeIndex: (attributes >>> ATTRIBUTE_INDEX_SHIFT) & 7,
          shareability: (attributes >>> ATTRIBUTE_SH_SHIFT) & 3,
          frame: (words[at + ENTRY_FRAME_LO] >>> 0) + words[at + ENTRY_FRAME_HI] * 0x1_0000_0000,
        });
      }
    }
    return found;
  }

  hash(seed: number): number {
    let hash = seed;
    for (const array of this.arrays) hash = array.hash(hash);
    return hash;
  }

  /**
   * Two entries that match one address are a conflict, unless both come from descriptors of one level with the Contiguous
   * bit: hardware itself may cache such pages one by one and together.
   */
  #isConflict(a: number, b: number): boolean {
    const words = this.#words;
    const one = words[a + ENTRY_ATTRIBUTES];
    const two = words[b + ENTRY_ATTRIBUTES];
    if ((one & two & ATTRIBUTE_CONTIGUOUS) === 0) return true;
    return (((one ^ two) >>> ATTRIBUTE_LEVEL_SHIFT) & 3) !== 0;
  }

  #dropOverlaps(array: SetArray, first: number, pages: number, asid: number, sizes: number): number {
    const words = this.#words;
    if ((words[S_OCCUPIED] & array.bit) === 0) return 0;
    let dropped = 0;
    for (let entry = 0; entry < array.entries; entry++) {
      const at = array.entryAt(entry);
      if (words[at] === 0) continue;
      const shift = words[at] & 0x3f;
      const isGlobal = (words[at + ENTRY_ATTRIBUTES] & ATTRIBUTE_GLOBAL) !== 0;
      if (!isGlobal && asid >= 0 && words[at + ENTRY_CONTEXT] !== asid) continue;
      if (sizes >= 0 && (sizes & sizeBit(shift)) === 0) continue;
      const start = pageNumber(words[at] & ~0x3f, words[at + ENTRY_KEY_HI]);
      if (start + 2 ** (shift - 12) <= first || start >= first + pages) continue;
      array.dropAt(at);
      dropped++;
    }
    return dropped;
  }
}

/** Bits 63:12 of an address. */
function pageNumber(lo: number, hi: number): number {
  return (lo >>> 12) + (hi >>> 0) * 0x10_0000;
}
