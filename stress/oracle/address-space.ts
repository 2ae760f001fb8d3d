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
  vmFlags,
  vmFlagsHi,
  vmStart,
} from "../../kernel/index.ts";
import type { Invariant } from "./violation.ts";

/** Entries of a top table that lead to user addresses. */
const USER_TOP_ENTRIES = 256;

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
export function brokenAddressSpace(m: Memory, mm: KPtr, inventory: Inventory | null = null): Broken | null {
  const { ram, format } = m;
  let anon = 0;
  let shmem = 0;
  let tables = 0;
  let broken: Broken | null = null;

  const leaf = (page: number, lo: number, hi: number): Broken | null => {
    const wrong = brokenEntry(m, mm, page, lo, hi);
    if (wrong !== null || format.isSpecial(lo, hi)) return wrong;
    const frame = format.frame(lo, hi);
    const struct = m.frames.map.page(frame);
    inventory?.page(frame);
    if (pageIsAnon(ram, struct)) anon++;
    else shmem++;
    const tooFew = pageRefcount.get(ram, struct) <= pageMapcount.get(ram, struct);
    return tooFew ? broke("I13", page, `page ${page.toString(16)}: too few references`) : null;
  };

  const walk = (table: number, level: number, first: number): void => {
    inventory?.table(table / 4096);
    const span = format.spanPages(level);
    const entries = level === format.levels ? USER_TOP_ENTRIES : 512;
    for (let index = 0; index < entries && broken === null; index++) {
      const lo = ram.i32[(table >>> 2) + index * 2]!;
      const hi = ram.i32[(table >>> 2) + index * 2 + 1]!;
      if ((lo | hi) === 0 || format.isNone(lo, hi)) continue;
      const page = first + index * span;
      if (level === 1) {
        broken = leaf(page, lo, hi);
      } else {
        tables++;
        walk(format.tableAddress(lo, hi), level - 1, page);
      }
    }
  };
  walk(mmPgd.get(ram, mm), format.levels, 0);
  if (broken !== null) return broken;
  return (
    wrongCount("anonymous pages in rss", mmRssAnon.get(ram, mm), anon) ??
    wrongCount("shared pages in rss", mmRssShmem.get(ram, mm), shmem) ??
    wrongCount("bytes in pgtables_bytes", mmPgtablesBytes.get(ram, mm), tables * 4096)
  );
}

/** What is wrong with one entry that an address space has, or is about to have, at a page; null: nothing. */
export function brokenEntry(m: Memory, mm: KPtr, page: number, lo: number, hi: number): Broken | null {
  const { ram, format } = m;
  const vma = findVma(ram, mm, page);
  const name = `page ${page.toString(16)}`;
  if (vma === NULL || vmStart.get(ram, vma) > page)
    return broke("I1", page, `${name} has an entry and no mapping`);
  const flags = vmFlags.get(ram, vma);
  if (format.isWritable(lo, hi) && (flags & VM_WRITE) === 0)
    return broke("I1", page, `${name} grants writing`);
  if (!grantsWhatVmaSays(m, lo, hi, flags, vmFlagsHi.get(ram, vma))) {
    return broke("I1", page, `${name} has other rights or another key than its mapping`);
  }
  if (format.isSpecial(lo, hi)) return null;
  const struct = m.frames.map.page(format.frame(lo, hi));
  if (!pageIsAnon(ram, struct)) return null;
  const pgoff = pageIndex.get(ram, struct);
  if (pgoff !== linearPageIndex(ram, vma, page)) {
    return broke("I9", page, `${name}: index ${pgoff} is not ${linearPageIndex(ram, vma, page)}`);
  }
  const anonVma = pageAnonVma(ram, struct);
  for (let avc = nextCovering(ram, anonVma, pgoff, NULL); avc !== NULL; ) {
    if (avcVma.get(ram, avc) === vma) return null;
    avc = nextCovering(ram, anonVma, pgoff, avc);
  }
  return { invariant: "I9", page, text: `${name}: the reverse map does not lead to it`, anonVma };
}

/**
 * Writing apart, which copy-on-write withholds, an entry has exactly the rights and the key that the mapping's protection
 * gives it. The format's result registers are as before afterwards.
 */
function grantsWhatVmaSays(m: Memory, lo: number, hi: number, flags: number, flagsHi: number): boolean {
  const { format } = m;
  const keptLo = format.lo;
  const keptHi = format.hi;
  format.protection(flags, flagsHi);
  const protLo = format.lo;
  const protHi = format.hi;
  format.load(lo, hi);
  format.modify(protLo, protHi);
  format.wrprotect();
  const wantedLo = format.lo;
  const wantedHi = format.hi;
  format.load(lo, hi);
  format.wrprotect();
  const same = format.lo === wantedLo && format.hi === wantedHi;
  format.lo = keptLo;
  format.hi = keptHi;
  return same;
}

function wrongCount(what: string, said: number, found: number): Broken | null {
  return said === found ? null : broke("I13", -1, `${said} ${what}, but there are ${found}`);
}

function broke(invariant: Invariant, page: number, text: string): Broken {
  return { invariant, page, text };
}
