/**
 * Descriptor formats of VMSAv8-64 stage 1, EL1&0 regime, and the fields of TCR_EL1 and SCTLR_EL1 that decide about it.
 * Arm ARM DDI 0487, chapter D8 "The AArch64 Virtual Memory System Architecture": "Translation table descriptor formats",
 * "Translation granules", "The Contiguous bit".
 *
 *     63      62-61   60      59                 47 … n                      11  10  9-8  7-6  4-2   1  0
 *     NSTable APTable UXNTable PXNTable          next table                  -   -   -    -    -     1  1   table
 *     58-55   54  53  52   51  50                47 … n          16  15-12   nG  AF  SH   AP   Attr  0  1   block
 *     soft    UXN PXN Cont DBM GP                47 … n              15-12   nG  AF  SH   AP   Attr  1  1   page
 *
 * n is log2 of what the entry maps, or of the granule for a table. Bits 15:12 are address bits 51:48 with the 64 KiB
 * granule and FEAT_LPA. Levels have the manual's numbers: 0 to 3, 3 the last. Not modelled: FEAT_LPA2 (TCR_EL1.DS), thus
 * neither level -1 nor 52-bit addresses with 4 and 16 KiB granules; FEAT_D128; permission indirection and overlays.
 */

/** Bits 31:0 of a descriptor. */
export const TTD_VALID: number = 1 << 0;
/** Table at levels 0 to 2, page at level 3; 0 is a block, or at level 3 invalid. */
export const TTD_TABLE: number = 1 << 1;
export const TTD_ATTR_SHIFT = 2;
/** AP[1]: EL0 may access. */
export const TTD_AP_EL0: number = 1 << 6;
/** AP[2]: read-only; with DBM = 1 and TCR_EL1.HD = 1 writable and clean. */
export const TTD_AP_RO: number = 1 << 7;
export const TTD_SH_SHIFT = 8;
export const TTD_AF: number = 1 << 10;
export const TTD_NG: number = 1 << 11;

/** Bits 63:32 of a descriptor, as bits of its high word. */
export const TTD_HI_GP: number = 1 << 18;
export const TTD_HI_DBM: number = 1 << 19;
export const TTD_HI_CONTIGUOUS: number = 1 << 20;
export const TTD_HI_PXN: number = 1 << 21;
export const TTD_HI_UXN: number = 1 << 22;
/** Bits 58:55: software's. */
export const TTD_HI_SOFT_MASK: number = 0xf << 23;
export const TTD_HI_PXN_TABLE: number = 1 << 27;
export const TTD_HI_UXN_TABLE: number = 1 << 28;
/** APTable[0]: no EL0 access below. */
export const TTD_HI_AP_TABLE_NO_EL0: number = 1 << 29;
/** APTable[1]: read-only below. */
export const TTD_HI_AP_TABLE_RO: number = 1 << 30;
/** RES0 in the Non-secure state, the one that is modelled. */
export const TTD_HI_NS_TABLE: number = 1 << 31;

/** SCTLR_EL1, bits 31:0. */
export const SCTLR_M: number = 1 << 0;
export const SCTLR_A: number = 1 << 1;
export const SCTLR_WXN: number = 1 << 19;
/** SCTLR_EL1.EPAN (FEAT_PAN3), bit 57. */
export const SCTLR_HI_EPAN: number = 1 << 25;

/** TCR_EL1, bits 31:0. */
export const TCR_T0SZ_SHIFT = 0;
export const TCR_EPD0: number = 1 << 7;
export const TCR_TG0_SHIFT = 14;
export const TCR_T1SZ_SHIFT = 16;
export const TCR_A1: number = 1 << 22;
export const TCR_EPD1: number = 1 << 23;
export const TCR_TG1_SHIFT = 30;
/** TCR_EL1, bits 63:32. */
export const TCR_HI_IPS_MASK = 7;
export const TCR_HI_AS: number = 1 << 4;
export const TCR_HI_TBI0: number = 1 << 5;
export const TCR_HI_TBI1: number = 1 << 6;
export const TCR_HI_HA: number = 1 << 7;
export const TCR_HI_HD: number = 1 << 8;
export const TCR_HI_HPD0: number = 1 << 9;
export const TCR_HI_HPD1: number = 1 << 10;
export const TCR_HI_TBID0: number = 1 << 19;
export const TCR_HI_TBID1: number = 1 << 20;
export const TCR_HI_E0PD0: number = 1 << 23;
export const TCR_HI_E0PD1: number = 1 << 24;

/** log2 of a translation granule: 4, 16 or 64 KiB. */
export type GranuleShift = 12 | 14 | 16;

/** Granule of a TG0 field. The reserved value 3 is taken for 4 KiB (an implementation may choose). */
export function granuleOfTG0(tg0: number): GranuleShift {
  return tg0 === 1 ? 16 : tg0 === 2 ? 14 : 12;
}

/** Granule of a TG1 field; TLBI operands use the same values. The reserved value 0 is taken for 4 KiB. */
export function granuleOfTG1(tg1: number): GranuleShift {
  return tg1 === 3 ? 16 : tg1 === 1 ? 14 : 12;
}

/** Bits of an output address for a value of TCR_EL1.IPS or ID_AA64MMFR0_EL1.PARange. */
export const PHYSICAL_BITS: readonly number[] = [32, 36, 40, 42, 44, 48, 52, 52];

/** log2 of the bytes that one descriptor of a level covers. @hot */
export function lookupShift(granule: number, level: number): number {
  return granule + (3 - level) * (granule - 3);
}

/** Level at which a walk for an input range of `inputBits` starts. */
export function startLevel(granule: number, inputBits: number): number {
  return 4 - Math.ceil((inputBits - granule) / (granule - 3));
}

/** Index of the descriptor of a level that an address selects, before the input range's limit. @hot */
export function lookupIndex(lo: number, hi: number, granule: number, level: number): number {
  const shift = lookupShift(granule, level);
  const mask = (1 << (granule - 3)) - 1;
  if (shift >= 32) return (hi >>> (shift - 32)) & mask;
  return ((lo >>> shift) | (shift === 0 ? 0 : hi << (32 - shift))) & mask;
}

/** Blocks exist at a level: 1 and 2 with 4 KiB, 2 with 16 KiB, 2 and (FEAT_LPA) 1 with 64 KiB. @hot */
export function isBlockLevel(granule: number, level: number, physicalBits: number): boolean {
  if (level === 2) return true;
  return level === 1 && (granule === 12 || (granule === 16 && physicalBits === 52));
}

/** log2 of the adjacent descriptors that the Contiguous bit joins: 16; 128 or 32 with 16 KiB; 32 with 64 KiB. @hot */
export function contiguousShift(granule: number, level: number): number {
  if (granule === 12) return 4;
  return granule === 14 && level === 3 ? 7 : 5;
}

/** log2 of the sizes of all pages, blocks and contiguous groups, ascending. */
export const AARCH64_LEAF_SHIFTS: readonly number[] = [12, 14, 16, 21, 25, 29, 30, 34, 42, 47];

/** Low word of a descriptor for a frame or table; frames below 2^36. */
export function descriptorLo(frame: number, flags: number): number {
  return ((frame % 0x10_0000) << 12) | flags;
}

/** High word of a descriptor for a frame or table. */
export function descriptorHi(frame: number, flagsHi = 0): number {
  return Math.floor(frame / 0x10_0000) | flagsHi;
}
