/**
 * x86-64 page-table entries as software uses them, and the kernel's own mappings. Hardware bits: mmu/x86-64/paging.ts.
 * Software bits as in Linux (arch/x86/include/asm/pgtable_types.h): bit 9 marks a special mapping (_PAGE_SPECIAL); the
 * global bit of an entry that is not present means PROT_NONE (_PAGE_PROTNONE).
 * Simplification: no inverted frame number in PROT_NONE entries (the L1TF mitigation).
 */
import type { PhysicalMemory } from "../../../mmu/index.ts";
import {
  entryFrame,
  entryHi,
  entryLo,
  PTE_A,
  PTE_D,
  PTE_G,
  PTE_HI_ADDRESS_MASK,
  PTE_HI_KEY_SHIFT,
  PTE_HI_XD,
  PTE_P,
  PTE_PS,
  PTE_RW,
  PTE_SOFT_9,
  PTE_US,
  tableIndex,
} from "../../../mmu/index.ts";
import { VM_EXEC, VM_PKEY_MASK_HI, VM_READ, VM_SHARED, VM_WRITE } from "../../mm/vma.ts";
import type { PageTableFormat } from "../mmu-port.ts";

const PTE_PROTNONE: number = PTE_G;
const PTE_SPECIAL: number = PTE_SOFT_9;
const SPAN_PAGES: readonly number[] = [0, 1, 2 ** 9, 2 ** 18, 2 ** 27, 2 ** 36];
/** Bits that pte_modify() keeps (_PAGE_CHG_MASK): the frame, accessed, dirty, special. */
const CHANGE_MASK_LO: number = ~0xfff | PTE_A | PTE_D | PTE_SPECIAL;

export class X86PageTableFormat implements PageTableFormat {
  readonly levels: 4 | 5;
  lo = 0;
  hi = 0;

  constructor(levels: 4 | 5) {
    this.levels = levels;
  }

  spanPages(level: number): number {
    return SPAN_PAGES[level]!;
  }
  /** @hot */
  index(lo: number, hi: number, level: number): number {
    return tableIndex(lo, hi, level);
  }
  /** @hot */
  isNone(lo: number, hi: number): boolean {
    return (lo | hi) === 0;
  }
  /** @hot */
  isPresent(lo: number, _hi: number): boolean {
    return (lo & (PTE_P | PTE_PROTNONE)) !== 0;
  }
  /** @hot */
  isProtNone(lo: number, _hi: number): boolean {
    return (lo & (PTE_P | PTE_PROTNONE)) === PTE_PROTNONE;
  }
  /** @hot */
  isWritable(lo: number, _hi: number): boolean {
    return (lo & PTE_RW) !== 0;
  }
  isExecutable(_lo: number, hi: number): boolean {
    return (hi & PTE_HI_XD) === 0;
  }
  /** @hot */
  isDirty(lo: number, _hi: number): boolean {
    return (lo & PTE_D) !== 0;
  }
  /** @hot */
  isYoung(lo: number, _hi: number): boolean {
    return (lo & PTE_A) !== 0;
  }
  /** @hot */
  isSpecial(lo: number, _hi: number): boolean {
    return (lo & PTE_SPECIAL) !== 0;
  }
  /** @hot */
  frame(lo: number, hi: number): number {
    return entryFrame(lo, hi);
  }

  /** @hot */
  isTable(lo: number, _hi: number): boolean {
    return (lo & (PTE_P | PTE_PS)) === PTE_P;
  }
  /** @hot */
  tableAddress(lo: number, hi: number): number {
    return ((lo & ~0xfff) >>> 0) + (hi & PTE_HI_ADDRESS_MASK) * 0x1_0000_0000;
  }
  /** User tables grant everything; leaves restrict (_PAGE_TABLE). */
  makeTable(frame: number): void {
    this.lo = entryLo(frame, PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D);
    this.hi = entryHi(frame);
  }

  /** protection_map of x86: private writable mappings start read-only, so that a write is seen (copy on write). */
  protection(vmFlags: number, vmFlagsHi: number): void {
    const key = (vmFlagsHi & VM_PKEY_MASK_HI) << PTE_HI_KEY_SHIFT;
    if ((vmFlags & (VM_READ | VM_WRITE | VM_EXEC)) === 0) {
      this.lo = PTE_PROTNONE | PTE_A;
      this.hi = key;
      return;
    }
    const writable = (vmFlags & (VM_WRITE | VM_SHARED)) === (VM_WRITE | VM_SHARED);
    this.lo = PTE_P | PTE_US | PTE_A | (writable ? PTE_RW : 0);
    this.hi = key | ((vmFlags & VM_EXEC) === 0 ? PTE_HI_XD : 0);
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
    this.lo |= PTE_RW;
  }
  /** @hot */
  mkDirty(): void {
    this.lo |= PTE_D;
  }
  /** @hot */
  mkYoung(): void {
    this.lo |= PTE_A;
  }
  /** @hot */
  mkSpecial(): void {
    this.lo |= PTE_SPECIAL;
  }
  /** @hot */
  wrprotect(): void {
    this.lo &= ~PTE_RW;
  }
  mkOld(): void {
    this.lo &= ~PTE_A;
  }
  mkClean(): void {
    this.lo &= ~PTE_D;
  }
  modify(protLo: number, protHi: number): void {
    this.lo = (this.lo & CHANGE_MASK_LO) | (protLo & ~CHANGE_MASK_LO);
    this.hi = (this.hi & PTE_HI_ADDRESS_MASK) | (protHi & ~PTE_HI_ADDRESS_MASK);
  }
}

/** Physical address of the direct map's entry, and the frames that the kernel's tables take. */
export interface KernelTables {
  /** Top table of init_mm. */
  readonly topTable: number;
}

const DIRECT_MAP_TOP_SLOT_4 = 273; // 0xffff8880_00000000 >> 39 & 511
const TABLE_FLAGS: number = PTE_P | PTE_RW | PTE_A | PTE_D;

/**
 * Builds the kernel's tables: RAM at 0xffff888000000000 in global, supervisor-only, never executable 2 MiB pages. With
 * five levels the same address lies below the last entry of the top table.
 * @param takeFrame physical address of a zeroed frame
 */
export function buildKernelTables(ram: PhysicalMemory, levels: 4 | 5, takeFrame: () => number): KernelTables {
  const topTable = takeFrame();
  let pml4 = topTable;
  if (levels === 5) {
    pml4 = takeFrame();
    setEntry(ram, topTable, 511, pml4, TABLE_FLAGS, 0);
  }
  const pdpt = takeFrame();
  setEntry(ram, pml4, DIRECT_MAP_TOP_SLOT_4, pdpt, TABLE_FLAGS, 0);
  for (let at = 0; at < ram.sizeBytes; at += 0x4000_0000) {
    const directory = takeFrame();
    setEntry(ram, pdpt, at / 0x4000_0000, directory, TABLE_FLAGS, 0);
    for (let page = 0; page < 512 && at + page * 0x20_0000 < ram.sizeBytes; page++) {
      const flags = TABLE_FLAGS | PTE_PS | PTE_G;
      setEntry(ram, directory, page, at + page * 0x20_0000, flags, PTE_HI_XD);
    }
  }
  return { topTable };
}

/** Maps one 4 KiB page of the kernel, supervisor-only and global, making tables as needed. */
export function mapKernelPage(
  ram: PhysicalMemory,
  levels: 4 | 5,
  topTable: number,
  page: { lo: number; hi: number; frame: number; rights: "text" | "data" },
  takeFrame: () => number,
): void {
  let table = topTable;
  for (let level: number = levels; level > 1; level--) {
    const index = tableIndex(page.lo, page.hi, level);
    const at = table + index * 8;
    if ((ram.read32(at) & PTE_P) === 0) setEntry(ram, table, index, takeFrame(), TABLE_FLAGS, 0);
    table = (ram.read32(at) & ~0xfff) >>> 0;
  }
  const flags = PTE_P | PTE_A | PTE_G | (page.rights === "data" ? PTE_RW | PTE_D : 0);
  const index = tableIndex(page.lo, page.hi, 1);
  setEntry(ram, table, index, page.frame * 4096, flags, page.rights === "text" ? 0 : PTE_HI_XD);
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
