/**
 * Red-black trees in guest RAM, augmented with a value per subtree. A node lies inside its object:
 *
 *     0  parent | colour (bit 0: black)      8  right      16  left
 *
 * A lockless reader may descend while one writer works. What it relies on: every child pointer is stored as one marked
 * word, and the order of the stores never makes a loop in program order, so a descent ends; it may miss nodes that a
 * rotation moves past it, which a sequence check must catch (the comment on lockless lookups in lib/rbtree.c states
 * the rule). Parents and colours are for writers only.
 */
import type { PhysicalMemory } from "../../mmu/index.ts";
import type { Context, Work } from "../context.ts";
import { COST_ACCESS } from "../costs.ts";
import { type KPtr, kptrOf, NULL, PtrField, StructLayout } from "../struct.ts";

/** For embedding. */
export const RB_NODE: StructLayout = new StructLayout("rb_node");
const parentColour: PtrField = RB_NODE.ptr("__rb_parent_color", "tree lock");
/** Child pointers: written marked, read by lockless descents. */
export const rbRight: PtrField = RB_NODE.ptr("rb_right", "tree lock; RCU readers");
export const rbLeft: PtrField = RB_NODE.ptr("rb_left", "tree lock; RCU readers");

/** The word that holds the first node of a tree. */
export const rbRoot: PtrField = new PtrField("rb_node", 0, "tree lock; RCU readers");

const RED = 0;
const BLACK = 1;

/** The value that a tree keeps per subtree. */
export interface RbAugment {
  /** Recomputes the value of a node from itself and its children; true if it changed. */
  compute(ram: PhysicalMemory, node: KPtr): boolean;
  /** Gives a node the value of another, whose place it takes. */
  copy(ram: PhysicalMemory, from: KPtr, to: KPtr): void;
}

/** @hot */
export function rbParent(ram: PhysicalMemory, node: KPtr): KPtr {
  return kptrOf((parentColour.get(ram, node) & ~1) >>> 0);
}

/** A node outside every tree points to itself (RB_CLEAR_NODE). */
export function rbClearNode(ram: PhysicalMemory, node: KPtr): void {
  parentColour.set(ram, node, node);
}

export function rbIsEmptyNode(ram: PhysicalMemory, node: KPtr): boolean {
  return parentColour.get(ram, node) === node;
}

function colour(ram: PhysicalMemory, node: KPtr): number {
  return parentColour.get(ram, node) & 1;
}

function setParentColour(ram: PhysicalMemory, node: KPtr, parent: KPtr, value: number): void {
  parentColour.set(ram, node, kptrOf(parent + value));
}

function setParent(ram: PhysicalMemory, node: KPtr, parent: KPtr): void {
  setParentColour(ram, node, parent, colour(ram, node));
}

/** Leftmost node of a tree, or NULL. */
export function rbFirst(ram: PhysicalMemory, root: number): KPtr {
  let node = rbRoot.get(ram, kptrOf(root));
  if (node === NULL) return NULL;
  for (let left = rbLeft.get(ram, node); left !== NULL; left = rbLeft.get(ram, node)) node = left;
  return node;
}

/** Successor in order, or NULL. */
export function rbNext(ram: PhysicalMemory, start: KPtr): KPtr {
  let node = rbRight.get(ram, start);
  if (node !== NULL) {
    for (let left = rbLeft.get(ram, node); left !== NULL; left = rbLeft.get(ram, node)) node = left;
    return node;
  }
  node = start;
  let parent = rbParent(ram, node);
  while (parent !== NULL && rbRight.get(ram, parent) === node) {
    node = parent;
    parent = rbParent(ram, node);
  }
  return parent;
}

/** Predecessor in order, or NULL. */
export function rbPrevious(ram: PhysicalMemory, start: KPtr): KPtr {
  let node = rbLeft.get(ram, start);
  if (node !== NULL) {
    for (let right = rbRight.get(ram, node); right !== NULL; right = rbRight.get(ram, node)) node = right;
    return node;
  }
  node = start;
  let parent = rbParent(ram, node);
  while (parent !== NULL && rbLeft.get(ram, parent) === node) {
    node = parent;
    parent = rbParent(ram, node);
  }
  return parent;
}

/** Recomputes values from a node upwards until one does not change. */
export function rbPropagate(ram: PhysicalMemory, start: KPtr, stop: KPtr, augment: RbAugment): void {
  for (let node = start; node !== stop; node = rbParent(ram, node)) {
    if (!augment.compute(ram, node)) break;
  }
}

/** The new node takes over the value of the old one's subtree, which the old one now is below. */
function rotated(ram: PhysicalMemory, old: KPtr, replacement: KPtr, augment: RbAugment): void {
  augment.copy(ram, old, replacement);
  augment.compute(ram, old);
}

/** Makes the parent of `old` (or the root) point to `replacement`. */
function* changeChild(k: Context, root: number, parent: KPtr, old: KPtr, replacement: KPtr): Work {
  const ram = k.ram;
  if (k.point(COST_ACCESS)) yield;
  if (parent === NULL) rbRoot.set(ram, kptrOf(root), replacement);
  else if (rbLeft.get(ram, parent) === old) rbLeft.set(ram, parent, replacement);
  else rbRight.set(ram, parent, replacement);
}

/** `replacement` takes the parent and colour of `old`, and `old` becomes its child of the given colour. */
function* takePlace(k: Context, root: number, old: KPtr, replacement: KPtr, oldColour: number): Work {
  const ram = k.ram;
  const parent = rbParent(ram, old);
  parentColour.set(ram, replacement, parentColour.get(ram, old));
  setParentColour(ram, old, replacement, oldColour);
  yield* changeChild(k, root, parent, old, replacement);
}

function* store(k: Context, field: PtrField, node: KPtr, value: KPtr): Work {
  if (k.point(COST_ACCESS)) yield;
  field.set(k.ram, node, value);
}

/**
 * Links a new node below `parent` (NULL: as the root) and rebalances. The caller has found the place; `side` says
 * which child of the parent it is. The node's own value must be valid for a leaf, and those above it up to date.
 * Locks: the tree's writer lock.
 */
export function* rbInsert(
  k: Context,
  root: number,
  inserted: KPtr,
  parentAt: KPtr,
  side: "left" | "right",
  augment: RbAugment,
): Work {
  const ram = k.ram;
  setParentColour(ram, inserted, parentAt, RED);
  rbLeft.set(ram, inserted, NULL);
  rbRight.set(ram, inserted, NULL);
  if (parentAt === NULL) yield* store(k, rbRoot, kptrOf(root), inserted);
  else yield* store(k, side === "left" ? rbLeft : rbRight, parentAt, inserted);
  augment.compute(ram, inserted);
  if (parentAt !== NULL) rbPropagate(ram, parentAt, NULL, augment);

  let node = inserted;
  for (;;) {
    let parent = rbParent(ram, node);
    if (parent === NULL) {
      setParentColour(ram, node, NULL, BLACK);
      return;
    }
    if (colour(ram, parent) === BLACK) return;
    const grand = rbParent(ram, parent);
    // The parent hangs on one side of the grandparent: `near` is that side, `far` the uncle's.
    const near = rbLeft.get(ram, grand) === parent ? rbLeft : rbRight;
    const far = near === rbLeft ? rbRight : rbLeft;
    const uncle = far.get(ram, grand);
    if (uncle !== NULL && colour(ram, uncle) === RED) {
      setParentColour(ram, uncle, grand, BLACK);
      setParentColour(ram, parent, grand, BLACK);
      setParentColour(ram, grand, rbParent(ram, grand), RED);
      node = grand;
      continue;
    }
    if (far.get(ram, parent) === node) {
      const inner = near.get(ram, node);
      yield* store(k, far, parent, inner);
      yield* store(k, near, node, parent);
      if (inner !== NULL) setParentColour(ram, inner, parent, BLACK);
      setParentColour(ram, parent, node, RED);
      rotated(ram, parent, node, augment);
      parent = node;
    }
    const inner = far.get(ram, parent);
    yield* store(k, near, grand, inner);
    yield* store(k, far, parent, grand);
    if (inner !== NULL) setParentColour(ram, inner, grand, BLACK);
    yield* takePlace(k, root, grand, parent, RED);
    rotated(ram, grand, parent, augment);
    return;
  }
}

/** Unlinks a node and rebalances. Its own pointers stay as they were, for readers that stand on it. */
export function* rbErase(k: Context, root: number, node: KPtr, augment: RbAugment): Work {
  const ram = k.ram;
  const left = rbLeft.get(ram, node);
  const right = rbRight.get(ram, node);
  let fixFrom: KPtr = NULL;
  let recompute: KPtr;
  if (left === NULL || right === NULL) {
    const child = left === NULL ? right : left;
    const parent = rbParent(ram, node);
    yield* changeChild(k, root, parent, node, child);
    if (child !== NULL) parentColour.set(ram, child, parentColour.get(ram, node));
    else if (colour(ram, node) === BLACK) fixFrom = parent;
    recompute = parent;
  } else {
    // The successor takes the node's place.
    let successor = right;
    let parent = successor;
    let orphan: KPtr;
    const leftmost = rbLeft.get(ram, right);
    if (leftmost === NULL) {
      orphan = rbRight.get(ram, successor);
      augment.copy(ram, node, successor);
    } else {
      for (let at = leftmost; at !== NULL; at = rbLeft.get(ram, at)) {
        parent = successor;
        successor = at;
      }
      orphan = rbRight.get(ram, successor);
      yield* store(k, rbLeft, parent, orphan);
      yield* store(k, rbRight, successor, right);
      setParent(ram, right, successor);
      augment.copy(ram, node, successor);
      rbPropagate(ram, parent, successor, augment);
    }
    yield* store(k, rbLeft, successor, left);
    setParent(ram, left, successor);
    yield* changeChild(k, root, rbParent(ram, node), node, successor);
    if (orphan !== NULL) setParentColour(ram, orphan, parent, BLACK);
    else if (colour(ram, successor) === BLACK) fixFrom = parent;
    parentColour.set(ram, successor, parentColour.get(ram, node));
    recompute = successor;
  }
  if (recompute !== NULL) rbPropagate(ram, recompute, NULL, augment);
  if (fixFrom !== NULL) yield* fixDoubleBlack(k, root, fixFrom, augment);
}

/** Restores equal black heights after a black node vanished below `start`, on its side without a child. */
function* fixDoubleBlack(k: Context, root: number, start: KPtr, augment: RbAugment): Work {
  const ram = k.ram;
  let parent = start;
  let node: KPtr = NULL;
  for (;;) {
    // A node that lacks one black: its sibling exists.
    const far = rbRight.get(ram, parent) !== node ? rbRight : rbLeft;
    const near = far === rbRight ? rbLeft : rbRight;
    let sibling = far.get(ram, parent);
    if (colour(ram, sibling) === RED) {
      const inner = near.get(ram, sibling);
      yield* store(k, far, parent, inner);
      yield* store(k, near, sibling, parent);
      setParentColour(ram, inner, parent, BLACK);
      yield* takePlace(k, root, parent, sibling, RED);
      rotated(ram, parent, sibling, augment);
      sibling = inner;
    }
    let outer = far.get(ram, sibling);
    if (outer === NULL || colour(ram, outer) === BLACK) {
      const inner = near.get(ram, sibling);
      if (inner === NULL || colour(ram, inner) === BLACK) {
        setParentColour(ram, sibling, parent, RED);
        if (colour(ram, parent) === RED) {
          setParentColour(ram, parent, rbParent(ram, parent), BLACK);
          return;
        }
        node = parent;
        parent = rbParent(ram, node);
        if (parent === NULL) return;
        continue;
      }
      const beyond = far.get(ram, inner);
      yield* store(k, near, sibling, beyond);
      yield* store(k, far, inner, sibling);
      yield* store(k, far, parent, inner);
      if (beyond !== NULL) setParentColour(ram, beyond, sibling, BLACK);
      rotated(ram, sibling, inner, augment);
      outer = sibling;
      sibling = inner;
    }
    const inner = near.get(ram, sibling);
    yield* store(k, far, parent, inner);
    yield* store(k, near, sibling, parent);
    setParentColour(ram, outer, sibling, BLACK);
    if (inner !== NULL) setParent(ram, inner, parent);
    yield* takePlace(k, root, parent, sibling, BLACK);
    rotated(ram, parent, sibling, augment);
    return;
  }
}
