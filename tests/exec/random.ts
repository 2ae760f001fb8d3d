/** Seeded random numbers for generated tests: splitmix32, so that a seed in a failure's name replays it. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 0 … 2^32-1. */
  word(): number {
    this.#state = (this.#state + 0x9e37_79b9) | 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0_aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  /** 0 … bound-1. */
  below(bound: number): number {
    return Math.floor((this.word() / 2 ** 32) * bound);
  }

  /** True once in n times on average. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** A number below 2^width that is often near an edge: few bits, all ones, a power of two or its neighbour. */
  value(width: number): bigint {
    const full = (BigInt(this.word()) << 32n) | BigInt(this.word());
    const power = 1n << BigInt(this.below(width));
    const choices = [full, full, full & 0xffn, power, power - 1n, -power, 0n, -1n];
    return BigInt.asUintN(width, this.pick(choices));
  }
}
