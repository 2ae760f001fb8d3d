/**
 * Messages on their way to one interrupt controller, ordered by arrival; equal times keep the order of sending. A message
 * is a code of the controller's own. All of it lies in the core's state words.
 *
 * Bound: of one code at most two messages are in flight, the earliest and the latest; what lies between is merged into
 * the latest. Nothing is lost by that: a merged message still arrives after it was sent.
 */
export class Messages {
  /** Words needed, at an even index: a count, a spare, then codes and times. @param capacity twice the number of codes */
  static wordsFor(capacity: number): number {
    return 2 + capacity + capacity * 2;
  }

  readonly #words: Int32Array;
  readonly #count: number;
  readonly #codes: Int32Array;
  readonly #times: Float64Array;

  /** @param base an index that makes an 8-byte aligned address @param capacity an even number */
  constructor(words: Int32Array, base: number, capacity: number) {
    this.#words = words;
    this.#count = base;
    this.#codes = words.subarray(base + 2, base + 2 + capacity);
    this.#times = new Float64Array(words.buffer, words.byteOffset + (base + 2 + capacity) * 4, capacity);
  }

  get count(): number {
    return this.#words[this.#count];
  }

  /** Arrival of the first message, or Infinity. */
  get firstTime(): number {
    return this.#words[this.#count] === 0 ? Number.POSITIVE_INFINITY : this.#times[0];
  }

  codeAt(index: number): number {
    return this.#codes[index];
  }

  timeAt(index: number): number {
    return this.#times[index];
  }

  insertCode(code: number, time: number): void {
    let arrival = time;
    const first = this.#find(code, 0);
    const second = first < 0 ? -1 : this.#find(code, first + 1);
    if (second >= 0) {
      const earlier = time < this.#times[first];
      arrival = earlier ? time : Math.max(time, this.#times[second]);
      this.removeAt(earlier ? first : second);
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
    this.removeAt(0);
  }

  removeAt(index: number): void {
    const count = this.count - 1;
    for (let i = index; i < count; i++) {
      this.#times[i] = this.#times[i + 1];
      this.#codes[i] = this.#codes[i + 1];
    }
    this.#words[this.#count] = count;
  }

  clear(): void {
    this.#words[this.#count] = 0;
  }

  /** Two messages of these codes are one and the same request. */
  protected isSame(code: number, other: number): boolean {
    return code === other;
  }

  #find(code: number, from: number): number {
    for (let i = from; i < this.count; i++) if (this.isSame(code, this.#codes[i])) return i;
    return -1;
  }
}
