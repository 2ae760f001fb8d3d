/**
 * I1, I9 and I13 while a machine runs and when it rests.
 *
 * An entry that is installed must be what its mapping says at that moment, unless a writer is inside: then the writer has
 * a page-table-lock section on the slot still to come, and the entry is looked at again when the writer's section ends
 * (for an unmapping that went on under the read lock: when that ends). The range of the call that ends is looked at as
 * well, whoever installed what is there. When every task is in user mode, or the machine is off, all address spaces are
 * looked at and the books must balance.
 */
import {
  anonVmaIsLocked,
  type Context,
  findPteSlot,
  type KernelObserver,
  type KPtr,
  kptrOf,
  NO_SLOT,
  PG_SLAB,
  pageFlags,
  pageMapcount,
  pageRefcount,
  type Syscall,
} from "../../kernel/index.ts";
import { type AccessSink, ObservedMemory } from "../../mmu/index.ts";
import { AddressSpaceCheck, type Broken } from "./address-space.ts";
import { Inventory, imbalance, isSettled } from "./conservation.ts";
import type { EndState, OraclePart, OracleWorld } from "./part.ts";
import { NO_SITE, SiteLog, type SiteNote } from "./site-log.ts";
import { Slots } from "./slots.ts";
import { siteOf, vaOfPage } from "./violation.ts";

/** Pages of a call's range that are looked at when it ends. */
const MAX_RANGE = 512;
/** Entries installed under one writer that are looked at again; more are covered by its range. */
const MAX_PENDING = 256;

/** Calls whose range is looked at: position of address and length among the arguments. */
const RANGED: ReadonlySet<string> = new Set(["munmap", "mprotect", "pkey_mprotect", "mremap", "mmap"]);

class MmState {
  /** A write section is open. */
  writing = false;
  /** Pids of writers that went on under the read lock. */
  readonly downgraded: number[] = [];
  /** End of the last write section of a call, and the pages that the call was for. */
  section: SiteNote = NO_SITE;
  sectionStart = 0;
  sectionEnd = 0;
  pending = 0;
  readonly pages: Float64Array = new Float64Array(MAX_PENDING);
  readonly notes: Float64Array = new Float64Array(MAX_PENDING);

  clear(): void {
    this.writing = false;
    this.downgraded.length = 0;
    this.section = NO_SITE;
    this.pending = 0;
  }
}

interface Range {
  start: number;
  end: number;
}

export class Structure implements OraclePart {
  readonly name: string = "structure";
  readonly events: Partial<KernelObserver> = this.#events();
  readonly #world: OracleWorld;
  readonly #states: Map<KPtr, MmState> = new Map();
  /** Range of the call that a task is in, by pid. */
  readonly #ranges: Map<number, Range> = new Map();
  readonly #log: SiteLog = new SiteLog();
  readonly #mms: Set<KPtr> = new Set();
  /** Frames handed out, or taken out of an address space, since the start: once each. */
  readonly #touched: number[] = [];
  readonly #isTouched: Uint8Array;
  readonly #kernelFrames: Uint8Array;
  readonly #inventory: Inventory;
  readonly #slots: Slots;
  readonly #check: AddressSpaceCheck;
  #waitingVmas = 0;
  readonly #waitingBatches: Set<KPtr> = new Set();
  #marked: { mms: KPtr[]; waitingVmas: number; waitingBatches: KPtr[] } | null = null;
  #reported = false;

  constructor(world: OracleWorld) {
    const { frames } = world.kernel.ram;
    this.#world = world;
    this.#isTouched = new Uint8Array(frames);
    this.#kernelFrames = new Uint8Array(frames);
    this.#inventory = new Inventory(frames);
    this.#slots = new Slots(world.memory.ram);
    this.#check = new AddressSpaceCheck(world.memory, this.#slots);
  }

  mark(): void {
    for (const frame of this.#touched) this.#noteKernelFrame(frame);
    this.#slots.mark();
    this.#marked = {
      mms: [...this.#mms],
      waitingVmas: this.#waitingVmas,
      waitingBatches: [...this.#waitingBatches],
    };
    this.#forgetRun();
  }

  start(): void {
    const marked = this.#marked!;
    this.#mms.clear();
    for (const mm of marked.mms) this.#mms.add(mm);
    this.#waitingVmas = marked.waitingVmas;
    this.#waitingBatches.clear();
    for (const batch of marked.waitingBatches) this.#waitingBatches.add(batch);
    this.#forgetRun();
  }

  /** Looks at everything, if nothing is in progress. */
  atEnd(state: EndState): void {
    const { kernel } = this.#world;
    const k = kernel.running;
    if (state === "stopped" || !isSettled(kernel, state === "off" ? k.task : null)) return;
    const sink = this.#quiet();
    const census = {
      mms: this.#mms,
      touched: this.#marked === null ? [] : this.#touched,
      waitingVmas: this.#waitingVmas,
      waitingBatches: this.#waitingBatches,
      kernelFrames: this.#kernelFrames,
    };
    const broken = imbalance(kernel, census, this.#check, this.#slots, this.#inventory);
    this.#loud(sink);
    if (broken !== null) this.#report(k, broken, "end of the run", NO_SITE);
  }

  #events(): Partial<KernelObserver> {
    return {
      syscallEnter: (k, name, call) => this.#enter(k, name, call),
      mmWriteLocked: (_k, mm) => {
        this.#stateOf(mm).writing = true;
      },
      mmWriteUnlock: (k, mm) => {
        this.#endSection(k, mm, this.#stateOf(mm));
        this.#stateOf(mm).writing = false;
      },
      mmWriteDowngrade: (k, mm) => {
        const state = this.#stateOf(mm);
        state.writing = false;
        state.downgraded.push(k.task!.pid);
      },
      mmReadUnlock: (k, mm) => this.#readUnlock(k, mm),
      pteSet: (k, mm, page, _slot, oldLo, oldHi, lo, hi) => this.#pteSet(k, mm, page, oldLo, oldHi, lo, hi),
      frameAllocated: (_k, frame) => this.#touch(frame),
      objectAllocated: (_k, cache, at) => {
        if (cache === "mm_struct") this.#mms.add(at);
      },
      objectFreed: (_k, cache, at) => {
        if (cache !== "mm_struct") return;
        this.#mms.delete(at);
        this.#states.get(at)?.clear();
      },
      rcuQueued: (_k, name, arg) => {
        if (name === "vm_area_free") this.#waitingVmas++;
        else if (name === "tlb_remove_table_rcu") this.#waitingBatches.add(arg);
      },
      rcuCallback: (_k, name, arg) => {
        if (name === "vm_area_free") this.#waitingVmas--;
        else if (name === "tlb_remove_table_rcu") this.#waitingBatches.delete(arg);
      },
    };
  }

  #enter(k: Context, name: string, call: Syscall): void {
    const pid = k.task!.pid;
    let range = this.#ranges.get(pid);
    if (range === undefined) {
      range = { start: 0, end: 0 };
      this.#ranges.set(pid, range);
    }
    const start = RANGED.has(name) ? (call.lo(0) >>> 12) + (call.hi(0) >>> 0) * 0x10_0000 : 0;
    const bytes = RANGED.has(name) ? call.size(1) : 0;
    range.start = start;
    range.end = start + Math.min(Math.ceil(bytes / 4096), MAX_RANGE);
  }

  #pteSet(k: Context, mm: KPtr, page: number, oldLo: number, oldHi: number, lo: number, hi: number): void {
    const { format } = this.#world.memory;
    if (!format.isNone(oldLo, oldHi)) this.#touch(format.frame(oldLo, oldHi));
    if (!format.isPresent(lo, hi)) return;
    const state = this.#stateOf(mm);
    if (state.writing) {
      this.#defer(k, state, page);
      return;
    }
    const broken = this.#entry(k, mm, page, lo, hi);
    if (broken === null) return;
    if (state.downgraded.length > 0) this.#defer(k, state, page);
    else this.#report(k, broken, "entry installed", withdrawal(state, page));
  }

  #touch(frame: number): void {
    if (this.#isTouched[frame] !== 0) return;
    this.#isTouched[frame] = 1;
    this.#touched.push(frame);
  }

  #defer(k: Context, state: MmState, page: number): void {
    for (let index = 0; index < state.pending; index++) if (state.pages[index] === page) return;
    if (state.pending === MAX_PENDING) return;
    state.pages[state.pending] = page;
    state.notes[state.pending++] = this.#log.note(k, "entry installed", page);
  }

  #readUnlock(k: Context, mm: KPtr): void {
    const state = this.#stateOf(mm);
    const at = state.downgraded.indexOf(k.task!.pid);
    if (at < 0) return;
    state.downgraded.splice(at, 1);
    if (state.downgraded.length === 0) this.#endSection(k, mm, state);
  }

  /** The last writer is done: what was installed meanwhile, and what its range holds, must be in order. */
  #endSection(k: Context, mm: KPtr, state: MmState): void {
    for (let index = 0; index < state.pending; index++) {
      this.#look(k, mm, state.pages[index]!, state.notes[index]!);
    }
    state.pending = 0;
    const range = mm === k.task!.mm ? this.#ranges.get(k.task!.pid) : undefined;
    if (range === undefined) return;
    state.section = this.#log.note(k, "end of the writer's section", -1);
    state.sectionStart = range.start;
    state.sectionEnd = range.end;
    for (let page = range.start; page < range.end; page++) this.#look(k, mm, page, NO_SITE);
    range.end = range.start;
  }

  #look(k: Context, mm: KPtr, page: number, installed: SiteNote): void {
    const { memory } = this.#world;
    const sink = this.#quiet();
    const slot = findPteSlot(memory, mm, page);
    this.#loud(sink);
    if (slot === NO_SLOT) return;
    const { i32 } = memory.ram;
    const lo = i32[slot >>> 2]!;
    const hi = i32[(slot >>> 2) + 1]!;
    if (!memory.format.isPresent(lo, hi)) return;
    const broken = this.#entry(k, mm, page, lo, hi);
    if (broken !== null) this.#report(k, broken, "end of the writer's section", installed);
  }

  /** What is wrong with an entry; a reverse map that somebody changes just now is not looked at. */
  #entry(k: Context, mm: KPtr, page: number, lo: number, hi: number): Broken | null {
    const sink = this.#quiet();
    let broken = this.#check.entry(mm, page, lo, hi);
    if (broken?.invariant === "I9" && broken.anonVma !== undefined) {
      if (anonVmaIsLocked(k, kptrOf(broken.anonVma))) broken = null;
    }
    this.#loud(sink);
    return broken;
  }

  /** What the kernel holds for itself at the start state, it keeps. */
  #noteKernelFrame(frame: number): void {
    const { ram, frames } = this.#world.memory;
    const page = frames.map.page(frame);
    const isOwn =
      pageRefcount.get(ram, page) > 0 &&
      pageMapcount.get(ram, page) === -1 &&
      (pageFlags.get(ram, page) & PG_SLAB) === 0;
    if (isOwn) this.#kernelFrames[frame] = 1;
  }

  #stateOf(mm: KPtr): MmState {
    let state = this.#states.get(mm);
    if (state === undefined) {
      state = new MmState();
      this.#states.set(mm, state);
    }
    return state;
  }

  #forgetRun(): void {
    for (const state of this.#states.values()) state.clear();
    for (const range of this.#ranges.values()) range.end = range.start;
    for (let index = 0; index < this.#touched.length; index++) this.#isTouched[this.#touched[index]!] = 0;
    this.#touched.length = 0;
    this.#log.clear();
    this.#reported = false;
  }

  /** What the oracle reads is no access of the kernel's. */
  #quiet(): AccessSink | null {
    const { ram } = this.#world.memory;
    if (!(ram instanceof ObservedMemory)) return null;
    const { sink } = ram;
    ram.sink = null;
    return sink;
  }

  #loud(sink: AccessSink | null): void {
    const { ram } = this.#world.memory;
    if (sink !== null && ram instanceof ObservedMemory) ram.sink = sink;
  }

  #report(k: Context, broken: Broken, what: string, earlier: SiteNote): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#world.report({
      invariant: broken.invariant,
      text: broken.text,
      earlier: this.#log.site(earlier),
      later: siteOf(k, what, broken.page < 0 ? null : vaOfPage(broken.page)),
    });
  }
}

/** Who took away what an entry now grants: the last writer, if its call was for the page. */
function withdrawal({ section, sectionStart, sectionEnd }: MmState, page: number): SiteNote {
  return page >= sectionStart && page < sectionEnd ? section : NO_SITE;
}
