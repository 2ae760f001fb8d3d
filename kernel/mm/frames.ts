/**
 * Physical frames: a buddy allocator per node with lists of single frames per core in front of it, after Linux's
 * mm/page_alloc.c. Free blocks of 2^order frames hang on lists whose heads lie in the zone structure; the zone lock
 * guards them. A core's own list is touched with no scheduling point in between, so it needs no lock.
 *
 * Frames are filled with a pattern when they are freed. Simplifications: one node with one zone, no migration types,
 * no compaction; a per-core list is drained when it is over its high mark and a context that may spin comes by.
 */
import type { LedgerPort } from "../../emu/hardware.ts";
import { type PhysicalMemory, physAddr } from "../../mmu/index.ts";
import type { Context, Work } from "../context.ts";
import { COST_CLEAR_PAGE, COST_STEP } from "../costs.ts";
import { irqRestore, irqSave, spinLock, spinUnlock } from "../locking/spinlock.ts";
import { PERCPU, thisCpu } from "../percpu.ts";
import {
  type I32Field,
  type KPtr,
  kptrOf,
  NULL,
  type PtrField,
  StructLayout,
  type U64Field,
} from "../struct.ts";
import type { BootMemory } from "./boot-memory.ts";
import { GFP_DIRECT_RECLAIM, GFP_HIGH, GFP_ZERO } from "./gfp.ts";
import { ZONE_LOCK } from "./locks.ts";
import {
  MemoryMap,
  PG_BUDDY,
  PG_RESERVED,
  pageAllocation,
  pageFlags,
  pageLruNext,
  pageLruPrev,
  pageMapcount,
  pageMapping,
  pagePrivate,
  pageRefcount,
} from "./page.ts";
import { PGALLOC, type VmEvents } from "./vm-events.ts";

/** Orders 0 … 10: blocks of up to 4 MiB. */
export const MAX_ORDER = 11;
/** What a freed frame is filled with (PAGE_POISON). */
export const PAGE_POISON = 0xaa;
/** Frames that a core's list takes from or gives to the zone at once, and the mark above which it gives. */
const PCP_BATCH = 63;
const PCP_HIGH: number = 6 * PCP_BATCH;
/** Attempts of one allocation to have memory freed for it. */
const MAX_RECLAIM_ROUNDS = 16;

const FREE_AREA_BYTES = 24;
const layout: StructLayout = new StructLayout("zone");
const zoneLock: I32Field = layout.i32("lock", "lock word");
const zoneFree: U64Field = layout.u64("nr_free_pages", "zone->lock");
const FREE_AREAS: number = layout.bytes(FREE_AREA_BYTES * MAX_ORDER);

const pcpCount: I32Field = PERCPU.i32("pcp.count", "own core");
const pcpFirst: PtrField = PERCPU.ptr("pcp.list", "own core");

export interface FramesOptions {
  /** Fill freed frames with PAGE_POISON. */
  readonly poison: boolean;
  readonly ledger: LedgerPort | null;
  readonly events: VmEvents;
}

export class Frames {
  readonly ram: PhysicalMemory;
  readonly map: MemoryMap;
  /** Frames that the allocator manages, in all. */
  managed = 0;
  /** Frees memory for an allocation that found none; false: there is nothing more to free. */
  outOfMemory: ((k: Context) => Work<boolean>) | null = null;
  /** Exploration: makes a fallible allocation fail though there is memory. */
  failFallible: ((k: Context) => boolean) | null = null;
  readonly #zone: KPtr;
  readonly #lock: KPtr;
  readonly #end: number;
  readonly #poison: boolean;
  readonly #ledger: LedgerPort | null;
  readonly #events: VmEvents;

  /** Takes the memory map from boot memory. No frame is free until release(). */
  constructor(ram: PhysicalMemory, boot: BootMemory, options: FramesOptions) {
    this.ram = ram;
    this.#end = ram.frames;
    this.#poison = options.poison;
    this.#ledger = options.ledger;
    this.#events = options.events;
    this.map = new MemoryMap(boot.take(ram.frames * 64, 4096));
    this.#zone = kptrOf(boot.place(layout, 64));
    this.#lock = kptrOf(zoneLock.at(this.#zone));
    for (let order = 0; order < MAX_ORDER; order++) {
      const head = this.#area(order);
      pageLruNext.set(ram, head, head);
      pageLruPrev.set(ram, head, head);
    }
  }

  /** Marks everything below `firstFrame` reserved and gives the rest to the free lists. Boot only. */
  release(firstFrame: number): void {
    const ram = this.ram;
    for (let pfn = 0; pfn < this.#end; pfn++) {
      const page = this.map.page(pfn);
      pageMapcount.set(ram, page, -1);
      if (pfn < firstFrame) {
        pageFlags.set(ram, page, PG_RESERVED);
        pageRefcount.set(ram, page, 1);
      }
    }
    for (let pfn = firstFrame; pfn < this.#end; ) {
      let order = MAX_ORDER - 1;
      while (pfn % (1 << order) !== 0 || pfn + (1 << order) > this.#end) order--;
      this.#link(pfn, order);
      pfn += 1 << order;
    }
    this.managed = this.#end - firstFrame;
  }

  /** Free frames: those of the zone and, added up without a lock, those on the cores' lists. */
  freeFrames(percpu: readonly KPtr[]): number {
    let free = zoneFree.get(this.ram, this.#zone);
    for (const area of percpu) free += pcpCount.get(this.ram, area);
    return free;
  }

  /** Takes a frame from the core's own list; NULL if it is empty. The frame has one reference. @hot */
  tryAllocate(k: Context): KPtr {
    const ram = this.ram;
    const own = thisCpu(k);
    const page = pcpFirst.get(ram, own);
    if (page === NULL) return NULL;
    pcpFirst.set(ram, own, pageLruNext.get(ram, page));
    pcpCount.add(ram, own, -1);
    this.#prepare(k, page);
    return page;
  }

  /** The same, cleared: what a fault takes when the core has a frame. @hot */
  tryAllocateZeroed(k: Context): KPtr {
    const page = this.tryAllocate(k);
    if (page !== NULL) this.zero(k, page);
    return page;
  }

  /**
   * Allocates one frame. @param gfp GFP_*
   * @returns its struct page with one reference, or NULL (only if memory is exhausted and the killer found no victim, the
   * caller is dying, or the allocation may not wait)
   */
  *allocate(k: Context, gfp: number): Work<KPtr> {
    k.cpu.charge(COST_STEP);
    if ((gfp & (GFP_DIRECT_RECLAIM | GFP_HIGH)) === 0 && this.failFallible !== null && this.failFallible(k)) {
      return NULL;
    }
    let page = this.tryAllocate(k);
    if (page === NULL) page = yield* this.#allocateSlow(k, gfp);
    if (page !== NULL && (gfp & GFP_ZERO) !== 0) this.zero(k, page);
    return page;
  }

  /** Allocates 2^order contiguous frames, aligned to their size; GFP_ZERO clears all of them. */
  *allocateOrder(k: Context, order: number, gfp: number): Work<KPtr> {
    if (order === 0) return yield* this.allocate(k, gfp);
    const ram = this.ram;
    const wasEnabled = irqSave(k);
    yield* spinLock(k, this.#lock, ZONE_LOCK);
    const pfn = this.#unlinkBlock(order);
    spinUnlock(k, this.#lock, ZONE_LOCK);
    irqRestore(k, wasEnabled);
    if (pfn < 0) return NULL;
    for (let at = pfn; at < pfn + (1 << order); at++) {
      const page = this.map.page(at);
      this.#prepare(k, page);
      if ((gfp & GFP_ZERO) !== 0) this.zero(k, page);
    }
    const head = this.map.page(pfn);
    pagePrivate.set(ram, head, order);
    return head;
  }

  /** Clears the bytes of a frame. */
  zero(k: Context, page: KPtr): void {
    this.ram.fill(physAddr(this.map.pfn(page) * 4096), 4096, 0);
    k.cpu.charge(COST_CLEAR_PAGE);
  }

  /** Physical address of a frame. @hot */
  physical(page: KPtr): number {
    return this.map.pfn(page) * 4096;
  }

  /** Gives a frame without references back to the core's own list. */
  free(k: Context, page: KPtr): void {
    const ram = this.ram;
    const pfn = this.map.pfn(page);
    if (
      pageRefcount.get(ram, page) !== 0 ||
      pageMapcount.get(ram, page) !== -1 ||
      (pageFlags.get(ram, page) & PG_RESERVED) !== 0
    ) {
      this.#badPage(k, page);
      return;
    }
    pageFlags.set(ram, page, 0);
    pageMapping.set(ram, page, NULL);
    pagePrivate.set(ram, page, 0);
    this.#ledger?.frameFreed(pfn);
    if (this.#poison) ram.fill(physAddr(pfn * 4096), 4096, PAGE_POISON);
    k.kernel.observer?.frameFreed(k, pfn);
    const own = thisCpu(k);
    pageLruNext.set(ram, page, pcpFirst.get(ram, own));
    pcpFirst.set(ram, own, page);
    pcpCount.add(ram, own, 1);
  }

  /** Gives 2^order frames from allocateOrder back. */
  *freeOrder(k: Context, page: KPtr, order: number): Work {
    for (let index = 0; index < 1 << order; index++) {
      const at = this.map.page(this.map.pfn(page) + index);
      pageRefcount.set(this.ram, at, 0);
      this.free(k, at);
    }
    yield* this.drain(k);
  }

  /** The core's list is over its high mark: call drain() when spinning is allowed. @hot */
  isOverfull(k: Context): boolean {
    return pcpCount.get(this.ram, thisCpu(k)) > PCP_HIGH;
  }

  /** Moves frames from an overfull core's list to the zone, where blocks merge. */
  *drain(k: Context): Work {
    while (this.isOverfull(k)) {
      const wasEnabled = irqSave(k);
      yield* spinLock(k, this.#lock, ZONE_LOCK);
      const own = thisCpu(k);
      k.kernel.observer?.allocatorBegin();
      for (let moved = 0; moved < PCP_BATCH; moved++) {
        const page = pcpFirst.get(this.ram, own);
        if (page === NULL) break;
        pcpFirst.set(this.ram, own, pageLruNext.get(this.ram, page));
        pcpCount.add(this.ram, own, -1);
        this.#merge(this.map.pfn(page));
      }
      k.kernel.observer?.allocatorEnd();
      spinUnlock(k, this.#lock, ZONE_LOCK);
      irqRestore(k, wasEnabled);
    }
  }

  #badPage(k: Context, page: KPtr): void {
    const ram = this.ram;
    k.kernel.assertionFailed(
      k,
      "page-state",
      `BUG: Bad page state: frame ${this.map.pfn(page)} freed with refcount ${pageRefcount.get(ram, page)}, ` +
        `mapcount ${pageMapcount.get(ram, page)}, flags ${(pageFlags.get(ram, page) >>> 0).toString(16)}`,
    );
  }

  *#allocateSlow(k: Context, gfp: number): Work<KPtr> {
    for (let round = 0; round < MAX_RECLAIM_ROUNDS; round++) {
      const page = yield* this.#refill(k);
      if (page !== NULL) return page;
      if ((gfp & GFP_DIRECT_RECLAIM) === 0 || k.atomicDepth > 0 || this.outOfMemory === null) return NULL;
      if (!(yield* this.outOfMemory(k))) return NULL;
    }
    return NULL;
  }

  /** Fills the core's list with a batch and takes one from it. */
  *#refill(k: Context): Work<KPtr> {
    const wasEnabled = irqSave(k);
    yield* spinLock(k, this.#lock, ZONE_LOCK);
    const own = thisCpu(k);
    k.kernel.observer?.allocatorBegin();
    for (let taken = 0; taken < PCP_BATCH; taken++) {
      const pfn = this.#unlinkBlock(0);
      if (pfn < 0) break;
      const page = this.map.page(pfn);
      pageLruNext.set(this.ram, page, pcpFirst.get(this.ram, own));
      pcpFirst.set(this.ram, own, page);
      pcpCount.add(this.ram, own, 1);
    }
    k.kernel.observer?.allocatorEnd();
    const page = this.tryAllocate(k);
    spinUnlock(k, this.#lock, ZONE_LOCK);
    irqRestore(k, wasEnabled);
    return page;
  }

  /** @hot */
  #prepare(k: Context, page: KPtr): void {
    this.#events.count(k.cpu.id, PGALLOC);
    if (this.#ledger !== null) this.#ledger.frameAllocated(this.map.pfn(page));
    const ram = this.ram;
    pageRefcount.set(ram, page, 1);
    pageFlags.set(ram, page, 0);
    pageAllocation.add(ram, page, 1);
    k.kernel.observer?.frameAllocated(k, this.map.pfn(page));
  }

  #area(order: number): KPtr {
    // The list head is seen through the fields of struct page, so that heads and pages link alike.
    return kptrOf(this.#zone + FREE_AREAS + order * FREE_AREA_BYTES - pageLruNext.offset);
  }

  #link(pfn: number, order: number): void {
    const ram = this.ram;
    const page = this.map.page(pfn);
    const head = this.#area(order);
    const first = pageLruNext.get(ram, head);
    pagePrivate.set(ram, page, order);
    pageMapcount.set(ram, page, -1 & ~PG_BUDDY);
    pageLruNext.set(ram, page, first);
    pageLruPrev.set(ram, page, head);
    pageLruPrev.set(ram, first, page);
    pageLruNext.set(ram, head, page);
    zoneFree.add(ram, this.#zone, 1 << order);
  }

  #unlink(page: KPtr, order: number): void {
    const ram = this.ram;
    const next = pageLruNext.get(ram, page);
    const previous = pageLruPrev.get(ram, page);
    pageLruNext.set(ram, previous, next);
    pageLruPrev.set(ram, next, previous);
    pagePrivate.set(ram, page, 0);
    pageMapcount.set(ram, page, -1);
    zoneFree.add(ram, this.#zone, -(1 << order));
  }

  /** Takes a block of an order, splitting a larger one; its first frame, or -1. Locks: zone lock. */
  #unlinkBlock(order: number): number {
    for (let have = order; have < MAX_ORDER; have++) {
      const head = this.#area(have);
      const page = pageLruNext.get(this.ram, head);
      if (page === head) continue;
      this.#unlink(page, have);
      const pfn = this.map.pfn(page);
      for (let split = have - 1; split >= order; split--) this.#link(pfn + (1 << split), split);
      return pfn;
    }
    return -1;
  }

  /** Puts a frame back, merging it with free buddies. Locks: zone lock. */
  #merge(freed: number): void {
    let pfn = freed;
    let order = 0;
    for (; order < MAX_ORDER - 1; order++) {
      const buddy = pfn ^ (1 << order);
      if (buddy >= this.#end) break;
      const page = this.map.page(buddy);
      const isFree = pageMapcount.get(this.ram, page) === (-1 & ~PG_BUDDY);
      if (!isFree || pagePrivate.get(this.ram, page) !== order) break;
      this.#unlink(page, order);
      pfn = Math.min(pfn, buddy);
    }
    this.#link(pfn, order);
  }
}
