/**
 * The reverse map of a shared object: which VMAs map it (address_space.i_mmap), of any address space. Whoever takes a page
 * away from the object finds its entries here, without the mmap_lock of those who map it; a VMA leaves the map before
 * the tables under it are freed, so that a walker under the map's lock finds tables.
 *
 * Simplification: a list in order of linking where Linux has an interval tree by offset. A new VMA comes last, so that a
 * walker that meets a move of entries sees the old place before the new one.
 */
import type { Context, Work } from "../context.ts";
import { COST_ATOMIC } from "../costs.ts";
import { downRead, downWrite, upRead, upWrite } from "../locking/rwsem.ts";
import { condResched } from "../sched/schedule.ts";
import { type KPtr, kptrOf, NULL } from "../struct.ts";
import { gatherBegin, gatherFinish } from "./gather.ts";
import { I_MMAP_LOCK } from "./locks.ts";
import { memoryOf } from "./memory.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "./mmu-notifier.ts";
import { SHMEM_I_MMAP_RWSEM, shmemFirstVma, shmemLastVma, shmemNextPage, shmemTakePage } from "./shmem.ts";
import { vmEnd, vmFile, vmMm, vmPgoff, vmSharedNext, vmSharedPrev, vmStart } from "./vma.ts";
import { unmapPageRange } from "./zap.ts";

function lockOf(object: KPtr): KPtr {
  return kptrOf(object + SHMEM_I_MMAP_RWSEM);
}

/** i_mmap_lock_write(). */
export function* objectMapLock(k: Context, object: KPtr): Work {
  yield* downWrite(k, lockOf(object), I_MMAP_LOCK);
}

/** i_mmap_unlock_write(). */
export function* objectMapUnlock(k: Context, object: KPtr): Work {
  yield* upWrite(k, lockOf(object), I_MMAP_LOCK);
}

/** __vma_link_file(): a VMA of an object joins the map. Locks: the map's for write. */
export function addObjectVma(k: Context, vma: KPtr): void {
  const { ram } = k;
  const object = vmFile.get(ram, vma);
  const last = shmemLastVma.get(ram, object);
  vmSharedNext.set(ram, vma, NULL);
  vmSharedPrev.set(ram, vma, last);
  if (last === NULL) shmemFirstVma.set(ram, object, vma);
  else vmSharedNext.set(ram, last, vma);
  shmemLastVma.set(ram, object, vma);
}

/** __remove_shared_vm_struct(). Locks: the map's for write. */
export function removeObjectVma(k: Context, vma: KPtr): void {
  const { ram } = k;
  const object = vmFile.get(ram, vma);
  const next = vmSharedNext.get(ram, vma);
  const previous = vmSharedPrev.get(ram, vma);
  if (previous === NULL) shmemFirstVma.set(ram, object, next);
  else vmSharedNext.set(ram, previous, next);
  if (next === NULL) shmemLastVma.set(ram, object, previous);
  else vmSharedPrev.set(ram, next, previous);
}

/** The same with the lock, for a VMA that may map no object. */
export function* linkObjectVma(k: Context, vma: KPtr): Work {
  const object = vmFile.get(k.ram, vma);
  if (object === NULL) return;
  yield* objectMapLock(k, object);
  addObjectVma(k, vma);
  yield* objectMapUnlock(k, object);
}

/** unlink_file_vma(): before the tables of the VMA are freed. */
export function* unlinkObjectVma(k: Context, vma: KPtr): Work {
  const object = vmFile.get(k.ram, vma);
  if (object === NULL) return;
  yield* objectMapLock(k, object);
  removeObjectVma(k, vma);
  yield* objectMapUnlock(k, object);
}

/**
 * shmem_fallocate(FALLOC_FL_PUNCH_HOLE): frees the object's pages in a range. No mmap_lock; a reference to the object.
 * Simplification: each page goes out of the object first and out of the mappings then, where Linux holds its lock; a
 * fault asks under the page-table lock whether its page is still the object's.
 */
export function* removeObjectPages(k: Context, object: KPtr, from: number, end: number): Work {
  const m = memoryOf(k);
  for (let at = shmemNextPage(k, object, from, end); at < end; at = shmemNextPage(k, object, at + 1, end)) {
    const page = yield* shmemTakePage(k, object, at);
    if (page === NULL) continue;
    yield* unmapObjectPage(k, object, at);
    if (k.point(COST_ATOMIC)) yield;
    m.putPage(k, page);
    yield* condResched(k);
  }
}

/** unmap_mapping_pages(): clears every entry of a page of the object, in all address spaces. No mmap_lock. */
export function* unmapObjectPage(k: Context, object: KPtr, pgoff: number): Work {
  const { ram } = k;
  yield* downRead(k, lockOf(object), I_MMAP_LOCK);
  for (let vma = shmemFirstVma.get(ram, object); vma !== NULL; vma = vmSharedNext.get(ram, vma)) {
    const page = vmStart.get(ram, vma) + pgoff - vmPgoff.get(ram, vma);
    if (page < vmStart.get(ram, vma) || page >= vmEnd.get(ram, vma)) continue;
    const mm = vmMm.get(ram, vma);
    const gather = yield* gatherBegin(k, mm, "range");
    invalidateRangeStart(k, mm);
    yield* unmapPageRange(k, gather, page, page + 1);
    invalidateRangeEnd(k, mm);
    yield* gatherFinish(k, gather);
  }
  yield* upRead(k, lockOf(object), I_MMAP_LOCK);
}
