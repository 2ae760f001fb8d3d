/**
 * Which descriptors of the lower half (TTBR0_EL1) may be cached, and as what: Arm ARM D8 "Translation table walk" (a
 * descriptor that faults is never cached, nor is one with AF = 0), "Hierarchical control of data access permissions".
 *
 * Simplifications: 4 KiB granule and a first table of 512 entries only; memory types and shareability are left out of
 * comparisons; a page of a contiguous group is judged by its own descriptor, not by those of its neighbours.
 */
import {
  type EntryMeaning,
  LEAF,
  type MayFormat,
  type MayRights,
  NOTHING,
  TABLE,
} from "../may-sets-format.ts";
import { ATTRIBUTE_GLOBAL } from "../set-array.ts";
import { outputBits } from "./controls.ts";
import {
  lookupIndex,
  lookupShift,
  TTD_AF,
  TTD_AP_EL0,
  TTD_AP_RO,
  TTD_HI_AP_TABLE_NO_EL0,
  TTD_HI_AP_TABLE_RO,
  TTD_HI_CONTIGUOUS,
  TTD_HI_DBM,
  TTD_HI_PXN,
  TTD_HI_PXN_TABLE,
  TTD_HI_UXN,
  TTD_HI_UXN_TABLE,
  TTD_NG,
  TTD_TABLE,
  TTD_VALID,
} from "./descriptors.ts";
import {
  ATTRIBUTE_DIRTY,
  ATTRIBUTE_EL0,
  ATTRIBUTE_PXN,
  ATTRIBUTE_RO,
  ATTRIBUTE_UXN,
  PERMISSIONS,
  R_FLAT,
  R_GRANULE,
  R_START_LEVEL,
  R_START_MASK,
  S_HD,
  S_ON,
  S_RANGES,
} from "./layout.ts";
import { leafRights, limitRights } from "./rights.ts";

const GRANULE = 12;
const ADDRESS_HI = 0xffff;
const RELEVANT_LO: number =
  TTD_VALID | TTD_TABLE | TTD_AP_EL0 | TTD_AP_RO | TTD_AF | TTD_NG | (-1 << GRANULE);
const RELEVANT_HI: number =
  ADDRESS_HI |
  TTD_HI_DBM |
  TTD_HI_CONTIGUOUS |
  TTD_HI_PXN |
  TTD_HI_UXN |
  TTD_HI_PXN_TABLE |
  TTD_HI_UXN_TABLE |
  TTD_HI_AP_TABLE_NO_EL0 |
  TTD_HI_AP_TABLE_RO;
const ATTRIBUTES_MASK: number = PERMISSIONS | ATTRIBUTE_DIRTY | ATTRIBUTE_GLOBAL;

/** The lower half's tables are such as may-sets can follow. */
export function isFollowed(words: Int32Array): boolean {
  return words[S_RANGES + R_GRANULE] === GRANULE && words[S_RANGES + R_START_MASK] === 511;
}

export class AArch64MayFormat implements MayFormat {
  readonly rootRights: number = ATTRIBUTE_EL0;
  readonly #words: Int32Array;

  /** @param words the core's translation state */
  constructor(words: Int32Array) {
    this.#words = words;
  }

  get levels(): number {
    return this.#words[S_ON] === 0 ? 0 : 4 - this.#words[S_RANGES + R_START_LEVEL];
  }

  shift(level: number): number {
    return lookupShift(GRANULE, 4 - level);
  }

  index(lo: number, hi: number, level: number): number {
    return lookupIndex(lo, hi, GRANULE, 4 - level);
  }

  baseLo(index: number, level: number): number {
    return level > 3 ? 0 : index << this.shift(level);
  }

  baseHi(index: number, level: number): number {
    if (level === 4) return index << 7;
    return level === 3 ? index >>> 2 : 0;
  }

  isCacheable(lo: number, hi: number): boolean {
    if ((lo & TTD_VALID) === 0 || (lo & (TTD_TABLE | TTD_AF)) === 0) return false;
    return (hi & ADDRESS_HI) >>> (outputBits(this.#words, GRANULE) - 32) === 0;
  }

  meaning(lo: number, hi: number, level: number): EntryMeaning {
    if (!this.isCacheable(lo, hi)) return NOTHING;
    if (level > 1 && (lo & TTD_TABLE) !== 0) return TABLE;
    if ((lo & TTD_AF) === 0 || level > 3) return NOTHING;
    return level > 1 === ((lo & TTD_TABLE) === 0) ? LEAF : NOTHING;
  }

  frame(lo: number, hi: number, level: number): number {
    const isBlock = level > 1 && (lo & TTD_TABLE) === 0;
    const low = isBlock ? lo & (-1 << this.shift(level)) : lo;
    return (low >>> 12) + (hi & ADDRESS_HI) * 0x10_0000;
  }

  combine(rights: number, _lo: number, hi: number): number {
    return this.#words[S_RANGES + R_FLAT] !== 0 ? rights : limitRights(rights, hi);
  }

  leafAttributes(rights: number, lo: number, hi: number): number {
    const isClean = (lo & TTD_AP_RO) !== 0 && (hi & TTD_HI_DBM) !== 0 && this.#words[S_HD] !== 0;
    let attributes = leafRights(rights, isClean ? 0 : (lo >>> 7) & 1, lo, hi);
    if (!isClean) attributes |= ATTRIBUTE_DIRTY;
    if ((lo & TTD_NG) === 0) attributes |= ATTRIBUTE_GLOBAL;
    return attributes;
  }

  isGlobal(attributes: number): boolean {
    return (attributes & ATTRIBUTE_GLOBAL) !== 0;
  }

  isSame(aLo: number, aHi: number, bLo: number, bHi: number): boolean {
    return ((aLo ^ bLo) & RELEVANT_LO) === 0 && ((aHi ^ bHi) & RELEVANT_HI) === 0;
  }

  covers(attributes: number, weaker: number): boolean {
    const have = attributes & ATTRIBUTES_MASK;
    return ((weaker & ATTRIBUTES_MASK) | (have & ATTRIBUTE_DIRTY)) === have;
  }

  /** EL0's rights to a page that it may read or execute, EL1's to another. */
  rights(attributes: number): MayRights {
    const el0Reads = (attributes & ATTRIBUTE_EL0) !== 0;
    const el0Executes = (attributes & ATTRIBUTE_UXN) === 0;
    const user = el0Reads || el0Executes;
    return {
      read: el0Reads || !user,
      write: (attributes & ATTRIBUTE_RO) === 0 && (el0Reads || !user),
      execute: user ? el0Executes : (attributes & ATTRIBUTE_PXN) === 0,
      user,
      dirty: (attributes & ATTRIBUTE_DIRTY) !== 0,
      key: 0,
    };
  }
}
