/**
 * Opcodes that are valid in legacy and compatibility mode and #UD in 64-bit mode, by their old names.
 * Intel SDM Vol. 2 §2.2.1.2 and Appendix A (superscript i64). C4 and C5 are the VEX prefixes; 62 is the EVEX
 * prefix, of which nothing is decoded.
 */

export const INVALID_64 = [
  ["06", "PUSH ES"],
  ["07", "POP ES"],
  ["0E", "PUSH CS"],
  ["16", "PUSH SS"],
  ["17", "POP SS"],
  ["1E", "PUSH DS"],
  ["1F", "POP DS"],
  ["27", "DAA"],
  ["2F", "DAS"],
  ["37", "AAA"],
  ["3F", "AAS"],
  ["60", "PUSHA"],
  ["61", "POPA"],
  ["62", "EVEX"],
  ["82", "GRP1"],
  ["9A", "CALLF"],
  ["CE", "INTO"],
  ["D4", "AAM"],
  ["D5", "AAD"],
  ["D6", "SALC"],
  ["EA", "JMPF"],
] as const;
