/**
 * Search for a free range, top down, by the gaps of the VMA tree (unmapped_area_topdown, mm/mmap.c). A mapping goes below
 * the default window unless the caller's hint lies above it: only then may it use the upper part of a large address
 * space (Documentation/x86/x86_64/5level-paging.rst, "User-space and large virtual address space").
 */
import type { PhysicalMemory } from "../../mmu/index.ts";
import { ENOMEM } from "../errno.ts";
import { type KPtr, NULL } from "../struct.ts";
import { mmHighestVmEnd, mmMmapBase, mmRb } from "./mm-struct.ts";
import { rbLeft, rbParent, rbRight } from "./rbtree.ts";
import { vmaOfRb, vmEnd, vmPrev, vmStart, vmStartGap, vmSubtreeGap } from "./vma.ts";
import { findVma, previousOf } from "./vma-tree.ts";

/** Lowest page that can be mapped (mmap_min_addr = 64 KiB): nobody has CAP_SYS_RAWIO, as root in a container has not. */
export const MMAP_MIN_PAGE = 16;

export interface AddressSpaceEnds {
  /** First page past user space in the default window. */
  readonly taskSize: number;
  /** First page past user space with a hint above the window. */
  readonly taskSizeMax: number;
}

/**
 * A free range of `pages` pages.
 * @param hint page of the address hint, 0: none
 * @returns first page, or -ENOMEM
 */
export function getUnmappedArea(
  ram: PhysicalMemory,
  mm: KPtr,
  hint: number,
  pages: number,
  ends: AddressSpaceEnds,
): number {
  if (pages > ends.taskSizeMax) return -ENOMEM;
  if (hint !== 0 && hint >= MMAP_MIN_PAGE && isFree(ram, mm, hint, pages, ends)) return hint;
  let high = mmMmapBase.get(ram, mm);
  const aboveWindow = hint > ends.taskSize;
  if (aboveWindow) high += ends.taskSizeMax - ends.taskSize;
  const found = topDown(ram, mm, pages, MMAP_MIN_PAGE, high);
  if (found >= 0) return found;
  const legacyBase = Math.floor(ends.taskSize / 3);
  return bottomUp(ram, mm, pages, legacyBase, aboveWindow ? ends.taskSizeMax : ends.taskSize);
}

/** A hint is taken if the range fits below the end it belongs to and keeps clear of guard gaps. */
function isFree(
  ram: PhysicalMemory,
  mm: KPtr,
  start: number,
  pages: number,
  ends: AddressSpaceEnds,
): boolean {
  const end = start > ends.taskSize ? ends.taskSizeMax : ends.taskSize;
  // A range that begins in the window and would leave it does not get out of it (mmap_address_hint_valid).
  if (start + pages > end) return false;
  const vma = findVma(ram, mm, start);
  if (vma !== NULL && vmStartGap(ram, vma) < start + pages) return false;
  const previous = previousOf(ram, mm, vma);
  return previous === NULL || vmEnd.get(ram, previous) <= start;
}

/** Highest free range inside low … high-1. */
function topDown(ram: PhysicalMemory, mm: KPtr, pages: number, low: number, high: number): number {
  const highLimit = high - pages;
  if (high < pages || low > highLimit) return -ENOMEM;
  const lowLimit = low + pages;
  const highest = mmHighestVmEnd.get(ram, mm);
  // The gap above the last VMA is in no node.
  if (highest <= highLimit) return high - pages;

  let node = mmRb.get(ram, mm);
  if (node === NULL || vmSubtreeGap.get(ram, vmaOfRb(node)) < pages) return -ENOMEM;
  let vma = vmaOfRb(node);
  for (;;) {
    let gapStart = gapStartOf(ram, vma);
    const right = rbRight.get(ram, node);
    if (gapStart <= highLimit && right !== NULL && vmSubtreeGap.get(ram, vmaOfRb(right)) >= pages) {
      node = right;
      vma = vmaOfRb(node);
      continue;
    }
    for (;;) {
      const gapEnd = vmStartGap(ram, vma);
      if (gapEnd < lowLimit) return -ENOMEM;
      if (gapStart <= highLimit && gapEnd > gapStart && gapEnd - gapStart >= pages) {
        return Math.min(gapEnd, high) - pages;
      }
      const left = rbLeft.get(ram, node);
      if (left !== NULL && vmSubtreeGap.get(ram, vmaOfRb(left)) >= pages) {
        node = left;
        vma = vmaOfRb(node);
        break;
      }
      // Back up to the first ancestor that lies to the left.
      for (;;) {
        const parent = rbParent(ram, node);
        if (parent === NULL) return -ENOMEM;
        const cameFromRight = rbRight.get(ram, parent) === node;
        node = parent;
        if (cameFromRight) break;
      }
      vma = vmaOfRb(node);
      gapStart = gapStartOf(ram, vma);
    }
  }
}

function gapStartOf(ram: PhysicalMemory, vma: KPtr): number {
  const previous = vmPrev.get(ram, vma);
  return previous === NULL ? 0 : vmEnd.get(ram, previous);
}

/** Lowest free range inside low … high-1, for when there is none below the base: a walk along the VMAs. */
function bottomUp(ram: PhysicalMemory, mm: KPtr, pages: number, low: number, high: number): number {
  let start = low;
  for (let vma = findVma(ram, mm, low); ; ) {
    const limit = vma === NULL ? high : Math.min(vmStartGap(ram, vma), high);
    if (start + pages <= limit) return start;
    if (vma === NULL || vmStart.get(ram, vma) >= high) return -ENOMEM;
    start = vmEnd.get(ram, vma);
    vma = findVma(ram, mm, start);
  }
}
