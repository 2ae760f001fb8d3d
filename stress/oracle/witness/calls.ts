/**
 * Calls on the model: what each does to an address space and returns, from the manual pages mmap(2), mprotect(2),
 * mremap(2), madvise(2), brk(2) and the order of checks in Linux 5.17. An argument is an address or length in bytes, exact
 * below 2^53; larger ones are not replayed.
 */
import { MIN_PAGE, type VmaModel } from "./vma-model.ts";

const PAGE_BYTES = 4096;
/** No prediction: the model takes over what is there. */
export const UNKNOWN: number = Number.NaN;

const EPERM = -1;
const EFAULT = -14;
const EEXIST = -17;
const EINVAL = -22;
const ENOMEM = -12;

const PROT_ALL = 7;
const PROT_SEM = 8;
const PROT_GROWS = 0x0300_0000;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_TYPE = 0xf;
const MAP_FIXED = 0x10;
const MAP_GROWSDOWN = 0x100;
const MAP_NORESERVE = 0x4000;
const MAP_FIXED_NOREPLACE = 0x10_0000;
const MREMAP_MAYMOVE = 1;
const MREMAP_FIXED = 2;
const MREMAP_DONTUNMAP = 4;
const MADV_DONTFORK = 10;
const MADV_DOFORK = 11;
const MADV_WIPEONFORK = 18;
const MADV_KEEPONFORK = 19;
const MADV_FREE = 8;
/** Advice whose result depends on more than the mappings. */
const MADV_POPULATE_READ = 22;
const MADV_POPULATE_WRITE = 23;

/** A call with its arguments, as numbers. */
export interface Call {
  name: string;
  readonly args: Float64Array;
}

/** The calls whose results the model knows. */
export const MODELLED: ReadonlySet<string> = new Set([
  "mmap",
  "munmap",
  "mprotect",
  "mremap",
  "madvise",
  "brk",
]);

/** Calls that change mappings in ways that the model does not follow: it takes over what is there. */
export const NOT_FOLLOWED: ReadonlySet<string> = new Set(["pkey_mprotect"]);

/** Does a call that has taken mmap_lock. @returns its result; UNKNOWN: do not ask */
export function replay(model: VmaModel, call: Call): number {
  const [a, b, c, d, e] = call.args as unknown as [number, number, number, number, number];
  if (a >= 2 ** 53 || b >= 2 ** 53 || c >= 2 ** 53) return UNKNOWN;
  switch (call.name) {
    case "mmap":
      return map(model, a, b, c, d);
    case "munmap":
      return unmap(model, a, b);
    case "mprotect":
      return protect(model, a, b, c);
    case "mremap":
      return remap(model, a, b, c, d, e);
    case "madvise":
      return advise(model, a, b, c);
    case "brk":
      return setBreak(model, a);
    default:
      return UNKNOWN;
  }
}

/** A result that a call may have without ever taking mmap_lock: an argument is wrong, there is nothing to do, or it was killed. */
export function needsNoLock(call: Call, result: number): boolean {
  if (result < 0) return true;
  if (call.name === "brk") return true;
  return result === 0 && call.args[1] === 0;
}

function map(model: VmaModel, address: number, length: number, prot: number, flags: number): number {
  if (length === 0) return EINVAL;
  const pages = pagesOf(length);
  const { taskSize, taskSizeMax, memoryPages } = model.layout;
  const fixed = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) !== 0;
  let start = Math.floor(address / PAGE_BYTES);
  // A hint above the window asks for the upper part of a large address space.
  if (!fixed && start >= taskSize) return UNKNOWN;
  if (fixed) {
    if (pages > taskSizeMax || start > taskSizeMax - pages) return ENOMEM;
    if (address % PAGE_BYTES !== 0) return EINVAL;
    if (start < MIN_PAGE) return EPERM;
  } else {
    const place = model.place(pages, start === 0 ? 0 : Math.max(start, MIN_PAGE));
    if (place === undefined) return UNKNOWN;
    start = place;
  }
  if ((flags & MAP_FIXED_NOREPLACE) !== 0 && model.overlaps(start, start + pages)) return EEXIST;
  const type = flags & MAP_TYPE;
  const growsDown = (flags & MAP_GROWSDOWN) !== 0;
  if (type !== MAP_SHARED && type !== MAP_PRIVATE) return EINVAL;
  if (type === MAP_SHARED && growsDown) return EINVAL;
  const shared = type === MAP_SHARED;
  const promised = !shared && (prot & 2) !== 0 && (flags & MAP_NORESERVE) === 0;
  if ((promised || shared) && pages > memoryPages) return UNKNOWN;
  const attributes = {
    rights: prot & PROT_ALL,
    shared,
    growsDown,
    dontFork: false,
    wipeOnFork: false,
    keyed: false,
  };
  model.map(start, start + pages, attributes);
  return start * PAGE_BYTES;
}

function unmap(model: VmaModel, address: number, length: number): number {
  const pages = pagesOf(length);
  const start = address / PAGE_BYTES;
  const { taskSizeMax } = model.layout;
  if (address % PAGE_BYTES !== 0 || pages === 0) return EINVAL;
  if (start > taskSizeMax || pages > taskSizeMax - start) return EINVAL;
  model.unmap(start, start + pages);
  return 0;
}

function protect(model: VmaModel, address: number, length: number, prot: number): number {
  if ((prot & PROT_GROWS) !== 0) return UNKNOWN;
  if (address % PAGE_BYTES !== 0) return EINVAL;
  if (length === 0) return 0;
  if ((prot & ~(PROT_ALL | PROT_SEM)) !== 0) return EINVAL;
  const start = address / PAGE_BYTES;
  const end = start + pagesOf(length);
  // What lies before the first hole is changed.
  const hole = model.firstHole(start, end);
  if (hole > start) model.change(start, hole, { rights: prot & PROT_ALL });
  return hole < end ? ENOMEM : 0;
}

function advise(model: VmaModel, address: number, length: number, advice: number): number {
  if (advice === MADV_POPULATE_READ || advice === MADV_POPULATE_WRITE) return UNKNOWN;
  if (address % PAGE_BYTES !== 0) return EINVAL;
  if (length === 0) return 0;
  const start = address / PAGE_BYTES;
  const end = start + pagesOf(length);
  const treated = model.ranges.filter((range) => range.end > start && range.start < end);
  for (const range of treated) {
    if (range.shared && (advice === MADV_FREE || advice === MADV_WIPEONFORK)) return EINVAL;
    const from = Math.max(range.start, start);
    const to = Math.min(range.end, end);
    if (advice === MADV_DONTFORK) model.change(from, to, { dontFork: true });
    if (advice === MADV_DOFORK) model.change(from, to, { dontFork: false });
    if (advice === MADV_WIPEONFORK) model.change(from, to, { wipeOnFork: true });
    if (advice === MADV_KEEPONFORK) model.change(from, to, { wipeOnFork: false });
  }
  return model.covers(start, end) ? 0 : ENOMEM;
}

function remap(
  model: VmaModel,
  address: number,
  oldLength: number,
  newLength: number,
  flags: number,
  target: number,
): number {
  const start = address / PAGE_BYTES;
  const oldPages = pagesOf(oldLength);
  const newPages = pagesOf(newLength);
  if (newPages === 0) return EINVAL;
  if (model.at(start) === undefined) return EFAULT;
  if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0) {
    return remapTo(model, start, oldPages, newPages, flags, target);
  }
  if (oldPages >= newPages) {
    model.unmap(start + newPages, start + oldPages);
    return address;
  }
  const error = checkResize(model, start, oldPages);
  if (error !== 0) return error;
  const range = model.at(start)!;
  const end = start + newPages;
  const room = !model.overlaps(range.end, end) && end <= model.layout.taskSizeMax;
  if (start + oldPages === range.end && room) {
    model.map(range.end, end, range);
    return address;
  }
  if ((flags & MREMAP_MAYMOVE) === 0) return ENOMEM;
  const place = model.place(newPages, 0);
  return place === undefined ? UNKNOWN : move(model, start, oldPages, newPages, place, "unmap");
}

function remapTo(
  model: VmaModel,
  start: number,
  length: number,
  newPages: number,
  flags: number,
  target: number,
): number {
  const { taskSizeMax } = model.layout;
  let oldPages = length;
  const to = target / PAGE_BYTES;
  if (target % PAGE_BYTES !== 0 || newPages > taskSizeMax || to > taskSizeMax - newPages) return EINVAL;
  if (start + oldPages > to && to + newPages > start) return EINVAL;
  const fixed = (flags & MREMAP_FIXED) !== 0;
  if (fixed) model.unmap(to, to + newPages);
  if (oldPages > newPages) {
    model.unmap(start + newPages, start + oldPages);
    oldPages = newPages;
  }
  if (model.at(start) === undefined) return EFAULT;
  const error = checkResize(model, start, oldPages);
  if (error !== 0) return error;
  if (fixed && to < MIN_PAGE) return EPERM;
  const place = fixed ? to : model.place(newPages, to);
  if (place === undefined) return UNKNOWN;
  return move(model, start, oldPages, newPages, place, (flags & MREMAP_DONTUNMAP) !== 0 ? "keep" : "unmap");
}

function checkResize(model: VmaModel, start: number, oldPages: number): number {
  const range = model.at(start)!;
  if (oldPages === 0 && !range.shared) return EINVAL;
  return oldPages > range.end - start ? EFAULT : 0;
}

function move(
  model: VmaModel,
  start: number,
  oldPages: number,
  newPages: number,
  to: number,
  old: "keep" | "unmap",
): number {
  const range = model.at(start)!;
  model.map(to, to + newPages, range);
  if (old === "unmap") model.unmap(start, start + oldPages);
  return to * PAGE_BYTES;
}

function setBreak(model: VmaModel, address: number): number {
  const { startBrk, memoryPages } = model.layout;
  if (address < startBrk) return model.brk;
  const to = pagesOf(address);
  const from = pagesOf(model.brk);
  if (to > from) {
    if (to - from > memoryPages) return UNKNOWN;
    if (!model.heapMayReach(to)) return model.brk;
    model.map(from, to, {
      rights: 3,
      shared: false,
      growsDown: false,
      dontFork: false,
      wipeOnFork: false,
      keyed: false,
    });
  } else if (to < from) {
    model.unmap(to, from);
  }
  model.brk = address;
  return address;
}

function pagesOf(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES);
}
