/** Making, copying and freeing VMAs (kernel/fork.c vm_area_alloc/dup/free, mm/mmap.c remove_vma). */
import { physAddr } from "../../mmu/index.ts";
import type { Context, Work } from "../context.ts";
import { COST_ATOMIC } from "../costs.ts";
import { type KPtr, NULL } from "../struct.ts";
import { GFP_KERNEL } from "./gfp.ts";
import { memoryOf } from "./memory.ts";
import { rbClearNode } from "./rbtree.ts";
import { shmemGet, shmemPut } from "./shmem.ts";
import {
  anonVmaChainOf,
  rbOfVma,
  VMA_BYTES,
  vmAnonVmaChain,
  vmAnonVmaChainPrev,
  vmaInit,
  vmFile,
  vmFlags,
  vmFlagsHi,
  vmNext,
  vmPageProtHi,
  vmPageProtLo,
  vmPrev,
} from "./vma.ts";

/** vm_area_alloc(): a zeroed VMA of an mm, or NULL. */
export function* allocateVma(k: Context, mm: KPtr): Work<KPtr> {
  const vma = yield* memoryOf(k).vmaCache.allocateZeroed(k, GFP_KERNEL);
  if (vma !== NULL) vmaInit(k.ram, vma, mm);
  return vma;
}

/** vm_area_dup(): a copy with no reverse map and no links of its own, or NULL. References are the caller's to take. */
export function* duplicateVma(k: Context, source: KPtr): Work<KPtr> {
  const ram = k.ram;
  const vma = yield* memoryOf(k).vmaCache.allocate(k, GFP_KERNEL);
  if (vma === NULL) return NULL;
  ram.copy(physAddr(vma), physAddr(source), VMA_BYTES);
  const head = anonVmaChainOf(vma);
  vmAnonVmaChain.set(ram, vma, head);
  vmAnonVmaChainPrev.set(ram, vma, head);
  vmNext.set(ram, vma, NULL);
  vmPrev.set(ram, vma, NULL);
  rbClearNode(ram, rbOfVma(vma));
  return vma;
}

/** get_file() on what the VMA maps. */
export function* getVmaObject(k: Context, vma: KPtr): Work {
  const object = vmFile.get(k.ram, vma);
  if (object === NULL) return;
  if (k.point(COST_ATOMIC)) yield;
  shmemGet(k, object);
}

/** remove_vma(): drops what the VMA holds and frees it, in the design's way. */
export function* removeVma(k: Context, vma: KPtr): Work {
  const object = vmFile.get(k.ram, vma);
  if (object !== NULL) yield* shmemPut(k, object);
  freeVma(k, vma);
}

/** vm_area_free(): by the design, as lockless readers may still look at it. */
export function freeVma(k: Context, vma: KPtr): void {
  memoryOf(k).design.freeVma(k, vma);
}

/** vma_set_page_prot(): what the VMA's flags become in an entry. Locks: mmap_lock for write. */
export function setPageProt(k: Context, vma: KPtr): void {
  const { format } = memoryOf(k);
  format.protection(vmFlags.get(k.ram, vma), vmFlagsHi.get(k.ram, vma));
  vmPageProtLo.set(k.ram, vma, format.lo);
  vmPageProtHi.set(k.ram, vma, format.hi);
}
