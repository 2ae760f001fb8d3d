/**
 * What a watcher of the kernel reads of its structures in guest RAM: fields and pure look-ups, none of which changes
 * anything or makes a scheduling point.
 */

export type { Context } from "./context.ts";
export type { LockClass } from "./locking/lock-class.ts";
export { type AcquireKind, heldLocksText } from "./locking/lockdep.ts";
export {
  anonParent,
  anonRoot,
  anonVmaIsLocked,
  avcAnonVma,
  avcVma,
  firstLink,
  nextCovering,
  nextLink,
} from "./mm/anon-vma.ts";
export type { FaultState } from "./mm/fault-state.ts";
export { Memory, memoryOf } from "./mm/memory.ts";
export {
  mmBrk,
  mmCount,
  mmCpumask,
  mmMapCount,
  mmMmap,
  mmMmapBase,
  mmMmapSeq,
  mmPgd,
  mmPgtablesBytes,
  mmRssAnon,
  mmRssShmem,
  mmStartBrk,
  mmTlbFlushPending,
  mmTlbGen,
  mmUsers,
} from "./mm/mm-struct.ts";
export {
  PG_BUDDY,
  PG_RESERVED,
  PG_SLAB,
  pageAllocation,
  pageFlags,
  pageIndex,
  pageMapcount,
  pagePrivate,
  pagePtl,
  pageRefcount,
  TABLE_TYPE,
} from "./mm/page.ts";
export { findPteSlot, NO_SLOT } from "./mm/page-table.ts";
export { pageAnonVma, pageIsAnon } from "./mm/rmap.ts";
export { shmemFrames } from "./mm/shmem.ts";
export { batchFrames } from "./mm/table-batch.ts";
export { EVENT_NAMES } from "./mm/vm-events.ts";
export {
  linearPageIndex,
  VM_ACCESS_FLAGS,
  VM_DONTCOPY,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_PKEY_MASK_HI,
  VM_READ,
  VM_SHARED,
  VM_WIPEONFORK,
  VM_WRITE,
  vmAnonVma,
  vmaIsAnonymous,
  vmEnd,
  vmFile,
  vmFlags,
  vmFlagsHi,
  vmNext,
  vmPgoff,
  vmStart,
} from "./mm/vma.ts";
export { findVma } from "./mm/vma-tree.ts";
export type { KernelObserver } from "./observer.ts";
export { PERCPU, percpuOf } from "./percpu.ts";
export type { FaultSignal } from "./process.ts";
export { TASK_DEAD, type Task } from "./sched/task.ts";
export { type Field, type KPtr, kptrOf, layoutNamed, NULL, type StructLayout } from "./struct.ts";
export type { Syscall } from "./syscalls/syscall.ts";
