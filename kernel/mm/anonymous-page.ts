/**
 * do_anonymous_page(): the zero page for a read, a fresh page for a write, where the entry is empty (mm/memory.c, 5.17
 * with the changes of Lespinasse's v2 series).
 *
 * A step machine instead of a generator, because it is what most faults are: it goes on, access by access, each preceded
 * by a point, and stops where a point gives way or something must be waited for. measured: page faults +10 %, Node 20.20.
 *
 * Locks: mmap_lock for read, or none with FAULT_FLAG_SPECULATIVE (see fault.ts).
 */
import { type Context, type Work, YES } from "../context.ts";
import { COST_ATOMIC, COST_PTE, COST_STEP, COST_UNLOCK } from "../costs.ts";
import { spinUnlock } from "../locking/spinlock.ts";
import { type KPtr, NULL } from "../struct.ts";
import { anonVmaPrepare } from "./anon-vma.ts";
import {
  FAULT_FLAG_SPECULATIVE,
  FAULT_FLAG_WRITE,
  type FaultState,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_FAULT_SIGBUS,
} from "./fault-state.ts";
import { GFP_HIGHUSER, GFP_ZERO } from "./gfp.ts";
import { PTL } from "./locks.ts";
import { type Memory, memoryOf } from "./memory.ts";
import { MMF_UNSTABLE, mmFlags, mmRssAnon } from "./mm-struct.ts";
import { installTable, setPteAt } from "./page-table.ts";
import { pageAddNewAnonRmap } from "./rmap.ts";
import { SPF_ATTEMPT_ANON } from "./vm-events.ts";
import { VM_WRITE, vmAnonVma, vmFlags, vmPageProtHi, vmPageProtLo } from "./vma.ts";

const BEGIN = 0;
const LOCK = 1;
const CHECK = 2;
const MAP_ZERO = 3;
const ACCOUNT = 4;
const MAP = 5;
const UNLOCK = 6;
const DONE = 7;
/** Something is waited for. */
const TABLE = 8;
const ANON_VMA = 9;
const PAGE = 10;
const TABLE_LOCK = 11;

/** What the point before a step costs. */
const STEP_COST: readonly number[] = [0, COST_STEP, COST_PTE, COST_PTE, COST_ATOMIC, COST_PTE, COST_UNLOCK];

const GAVE_WAY: IteratorYieldResult<void> = { done: false, value: undefined };

/** One anonymous fault of a task at a time, as work that can be waited for any number of times. */
export class AnonymousPage {
  readonly #f: FaultState;
  #k!: Context;
  #m!: Memory;
  #step = DONE;
  /** The page that is to be mapped; NULL: the zero page. */
  #page: KPtr = NULL;
  #result = 0;
  #pending: Work<unknown> | null = null;
  #awaited: unknown = null;
  readonly #returned: { done: true; value: number } = { done: true, value: 0 };

  constructor(f: FaultState) {
    this.#f = f;
  }

  /** @returns VM_FAULT_* when waited for @hot */
  start(k: Context): Work<number> {
    this.#k = k;
    this.#m = memoryOf(k);
    this.#step = BEGIN;
    // A run may have been given up and its start restored while something was waited for.
    this.#pending = null;
    return this as unknown as Work<number>;
  }

  [Symbol.iterator](): this {
    return this;
  }

  /** @hot */
  next(): IteratorResult<void, number> {
    for (;;) {
      if (this.#pending !== null) {
        const { done, value } = this.#pending.next();
        if (done !== true) return GAVE_WAY;
        this.#pending = null;
        this.#awaited = value;
      }
      this.#step = this.doAnonymousPage();
      if (this.#step < DONE) return GAVE_WAY;
      if (this.#step === DONE) {
        this.#returned.value = this.#result;
        return this.#returned;
      }
    }
  }

  /** Goes on with the step that is due. @returns the step that it stops before @hot */
  doAnonymousPage(): number {
    const f = this.#f;
    const k = this.#k;
    const m = this.#m;
    const { ram, cpu } = k;
    const { format } = m;
    let step = this.#step;
    do {
      switch (step) {
        case BEGIN:
          this.#page = NULL;
          this.#result = 0;
          if ((f.flags & FAULT_FLAG_SPECULATIVE) !== 0) {
            m.events.count(cpu.id, SPF_ATTEMPT_ANON);
          } else if (format.isNone(ram.read32(f.pmdSlot), ram.read32(f.pmdSlot + 4))) {
            this.#pending = installTable(k, f.mm, f.pmdSlot);
            step = TABLE;
            break;
          }
          step = this.#prepare();
          break;
        case TABLE:
          step = this.#awaited === true ? this.#prepare() : this.#end(VM_FAULT_OOM);
          break;
        case ANON_VMA:
          step = this.#endAnonVma();
          break;
        case PAGE:
          this.#page = this.#awaited as KPtr;
          step = this.#page !== NULL ? LOCK : this.#end(VM_FAULT_OOM);
          break;
        case LOCK:
          step = this.#lock();
          break;
        case TABLE_LOCK:
          step = this.#awaited === true ? CHECK : this.#giveUp();
          break;
        case CHECK:
          step = this.#check();
          break;
        case MAP_ZERO:
          format.make(m.zeroFrame, vmPageProtLo.get(ram, f.vma), vmPageProtHi.get(ram, f.vma));
          format.mkSpecial();
          setPteAt(k, f.mm, f.page, f.pteSlot, format.lo, format.hi);
          step = UNLOCK;
          break;
        case ACCOUNT:
          mmRssAnon.add(ram, f.mm, 1);
          pageAddNewAnonRmap(ram, this.#page, f.vma, f.page);
          step = MAP;
          break;
        case MAP:
          format.make(
            m.frames.map.pfn(this.#page),
            vmPageProtLo.get(ram, f.vma),
            vmPageProtHi.get(ram, f.vma),
          );
          if ((vmFlags.get(ram, f.vma) & VM_WRITE) !== 0) {
            format.mkDirty();
            format.mkWrite();
          }
          this.#page = NULL;
          setPteAt(k, f.mm, f.page, f.pteSlot, format.lo, format.hi);
          step = UNLOCK;
          break;
        default:
          spinUnlock(k, f.ptl, PTL);
          if (this.#page !== NULL) m.putPage(k, this.#page);
          step = DONE;
      }
    } while (step < DONE && !cpu.point(STEP_COST[step]!));
    return step;
  }

  /** What a write needs before it can take the table's lock; a read needs nothing. */
  #prepare(): number {
    const f = this.#f;
    if ((f.flags & FAULT_FLAG_WRITE) === 0) return this.#lock();
    if (vmAnonVma.get(this.#k.ram, f.vma) !== NULL) return this.#allocate();
    const speculative = (f.flags & FAULT_FLAG_SPECULATIVE) !== 0;
    this.#pending = speculative ? this.#m.design.anonVmaMissing(this.#k, f) : anonVmaPrepare(this.#k, f.vma);
    return ANON_VMA;
  }

  #endAnonVma(): number {
    const speculative = (this.#f.flags & FAULT_FLAG_SPECULATIVE) !== 0;
    if (this.#awaited === (speculative ? true : 0)) return this.#allocate();
    return this.#end(speculative ? VM_FAULT_RETRY : VM_FAULT_OOM);
  }

  #allocate(): number {
    const { frames } = this.#m;
    this.#page = frames.tryAllocateZeroed(this.#k);
    if (this.#page !== NULL) return LOCK;
    this.#pending = frames.allocate(this.#k, GFP_HIGHUSER | GFP_ZERO);
    return PAGE;
  }

  #lock(): number {
    const locked = this.#m.design.pteMapLock(this.#k, this.#f);
    if (locked === YES) return CHECK;
    this.#pending = locked;
    return TABLE_LOCK;
  }

  /** The design's step failed: nothing is held. */
  #giveUp(): number {
    if (this.#page !== NULL) this.#m.design.dropPage(this.#k, this.#page);
    return this.#end(VM_FAULT_RETRY);
  }

  /** Under the table's lock: is the entry still empty, and the address space not dying? */
  #check(): number {
    const f = this.#f;
    const m = this.#m;
    if (!m.design.entryIsNone(this.#k, f)) {
      m.mmu.updateMmuTlb(this.#k, f.page);
      return UNLOCK;
    }
    // check_stable_address_space(): its contents may be gone already.
    if ((mmFlags.get(this.#k.ram, f.mm) & MMF_UNSTABLE) !== 0) {
      this.#result = VM_FAULT_SIGBUS;
      return UNLOCK;
    }
    return this.#page === NULL ? MAP_ZERO : ACCOUNT;
  }

  #end(result: number): number {
    this.#result = result;
    return DONE;
  }
}
