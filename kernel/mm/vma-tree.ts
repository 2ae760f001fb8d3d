/**
 * The VMAs of an address space: a red-black tree by address whose nodes know the largest gap below them in their
 * subtree, and a list in the same order (Linux's mm/mmap.c up to 6.0). Writers hold mmap_lock for write. Readers hold
 * it in either mode, or descend under RCU and check a sequence count afterwards.
 */
import type { PhysicalMemory } from "../../mmu/index.ts";
import type { Context, Work } from "../context.ts";
import { COST_ACCESS } from "../costs.ts";
import { type KPtr, kptrOf, NULL } from "../struct.ts";
import { mmHighestVmEnd, mmMapCount, mmMmap, mmRb } from "./mm-struct.ts";
import { type RbAugment, rbErase, rbInsert, rbLeft, rbPropagate, rbRight } from "./rbtree.ts";
import { rbOfVma, vmaOfRb, vmEnd, vmNext, vmPrev, vmStart, vmStartGap, vmSubtreeGap } from "./vma.ts";

/** Nodes that a lockless descent visits at most: far above the height of any tree of 2^31 VMAs. */
export const MAX_DESCENT = 128;

function gapBelow(ram: PhysicalMemory, vma: KPtr): number {
  const previous = vmPrev.get(ram, vma);
  const start = vmStartGap(ram, vma);
  const floor = previous === NULL ? 0 : vmEnd.get(ram, previous);
  return start > floor ? start - floor : 0;
}

class VmaGaps implements RbAugment {
  compute(ram: PhysicalMemory, node: KPtr): boolean {
    const vma = vmaOfRb(node);
    let gap = gapBelow(ram, vma);
    const left = rbLeft.get(ram, node);
    if (left !== NULL) gap = Math.max(gap, vmSubtreeGap.get(ram, vmaOfRb(left)));
    const right = rbRight.get(ram, node);
    if (right !== NULL) gap = Math.max(gap, vmSubtreeGap.get(ram, vmaOfRb(right)));
    if (vmSubtreeGap.get(ram, vma) === gap) return false;
    vmSubtreeGap.set(ram, vma, gap);
    return true;
  }
  copy(ram: PhysicalMemory, from: KPtr, to: KPtr): void {
    vmSubtreeGap.set(ram, vmaOfRb(to), vmSubtreeGap.get(ram, vmaOfRb(from)));
  }
}

const GAPS: VmaGaps = new VmaGaps();

/** First VMA that ends above a page (find_vma), or NULL. Locks: mmap_lock, either mode. @hot */
export function findVma(ram: PhysicalMemory, mm: KPtr, page: number): KPtr {
  let node = mmRb.get(ram, mm);
  let found: KPtr = NULL;
  while (node !== NULL) {
    const vma = vmaOfRb(node);
    if (vmEnd.get(ram, vma) > page) {
      found = vma;
      if (vmStart.get(ram, vma) <= page) break;
      node = rbLeft.get(ram, node);
    } else {
      node = rbRight.get(ram, node);
    }
  }
  return found;
}

/** The VMA that overlaps pages start … end-1 and lies lowest, or NULL. Locks: mmap_lock. */
export function findVmaIntersection(ram: PhysicalMemory, mm: KPtr, start: number, end: number): KPtr {
  const vma = findVma(ram, mm, start);
  return vma !== NULL && vmStart.get(ram, vma) < end ? vma : NULL;
}

/** Where a new VMA goes: filled by findVmaLinks. One writer at a time uses one place. */
export class VmaPlace {
  parent: KPtr = NULL;
  side: "left" | "right" = "left";
  previous: KPtr = NULL;
}

/** Finds the place of pages start … end-1; false: they overlap a VMA. Locks: mmap_lock for write. */
export function findVmaLinks(
  ram: PhysicalMemory,
  mm: KPtr,
  start: number,
  end: number,
  place: VmaPlace,
): boolean {
  let node = mmRb.get(ram, mm);
  place.parent = NULL;
  place.previous = NULL;
  while (node !== NULL) {
    const vma = vmaOfRb(node);
    place.parent = node;
    if (vmEnd.get(ram, vma) > start) {
      if (vmStart.get(ram, vma) < end) return false;
      place.side = "left";
      node = rbLeft.get(ram, node);
    } else {
      place.side = "right";
      place.previous = vma;
      node = rbRight.get(ram, node);
    }
  }
  return true;
}

/** Brings the gaps up to date after the start of `vma` or the end of its predecessor changed (vma_gap_update). */
export function updateGap(ram: PhysicalMemory, vma: KPtr): void {
  rbPropagate(ram, rbOfVma(vma), NULL, GAPS);
}

/** Links a VMA into list and tree at a place (__vma_link). Locks: mmap_lock for write. */
export function* linkVma(k: Context, mm: KPtr, vma: KPtr, place: VmaPlace): Work {
  const ram = k.ram;
  const previous = place.previous;
  const next = previous === NULL ? mmMmap.get(ram, mm) : vmNext.get(ram, previous);
  vmPrev.set(ram, vma, previous);
  vmNext.set(ram, vma, next);
  if (k.point(COST_ACCESS)) yield;
  if (previous === NULL) mmMmap.set(ram, mm, vma);
  else vmNext.set(ram, previous, vma);
  if (next === NULL) {
    mmHighestVmEnd.set(ram, mm, vmEnd.get(ram, vma));
  } else {
    if (k.point(COST_ACCESS)) yield;
    vmPrev.set(ram, next, vma);
    updateGap(ram, next);
  }
  vmSubtreeGap.set(ram, vma, 0);
  yield* rbInsert(k, mmRb.at(mm), rbOfVma(vma), place.parent, place.side, GAPS);
  mmMapCount.add(ram, mm, 1);
}

/** Unlinks a VMA from list and tree (__vma_unlink). Its own links stay, for lockless readers. */
export function* unlinkVma(k: Context, mm: KPtr, vma: KPtr): Work {
  const ram = k.ram;
  yield* eraseFromTree(k, mm, vma);
  const previous = vmPrev.get(ram, vma);
  const next = vmNext.get(ram, vma);
  if (k.point(COST_ACCESS)) yield;
  if (previous === NULL) mmMmap.set(ram, mm, next);
  else vmNext.set(ram, previous, next);
  if (next === NULL) {
    mmHighestVmEnd.set(ram, mm, previous === NULL ? 0 : vmEnd.get(ram, previous));
  } else {
    if (k.point(COST_ACCESS)) yield;
    vmPrev.set(ram, next, previous);
    updateGap(ram, next);
  }
}

/** Takes a VMA out of the tree only. */
export function* eraseFromTree(k: Context, mm: KPtr, vma: KPtr): Work {
  yield* rbErase(k, mmRb.at(mm), rbOfVma(vma), GAPS);
  mmMapCount.add(k.ram, mm, -1);
}

/** Highest VMA of an address space, or NULL. */
export function lastVma(ram: PhysicalMemory, mm: KPtr): KPtr {
  let node = mmRb.get(ram, mm);
  if (node === NULL) return NULL;
  for (let right = rbRight.get(ram, node); right !== NULL; right = rbRight.get(ram, node)) node = right;
  return vmaOfRb(node);
}

/** The predecessor of a VMA's place, or the highest VMA if there is none above (find_vma_prev). */
export function previousOf(ram: PhysicalMemory, mm: KPtr, vma: KPtr): KPtr {
  return vma === NULL ? lastVma(ram, mm) : vmPrev.get(ram, vma);
}

/** Checks list, tree and gaps against each other; a text that says what is wrong, or null. For tests and debugging. */
export function checkVmas(ram: PhysicalMemory, mm: KPtr): string | null {
  let previous: KPtr = NULL;
  let count = 0;
  for (let vma = mmMmap.get(ram, mm); vma !== NULL; vma = vmNext.get(ram, vma)) {
    if (vmPrev.get(ram, vma) !== previous) return `vm_prev of VMA ${count} is wrong`;
    if (previous !== NULL && vmEnd.get(ram, previous) > vmStart.get(ram, vma)) return `VMA ${count} overlaps`;
    if (vmStart.get(ram, vma) >= vmEnd.get(ram, vma)) return `VMA ${count} is empty`;
    if (findVma(ram, mm, vmStart.get(ram, vma)) !== vma) return `VMA ${count} is not found in the tree`;
    const gap = vmSubtreeGap.get(ram, vma);
    if (GAPS.compute(ram, kptrOf(rbOfVma(vma))) || gap < gapBelow(ram, vma))
      return `gap of VMA ${count} is wrong`;
    previous = vma;
    count++;
  }
  if (count !== mmMapCount.get(ram, mm)) return `map_count ${mmMapCount.get(ram, mm)} for ${count} VMAs`;
  const highest = previous === NULL ? 0 : vmEnd.get(ram, previous);
  return mmHighestVmEnd.get(ram, mm) === highest ? null : "highest_vm_end is wrong";
}
