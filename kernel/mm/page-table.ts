/**
 * Page tables of user mappings, by the entry format of the architecture. A table entry's address is a slot: the
 * physical address of eight bytes. Entries are loaded and stored whole, each a scheduling point.
 *
 * Locks: entries of a lowest-level table are guarded by the spinlock in the table's struct page (split PTE locks);
 * upper entries are set under page_table_lock and cleared by free_pgtables, which has no concurrent user of the range
 * left but walkers that hold interrupts off. mmap_lock, either mode, keeps upper entries from being cleared.
 */
import type { Context, Work } from "../context.ts";
import { COST_ATOMIC, COST_PTE } from "../costs.ts";
import { spinLock, spinUnlock } from "../locking/spinlock.ts";
import { type KPtr, kptrOf, NULL } from "../struct.ts";
import type { Gather } from "./gather.ts";
import { GFP_KERNEL, GFP_ZERO } from "./gfp.ts";
import { PAGE_TABLE_LOCK } from "./locks.ts";
import { type Memory, memoryOf } from "./memory.ts";
import { mmPageTableLock, mmPgd, mmPgtablesBytes } from "./mm-struct.ts";
import { pageMapcount, pagePtl, TABLE_TYPE } from "./page.ts";
import { pageHi, pageLo } from "./vpn.ts";

/** The slot of a level is absent. */
export const NO_SLOT = 0;

/** Slot of the entry of the lowest level in a table. @hot */
export function pteSlot(m: Memory, table: number, page: number): number {
  return table + m.format.index(pageLo(page), pageHi(page), 1) * 8;
}

/** set_pte_at(): stores an entry of the lowest level (0, 0: clears it). Preceded by a point. Locks: the table's. @hot */
export function setPteAt(k: Context, mm: KPtr, page: number, slot: number, lo: number, hi: number): void {
  const ram = k.ram;
  k.kernel.observer?.pteSet(k, mm, page, slot, ram.read32(slot), ram.read32(slot + 4), lo, hi);
  ram.write64(slot, lo, hi);
}

/**
 * Walks to the slot of level 2 (PMD) that covers a page. Locks: mmap_lock.
 * @returns slot, or NO_SLOT if a table above it is absent
 */
export function* walkToPmd(k: Context, mm: KPtr, page: number): Work<number> {
  const m = memoryOf(k);
  const format = m.format;
  const vaLo = pageLo(page);
  const vaHi = pageHi(page);
  let table: number = mmPgd.get(k.ram, mm);
  for (let level = format.levels; level > 2; level--) {
    const slot = table + format.index(vaLo, vaHi, level) * 8;
    if (k.point(COST_PTE)) yield;
    const lo = k.ram.read32(slot);
    const hi = k.ram.read32(slot + 4);
    if (!format.isTable(lo, hi)) return NO_SLOT;
    table = format.tableAddress(lo, hi);
  }
  return table + format.index(vaLo, vaHi, 2) * 8;
}

/**
 * The same, allocating what is absent. Locks: mmap_lock.
 * @returns slot, or NO_SLOT if there is no memory
 */
export function* allocateToPmd(k: Context, mm: KPtr, page: number): Work<number> {
  const m = memoryOf(k);
  const format = m.format;
  const vaLo = pageLo(page);
  const vaHi = pageHi(page);
  let table: number = mmPgd.get(k.ram, mm);
  for (let level = format.levels; level > 2; level--) {
    const slot = table + format.index(vaLo, vaHi, level) * 8;
    if (k.point(COST_PTE)) yield;
    if (format.isNone(k.ram.read32(slot), k.ram.read32(slot + 4))) {
      if (!(yield* installTable(k, mm, slot))) return NO_SLOT;
    }
    table = format.tableAddress(k.ram.read32(slot), k.ram.read32(slot + 4));
  }
  return table + format.index(vaLo, vaHi, 2) * 8;
}

/**
 * Makes sure that a slot of level 2 or above leads to a table (__pte_alloc and its kin).
 * @returns false if there is no memory
 */
export function* installTable(k: Context, mm: KPtr, slot: number): Work<boolean> {
  const m = memoryOf(k);
  const ram = k.ram;
  const page = yield* m.frames.allocate(k, GFP_KERNEL | GFP_ZERO);
  if (page === NULL) return false;
  pageMapcount.set(ram, page, TABLE_TYPE);
  pagePtl.set(ram, page, 0);
  const lock = kptrOf(mmPageTableLock.at(mm));
  yield* spinLock(k, lock, PAGE_TABLE_LOCK);
  if (k.point(COST_PTE)) yield;
  const isNone = m.format.isNone(ram.read32(slot), ram.read32(slot + 4));
  if (isNone) {
    if (k.point(COST_ATOMIC)) yield;
    mmPgtablesBytes.add(ram, mm, 4096);
    if (k.point(COST_PTE)) yield;
    m.format.makeTable(m.frames.map.pfn(page));
    ram.write64(slot, m.format.lo, m.format.hi);
    k.kernel.observer?.tableLinked(k, mm, slot, m.frames.map.pfn(page));
    yield* m.mmu.publishTable(k);
  }
  spinUnlock(k, lock, PAGE_TABLE_LOCK);
  if (!isNone) releaseTablePage(k, page);
  return true;
}

/** Frees a table that was never linked. */
function releaseTablePage(k: Context, page: KPtr): void {
  const m = memoryOf(k);
  pageMapcount.set(k.ram, page, -1);
  m.putPage(k, page);
}

/** The lock of the table that a level-2 slot leads to (pte_lockptr). @hot */
export function ptlOf(m: Memory, pmdSlot: number): KPtr {
  const lo = m.ram.read32(pmdSlot);
  const table = m.format.tableAddress(lo, m.ram.read32(pmdSlot + 4));
  return kptrOf(pagePtl.at(m.frames.map.page(table / 4096)));
}

/** Physical address of the table that a slot leads to. @hot */
export function tableOf(m: Memory, slot: number): number {
  return m.format.tableAddress(m.ram.read32(slot), m.ram.read32(slot + 4));
}

/**
 * Frees the tables that cover pages start … end-1 and nothing else mapped: `floor` and `ceiling` bound what no
 * neighbouring mapping uses (free_pgd_range). Nothing is mapped in the range any more.
 * @param ceiling 0 stands for the end of the address space
 */
export function* freeTableRange(
  k: Context,
  gather: Gather,
  start: number,
  end: number,
  floor: number,
  ceiling: number,
): Work {
  const m = memoryOf(k);
  const top = ceiling === 0 ? Number.POSITIVE_INFINITY : ceiling;
  yield* freeEntries(k, m, gather, mmPgd.get(k.ram, gather.mm), m.format.levels, start, end, floor, top);
}

/** Clears the entries of one table that cover only free range, after freeing what is below them. */
function* freeEntries(
  k: Context,
  m: Memory,
  gather: Gather,
  table: number,
  level: number,
  start: number,
  end: number,
  floor: number,
  ceiling: number,
): Work {
  const ram = k.ram;
  const covered = m.format.spanPages(level);
  for (let at = start; at < end; ) {
    const entryStart = Math.floor(at / covered) * covered;
    const entryEnd = entryStart + covered;
    const slot = table + m.format.index(pageLo(at), pageHi(at), level) * 8;
    if (k.point(COST_PTE)) yield;
    const lo = ram.read32(slot);
    const hi = ram.read32(slot + 4);
    if (m.format.isTable(lo, hi)) {
      const child = m.format.tableAddress(lo, hi);
      if (level > 2) {
        yield* freeEntries(k, m, gather, child, level - 1, at, Math.min(end, entryEnd), floor, ceiling);
      }
      if (entryStart >= floor && entryEnd <= ceiling) {
        if (k.point(COST_PTE)) yield;
        ram.write64(slot, 0, 0);
        if (k.point(COST_ATOMIC)) yield;
        mmPgtablesBytes.add(ram, gather.mm, -4096);
        yield* gather.removeTable(k, child, level - 1, entryStart);
      }
    }
    at = entryEnd;
  }
}

/** Reads an entry without locks or points: for checks and reports. @returns slot of the lowest level, or NO_SLOT */
export function findPteSlot(m: Memory, mm: KPtr, page: number): number {
  let table: number = mmPgd.get(m.ram, mm);
  for (let level = m.format.levels; level > 1; level--) {
    const slot = table + m.format.index(pageLo(page), pageHi(page), level) * 8;
    const lo = m.ram.read32(slot);
    const hi = m.ram.read32(slot + 4);
    if (!m.format.isTable(lo, hi)) return NO_SLOT;
    table = m.format.tableAddress(lo, hi);
  }
  return pteSlot(m, table, page);
}
