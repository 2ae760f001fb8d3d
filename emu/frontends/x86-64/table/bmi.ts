/**
 * BMI1, BMI2 and LZCNT.
 * Intel SDM Vol. 1 §5.1.16; Vol. 2. A register named r32a or r64a is ModRM.reg, r32b or r64b is VEX.vvvv.
 */

export const BMI = [
  // BMI1
  ["VEX.LZ.0F38.W0 F2 /r", "ANDN r32a, r32b, r/m32"],
  ["VEX.LZ.0F38.W1 F2 /r", "ANDN r64a, r64b, r/m64"],
  ["VEX.LZ.0F38.W0 F7 /r", "BEXTR r32a, r/m32, r32b"],
  ["VEX.LZ.0F38.W1 F7 /r", "BEXTR r64a, r/m64, r64b"],
  ["VEX.LZ.0F38.W0 F3 /3", "BLSI r32, r/m32"],
  ["VEX.LZ.0F38.W1 F3 /3", "BLSI r64, r/m64"],
  ["VEX.LZ.0F38.W0 F3 /2", "BLSMSK r32, r/m32"],
  ["VEX.LZ.0F38.W1 F3 /2", "BLSMSK r64, r/m64"],
  ["VEX.LZ.0F38.W0 F3 /1", "BLSR r32, r/m32"],
  ["VEX.LZ.0F38.W1 F3 /1", "BLSR r64, r/m64"],
  ["F3 0F BC /r", "TZCNT r16, r/m16"],
  ["F3 0F BC /r", "TZCNT r32, r/m32"],
  ["F3 REX.W 0F BC /r", "TZCNT r64, r/m64"],
  // LZCNT
  ["F3 0F BD /r", "LZCNT r16, r/m16"],
  ["F3 0F BD /r", "LZCNT r32, r/m32"],
  ["F3 REX.W 0F BD /r", "LZCNT r64, r/m64"],
  // BMI2
  ["VEX.LZ.0F38.W0 F5 /r", "BZHI r32a, r/m32, r32b"],
  ["VEX.LZ.0F38.W1 F5 /r", "BZHI r64a, r/m64, r64b"],
  ["VEX.LZ.F2.0F38.W0 F6 /r", "MULX r32a, r32b, r/m32"],
  ["VEX.LZ.F2.0F38.W1 F6 /r", "MULX r64a, r64b, r/m64"],
  ["VEX.LZ.F2.0F38.W0 F5 /r", "PDEP r32a, r32b, r/m32"],
  ["VEX.LZ.F2.0F38.W1 F5 /r", "PDEP r64a, r64b, r/m64"],
  ["VEX.LZ.F3.0F38.W0 F5 /r", "PEXT r32a, r32b, r/m32"],
  ["VEX.LZ.F3.0F38.W1 F5 /r", "PEXT r64a, r64b, r/m64"],
  ["VEX.LZ.F2.0F3A.W0 F0 /r ib", "RORX r32, r/m32, imm8"],
  ["VEX.LZ.F2.0F3A.W1 F0 /r ib", "RORX r64, r/m64, imm8"],
  ["VEX.LZ.F3.0F38.W0 F7 /r", "SARX r32a, r/m32, r32b"],
  ["VEX.LZ.F3.0F38.W1 F7 /r", "SARX r64a, r/m64, r64b"],
  ["VEX.LZ.66.0F38.W0 F7 /r", "SHLX r32a, r/m32, r32b"],
  ["VEX.LZ.66.0F38.W1 F7 /r", "SHLX r64a, r/m64, r64b"],
  ["VEX.LZ.F2.0F38.W0 F7 /r", "SHRX r32a, r/m32, r32b"],
  ["VEX.LZ.F2.0F38.W1 F7 /r", "SHRX r64a, r/m64, r64b"],
] as const;
