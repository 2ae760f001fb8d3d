/**
 * The object behind MAP_SHARED | MAP_ANONYMOUS: pages by offset, in a tree of three levels of 512 pointers each, as
 * shmem keeps them in its page cache (mm/shmem.c). The object has a reference for each VMA that maps it and holds one
 * reference to each of its pages.
 */
import type { Context, Work } from "../context.ts";
import { COST_ACCESS, COST_ATOMIC } from "../costs.ts";
import { RWSEM } from "../locking/rwsem.ts";
import { spinLock, spinUnlock } from "../locking/spinlock.ts";
import { type I32Field, type KPtr, kptrOf, NULL, PtrField, StructLayout, type U64Field } from "../struct.ts";
import { GFP_KERNEL, GFP_ZERO } from "./gfp.ts";
import { commitPages, uncommitPages } from "./limits.ts";
import { SHMEM_LOCK } from "./locks.ts";
import { type Memory, memoryOf } from "./memory.ts";

const layout: StructLayout = new StructLayout("shmem_inode");
const shmemRefs: I32Field = layout.i32("i_count", "atomic");
const shmemLock: I32Field = layout.i32("lock", "lock word");
/** Frame of the top table of page pointers. */
const shmemRoot: PtrField = layout.ptr("root", "constant");
/** Pages of the object, fixed when it is made: what lies behind them cannot be touched (i_size). */
const shmemSize: U64Field = layout.u64("i_size", "constant");
/** Pages promised when the object was made (shmem_acct_size). */
const shmemAccounted: U64Field = layout.u64("accounted", "constant");
/** The VMAs that map it (i_mmap): first and last of a list, and its lock. */
export const shmemFirstVma: PtrField = layout.ptr("i_mmap.first", "i_mmap_rwsem (write)");
export const shmemLastVma: PtrField = layout.ptr("i_mmap.last", "i_mmap_rwsem (write)");
export const SHMEM_I_MMAP_RWSEM: number = layout.embed("i_mmap_rwsem", RWSEM);
export const SHMEM_BYTES: number = layout.sizeBytes;

const LEVELS = 3;
/** Pages that an object can have. */
export const SHMEM_MAX_PAGES: number = 512 ** LEVELS;

const pointer: PtrField = new PtrField("slot", 0, "shmem->lock");

/**
 * A new, empty object with one reference; NULL: no memory.
 * @param pages of the object, for good: a mapping that mremap makes longer does not make the object longer
 * @param accounted pages to promise
 */
export function* shmemCreate(k: Context, pages: number, accounted: number): Work<KPtr> {
  if (k.point(COST_ATOMIC)) yield;
  if (commitPages(k, accounted) !== 0) return NULL;
  const object = yield* allocateObject(k);
  if (object === NULL) {
    uncommitPages(k, accounted);
    return NULL;
  }
  shmemSize.set(k.ram, object, pages);
  shmemAccounted.set(k.ram, object, accounted);
  return object;
}

function* allocateObject(k: Context): Work<KPtr> {
  const m = memoryOf(k);
  const object = yield* m.shmemCache.allocateZeroed(k, GFP_KERNEL);
  if (object === NULL) return NULL;
  const root = yield* m.frames.allocate(k, GFP_KERNEL | GFP_ZERO);
  if (root === NULL) {
    m.shmemCache.free(k, object);
    return NULL;
  }
  shmemRefs.set(k.ram, object, 1);
  shmemRoot.set(k.ram, object, root);
  return object;
}

/** An offset lies in the object, not behind its end (shmem_fault() against i_size). */
export function shmemHasOffset(k: Context, object: KPtr, pgoff: number): boolean {
  return pgoff < shmemSize.get(k.ram, object);
}

/** One mapping more. Preceded by a point. */
export function shmemGet(k: Context, object: KPtr): void {
  shmemRefs.add(k.ram, object, 1);
}

/** One mapping less; the last one frees the pages. */
export function* shmemPut(k: Context, object: KPtr): Work {
  if (k.point(COST_ATOMIC)) yield;
  if (shmemRefs.add(k.ram, object, -1) !== 0) return;
  freeTree(k, shmemRoot.get(k.ram, object), LEVELS);
  uncommitPages(k, shmemAccounted.get(k.ram, object));
  memoryOf(k).shmemCache.free(k, object);
}

function freeTree(k: Context, page: KPtr, level: number): void {
  const m = memoryOf(k);
  if (level > 0) {
    const base = m.frames.physical(page);
    for (let at = base; at < base + 4096; at += 8) {
      const below = pointer.get(k.ram, kptrOf(at));
      if (below !== NULL) freeTree(k, below, level - 1);
    }
  }
  m.putPage(k, page);
}

/**
 * The page at an offset, made and zeroed if it is not there yet. @returns struct page with a reference for the caller,
 * or NULL if there is no memory
 */
export function* shmemGetPage(k: Context, object: KPtr, pgoff: number): Work<KPtr> {
  const m = memoryOf(k);
  const ram = k.ram;
  let table = shmemRoot.get(ram, object);
  for (let level = LEVELS; level > 0; level--) {
    const index = Math.floor(pgoff / 512 ** (level - 1)) % 512;
    const slot = kptrOf(m.frames.physical(table) + index * 8);
    const found = pointer.get(ram, slot);
    table = found !== NULL ? found : yield* fill(k, object, slot);
    if (table === NULL) return NULL;
  }
  if (k.point(COST_ATOMIC)) yield;
  m.getPage(table);
  return table;
}

/** The page that the object has at an offset is this one. @hot */
export function shmemHasPage(k: Context, object: KPtr, pgoff: number, page: KPtr): boolean {
  return pageAt(k, object, pgoff) === page;
}

/** The page at an offset, or NULL. */
function pageAt(k: Context, object: KPtr, pgoff: number): KPtr {
  const m = memoryOf(k);
  let table = shmemRoot.get(k.ram, object);
  for (let level = LEVELS; level > 0 && table !== NULL; level--) {
    const index = Math.floor(pgoff / 512 ** (level - 1)) % 512;
    table = pointer.get(k.ram, kptrOf(m.frames.physical(table) + index * 8));
  }
  return table;
}

/** The first offset from `from` on at which the object has a page; `end` or more: none before. */
export function shmemNextPage(k: Context, object: KPtr, from: number, end: number): number {
  const m = memoryOf(k);
  for (let pgoff = from; pgoff < end; ) {
    let table = shmemRoot.get(k.ram, object);
    let level = LEVELS;
    for (; level > 0 && table !== NULL; level--) {
      const index = Math.floor(pgoff / 512 ** (level - 1)) % 512;
      table = pointer.get(k.ram, kptrOf(m.frames.physical(table) + index * 8));
    }
    if (table !== NULL) return pgoff;
    // Nothing below an entry of level + 1: on behind what it covers.
    const span = 512 ** level;
    pgoff = Math.floor(pgoff / span) * span + span;
  }
  return end;
}

/**
 * Takes the page at an offset out of the object. The caller has the object's reference to it.
 * @returns struct page, or NULL if there is none
 */
export function* shmemTakePage(k: Context, object: KPtr, pgoff: number): Work<KPtr> {
  if (k.point(COST_ACCESS)) yield;
  if (pageAt(k, object, pgoff) === NULL) return NULL;
  const m = memoryOf(k);
  const lock = kptrOf(shmemLock.at(object));
  yield* spinLock(k, lock, SHMEM_LOCK);
  let table = shmemRoot.get(k.ram, object);
  let slot: KPtr = NULL;
  for (let level = LEVELS; level > 0 && table !== NULL; level--) {
    const index = Math.floor(pgoff / 512 ** (level - 1)) % 512;
    slot = kptrOf(m.frames.physical(table) + index * 8);
    table = pointer.get(k.ram, slot);
  }
  if (table !== NULL) pointer.set(k.ram, slot, NULL);
  spinUnlock(k, lock, SHMEM_LOCK);
  return table;
}

/** Puts a zeroed frame into an empty slot, unless another core was faster. */
function* fill(k: Context, object: KPtr, slot: KPtr): Work<KPtr> {
  const m = memoryOf(k);
  const page = yield* m.frames.allocate(k, GFP_KERNEL | GFP_ZERO);
  if (page === NULL) return NULL;
  const lock = kptrOf(shmemLock.at(object));
  yield* spinLock(k, lock, SHMEM_LOCK);
  const found = pointer.get(k.ram, slot);
  if (found === NULL) pointer.set(k.ram, slot, page);
  spinUnlock(k, lock, SHMEM_LOCK);
  if (found === NULL) return page;
  m.putPage(k, page);
  return found;
}

/** Who looks at the frames of an object. */
export interface ShmemVisitor {
  frame(frame: number): void;
  /** The first of a table's 8-byte slots from `from` on that is not empty; 512: none. */
  nextSlot(frame: number, from: number): number;
}

/** Frames of an object, tables and pages, without locks or points: for checks. */
export function shmemFrames(m: Memory, object: KPtr, visitor: ShmemVisitor): void {
  visitBelow(m, shmemRoot.get(m.ram, object), LEVELS, visitor);
}

function visitBelow(m: Memory, page: KPtr, level: number, visitor: ShmemVisitor): void {
  const frame = m.frames.map.pfn(page);
  visitor.frame(frame);
  if (level === 0) return;
  for (let slot = visitor.nextSlot(frame, 0); slot < 512; slot = visitor.nextSlot(frame, slot + 1)) {
    visitBelow(m, pointer.get(m.ram, kptrOf(frame * 4096 + slot * 8)), level - 1, visitor);
  }
}
