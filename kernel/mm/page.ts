/**
 * struct page: one 64-byte descriptor per frame, in the memory map. Field places follow Linux (include/linux/mm_types.h):
 * the words that a page does not need for one purpose serve another.
 *
 *     0  flags                      PG_* bits
 *     8  lru.next   24 mapping      free lists and per-core lists use lru; an anonymous page has anon_vma | 1 in mapping
 *    16  lru.prev   32 index        page offset of the page in its anon_vma or object
 *    40  private / ptl              order of a free block; the split page-table lock of a table page
 *    48  _mapcount  52 _refcount    _mapcount starts at -1; a page type is stored there inverted
 *    56  allocation                 how often the frame was handed out: names the incarnation of a frame
 *
 * Simplification: no LRU lists, as nothing is reclaimed by age.
 */
import { type I32Field, type KPtr, kptrOf, type PtrField, StructLayout, type U64Field } from "../struct.ts";

/** Bytes of one descriptor: a cache line. */
export const PAGE_STRUCT_BYTES = 64;

const layout: StructLayout = new StructLayout("page");
export const pageFlags: I32Field = layout.i32("flags", "atomic; owner while free");
export const pageFlagsHi: I32Field = layout.i32("flags.hi", "unused");
export const pageLruNext: PtrField = layout.ptr("lru.next", "zone->lock or owner");
export const pageLruPrev: PtrField = layout.ptr("lru.prev", "zone->lock or owner");
export const pageMapping: PtrField = layout.ptr("mapping", "ptl of a mapping entry");
export const pageIndex: U64Field = layout.u64("index", "ptl of a mapping entry");
export const pagePtl: I32Field = layout.i32("ptl", "lock word");
export const pagePrivate: I32Field = layout.i32("private", "zone->lock or owner");
export const pageMapcount: I32Field = layout.i32("_mapcount", "atomic");
export const pageRefcount: I32Field = layout.i32("_refcount", "atomic");
export const pageAllocation: U64Field = layout.u64("allocation", "owner");

export const PG_LOCKED: number = 1 << 0;
export const PG_UPTODATE: number = 1 << 2;
export const PG_DIRTY: number = 1 << 3;
export const PG_SLAB: number = 1 << 9;
export const PG_RESERVED: number = 1 << 12;
export const PG_SWAPBACKED: number = 1 << 19;

/** Page types: bits of _mapcount that are clear in a page of the type (PAGE_TYPE_BASE 0xf0000000). */
export const PG_BUDDY = 0x80;
export const PG_TABLE = 0x200;

/** _mapcount of a page-table page. */
export const TABLE_TYPE: number = -1 & ~PG_TABLE;

/** Low bit of `mapping`: the page is anonymous. */
export const PAGE_MAPPING_ANON = 1;

/** Turns descriptors into frame numbers and back: the array starts at one place per machine. */
export class MemoryMap {
  /** Physical address of the descriptor of frame 0. */
  readonly base: number;

  constructor(base: number) {
    this.base = base;
  }

  /** Descriptor of a frame. @hot */
  page(pfn: number): KPtr {
    return kptrOf(this.base + pfn * PAGE_STRUCT_BYTES);
  }

  /** Frame of a descriptor. @hot */
  pfn(page: KPtr): number {
    return (page - this.base) / PAGE_STRUCT_BYTES;
  }
}
