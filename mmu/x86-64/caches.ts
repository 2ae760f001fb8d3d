/**
 * The modelled structures of one core, and the scopes in which the manual invalidates them (Intel SDM vol. 3A
 * 4.10.4.1). Counts returned are entries that went.
 */
import type { FastKeeper } from "../fast-keeper.ts";
import {
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
  ENTRY_KEY_LO,
  ENTRY_WORDS,
  keyLo,
  type SetArray,
} from "../set-array.ts";
import { firstLevelTlb, secondLevelTlb, type Tlb } from "../tlb.ts";
import { FETCH } from "../translation.ts";
import { type WalkCache, walkCache } from "../walk-cache.ts";
import {
  ARRAYS,
  ATTRIBUTE_D,
  ATTRIBUTE_FRAGMENT,
  ATTRIBUTE_KEY_SHIFT,
  regionBit,
  S_LARGE,
  S_OCCUPIED,
  S_PCID,
  S_PREFETCH,
  W_IMAGE,
} from "./layout.ts";
import { levelShift } from "./paging.ts";
import type { X86TranslationProfile } from "./profiles.ts";

/** One modelled entry, for debuggers and tests. */
export interface CachedEntry {
  readonly structure: string;
  readonly lo: number;
  readonly hi: number;
  readonly shift: number;
  readonly pcid: number;
  readonly global: boolean;
  readonly writable: boolean;
  readonly user: boolean;
  readonly noExecute: boolean;
  readonly dirty: boolean;
  readonly key: number;
  readonly frame: number;
}

/** Page sizes by the order of X86Caches.tlbs; the STLB also holds 2 MiB pages. */
const TLB_SHIFTS = [12, 21, 30, 12, 21, 12, 30];

export class X86Caches {
  readonly l1d4k: Tlb;
  readonly l1d2m: Tlb;
  readonly l1d1g: Tlb;
  readonly l1i4k: Tlb;
  readonly l1i2m: Tlb;
  readonly stlb: Tlb;
  readonly stlb1g: Tlb;
  readonly tlbs: readonly Tlb[];
  /** Paging-structure caches by the level of their entries: [2] PDE … [5] PML5E. */
  readonly walkCaches: readonly (WalkCache | null)[];
  /** All, in the order of their structure numbers. */
  readonly arrays: readonly SetArray[];
  readonly #words: Int32Array;
  /** Bits of the TLBs that can hold 2 MiB or 1 GiB entries. */
  readonly #largeHolders: number;

  constructor(host: ArrayHost, profile: X86TranslationProfile, keeper: FastKeeper) {
    this.#words = host.words;
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
    const first = (geometry: ArrayGeometry, fastTags: "data" | "exec"): Tlb =>
      firstLevelTlb(host, geometry, place(geometry), keeper, fastTags);
    const second = (geometry: ArrayGeometry): Tlb => secondLevelTlb(host, geometry, place(geometry));
    const cache = (geometry: ArrayGeometry): WalkCache => walkCache(host, geometry, place(geometry));
    this.l1d4k = first(profile.l1d4k, "data");
    this.l1d2m = first(profile.l1d2m, "data");
    this.l1d1g = first(profile.l1d1g, "data");
    this.l1i4k = first(profile.l1i4k, "exec");
    this.l1i2m = first(profile.l1i2m, "exec");
    this.stlb = second(profile.stlb);
    this.stlb1g = second(profile.stlb1g);
    const pml5e = cache(profile.pml5e);
    const pml4e = cache(profile.pml4e);
    const pdpte = cache(profile.pdpte);
    const pde = cache(profile.pde);
    this.tlbs = [this.l1d4k, this.l1d2m, this.l1d1g, this.l1i4k, this.l1i2m, this.stlb, this.stlb1g];
    this.walkCaches = [null, null, pde, pdpte, pml4e, pml5e];
    this.#largeHolders = this.l1d2m.bit | this.l1d1g.bit | this.l1i2m.bit | this.stlb.bit | this.stlb1g.bit;
    this.arrays = [...this.tlbs, pml5e, pml4e, pdpte, pde];
  }

  /** Enters an image into the second level; returns its word index. */
  fillSecond(image: number): number {
    const words = this.#words;
    const shift = words[image] & 0x3f;
    if (shift !== 12) words[S_LARGE] |= regionBit(words[image], words[image + ENTRY_KEY_HI]);
    return this.secondFor(shift).insert(image);
  }

  /** The second-level TLB of a page size. */
  secondFor(shift: number): Tlb {
    return shift === 30 ? this.stlb1g : this.stlb;
  }

  /** Copies an entry (a walk's image or a second-level one) into the first level; returns its word index. */
  fillFirst(image: number, lo: number, hi: number, kind: number): number {
    const words = this.#words;
    const shift = words[image] & 0x3f;
    if (shift === 12) return (kind === FETCH ? this.l1i4k : this.l1d4k).insert(image);
    words[S_LARGE] |= regionBit(lo, hi);
    if (kind !== FETCH) return this.firstFor(shift, kind).insert(image);
    if (shift !== 30) return this.firstFor(shift, kind).insert(image);
    const fragment = S_PREFETCH + W_IMAGE;
    for (let i = 0; i < ENTRY_WORDS; i++) words[fragment + i] = words[image + i];
    words[fragment + ENTRY_KEY_LO] = keyLo(lo, 21);
    words[fragment + ENTRY_KEY_HI] = hi;
    words[fragment + ENTRY_ATTRIBUTES] |= ATTRIBUTE_FRAGMENT;
    words[fragment + ENTRY_FRAME_LO] |= (lo >>> 12) & 0x3_fe00;
    return this.l1i2m.insert(fragment);
  }

  /** Word index of a first-level entry of 2 MiB or 1 GiB, or -1. */
  findLarge(lo: number, hi: number, kind: number, pcid: number): number {
    if (kind === FETCH) return this.l1i2m.find(lo, hi, 21, pcid);
    const at = this.l1d2m.find(lo, hi, 21, pcid);
    return at >= 0 ? at : this.l1d1g.find(lo, hi, 30, pcid);
  }

  /** Word index of a second-level entry of 2 MiB or 1 GiB, or -1. */
  findSecondLarge(lo: number, hi: number, pcid: number): number {
    const at = this.stlb.find(lo, hi, 21, pcid);
    return at >= 0 ? at : this.stlb1g.find(lo, hi, 30, pcid);
  }

  /** The ledger's number of the TLB entry at a word index. */
  holdingOf(at: number): number {
    for (const tlb of this.tlbs) if (tlb.holds(at)) return tlb.holdingOf(at);
    throw new Error(`word ${at} is no TLB entry`);
  }

  /** Word index of a first-level entry of any size for an address under the current PCID, or -1. */
  findFirst(lo: number, hi: number, kind: number): number {
    const pcid = this.#words[S_PCID];
    for (let shift = 12; shift <= 30; shift += 9) {
      if (kind === FETCH && shift === 30) break;
      const at = this.firstFor(shift, kind).find(lo, hi, shift, pcid);
      if (at >= 0) return at;
    }
    return -1;
  }

  /** Word index of a second-level entry of any size for an address under the current PCID, or -1. */
  findSecond(lo: number, hi: number): number {
    const pcid = this.#words[S_PCID];
    for (let shift = 12; shift <= 30; shift += 9) {
      const at = this.secondFor(shift).find(lo, hi, shift, pcid);
      if (at >= 0) return at;
    }
    return -1;
  }

  /** The first-level TLB that holds a page size for a kind of access. */
  firstFor(shift: number, kind: number): Tlb {
    if (kind === FETCH) return shift === 12 ? this.l1i4k : this.l1i2m;
    if (shift === 12) return this.l1d4k;
    return shift === 21 ? this.l1d2m : this.l1d1g;
  }

  /** TLB entries of any size that translate an address under a PCID; globals too unless `globals` is 0. */
  dropPage(lo: number, hi: number, pcid: number, globals: number): number {
    if ((this.#words[S_LARGE] & regionBit(lo, hi)) !== 0) {
      return this.#dropAnyPage(lo, hi, pcid, globals);
    }
    return (
      this.l1d4k.dropAddress(lo, hi, 12, pcid, globals) +
      this.l1i4k.dropAddress(lo, hi, 12, pcid, globals) +
      this.stlb.dropAddress(lo, hi, 12, pcid, globals)
    );
  }

  /**
   * dropPage() with globals and dropWalk() after a lookup for this kind of access that found no entry of any size, and
   * none in the paging-structure caches below `level`. @hot
   */
  dropAfterMiss(lo: number, hi: number, kind: number, pcid: number, level: number): number {
    const words = this.#words;
    let dropped: number;
    if ((words[S_LARGE] & regionBit(lo, hi)) !== 0) dropped = this.#dropAnyPage(lo, hi, pcid, 1);
    else if (kind === FETCH) dropped = this.l1d4k.dropAddress(lo, hi, 12, pcid, 1);
    else dropped = this.l1i4k.dropAddress(lo, hi, 12, pcid, 1);
    const occupied = words[S_OCCUPIED];
    for (let at = level; at <= 5; at++) {
      const cache = this.walkCaches[at]!;
      if ((occupied & cache.bit) !== 0) dropped += cache.dropAddress(lo, hi, levelShift(at), pcid, 0);
    }
    return dropped;
  }

  /** Paging-structure entries that would be used for one address under a PCID. */
  dropWalk(lo: number, hi: number, pcid: number): number {
    const occupied = this.#words[S_OCCUPIED];
    let dropped = 0;
    for (let level = 2; level <= 5; level++) {
      const cache = this.walkCaches[level]!;
      if ((occupied & cache.bit) !== 0) dropped += cache.dropAddress(lo, hi, levelShift(level), pcid, 0);
    }
    return dropped;
  }

  /** All paging-structure entries of a PCID (ANY_CONTEXT: of all). */
  dropWalks(pcid: number): number {
    let dropped = 0;
    for (let level = 2; level <= 5; level++) dropped += this.walkCaches[level]!.dropContext(pcid, 0);
    return dropped;
  }

  /** All TLB and paging-structure entries of a PCID (ANY_CONTEXT: of all); globals too unless `globals` is 0. */
  dropContext(pcid: number, globals: number): number {
    let dropped = this.dropWalks(pcid);
    for (let i = 0; i < this.tlbs.length; i++) dropped += this.tlbs[i].dropContext(pcid, globals);
    if ((this.#words[S_OCCUPIED] & this.#largeHolders) === 0) this.#words[S_LARGE] = 0;
    return dropped;
  }

  /** Every valid entry, in a fixed order. */
  list(): CachedEntry[] {
    const words = this.#words;
    const found: CachedEntry[] = [];
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
          pcid: words[at + ENTRY_CONTEXT],
          global: (attributes & ATTRIBUTE_GLOBAL) !== 0,
          writable: (attributes & 1) !== 0,
          user: (attributes & 2) !== 0,
          noExecute: (attributes & 4) !== 0,
          dirty: (attributes & ATTRIBUTE_D) !== 0,
          key: (attributes >>> ATTRIBUTE_KEY_SHIFT) & 15,
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

  #dropAnyPage(lo: number, hi: number, pcid: number, globals: number): number {
    const occupied = this.#words[S_OCCUPIED];
    let dropped = 0;
    for (let i = 0; i < this.tlbs.length; i++) {
      const tlb = this.tlbs[i];
      if ((occupied & tlb.bit) !== 0) dropped += tlb.dropAddress(lo, hi, TLB_SHIFTS[i], pcid, globals);
    }
    if ((occupied & this.stlb.bit) !== 0) dropped += this.stlb.dropAddress(lo, hi, 21, pcid, globals);
    if ((occupied & this.l1i2m.bit) !== 0) dropped += this.#dropFragments(lo, hi, pcid, globals);
    return dropped;
  }

  /** The other fragments of a 1 GiB page go with it (SDM 4.10.4.1, note on multiple entries for a page). */
  #dropFragments(lo: number, hi: number, pcid: number, globals: number): number {
    const words = this.#words;
    const tlb = this.l1i2m;
    let dropped = 0;
    for (let entry = 0; entry < tlb.entries; entry++) {
      const at = tlb.entryAt(entry);
      const entryLo = words[at];
      if (entryLo === 0 || (words[at + ENTRY_ATTRIBUTES] & ATTRIBUTE_FRAGMENT) === 0) continue;
      if (entryLo >>> 30 !== lo >>> 30 || words[at + ENTRY_KEY_HI] !== hi) continue;
      dropped += tlb.dropAddress(entryLo, hi, 21, pcid, globals);
    }
    return dropped;
  }
}
