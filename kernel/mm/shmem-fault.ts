/** A fault on a shared anonymous mapping: do_fault(), whose page comes from the object (mm/memory.c, finish_fault). */
import type { Context, Work } from "../context.ts";
import { COST_ATOMIC, COST_PTE, COST_UNLOCK } from "../costs.ts";
import { spinUnlock } from "../locking/spinlock.ts";
import { NULL } from "../struct.ts";
import {
  FAULT_FLAG_WRITE,
  type FaultState,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_FAULT_SIGBUS,
} from "./fault-state.ts";
import { PTL } from "./locks.ts";
import { memoryOf } from "./memory.ts";
import { mmRssShmem } from "./mm-struct.ts";
import { installTable, setPteAt } from "./page-table.ts";
import { pageDupRmap } from "./rmap.ts";
import { shmemGetPage, shmemHasOffset, shmemHasPage } from "./shmem.ts";
import { linearPageIndex, vmFile, vmPageProtHi, vmPageProtLo } from "./vma.ts";

/** Maps the object's page. Locks: mmap_lock for read. @returns VM_FAULT_* */
export function* doFault(k: Context, f: FaultState): Work<number> {
  const m = memoryOf(k);
  const ram = k.ram;
  const format = m.format;
  const object = vmFile.get(ram, f.vma);
  const pgoff = linearPageIndex(ram, f.vma, f.page);
  // mremap makes mappings longer, not their object.
  if (!shmemHasOffset(k, object, pgoff)) return VM_FAULT_SIGBUS;
  const page = yield* shmemGetPage(k, object, pgoff);
  if (page === NULL) return VM_FAULT_OOM;
  if (format.isNone(ram.read32(f.pmdSlot), ram.read32(f.pmdSlot + 4))) {
    if (!(yield* installTable(k, f.mm, f.pmdSlot))) {
      m.putPage(k, page);
      return VM_FAULT_OOM;
    }
  }
  if (!(yield* m.design.pteMapLock(k, f))) {
    m.design.dropPage(k, page);
    return VM_FAULT_RETRY;
  }
  if (k.point(COST_PTE)) yield;
  // A page that was taken out of the object meanwhile is no longer what is mapped here: the access faults again.
  const isNone = m.design.entryIsNone(k, f) && shmemHasPage(k, object, pgoff, page);
  if (isNone) {
    if (k.point(COST_ATOMIC)) yield;
    mmRssShmem.add(ram, f.mm, 1);
    pageDupRmap(ram, page);
    if (k.point(COST_PTE)) yield;
    format.make(m.frames.map.pfn(page), vmPageProtLo.get(ram, f.vma), vmPageProtHi.get(ram, f.vma));
    format.mkYoung();
    if ((f.flags & FAULT_FLAG_WRITE) !== 0) {
      format.mkDirty();
      format.mkWrite();
    }
    setPteAt(k, f.mm, f.page, f.pteSlot, format.lo, format.hi);
  } else {
    m.mmu.updateMmuTlb(k, f.page);
  }
  if (k.point(COST_UNLOCK)) yield;
  spinUnlock(k, f.ptl, PTL);
  if (!isNone) m.putPage(k, page);
  return 0;
}
