/**
 * Entry formats of 4-level and 5-level paging. Intel SDM vol. 3A, chapter "Paging", sections 4.5 (structures), 4.6.2
 * (protection keys) and 4.7 (page-fault error code); the numbers are those of the editions before the chapter moved.
 *
 *     63  62-59  58-52    51-M      M-1 … 12       11  10-9    8   7    6   5   4    3    2    1    0
 *     XD  key    ignored  reserved  address        -   ignored  G  PS   D   A   PCD  PWT  U/S  R/W  P
 *
 * M is MAXPHYADDR. PS exists in PDPTEs and PDEs: 1 makes them leaves of 1 GiB and 2 MiB, whose address starts at bit 30
 * or 21, with PAT in bit 12 and the bits between reserved. In a PTE bit 7 is PAT; in PML4Es and PML5Es it is reserved.
 * Key, G and D have a meaning in leaves only. Levels are counted from the leaf table: 1 PTE, 2 PDE, 3 PDPTE, 4 PML4E,
 * 5 PML5E.
 */

/** Bits 31:0 of an entry. */
export const PTE_P: number = 1 << 0;
export const PTE_RW: number = 1 << 1;
export const PTE_US: number = 1 << 2;
export const PTE_PWT: number = 1 << 3;
export const PTE_PCD: number = 1 << 4;
export const PTE_A: number = 1 << 5;
export const PTE_D: number = 1 << 6;
/** In PDPTEs and PDEs. */
export const PTE_PS: number = 1 << 7;
/** In PTEs. */
export const PTE_PAT: number = 1 << 7;
export const PTE_G: number = 1 << 8;
/** Ignored by hardware; software's. */
export const PTE_SOFT_9: number = 1 << 9;
export const PTE_SOFT_10: number = 1 << 10;
export const PTE_SOFT_11: number = 1 << 11;
/** PAT of a 2 MiB or 1 GiB leaf. */
export const PTE_PAT_LARGE: number = 1 << 12;

/** Bits 63:32 of an entry, as bits of its high word. */
export const PTE_HI_XD: number = 1 << 31;
export const PTE_HI_KEY_SHIFT = 27;
export const PTE_HI_KEY_MASK: number = 0xf << 27;
/** Bits 58:52: ignored by hardware. */
export const PTE_HI_SOFT_MASK: number = 0x7f << 20;
/** Bits 51:32 of the address. */
export const PTE_HI_ADDRESS_MASK = 0xf_ffff;

/** Reserved bits 20:13 of a PDE that is a leaf. */
export const PDE_LEAF_RESERVED = 0x1f_e000;
/** Reserved bits 29:13 of a PDPTE that is a leaf. */
export const PDPTE_LEAF_RESERVED = 0x3fff_e000;

export const CR0_PE: number = 1 << 0;
export const CR0_WP: number = 1 << 16;
export const CR0_AM: number = 1 << 18;
export const CR0_PG: number = 1 << 31;
export const CR4_PSE: number = 1 << 4;
export const CR4_PAE: number = 1 << 5;
export const CR4_PGE: number = 1 << 7;
export const CR4_LA57: number = 1 << 12;
export const CR4_PCIDE: number = 1 << 17;
export const CR4_SMEP: number = 1 << 20;
export const CR4_SMAP: number = 1 << 21;
export const CR4_PKE: number = 1 << 22;
export const EFER_LME: number = 1 << 8;
export const EFER_LMA: number = 1 << 10;
export const EFER_NXE: number = 1 << 11;

/** CR3 bits 11:0 with CR4.PCIDE = 1. */
export const CR3_PCID_MASK = 0xfff;
/** Bit 63 of a value moved to CR3 with CR4.PCIDE = 1, as a bit of its high word: keep the PCID's cached entries. */
export const CR3_HI_NO_FLUSH: number = 1 << 31;

/** Page-fault error code, SDM 4.7. */
export const PF_P: number = 1 << 0;
export const PF_WR: number = 1 << 1;
export const PF_US: number = 1 << 2;
export const PF_RSVD: number = 1 << 3;
export const PF_ID: number = 1 << 4;
export const PF_PK: number = 1 << 5;

export const ENTRIES_PER_TABLE = 512;
export const ENTRY_BYTES = 8;

/** log2 of the bytes that one entry of a level covers: 12, 21, 30, 39, 48. @hot */
export function levelShift(level: number): number {
  return 3 + 9 * level;
}

/** Index of the entry of a level that an address selects. @hot */
export function tableIndex(lo: number, hi: number, level: number): number {
  switch (level) {
    case 1:
      return (lo >>> 12) & 511;
    case 2:
      return (lo >>> 21) & 511;
    case 3:
      return ((lo >>> 30) | (hi << 2)) & 511;
    case 4:
      return (hi >>> 7) & 511;
    default:
      return (hi >>> 16) & 511;
  }
}

/** Bits 63:47 (4 levels) or 63:56 (5 levels) are equal. @hot */
export function isCanonical(hi: number, levels: 4 | 5): boolean {
  return levels === 5 ? (hi << 7) >> 7 === hi : (hi << 16) >> 16 === hi;
}

/** The bits of an entry's high word that are reserved whatever its level; 36 ≤ maxPhysBits ≤ 52. */
export function reservedHi(maxPhysBits: number, nxe: boolean): number {
  const address = PTE_HI_ADDRESS_MASK & ~(2 ** (maxPhysBits - 32) - 1);
  return nxe ? address : address | PTE_HI_XD;
}

/** Low word of an entry for a frame or table; frames below 2^40. */
export function entryLo(frame: number, flags: number): number {
  return ((frame % 0x10_0000) << 12) | flags;
}

/** High word of an entry for a frame or table. `flagsHi` holds XD, key and software bits. */
export function entryHi(frame: number, flagsHi = 0): number {
  return Math.floor(frame / 0x10_0000) | flagsHi;
}

/** Frame number in an entry's address field; the low bits of a large leaf include PAT. @hot */
export function entryFrame(lo: number, hi: number): number {
  return (lo >>> 12) + (hi & PTE_HI_ADDRESS_MASK) * 0x10_0000;
}

/** Protection key in a leaf's high word. @hot */
export function entryKey(hi: number): number {
  return (hi >>> PTE_HI_KEY_SHIFT) & 15;
}
