/**
 * Messages on their way to one local APIC, ordered by arrival; equal times keep the order of sending. All of it lies
 * in the core's state words.
 *
 * Bound: of one kind and vector at most two messages are in flight, the earliest and the latest; what lies between is
 * merged into the latest. Nothing is lost by that: a merged message still arrives after it was sent.
 */

/** Kinds of message. */
export const MESSAGE_FIXED = 0;
export const MESSAGE_NMI = 1;
export const MESSAGE_INIT = 2;
export const MESSAGE_SIPI = 3;
export type MessageKind = 0 | 1 | 2 | 3;

/** Two each of 240 vectors, NMI, INIT and start-up. */
const CAPACITY = 486;

export class ApicMessages {
  /** Words needed, at an even index: a count, a spare, then codes and times. */
  static readonly words: number = 2 + CAPACITY + CAPACITY * 2;

  readonly #words: Int32Array;
  readonly #count: number;
  readonly #codes: Int32Array;
  readonly #times: Float64Array;

  /** @param base an index that makes an 8-byte aligned address */
  constructor(words: Int32Array, base: number) {
    this.#words = words;
    this.#count = base;
    this.#codes = words.subarray(base + 2, base + 2 + CAPACITY);
    this.#times = new Float64Array(words.buffer, words.byteOffset + (base + 2 + CAPACITY) * 4, CAPACITY);
  }

  get count(): number {
    return this.#words[this.#count];
  }

  /** Arrival of the first message, or Infinity. */
  get firstTime(): number {
    return this.#words[this.#count] === 0 ? Number.POSITIVE_INFINITY : this.#times[0];
  }

  get firstKind(): MessageKind {
    return (this.#codes[0] >> 8) as MessageKind;
  }

  get firstVector(): number {
    return this.#codes[0] & 0xff;
  }

  timeAt(index: number): number {
    return this.#times[index];
  }

  vectorAt(index: number): number {
    return this.#codes[index] & 0xff;
  }

  /** Kind in bits 9:8, vector in bits 7:0. */
  codeAt(index: number): number {
    return this.#codes[index];
  }

  /** Arrival of the first message of a kind, or Infinity. */
  firstTimeOf(kind: MessageKind): number {
    const at = this.findKind(kind);
    return at < 0 ? Number.POSITIVE_INFINITY : this.#times[at];
  }

  /** A start-up message replaces others whatever its vector. */
  insert(kind: MessageKind, vector: number, time: number): void {
    const code = (kind << 8) | vector;
    let arrival = time;
    const first = this.#find(code, 0);
    const second = first < 0 ? -1 : this.#find(code, first + 1);
    if (second >= 0) {
      const earlier = time < this.#times[first];
      arrival = earlier ? time : Math.max(time, this.#times[second]);
      this.#remove(earlier ? first : second);
    }
    let at = this.count;
    while (at > 0 && this.#times[at - 1] > arrival) {
      this.#times[at] = this.#times[at - 1];
      this.#codes[at] = this.#codes[at - 1];
      at--;
    }
    this.#times[at] = arrival;
    this.#codes[at] = code;
    this.#words[this.#count]++;
  }

  removeFirst(): void {
    this.#remove(0);
  }

  removeAt(index: number): void {
    this.#remove(index);
  }

  /** Index of the first message of a kind, or -1. */
  findKind(kind: MessageKind): number {
    for (let i = 0; i < this.count; i++) if (this.#codes[i] >> 8 === kind) return i;
    return -1;
  }

  clear(): void {
    this.#words[this.#count] = 0;
  }

  #find(code: number, from: number): number {
    const sipi = code >> 8 === MESSAGE_SIPI;
    for (let i = from; i < this.count; i++) {
      if (this.#codes[i] === code || (sipi && this.#codes[i] >> 8 === MESSAGE_SIPI)) return i;
    }
    return -1;
  }

  #remove(index: number): void {
    const count = this.count - 1;
    for (let i = index; i < count; i++) {
      this.#times[i] = this.#times[i + 1];
      this.#codes[i] = this.#codes[i + 1];
    }
    this.#words[this.#count] = count;
  }
}
