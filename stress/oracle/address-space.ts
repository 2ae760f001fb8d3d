/**
 * What must hold of an address space while nobody changes it: every entry lies in a mapping and grants no more than it
 * (I1), every anonymous page leads back to its entry (I9), counters and reference counts say what the tables hold (I13).
 */
import {
  avcVma,
  findVma,
  type KPtr,
  linearPageIndex,
  type Memory,
  mmPgd,
  mmPgtablesBytes,
  mmRssAnon,
  mmRssShmem,
  NULL,
  nextCovering,
  pageAnonVma,
  pageIndex,
  pageIsAnon,
  pageMapcount,
  pageRefcount,
  VM_WRITE,
  vmEnd,
  vmFlags,
  vmFlagsHi,
  vmStart,
} from "../../kernel/index.ts";
import { SLOTS, Slots } from "./slots.ts";
import type { Invariant } from "./violation.ts";

export interface Broken {
  readonly invariant: Invariant;
  /** -1: not about one page. */
  readonly page: number;
  readonly text: string;
  /** The anon_vma in which the reverse map was looked up. */
  readonly anonVma?: KPtr;
}

/** Told of what an address space consists of. */
export interface Inventory {
  table(frame: number): void;
  page(frame: number): void;
}

/** The first violation, or null. Nothing else runs meanwhile. */
export function brokenAddressSpace(m: Memory, mm: KPtr): Broken | null {
  return new AddressSpaceCheck(m, new Slots(m.ram)).whole(mm, null);
}

/** Looks at single entries and at whole address spaces; keeps what it found of a mapping from one entry to the next. */
export class AddressSpaceCheck {
  readonly #m: Memory;
  #mm: KPtr = NULL;
  /** The mapping of the last entry: pages #start … #end-1; none if they are equal. */
  #vma: KPtr = NULL;
  #start = 0;
  #end = 0;
  #flags = 0;
  #protLo = 0;
  #protHi = 0;
  #anon = 0;
  #shmem = 0;
  #tables = 0;
  readonly #slots: Slots;
  /** Entries of a top table that lead to user addresses. */
  readonly #userTopEntries: number;

  constructor(m: Memory, slots: Slots) {
    this.#m = m;
    this.#slots = slots;
    this.#userTopEntries = Math.ceil(m.mmu.taskSizeMax / m.format.spanPages(m.format.levels));
  }

  /** What is wrong with one entry that an address space has, or is about to have, at a page; null: nothing. */
  entry(mm: KPtr, page: number, lo: number, hi: number): Broken | null {
    this.#begin(mm);
    return this.#entry(page, lo, hi);
  }

  /** The first violation in an address space, or null. Nothing else runs meanwhile. */
  whole(mm: KPtr, inventory: Inventory | null): Broken | null {
    const { ram, format } = this.#m;
    this.#begin(mm);
    this.#anon = this.#shmem = this.#tables = 0;
    return (
      this.#table(mmPgd.get(ram, mm), format.levels, 0, inventory) ??
      wrongCount("anonymous pages in rss", mmRssAnon.get(ram, mm), this.#anon) ??
      wrongCount("shared pages in rss", mmRssShmem.get(ram, mm), this.#shmem) ??
      wrongCount("bytes in pgtables_bytes", mmPgtablesBytes.get(ram, mm), this.#tables * 4096)
    );
  }

  #begin(mm: KPtr): void {
    this.#mm = mm;
    this.#end = this.#start;
  }

  #table(table: number, level: number, first: number, inventory: Inventory | null): Broken | null {
    const { ram, format } = this.#m;
    const frame = table / 4096;
    inventory?.table(frame);
    const span = format.spanPages(level);
    const entries = level === format.levels ? this.#userTopEntries : SLOTS;
    for (
      let index = this.#slots.next(frame, 0);
      index < entries;
      index = this.#slots.next(frame, index + 1)
    ) {
      const at = (table >>> 2) + index * 2;
      const lo = ram.i32[at]!;
      const hi = ram.i32[at + 1]!;
      if (format.isNone(lo, hi)) continue;
      const page = first + index * span;
      let broken: Broken | null;
      if (level === 1) broken = this.#leaf(page, lo, hi, inventory);
      else {
        this.#tables++;
        broken = this.#table(format.tableAddress(lo, hi), level - 1, page, inventory);
      }
      if (broken !== null) return broken;
    }
    return null;
  }

  #leaf(page: number, lo: number, hi: number, inventory: Inventory | null): Broken | null {
    const { ram, format, frames } = this.#m;
    const wrong = this.#entry(page, lo, hi);
    if (wrong !== null || format.isSpecial(lo, hi)) return wrong;
    const frame = format.frame(lo, hi);
    const struct = frames.map.page(frame);
    inventory?.page(frame);
    if (pageIsAnon(ram, struct)) this.#anon++;
    else this.#shmem++;
    const tooFew = pageRefcount.get(ram, struct) <= pageMapcount.get(ram, struct);
    return tooFew ? broke("I13", page, `page ${page.toString(16)}: too few references`) : null;
  }

  #entry(page: number, lo: number, hi: number): Broken | null {
    const { ram, format, frames } = this.#m;
    if ((page < this.#start || page >= this.#end) && !this.#findMapping(page)) {
      return broke("I1", page, `${nameOf(page)} has an entry and no mapping`);
    }
    if (format.isWritable(lo, hi) && (this.#flags & VM_WRITE) === 0)
      return broke("I1", page, `${nameOf(page)} grants writing`);
    if (!this.#grantsWhatMappingSays(lo, hi)) {
      return broke("I1", page, `${nameOf(page)} has other rights or another key than its mapping`);
    }
    if (format.isSpecial(lo, hi)) return null;
    const struct = frames.map.page(format.frame(lo, hi));
    if (!pageIsAnon(ram, struct)) return null;
    const vma = this.#vma;
    const pgoff = pageIndex.get(ram, struct);
    const wanted = linearPageIndex(ram, vma, page);
    if (pgoff !== wanted) return broke("I9", page, `${nameOf(page)}: index ${pgoff} is not ${wanted}`);
    const anonVma = pageAnonVma(ram, struct);
    for (let avc = nextCovering(ram, anonVma, pgoff, NULL); avc !== NULL; ) {
      if (avcVma.get(ram, avc) === vma) return null;
      avc = nextCovering(ram, anonVma, pgoff, avc);
    }
    return { invariant: "I9", page, text: `${nameOf(page)}: the reverse map does not lead to it`, anonVma };
  }

  /** Of the mapping of a page: its bounds, flags, rights and key. The format's result registers stay as they are. */
  #findMapping(page: number): boolean {
    const { ram, format } = this.#m;
    const vma = findVma(ram, this.#mm, page);
    if (vma === NULL || vmStart.get(ram, vma) > page) return false;
    this.#vma = vma;
    this.#start = vmStart.get(ram, vma);
    this.#end = vmEnd.get(ram, vma);
    this.#flags = vmFlags.get(ram, vma);
    const keptLo = format.lo;
    const keptHi = format.hi;
    format.protection(this.#flags, vmFlagsHi.get(ram, vma));
    this.#protLo = format.lo;
    this.#protHi = format.hi;
    format.load(keptLo, keptHi);
    return true;
  }

  /**
   * Writing apart, which copy-on-write withholds, an entry has exactly the rights and the key that the mapping's
   * protection gives it. The format's result registers are as before afterwards.
   */
  #grantsWhatMappingSays(lo: number, hi: number): boolean {
    const { format } = this.#m;
    const keptLo = format.lo;
    const keptHi = format.hi;
    format.load(lo, hi);
    format.modify(this.#protLo, this.#protHi);
    format.wrprotect();
    const wantedLo = format.lo;
    const wantedHi = format.hi;
    format.load(lo, hi);
    format.wrprotect();
    const same = format.lo === wantedLo && format.hi === wantedHi;
    format.load(keptLo, keptHi);
    return same;
  }
}

function nameOf(page: number): string {
  return `page ${page.toString(16)}`;
}

function wrongCount(what: string, said: number, found: number): Broken | null {
  return said === found ? null : broke("I13", -1, `${said} ${what}, but there are ${found}`);
}

function broke(invariant: Invariant, page: number, text: string): Broken {
  return { invariant, page, text };
}
