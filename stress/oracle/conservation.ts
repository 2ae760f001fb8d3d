/**
 * I13: when nothing is in progress, everything that was taken is either given back or accounted for. Frames: every one that
 * was handed out, or lost an entry, since the start state is free, or belongs to exactly what its descriptor says it is.
 * Objects: each cache has as many in use as can be reached. References and map counts of pages are those of the entries.
 */
import {
  anonParent,
  anonRoot,
  avcAnonVma,
  batchFrames,
  firstLink,
  type Kernel,
  type KPtr,
  type Memory,
  mmMmap,
  mmMmapSeq,
  mmPgd,
  mmUsers,
  NULL,
  nextLink,
  PG_RESERVED,
  PG_SLAB,
  pageFlags,
  pageMapcount,
  pagePrivate,
  pageRefcount,
  shmemFrames,
  TABLE_TYPE,
  vmAnonVma,
  vmFile,
  vmNext,
} from "../../kernel/index.ts";
import type { AddressSpaceCheck, Broken } from "./address-space.ts";
import type { Slots } from "./slots.ts";

/** THREAD_SIZE in frames, and the order of such a block. */
const STACK_FRAMES = 4;
const STACK_ORDER = 2;

/** What a frame is to those who hold it. Bits. */
const IS_TABLE = 1;
const IS_KERNEL = 2;

/** What is reachable; used again from one look to the next. */
export class Inventory {
  /** Per frame: the look in which it was met; what is said of it holds in that look alone. */
  readonly #met: Int32Array;
  readonly #entries: Int32Array;
  readonly #kinds: Uint8Array;
  #look = 0;
  readonly anonVmas: Set<KPtr> = new Set();
  readonly objects: Set<KPtr> = new Set();
  vmas = 0;
  links = 0;

  constructor(frames: number) {
    this.#met = new Int32Array(frames);
    this.#entries = new Int32Array(frames);
    this.#kinds = new Uint8Array(frames);
  }

  clear(): void {
    this.#look++;
    this.anonVmas.clear();
    this.objects.clear();
    this.vmas = 0;
    this.links = 0;
  }

  table(frame: number): void {
    this.#meet(frame);
    this.#kinds[frame]! |= IS_TABLE;
  }

  /** An entry maps it. */
  page(frame: number): void {
    this.#meet(frame);
    this.#entries[frame]!++;
  }

  /** The kernel has it for itself. */
  own(frame: number): void {
    this.#meet(frame);
    this.#kinds[frame]! |= IS_KERNEL;
  }

  entriesOf(frame: number): number {
    return this.#met[frame] === this.#look ? this.#entries[frame]! : 0;
  }

  isTable(frame: number): boolean {
    return this.#met[frame] === this.#look && (this.#kinds[frame]! & IS_TABLE) !== 0;
  }

  isOwn(frame: number): boolean {
    return this.#met[frame] === this.#look && (this.#kinds[frame]! & IS_KERNEL) !== 0;
  }

  #meet(frame: number): void {
    if (this.#met[frame] === this.#look) return;
    this.#met[frame] = this.#look;
    this.#entries[frame] = 0;
    this.#kinds[frame] = 0;
  }
}

export interface Census {
  /** mm_structs that are allocated. */
  readonly mms: ReadonlySet<KPtr>;
  /** Frames handed out, or taken out of an address space, since the start state. */
  readonly touched: readonly number[];
  /** VMAs that wait for their grace period. */
  readonly waitingVmas: number;
  /** Batches of page tables that wait for theirs. */
  readonly waitingBatches: ReadonlySet<KPtr>;
  /** Per frame, 1: the kernel has it for itself since before the start state. */
  readonly kernelFrames: Uint8Array;
}

/** Whether no kernel code is in progress, so that the books must balance. @param apart a task that is, or null */
export function isSettled(kernel: Kernel, apart: object | null): boolean {
  for (const queue of kernel.sched.queues) {
    if (queue.unfinishedSwitch) return false;
    if (queue.idle.context.traps.length !== 0) return false;
  }
  for (const task of kernel.sched.tasks()) {
    if (task !== apart && task.context.traps.length !== 0) return false;
  }
  return true;
}

/** The first imbalance, or null. Nothing else runs meanwhile. */
export function imbalance(
  kernel: Kernel,
  census: Census,
  check: AddressSpaceCheck,
  slots: Slots,
  found: Inventory,
): Broken | null {
  const m = kernel.memory as Memory;
  found.clear();
  for (const mm of census.mms) {
    found.table(mmPgd.get(m.ram, mm) / 4096);
    if (mmUsers.get(m.ram, mm) <= 0) continue;
    const broken = check.whole(mm, found) ?? brokenSequence(m, mm);
    if (broken !== null) return broken;
    countObjects(m, mm, found);
  }
  const visit = {
    frame: (frame: number): void => found.own(frame),
    nextSlot: (frame: number, from: number): number => slots.next(frame, from),
  };
  for (const object of found.objects) shmemFrames(m, object, visit);
  for (const batch of census.waitingBatches) addBatch(m, batch, found);
  for (const task of kernel.sched.tasks()) addStack(found, task.at);
  for (const queue of kernel.sched.queues) addStack(found, queue.idle.at);
  for (const frame of census.touched) {
    const broken = brokenFrame(m, frame, found, census.kernelFrames);
    if (broken !== null) return broken;
  }
  return (
    wrong("vm_area_struct", m.vmaCache.inUse, found.vmas + census.waitingVmas) ??
    wrong("mm_struct", m.mmCache.inUse, census.mms.size) ??
    wrong("percpu_rwsem", m.countsCache.inUse, census.mms.size) ??
    wrong("anon_vma_chain", m.avcCache.inUse, found.links) ??
    wrong("anon_vma", m.anonVmaCache.inUse, found.anonVmas.size) ??
    wrong("shmem_inode", m.shmemCache.inUse, found.objects.size)
  );
}

/** A sequence count that is odd while nobody writes keeps every speculative fault out, for ever. */
function brokenSequence(m: Memory, mm: KPtr): Broken | null {
  const count = mmMmapSeq.get(m.ram, mm);
  if (count % 2 === 0) return null;
  return { invariant: "I10", page: -1, text: `mmap_seq is odd (${count}) and nobody is writing` };
}

function addBatch(m: Memory, batch: KPtr, found: Inventory): void {
  const frames = batchFrames(m, batch);
  for (const [index, frame] of frames.entries()) {
    if (index < frames.length - 1) found.table(frame);
    else found.own(frame);
  }
}

function addStack(found: Inventory, at: number): void {
  for (let frame = 0; frame < STACK_FRAMES; frame++) found.own(at / 4096 + frame);
}

function countObjects(m: Memory, mm: KPtr, found: Inventory): void {
  const { ram } = m;
  for (let vma = mmMmap.get(ram, mm); vma !== NULL; vma = vmNext.get(ram, vma)) {
    found.vmas++;
    const object = vmFile.get(ram, vma);
    if (object !== NULL) found.objects.add(object);
    addAnonVma(m, vmAnonVma.get(ram, vma), found);
    for (let avc = firstLink(ram, vma); avc !== NULL; avc = nextLink(ram, vma, avc)) {
      found.links++;
      addAnonVma(m, avcAnonVma.get(ram, avc), found);
    }
  }
}

/** A child keeps its parent and its root. */
function addAnonVma(m: Memory, anonVma: KPtr, found: Inventory): void {
  for (let at = anonVma; at !== NULL && !found.anonVmas.has(at); at = anonParent.get(m.ram, at)) {
    found.anonVmas.add(at);
    found.anonVmas.add(anonRoot.get(m.ram, at));
  }
}

function brokenFrame(m: Memory, frame: number, found: Inventory, kernelFrames: Uint8Array): Broken | null {
  const { ram } = m;
  const page = m.frames.map.page(frame);
  const references = pageRefcount.get(ram, page);
  const flags = pageFlags.get(ram, page);
  const mapcount = pageMapcount.get(ram, page);
  const entries = found.entriesOf(frame);
  if ((flags & PG_RESERVED) !== 0) return null;
  if (references === 0) {
    return entries === 0
      ? null
      : broke(`frame 0x${frame.toString(16)} is free, but ${entries} entries map it`);
  }
  if ((flags & PG_SLAB) !== 0) return null;
  if (mapcount === TABLE_TYPE) {
    return found.isTable(frame)
      ? null
      : broke(`frame 0x${frame.toString(16)} is a page table of no address space`);
  }
  const own = found.isOwn(frame) || kernelFrames[frame] !== 0 || isInBlock(m, frame) ? 1 : 0;
  if (mapcount + 1 !== entries)
    return broke(`frame 0x${frame.toString(16)} has map count ${mapcount}, but ${entries} entries`);
  if (references !== entries + own) {
    return broke(
      `frame 0x${frame.toString(16)} has ${references} references, but ${entries + own} are known`,
    );
  }
  return null;
}

/** Blocks of several frames are kernel stacks, of tasks that nobody waited for too. Their leaks are not looked for. */
function isInBlock(m: Memory, frame: number): boolean {
  const head = m.frames.map.page(frame - (frame % STACK_FRAMES));
  return pageRefcount.get(m.ram, head) === 1 && pagePrivate.get(m.ram, head) === STACK_ORDER;
}

function wrong(cache: string, inUse: number, reachable: number): Broken | null {
  return inUse === reachable
    ? null
    : broke(`${inUse} objects of ${cache} are in use, ${reachable} can be reached`);
}

function broke(text: string): Broken {
  return { invariant: "I13", page: -1, text };
}
