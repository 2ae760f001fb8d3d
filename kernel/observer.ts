/**
 * What the kernel tells whoever watches a run: an oracle, a race detector, a story. `Kernel.observer` is null in
 * ordinary runs, and every call is one line behind a null check, in no plain accessor.
 *
 * An observer never changes the run: it makes no scheduling point, charges no clock, counts nothing and writes no guest
 * memory. A call comes in the same uninterrupted step as what it tells of. Pointers and frames mean what they mean in
 * guest RAM at that moment; whoever keeps them keeps a copy of what matters.
 */
import type { AssertionId } from "./assertions.ts";
import type { Context } from "./context.ts";
import type { LockClass } from "./locking/lock-class.ts";
import type { AcquireKind } from "./locking/lockdep.ts";
import type { FaultState } from "./mm/fault-state.ts";
import type { FaultSignal } from "./process.ts";
import type { Task } from "./sched/task.ts";
import type { KPtr } from "./struct.ts";
import type { Syscall } from "./syscalls/syscall.ts";

export interface KernelObserver {
  /** An implemented system call begins; its arguments are read through `call`. */
  syscallEnter(k: Context, name: string, call: Syscall): void;
  /** It has its result (a value or a negative errno), which is not in the registers yet. Not after exit or exec. */
  syscallExit(k: Context, name: string, call: Syscall, result: number): void;
  /** A trap handler ended: a system call, a fault, an interrupt. `k.traps.length` is the depth without it. */
  trapEnd(k: Context, frame: number): void;

  /** The handler of a fault at a user address begins; `k.traps.length` counts it. */
  faultBegin(k: Context, f: FaultState): void;
  /** A user copy gives up at an address: what it does not do will be -EFAULT or a short count. */
  userCopyFailed(k: Context, lo: number, hi: number, kind: "read" | "write"): void;
  /** The running task gets a signal for what it did. */
  signalForced(k: Context, signal: FaultSignal): void;

  /** mmap_lock of an mm is held for writing from here on. */
  mmWriteLocked(k: Context, mm: KPtr): void;
  /** The last moment of a write section, before the fault design hears of its end. */
  mmWriteUnlock(k: Context, mm: KPtr): void;
  /** The same, and the section goes on as a reader's. */
  mmWriteDowngrade(k: Context, mm: KPtr): void;
  mmReadLocked(k: Context, mm: KPtr): void;
  /** The last moment of a read section. */
  mmReadUnlock(k: Context, mm: KPtr): void;

  /** A new address space exists, empty. */
  mmCreated(k: Context, mm: KPtr): void;
  /** It is to become a copy of `old`: both are locked for writing, the copy is made, `old` is flushed and unlocked. */
  mmForked(k: Context, mm: KPtr, old: KPtr): void;
  /** The last user is gone: everything mapped goes away now. */
  mmExit(k: Context, mm: KPtr): void;

  /** An entry of the lowest level is set (0, 0: cleared), under its table's lock. `old*` is what it was. */
  pteSet(
    k: Context,
    mm: KPtr,
    page: number,
    slot: number,
    oldLo: number,
    oldHi: number,
    lo: number,
    hi: number,
  ): void;
  /** A frame became a page table of an mm and was linked at a slot (0: the top table). */
  tableLinked(k: Context, mm: KPtr, slot: number, frame: number): void;
  /** A frame that was a page table goes back to the allocator. */
  tableFreed(k: Context, frame: number): void;

  /** flush_tlb_mm_range() begins and ends. `end` 0: the whole address space. */
  flushBegin(k: Context, mm: KPtr, start: number, end: number, tables: "tables-freed" | "tables-kept"): void;
  flushEnd(k: Context, mm: KPtr, start: number, end: number): void;

  /** A barrier, by the manual's name, that invalidations depend on: it has to wait for others; it is complete. */
  barrierWaits(k: Context, name: string): void;
  barrierDone(k: Context, name: string): void;

  /** lock_acquire() of lockdep: the lock is held, unless lockContended() follows in the same step. */
  lockAcquired(k: Context, at: KPtr, cls: LockClass, kind: AcquireKind): void;
  /** The context waits for the lock that it announced. */
  lockContended(k: Context, at: KPtr, cls: LockClass, kind: AcquireKind): void;
  /** It has it now. (A killed waiter never gets here: lockReleased() follows.) */
  lockGranted(k: Context, at: KPtr, cls: LockClass, kind: AcquireKind): void;
  /** The lock is about to be released; from exclusive to shared: kind "downgrade". */
  lockReleased(k: Context, at: KPtr, cls: LockClass, kind: "release" | "downgrade"): void;

  /** A frame became a slab of free objects, side by side every `strideBytes`. */
  slabGrown(k: Context, cache: string, at: number, strideBytes: number, objects: number): void;
  /** An object of a cache was handed out, or is given back (about to be poisoned). */
  objectAllocated(k: Context, cache: string, at: KPtr, bytes: number): void;
  objectFreed(k: Context, cache: string, at: KPtr, bytes: number): void;
  /** An allocator works on free objects, or on free frames, between these two; no other code runs in between. */
  allocatorBegin(): void;
  allocatorEnd(): void;
  /** A frame was handed out, or given back (after it was poisoned). */
  frameAllocated(k: Context, frame: number): void;
  frameFreed(k: Context, frame: number): void;

  /** The outermost rcu_read_lock() and its end. */
  rcuReadLock(k: Context): void;
  rcuReadUnlock(k: Context): void;
  /** call_rcu(), and the callback after its grace period. */
  rcuQueued(k: Context, name: string, arg: KPtr): void;
  rcuCallback(k: Context, name: string, arg: KPtr): void;
  /** A core with callbacks that wait asks whether their grace period is over. */
  rcuPolled(cpu: number): void;
  /** A core leaves the kernel or switches tasks: its read sections have ended. */
  rcuQuiescent(cpu: number): void;
  gracePeriodEnd(cpu: number): void;

  /** read_seqcount_begin(): a copy begins, and read_seqcount_retry(): it is thrown away if the count has changed. */
  seqReadBegin(k: Context, at: number): void;
  seqReadRetry(k: Context, at: number, result: "changed" | "unchanged"): void;

  /** A sleeping or a new task became runnable. */
  taskWoken(k: Context, task: Task): void;
  /** The core goes on with another task. */
  contextSwitch(k: Context, prev: Task, next: Task): void;
  /** A kernel assertion (BUG, WARN, lockdep) fired. */
  assertionFailed(k: Context, text: string, id: AssertionId): void;
}
