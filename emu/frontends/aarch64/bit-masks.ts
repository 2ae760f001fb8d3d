/** DecodeBitMasks() of the shared pseudocode (DDI 0487, J1 "aarch64/instrs/integer/bitmasks"). */

/** A 64-bit constant as int32 halves. */
export interface Wide {
  readonly lo: number;
  readonly hi: number;
}

/** wmask: the bits of a logical immediate or of a bitfield's rotated part; tmask: a bitfield's top part. */
export interface BitMasks {
  readonly wmask: Wide;
  readonly tmask: Wide;
}

/**
 * @param N bit 22 @param imms bits 15:10 @param immr bits 21:16. The encoding is allocated.
 * @returns masks of 64 bits; a 32-bit instruction uses the low half
 */
export function DecodeBitMasks(N: number, imms: number, immr: number): BitMasks {
  const len = 31 - Math.clz32((N << 6) | (~imms & 0x3f));
  const levels = (1 << len) - 1;
  const esize = 1 << len;
  const S = imms & levels;
  const R = immr & levels;
  const diff = (S - R) & levels;
  return {
    wmask: replicate(rotateRight(ones(S + 1), R, esize), esize),
    tmask: replicate(ones(diff + 1), esize),
  };
}

function ones(count: number): bigint {
  return (1n << BigInt(count)) - 1n;
}

function rotateRight(element: bigint, by: number, esize: number): bigint {
  const all = ones(esize);
  return ((element >> BigInt(by)) | (element << BigInt(esize - by))) & all;
}

function replicate(element: bigint, esize: number): Wide {
  let value = 0n;
  for (let at = 0; at < 64; at += esize) value |= element << BigInt(at);
  return { lo: Number(BigInt.asIntN(32, value)), hi: Number(BigInt.asIntN(32, value >> 32n)) };
}
