/**
 * The may-sets as a part of the oracle: which translations every TLB and walk cache could hold, whatever this run's did.
 *
 *     I2, I3  a table or frame is freed while a core could still be led to it (found by the may-sets themselves)
 *     I4      a call returns while a core could still use a right or frame that it took away
 *     I7      so does a fault that changed a mapping
 *
 *      and so is an entry set while a core could still use another frame at that address, unless a call that discards
 *      the page is in progress
 *
 * What a call took away is what its own stores to page-table entries took, page by page, and for calls that empty or
 * protect a range what was stale in it when the call had the page's table locked: another call's pending flush is no
 * excuse for it. What becomes stale later is another call's. On lazy cores and under tags that are not loaded a translation is condemned
 * instead, and reported when the core comes back to it without a flush.
 */
import {
  type Context,
  findPteSlot,
  type KernelObserver,
  type KPtr,
  mmPgd,
  NO_SLOT,
  pagePtl,
  type Syscall,
} from "../../kernel/index.ts";
import { formatMayViolation, type LedgerEvent, type MaySets, type MayTranslation } from "../../mmu/index.ts";
import type { OraclePart, OracleWorld } from "./part.ts";
import type { Invariant, Site } from "./violation.ts";

/** Arguments of the calls (include/uapi/linux/mman.h, asm-generic/mman-common.h). */
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_FIXED = 0x10;
const MREMAP_DONTUNMAP = 4;
const MADV_DONTNEED = 4;
const PAGE_BYTES = 4096;
const PAGES_PER_HIGH_HALF = 0x10_0000;

/** What is left in a range: rights (PROT_*), or nothing. */
type Left = number | "nothing";

interface Store {
  /** Of the may-sets: when the old value went. */
  readonly sequence: number;
  /** The entry as the call leaves it. */
  lo: number;
  hi: number;
}

/** A system call or fault in progress. */
class Activity {
  readonly mm: KPtr;
  readonly name: string;
  /** Traps of the context when it began; 0: a system call. */
  readonly depth: number;
  readonly begunAt: number;
  /** Pages from which it took something. */
  readonly stores: Map<number, Store> = new Map();
  /** When it last locked which table, by the address of the lock. */
  readonly locked: Map<number, number> = new Map();

  constructor(mm: KPtr, name: string, depth: number, begunAt: number) {
    this.mm = mm;
    this.name = name;
    this.depth = depth;
    this.begunAt = begunAt;
  }
}

export class Translations implements OraclePart {
  readonly name: string = "translations";
  readonly events: Partial<KernelObserver>;
  readonly #world: OracleWorld;
  readonly #maySets: MaySets;
  /** By task: activities in progress, outermost first. */
  readonly #activities: Map<number, Activity[]> = new Map();
  /** Violations of the may-sets that were reported, or were there before. */
  #seen = 0;

  /** The machine must keep may-sets (MachineOptions.maySets). */
  constructor(world: OracleWorld) {
    this.#world = world;
    const maySets = world.kernel.platform.ledger?.maySets ?? null;
    if (maySets === null) throw new Error("oracle: the machine keeps no may-sets");
    this.#maySets = maySets;
    this.events = {
      syscallEnter: (k, name) => this.#begin(k, name, 0),
      syscallExit: (k, name, call, result) => this.#syscallExit(k, name, call, result),
      faultBegin: (k) => this.#begin(k, "fault", k.traps.length),
      trapEnd: (k) => this.#trapEnd(k),
      pteSet: (k, mm, page, _slot, oldLo, oldHi, lo, hi) => this.#store(k, mm, page, oldLo, oldHi, lo, hi),
      lockAcquired: (k, at, { name }) => this.#lock(k, at, name),
      lockGranted: (k, at, { name }) => this.#lock(k, at, name),
      frameFreed: () => this.#look(),
      tableFreed: () => this.#look(),
      contextSwitch: () => this.#look(),
    };
  }

  mark(): void {
    this.start();
  }

  start(): void {
    this.#activities.clear();
    this.#seen = this.#maySets.total;
  }

  atEnd(): void {
    this.#look();
  }

  #begin(k: Context, name: string, depth: number): void {
    const { task } = k;
    if (task === null) return;
    let open = this.#activities.get(task.pid);
    if (open === undefined) {
      open = [];
      this.#activities.set(task.pid, open);
    }
    if (depth === 0) open.length = 0;
    open.push(new Activity(task.mm, name, depth, this.#maySets.sequence));
  }

  #lock(k: Context, at: KPtr, name: string): void {
    if (name !== "ptlock") return;
    const open = k.task === null ? undefined : this.#activities.get(k.task.pid);
    if (open === undefined) return;
    for (const { locked } of open) locked.set(at, this.#maySets.sequence);
  }

  /** Before the store. */
  #store(k: Context, mm: KPtr, page: number, oldLo: number, oldHi: number, lo: number, hi: number): void {
    const { format } = this.#world.memory;
    if (format.isPresent(lo, hi) && !format.isPresent(oldLo, oldHi)) {
      this.#installed(mm, page, format.frame(lo, hi));
    }
    const open = k.task === null ? undefined : this.#activities.get(k.task.pid);
    if (open === undefined) return;
    const takes = this.#takes(oldLo, oldHi, lo, hi);
    for (const { mm: own, stores } of open) {
      if (own !== mm) continue;
      const known = stores.get(page);
      if (takes) stores.set(page, { sequence: this.#maySets.sequence + 1, lo, hi });
      else if (known !== undefined) {
        known.lo = lo;
        known.hi = hi;
      }
    }
  }

  /** An entry that was empty is about to lead to a frame: no core may use another one at its address. */
  #installed(mm: KPtr, page: number, frame: number): void {
    for (const open of this.#activities.values()) {
      if (open.some(({ name, mm: own, stores }) => name === "madvise" && own === mm && stores.has(page)))
        return;
    }
    this.#maySets.callReturned({
      root: this.#rootOf(mm),
      start: page,
      end: page + 1,
      kind: "fault-return",
      staleBefore: () => Number.POSITIVE_INFINITY,
      allows: (translation) => translation.frame === frame,
      text: "the address gets another frame",
    });
    this.#look();
  }

  /** The new value lacks a right or the frame of the old one. */
  #takes(oldLo: number, oldHi: number, lo: number, hi: number): boolean {
    const { format } = this.#world.memory;
    if (!format.isPresent(oldLo, oldHi) || format.isProtNone(oldLo, oldHi)) return false;
    if (!format.isPresent(lo, hi) || format.isProtNone(lo, hi)) return true;
    if (format.frame(lo, hi) !== format.frame(oldLo, oldHi)) return true;
    if (format.isWritable(oldLo, oldHi) && !format.isWritable(lo, hi)) return true;
    return format.isExecutable(oldLo, oldHi) && !format.isExecutable(lo, hi);
  }

  #syscallExit(k: Context, name: string, call: Syscall, result: number): void {
    const open = k.task === null ? undefined : this.#activities.get(k.task.pid);
    const activity = open?.[0];
    if (activity === undefined || activity.depth !== 0) return;
    open!.length = 0;
    const range = result < 0 ? null : emptied(name, call, result);
    if (range !== null || activity.stores.size > 0) this.#judge(activity, range, "call-return");
    this.#look();
  }

  #trapEnd(k: Context): void {
    const open = k.task === null ? undefined : this.#activities.get(k.task.pid);
    const activity = open?.at(-1);
    if (activity !== undefined && activity.depth === k.traps.length + 1) {
      open!.pop();
      if (activity.stores.size > 0) this.#judge(activity, null, "fault-return");
    }
    this.#look();
  }

  #judge(activity: Activity, range: Emptied | null, kind: "call-return" | "fault-return"): void {
    const { stores, name } = activity;
    let start = range?.start ?? Number.POSITIVE_INFINITY;
    let end = range?.end ?? 0;
    for (const page of stores.keys()) {
      start = Math.min(start, page);
      end = Math.max(end, page + 1);
    }
    const isInRange = (page: number): boolean => range !== null && page >= range.start && page < range.end;
    this.#maySets.callReturned({
      root: this.#rootOf(activity.mm),
      start,
      end,
      kind,
      staleBefore: (page) => {
        const store = stores.get(page);
        if (store !== undefined) return store.sequence;
        return isInRange(page) ? this.#lockedAt(activity, page) : -1;
      },
      allows: (translation, page) => {
        const store = stores.get(page);
        if (store !== undefined) return this.#isWithin(translation, store);
        return range !== null && isWithinRights(translation, range.left);
      },
      text: `${name} returns`,
    });
  }

  /** When an activity last had the table of a page locked, or began. */
  #lockedAt({ mm, locked, begunAt }: Activity, page: number): number {
    const { memory } = this.#world;
    const slot = findPteSlot(memory, mm, page);
    if (slot === NO_SLOT) return begunAt;
    const lock = pagePtl.at(memory.frames.map.page(Math.floor(slot / PAGE_BYTES)));
    return locked.get(lock) ?? begunAt;
  }

  #rootOf(mm: KPtr): number {
    return Math.floor(mmPgd.get(this.#world.kernel.ram, mm) / PAGE_BYTES);
  }

  /** A translation gives nothing that the entry does not give. */
  #isWithin({ frame, rights }: MayTranslation, { lo, hi }: Store): boolean {
    const { format } = this.#world.memory;
    if (!format.isPresent(lo, hi) || format.isProtNone(lo, hi) || format.frame(lo, hi) !== frame)
      return false;
    if (rights.write && !format.isWritable(lo, hi)) return false;
    return !rights.execute || format.isExecutable(lo, hi);
  }

  /** Reports what the may-sets found since. */
  #look(): void {
    const { total, violations } = this.#maySets;
    if (total === this.#seen) return;
    const violation = violations[this.#seen];
    this.#seen = total;
    if (violation === undefined) return;
    const { rule, invariant, earlier, later, frame } = violation;
    if (invariant === "emulator") throw new Error(formatMayViolation(violation));
    this.#world.report({
      invariant: invariant satisfies Invariant,
      text: `${rule}, frame 0x${frame.toString(16)}: ${earlier.text}; then ${later.text}`,
      earlier: siteOfEvent(earlier, rule),
      later: siteOfEvent(later, rule),
    });
  }
}

/** Pages that a call empties or protects. */
interface Emptied {
  readonly start: number;
  readonly end: number;
  readonly left: Left;
}

/** What a successful call did to a range of its arguments, or null. */
function emptied(name: string, call: Syscall, result: number): Emptied | null {
  const start = (call.lo(0) >>> 12) + (call.hi(0) >>> 0) * PAGES_PER_HIGH_HALF;
  const pages = Math.ceil(call.size(1) / PAGE_BYTES);
  switch (name) {
    case "munmap":
      return { start, end: start + pages, left: "nothing" };
    case "mprotect":
    case "pkey_mprotect":
      return { start, end: start + pages, left: call.lo(2) };
    case "madvise":
      return call.lo(2) === MADV_DONTNEED ? { start, end: start + pages, left: "nothing" } : null;
    case "mmap":
      return (call.lo(3) & MAP_FIXED) !== 0 ? { start, end: start + pages, left: "nothing" } : null;
    case "mremap": {
      const kept = result === start * PAGE_BYTES ? Math.ceil(call.size(2) / PAGE_BYTES) : 0;
      if (kept >= pages || (call.lo(3) & MREMAP_DONTUNMAP) !== 0) return null;
      return { start: start + kept, end: start + pages, left: "nothing" };
    }
    default:
      return null;
  }
}

function isWithinRights({ rights }: MayTranslation, left: Left): boolean {
  if (left === "nothing" || left === 0) return false;
  if (rights.write && (left & PROT_WRITE) === 0) return false;
  return !rights.execute || (left & PROT_EXEC) !== 0;
}

function siteOfEvent({ core, timeCycles, kind, address, text }: LedgerEvent, rule: string): Site {
  const va = address === "" ? null : `0x${address}`;
  return { core, time: timeCycles, what: `${rule}: ${kind}`, pid: 0, va, locks: text };
}
