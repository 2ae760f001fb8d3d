/**
 * MMU notifiers: whoever mirrors an address space is told before entries change and after (mm/mmu_notifier.c). An mm
 * counts its subscribers and the invalidations that are between start and end with subscribers told; registration
 * excludes copy-on-write without mmap_lock by the notifier lock ("mm: write lock mmu_notifier_lock when registering
 * mmu notifiers").
 */
import type { Context, Work } from "../context.ts";
import {
  percpuDownReadTrylock,
  percpuDownWrite,
  percpuUpRead,
  percpuUpWrite,
} from "../locking/percpu-rwsem.ts";
import { type KPtr, kptrOf } from "../struct.ts";
import { MMU_NOTIFIER_LOCK } from "./locks.ts";
import { MM_NOTIFIER_LOCK, mmNotifierActive, mmNotifiers } from "./mm-struct.ts";
import { mmapWriteLock, mmapWriteUnlock } from "./mmap-lock.ts";

function lockOf(mm: KPtr): KPtr {
  return kptrOf(mm + MM_NOTIFIER_LOCK);
}

/** mmu_notifier_trylock(): plain, preceded by a point. @hot */
export function mmuNotifierTrylock(k: Context, mm: KPtr): boolean {
  return percpuDownReadTrylock(k, lockOf(mm), MMU_NOTIFIER_LOCK);
}

/** mmu_notifier_unlock(). */
export function* mmuNotifierUnlock(k: Context, mm: KPtr): Work {
  yield* percpuUpRead(k, lockOf(mm), MMU_NOTIFIER_LOCK);
}

/** mmu_notifier_register(): one subscriber more. */
export function* mmuNotifierRegister(k: Context, mm: KPtr): Work {
  yield* mmapWriteLock(k, mm);
  yield* percpuDownWrite(k, lockOf(mm), MMU_NOTIFIER_LOCK);
  mmNotifiers.add(k.ram, mm, 1);
  yield* percpuUpWrite(k, lockOf(mm), MMU_NOTIFIER_LOCK);
  yield* mmapWriteUnlock(k, mm);
}

/** mmu_notifier_invalidate_range_start(): subscribers stop using entries. @hot */
export function invalidateRangeStart(k: Context, mm: KPtr): void {
  if (mmNotifiers.get(k.ram, mm) !== 0) mmNotifierActive.add(k.ram, mm, 1);
}

/** mmu_notifier_invalidate_range_end(): unbalanced if a subscriber came in between. @hot */
export function invalidateRangeEnd(k: Context, mm: KPtr): void {
  if (mmNotifiers.get(k.ram, mm) === 0) return;
  if (mmNotifierActive.add(k.ram, mm, -1) < 0) {
    k.kernel.assertionFailed(
      k,
      "notifier-balance",
      "BUG: MMU notifier told of the end of an invalidation that it saw no start of",
    );
  }
}
