/**
 * AArch64 page-table entries as software uses them, and the kernel's own mappings; 4 KiB granule, 48-bit addresses.
 * Hardware bits: mmu/aarch64/descriptors.ts. Software bits as in Linux 6.6 (arch/arm64/include/asm/pgtable-prot.h):
 *
 *     58         57      56       55     54   53   51           11  10  7       6
 *     PROT_NONE  DEVMAP  SPECIAL  DIRTY  UXN  PXN  WRITE (DBM)  nG  AF  RDONLY  USER (AP[1])
 *
 * What an entry says about writing and dirt (PTE_WRITE is the hardware's DBM, so a store clears RDONLY by itself):
 *
 *     dirty writable | RDONLY WRITE DIRTY
 *       0      0     |   1      0     0
 *       0      1     |   1      1     0
 *       1      0     |   1      0     1
 *       1      1     |   0      1     any
 *
 * An entry is dirty if the hardware says so (WRITE and not RDONLY) or the software bit does; whatever takes WRITE away
 * moves the hardware's dirt into the software bit. Without DBM in hardware a store to a clean entry faults, and the
 * handler does what the hardware would. Levels count from the leaf table here, 1, to the top table, 4: the manual's
 * lookup level is 4 minus that.
 */
import type { PhysicalMemory } from "../../../mmu/index.ts";
import {
  descriptorHi,
  descriptorLo,
  TTD_AF,
  TTD_AP_EL0,
  TTD_AP_RO,
  TTD_ATTR_SHIFT,
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
} from "../../../mmu/index.ts";
import { VM_EXEC, VM_READ, VM_SHARED, VM_WRITE } from "../../mm/vma.ts";
import type { PageTableFormat } from "../mmu-port.ts";

/** PTE_WRITE, PTE_DIRTY, PTE_SPECIAL and PTE_PROT_NONE, as bits of the high word. */
export const PTE_HI_WRITE: number = TTD_HI_DBM;
export const PTE_HI_DIRTY: number = 1 << 23;
export const PTE_HI_SPECIAL: number = 1 << 24;
export const PTE_HI_PROT_NONE: number = 1 << 26;

/** MT_NORMAL of MAIR_EL1. */
const ATTR_NORMAL: number = 0 << TTD_ATTR_SHIFT;
const ATTR_MASK: number = 7 << TTD_ATTR_SHIFT;
const INNER_SHAREABLE: number = 3 << TTD_SH_SHIFT;

/** _PAGE_DEFAULT: a page, accessed, inner shareable, normal memory. */
const PAGE_DEFAULT: number = TTD_VALID | TTD_TABLE | TTD_AF | INNER_SHAREABLE | ATTR_NORMAL;
const BLOCK_DEFAULT: number = TTD_VALID | TTD_AF | INNER_SHAREABLE | ATTR_NORMAL;

/** Address bits in the high word: 47:32. */
const ADDRESS_HI_MASK = 0xffff;

/** What pte_modify() takes from the new protection. */
const MODIFY_LO: number = TTD_VALID | TTD_AP_EL0 | TTD_AP_RO | ATTR_MASK;
const MODIFY_HI: number = TTD_HI_PXN | TTD_HI_UXN | PTE_HI_PROT_NONE | PTE_HI_WRITE | TTD_HI_GP;
/** What ptep_set_access_flags() takes from the new entry; of RDONLY the more permissive value counts. */
const ACCESS_HI: number = PTE_HI_WRITE | PTE_HI_DIRTY;

const SPAN_PAGES: readonly number[] = [0, 1, 2 ** 9, 2 ** 18, 2 ** 27];

export class Arm64PageTableFormat implements PageTableFormat {
  readonly levels = 4;
  lo = 0;
  hi = 0;

  spanPages(level: number): number {
    return SPAN_PAGES[level]!;
  }
  /** @hot */
  index(lo: number, hi: number, level: number): number {
    if (level === 1) return (lo >>> 12) & 511;
    if (level === 2) return (lo >>> 21) & 511;
    return level === 3 ? ((lo >>> 30) | (hi << 2)) & 511 : (hi >>> 7) & 511;
  }
  /** @hot */
  isNone(lo: number, hi: number): boolean {
    return (lo | hi) === 0;
  }
  /** @hot */
  isPresent(lo: number, hi: number): boolean {
    return ((lo & TTD_VALID) | (hi & PTE_HI_PROT_NONE)) !== 0;
  }
  /** @hot */
  isProtNone(lo: number, hi: number): boolean {
    return (lo & TTD_VALID) === 0 && (hi & PTE_HI_PROT_NONE) !== 0;
  }
  /** @hot */
  isWritable(_lo: number, hi: number): boolean {
    return (hi & PTE_HI_WRITE) !== 0;
  }
  isExecutable(_lo: number, hi: number): boolean {
    return (hi & TTD_HI_UXN) === 0;
  }
  /** @hot */
  isDirty(lo: number, hi: number): boolean {
    return (hi & PTE_HI_DIRTY) !== 0 || isHardwareDirty(lo, hi);
  }
  /** @hot */
  isYoung(lo: number, _hi: number): boolean {
    return (lo & TTD_AF) !== 0;
  }
  /** @hot */
  isSpecial(_lo: number, hi: number): boolean {
    return (hi & PTE_HI_SPECIAL) !== 0;
  }
  /** @hot */
  frame(lo: number, hi: number): number {
    return (lo >>> 12) + (hi & ADDRESS_HI_MASK) * 0x10_0000;
  }

  /** @hot */
  isTable(lo: number, _hi: number): boolean {
    return (lo & (TTD_VALID | TTD_TABLE)) === (TTD_VALID | TTD_TABLE);
  }
  /** @hot */
  tableAddress(lo: number, hi: number): number {
    return ((lo & ~0xfff) >>> 0) + (hi & ADDRESS_HI_MASK) * 0x1_0000_0000;
  }
  /** The kernel executes nothing that is mapped for users (PMD_TABLE_PXN and its kin). */
  makeTable(frame: number): void {
    this.lo = descriptorLo(frame, TTD_VALID | TTD_TABLE);
    this.hi = descriptorHi(frame, TTD_HI_PXN_TABLE);
  }

  /**
   * protection_map[] of arm64: writable shared pages begin clean, private ones without WRITE (copy on write). Without
   * FEAT_PAN3 what may be executed may be read.
   */
  protection(vmFlags: number, _vmFlagsHi: number): void {
    this.lo = PAGE_DEFAULT | TTD_AP_RO | TTD_NG;
    this.hi = TTD_HI_PXN | TTD_HI_UXN;
    if ((vmFlags & (VM_READ | VM_WRITE | VM_EXEC)) === 0) {
      this.lo &= ~TTD_VALID;
      this.hi |= PTE_HI_PROT_NONE;
      return;
    }
    this.lo |= TTD_AP_EL0;
    if ((vmFlags & VM_EXEC) !== 0) this.hi &= ~TTD_HI_UXN;
    if ((vmFlags & (VM_WRITE | VM_SHARED)) === (VM_WRITE | VM_SHARED)) this.hi |= PTE_HI_WRITE;
  }

  /** @hot */
  make(frame: number, protLo: number, protHi: number): void {
    this.lo = ((frame % 0x10_0000) << 12) | protLo;
    this.hi = (frame < 0x10_0000 ? 0 : Math.floor(frame / 0x10_0000)) | protHi;
  }
  /** @hot */
  load(lo: number, hi: number): void {
    this.lo = lo;
    this.hi = hi;
  }
  /** @hot */
  mkWrite(): void {
    this.hi |= PTE_HI_WRITE;
    this.lo &= ~TTD_AP_RO;
  }
  /** @hot */
  mkDirty(): void {
    this.hi |= PTE_HI_DIRTY;
    if ((this.hi & PTE_HI_WRITE) !== 0) this.lo &= ~TTD_AP_RO;
  }
  /** @hot */
  mkYoung(): void {
    this.lo |= TTD_AF;
  }
  /** @hot */
  mkSpecial(): void {
    this.hi |= PTE_HI_SPECIAL;
  }
  /** @hot */
  wrprotect(): void {
    if (isHardwareDirty(this.lo, this.hi)) this.hi |= PTE_HI_DIRTY;
    this.hi &= ~PTE_HI_WRITE;
    this.lo |= TTD_AP_RO;
  }
  mkOld(): void {
    this.lo &= ~TTD_AF;
  }
  mkClean(): void {
    this.hi &= ~PTE_HI_DIRTY;
    this.lo |= TTD_AP_RO;
  }
  modify(protLo: number, protHi: number): void {
    if (isHardwareDirty(this.lo, this.hi)) this.hi |= PTE_HI_DIRTY;
    this.lo = (this.lo & ~MODIFY_LO) | (protLo & MODIFY_LO);
    this.hi = (this.hi & ~MODIFY_HI) | (protHi & MODIFY_HI);
    // A dirty entry that may be written again needs no update of the walker to be so.
    if ((this.hi & PTE_HI_DIRTY) !== 0) this.mkDirty();
  }

  /**
   * Gives an entry the accessed and dirty state and the write permission of another one, only ever more of each: what
   * the exchange of ptep_set_access_flags() stores over the entry that it finds.
   */
  allowAccess(lo: number, hi: number, wantedLo: number, wantedHi: number): void {
    this.lo = (lo | (wantedLo & TTD_AF)) & (wantedLo | ~TTD_AP_RO);
    this.hi = hi | (wantedHi & ACCESS_HI);
  }
}

/** pte_hw_dirty(): the hardware, or a handler in its place, has let a store through. @hot */
function isHardwareDirty(lo: number, hi: number): boolean {
  return (hi & PTE_HI_WRITE) !== 0 && (lo & TTD_AP_RO) === 0;
}

/** One page of the kernel: address (halves) and frame. */
export interface KernelPage {
  readonly lo: number;
  readonly hi: number;
  readonly frame: number;
  readonly rights: "text" | "data";
}

const KERNEL_TABLE: number = TTD_VALID | TTD_TABLE;
/** PAGE_KERNEL as it is in the linear map: dirty, so never changed by a walker; EL0 has no access and executes nothing. */
const LINEAR_HI: number = TTD_HI_PXN | TTD_HI_UXN | PTE_HI_WRITE | PTE_HI_DIRTY;

/**
 * Builds swapper_pg_dir, the table of TTBR1_EL1: RAM from 0xffff000000000000 on in global 2 MiB blocks that nobody
 * executes (the linear map).
 * @param takeFrame physical address of a zeroed frame
 * @returns physical address of the top table
 */
export function buildKernelTables(ram: PhysicalMemory, takeFrame: () => number): number {
  const level0 = takeFrame();
  const level1 = takeFrame();
  setEntry(ram, level0, 0, level1, KERNEL_TABLE, TTD_HI_UXN_TABLE);
  for (let at = 0; at < ram.sizeBytes; at += 0x4000_0000) {
    const level2 = takeFrame();
    setEntry(ram, level1, at / 0x4000_0000, level2, KERNEL_TABLE, TTD_HI_UXN_TABLE);
    for (let block = 0; block < 512 && at + block * 0x20_0000 < ram.sizeBytes; block++) {
      setEntry(ram, level2, block, at + block * 0x20_0000, BLOCK_DEFAULT, LINEAR_HI);
    }
  }
  return level0;
}

/** Maps one 4 KiB page of the kernel, making tables as needed. Where nothing larger is mapped. */
export function mapKernelPage(
  ram: PhysicalMemory,
  format: Arm64PageTableFormat,
  topTable: number,
  page: KernelPage,
  takeFrame: () => number,
): void {
  let table = topTable;
  for (let level = format.levels; level > 1; level--) {
    const index = format.index(page.lo, page.hi, level);
    const at = table + index * 8;
    if ((ram.read32(at) & TTD_VALID) === 0) {
      setEntry(ram, table, index, takeFrame(), KERNEL_TABLE, TTD_HI_UXN_TABLE);
    }
    if (!format.isTable(ram.read32(at), 0)) throw new Error("mapKernelPage: a block is mapped there");
    table = format.tableAddress(ram.read32(at), ram.read32(at + 4));
  }
  const index = format.index(page.lo, page.hi, 1);
  const text = page.rights === "text";
  const hi = text ? TTD_HI_UXN : LINEAR_HI;
  setEntry(ram, table, index, page.frame * 4096, PAGE_DEFAULT | (text ? TTD_AP_RO : 0), hi);
}

function setEntry(
  ram: PhysicalMemory,
  table: number,
  index: number,
  pa: number,
  flags: number,
  flagsHi: number,
): void {
  ram.write64(table + index * 8, pa | flags, flagsHi);
}
