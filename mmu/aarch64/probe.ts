/** A reading of the tables in memory without side effects: no cache, no AF or dirty update, no permissions. */
import type { PhysicalMemory } from "../memory.ts";
import { isInRange, outputBits } from "./controls.ts";
import { isBlockLevel, lookupIndex, lookupShift, TTD_TABLE, TTD_VALID } from "./descriptors.ts";
import {
  R_BASE_HI,
  R_BASE_LO,
  R_GRANULE,
  R_START_LEVEL,
  R_START_MASK,
  R_TBI_DATA,
  RANGE_WORDS,
  S_ON,
  S_OUTPUT_BITS,
  S_RANGES,
} from "./layout.ts";

/** The physical address that an address is mapped to, or -1. */
export function probeTables(
  words: Int32Array,
  ram: PhysicalMemory,
  physicalBits: number,
  lo: number,
  taggedHi: number,
): number {
  if (words[S_ON] === 0) {
    return taggedHi >>> 0 < 2 ** (words[S_OUTPUT_BITS] - 32) ? (lo >>> 0) + taggedHi * 2 ** 32 : -1;
  }
  const r = S_RANGES + ((taggedHi >>> 23) & 1) * RANGE_WORDS;
  const hi = words[r + R_TBI_DATA] !== 0 ? (taggedHi << 8) >> 8 : taggedHi;
  if (!isInRange(words, r, lo, hi)) return -1;
  const granule = words[r + R_GRANULE];
  let table = (words[r + R_BASE_LO] >>> 0) + words[r + R_BASE_HI] * 2 ** 32;
  let mask = words[r + R_START_MASK];
  for (let level = words[r + R_START_LEVEL]; level <= 3; level++) {
    const pa = table + (lookupIndex(lo, hi, granule, level) & mask) * 8;
    if (pa >= ram.sizeBytes) return -1;
    const entryLo = ram.i32[pa / 4];
    const entryHi = ram.i32[pa / 4 + 1];
    if ((entryLo & TTD_VALID) === 0) return -1;
    const isLeaf = level === 3 || (entryLo & TTD_TABLE) === 0;
    if (
      isLeaf &&
      (entryLo & TTD_TABLE) === 0 &&
      (level === 3 || !isBlockLevel(granule, level, physicalBits))
    ) {
      return -1;
    }
    const wide = granule === 16 && physicalBits === 52 ? ((entryLo >>> 12) & 15) << 16 : 0;
    const addressHi = (entryHi & 0xffff) | wide;
    if (addressHi >>> (outputBits(words, granule) - 32) !== 0) return -1;
    const size = 2 ** (isLeaf ? lookupShift(granule, level) : granule);
    const address = ((entryLo & (-1 << granule)) >>> 0) + addressHi * 2 ** 32;
    const base = address - (address % size);
    if (isLeaf) return base + (((lo >>> 0) + (hi & 0xf_ffff) * 2 ** 32) % size);
    table = base;
    mask = (1 << (granule - 3)) - 1;
  }
  return -1;
}
