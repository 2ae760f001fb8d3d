/**
 * A page of an address space as a chain of incarnations: which frame, as which allocation of it, with which rights, or
 * nothing. Each core goes along the chain, never back. An incarnation that was replaced stays usable by cores that have
 * not left it until it is closed: when the call that replaced it has returned, when a fault that replaced the frame puts
 * the new one in, or, unless the call discards under the read lock, when anybody puts another frame there.
 */
import { EXEC, type Right } from "./vma-model.ts";

/** Incarnations that a page has at most in one run; more are forgotten, oldest first. */
export const MAX_INCARNATIONS = 48;

/** Who replaced an incarnation. */
export const BY_NOBODY = 0;
export const BY_FAULT = 1;
/** munmap, mprotect, mremap, mmap, brk, fork: under mmap_lock for writing, at least in the beginning. */
export const BY_WRITER = 2;
/** madvise: faults go on beside it. */
export const BY_DISCARD = 3;
export type Replacer = typeof BY_NOBODY | typeof BY_FAULT | typeof BY_WRITER | typeof BY_DISCARD;

export class PageChain {
  count = 0;
  /** -1: nothing is mapped. */
  readonly frame: Float64Array = new Float64Array(MAX_INCARNATIONS);
  readonly allocation: Float64Array = new Float64Array(MAX_INCARNATIONS);
  readonly rights: Uint8Array = new Uint8Array(MAX_INCARNATIONS);
  readonly replacer: Uint8Array = new Uint8Array(MAX_INCARNATIONS);
  /** Task that replaced it. */
  readonly replacerPid: Int32Array = new Int32Array(MAX_INCARNATIONS);
  /** Note of the closing event; 0: open. */
  readonly closed: Float64Array = new Float64Array(MAX_INCARNATIONS);
  /** 1: it was closed by another frame in its place. */
  readonly byFrame: Uint8Array = new Uint8Array(MAX_INCARNATIONS);
  /** Note of what set it. */
  readonly made: Float64Array = new Float64Array(MAX_INCARNATIONS);
  /** Newest incarnation that each core has used, for data and for fetch apart. */
  readonly reached: Uint8Array;
  mm = 0;
  page = 0;

  constructor(cores: number) {
    this.reached = new Uint8Array(cores * 2);
  }

  clear(): void {
    this.count = 0;
    this.reached.fill(0);
  }

  /** The page is something else from now on. @param note of the event */
  add(frame: number, allocation: number, rights: number, note: number): void {
    if (this.count === MAX_INCARNATIONS) this.#forgetOldest();
    const at = this.count++;
    this.frame[at] = frame;
    this.allocation[at] = allocation;
    this.rights[at] = rights;
    this.replacer[at] = BY_NOBODY;
    this.replacerPid[at] = 0;
    this.closed[at] = 0;
    this.byFrame[at] = 0;
    this.made[at] = note;
  }

  /** The last incarnation, or -1. */
  get last(): number {
    return this.count - 1;
  }

  /**
   * The oldest incarnation that a core may be in and that permits an access with a frame; -1: none. The core is in it
   * from now on.
   */
  use(core: number, frame: number, allocation: number, right: Right): number {
    const lane = laneOf(core, right);
    for (let at = this.reached[lane]!; at < this.count; at++) {
      if (this.closed[at] !== 0 || !this.#is(at, frame, allocation)) continue;
      if ((this.rights[at]! & right) === 0) continue;
      this.reached[lane] = at;
      return at;
    }
    return -1;
  }

  /** The newest incarnation that had this frame, with the right if `right` is not 0; -1: none. */
  find(frame: number, allocation: number, right: number): number {
    for (let at = this.count - 1; at >= 0; at--) {
      if (this.#is(at, frame, allocation) && (right === 0 || (this.rights[at]! & right) !== 0)) return at;
    }
    return -1;
  }

  /** The newest incarnation with the frame, whatever its allocation; -1: none. */
  findFrame(frame: number): number {
    for (let at = this.count - 1; at >= 0; at--) if (this.frame[at] === frame) return at;
    return -1;
  }

  /** Some incarnation before the last one is open and had the frame. */
  hasOpenBefore(frame: number): boolean {
    for (let at = 0; at < this.last; at++) {
      if (this.frame[at] === frame && this.closed[at] === 0) return true;
    }
    return false;
  }

  #is(at: number, frame: number, allocation: number): boolean {
    return this.frame[at] === frame && this.allocation[at] === allocation;
  }

  #forgetOldest(): void {
    for (const words of [this.frame, this.allocation, this.closed, this.made]) words.copyWithin(0, 1);
    for (const bytes of [this.rights, this.replacer, this.byFrame]) bytes.copyWithin(0, 1);
    this.replacerPid.copyWithin(0, 1);
    for (let lane = 0; lane < this.reached.length; lane++) {
      if (this.reached[lane]! > 0) this.reached[lane]!--;
    }
    this.count--;
  }
}

/** Where a core's progress is kept. */
export function laneOf(core: number, right: Right): number {
  return core * 2 + (right === EXEC ? 1 : 0);
}
