/**
 * What must hold of an address space while nobody changes it: every entry lies in a mapping and grants no more than it
 * (I1), every anonymous page leads back to its entry (I9), counters and reference counts say what the tables hold (I13).
 */
import { avcVma, nextCovering } from "../../../../kernel/mm/anon-vma.ts";
import type { Memory } from "../../../../kernel/mm/memory.ts";
import { mmPgd, mmPgtablesBytes, mmRssAnon, mmRssShmem } from "../../../../kernel/mm/mm-struct.ts";
import { pageIndex, pageMapcount, pageRefcount } from "../../../../kernel/mm/page.ts";
import { pageAnonVma, pageIsAnon } from "../../../../kernel/mm/rmap.ts";
import { linearPageIndex, VM_WRITE, vmFlags, vmStart } from "../../../../kernel/mm/vma.ts";
import { findVma } from "../../../../kernel/mm/vma-tree.ts";
import { type KPtr, NULL } from "../../../../kernel/struct.ts";

/** The first violation as a text, or null. */
export function brokenInvariant(m: Memory, mm: KPtr): string | null {
  const { ram, format } = m;
  let anon = 0;
  let shmem = 0;
  let tables = 0;
  let broken: string | null = null;

  const leaf = (page: number, lo: number, hi: number): string | null => {
    const vma = findVma(ram, mm, page);
    const name = `page ${page.toString(16)}`;
    if (vma === NULL || vmStart.get(ram, vma) > page) return `${name} has an entry and no mapping`;
    if (format.isWritable(lo, hi) && (vmFlags.get(ram, vma) & VM_WRITE) === 0)
      return `${name} grants writing`;
    if (format.isSpecial(lo, hi)) return null;
    const struct = m.frames.map.page(format.frame(lo, hi));
    if (pageRefcount.get(ram, struct) <= pageMapcount.get(ram, struct)) return `${name}: too few references`;
    if (!pageIsAnon(ram, struct)) {
      shmem++;
      return null;
    }
    anon++;
    const pgoff = pageIndex.get(ram, struct);
    if (pgoff !== linearPageIndex(ram, vma, page)) return `${name}: index ${pgoff} is wrong`;
    const anonVma = pageAnonVma(ram, struct);
    for (let avc = nextCovering(ram, anonVma, pgoff, NULL); avc !== NULL; ) {
      if (avcVma.get(ram, avc) === vma) return null;
      avc = nextCovering(ram, anonVma, pgoff, avc);
    }
    return `${name}: the reverse map does not lead to it`;
  };

  const walk = (table: number, level: number, first: number): void => {
    const span = format.spanPages(level);
    const entries = level === format.levels ? 256 : 512;
    for (let index = 0; index < entries && broken === null; index++) {
      const lo = ram.read32(table + index * 8);
      const hi = ram.read32(table + index * 8 + 4);
      if (format.isNone(lo, hi)) continue;
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
  if (mmRssAnon.get(ram, mm) !== anon)
    return `rss says ${mmRssAnon.get(ram, mm)} anonymous pages, not ${anon}`;
  if (mmRssShmem.get(ram, mm) !== shmem)
    return `rss says ${mmRssShmem.get(ram, mm)} shared pages, not ${shmem}`;
  const bytes = mmPgtablesBytes.get(ram, mm);
  return bytes === tables * 4096 ? null : `pgtables_bytes is ${bytes} with ${tables} tables`;
}
