/**
 * The incarnations of every page that changed since the start state, and what accesses say of them. Chains are made when a
 * page is first changed or used, and are kept for the next run.
 */
import type { Context, KPtr, Memory } from "../../../kernel/index.ts";
import { findPteSlot, NO_SLOT, NULL, pageAllocation } from "../../../kernel/index.ts";
import { NO_SITE, type SiteLog, type SiteNote } from "../site-log.ts";
import type { Invariant } from "../violation.ts";
import { BY_DISCARD, BY_FAULT, laneOf, PageChain, type Replacer } from "./page-chain.ts";
import { EXEC, READ, type Right, WRITE } from "./vma-model.ts";

/** What is wrong, or null. */
export interface PageFinding {
  readonly invariant: Invariant;
  readonly text: string;
  readonly earlier: SiteNote;
}

const NOTHING = -1;

export class PageHistory {
  readonly #memory: Memory;
  readonly #log: SiteLog;
  readonly #cores: number;
  readonly #chains: Map<KPtr, Map<number, PageChain>> = new Map();
  readonly #free: PageChain[] = [];
  /** Of address spaces that are gone; calls that replaced pages of theirs may still name them. */
  readonly #retired: PageChain[] = [];
  /** Chains with an open replaced incarnation, by the task that replaced it. */
  readonly #replaced: Map<number, PageChain[]> = new Map();
  /** The chain that each lane of each core used last: most accesses go where the one before went. */
  readonly #recent: (PageChain | null)[];
  /** The last store to each frame. Notes are in order of time. */
  readonly #stores: Map<number, SiteNote> = new Map();

  constructor(memory: Memory, log: SiteLog, cores: number) {
    this.#memory = memory;
    this.#log = log;
    this.#cores = cores;
    this.#recent = new Array<PageChain | null>(cores * 2).fill(null);
  }

  clear(): void {
    this.#recent.fill(null);
    for (const pages of this.#chains.values()) {
      for (const chain of pages.values()) this.#free.push(chain);
      pages.clear();
    }
    for (const chain of this.#retired) this.#free.push(chain);
    this.#retired.length = 0;
    for (const list of this.#replaced.values()) list.length = 0;
    if (this.#stores.size !== 0) this.#stores.clear();
  }

  /** An address space is gone. */
  forget(mm: KPtr): void {
    const pages = this.#chains.get(mm);
    if (pages === undefined) return;
    this.#recent.fill(null);
    for (const chain of pages.values()) this.#retired.push(chain);
    pages.clear();
    this.#chains.delete(mm);
  }

  /** An entry is set by a task, in the way of `replacer`. @param copied note of when the new frame was handed out */
  set(
    k: Context,
    mm: KPtr,
    page: number,
    oldLo: number,
    oldHi: number,
    lo: number,
    hi: number,
    replacer: Replacer,
    copied: SiteNote,
  ): PageFinding | null {
    const { format } = this.#memory;
    const chain = this.#chainOf(mm, page) ?? this.#newChain(mm, page, oldLo, oldHi);
    const present = format.isPresent(lo, hi);
    const frame = present ? format.frame(lo, hi) : NOTHING;
    const rights = present ? this.#rights(lo, hi) : 0;
    const last = chain.last;
    const finding = this.#lostDirty(chain, page, oldLo, oldHi, lo, hi, frame);
    if (chain.frame[last] === frame && (frame === NOTHING || this.#isUpgrade(chain, last, frame, rights))) {
      // The same page with more rights: nobody has to leave the old entry.
      chain.rights[last] = rights;
      return finding;
    }
    const wasFrame = chain.frame[last]!;
    const pid = k.task!.pid;
    const note = this.#log.note(k, present ? "entry set" : "entry cleared", page);
    chain.replacer[last] = replacer;
    chain.replacerPid[last] = pid;
    if (wasFrame === NOTHING) chain.closed[last] = note;
    else this.#listOf(pid).push(chain);
    chain.add(frame, this.#allocationOf(frame), rights, note);
    if (finding !== null || frame === NOTHING) return finding;
    const missed = this.#closeOthers(chain, frame, replacer, pid, note, copied);
    if (missed !== null) return missed;
    if (wasFrame !== NOTHING && wasFrame !== frame) {
      // Two frames at one address until everybody has left the old one, which is not waited for. A page that is not the
      // one that was copied is forgotten besides, with its reference and its map count; the zero page has none.
      const isCopied = replacer === BY_FAULT && this.#isCopied(k, wasFrame);
      return {
        invariant: isCopied || format.isSpecial(oldLo, oldHi) ? "I7" : "I13",
        text: `the entry of page ${page.toString(16)} goes from frame 0x${wasFrame.toString(16)} to frame 0x${frame.toString(16)} in one step`,
        earlier: chain.made[last]!,
      };
    }
    return null;
  }

  /** The fault in progress gives the task a copy of this frame. */
  #isCopied(k: Context, frame: number): boolean {
    const { oldPage } = this.#memory.faultState(k);
    return oldPage !== NULL && this.#memory.frames.map.pfn(oldPage) === frame;
  }

  /** A call or a fault of a task has returned: what it replaced, no core may use any more. */
  returned(k: Context, pid: number, replacers: "calls" | "fault" | "all", what: string): void {
    const list = this.#replaced.get(pid);
    if (list === undefined || list.length === 0) return;
    const note = this.#log.note(k, what, -1);
    let kept = 0;
    for (let index = 0; index < list.length; index++) {
      const chain = list[index]!;
      let open = false;
      for (let at = 0; at < chain.last; at++) {
        if (chain.closed[at] !== 0 || chain.replacerPid[at] !== pid) continue;
        const byFault = chain.replacer[at] === BY_FAULT;
        if (replacers === "all" || byFault === (replacers === "fault")) chain.closed[at] = note;
        else open = true;
      }
      if (open) list[kept++] = chain;
    }
    list.length = kept;
  }

  /** A core used a frame at a page. @param site note of a store @returns what is wrong with that */
  access(
    core: number,
    mm: KPtr,
    page: number,
    right: Right,
    frame: number,
    allocation: number,
    site: SiteNote,
  ): PageFinding | null {
    const lane = laneOf(core, right);
    let chain = this.#recent[lane]!;
    if (chain === null || chain.page !== page || chain.mm !== mm) {
      chain = this.#chainOf(mm, page) ?? this.#chainNow(mm, page);
      this.#recent[lane] = chain;
    }
    if (right === WRITE) this.#stores.set(frame, site);
    const at = chain.use(core, frame, allocation, right);
    if (at < 0) return this.#wrongAccess(core, chain, page, right, frame, allocation);
    return right === WRITE && at === chain.last ? this.#notDirty(chain, mm, page, frame) : null;
  }

  #wrongAccess(
    core: number,
    chain: PageChain,
    page: number,
    right: Right,
    frame: number,
    allocation: number,
  ): PageFinding {
    const name = `page ${page.toString(16)}`;
    const had = chain.find(frame, allocation, right);
    if (had >= 0 && chain.closed[had] !== 0) {
      const text = `${name}: ${nameOf(right)} through frame 0x${frame.toString(16)} after it was replaced everywhere`;
      // Closed by another frame in its place, not by the return of a call.
      const invariant = chain.byFrame[had] !== 0 ? "I7" : "I4";
      return { invariant, text, earlier: chain.closed[had]! };
    }
    if (had >= 0 && had < chain.reached[laneOf(core, right)]!) {
      const text = `${name}: core ${core} went back to frame 0x${frame.toString(16)}`;
      return { invariant: "I7", text, earlier: chain.made[chain.reached[laneOf(core, right)]!]! };
    }
    const same = chain.find(frame, allocation, 0);
    if (same >= 0) {
      const text = `${name}: ${nameOf(right)} through frame 0x${frame.toString(16)}, whose entry never granted it`;
      return { invariant: "I14", text, earlier: chain.made[same]! };
    }
    const recycled = chain.findFrame(frame);
    if (recycled >= 0) {
      const text = `${name}: ${nameOf(right)} of frame 0x${frame.toString(16)}, which was freed and handed out again`;
      return { invariant: "I4", text, earlier: chain.closed[recycled]! };
    }
    // No old content, but another address space's: with the frame that the entry leads to there are two at one address.
    const text = `${name}: ${nameOf(right)} of frame 0x${frame.toString(16)}, which was never there`;
    const { last } = chain;
    const invariant = last >= 0 && chain.frame[last] !== NOTHING ? "I7" : "I4";
    return { invariant, text, earlier: last < 0 ? NO_SITE : chain.made[last]! };
  }

  /** A store must have left its mark in the entry that permitted it. */
  #notDirty(chain: PageChain, mm: KPtr, page: number, frame: number): PageFinding | null {
    const { format, ram } = this.#memory;
    const slot = findPteSlot(this.#memory, mm, page);
    if (slot === NO_SLOT) return null;
    const lo = ram.i32[slot >>> 2]!;
    const hi = ram.i32[(slot >>> 2) + 1]!;
    if (!format.isPresent(lo, hi) || format.frame(lo, hi) !== frame || format.isDirty(lo, hi)) return null;
    // A running call may have cleaned it while this core's entry says dirty still.
    if (chain.hasOpenBefore(frame)) return null;
    const text = `page ${page.toString(16)}: a store to frame 0x${frame.toString(16)} left its entry clean`;
    return { invariant: "I5", text, earlier: chain.made[chain.last]! };
  }

  /** The hardware's dirty bit is in the entry that is overwritten, and not in the new one. */
  #lostDirty(
    chain: PageChain,
    page: number,
    oldLo: number,
    oldHi: number,
    lo: number,
    hi: number,
    frame: number,
  ): PageFinding | null {
    const { format } = this.#memory;
    if (frame === NOTHING || !format.isPresent(oldLo, oldHi) || format.frame(oldLo, oldHi) !== frame)
      return null;
    if (!format.isDirty(oldLo, oldHi) || format.isDirty(lo, hi)) return null;
    const text = `page ${page.toString(16)}: its entry was dirty, and is overwritten by one that is not`;
    return { invariant: "I5", text, earlier: chain.made[chain.last]! };
  }

  /** Another frame is there: what a fault or a writer replaced before is closed; and a copy must not have missed a store. */
  #closeOthers(
    chain: PageChain,
    frame: number,
    replacer: Replacer,
    pid: number,
    note: SiteNote,
    copied: SiteNote,
  ): PageFinding | null {
    for (let at = 0; at < chain.last; at++) {
      if (chain.closed[at] !== 0 || chain.frame[at] === frame || chain.replacer[at] === BY_DISCARD) continue;
      chain.closed[at] = note;
      chain.byFrame[at] = 1;
      if (replacer !== BY_FAULT || chain.replacer[at] !== BY_FAULT || chain.replacerPid[at] !== pid) continue;
      const store = this.#stores.get(chain.frame[at]!);
      if (store === undefined || copied === NO_SITE || store <= copied) continue;
      const name = `page ${chain.page.toString(16)}`;
      // What was put there after the copy was begun cannot be what was copied.
      const wasSource = chain.made[at]! <= copied;
      const text = wasSource
        ? `${name}: frame 0x${chain.frame[at]!.toString(16)} was written while it was copied`
        : `${name}: a store to frame 0x${chain.frame[at]!.toString(16)} is lost: a copy of an older page takes its place`;
      return { invariant: wasSource ? "I6" : "I4", text, earlier: store };
    }
    return null;
  }

  #isUpgrade(chain: PageChain, at: number, frame: number, rights: number): boolean {
    return chain.allocation[at] === this.#allocationOf(frame) && (chain.rights[at]! & ~rights) === 0;
  }

  #chainOf(mm: KPtr, page: number): PageChain | undefined {
    return this.#chains.get(mm)?.get(page);
  }

  /** A page that nobody has changed since the start is what its entry says. */
  #chainNow(mm: KPtr, page: number): PageChain {
    const slot = findPteSlot(this.#memory, mm, page);
    const { i32 } = this.#memory.ram;
    if (slot === NO_SLOT) return this.#newChain(mm, page, 0, 0);
    return this.#newChain(mm, page, i32[slot >>> 2]!, i32[(slot >>> 2) + 1]!);
  }

  #newChain(mm: KPtr, page: number, lo: number, hi: number): PageChain {
    const { format } = this.#memory;
    const chain = this.#free.pop() ?? new PageChain(this.#cores);
    chain.clear();
    chain.mm = mm;
    chain.page = page;
    const present = format.isPresent(lo, hi);
    const frame = present ? format.frame(lo, hi) : NOTHING;
    chain.add(frame, this.#allocationOf(frame), present ? this.#rights(lo, hi) : 0, NO_SITE);
    let pages = this.#chains.get(mm);
    if (pages === undefined) {
      pages = new Map();
      this.#chains.set(mm, pages);
    }
    pages.set(page, chain);
    return chain;
  }

  #listOf(pid: number): PageChain[] {
    let list = this.#replaced.get(pid);
    if (list === undefined) {
      list = [];
      this.#replaced.set(pid, list);
    }
    return list;
  }

  #rights(lo: number, hi: number): number {
    const { format } = this.#memory;
    if (format.isProtNone(lo, hi)) return 0;
    return READ | (format.isWritable(lo, hi) ? WRITE : 0) | (format.isExecutable(lo, hi) ? EXEC : 0);
  }

  #allocationOf(frame: number): number {
    if (frame === NOTHING) return 0;
    const { i32 } = this.#memory.ram;
    const at = (this.#memory.frames.map.page(frame) + pageAllocation.offset) >>> 2;
    return (i32[at]! >>> 0) + (i32[at + 1]! >>> 0) * 0x1_0000_0000;
  }
}

function nameOf(right: Right): string {
  return right === WRITE ? "a store" : right === EXEC ? "a fetch" : "a load";
}
