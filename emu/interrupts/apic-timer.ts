/**
 * The timer of a local APIC: Intel SDM vol. 3A 10.5.4. One-shot and periodic modes count down at the crystal clock
 * divided by the divide configuration; TSC-deadline mode waits for the time-stamp counter. The state is the start or
 * deadline and the due time in core cycles; the current count is derived.
 */

/** Bits 18:17 of the timer's LVT entry. */
export const TIMER_MODE_MASK = 0x6_0000;
export const TIMER_ONE_SHOT = 0;
export const TIMER_PERIODIC = 0x2_0000;
export const TIMER_TSC_DEADLINE = 0x4_0000;

export interface TimerClock {
  readonly clock: number;
  /** Core clock at which the time-stamp counter reaches a value; Infinity: never. */
  clockOfTsc(lo: number, hi: number): number;
}

const MODE = 0;
const INITIAL = 1;
const DIVIDE = 2;
const DEADLINE_LO = 4;
const DEADLINE_HI = 5;
/** Core clock at which it fires, a double; Infinity: stopped. */
const DUE_AT = 6;

export class ApicTimer {
  /** Words needed, at an index that is 8-byte aligned in memory. */
  static readonly words: number = 8;

  readonly #words: Int32Array;
  readonly #base: number;
  readonly #due: Float64Array;
  readonly #cyclesPerTick: number;
  readonly #time: TimerClock;

  constructor(words: Int32Array, base: number, cyclesPerTick: number, time: TimerClock) {
    this.#words = words;
    this.#base = base;
    this.#due = new Float64Array(words.buffer, words.byteOffset + (base + DUE_AT) * 4, 1);
    this.#cyclesPerTick = cyclesPerTick;
    this.#time = time;
  }

  reset(): void {
    this.#words.fill(0, this.#base, this.#base + ApicTimer.words);
    this.#due[0] = Number.POSITIVE_INFINITY;
  }

  /** @hot */
  get due(): number {
    return this.#due[0];
  }

  get initialCount(): number {
    return this.#words[this.#base + INITIAL];
  }

  get divide(): number {
    return this.#words[this.#base + DIVIDE];
  }

  get deadlineLo(): number {
    return this.#words[this.#base + DEADLINE_LO];
  }

  get deadlineHi(): number {
    return this.#words[this.#base + DEADLINE_HI];
  }

  /** Ticks left, as uint32 in an int32. */
  currentCount(): number {
    const due = this.due;
    if (this.#deadlineMode || due === Number.POSITIVE_INFINITY) return 0;
    const left = Math.ceil((due - this.#time.clock) / this.#tickCycles);
    return Math.max(left, 0) | 0;
  }

  /** Going to or from TSC-deadline mode disarms the timer. */
  setMode(mode: number): void {
    const words = this.#words;
    const changes = (words[this.#base + MODE] === TIMER_TSC_DEADLINE) !== (mode === TIMER_TSC_DEADLINE);
    words[this.#base + MODE] = mode;
    if (changes) this.#disarm();
  }

  /** Starts the count; 0 stops it. Ignored in TSC-deadline mode. */
  writeInitialCount(count: number): void {
    if (this.#deadlineMode) return;
    this.#words[this.#base + INITIAL] = count;
    this.#due[0] =
      count === 0 ? Number.POSITIVE_INFINITY : this.#time.clock + (count >>> 0) * this.#tickCycles;
  }

  /** Changes the rate of a running count. */
  writeDivide(value: number): void {
    const left = this.#deadlineMode ? 0 : this.currentCount() >>> 0;
    this.#words[this.#base + DIVIDE] = value;
    if (left !== 0) this.#due[0] = this.#time.clock + left * this.#tickCycles;
  }

  writeDeadline(lo: number, hi: number): void {
    if (!this.#deadlineMode) return;
    this.#words[this.#base + DEADLINE_LO] = lo;
    this.#words[this.#base + DEADLINE_HI] = hi;
    this.timeStampChanged();
  }

  timeStampChanged(): void {
    if (!this.#deadlineMode) return;
    const lo = this.deadlineLo;
    const hi = this.deadlineHi;
    this.#due[0] = (lo | hi) === 0 ? Number.POSITIVE_INFINITY : this.#time.clockOfTsc(lo, hi);
  }

  /** The due time has come: true if the timer's interrupt is generated (its mask apart). */
  expire(clock: number): boolean {
    const words = this.#words;
    if (words[this.#base + MODE] === TIMER_PERIODIC) {
      const period = (words[this.#base + INITIAL] >>> 0) * this.#tickCycles;
      // Periods that went by meanwhile are one request: the IRR bit does not count.
      this.#due[0] += Math.floor((clock - this.due) / period + 1) * period;
    } else {
      words[this.#base + DEADLINE_LO] = 0;
      words[this.#base + DEADLINE_HI] = 0;
      this.#due[0] = Number.POSITIVE_INFINITY;
    }
    return true;
  }

  get #deadlineMode(): boolean {
    return this.#words[this.#base + MODE] === TIMER_TSC_DEADLINE;
  }

  /** Core cycles per tick. Divide configuration bits 3, 1, 0: 000 by 2, 001 by 4 … 110 by 128, 111 by 1. */
  get #tickCycles(): number {
    const value = this.#words[this.#base + DIVIDE];
    const code = ((value >> 1) & 4) | (value & 3);
    return this.#cyclesPerTick * (1 << ((code + 1) & 7));
  }

  #disarm(): void {
    this.#words[this.#base + INITIAL] = 0;
    this.#words[this.#base + DEADLINE_LO] = 0;
    this.#words[this.#base + DEADLINE_HI] = 0;
    this.#due[0] = Number.POSITIVE_INFINITY;
  }
}
