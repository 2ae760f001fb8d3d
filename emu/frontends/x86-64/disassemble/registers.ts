/** Register names. Intel SDM Vol. 1 §3.4.1, §3.7.2.1. */
import type { RegisterFile } from "../table/row.ts";

const LEGACY = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
const BYTE_LEGACY = ["al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"];
const BYTE_REX = ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"];
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs", "?", "?"];

/** @param bits width of a general register @param rex 8-bit registers 4-7 are SPL..DIL, not AH..BH */
export function registerName(file: RegisterFile, number: number, bits: number, rex: boolean): string {
  switch (file) {
    case "gpr":
      return generalName(number, bits, rex);
    case "segment":
      return SEGMENTS[number & 7]!;
    case "control":
      return `cr${number}`;
    case "debug":
      return `dr${number}`;
    case "mm":
      return `mm${number & 7}`;
    case "st":
      return number === 0 ? "st" : `st(${number & 7})`;
    default:
      return `${file}${number}`;
  }
}

function generalName(number: number, bits: number, rex: boolean): string {
  if (number >= 8) return `r${number}${bits === 64 ? "" : bits === 32 ? "d" : bits === 16 ? "w" : "b"}`;
  if (bits === 8) return (rex ? BYTE_REX : BYTE_LEGACY)[number]!;
  return (bits === 64 ? "r" : bits === 32 ? "e" : "") + LEGACY[number]!;
}
