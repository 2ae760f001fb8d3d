/**
 * The words that follow from SCTLR_EL1, TCR_EL1, TTBR0_EL1, TTBR1_EL1 and PSTATE.PAN. Arm ARM D24 "TCR_EL1",
 * "TTBR0_EL1"; D8 "Translation table base address", "Input address size". A TnSZ outside the allowed values makes every
 * access to its half a level 0 translation fault, one of the behaviours that the manual allows.
 */
import {
  granuleOfTG0,
  granuleOfTG1,
  lookupShift,
  PHYSICAL_BITS,
  SCTLR_A,
  SCTLR_M,
  startLevel,
  TCR_A1,
  TCR_EPD0,
  TCR_EPD1,
  TCR_HI_AS,
  TCR_HI_E0PD0,
  TCR_HI_E0PD1,
  TCR_HI_HA,
  TCR_HI_HD,
  TCR_HI_HPD0,
  TCR_HI_HPD1,
  TCR_HI_IPS_MASK,
  TCR_HI_TBI0,
  TCR_HI_TBI1,
  TCR_HI_TBID0,
  TCR_HI_TBID1,
  TCR_T1SZ_SHIFT,
  TCR_TG0_SHIFT,
  TCR_TG1_SHIFT,
} from "./descriptors.ts";
import {
  R_BASE_FAULT,
  R_BASE_HI,
  R_BASE_LO,
  R_FLAT,
  R_GRANULE,
  R_INPUT_BITS,
  R_NO_EL0,
  R_NO_WALK,
  R_START_LEVEL,
  R_START_MASK,
  R_TBI_DATA,
  R_TBI_FETCH,
  RANGE_WORDS,
  S_ASID,
  S_HA,
  S_HD,
  S_ON,
  S_OUTPUT_BITS,
  S_RANGES,
  S_SCTLR_LO,
  S_SLOW_DATA,
  S_TCR_HI,
  S_TCR_LO,
  S_TTBR0_HI,
  S_TTBR0_LO,
  S_TTBR1_HI,
  S_TTBR1_LO,
} from "./layout.ts";
import type { AArch64TranslationProfile } from "./profiles.ts";
import { deriveRights } from "./rights.ts";

/** Recomputes what follows from the registers in the words. */
export function deriveControls(words: Int32Array, profile: AArch64TranslationProfile): void {
  const sctlr = words[S_SCTLR_LO];
  const tcrHi = words[S_TCR_HI];
  const updates = profile.hardwareUpdates;
  words[S_ON] = (sctlr & SCTLR_M) !== 0 ? 1 : 0;
  words[S_SLOW_DATA] = (sctlr & SCTLR_A) !== 0 ? 1 : 0;
  words[S_HA] = updates !== "none" && (tcrHi & TCR_HI_HA) !== 0 ? 1 : 0;
  // HD has a meaning with HA = 1 only.
  words[S_HD] = updates === "access flag and dirty state" && words[S_HA] && tcrHi & TCR_HI_HD ? 1 : 0;
  words[S_OUTPUT_BITS] = Math.min(PHYSICAL_BITS[tcrHi & TCR_HI_IPS_MASK], profile.physicalBits);
  words[S_ASID] = currentAsid(words, profile.asidBits);
  deriveRange(words, profile, 0);
  deriveRange(words, profile, 1);
  deriveRights(words);
}

/** ASID of the TTBR that TCR_EL1.A1 names, as wide as TCR_EL1.AS and the core make it. */
function currentAsid(words: Int32Array, asidBits: number): number {
  const ttbrHi = (words[S_TCR_LO] & TCR_A1) !== 0 ? words[S_TTBR1_HI] : words[S_TTBR0_HI];
  return (ttbrHi >>> 16) & asidMask(words, asidBits);
}

/** Mask of the bits that an ASID has. */
export function asidMask(words: Int32Array, asidBits: number): number {
  return asidBits === 16 && (words[S_TCR_HI] & TCR_HI_AS) !== 0 ? 0xffff : 0xff;
}

function deriveRange(words: Int32Array, profile: AArch64TranslationProfile, half: 0 | 1): void {
  const tcr = words[S_TCR_LO];
  const tcrHi = words[S_TCR_HI];
  const r = S_RANGES + half * RANGE_WORDS;
  const granule =
    half === 0 ? granuleOfTG0((tcr >>> TCR_TG0_SHIFT) & 3) : granuleOfTG1((tcr >>> TCR_TG1_SHIFT) & 3);
  const flag = (word: number, lower: number, upper: number): 0 | 1 =>
    (word & (half === 0 ? lower : upper)) !== 0 ? 1 : 0;
  const tbi = flag(tcrHi, TCR_HI_TBI0, TCR_HI_TBI1);
  words[r + R_GRANULE] = granule;
  words[r + R_NO_WALK] = flag(tcr, TCR_EPD0, TCR_EPD1);
  words[r + R_FLAT] = flag(tcrHi, TCR_HI_HPD0, TCR_HI_HPD1);
  words[r + R_TBI_DATA] = tbi;
  words[r + R_TBI_FETCH] = tbi & ~flag(tcrHi, TCR_HI_TBID0, TCR_HI_TBID1);
  words[r + R_NO_EL0] = flag(tcrHi, TCR_HI_E0PD0, TCR_HI_E0PD1);
  const size = (half === 0 ? tcr : tcr >>> TCR_T1SZ_SHIFT) & 0x3f;
  const most = profile.smallTables === "absent" ? 39 : granule === 16 ? 47 : 48;
  const least = profile.inputBits === 52 && granule === 16 ? 12 : 16;
  if (size < least || size > most) {
    words[r + R_INPUT_BITS] = 0;
    return;
  }
  const inputBits = 64 - size;
  const level = startLevel(granule, inputBits);
  words[r + R_INPUT_BITS] = inputBits;
  words[r + R_START_LEVEL] = level;
  words[r + R_START_MASK] = 2 ** (inputBits - lookupShift(granule, level)) - 1;
  deriveBase(words, profile, half);
}

/** The base lies on a multiple of the first table's length, at least 64 bytes; lower bits are RES0. */
function deriveBase(words: Int32Array, profile: AArch64TranslationProfile, half: 0 | 1): void {
  const r = S_RANGES + half * RANGE_WORDS;
  const lo = half === 0 ? words[S_TTBR0_LO] : words[S_TTBR1_LO];
  const hi = half === 0 ? words[S_TTBR0_HI] : words[S_TTBR1_HI];
  const tableBytes = 8 * (words[r + R_START_MASK] + 1);
  const isWide = profile.physicalBits === 52 && words[r + R_GRANULE] === 16;
  words[r + R_BASE_LO] = lo & -Math.max(64, tableBytes);
  words[r + R_BASE_HI] = (hi & 0xffff) | (isWide ? ((lo >>> 2) & 15) << 16 : 0);
  const above = outputBits(words, words[r + R_GRANULE]) - 32;
  words[r + R_BASE_FAULT] = words[r + R_BASE_HI] >>> above !== 0 ? 1 : 0;
}

/** Bits that an output address may have with a granule: 52 needs 64 KiB. @hot */
export function outputBits(words: Int32Array, granule: number): number {
  const bits = words[S_OUTPUT_BITS];
  return bits === 52 && granule !== 16 ? 48 : bits;
}

/** The address lies in the input range of its half, whose block is at `r`. @hot */
export function isInRange(words: Int32Array, r: number, lo: number, hi: number): boolean {
  const bits = words[r + R_INPUT_BITS];
  if (bits === 0) return false;
  const sign = (hi << 8) >> 31;
  if (bits >= 32) return hi >> (bits - 32) === sign;
  return hi === sign && lo >> bits === sign;
}
