/** A 256-bit register of the local APIC, one bit per vector: ISR, TMR or IRR. */
export class BitVector256 {
  static readonly words: number = 8;

  readonly #words: Int32Array;
  readonly #base: number;

  constructor(words: Int32Array, base: number) {
    this.#words = words;
    this.#base = base;
  }

  /** Bits 32 × index … 32 × index + 31. */
  word(index: number): number {
    return this.#words[this.#base + index];
  }

  set(vector: number): void {
    this.#words[this.#base + (vector >>> 5)] |= 1 << (vector & 31);
  }

  clear(vector: number): void {
    this.#words[this.#base + (vector >>> 5)] &= ~(1 << (vector & 31));
  }

  /** Highest vector set, or -1. */
  highest(): number {
    for (let index = 7; index >= 0; index--) {
      const word = this.#words[this.#base + index];
      if (word !== 0) return index * 32 + 31 - Math.clz32(word);
    }
    return -1;
  }
}
