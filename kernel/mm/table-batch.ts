/**
 * Page tables that wait for a grace period before they are freed: struct mmu_table_batch of mm/mmu_gather.c with
 * MMU_GATHER_RCU_TABLE_FREE, for architectures whose flush interrupts nobody. A batch is one page, which goes with its
 * tables.
 *
 *     00 rcu_head   10 nr   18 tables[]
 */
import type { Context, Work } from "../context.ts";
import { COST_ATOMIC } from "../costs.ts";
import type { Kernel } from "../kernel.ts";
import { callRcu, type RcuKind, synchronizeRcu } from "../rcu.ts";
import { type I32Field, type KPtr, kptrOf, PtrField, StructLayout } from "../struct.ts";
import { type Memory, memoryOf } from "./memory.ts";

const BATCH: StructLayout = new StructLayout("mmu_table_batch");
BATCH.bytes(16);
const batchNr: I32Field = BATCH.i32("nr", "owner; RCU callback");
const TABLES: number = BATCH.sizeBytes;
const tableEntry: PtrField = new PtrField("mmu_table_batch.tables", 0, "owner; RCU callback");

/** Tables in one batch (MAX_TABLE_BATCH). */
export const MAX_TABLE_BATCH: number = (4096 - TABLES) / 8;

/** TableBatches, or a subclass of it. */
export type TableBatchesClass = new (kernel: Kernel) => TableBatches;

export class TableBatches {
  readonly #kind: RcuKind;

  constructor(kernel: Kernel) {
    this.#kind = kernel.rcu.register("tlb_remove_table_rcu", freeTables);
  }

  /** An empty batch in a page. @returns its address */
  begin(k: Context, page: KPtr): KPtr {
    const batch = kptrOf(memoryOf(k).frames.physical(page));
    batchNr.set(k.ram, batch, 0);
    return batch;
  }

  /** Adds the page of an unlinked table. @returns true if that filled the batch */
  add(k: Context, batch: KPtr, page: KPtr): boolean {
    const nr = batchNr.get(k.ram, batch);
    tableEntry.set(k.ram, kptrOf(batch + TABLES + nr * 8), page);
    batchNr.set(k.ram, batch, nr + 1);
    return nr + 1 === MAX_TABLE_BATCH;
  }

  /**
   * tlb_remove_table_one(): there is no memory for a batch. Linux interrupts all cores, which waits for walkers that have
   * interrupts off; a reader that has them on answers in the middle of its walk, so here it is a grace period. May sleep.
   */
  *freeAlone(k: Context, page: KPtr): Work {
    yield* synchronizeRcu(k);
    memoryOf(k).putPage(k, page);
  }

  /** tlb_remove_table_free(): the batch is freed, with its tables, after a grace period. The flush has been. */
  retire(k: Context, batch: KPtr): void {
    callRcu(k, this.#kind, batch);
  }
}

/** The frames of a batch that waits, for checks and reports: its tables', and its own last. */
export function batchFrames(m: Memory, batch: KPtr): readonly number[] {
  const frames: number[] = [];
  for (let index = 0; index < batchNr.get(m.ram, batch); index++) {
    frames.push(m.frames.map.pfn(tableEntry.get(m.ram, kptrOf(batch + TABLES + index * 8))));
  }
  frames.push(batch / 4096);
  return frames;
}

/** tlb_remove_table_rcu(). */
function* freeTables(k: Context, batch: KPtr): Work {
  const m = memoryOf(k);
  const count = batchNr.get(k.ram, batch);
  for (let index = 0; index < count; index++) {
    if (k.point(COST_ATOMIC)) yield;
    m.putPage(k, tableEntry.get(k.ram, kptrOf(batch + TABLES + index * 8)));
  }
  m.putPage(k, m.frames.map.page(batch / 4096));
}
