/**
 * mmu_gather: pages and tables that were taken out of an address space wait here until no core can use an old
 * translation to them (mm/mmu_gather.c, include/asm-generic/tlb.h). It holds 8 pages by itself; more need batch
 * pages, whose allocation may fail, and then the caller must flush before it goes on. The order is always: clear
 * entries, flush, free; of tables also, where the architecture wants it, a grace period between the last two.
 */
import type { Context, Work } from "../context.ts";
import { COST_ATOMIC, COST_STEP } from "../costs.ts";
import { type KPtr, kptrOf, NULL, PtrField } from "../struct.ts";
import { GFP_NOWAIT } from "./gfp.ts";
import { memoryOf } from "./memory.ts";
import { mmTlbFlushPending } from "./mm-struct.ts";
import type { TableBatches } from "./table-batch.ts";

/** Pages in the gather itself (MMU_GATHER_BUNDLE). */
export const GATHER_BUNDLE = 8;
/** Pages in one batch page, and batch pages in one gather (MAX_GATHER_BATCH, MAX_GATHER_BATCH_COUNT). */
const BATCH_PAGES = 510;
const MAX_BATCHES = 19;
const BATCH_HEADER_BYTES = 16;

const batchEntry: PtrField = new PtrField("mmu_gather_batch.pages", 0, "owner");

/** Gather, or a subclass of it. */
export type GatherClass = new (mm: KPtr, extent: "range" | "fullmm") => Gather;

export class Gather {
  readonly mm: KPtr;
  /** The whole address space goes away: one full flush at the end. */
  fullmm: boolean;
  /** Tables were freed: lazy cores must take part, and walk caches must go. */
  freedTables = false;
  /** Pages whose entries were cleared, as a range, and the lowest level cleared (0: none). */
  start: number = Number.POSITIVE_INFINITY;
  end = 0;
  strideLevel = 0;
  readonly #local: KPtr[] = [];
  /** Batch pages, which the gather keeps to its end; how many of them hold pages, and how many the last of those. */
  readonly #batches: KPtr[] = [];
  #active = 0;
  #used = 0;
  /** Tables that wait for a grace period; NULL: none. */
  #tables: KPtr = NULL;

  constructor(mm: KPtr, extent: "range" | "fullmm") {
    this.mm = mm;
    this.fullmm = extent === "fullmm";
  }

  /** tlb_remove_tlb_entry(): an entry of the lowest level was cleared. @hot */
  noteEntry(page: number): void {
    if (page < this.start) this.start = page;
    if (page >= this.end) this.end = page + 1;
    this.strideLevel = 1;
  }

  /**
   * Queues a page whose entry was cleared (__tlb_remove_page). @hot
   * @returns true if that filled the batch: nextBatch() before the next page
   */
  addPage(k: Context, page: KPtr): boolean {
    const active = this.#active;
    if (active === 0) {
      this.#local.push(page);
      return this.#local.length === GATHER_BUNDLE;
    }
    const base = memoryOf(k).frames.physical(this.#batches[active - 1]!) + BATCH_HEADER_BYTES;
    batchEntry.set(k.ram, kptrOf(base + this.#used * 8), page);
    this.#used++;
    return this.#used === BATCH_PAGES;
  }

  /** Queues a table that was unlinked (pte_free_tlb and its kin). @param level of the table @param at page it began at */
  *removeTable(k: Context, table: number, level: number, at: number): Work {
    const m = memoryOf(k);
    const page = m.frames.map.page(table / 4096);
    this.freedTables = true;
    if (at < this.start) this.start = at;
    this.end = Math.max(this.end, at + 1);
    this.strideLevel = this.strideLevel === 0 ? level + 1 : Math.min(this.strideLevel, level + 1);
    yield* this.queueTable(k, page);
  }

  /** The page of an unlinked table waits: walk caches and lockless walkers may still lead to it. */
  queueTable(k: Context, page: KPtr): Work {
    const { tableBatches } = memoryOf(k);
    return tableBatches === null ? this.queueWithPages(k, page) : this.deferTable(k, tableBatches, page);
  }

  /** Like the other pages, for the flush: lockless walkers hold it up. */
  *queueWithPages(k: Context, page: KPtr): Work {
    if (this.addPage(k, page) && !(yield* this.nextBatch(k))) yield* this.flush(k);
  }

  /** tlb_remove_table(): for the flush and a grace period; without memory for a batch it is freed alone. */
  *deferTable(k: Context, batches: TableBatches, page: KPtr): Work {
    if (this.#tables === NULL) {
      const batch = yield* memoryOf(k).frames.allocate(k, GFP_NOWAIT);
      if (batch === NULL) {
        yield* this.flushTlb(k);
        yield* batches.freeAlone(k, page);
        return;
      }
      this.#tables = batches.begin(k, batch);
    }
    if (batches.add(k, this.#tables, page)) {
      yield* this.flushTlb(k);
      this.#retireTables(k);
    }
  }

  /** tlb_flush_mmu_tlbonly(): flushes what was cleared so far; frees nothing. */
  *flushTlb(k: Context): Work {
    if (this.strideLevel === 0) return;
    const whole = this.fullmm;
    const end = whole ? 0 : this.end;
    const start = whole ? 0 : this.start;
    const tables = this.freedTables ? "tables-freed" : "tables-kept";
    yield* memoryOf(k).mmu.flushRange(k, this.mm, start, end, this.strideLevel, tables);
    this.#resetRange();
  }

  /** The same for dirty pages that live on: under the table's lock, before anybody can clean them. */
  flushDirty(k: Context): Work {
    return this.flushTlb(k);
  }

  /** mm_tlb_flush_nested(): entries that this gather saw empty may not be flushed yet by who cleared them. Preceded by a point. */
  isNested(k: Context): boolean {
    return mmTlbFlushPending.get(k.ram, this.mm) > 1;
  }

  /** tlb_flush_mmu(): flushes, then frees what waits. */
  *flush(k: Context): Work {
    yield* this.flushTlb(k);
    if (this.#tables !== NULL) this.#retireTables(k);
    yield* this.freePages(k);
  }

  /** tlb_batch_pages_flush(): frees what waits; no core reaches it any more. */
  *freePages(k: Context): Work {
    const m = memoryOf(k);
    const ram = k.ram;
    for (let index = 0; index < this.#local.length; index++) {
      if (k.point(COST_ATOMIC)) yield;
      m.putPage(k, this.#local[index]!);
    }
    this.#local.length = 0;
    for (let index = 0; index < this.#active; index++) {
      const count = index === this.#active - 1 ? this.#used : BATCH_PAGES;
      const base = m.frames.physical(this.#batches[index]!) + BATCH_HEADER_BYTES;
      for (let entry = 0; entry < count; entry++) {
        if (k.point(COST_ATOMIC)) yield;
        m.putPage(k, batchEntry.get(ram, kptrOf(base + entry * 8)));
      }
    }
    this.#active = 0;
    this.#used = 0;
    if (m.frames.isOverfull(k)) yield* m.frames.drain(k);
  }

  /** tlb_next_batch(): a batch page, if one is to be had without waiting; false: flush() before the next page. */
  *nextBatch(k: Context): Work<boolean> {
    if (this.#active === this.#batches.length) {
      if (this.#active === MAX_BATCHES) return false;
      const page = yield* memoryOf(k).frames.allocate(k, GFP_NOWAIT);
      if (page === NULL) return false;
      this.#batches.push(page);
    }
    this.#active++;
    this.#used = 0;
    return true;
  }

  /** tlb_batch_list_free(): at the end. */
  freeBatches(k: Context): void {
    const m = memoryOf(k);
    for (const page of this.#batches) m.putPage(k, page);
    this.#batches.length = 0;
  }

  /** tlb_table_flush(), after the flush. */
  #retireTables(k: Context): void {
    memoryOf(k).tableBatches!.retire(k, this.#tables);
    this.#tables = NULL;
  }

  #resetRange(): void {
    this.start = Number.POSITIVE_INFINITY;
    this.end = 0;
    this.strideLevel = 0;
    this.freedTables = false;
  }
}

/** tlb_gather_mmu(), tlb_gather_mmu_fullmm(): begins; others that gather on this mm meanwhile must flush fully. */
export function* gatherBegin(k: Context, mm: KPtr, extent: "range" | "fullmm"): Work<Gather> {
  k.cpu.charge(COST_STEP);
  if (k.point(COST_ATOMIC)) yield;
  mmTlbFlushPending.add(k.ram, mm, 1);
  return new (memoryOf(k).gatherClass)(mm, extent);
}

/** tlb_finish_mmu(). */
export function* gatherFinish(k: Context, gather: Gather): Work {
  if (k.point(COST_ATOMIC)) yield;
  if (gather.isNested(k)) {
    // Flush for the other, tables included.
    gather.fullmm = true;
    gather.freedTables = true;
    gather.strideLevel = 1;
  }
  yield* gather.flush(k);
  gather.freeBatches(k);
  if (k.point(COST_ATOMIC)) yield;
  mmTlbFlushPending.add(k.ram, gather.mm, -1);
}
