/**
 * Which page-table entries of x86-64 may be cached, and as what: Intel SDM vol. 3A 4.10.2.2 and 4.10.3.1 (never with
 * P = 0, a reserved bit set or A = 0), 4.6.1 (R/W and U/S are ANDed over the walk, XD ORed), 4.10.2.4 (G counts with
 * CR4.PGE = 1 only). Simplification: memory types (PWT, PCD, PAT) are left out of comparisons.
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
import {
  ATTRIBUTE_D,
  ATTRIBUTE_KEY_SHIFT,
  ATTRIBUTE_RW,
  ATTRIBUTE_US,
  ATTRIBUTE_XD,
  S_CR4,
  S_LEVELS,
  S_RESERVED_HI,
} from "./layout.ts";
import {
  CR4_PGE,
  entryFrame,
  levelShift,
  PDE_LEAF_RESERVED,
  PDPTE_LEAF_RESERVED,
  PTE_A,
  PTE_D,
  PTE_G,
  PTE_HI_ADDRESS_MASK,
  PTE_HI_KEY_MASK,
  PTE_HI_XD,
  PTE_P,
  PTE_PAT_LARGE,
  PTE_PS,
  PTE_RW,
  PTE_US,
  tableIndex,
} from "./paging.ts";

const USED: number = PTE_P | PTE_A;
const RELEVANT_LO: number = PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D | PTE_PS | PTE_G | ~0xfff;
const RELEVANT_HI: number = PTE_HI_XD | PTE_HI_KEY_MASK | PTE_HI_ADDRESS_MASK;
const RIGHTS_MASK: number = ATTRIBUTE_RW | ATTRIBUTE_US | ATTRIBUTE_XD;
const ATTRIBUTES_MASK: number = RIGHTS_MASK | ATTRIBUTE_D | (15 << ATTRIBUTE_KEY_SHIFT) | ATTRIBUTE_GLOBAL;

export class X86MayFormat implements MayFormat {
  readonly rootRights: number = ATTRIBUTE_RW | ATTRIBUTE_US;
  readonly rootEntries: number = 512;
  readonly tableFrames: number = 1;
  readonly leafShifts: readonly number[] = [12, 21, 30];
  /** Any change of a live entry is defined: 4.10.2.3 recommends to clear it first, no more. */
  readonly replacement: null = null;
  readonly #words: Int32Array;

  /** @param words the core's translation state */
  constructor(words: Int32Array) {
    this.#words = words;
  }

  get levels(): number {
    return this.#words[S_LEVELS]!;
  }

  shift(level: number): number {
    return levelShift(level);
  }

  levelNumber(level: number): number {
    return level;
  }

  index(lo: number, hi: number, level: number): number {
    return tableIndex(lo, hi, level);
  }

  baseLo(index: number, level: number): number {
    return level > 3 ? 0 : index << levelShift(level);
  }

  baseHi(index: number, level: number): number {
    if (level === 5) return (index << 23) >> 7;
    if (level === 4) return this.levels === 4 ? (index << 23) >> 16 : index << 7;
    return level === 3 ? index >>> 2 : 0;
  }

  isCacheable(lo: number, hi: number): boolean {
    return (lo & USED) === USED && (hi & this.#words[S_RESERVED_HI]!) === 0;
  }

  meaning(lo: number, hi: number, level: number): EntryMeaning {
    if (!this.isCacheable(lo, hi)) return NOTHING;
    if (level === 1) return LEAF;
    if ((lo & PTE_PS) === 0) return TABLE;
    if (level > 3 || (lo & (level === 3 ? PDPTE_LEAF_RESERVED : PDE_LEAF_RESERVED)) !== 0) return NOTHING;
    return LEAF;
  }

  frame(lo: number, hi: number, level: number): number {
    return level > 1 && (lo & PTE_PS) !== 0 ? entryFrame(lo & ~PTE_PAT_LARGE, hi) : entryFrame(lo, hi);
  }

  groupShift(): number {
    return 0;
  }

  combine(rights: number, lo: number, hi: number): number {
    const here = ((lo >>> 1) & 3) | ((hi >>> 31) << 2);
    return (rights & here & 3) | ((rights | here) & ATTRIBUTE_XD);
  }

  leafAttributes(rights: number, lo: number, hi: number): number {
    let attributes = this.combine(rights, lo, hi) | (((hi >>> 27) & 15) << ATTRIBUTE_KEY_SHIFT);
    if ((lo & PTE_D) !== 0) attributes |= ATTRIBUTE_D;
    if ((lo & PTE_G) !== 0 && (this.#words[S_CR4]! & CR4_PGE) !== 0) attributes |= ATTRIBUTE_GLOBAL;
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
    return ((weaker & ATTRIBUTES_MASK) | (have & ATTRIBUTE_D)) === have;
  }

  rights(attributes: number): MayRights {
    return {
      read: true,
      write: (attributes & ATTRIBUTE_RW) !== 0,
      execute: (attributes & ATTRIBUTE_XD) === 0,
      user: (attributes & ATTRIBUTE_US) !== 0,
      dirty: (attributes & ATTRIBUTE_D) !== 0,
      key: (attributes >>> ATTRIBUTE_KEY_SHIFT) & 15,
    };
  }
}
