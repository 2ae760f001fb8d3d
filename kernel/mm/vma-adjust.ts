/**
 * Moving the bounds of VMAs, splitting and merging them (mm/mmap.c, 5.17: __vma_adjust, __split_vma, vma_merge).
 * Locks: mmap_lock for write, everywhere. Every store to a VMA in the tree is marked: lockless readers copy it.
 */
import type { PhysicalMemory } from "../../mmu/index.ts";
import { type Context, done, type Work } from "../context.ts";
import { COST_ACCESS } from "../costs.ts";
import { ENOMEM } from "../errno.ts";
import { type KPtr, NULL } from "../struct.ts";
import {
  anonVmaClone,
  anonVmaLockWrite,
  anonVmaUnlockWrite,
  chainIsSingular,
  postUpdateVma,
  preUpdateVma,
  unlinkAnonVmas,
} from "./anon-vma.ts";
import { MAX_MAP_COUNT } from "./limits.ts";
import { mmHighestVmEnd, mmMapCount, mmMmap } from "./mm-struct.ts";
import { addObjectVma, objectMapLock, objectMapUnlock, removeObjectVma } from "./object-map.ts";
import { shmemPut } from "./shmem.ts";
import {
  VM_SOFTDIRTY,
  vmAnonVma,
  vmEnd,
  vmFile,
  vmFlags,
  vmFlagsHi,
  vmMm,
  vmNext,
  vmPgoff,
  vmStart,
} from "./vma.ts";
import { duplicateVma, freeVma, getVmaObject } from "./vma-lifetime.ts";
import { findVmaLinks, linkVma, unlinkVma, updateGap, VmaPlace } from "./vma-tree.ts";

/** What a mapping must share with its neighbour to become one with it. */
export interface MergeKey {
  readonly flags: number;
  readonly flagsHi: number;
  readonly anonVma: KPtr;
  readonly object: KPtr;
  readonly pgoff: number;
}

/** Links a VMA where its bounds say (__insert_vm_struct). @returns false: it overlaps another */
export function* insertVma(k: Context, mm: KPtr, vma: KPtr): Work<boolean> {
  const place = new VmaPlace();
  if (!findVmaLinks(k.ram, mm, vmStart.get(k.ram, vma), vmEnd.get(k.ram, vma), place)) return false;
  yield* linkVma(k, mm, vma, place);
  return true;
}

/** How an adjustment treats the VMA after the one that is adjusted. */
interface Plan {
  /** The VMA that stays, and the one that shrinks or goes. */
  kept: KPtr;
  next: KPtr;
  end: number;
  /** 0: none goes; 1: next; 2: next and the one after it; 3: the adjusted one goes and next stays. */
  remove: 0 | 1 | 2 | 3;
  /** Pages by which the start of next moves. */
  adjustNext: number;
  exporter: KPtr;
  importer: KPtr;
}

/**
 * __vma_adjust(): gives a VMA new bounds, with what that means for the next one: its boundary moves, or it goes.
 * @param insert a new VMA that takes the place given up (split), or NULL
 * @param expand the VMA that must survive a merge, or NULL
 * @returns 0 or -ENOMEM
 */
export function* vmaAdjust(
  k: Context,
  vma: KPtr,
  start: number,
  end: number,
  pgoff: number,
  insert: KPtr,
  expand: KPtr,
): Work<number> {
  const ram = k.ram;
  const mm = vmMm.get(ram, vma);
  const plan = planNext(ram, vma, end, insert, expand);
  const { exporter, importer } = plan;
  if (exporter !== NULL && vmAnonVma.get(ram, exporter) !== NULL && vmAnonVma.get(ram, importer) === NULL) {
    if (k.point(COST_ACCESS)) yield;
    vmAnonVma.set(ram, importer, vmAnonVma.get(ram, exporter));
    const error = yield* anonVmaClone(k, importer, exporter);
    if (error !== 0) return error;
  }
  for (;;) {
    yield* moveBounds(k, mm, plan, start, pgoff, insert);
    if (plan.remove === 0) return 0;
    yield* disposeOfNext(k, plan);
    if (plan.remove !== 2) break;
    plan.remove = 1;
    plan.next = vmNext.get(ram, plan.kept);
    plan.end = vmEnd.get(ram, plan.next);
  }
  const after = vmNext.get(ram, plan.kept);
  if (after === NULL) mmHighestVmEnd.set(ram, mm, vmEnd.get(ram, plan.kept));
  else updateGap(ram, after);
  if (plan.remove === 3) updateGap(ram, plan.kept);
  return 0;
}

function planNext(ram: PhysicalMemory, vma: KPtr, end: number, insert: KPtr, expand: KPtr): Plan {
  const next = vmNext.get(ram, vma);
  const plan: Plan = { kept: vma, next, end, remove: 0, adjustNext: 0, exporter: NULL, importer: NULL };
  if (next === NULL || insert !== NULL) return plan;
  const nextEnd = vmEnd.get(ram, next);
  if (end >= nextEnd) {
    if (next === expand) {
      plan.remove = 3;
      plan.kept = next;
      plan.next = vma;
    } else {
      plan.remove = end > nextEnd ? 2 : 1;
      plan.end = nextEnd;
    }
    plan.exporter = plan.next;
    plan.importer = plan.kept;
    if (plan.remove === 2 && vmAnonVma.get(ram, next) === NULL) plan.exporter = vmNext.get(ram, next);
  } else if (end > vmStart.get(ram, next)) {
    plan.adjustNext = end - vmStart.get(ram, next);
    plan.exporter = next;
    plan.importer = vma;
  } else if (end < vmEnd.get(ram, vma)) {
    plan.adjustNext = end - vmEnd.get(ram, vma);
    plan.exporter = vma;
    plan.importer = next;
  }
  return plan;
}

/** One pass: the bounds under the locks of the reverse maps, then the tree. */
function* moveBounds(k: Context, mm: KPtr, plan: Plan, start: number, pgoff: number, insert: KPtr): Work {
  const ram = k.ram;
  const { kept, next } = plan;
  const object = vmFile.get(ram, kept);
  if (object !== NULL) yield* objectMapLock(k, object);
  let anonVma = vmAnonVma.get(ram, kept);
  if (anonVma === NULL && plan.adjustNext !== 0) anonVma = vmAnonVma.get(ram, next);
  if (anonVma !== NULL) {
    yield* anonVmaLockWrite(k, anonVma);
    yield* preUpdateVma(k, kept);
    if (plan.adjustNext !== 0) yield* preUpdateVma(k, next);
  }
  const startChanged = start !== vmStart.get(ram, kept);
  const endChanged = plan.end !== vmEnd.get(ram, kept);
  if (startChanged) {
    if (k.point(COST_ACCESS)) yield;
    vmStart.set(ram, kept, start);
  }
  if (endChanged) {
    if (k.point(COST_ACCESS)) yield;
    vmEnd.set(ram, kept, plan.end);
  }
  if (k.point(COST_ACCESS)) yield;
  vmPgoff.set(ram, kept, pgoff);
  if (plan.adjustNext !== 0) {
    if (k.point(COST_ACCESS)) yield;
    vmStart.set(ram, next, vmStart.get(ram, next) + plan.adjustNext);
    if (k.point(COST_ACCESS)) yield;
    vmPgoff.set(ram, next, vmPgoff.get(ram, next) + plan.adjustNext);
  }
  if (plan.remove !== 0) {
    yield* unlinkVma(k, mm, next);
    if (object !== NULL) removeObjectVma(k, next);
  } else if (insert !== NULL) {
    if (!(yield* insertVma(k, mm, insert)))
      k.kernel.assertionFailed(k, "vma-overlap", "BUG: a split VMA overlaps another");
    if (object !== NULL) addObjectVma(k, insert);
    if (startChanged) updateGap(ram, kept);
  } else {
    if (startChanged) updateGap(ram, kept);
    if (endChanged) {
      if (next === NULL) mmHighestVmEnd.set(ram, mm, plan.end);
      else updateGap(ram, next);
    }
  }
  if (anonVma !== NULL) {
    yield* postUpdateVma(k, kept);
    if (plan.adjustNext !== 0) yield* postUpdateVma(k, next);
    yield* anonVmaUnlockWrite(k, anonVma);
  }
  if (object !== NULL) yield* objectMapUnlock(k, object);
}

/** What the merged VMA held goes; its reverse map is the survivor's. */
function* disposeOfNext(k: Context, plan: Plan): Work {
  const ram = k.ram;
  const gone = plan.next;
  const object = vmFile.get(ram, gone);
  if (object !== NULL) yield* shmemPut(k, object);
  if (vmAnonVma.get(ram, gone) !== NULL) yield* unlinkAnonVmas(k, gone);
  freeVma(k, gone);
}

/**
 * split_vma(): cuts a VMA at `page`.
 * @param part which side the new VMA is
 * @returns 0 or -ENOMEM
 */
export function* splitVma(
  k: Context,
  mm: KPtr,
  vma: KPtr,
  page: number,
  part: "below" | "above",
): Work<number> {
  if (mmMapCount.get(k.ram, mm) >= MAX_MAP_COUNT) return -ENOMEM;
  return yield* splitVmaUnchecked(k, vma, page, part);
}

/** __split_vma(): the same without the limit, for callers that free a VMA right afterwards. */
export function* splitVmaUnchecked(
  k: Context,
  vma: KPtr,
  page: number,
  part: "below" | "above",
): Work<number> {
  const ram = k.ram;
  const fresh = yield* duplicateVma(k, vma);
  if (fresh === NULL) return -ENOMEM;
  const start = vmStart.get(ram, vma);
  const pgoff = vmPgoff.get(ram, vma);
  if (part === "below") {
    vmEnd.set(ram, fresh, page);
  } else {
    vmStart.set(ram, fresh, page);
    vmPgoff.set(ram, fresh, pgoff + page - start);
  }
  const error = yield* anonVmaClone(k, fresh, vma);
  if (error !== 0) {
    freeVma(k, fresh);
    return error;
  }
  yield* getVmaObject(k, fresh);
  if (part === "below") {
    return yield* vmaAdjust(k, vma, page, vmEnd.get(ram, vma), pgoff + page - start, fresh, NULL);
  }
  return yield* vmaAdjust(k, vma, start, page, pgoff, fresh, NULL);
}

/**
 * vma_merge(): makes pages start … end-1 part of a neighbour, or of both, if they are alike. The range is free, or is
 * the tail or head of VMAs that are to change to what the key says.
 * @param previous the VMA below the range, or that contains its start; NULL: none
 * @returns the VMA that covers the range now, or NULL: nothing changed
 */
export function mergeVma(
  k: Context,
  mm: KPtr,
  previous: KPtr,
  start: number,
  end: number,
  key: MergeKey,
): Work<KPtr> {
  const ram = k.ram;
  const pages = end - start;
  const area = previous === NULL ? mmMmap.get(ram, mm) : vmNext.get(ram, previous);
  const next = area !== NULL && vmEnd.get(ram, area) === end ? vmNext.get(ram, area) : area;
  const joinsNext =
    next !== NULL && end === vmStart.get(ram, next) && canMergeBefore(ram, next, key, key.pgoff + pages);
  if (previous !== NULL && vmEnd.get(ram, previous) === start && canMergeAfter(ram, previous, key)) {
    const both =
      joinsNext && mergeableAnonVma(ram, vmAnonVma.get(ram, previous), vmAnonVma.get(ram, next), NULL);
    const newEnd = both ? vmEnd.get(ram, next) : end;
    const first = vmStart.get(ram, previous);
    return grown(k, previous, first, newEnd, vmPgoff.get(ram, previous), previous);
  }
  if (!joinsNext) return NO_VMA;
  if (previous !== NULL && start < vmEnd.get(ram, previous)) {
    const first = vmStart.get(ram, previous);
    return grown(k, previous, first, start, vmPgoff.get(ram, previous), next);
  }
  const pgoff = vmPgoff.get(ram, next) - pages;
  return grown(k, area, start, vmEnd.get(ram, next), pgoff, next);
}

const NO_VMA: Work<KPtr> = done(NULL);

/** vmaAdjust() for a merge: `into`, or NULL if there is no memory. */
function* grown(k: Context, vma: KPtr, start: number, end: number, pgoff: number, into: KPtr): Work<KPtr> {
  const error = yield* vmaAdjust(k, vma, start, end, pgoff, NULL, into);
  return error === 0 ? into : NULL;
}

function isMergeable(ram: PhysicalMemory, vma: KPtr, key: MergeKey): boolean {
  return (
    ((vmFlags.get(ram, vma) ^ key.flags) & ~VM_SOFTDIRTY) === 0 &&
    vmFlagsHi.get(ram, vma) === key.flagsHi &&
    vmFile.get(ram, vma) === key.object
  );
}

/** A VMA whose links come from several processes is left alone, so that their trees stay small. */
function mergeableAnonVma(ram: PhysicalMemory, first: KPtr, second: KPtr, vma: KPtr): boolean {
  if ((first === NULL || second === NULL) && (vma === NULL || chainIsSingular(ram, vma))) return true;
  return first === second;
}

function canMergeBefore(ram: PhysicalMemory, vma: KPtr, key: MergeKey, pgoff: number): boolean {
  return (
    isMergeable(ram, vma, key) &&
    mergeableAnonVma(ram, key.anonVma, vmAnonVma.get(ram, vma), vma) &&
    vmPgoff.get(ram, vma) === pgoff
  );
}

function canMergeAfter(ram: PhysicalMemory, vma: KPtr, key: MergeKey): boolean {
  const pages = vmEnd.get(ram, vma) - vmStart.get(ram, vma);
  return (
    isMergeable(ram, vma, key) &&
    mergeableAnonVma(ram, key.anonVma, vmAnonVma.get(ram, vma), vma) &&
    vmPgoff.get(ram, vma) + pages === key.pgoff
  );
}
