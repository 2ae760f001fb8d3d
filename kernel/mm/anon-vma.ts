/**
 * anon_vma: the objects that lead from an anonymous page to every VMA that may map it (mm/rmap.c, "An introduction to
 * reverse mapping"). A page points to one anon_vma; each anon_vma has an interval tree of chain links (anon_vma_chain),
 * by page offset; each VMA has a list of the links it is in. fork gives a child's VMA links to all anon_vmas of the
 * parent's and one anon_vma of its own. All anon_vmas of one family use the lock of their root.
 */
import type { PhysicalMemory } from "../../mmu/index.ts";
import type { Context, Work } from "../context.ts";
import { COST_ACCESS, COST_ATOMIC } from "../costs.ts";
import { ENOMEM } from "../errno.ts";
import { downWrite, RWSEM, rwsemIsLocked, upWrite } from "../locking/rwsem.ts";
import { spinLock, spinUnlock } from "../locking/spinlock.ts";
import {
  type I32Field,
  type KPtr,
  kptrOf,
  NULL,
  type PtrField,
  StructLayout,
  type U64Field,
} from "../struct.ts";
import { GFP_KERNEL } from "./gfp.ts";
import { ANON_VMA_LOCK, PAGE_TABLE_LOCK } from "./locks.ts";
import { memoryOf } from "./memory.ts";
import { mmPageTableLock } from "./mm-struct.ts";
import {
  RB_NODE,
  type RbAugment,
  rbErase,
  rbFirst,
  rbInsert,
  rbLeft,
  rbNext,
  rbRight,
  rbRoot,
} from "./rbtree.ts";
import {
  anonVmaChainOf,
  VM_ACCESS_FLAGS,
  VM_SOFTDIRTY,
  vmAnonVma,
  vmAnonVmaChain,
  vmEnd,
  vmFile,
  vmFlags,
  vmFlagsHi,
  vmMm,
  vmNext,
  vmPgoff,
  vmPrev,
  vmStart,
} from "./vma.ts";

const anonLayout: StructLayout = new StructLayout("anon_vma");
export const anonRoot: PtrField = anonLayout.ptr("root", "constant");
const ANON_RWSEM: number = anonLayout.embed("rwsem", RWSEM);
export const anonRefcount: I32Field = anonLayout.i32("refcount", "atomic");
/** Children in the tree of anon_vmas, itself included for a root; VMAs whose anon_vma this is. */
export const anonNumChildren: I32Field = anonLayout.i32("num_children", "root->rwsem (write)");
export const anonNumActiveVmas: I32Field = anonLayout.i32("num_active_vmas", "root->rwsem (write)");
export const anonParent: PtrField = anonLayout.ptr("parent", "root->rwsem (write)");
export const anonRbRoot: PtrField = anonLayout.ptr("rb_root", "root->rwsem (write)");
export const ANON_VMA_BYTES: number = anonLayout.sizeBytes;

const chainLayout: StructLayout = new StructLayout("anon_vma_chain");
export const avcVma: PtrField = chainLayout.ptr("vma", "constant");
export const avcAnonVma: PtrField = chainLayout.ptr("anon_vma", "constant");
/** List of the links of one VMA; the head is vma->anon_vma_chain. */
const avcSameVmaNext: PtrField = chainLayout.ptr("same_vma.next", "mmap_lock and page_table_lock");
const avcSameVmaPrev: PtrField = chainLayout.ptr("same_vma.prev", "mmap_lock and page_table_lock");
const AVC_RB: number = chainLayout.embed("rb", RB_NODE);
/** Highest page offset that a link of the subtree covers. */
const avcSubtreeLast: U64Field = chainLayout.u64("rb_subtree_last", "root->rwsem (write)");
export const ANON_VMA_CHAIN_BYTES: number = chainLayout.sizeBytes;

/** List fields by address of the list element, which lies at `same_vma` in a link and at the head in a VMA. */
const LIST_TO_AVC: number = avcSameVmaNext.offset;
const HEAD_TO_VMA: number = vmAnonVmaChain.offset;

function firstPgoff(ram: PhysicalMemory, avc: KPtr): number {
  return vmPgoff.get(ram, avcVma.get(ram, avc));
}

function lastPgoff(ram: PhysicalMemory, avc: KPtr): number {
  const vma = avcVma.get(ram, avc);
  return vmPgoff.get(ram, vma) + vmEnd.get(ram, vma) - vmStart.get(ram, vma) - 1;
}

function avcOfRb(node: KPtr): KPtr {
  return kptrOf(node - AVC_RB);
}

class LastOffsets implements RbAugment {
  compute(ram: PhysicalMemory, node: KPtr): boolean {
    const avc = avcOfRb(node);
    let last = lastPgoff(ram, avc);
    const left = rbLeft.get(ram, node);
    if (left !== NULL) last = Math.max(last, avcSubtreeLast.get(ram, avcOfRb(left)));
    const right = rbRight.get(ram, node);
    if (right !== NULL) last = Math.max(last, avcSubtreeLast.get(ram, avcOfRb(right)));
    if (avcSubtreeLast.get(ram, avc) === last) return false;
    avcSubtreeLast.set(ram, avc, last);
    return true;
  }
  copy(ram: PhysicalMemory, from: KPtr, to: KPtr): void {
    avcSubtreeLast.set(ram, avcOfRb(to), avcSubtreeLast.get(ram, avcOfRb(from)));
  }
}

const LAST: LastOffsets = new LastOffsets();

/** Puts a link into the interval tree of its anon_vma. Locks: the root's lock for write. */
export function* intervalInsert(k: Context, avc: KPtr): Work {
  const ram = k.ram;
  const anonVma = avcAnonVma.get(ram, avc);
  const start = firstPgoff(ram, avc);
  let parent: KPtr = NULL;
  let side: "left" | "right" = "left";
  let node = anonRbRoot.get(ram, anonVma);
  while (node !== NULL) {
    parent = node;
    side = start < firstPgoff(ram, avcOfRb(node)) ? "left" : "right";
    node = side === "left" ? rbLeft.get(ram, node) : rbRight.get(ram, node);
  }
  avcSubtreeLast.set(ram, avc, lastPgoff(ram, avc));
  yield* rbInsert(k, anonRbRoot.at(anonVma), kptrOf(avc + AVC_RB), parent, side, LAST);
}

/** Takes a link out of the interval tree. Locks: the root's lock for write. */
export function* intervalRemove(k: Context, avc: KPtr): Work {
  yield* rbErase(k, anonRbRoot.at(avcAnonVma.get(k.ram, avc)), kptrOf(avc + AVC_RB), LAST);
}

/** The first link after `after` (NULL: the first of all) that covers a page offset; NULL: none. */
export function nextCovering(ram: PhysicalMemory, anonVma: KPtr, pgoff: number, after: KPtr): KPtr {
  const root = kptrOf(anonRbRoot.at(anonVma));
  let node = after === NULL ? rbFirst(ram, root) : rbNext(ram, kptrOf(after + AVC_RB));
  for (; node !== NULL; node = rbNext(ram, node)) {
    const avc = avcOfRb(node);
    if (firstPgoff(ram, avc) > pgoff) return NULL;
    if (lastPgoff(ram, avc) >= pgoff) return avc;
  }
  return NULL;
}

function lockOf(ram: PhysicalMemory, anonVma: KPtr): KPtr {
  return kptrOf(anonRoot.get(ram, anonVma) + ANON_RWSEM);
}

/** Somebody holds the family's lock: its trees may be half changed. For checks. */
export function anonVmaIsLocked(k: Context, anonVma: KPtr): boolean {
  return rwsemIsLocked(k, lockOf(k.ram, anonVma));
}

/** anon_vma_lock_write() on the family's lock. */
export function* anonVmaLockWrite(k: Context, anonVma: KPtr): Work {
  yield* downWrite(k, lockOf(k.ram, anonVma), ANON_VMA_LOCK);
}

export function* anonVmaUnlockWrite(k: Context, anonVma: KPtr): Work {
  yield* upWrite(k, lockOf(k.ram, anonVma), ANON_VMA_LOCK);
}

/** anon_vma_interval_tree_pre_update_vma(): takes all links of a VMA out of the trees before its bounds change. */
export function* preUpdateVma(k: Context, vma: KPtr): Work {
  for (let avc = firstLink(k.ram, vma); avc !== NULL; avc = nextLink(k.ram, vma, avc)) {
    yield* intervalRemove(k, avc);
  }
}

/** anon_vma_interval_tree_post_update_vma(): puts them back. */
export function* postUpdateVma(k: Context, vma: KPtr): Work {
  for (let avc = firstLink(k.ram, vma); avc !== NULL; avc = nextLink(k.ram, vma, avc)) {
    yield* intervalInsert(k, avc);
  }
}

/**
 * Gives a VMA an anon_vma if it has none (anon_vma_prepare). Locks: mmap_lock, either mode.
 * @returns 0 or -ENOMEM
 */
export function* anonVmaPrepare(k: Context, vma: KPtr): Work<number> {
  if (vmAnonVma.get(k.ram, vma) !== NULL) return 0;
  const ram = k.ram;
  const m = memoryOf(k);
  let avc = yield* m.avcCache.allocateZeroed(k, GFP_KERNEL);
  if (avc === NULL) return -ENOMEM;
  let anonVma = findMergeableAnonVma(ram, vma);
  let allocated: KPtr = NULL;
  if (anonVma === NULL) {
    anonVma = yield* allocateAnonVma(k);
    if (anonVma === NULL) {
      m.avcCache.free(k, avc);
      return -ENOMEM;
    }
    anonNumChildren.add(ram, anonVma, 1);
    allocated = anonVma;
  }
  yield* anonVmaLockWrite(k, anonVma);
  // The page-table lock serialises two faults of one VMA.
  const lock = kptrOf(mmPageTableLock.at(vmMm.get(ram, vma)));
  yield* spinLock(k, lock, PAGE_TABLE_LOCK);
  if (vmAnonVma.get(ram, vma) === NULL) {
    if (k.point(COST_ACCESS)) yield;
    vmAnonVma.set(ram, vma, anonVma);
    yield* chainLink(k, vma, avc, anonVma);
    anonNumActiveVmas.add(ram, anonVma, 1);
    allocated = NULL;
    avc = NULL;
  }
  spinUnlock(k, lock, PAGE_TABLE_LOCK);
  yield* anonVmaUnlockWrite(k, anonVma);
  if (allocated !== NULL) yield* putAnonVma(k, allocated);
  if (avc !== NULL) m.avcCache.free(k, avc);
  return 0;
}

/** The anon_vma of a neighbour that could become one VMA with this one, or NULL (find_mergeable_anon_vma). */
export function findMergeableAnonVma(ram: PhysicalMemory, vma: KPtr): KPtr {
  const next = vmNext.get(ram, vma);
  if (next !== NULL) {
    const found = reusableAnonVma(ram, next, vma, next);
    if (found !== NULL) return found;
  }
  const previous = vmPrev.get(ram, vma);
  return previous === NULL ? NULL : reusableAnonVma(ram, previous, previous, vma);
}

function reusableAnonVma(ram: PhysicalMemory, from: KPtr, low: KPtr, high: KPtr): KPtr {
  const compatible =
    vmEnd.get(ram, low) === vmStart.get(ram, high) &&
    vmFile.get(ram, low) === vmFile.get(ram, high) &&
    ((vmFlags.get(ram, low) ^ vmFlags.get(ram, high)) & ~(VM_ACCESS_FLAGS | VM_SOFTDIRTY)) === 0 &&
    vmFlagsHi.get(ram, low) === vmFlagsHi.get(ram, high) &&
    vmPgoff.get(ram, high) === vmPgoff.get(ram, low) + vmEnd.get(ram, low) - vmStart.get(ram, low);
  if (!compatible) return NULL;
  const anonVma = vmAnonVma.get(ram, from);
  return anonVma !== NULL && chainIsSingular(ram, from) ? anonVma : NULL;
}

/** list_is_singular(&vma->anon_vma_chain). */
export function chainIsSingular(ram: PhysicalMemory, vma: KPtr): boolean {
  const first = firstLink(ram, vma);
  return first !== NULL && nextLink(ram, vma, first) === NULL;
}

/**
 * Gives `target` links to all anon_vmas of `source` (anon_vma_clone). A child may take over an anon_vma that has no
 * VMA left and at most one child. Locks: mmap_lock of source.
 * @returns 0 or -ENOMEM, with nothing linked
 */
export function* anonVmaClone(k: Context, target: KPtr, source: KPtr): Work<number> {
  const ram = k.ram;
  const m = memoryOf(k);
  for (let link = lastLink(ram, source); link !== NULL; link = previousLink(ram, source, link)) {
    const avc = yield* m.avcCache.allocateZeroed(k, GFP_KERNEL);
    if (avc === NULL) {
      vmAnonVma.set(ram, target, NULL);
      yield* unlinkAnonVmas(k, target);
      return -ENOMEM;
    }
    const anonVma = avcAnonVma.get(ram, link);
    yield* anonVmaLockWrite(k, anonVma);
    yield* chainLink(k, target, avc, anonVma);
    if (
      vmAnonVma.get(ram, target) === NULL &&
      vmAnonVma.get(ram, source) !== NULL &&
      anonNumChildren.get(ram, anonVma) < 2 &&
      anonNumActiveVmas.get(ram, anonVma) === 0
    ) {
      vmAnonVma.set(ram, target, anonVma);
    }
    yield* anonVmaUnlockWrite(k, anonVma);
  }
  const own = vmAnonVma.get(ram, target);
  if (own !== NULL) anonNumActiveVmas.add(ram, own, 1);
  return 0;
}

/** Links a child's VMA as fork does: to the parent's anon_vmas and to one of its own (anon_vma_fork). */
export function* anonVmaFork(k: Context, child: KPtr, parent: KPtr): Work<number> {
  const ram = k.ram;
  const parentAnon = vmAnonVma.get(ram, parent);
  if (parentAnon === NULL) return 0;
  vmAnonVma.set(ram, child, NULL);
  const error = yield* anonVmaClone(k, child, parent);
  if (error !== 0) return error;
  if (vmAnonVma.get(ram, child) !== NULL) return 0;
  const m = memoryOf(k);
  const anonVma = yield* allocateAnonVma(k);
  const avc = anonVma === NULL ? NULL : yield* m.avcCache.allocateZeroed(k, GFP_KERNEL);
  if (avc === NULL) {
    if (anonVma !== NULL) yield* putAnonVma(k, anonVma);
    yield* unlinkAnonVmas(k, child);
    return -ENOMEM;
  }
  const root = anonRoot.get(ram, parentAnon);
  anonRoot.set(ram, anonVma, root);
  anonParent.set(ram, anonVma, parentAnon);
  anonNumActiveVmas.add(ram, anonVma, 1);
  if (k.point(COST_ATOMIC)) yield;
  anonRefcount.add(ram, root, 1);
  vmAnonVma.set(ram, child, anonVma);
  yield* anonVmaLockWrite(k, anonVma);
  yield* chainLink(k, child, avc, anonVma);
  anonNumChildren.add(ram, parentAnon, 1);
  yield* anonVmaUnlockWrite(k, anonVma);
  return 0;
}

/** Takes a VMA out of all reverse maps (unlink_anon_vmas). Locks: mmap_lock; nobody reaches the VMA any more. */
export function* unlinkAnonVmas(k: Context, vma: KPtr): Work {
  const ram = k.ram;
  const m = memoryOf(k);
  const first = firstLink(ram, vma);
  if (first === NULL) return;
  const root = anonRoot.get(ram, avcAnonVma.get(ram, first));
  yield* anonVmaLockWrite(k, root);
  for (let avc: KPtr = first; avc !== NULL; ) {
    const next = nextLink(ram, vma, avc);
    const anonVma = avcAnonVma.get(ram, avc);
    yield* intervalRemove(k, avc);
    if (anonRbRoot.get(ram, anonVma) === NULL) {
      // The last VMA is gone: the reference is dropped below, outside the lock.
      anonNumChildren.add(ram, anonParent.get(ram, anonVma), -1);
    } else {
      listDelete(ram, avc);
      m.avcCache.free(k, avc);
    }
    avc = next;
  }
  const own = vmAnonVma.get(ram, vma);
  if (own !== NULL) {
    anonNumActiveVmas.add(ram, own, -1);
    if (k.point(COST_ACCESS)) yield;
    vmAnonVma.set(ram, vma, NULL);
  }
  yield* anonVmaUnlockWrite(k, root);
  for (let avc = firstLink(ram, vma); avc !== NULL; avc = firstLink(ram, vma)) {
    const anonVma = avcAnonVma.get(ram, avc);
    listDelete(ram, avc);
    m.avcCache.free(k, avc);
    yield* putAnonVma(k, anonVma);
  }
}

function* allocateAnonVma(k: Context): Work<KPtr> {
  const anonVma = yield* memoryOf(k).anonVmaCache.allocateZeroed(k, GFP_KERNEL);
  if (anonVma === NULL) return NULL;
  anonRefcount.set(k.ram, anonVma, 1);
  anonRoot.set(k.ram, anonVma, anonVma);
  anonParent.set(k.ram, anonVma, anonVma);
  return anonVma;
}

/** put_anon_vma(): drops a reference; the last one frees it and drops its reference to the root. */
function* putAnonVma(k: Context, anonVma: KPtr): Work {
  const ram = k.ram;
  if (k.point(COST_ATOMIC)) yield;
  if (anonRefcount.add(ram, anonVma, -1) !== 0) return;
  const root = anonRoot.get(ram, anonVma);
  memoryOf(k).anonVmaCache.free(k, anonVma);
  if (root !== anonVma) yield* putAnonVma(k, root);
}

/** anon_vma_chain_link(). Locks: the root's lock for write. */
function* chainLink(k: Context, vma: KPtr, avc: KPtr, anonVma: KPtr): Work {
  const ram = k.ram;
  avcVma.set(ram, avc, vma);
  avcAnonVma.set(ram, avc, anonVma);
  const head = anonVmaChainOf(vma);
  const first = vmAnonVmaChain.get(ram, vma);
  const element = kptrOf(avc + LIST_TO_AVC);
  avcSameVmaNext.set(ram, avc, first);
  avcSameVmaPrev.set(ram, avc, head);
  setPrevious(ram, first, element);
  setNext(ram, head, element);
  yield* intervalInsert(k, avc);
}

function setNext(ram: PhysicalMemory, element: KPtr, value: KPtr): void {
  avcSameVmaNext.set(ram, kptrOf(element - LIST_TO_AVC), value);
}

function setPrevious(ram: PhysicalMemory, element: KPtr, value: KPtr): void {
  avcSameVmaPrev.set(ram, kptrOf(element - LIST_TO_AVC), value);
}

function listDelete(ram: PhysicalMemory, avc: KPtr): void {
  const next = avcSameVmaNext.get(ram, avc);
  const previous = avcSameVmaPrev.get(ram, avc);
  setNext(ram, previous, next);
  setPrevious(ram, next, previous);
}

function linkAt(vma: KPtr, element: KPtr): KPtr {
  return element === vma + HEAD_TO_VMA ? NULL : kptrOf(element - LIST_TO_AVC);
}

/** First chain link of a VMA, or NULL. */
export function firstLink(ram: PhysicalMemory, vma: KPtr): KPtr {
  return linkAt(vma, vmAnonVmaChain.get(ram, vma));
}

/** The link after `avc` in the VMA's list, or NULL. */
export function nextLink(ram: PhysicalMemory, vma: KPtr, avc: KPtr): KPtr {
  return linkAt(vma, avcSameVmaNext.get(ram, avc));
}

function lastLink(ram: PhysicalMemory, vma: KPtr): KPtr {
  return linkAt(vma, avcSameVmaPrev.get(ram, kptrOf(anonVmaChainOf(vma) - LIST_TO_AVC)));
}

function previousLink(ram: PhysicalMemory, vma: KPtr, avc: KPtr): KPtr {
  return linkAt(vma, avcSameVmaPrev.get(ram, avc));
}

/** Root word of an anon_vma's interval tree, for checks. */
export function intervalRoot(ram: PhysicalMemory, anonVma: KPtr): KPtr {
  return rbRoot.get(ram, kptrOf(anonRbRoot.at(anonVma)));
}
