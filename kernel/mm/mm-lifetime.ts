/**
 * The life of an address space (kernel/fork.c, mm/mmap.c exit_mmap): users keep the mappings, references keep the
 * structure and its top table.
 */
import type { Context, Work } from "../context.ts";
import { COST_ATOMIC, COST_IRQ_MASK } from "../costs.ts";
import { irqRestore, irqSave } from "../locking/spinlock.ts";
import { type KPtr, kptrOf, NULL } from "../struct.ts";
import { freePgtables } from "./free-pgtables.ts";
import { gatherBegin, gatherFinish } from "./gather.ts";
import { GFP_KERNEL, GFP_ZERO } from "./gfp.ts";
import { uncommitPages } from "./limits.ts";
import { memoryOf } from "./memory.ts";
import {
  mmCount,
  mmExecuteOnlyPkey,
  mmMmap,
  mmMmapBase,
  mmPgd,
  mmPgtablesBytes,
  mmPkeyMap,
  mmRssAnon,
  mmRssShmem,
  mmTaskSize,
  mmUsers,
} from "./mm-struct.ts";
import { mmapReadLock, mmapReadUnlock } from "./mmap-lock.ts";
import { pageMapcount, TABLE_TYPE } from "./page.ts";
import { VM_ACCOUNT, vmEnd, vmFlags, vmNext, vmStart } from "./vma.ts";
import { removeVma } from "./vma-lifetime.ts";
import { unmapVmas } from "./zap.ts";

/** Pages between the stack's top and the area that mmap fills downwards: 128 MiB at least (mmap_base, MIN_GAP). */
export const MMAP_BASE_GAP_PAGES: number = 0x0800_0000 / 4096;

/** mm_alloc(): an empty address space with one user, or NULL. */
export function* allocateMm(k: Context): Work<KPtr> {
  const m = memoryOf(k);
  const ram = k.ram;
  const mm = yield* m.mmCache.allocateZeroed(k, GFP_KERNEL);
  if (mm === NULL) return NULL;
  const page = yield* m.frames.allocate(k, GFP_KERNEL | GFP_ZERO);
  if (page === NULL || !(yield* m.initNotifierLock(k, mm))) {
    if (page !== NULL) m.putPage(k, page);
    m.mmCache.free(k, mm);
    return NULL;
  }
  const pgd = m.frames.physical(page);
  pageMapcount.set(ram, page, TABLE_TYPE);
  m.mmu.initTopTable(pgd);
  k.kernel.observer?.tableLinked(k, mm, 0, m.frames.map.pfn(page));
  m.mmu.initContext(mm);
  mmPgd.set(ram, mm, kptrOf(pgd));
  mmUsers.set(ram, mm, 1);
  mmCount.set(ram, mm, 1);
  mmTaskSize.set(ram, mm, m.mmu.taskSize);
  mmMmapBase.set(ram, mm, m.mmu.taskSize - MMAP_BASE_GAP_PAGES);
  mmPkeyMap.set(ram, mm, 1);
  mmExecuteOnlyPkey.set(ram, mm, -1);
  k.kernel.observer?.mmCreated(k, mm);
  return mm;
}

/** Users of an address space. Preceded by a point. @hot */
export function mmUsersOf(k: Context, mm: KPtr): number {
  return mmUsers.get(k.ram, mm);
}

/** mmget(): one user more. Atomic; preceded by a point. */
export function grabUsersOfMm(k: Context, mm: KPtr): void {
  mmUsers.add(k.ram, mm, 1);
}

/** mmput(): one user less; the last one takes the mappings down. May sleep. */
export function* dropUsersOfMm(k: Context, mm: KPtr): Work {
  if (k.point(COST_ATOMIC)) yield;
  const left = mmUsers.add(k.ram, mm, -1);
  if (left < 0) k.kernel.assertionFailed(k, "mm-users", "BUG: mm_users fell below zero");
  if (left !== 0) return;
  k.kernel.observer?.mmExit(k, mm);
  yield* exitMmap(k, mm);
  yield* memoryOf(k).dropMm(k, mm);
}

/** exit_mm(): the running task lets go of its address space and goes on with its tables loaded lazily. */
export function* exitMm(k: Context): Work {
  const m = memoryOf(k);
  const task = k.task!;
  const mm = task.mm;
  if (mm === NULL) return;
  yield* mmapReadLock(k, mm);
  if (k.point(COST_ATOMIC)) yield;
  m.grabMm(k, mm);
  if (k.point(COST_IRQ_MASK)) yield;
  const enabled = irqSave(k);
  task.mm = NULL;
  m.mmu.enterLazyTlb(k, mm);
  irqRestore(k, enabled);
  if (k.point(COST_IRQ_MASK)) yield;
  yield* mmapReadUnlock(k, mm);
  yield* dropUsersOfMm(k, mm);
}

/** exit_mmap(): frees everything that is mapped. Nobody uses the address space any more. */
function* exitMmap(k: Context, mm: KPtr): Work {
  const ram = k.ram;
  const first = mmMmap.get(ram, mm);
  if (first !== NULL) {
    const gather = yield* gatherBegin(k, mm, "fullmm");
    yield* unmapVmas(k, gather, first, 0, Number.POSITIVE_INFINITY);
    yield* freePgtables(k, gather, first, 0, 0);
    yield* gatherFinish(k, gather);
    let accounted = 0;
    for (let vma = first; vma !== NULL; ) {
      const next = vmNext.get(ram, vma);
      if ((vmFlags.get(ram, vma) & VM_ACCOUNT) !== 0)
        accounted += vmEnd.get(ram, vma) - vmStart.get(ram, vma);
      yield* removeVma(k, vma);
      vma = next;
    }
    if (k.point(COST_ATOMIC)) yield;
    uncommitPages(k, accounted);
  }
  checkMm(k, mm);
}

/** check_mm(): what an address space leaves behind is a leak. */
function checkMm(k: Context, mm: KPtr): void {
  const left = [
    ["rss-counter MM_ANONPAGES", mmRssAnon],
    ["rss-counter MM_SHMEMPAGES", mmRssShmem],
    ["pgtables_bytes", mmPgtablesBytes],
  ] as const;
  for (const [name, field] of left) {
    const lo = field.getLo(k.ram, mm);
    if ((lo | field.getHi(k.ram, mm)) !== 0) {
      k.kernel.assertionFailed(k, "mm-exit", `BUG: Bad ${name} of mm ${mm.toString(16)} at exit: ${lo}`);
    }
  }
}
