/**
 * The kernel's random bytes (getrandom, AT_RANDOM): SplitMix64 from the run's seed. Good enough to look random and to be
 * the same in every run with that seed; of no cryptographic value.
 * Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014.
 */
const GAMMA = 0x9e37_79b9_7f4a_7c15n;

export class RandomBytes {
  #state: bigint;
  /** The state that was saved or restored last, and its number. */
  #kept: { readonly saved: unknown; readonly state: bigint } | null = null;

  constructor(seed: number) {
    this.#state = BigInt.asUintN(64, BigInt(Math.floor(seed)) * 0x2545_f491_4f6c_dd1dn + 0x6b65_726e_656cn);
  }

  fill(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += 8) {
      let word = this.#next();
      for (let index = at; index < at + 8 && index < bytes.length; index++) {
        bytes[index] = Number(word & 0xffn);
        word >>= 8n;
      }
    }
  }

  #next(): bigint {
    this.#state = BigInt.asUintN(64, this.#state + GAMMA);
    let z = this.#state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn);
    return z ^ (z >> 31n);
  }

  save(): unknown {
    const saved = { state: this.#state.toString(16) };
    this.#kept = { saved, state: this.#state };
    return saved;
  }

  restore(saved: unknown): void {
    let kept = this.#kept;
    if (kept === null || kept.saved !== saved) {
      kept = { saved, state: BigInt(`0x${(saved as { state: string }).state}`) };
      this.#kept = kept;
    }
    this.#state = kept.state;
  }
}
