/**
 * Which descriptors of one half of the address space (TTBR0_EL1, TTBR1_EL1) may be cached, and as what: Arm ARM D8
 * "Translation table walk" (a descriptor that faults is never cached, nor is one with AF = 0), "Hierarchical control of
 * data access permissions", "The Contiguous bit", and which of them must not be held together: D8 "Using
 * break-before-make when updating translation table entries", FEAT_BBM.
 *
 * Levels count from the leaf table here: 4 minus the manual's lookup level.
 */
import {
  type EntryMeaning,
  LEAF,
  type MayFormat,
  type MayRights,
  NOTHING,
  type ReplacementRule,
  TABLE,
} from "../may-sets-format.ts";
import { ATTRIBUTE_GLOBAL } from "../set-array.ts";
import { outputBits } from "./controls.ts";
import {
  contiguousShift,
  isBlockLevel,
  lookupIndex,
  lookupShift,
  TTD_AF,
  TTD_AP_EL0,
  TTD_AP_RO,
  TTD_ATTR_SHIFT,
  TTD_HI_AP_TABLE_NO_EL0,
  TTD_HI_AP_TABLE_RO,
  TTD_HI_CONTIGUOUS,
  TTD_HI_DBM,
  TTD_HI_GP,
  TTD_HI_PXN,
  TTD_HI_PXN_TABLE,
  TTD_HI_UXN,
  TTD_HI_UXN_TABLE,
  TTD_NG,
  TTD_SH_SHIFT,
  TTD_TABLE,
  TTD_VALID,
} from "./descriptors.ts";
import {
  ATTRIBUTE_CONTIGUOUS,
  ATTRIBUTE_DIRTY,
  ATTRIBUTE_EL0,
  ATTRIBUTE_GP,
  ATTRIBUTE_INDEX_SHIFT,
  ATTRIBUTE_PXN,
  ATTRIBUTE_RO,
  ATTRIBUTE_SH_SHIFT,
  ATTRIBUTE_UXN,
  PERMISSIONS,
  R_BASE_FAULT,
  R_FLAT,
  R_GRANULE,
  R_INPUT_BITS,
  R_NO_WALK,
  R_START_LEVEL,
  R_START_MASK,
  RANGE_WORDS,
  S_HD,
  S_ON,
  S_RANGES,
} from "./layout.ts";
import type { AArch64TranslationProfile } from "./profiles.ts";
import { leafRights, limitRights } from "./rights.ts";

const ADDRESS_HI = 0xffff;
const MEMORY_TYPE_LO: number = (7 << TTD_ATTR_SHIFT) | (3 << TTD_SH_SHIFT);
/** Software's bits and, in descriptors of granules above 4 KiB, the low bits of the address are left out. */
const RELEVANT_LO: number =
  TTD_VALID | TTD_TABLE | TTD_AP_EL0 | TTD_AP_RO | TTD_AF | TTD_NG | MEMORY_TYPE_LO | (-1 << 12);
const RELEVANT_HI: number =
  ADDRESS_HI |
  TTD_HI_GP |
  TTD_HI_DBM |
  TTD_HI_CONTIGUOUS |
  TTD_HI_PXN |
  TTD_HI_UXN |
  TTD_HI_PXN_TABLE |
  TTD_HI_UXN_TABLE |
  TTD_HI_AP_TABLE_NO_EL0 |
  TTD_HI_AP_TABLE_RO;
const MEMORY_TYPE: number = (7 << ATTRIBUTE_INDEX_SHIFT) | (3 << ATTRIBUTE_SH_SHIFT);
const ATTRIBUTES_MASK: number =
  PERMISSIONS | ATTRIBUTE_DIRTY | MEMORY_TYPE | ATTRIBUTE_GP | ATTRIBUTE_CONTIGUOUS | ATTRIBUTE_GLOBAL;
const LEAF_SHIFTS: { readonly [granule: number]: readonly number[] } = {
  12: [12, 21, 30],
  14: [14, 25],
  16: [16, 29, 42],
};

/**
 * FEAT_BBM (ID_AA64MMFR2_EL1.BBM) says what the size of a live translation may do: level 2 lets it change, levels 0 and 1
 * do not (level 1 has the nT bit, which is not modelled). The other cases need the break on every core.
 */
class BreakBeforeMake implements ReplacementRule {
  readonly toleratesSizes: boolean;

  constructor(level: 0 | 1 | 2) {
    this.toleratesSizes = level === 2;
  }

  /** Another memory type, cacheability or shareability; a global entry where entries of an ASID may be. */
  excludes(older: number, newer: number): boolean {
    if (((older ^ newer) & MEMORY_TYPE) !== 0) return true;
    return (newer & ATTRIBUTE_GLOBAL) !== 0 && (older & ATTRIBUTE_GLOBAL) === 0;
  }

  areReadOnly(older: number, newer: number): boolean {
    return (older & newer & ATTRIBUTE_RO) !== 0;
  }
}

export class AArch64MayFormat implements MayFormat {
  readonly rootRights: number = ATTRIBUTE_EL0;
  readonly replacement: ReplacementRule;
  readonly #words: Int32Array;
  readonly #physicalBits: number;
  /** Word index of the half's block. */
  readonly #range: number;
  readonly #sign: 0 | -1;

  /**
   * @param words the core's translation state
   * @param half 0: TTBR0_EL1, 1: TTBR1_EL1
   */
  constructor(words: Int32Array, half: 0 | 1, profile: AArch64TranslationProfile) {
    this.#words = words;
    this.#physicalBits = profile.physicalBits;
    this.#range = S_RANGES + half * RANGE_WORDS;
    this.#sign = half === 0 ? 0 : -1;
    this.replacement = new BreakBeforeMake(profile.bbmLevel);
  }

  get levels(): number {
    const words = this.#words;
    const r = this.#range;
    if (words[S_ON] === 0 || words[r + R_INPUT_BITS] === 0) return 0;
    if (words[r + R_NO_WALK] !== 0 || words[r + R_BASE_FAULT] !== 0) return 0;
    return 4 - words[r + R_START_LEVEL];
  }

  get rootEntries(): number {
    return this.#words[this.#range + R_START_MASK] + 1;
  }

  get tableFrames(): number {
    return 1 << (this.#granule - 12);
  }

  get leafShifts(): readonly number[] {
    return LEAF_SHIFTS[this.#granule];
  }

  get #granule(): number {
    return this.#words[this.#range + R_GRANULE];
  }

  shift(level: number): number {
    return lookupShift(this.#granule, 4 - level);
  }

  levelNumber(level: number): number {
    return 4 - level;
  }

  index(lo: number, hi: number, level: number): number {
    const index = lookupIndex(lo, hi, this.#granule, 4 - level);
    const words = this.#words;
    return 4 - level === words[this.#range + R_START_LEVEL]
      ? index & words[this.#range + R_START_MASK]
      : index;
  }

  baseLo(index: number, level: number): number {
    const shift = this.shift(level);
    const base = shift < 32 ? index << shift : 0;
    return this.#isTop(level) ? base | this.#signLo() : base;
  }

  baseHi(index: number, level: number): number {
    const shift = this.shift(level);
    const base = shift < 32 ? index >>> (32 - shift) : index << (shift - 32);
    return this.#isTop(level) ? base | this.#signHi() : base;
  }

  isCacheable(lo: number, hi: number): boolean {
    if ((lo & TTD_VALID) === 0 || (lo & (TTD_TABLE | TTD_AF)) === 0) return false;
    return this.#addressHi(lo, hi) >>> (outputBits(this.#words, this.#granule) - 32) === 0;
  }

  meaning(lo: number, hi: number, level: number): EntryMeaning {
    if (!this.isCacheable(lo, hi)) return NOTHING;
    if (level > 1 && (lo & TTD_TABLE) !== 0) return TABLE;
    if ((lo & TTD_AF) === 0) return NOTHING;
    if (level === 1) return (lo & TTD_TABLE) !== 0 ? LEAF : NOTHING;
    return level < 4 && isBlockLevel(this.#granule, 4 - level, this.#physicalBits) ? LEAF : NOTHING;
  }

  frame(lo: number, hi: number, level: number): number {
    const granule = this.#granule;
    const isBlock = level > 1 && (lo & TTD_TABLE) === 0;
    const frame = ((lo & (-1 << granule)) >>> 12) + this.#addressHi(lo, hi) * 0x10_0000;
    const frames = 2 ** ((isBlock ? this.shift(level) : granule) - 12);
    return frame - (frame % frames);
  }

  groupShift(_lo: number, hi: number, level: number): number {
    return (hi & TTD_HI_CONTIGUOUS) === 0 ? 0 : contiguousShift(this.#granule, 4 - level);
  }

  combine(rights: number, _lo: number, hi: number): number {
    return this.#words[this.#range + R_FLAT] !== 0 ? rights : limitRights(rights, hi);
  }

  leafAttributes(rights: number, lo: number, hi: number): number {
    const isClean = (lo & TTD_AP_RO) !== 0 && (hi & TTD_HI_DBM) !== 0 && this.#words[S_HD] !== 0;
    let attributes =
      leafRights(rights, isClean ? 0 : (lo >>> 7) & 1, lo, hi) |
      (((lo >>> TTD_ATTR_SHIFT) & 7) << ATTRIBUTE_INDEX_SHIFT) |
      (((lo >>> TTD_SH_SHIFT) & 3) << ATTRIBUTE_SH_SHIFT);
    if (!isClean) attributes |= ATTRIBUTE_DIRTY;
    if ((hi & TTD_HI_GP) !== 0) attributes |= ATTRIBUTE_GP;
    if ((hi & TTD_HI_CONTIGUOUS) !== 0) attributes |= ATTRIBUTE_CONTIGUOUS;
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

  #isTop(level: number): boolean {
    return 4 - level === this.#words[this.#range + R_START_LEVEL];
  }

  /** Bits of an address above the input range. */
  #signLo(): number {
    const bits = this.#words[this.#range + R_INPUT_BITS];
    return bits < 32 ? this.#sign << bits : 0;
  }

  #signHi(): number {
    const bits = this.#words[this.#range + R_INPUT_BITS];
    return bits < 32 ? this.#sign : this.#sign << (bits - 32);
  }

  /** Bits 51:32 of the address in a descriptor. */
  #addressHi(lo: number, hi: number): number {
    const high = this.#granule === 16 && this.#physicalBits === 52 ? ((lo >>> 12) & 15) << 16 : 0;
    return (hi & ADDRESS_HI) | high;
  }
}
