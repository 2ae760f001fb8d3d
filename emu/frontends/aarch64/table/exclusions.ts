/** Patterns of unallocated encodings that a row's fields could spell, by the condition that makes them so. */
export const EXCLUSIONS = {
  /** 32-bit forms with N = 1, and ones that fill their element: DecodeBitMasks has no value for them. */
  "bit-mask": [
    "0--------1----------------------",
    "---------1------111111----------",
    "---------0------011111----------",
    "---------0------101111----------",
    "---------0------110111----------",
    "---------0------111011----------",
    "---------0------111101----------",
    "---------0------11111-----------",
  ],
  /** N differs from sf, or a bit position is above 31 in a 32-bit form. */
  bitfield: [
    "0--------1----------------------",
    "1--------0----------------------",
    "0---------1---------------------",
    "0---------------1---------------",
  ],
  extract: [
    "0--------1----------------------",
    "1--------0----------------------",
    "0---------------1---------------",
  ],
  /** MOVZ, MOVN, MOVK: a halfword above the register. */
  halfword: ["0--------1----------------------"],
  /** A 32-bit form shifts by 31 at most. */
  shift: ["0---------------1---------------"],
  /** Add and subtract have no ROR. */
  rotation: ["0---------------1---------------", "--------11----------------------"],
  /** An extended register is shifted by 4 at most. */
  extension: ["-------------------11-----------", "-------------------1-1----------"],
  /** Rs and Rt of CASP are even. */
  "even-pair": ["---------------1----------------", "-------------------------------1"],
} as const;

export type ExclusionName = keyof typeof EXCLUSIONS;
