/**
 * The slots of 8 bytes of a frame that are not empty. Tables are empty for the most part, and most of them are not
 * written in a run: of a frame without a dirty mark it is remembered which slots were in use at the start state.
 */
import { FRAME_DIRTY, type PhysicalMemory } from "../../mmu/index.ts";

/** Slots of a frame. */
export const SLOTS = 512;
const WORDS = SLOTS / 32;

export class Slots {
  readonly #ram: PhysicalMemory;
  /** By frame: a bit for each slot that was in use at the start; null before there is one. */
  #atStart: (Int32Array | undefined)[] | null = null;

  constructor(ram: PhysicalMemory) {
    this.#ram = ram;
  }

  /** From now on a frame without a dirty mark is as it is now, or as it is when the marks have been cleared. */
  mark(): void {
    this.#atStart = [];
  }

  /** The first slot of a frame from `from` on that is not empty; SLOTS: none. @hot */
  next(frame: number, from: number): number {
    const { i32, frameFlags } = this.#ram;
    if (this.#atStart !== null && (frameFlags[frame]! & FRAME_DIRTY) === 0) {
      return nextBit(this.#atStart[frame] ?? this.#remember(frame), from);
    }
    const base = frame * 1024;
    let slot = from;
    while (slot < SLOTS) {
      if (slot % 8 === 0 && isEmpty(i32, base + slot * 2)) slot += 8;
      else if ((i32[base + slot * 2]! | i32[base + slot * 2 + 1]!) === 0) slot++;
      else return slot;
    }
    return SLOTS;
  }

  #remember(frame: number): Int32Array {
    const { i32 } = this.#ram;
    const bits = new Int32Array(WORDS);
    for (let slot = 0; slot < SLOTS; slot++) {
      const at = frame * 1024 + slot * 2;
      if ((i32[at]! | i32[at + 1]!) !== 0) bits[slot >>> 5]! |= 1 << (slot & 31);
    }
    this.#atStart![frame] = bits;
    return bits;
  }
}

/** @hot */
function nextBit(bits: Int32Array, from: number): number {
  let word = from >>> 5;
  if (word >= WORDS) return SLOTS;
  let left = bits[word]! & (-1 << (from & 31));
  while (left === 0) {
    if (++word === WORDS) return SLOTS;
    left = bits[word]!;
  }
  return word * 32 + (31 - Math.clz32(left & -left));
}

/** Eight slots from a word on hold nothing. @hot */
function isEmpty(words: Int32Array, at: number): boolean {
  let bits = words[at]! | words[at + 1]! | words[at + 2]! | words[at + 3]!;
  bits |= words[at + 4]! | words[at + 5]! | words[at + 6]! | words[at + 7]!;
  bits |= words[at + 8]! | words[at + 9]! | words[at + 10]! | words[at + 11]!;
  return (bits | words[at + 12]! | words[at + 13]! | words[at + 14]! | words[at + 15]!) === 0;
}
