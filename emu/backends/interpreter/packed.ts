/**
 * The interpreter's own form of a block: int32 words, an operation number followed by its operands. Operands called
 * d, a, b, base, index are cells, that is word indices into the core's state (slots and temporaries alike); a value
 * has its low word in the cell and its high word in the next one. An i32 operation writes 0 to the high word, so
 * that zero extension costs nothing.
 *
 * The interpreter's switch uses these numbers as literals, since V8 makes a jump table of literal labels only; a test
 * compares the labels with this table.
 */
export const PACKED = {
  // Exits. A branch tail is: retired, taken lo, hi, link, next lo, hi, link, ends (1: taken may end a slice).
  JUMP: 0, // retired lo hi link ends
  BRANCH_VALUE: 1, // a, tail
  BRANCH_CONDITION: 2, // condition, tail
  INDIRECT: 3, // a retired
  TRAP: 4, // trap lo hi retired
  HELPER: 5, // helper a b lo hi retired own
  TRAP_IF: 6, // a trap
  EXIT_IF: 7, // a lo hi retired
  STALE: 8, // (patched over the first word of an instruction whose block is stale)
  BRANCH_ZERO64: 9, // a, tail
  BRANCH_ZERO32: 10,
  BRANCH_SIGN64: 11,
  BRANCH_SIGN32: 12,
  // Compare, record, branch: a b tail. The I forms have a sign-extended 32-bit immediate for b.
  CMP64_Z: 13,
  CMP64_C: 14,
  CMP64_BE: 15,
  CMP64_L: 16,
  CMP64_LE: 17,
  CMP32_Z: 18,
  CMP32_C: 19,
  CMP32_BE: 20,
  CMP32_L: 21,
  CMP32_LE: 22,
  CMP64I_Z: 23,
  CMP64I_C: 24,
  CMP64I_BE: 25,
  CMP64I_L: 26,
  CMP64I_LE: 27,
  CMP32I_Z: 28,
  CMP32I_C: 29,
  CMP32I_BE: 30,
  CMP32I_L: 31,
  CMP32I_LE: 32,
  TEST64_Z: 33,
  TEST64_S: 34,
  TEST64_LE: 35,
  TEST32_Z: 36,
  TEST32_S: 37,
  TEST32_LE: 38,

  // Moves.
  MOV64: 40, // d a
  MOV32: 41, // d a: high word becomes 0
  MOVI: 42, // d lo hi
  SEXT32: 43, // d a: sign-extends the low word
  ADDR: 44, // d base index scale disp
  ADDI64: 45, // d a imm
  ZEXT8: 46, // d a
  ZEXT16: 47,
  SEXT8: 48,
  SEXT16: 49,
  GET8: 50, // d byte-offset
  GET16: 51,
  PUT8: 52, // byte-offset a
  PUT16: 53,
  PUT32: 54, // cell a: leaves the high word alone

  // Arithmetic: d a b, and with an immediate for b; the F forms also store the condition record.
  ADD64: 60,
  SUB64: 61,
  AND64: 62,
  OR64: 63,
  XOR64: 64,
  ADD32: 65,
  SUB32: 66,
  AND32: 67,
  OR32: 68,
  XOR32: 69,
  ADD64F: 70,
  SUB64F: 71,
  AND64F: 72,
  OR64F: 73,
  XOR64F: 74,
  ADD32F: 75,
  SUB32F: 76,
  AND32F: 77,
  OR32F: 78,
  XOR32F: 79,
  SUB64I: 80,
  AND64I: 81,
  OR64I: 82,
  XOR64I: 83,
  ADD32I: 84,
  SUB32I: 85,
  AND32I: 86,
  OR32I: 87,
  XOR32I: 88,
  ADD64FI: 89,
  SUB64FI: 90,
  AND64FI: 91,
  ADD32FI: 92,
  SUB32FI: 93,
  AND32FI: 94,
  SHL32I: 95, // d a count
  SHR32I: 96,
  SAR32I: 97,
  SHL64I: 98,
  SHR64I: 99,
  SAR64I: 100,
  MUL32: 101,
  MUL64: 102,

  // Condition record: kind a b (copies both operands' words).
  FLAGS2: 105,
  FLAGS2I: 106, // kind a imm
  FLAGS1: 107, // kind a
  CONDITION: 108, // d condition
  SELECT64: 109, // d c a b
  SELECT32: 110,

  // Memory: d base disp attr, and with an index: d base index scale disp attr; stores have the value for d.
  LOAD8: 115,
  LOAD16: 116,
  LOAD32: 117,
  LOAD64: 118,
  LOAD8X: 119,
  LOAD16X: 120,
  LOAD32X: 121,
  LOAD64X: 122,
  STORE8: 123,
  STORE16: 124,
  STORE32: 125,
  STORE64: 126,
  STORE8X: 127,
  STORE16X: 128,
  STORE32X: 129,
  STORE64X: 130,
  /** Any access that is not little-endian and plain: size-log2 (bit 8: store) cell base disp attr. */
  ACCESS: 131,

  /** Everything else: number of the IR operation, then d and up to three cells, then immediates; see rare.ts. */
  RARE: 140,
} as const;

/** Words of a branch tail. */
export const TAIL_WORDS = 8;
/** An unresolved link. */
export const NO_LINK = -1;
