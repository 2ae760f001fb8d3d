/**
 * Object caches after Linux's SLAB allocator (mm/slab.c): each core has an array of free objects, used last in, first
 * out, in front of the cache's slabs, which a lock guards. Freed objects are poisoned, so that a reader that outlives
 * its grace period reads what it would really read; and they come back soon, as on a real machine.
 *
 * One slab is one frame: objects side by side, free ones linked through their middle word (where SLUB keeps the link,
 * away from both ends). The frame's descriptor holds the list head in `mapping` and the number of objects in use in
 * `index`; slabs with a free object hang on the cache's list through `lru`.
 *
 *     array_cache of a core:   0 avail   4 limit   8 entry[AC_LIMIT]
 */
import type { PhysicalMemory } from "../../mmu/index.ts";
import { physAddr } from "../../mmu/index.ts";
import type { Context, Work } from "../context.ts";
import { COST_STEP } from "../costs.ts";
import { irqRestore, irqSave, spinLock, spinUnlock } from "../locking/spinlock.ts";
import { type KPtr, kptrOf, NULL, PtrField } from "../struct.ts";
import type { BootMemory } from "./boot-memory.ts";
import type { Frames } from "./frames.ts";
import { SLAB_LOCK } from "./locks.ts";
import {
  PG_SLAB,
  pageFlags,
  pageIndex,
  pageLruNext,
  pageLruPrev,
  pageMapping,
  pageRefcount,
} from "./page.ts";

/** Free objects that a core keeps, and how many move at once. */
const AC_LIMIT = 60;
const AC_BATCH = 30;
const AC_ENTRIES = 8;
const AC_BYTES: number = (AC_ENTRIES + AC_LIMIT * 8 + 63) & ~63;
/** The cache's own words: list head of slabs with free objects (like struct page's lru), lock, slabs. */
const CACHE_BYTES = 64;
const LIST_LOCK = 0;
const LIST_HEAD = 8;

/** Poison of a free object, its last byte (include/linux/poison.h). */
const POISON_FREE = 0x6b;
const POISON_END = 0xa5;

const link: PtrField = new PtrField("freelist", 0, "cache->list_lock");
const entryAt: PtrField = new PtrField("array_cache.entry", 0, "own core");

export class Slab {
  readonly name: string;
  readonly objectBytes: number;
  /** Objects handed out and not freed. */
  inUse = 0;
  readonly #strideBytes: number;
  readonly #perSlab: number;
  readonly #linkOffset: number;
  readonly #frames: Frames;
  readonly #ram: PhysicalMemory;
  readonly #cores: number;
  readonly #lock: KPtr;
  readonly #head: KPtr;

  /** @param objectBytes at most a frame @param alignBytes a power of two */
  constructor(
    frames: Frames,
    boot: BootMemory,
    cores: number,
    options: { name: string; objectBytes: number; alignBytes?: number },
  ) {
    const align = options.alignBytes ?? 8;
    this.name = options.name;
    this.objectBytes = options.objectBytes;
    this.#strideBytes = Math.ceil(options.objectBytes / align) * align;
    this.#perSlab = Math.floor(4096 / this.#strideBytes);
    this.#linkOffset = (options.objectBytes >>> 4) << 3;
    this.#frames = frames;
    this.#ram = frames.ram;
    const state = boot.take(CACHE_BYTES + cores * AC_BYTES, 64);
    this.#lock = kptrOf(state + LIST_LOCK);
    this.#head = kptrOf(state + LIST_HEAD - pageLruNext.offset);
    this.#cores = state + CACHE_BYTES;
    pageLruNext.set(this.#ram, this.#head, this.#head);
    pageLruPrev.set(this.#ram, this.#head, this.#head);
    for (let cpu = 0; cpu < cores; cpu++) this.#ram.write32(this.#cores + cpu * AC_BYTES + 4, AC_LIMIT);
  }

  /** Takes an object from the core's own array; NULL if it is empty. Its bytes are poison. @hot */
  tryAllocate(k: Context): KPtr {
    const own = this.#cores + k.cpu.id * AC_BYTES;
    const available = this.#ram.read32(own);
    if (available === 0) return NULL;
    this.#ram.write32(own, available - 1);
    this.inUse++;
    const object = entryAt.get(this.#ram, kptrOf(own + AC_ENTRIES + (available - 1) * 8));
    k.kernel.observer?.objectAllocated(k, this.name, object, this.objectBytes);
    return object;
  }

  /** Allocates an object, not initialised; NULL if there is no memory. */
  *allocate(k: Context, gfp: number): Work<KPtr> {
    k.cpu.charge(COST_STEP);
    const object = this.tryAllocate(k);
    if (object !== NULL) return object;
    return (yield* this.#refill(k, gfp)) ? this.tryAllocate(k) : NULL;
  }

  /** Allocates a zeroed object. */
  *allocateZeroed(k: Context, gfp: number): Work<KPtr> {
    const object = yield* this.allocate(k, gfp);
    if (object !== NULL) this.#ram.fill(physAddr(object), this.objectBytes, 0);
    return object;
  }

  /**
   * Poisons an object and puts it on the core's own array. Plain, so that it can run in deferred work: a full array
   * gives its coldest half back without waiting, which is one step of the lock's owner as long as nobody holds it.
   */
  free(k: Context, object: KPtr): void {
    const ram = this.#ram;
    k.kernel.observer?.objectFreed(k, this.name, object, this.objectBytes);
    k.kernel.observer?.allocatorBegin();
    ram.fill(physAddr(object), this.objectBytes, POISON_FREE);
    ram.write8(object + this.objectBytes - 1, POISON_END);
    const own = this.#cores + k.cpu.id * AC_BYTES;
    let available = ram.read32(own);
    if (available === AC_LIMIT) {
      this.#flush(k, own);
      available -= AC_BATCH;
    }
    entryAt.set(ram, kptrOf(own + AC_ENTRIES + available * 8), object);
    ram.write32(own, available + 1);
    this.inUse--;
    k.kernel.observer?.allocatorEnd();
    k.cpu.charge(COST_STEP);
  }

  /** Moves a batch of objects to the core's array, from slabs or a new one; false: no memory. */
  *#refill(k: Context, gfp: number): Work<boolean> {
    const ram = this.#ram;
    // Looked at without the lock, as cache_alloc_refill() does with free_objects: either answer is right.
    k.kernel.observer?.allocatorBegin();
    const isEmpty = pageLruNext.get(ram, this.#head) === this.#head;
    k.kernel.observer?.allocatorEnd();
    if (isEmpty) {
      const page = yield* this.#frames.allocate(k, gfp);
      if (page === NULL) return false;
      yield* this.#grow(k, page);
    }
    const wasEnabled = irqSave(k);
    yield* spinLock(k, this.#lock, SLAB_LOCK);
    k.kernel.observer?.allocatorBegin();
    const own = this.#cores + k.cpu.id * AC_BYTES;
    let available = ram.read32(own);
    while (available < AC_BATCH) {
      const page = pageLruNext.get(ram, this.#head);
      if (page === this.#head) break;
      const object = pageMapping.get(ram, page);
      const next = link.get(ram, kptrOf(object + this.#linkOffset));
      pageMapping.set(ram, page, next);
      pageIndex.add(ram, page, 1);
      if (next === NULL) this.#unlink(page);
      this.#poisonLink(object);
      entryAt.set(ram, kptrOf(own + AC_ENTRIES + available * 8), object);
      available++;
    }
    ram.write32(own, available);
    k.kernel.observer?.allocatorEnd();
    spinUnlock(k, this.#lock, SLAB_LOCK);
    irqRestore(k, wasEnabled);
    return available > 0;
  }

  /** Makes a frame a slab of free objects. */
  *#grow(k: Context, page: KPtr): Work {
    const ram = this.#ram;
    const base = this.#frames.physical(page);
    let first: KPtr = NULL;
    k.kernel.observer?.slabGrown(k, this.name, base, this.#strideBytes, this.#perSlab);
    k.kernel.observer?.allocatorBegin();
    for (let index = this.#perSlab - 1; index >= 0; index--) {
      const object = kptrOf(base + index * this.#strideBytes);
      ram.fill(physAddr(object), this.objectBytes, POISON_FREE);
      link.set(ram, kptrOf(object + this.#linkOffset), first);
      first = object;
    }
    pageFlags.set(ram, page, PG_SLAB);
    pageMapping.set(ram, page, first);
    pageIndex.set(ram, page, 0);
    k.kernel.observer?.allocatorEnd();
    const wasEnabled = irqSave(k);
    yield* spinLock(k, this.#lock, SLAB_LOCK);
    this.#link(page);
    spinUnlock(k, this.#lock, SLAB_LOCK);
    irqRestore(k, wasEnabled);
  }

  /** Gives the coldest objects of a full array back to their slabs; a slab with none in use is freed. */
  #flush(k: Context, own: number): void {
    const ram = this.#ram;
    for (let index = 0; index < AC_BATCH; index++) {
      const object = entryAt.get(ram, kptrOf(own + AC_ENTRIES + index * 8));
      const page = this.#frames.map.page(object >>> 12);
      const first = pageMapping.get(ram, page);
      link.set(ram, kptrOf(object + this.#linkOffset), first);
      pageMapping.set(ram, page, object);
      if (first === NULL) this.#link(page);
      if (pageIndex.add(ram, page, -1) === 0) this.#release(k, page);
    }
    for (let index = AC_BATCH; index < AC_LIMIT; index++) {
      const from = kptrOf(own + AC_ENTRIES + index * 8);
      entryAt.set(ram, kptrOf(from - AC_BATCH * 8), entryAt.get(ram, from));
    }
    ram.write32(own, AC_LIMIT - AC_BATCH);
  }

  #release(k: Context, page: KPtr): void {
    this.#unlink(page);
    pageRefcount.set(this.#ram, page, 0);
    this.#frames.free(k, page);
  }

  #poisonLink(object: KPtr): void {
    this.#ram.fill(physAddr(object + this.#linkOffset), 8, POISON_FREE);
  }

  #link(page: KPtr): void {
    const ram = this.#ram;
    const first = pageLruNext.get(ram, this.#head);
    pageLruNext.set(ram, page, first);
    pageLruPrev.set(ram, page, this.#head);
    pageLruPrev.set(ram, first, page);
    pageLruNext.set(ram, this.#head, page);
  }

  #unlink(page: KPtr): void {
    const ram = this.#ram;
    const next = pageLruNext.get(ram, page);
    const previous = pageLruPrev.get(ram, page);
    pageLruNext.set(ram, previous, next);
    pageLruPrev.set(ram, next, previous);
  }
}
