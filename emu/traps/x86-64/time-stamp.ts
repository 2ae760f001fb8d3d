/**
 * The time-stamp counter: core clock plus an offset, modulo 2^64. Intel SDM vol. 3B 17.17. It runs at the core clock,
 * never stops, and starts at 0 on every core with virtual time (invariant TSC).
 */
import { TSC_ADJUST, TSC_OFFSET } from "./words.ts";

const TWO_32 = 0x1_0000_0000;

export class TimeStamp {
  /** Halves of the last value read. */
  lo = 0;
  hi = 0;
  readonly #words: Int32Array;

  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** Reads the counter at a core clock. */
  read(clock: number): void {
    const words = this.#words;
    const low = (clock % TWO_32) + (words[TSC_OFFSET] >>> 0);
    this.lo = low | 0;
    this.hi = (Math.floor(clock / TWO_32) + words[TSC_OFFSET + 1] + (low >= TWO_32 ? 1 : 0)) | 0;
  }

  /** WRMSR IA32_TIME_STAMP_COUNTER: IA32_TSC_ADJUST moves by the same amount (17.17.3). */
  write(clock: number, lo: number, hi: number): void {
    this.read(clock);
    const low = (lo >>> 0) - (this.lo >>> 0);
    this.#move(low | 0, (hi - this.hi - (low < 0 ? 1 : 0)) | 0);
  }

  /** WRMSR IA32_TSC_ADJUST: the counter moves by the same amount. */
  writeAdjust(lo: number, hi: number): void {
    const words = this.#words;
    const low = (lo >>> 0) - (words[TSC_ADJUST] >>> 0);
    this.#move(low | 0, (hi - words[TSC_ADJUST + 1] - (low < 0 ? 1 : 0)) | 0);
  }

  /** Core clock at which the counter reaches a value: `clock` itself if it has, Infinity beyond 2^53. */
  clockOf(clock: number, lo: number, hi: number): number {
    this.read(clock);
    const reached = this.hi >>> 0 !== hi >>> 0 ? this.hi >>> 0 > hi >>> 0 : this.lo >>> 0 >= lo >>> 0;
    if (reached) return clock;
    const low = (lo >>> 0) - (this.#words[TSC_OFFSET] >>> 0);
    const high = (hi - this.#words[TSC_OFFSET + 1] - (low < 0 ? 1 : 0)) >>> 0;
    const due = high * TWO_32 + (low >>> 0);
    return due > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : due;
  }

  #move(lo: number, hi: number): void {
    add(this.#words, TSC_OFFSET, lo, hi);
    add(this.#words, TSC_ADJUST, lo, hi);
  }
}

function add(words: Int32Array, at: number, lo: number, hi: number): void {
  const low = (words[at] >>> 0) + (lo >>> 0);
  words[at] = low | 0;
  words[at + 1] = (words[at + 1] + hi + (low >= TWO_32 ? 1 : 0)) | 0;
}
