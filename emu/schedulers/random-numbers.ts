/** xorshift128 (Marsaglia, "Xorshift RNGs", J. Stat. Software 8(14), 2003): seeded, plain state, the same on every host. */
export class RandomNumbers {
  readonly #state: Int32Array = new Int32Array(4);

  constructor(seed: number) {
    // splitmix32 spreads a small seed over the state.
    let x = seed | 0;
    for (let i = 0; i < 4; i++) {
      x = (x + 0x9e37_79b9) | 0;
      let z = x ^ (x >>> 16);
      z = Math.imul(z, 0x21f0_aaad);
      z ^= z >>> 15;
      z = Math.imul(z, 0x735a_2d97);
      this.#state[i] = z ^ (z >>> 15);
    }
    if (this.#state.every((word) => word === 0)) this.#state[0] = 1;
  }

  /** 32 random bits, unsigned. @hot */
  next(): number {
    const s = this.#state;
    let t = s[3]!;
    const first = s[0]!;
    s[3] = s[2]!;
    s[2] = s[1]!;
    s[1] = first;
    t ^= t << 11;
    t ^= t >>> 8;
    const result = t ^ first ^ (first >>> 19);
    s[0] = result;
    return result >>> 0;
  }

  /** Uniform in 0 … bound-1 for bounds far below 2^32. @hot */
  below(bound: number): number {
    return this.next() % bound;
  }

  save(): number[] {
    return [...this.#state];
  }

  restore(saved: readonly number[]): void {
    this.#state.set(saved);
  }
}
