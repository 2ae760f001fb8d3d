/**
 * The fault core, written once for all designs: what happens at the entry of a page (mm/memory.c, 5.17 with the changes
 * of Lespinasse's v2 series). The steps that designs differ in go through the design: how the page-table lock is taken,
 * and how copy-on-write excludes new MMU notifiers.
 *
 * Locks: mmap_lock for read, or none with FAULT_FLAG_SPECULATIVE; then the VMA is a copy, no table is allocated, and
 * every failure of a design's step ends as VM_FAULT_RETRY with nothing left behind.
 */
import { physAddr } from "../../mmu/index.ts";
import type { Context, Work } from "../context.ts";
import { COST_ATOMIC, COST_COPY_PAGE, COST_PTE, COST_UNLOCK } from "../costs.ts";
import { spinUnlock } from "../locking/spinlock.ts";
import { type KPtr, NULL } from "../struct.ts";
import { anonVmaPrepare } from "./anon-vma.ts";
import {
  FAULT_FLAG_SPECULATIVE,
  FAULT_FLAG_TRIED,
  FAULT_FLAG_WRITE,
  type FaultState,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_FAULT_SIGBUS,
  VM_FAULT_WRITE,
} from "./fault-state.ts";
import { GFP_HIGHUSER, GFP_ZERO } from "./gfp.ts";
import { PTL } from "./locks.ts";
import { type Memory, memoryOf } from "./memory.ts";
import { mmPgd, mmRssAnon, mmRssShmem } from "./mm-struct.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "./mmu-notifier.ts";
import { pageMapcount, pageRefcount } from "./page.ts";
import { installTable, NO_SLOT } from "./page-table.ts";
import { pageAddNewAnonRmap, pageIsAnon, pageRemoveRmap } from "./rmap.ts";
import { doFault } from "./shmem-fault.ts";
import {
  COW_COPY,
  COW_REUSE,
  PGFAULT,
  SPF_ABORT_SWAP,
  SPF_ATTEMPT_PTE,
  SPF_ATTEMPT_WP,
  SPURIOUS_FAULT,
} from "./vm-events.ts";
import {
  VM_SHARED,
  VM_WRITE,
  vmAnonVma,
  vmaIsAnonymous,
  vmFlags,
  vmPageProtHi,
  vmPageProtLo,
} from "./vma.ts";

/**
 * handle_mm_fault() under mmap_lock: walks, allocating upper tables, and handles the entry. Plain as long as tables are
 * there and no point gives way. @returns VM_FAULT_* @hot
 */
export function handleMmFault(k: Context, f: FaultState): Work<number> {
  const m = memoryOf(k);
  // Under mmap_lock no fault is retried, so it counts whatever becomes of it.
  m.events.count(k.cpu.id, PGFAULT);
  f.table = mmPgd.get(k.ram, f.mm);
  f.level = m.format.levels;
  f.pteSlot = NO_SLOT;
  for (;;) {
    if (k.point(COST_PTE)) return walkAndHandle(k, f, "gave way");
    const next = walkEntry(k, m, f);
    if (next === ENTRY_READ) return handlePteFault(k, f);
    if (next === TABLE_MISSING) return walkAndHandle(k, f, "table missing");
  }
}

/** What walkEntry() came to. */
const WALK_ON = 0;
const ENTRY_READ = 1;
const TABLE_MISSING = 2;

/** Reads the entry of f.level, as far as the lowest table if there is one. Preceded by a point. @hot */
function walkEntry(k: Context, m: Memory, f: FaultState): number {
  const { format } = m;
  const slot = f.table + format.index(f.lo, f.hi, f.level) * 8;
  const lo = k.ram.read32(slot);
  const hi = k.ram.read32(slot + 4);
  if (f.level === 1) {
    f.origLo = lo;
    f.origHi = hi;
    if (!format.isNone(lo, hi)) f.pteSlot = slot;
    return ENTRY_READ;
  }
  f.pmdSlot = slot;
  if (format.isNone(lo, hi)) {
    if (f.level > 2) return TABLE_MISSING;
    f.origPmdLo = lo;
    f.origPmdHi = hi;
    return ENTRY_READ;
  }
  if (f.level === 2) {
    f.origPmdLo = lo;
    f.origPmdHi = hi;
  }
  f.table = format.tableAddress(lo, hi);
  f.level--;
  return WALK_ON;
}

/** The rest of handleMmFault() from where a point gave way, or an upper table must be made. */
function* walkAndHandle(k: Context, f: FaultState, why: "gave way" | "table missing"): Work<number> {
  const m = memoryOf(k);
  let next = why === "gave way" ? WALK_ON : TABLE_MISSING;
  if (why === "gave way") yield;
  for (;;) {
    if (next === WALK_ON) next = walkEntry(k, m, f);
    if (next === ENTRY_READ) return yield* handlePteFault(k, f);
    if (next === TABLE_MISSING) {
      if (!(yield* installTable(k, f.mm, f.pmdSlot))) return VM_FAULT_OOM;
      f.table = m.format.tableAddress(k.ram.read32(f.pmdSlot), k.ram.read32(f.pmdSlot + 4));
      f.level--;
      next = WALK_ON;
    }
    if (k.point(COST_PTE)) yield;
  }
}

/**
 * handle_pte_fault(): the entry is read, `pteSlot` and `orig*` if there is one. Plain, so that the chain of generators
 * stays short. @returns VM_FAULT_* @hot
 */
export function handlePteFault(k: Context, f: FaultState): Work<number> {
  if (f.pteSlot !== NO_SLOT) return handleEntry(k, f);
  return vmaIsAnonymous(k.ram, f.vma) ? f.anonymousPage.start(k) : doFault(k, f);
}

/** There is an entry: it must be made to permit the access. */
function* handleEntry(k: Context, f: FaultState): Work<number> {
  const m = memoryOf(k);
  const format = m.format;
  const speculative = (f.flags & FAULT_FLAG_SPECULATIVE) !== 0;
  if (!format.isPresent(f.origLo, f.origHi)) {
    // Nothing is ever swapped out: only a speculative fault can have read something else than an entry.
    if (speculative) {
      m.events.count(k.cpu.id, SPF_ABORT_SWAP);
      return VM_FAULT_RETRY;
    }
    k.kernel.assertionFailed(k, "entry-kind", "BUG: page-table entry that is neither empty nor present");
    return VM_FAULT_SIGBUS;
  }
  if (speculative) m.events.count(k.cpu.id, SPF_ATTEMPT_PTE);
  if (!(yield* m.design.pteSpinlock(k, f))) return VM_FAULT_RETRY;
  if (k.point(COST_PTE)) yield;
  if (!m.design.entryIsSame(k, f)) {
    m.mmu.updateMmuTlb(k, f.page);
  } else if ((f.flags & FAULT_FLAG_WRITE) !== 0 && !format.isWritable(f.origLo, f.origHi)) {
    return yield* doWpPage(k, f);
  } else {
    yield* setAccessFlags(k, m, f);
  }
  if (k.point(COST_UNLOCK)) yield;
  spinUnlock(k, f.ptl, PTL);
  return 0;
}

/** ptep_set_access_flags(), and what follows when there was nothing to change. */
function* setAccessFlags(k: Context, m: Memory, f: FaultState): Work {
  const format = m.format;
  const write = (f.flags & FAULT_FLAG_WRITE) !== 0;
  format.load(f.origLo, f.origHi);
  if (write) format.mkDirty();
  format.mkYoung();
  const lo = format.lo;
  const hi = format.hi;
  if (lo !== f.origLo || hi !== f.origHi) {
    if (k.point(COST_PTE)) yield;
    yield* m.mmu.setAccessFlags(k, f.mm, f.page, f.pteSlot, lo, hi, write ? "write" : "read");
  } else if ((f.flags & FAULT_FLAG_TRIED) === 0) {
    m.events.count(k.cpu.id, SPURIOUS_FAULT);
    if (write) m.mmu.flushSpuriousFault(k, f.page);
  }
}

/** do_wp_page(): a write to an entry that forbids it. Locks: ptl held, released here. */
function* doWpPage(k: Context, f: FaultState): Work<number> {
  const m = memoryOf(k);
  const ram = k.ram;
  if ((f.flags & FAULT_FLAG_SPECULATIVE) !== 0) m.events.count(k.cpu.id, SPF_ATTEMPT_WP);
  const flags = vmFlags.get(ram, f.vma);
  f.oldPage = NULL;
  if (!m.format.isSpecial(f.origLo, f.origHi)) {
    const page = m.frames.map.page(m.format.frame(f.origLo, f.origHi));
    const shared = (flags & (VM_SHARED | VM_WRITE)) === (VM_SHARED | VM_WRITE);
    if (k.point(COST_ATOMIC)) yield;
    // An anonymous page that only this entry refers to needs no copy.
    const exclusive =
      pageIsAnon(ram, page) && pageRefcount.get(ram, page) === 1 && pageMapcount.get(ram, page) === 0;
    if (exclusive || (shared && !pageIsAnon(ram, page))) return yield* wpPageReuse(k, f);
    m.getPage(page);
    f.oldPage = page;
  }
  if (k.point(COST_UNLOCK)) yield;
  spinUnlock(k, f.ptl, PTL);
  // The table is mapped again under the lock, when it is known to be linked still.
  f.pteSlot = NO_SLOT;
  return yield* wpPageCopy(k, f);
}

/** wp_page_reuse(): makes the entry writable in place. Locks: ptl held, released here. */
function* wpPageReuse(k: Context, f: FaultState): Work<number> {
  const m = memoryOf(k);
  m.events.count(k.cpu.id, COW_REUSE);
  if (k.point(COST_PTE)) yield;
  m.format.load(f.origLo, f.origHi);
  m.format.mkYoung();
  m.format.mkDirty();
  if ((vmFlags.get(k.ram, f.vma) & VM_WRITE) !== 0) m.format.mkWrite();
  yield* m.mmu.setAccessFlags(k, f.mm, f.page, f.pteSlot, m.format.lo, m.format.hi, "write");
  if (k.point(COST_UNLOCK)) yield;
  spinUnlock(k, f.ptl, PTL);
  return VM_FAULT_WRITE;
}

/** wp_page_copy(): gives the writer a page of its own. The old page, if any, has a reference of ours. */
function* wpPageCopy(k: Context, f: FaultState): Work<number> {
  const m = memoryOf(k);
  const oldPage = f.oldPage;
  const page = yield* allocateCopy(k, f, oldPage);
  let result: number;
  if (page === NULL) {
    result = VM_FAULT_OOM;
  } else if (page < 0 || !(yield* m.design.cowBegin(k, f))) {
    if (page > 0) m.design.dropPage(k, page);
    result = VM_FAULT_RETRY;
  } else {
    invalidateRangeStart(k, f.mm);
    if (yield* m.design.pteMapLock(k, f)) {
      result = yield* installCopy(k, m, f, page, oldPage);
    } else {
      m.design.dropPage(k, page);
      result = VM_FAULT_RETRY;
    }
    invalidateRangeEnd(k, f.mm);
    yield* m.design.cowEnd(k, f);
  }
  if (oldPage !== NULL) {
    if (k.point(COST_ATOMIC)) yield;
    m.putPage(k, oldPage);
  }
  return result;
}

const ABORTED = -1 as KPtr;

/** A copy of the old page (NULL: the zero page); NULL: no memory; ABORTED: a speculative fault may not prepare it. */
function* allocateCopy(k: Context, f: FaultState, oldPage: KPtr): Work<KPtr> {
  const m = memoryOf(k);
  if (vmAnonVma.get(k.ram, f.vma) === NULL) {
    if ((f.flags & FAULT_FLAG_SPECULATIVE) !== 0) {
      if (!(yield* m.design.anonVmaMissing(k, f))) return ABORTED;
    } else if ((yield* anonVmaPrepare(k, f.vma)) !== 0) return NULL;
  }
  const page = yield* m.frames.allocate(k, oldPage === NULL ? GFP_HIGHUSER | GFP_ZERO : GFP_HIGHUSER);
  if (page === NULL || oldPage === NULL) return page;
  k.ram.copy(physAddr(m.frames.physical(page)), physAddr(m.frames.physical(oldPage)), 4096);
  if (k.point(COST_COPY_PAGE)) yield;
  return page;
}

/** Replaces the old entry by the copy, if it is still there. Locks: ptl held, released here. */
function* installCopy(k: Context, m: Memory, f: FaultState, page: KPtr, oldPage: KPtr): Work<number> {
  const ram = k.ram;
  const format = m.format;
  if (k.point(COST_PTE)) yield;
  if (!m.design.entryIsSame(k, f)) {
    m.mmu.updateMmuTlb(k, f.page);
    if (k.point(COST_UNLOCK)) yield;
    spinUnlock(k, f.ptl, PTL);
    m.putPage(k, page);
    return 0;
  }
  m.events.count(k.cpu.id, COW_COPY);
  if (k.point(COST_ATOMIC)) yield;
  if (oldPage === NULL) {
    mmRssAnon.add(ram, f.mm, 1);
  } else if (!pageIsAnon(ram, oldPage)) {
    mmRssShmem.add(ram, f.mm, -1);
    mmRssAnon.add(ram, f.mm, 1);
  }
  // ptep_clear_flush(): under the lock, so that no core sees the new page while another writes the old one.
  yield* m.steps.clearAndFlush(k, f);
  pageAddNewAnonRmap(ram, page, f.vma, f.page);
  if (k.point(COST_PTE)) yield;
  format.make(m.frames.map.pfn(page), vmPageProtLo.get(ram, f.vma), vmPageProtHi.get(ram, f.vma));
  format.mkYoung();
  format.mkDirty();
  if ((vmFlags.get(ram, f.vma) & VM_WRITE) !== 0) format.mkWrite();
  yield* m.steps.setCopied(k, f, format.lo, format.hi);
  if (oldPage !== NULL) {
    if (k.point(COST_ATOMIC)) yield;
    pageRemoveRmap(ram, oldPage);
  }
  if (k.point(COST_UNLOCK)) yield;
  spinUnlock(k, f.ptl, PTL);
  if (oldPage !== NULL) {
    if (k.point(COST_ATOMIC)) yield;
    m.putPage(k, oldPage);
  }
  return VM_FAULT_WRITE;
}
