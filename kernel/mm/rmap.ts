/** Reverse map: the mapcount of a page, its way to the mappings, and the walk back (mm/rmap.c). */
import type { PhysicalMemory } from "../../mmu/index.ts";
import { type KPtr, kptrOf, NULL } from "../struct.ts";
import { avcVma, nextCovering } from "./anon-vma.ts";
import { PAGE_MAPPING_ANON, PG_SWAPBACKED, pageFlags, pageIndex, pageMapcount, pageMapping } from "./page.ts";
import { linearPageIndex, vmAnonVma, vmPgoff, vmStart } from "./vma.ts";

/** page_add_new_anon_rmap(): the first mapping of a page that nobody else has seen. Locks: ptl. @hot */
export function pageAddNewAnonRmap(ram: PhysicalMemory, page: KPtr, vma: KPtr, at: number): void {
  pageFlags.set(ram, page, PG_SWAPBACKED);
  pageMapcount.set(ram, page, 0);
  pageMapping.set(ram, page, kptrOf(vmAnonVma.get(ram, vma) + PAGE_MAPPING_ANON));
  pageIndex.set(ram, page, linearPageIndex(ram, vma, at));
}

/** One mapping more. Atomic; preceded by a point. Locks: ptl. @hot */
export function pageDupRmap(ram: PhysicalMemory, page: KPtr): void {
  pageMapcount.add(ram, page, 1);
}

/** One mapping less (page_remove_rmap). Atomic; preceded by a point. Locks: ptl. @hot */
export function pageRemoveRmap(ram: PhysicalMemory, page: KPtr): void {
  pageMapcount.add(ram, page, -1);
}

/** @hot */
export function pageIsAnon(ram: PhysicalMemory, page: KPtr): boolean {
  return (pageMapping.get(ram, page) & PAGE_MAPPING_ANON) !== 0;
}

/** The anon_vma of a page, or NULL. */
export function pageAnonVma(ram: PhysicalMemory, page: KPtr): KPtr {
  const mapping = pageMapping.get(ram, page);
  return (mapping & PAGE_MAPPING_ANON) === 0 ? NULL : kptrOf(mapping - PAGE_MAPPING_ANON);
}

/** Where a page may be mapped: one VMA and the page number in it. */
export interface Mapping {
  readonly vma: KPtr;
  readonly page: number;
}

/**
 * All VMAs that may map an anonymous page, with the address in each (rmap_walk_anon). The caller looks at the entries.
 * Locks: the anon_vma's root lock, at least for read.
 */
export function anonMappings(ram: PhysicalMemory, page: KPtr): Mapping[] {
  const anonVma = pageAnonVma(ram, page);
  const found: Mapping[] = [];
  if (anonVma === NULL) return found;
  const pgoff = pageIndex.get(ram, page);
  for (let avc = nextCovering(ram, anonVma, pgoff, NULL); avc !== NULL; ) {
    const vma = avcVma.get(ram, avc);
    found.push({ vma, page: vmStart.get(ram, vma) + pgoff - vmPgoff.get(ram, vma) });
    avc = nextCovering(ram, anonVma, pgoff, avc);
  }
  return found;
}
