/**
 * Seeded pseudo-random numbers whose state is one int32 word of a core's state, so that saving the words saves the
 * generator: Marsaglia's xorshift32 (Journal of Statistical Software 8(14), 2003), period 2^32 - 1.
 */

/** Sets the generator; any seed is good, the all-zero state is avoided. */
export function seedRandom(words: Int32Array, at: number, seed: number): void {
  const mixed = Math.imul((seed | 0) ^ 0x6d2b_79f5, 0x9e37_79b1);
  words[at] = (mixed ^ (mixed >>> 15)) | 0 || 0x1b56_c4e9;
}

/** The next number, 1 … 2^32-1. @hot */
export function nextRandom(words: Int32Array, at: number): number {
  let x = words[at];
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  words[at] = x;
  return x >>> 0;
}

/** A number 0 … bound-1; bound 1 … 65536. @hot */
export function randomBelow(words: Int32Array, at: number, bound: number): number {
  return ((nextRandom(words, at) >>> 16) * bound) >>> 16;
}
