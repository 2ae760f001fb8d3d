/**
 * Speculative page faults with one sequence count per address space: Michel Lespinasse, "[PATCH v2 00/35] Speculative
 * page faults" (January 2022, for 5.17). A fault copies its VMA, walks the tables that exist while they are kept, and
 * commits under the page-table lock if no writer of mmap_lock ran meanwhile; else it starts again under mmap_lock.
 *
 *     gate         user mode and more than one user of the mm, or no attempt is counted at all
 *     begin        mmap_seq even                                                    SPF_ABORT_ODD
 *     lookup       VMA under RCU, covers the address, anonymous                     _UNMAPPED, _NO_SPECULATE
 *     validateCopy the copy was made word by word: mmap_seq unchanged               _VMA_COPY
 *     access       rights, from the copy                                            _ACCESS_ERROR
 *     walk         tables exist and are kept                                        _PUD, _PMD
 *     pteMapLock   tables kept; mmap_seq; PMD; trylock; mmap_seq                    _PTE_MAP_LOCK_SEQ1, _PMD, _PTL, _SEQ2
 *     cowBegin     no MMU notifier may register until cowEnd
 *
 * What keeps page tables from being freed (speculative_page_walk_begin) is the architecture's: interrupts off where who
 * frees them waits for our answer to its flush, RCU where a flush interrupts nobody. There are no transparent huge
 * pages, so the PMD check of pteMapLock is left out, as it is without them in the series.
 */
import { type Context, NO, type Work, YES } from "../../context.ts";
import { COST_ACCESS, COST_ATOMIC, COST_IRQ_MASK, COST_LOCK, COST_PTE, COST_UNLOCK } from "../../costs.ts";
import { seqChanged, seqRead, seqWriteBegin, seqWriteEnd } from "../../locking/seqcount.ts";
import { spinTrylock, spinUnlock } from "../../locking/spinlock.ts";
import { callRcu, rcuReadLock, rcuReadUnlock } from "../../rcu.ts";
import { type KPtr, kptrOf, NULL } from "../../struct.ts";
import { handlePteFault } from "../fault.ts";
import { FAULT_FLAG_SPECULATIVE, FAULT_FLAG_USER, type FaultState, VM_FAULT_RETRY } from "../fault-state.ts";
import { PTL } from "../locks.ts";
import { memoryOf } from "../memory.ts";
import { mmMmapSeq, mmPgd, mmRb, mmUsers } from "../mm-struct.ts";
import { mmuNotifierTrylock, mmuNotifierUnlock } from "../mmu-notifier.ts";
import { NO_SLOT } from "../page-table.ts";
import { rbLeft, rbRight } from "../rbtree.ts";
import {
  PGFAULT,
  SPF_ABORT_ACCESS_ERROR,
  SPF_ABORT_NO_SPECULATE,
  SPF_ABORT_ODD,
  SPF_ABORT_PMD,
  SPF_ABORT_PTE_MAP_LOCK_PTL,
  SPF_ABORT_PTE_MAP_LOCK_SEQ1,
  SPF_ABORT_PTE_MAP_LOCK_SEQ2,
  SPF_ABORT_PUD,
  SPF_ABORT_UNMAPPED,
  SPF_ABORT_VMA_COPY,
  SPF_ATTEMPT,
  SPF_HANDLED,
} from "../vm-events.ts";
import { VMA_WORDS, vmaIsAnonymous, vmaOfRb, vmEnd, vmMm, vmStart } from "../vma.ts";
import { MAX_DESCENT } from "../vma-tree.ts";
import { DONE_ABORTED, DONE_NOT_ATTEMPTED, FaultDesign } from "./design.ts";

/** Where the copy of the VMA lies on the kernel stack, above the task_struct. */
const VMA_COPY_OFFSET = 1024;
/** Most that the points of pteMapLock() cost. */
const MAP_LOCK_CYCLES: number = COST_PTE + COST_LOCK + 2 * COST_ACCESS + 2 * COST_IRQ_MASK;

/**
 * Accesses of an attempt, by what is accessed. Those of the lookup, ROOT to COPY, are made under RCU: it may miss a VMA
 * while a writer rotates the tree, may find one that a writer is freeing, and a writer may come between any two words of
 * the copy. Nothing is believed before VALIDATE. The walk allocates no table, as nobody would free it after free_pgtables().
 */
const GATE = 0;
export const BEGIN = 1;
const ROOT = 2;
const NODE_END = 3;
const NODE_START = 4;
const LEFT = 5;
const RIGHT = 6;
const COVERS = 7;
const KIND = 8;
const COPY = 9;
const VALIDATE = 10;
const WALK_BEGIN = 11;
const WALK_ENTRY = 12;
const WALK_END = 13;
/** The attempt is through: what commitAttempt() finds. */
const READY = 14;
const TABLE_ABSENT = 15;
const GATE_CLOSED = 16;
const GAVE_UP = 17;

/** What the point before an access costs. */
const STEP_COST: readonly number[] = Array.from({ length: READY }, (_, step) => {
  if (step === WALK_ENTRY) return COST_PTE;
  return step === WALK_BEGIN || step === WALK_END ? COST_IRQ_MASK : COST_ACCESS;
});

export class SpfMm extends FaultDesign {
  override readonly name: string = "spf-mm";
  override readonly summary: string = "Lespinasse v2: per-mm sequence count, VMA copy, RCU-freed VMAs";

  override readonly attempts: boolean = true;

  override startAttempt(f: FaultState): void {
    f.step = GATE;
  }

  /** Makes one access after another, each preceded by a point. @hot */
  override attempt(k: Context, f: FaultState): boolean {
    const { ram, cpu } = k;
    let { step } = f;
    do {
      switch (step) {
        case GATE:
          step = this.gate(k, f) ? BEGIN : GATE_CLOSED;
          if (step === BEGIN) memoryOf(k).events.count(cpu.id, SPF_ATTEMPT);
          break;
        case BEGIN:
          step = this.begin(k, f) ? ROOT : GAVE_UP;
          if (step === ROOT) this.rcuBegin(k);
          break;
        case ROOT:
          f.found = NULL;
          f.depth = 0;
          f.node = mmRb.get(ram, f.mm);
          step = f.node !== NULL ? NODE_END : COVERS;
          break;
        case NODE_END: {
          const vma = vmaOfRb(f.node);
          const above = vmEnd.get(ram, vma) > f.page;
          if (above) f.found = vma;
          step = above ? NODE_START : RIGHT;
          break;
        }
        case NODE_START:
          step = vmStart.get(ram, f.found) <= f.page ? COVERS : LEFT;
          break;
        case LEFT:
          f.node = rbLeft.get(ram, f.node);
          step = f.node !== NULL && ++f.depth < MAX_DESCENT ? NODE_END : COVERS;
          break;
        case RIGHT:
          f.node = rbRight.get(ram, f.node);
          step = f.node !== NULL && ++f.depth < MAX_DESCENT ? NODE_END : COVERS;
          break;
        case COVERS: {
          const covers = f.found !== NULL && vmStart.get(ram, f.found) <= f.page;
          step = covers ? KIND : this.#giveUpLookup(k, SPF_ABORT_UNMAPPED);
          break;
        }
        case KIND:
          if (vmaIsAnonymous(ram, f.found)) {
            this.copyBegin(k, f, f.found);
            step = this.#copyAtOnce(k, f) ? VALIDATE : COPY;
          } else {
            step = this.#giveUpLookup(k, SPF_ABORT_NO_SPECULATE);
          }
          break;
        case COPY: {
          const from = f.found + f.copied;
          ram.write64(f.vma + f.copied, ram.read32(from), ram.read32(from + 4));
          f.copied += 8;
          if (f.copied === VMA_WORDS * 8) {
            this.rcuEnd(k);
            step = VALIDATE;
          }
          break;
        }
        case VALIDATE:
          step = this.validateCopy(k, f) && this.access(k, f) ? WALK_BEGIN : GAVE_UP;
          if (step === WALK_BEGIN) f.flags |= FAULT_FLAG_SPECULATIVE;
          break;
        case WALK_BEGIN:
          f.walkState = this.walkBegin(k);
          f.table = mmPgd.get(ram, f.mm);
          f.level = memoryOf(k).format.levels;
          step = WALK_ENTRY;
          break;
        case WALK_ENTRY:
          if (!this.descend(k, f)) {
            this.walkEnd(k, f.walkState);
            step = WALK_END;
          }
          break;
        default:
          step = f.level === 1 ? READY : TABLE_ABSENT;
      }
    } while (step < READY && !cpu.point(STEP_COST[step]!));
    f.step = step;
    return step >= READY;
  }

  override commitAttempt(k: Context, f: FaultState): Work<number> {
    switch (f.step) {
      case READY:
        return handlePteFault(k, f);
      case TABLE_ABSENT:
        return this.#withoutTable(k, f);
      case GATE_CLOSED:
        return DONE_NOT_ATTEMPTED;
      default:
        return DONE_ABORTED;
    }
  }

  override endAttempt(k: Context, f: FaultState, result: number): number {
    f.flags &= ~FAULT_FLAG_SPECULATIVE;
    if (result >= 0 && (result & VM_FAULT_RETRY) === 0) {
      const { events } = memoryOf(k);
      events.count(k.cpu.id, SPF_HANDLED);
      events.count(k.cpu.id, PGFAULT);
    }
    return result;
  }

  *#withoutTable(k: Context, f: FaultState): Work<number> {
    return (yield* this.tableAbsent(k, f)) ? yield* handlePteFault(k, f) : VM_FAULT_RETRY;
  }

  /** Only faults of user mode, and only if another thread may hold mmap_lock. @hot */
  gate(k: Context, f: FaultState): boolean {
    return (f.flags & FAULT_FLAG_USER) !== 0 && mmUsers.get(k.ram, f.mm) !== 1;
  }

  /** mmap_seq_read_start(): an odd count means that a writer is inside. Preceded by a point. */
  begin(k: Context, f: FaultState): boolean {
    f.seq = seqRead(k, f.mm, mmMmapSeq);
    if ((f.seq & 1) === 0) return true;
    return this.abort(k, SPF_ABORT_ODD);
  }

  /** mmap_seq_read_check(). Preceded by a point. @hot */
  seqUnchanged(k: Context, f: FaultState): boolean {
    return !seqChanged(k, f.mm, mmMmapSeq, f.seq);
  }

  #giveUpLookup(k: Context, event: number): number {
    this.rcuEnd(k);
    this.abort(k, event);
    return GAVE_UP;
  }

  /** All words of the VMA, if no point between two of them gives way; false: word by word. @hot */
  #copyAtOnce(k: Context, f: FaultState): boolean {
    f.copied = 0;
    if (!k.cpu.pointsInRow(COST_ACCESS, VMA_WORDS)) return false;
    k.ram.copyWords(f.vma, f.found, VMA_WORDS);
    this.rcuEnd(k);
    return true;
  }

  /** pvma = *vma: where the copy goes, on the kernel stack. f.vma is what the fault works with from here. @hot */
  copyBegin(k: Context, f: FaultState, vma: KPtr): KPtr {
    const copy = kptrOf(k.task!.at + VMA_COPY_OFFSET);
    f.vma = copy;
    f.found = vma;
    return copy;
  }

  rcuBegin(k: Context): void {
    rcuReadLock(k);
  }

  rcuEnd(k: Context): void {
    rcuReadUnlock(k);
  }

  /** The copy is whole: no writer since begin(). Preceded by a point. */
  validateCopy(k: Context, f: FaultState): boolean {
    return this.seqUnchanged(k, f) || this.abort(k, SPF_ABORT_VMA_COPY);
  }

  /** The VMA permits the access, by the copy. */
  access(k: Context, f: FaultState): boolean {
    return !memoryOf(k).mmu.accessError(k, f) || this.abort(k, SPF_ABORT_ACCESS_ERROR);
  }

  /**
   * speculative_page_walk_begin(): from here to the end no table that was linked is freed. Preceded by a point.
   * @returns what walkEnd() is given
   */
  walkBegin(k: Context): boolean {
    return memoryOf(k).mmu.speculativeWalkBegin(k);
  }

  /** speculative_page_walk_end(). Followed by a point. */
  walkEnd(k: Context, begun: boolean): void {
    memoryOf(k).mmu.speculativeWalkEnd(k, begun);
  }

  /**
   * Reads the entry of f.level on the way down, once. Preceded by a point.
   * @returns false: the walk ends at f.level, at 1 with an entry and above it with a table that is not there
   */
  descend(k: Context, f: FaultState): boolean {
    const { format } = memoryOf(k);
    const slot = f.table + format.index(f.lo, f.hi, f.level) * 8;
    const lo = k.ram.read32(slot);
    const hi = k.ram.read32(slot + 4);
    if (f.level === 1) {
      f.origLo = lo;
      f.origHi = hi;
      f.pteSlot = format.isNone(lo, hi) ? NO_SLOT : slot;
      return false;
    }
    if (f.level === 2) {
      f.pmdSlot = slot;
      f.origPmdLo = lo;
      f.origPmdHi = hi;
    }
    if (!format.isTable(lo, hi)) return false;
    f.table = format.tableAddress(lo, hi);
    f.level--;
    return true;
  }

  /** The walk ended above the lowest level. */
  tableAbsent(k: Context, f: FaultState): Work<boolean> {
    if (f.level === 2) return this.tableMissing(k, f);
    this.abort(k, SPF_ABORT_PUD);
    return NO;
  }

  /** No table covers the page. None is made: a writer may be past the point where it would free it. */
  tableMissing(k: Context, _f: FaultState): Work<boolean> {
    this.abort(k, SPF_ABORT_PMD);
    return NO;
  }

  /** __pte_map_lock(): the tables are valid while SEQ1 holds and they are kept; the lock is valid after SEQ2. */
  override pteMapLock(k: Context, f: FaultState): Work<boolean> {
    if ((f.flags & FAULT_FLAG_SPECULATIVE) === 0) return super.pteMapLock(k, f);
    return k.cpu.isQuiet(MAP_LOCK_CYCLES) ? this.mapLockAtOnce(k, f) : this.mapLockByPoints(k, f);
  }

  *mapLockByPoints(k: Context, f: FaultState): Work<boolean> {
    if (k.point(COST_IRQ_MASK)) yield;
    const enabled = this.walkBegin(k);
    if (k.point(COST_ACCESS)) yield;
    if (!this.seq1(k, f)) return yield* this.giveUp(k, enabled, SPF_ABORT_PTE_MAP_LOCK_SEQ1);
    if (k.point(COST_PTE)) yield;
    this.mapTable(k, f);
    if (k.point(COST_LOCK)) yield;
    const locked = this.lockPte(k, f) || (yield* this.lockContended(k, f));
    if (!locked) return yield* this.giveUp(k, enabled, SPF_ABORT_PTE_MAP_LOCK_PTL);
    return yield* this.confirmLock(k, f, enabled);
  }

  /** The same where nothing can come in between. */
  mapLockAtOnce(k: Context, f: FaultState): Work<boolean> {
    const { cpu } = k;
    cpu.charge(COST_IRQ_MASK);
    const enabled = this.walkBegin(k);
    cpu.charge(COST_ACCESS);
    if (!this.seq1(k, f)) return this.giveUp(k, enabled, SPF_ABORT_PTE_MAP_LOCK_SEQ1);
    cpu.charge(COST_PTE);
    this.mapTable(k, f);
    cpu.charge(COST_LOCK);
    if (!this.lockPte(k, f)) return this.awaitLock(k, f, enabled);
    cpu.charge(COST_ACCESS);
    if (!this.seq2(k, f)) return this.giveLockUp(k, f, enabled);
    this.walkEnd(k, enabled);
    cpu.charge(COST_IRQ_MASK);
    return YES;
  }

  *awaitLock(k: Context, f: FaultState, enabled: boolean): Work<boolean> {
    const locked = yield* this.lockContended(k, f);
    if (!locked) return yield* this.giveUp(k, enabled, SPF_ABORT_PTE_MAP_LOCK_PTL);
    return yield* this.confirmLock(k, f, enabled);
  }

  /** From the lock to SEQ2, and out. */
  *confirmLock(k: Context, f: FaultState, enabled: boolean): Work<boolean> {
    if (k.point(COST_ACCESS)) yield;
    if (!this.seq2(k, f)) return yield* this.giveLockUp(k, f, enabled);
    this.walkEnd(k, enabled);
    if (k.point(COST_IRQ_MASK)) yield;
    return true;
  }

  *giveLockUp(k: Context, f: FaultState, enabled: boolean): Work<boolean> {
    if (k.point(COST_UNLOCK)) yield;
    spinUnlock(k, f.ptl, PTL);
    return yield* this.giveUp(k, enabled, SPF_ABORT_PTE_MAP_LOCK_SEQ2);
  }

  *giveUp(k: Context, enabled: boolean, event: number): Work<boolean> {
    this.walkEnd(k, enabled);
    if (k.point(COST_IRQ_MASK)) yield;
    return this.abort(k, event);
  }

  /** First check: the tables that the walk found are still linked. Preceded by a point. */
  seq1(k: Context, f: FaultState): boolean {
    return this.seqUnchanged(k, f);
  }

  /** The first attempt on the page-table lock. Preceded by a point. @hot */
  lockPte(k: Context, f: FaultState): boolean {
    return spinTrylock(k, f.ptl, PTL);
  }

  /** Trylock only: the holder may be waiting for our answer to its flush, and interrupts are off here. */
  lockContended(_k: Context, _f: FaultState): Work<boolean> {
    return NO;
  }

  /** Second check, under the lock: a writer that comes later must take the lock before it changes this table. */
  seq2(k: Context, f: FaultState): boolean {
    return this.seqUnchanged(k, f);
  }

  override *cowBegin(k: Context, f: FaultState): Work<boolean> {
    if ((f.flags & FAULT_FLAG_SPECULATIVE) === 0) return true;
    if (k.point(COST_ATOMIC)) yield;
    return mmuNotifierTrylock(k, f.mm);
  }

  override *cowEnd(k: Context, f: FaultState): Work {
    if ((f.flags & FAULT_FLAG_SPECULATIVE) !== 0) yield* mmuNotifierUnlock(k, f.mm);
  }

  /** mmap_seq becomes odd before the writer changes anything: a load and a store, not one atomic step. */
  override *afterWriteLock(k: Context, mm: KPtr): Work {
    if (k.point(COST_ACCESS)) yield;
    seqWriteBegin(k, mm, mmMmapSeq);
    if (k.point(COST_ACCESS)) yield;
  }

  /** mmap_seq becomes even while the lock is still held. */
  override *beforeWriteUnlock(k: Context, mm: KPtr): Work {
    if (k.point(COST_ACCESS)) yield;
    seqWriteEnd(k, mm, mmMmapSeq);
    if (k.point(COST_ACCESS)) yield;
  }

  /** Readers may still copy the VMA; with a single user there are none. */
  override freeVma(k: Context, vma: KPtr): void {
    const m = memoryOf(k);
    if (mmUsers.get(k.ram, vmMm.get(k.ram, vma)) > 1) {
      this.overlayRcuHead(k, vma);
      callRcu(k, m.vmaFreeKind, vma);
    } else {
      m.vmaCache.free(k, vma);
    }
  }

  /** vm_rcu lies over vm_start and vm_end: the callback's list link and function. */
  overlayRcuHead(k: Context, vma: KPtr): void {
    k.ram.write64(vma, 0, 0);
    k.ram.write64(vma + 8, RCU_FUNCTION_LO, RCU_FUNCTION_HI);
  }

  /** Counts why an attempt failed; false. */
  abort(k: Context, event: number): false {
    memoryOf(k).events.count(k.cpu.id, event);
    return false;
  }
}

/** Looks like the address of a kernel function, as the callback's pointer would. */
const RCU_FUNCTION_LO: number = 0x8100_0000 | 0;
const RCU_FUNCTION_HI: number = 0xffff_ffff | 0;
