/**
 * Lock classes of the memory manager, in the order in which they nest (the comment at the head of Linux's mm/rmap.c):
 * mmap_lock, mmu_notifier_lock, i_mmap_rwsem, anon_vma, page_table_lock, the split page-table locks, the allocators.
 */
import { type LockClass, lockClass } from "../locking/lock-class.ts";

export const MMAP_LOCK: LockClass = lockClass({
  name: "mmap_lock",
  rank: 100,
  context: "process",
  kind: "sleep",
  guards: "VMA tree, list and fields; upper page-table levels against being freed",
});
export const MMU_NOTIFIER_LOCK: LockClass = lockClass({
  name: "mmu_notifier_lock",
  rank: 110,
  context: "process",
  kind: "sleep",
  guards: "registration of MMU notifiers",
});
export const I_MMAP_LOCK: LockClass = lockClass({
  name: "i_mmap_rwsem",
  rank: 115,
  context: "process",
  kind: "sleep",
  guards: "the VMAs that map a shared object, and their bounds",
});
export const ANON_VMA_LOCK: LockClass = lockClass({
  name: "anon_vma->rwsem",
  rank: 120,
  context: "process",
  kind: "sleep",
  guards: "interval trees of an anon_vma and of all that share its root",
});
export const SHMEM_LOCK: LockClass = lockClass({
  name: "shmem->lock",
  rank: 125,
  context: "process",
  kind: "spin",
  guards: "pages of a shared anonymous object",
});
export const PAGE_TABLE_LOCK: LockClass = lockClass({
  name: "page_table_lock",
  rank: 130,
  context: "process",
  kind: "spin",
  guards: "entries above the lowest level, first anon_vma of a VMA",
});
/** The lock of one lowest-level table; two of them nest with a subclass when entries move. */
export const PTL: LockClass = lockClass({
  name: "ptlock",
  rank: 140,
  context: "process",
  kind: "spin",
  guards: "entries of one page table, rmap of the pages that they map",
});
export const SLAB_LOCK: LockClass = lockClass({
  name: "cache->list_lock",
  rank: 800,
  context: "irq-safe",
  kind: "spin",
  guards: "slabs of a cache that are not full",
});
export const ZONE_LOCK: LockClass = lockClass({
  name: "zone->lock",
  rank: 810,
  context: "irq-safe",
  kind: "spin",
  guards: "free lists of a zone",
});
