/**
 * The lazy condition record. An arithmetic operation stores its kind and operands; predicates and the six
 * condition bits are computed from them when somebody asks. Neutral: AArch64's NZCV and x86's status flags are
 * both read from it (an architecture whose subtract carry is "no borrow" keeps its carry inverted in the record, and
 * uses `logicc` for logical results). The bit
 * positions of a materialised value are those of x86 RFLAGS, so that the most frequent reader pays nothing.
 */
import { STATE_FLAGS_A, STATE_FLAGS_B, STATE_FLAGS_CARRY, STATE_FLAGS_KIND } from "./state.ts";

export const FLAG_C = 0x1;
export const FLAG_P = 0x4;
export const FLAG_A = 0x10;
export const FLAG_Z = 0x40;
export const FLAG_S = 0x80;
export const FLAG_O = 0x800;
export const FLAGS_ALL: number = FLAG_C | FLAG_P | FLAG_A | FLAG_Z | FLAG_S | FLAG_O;

/** Record kinds: operation << 2 | log2(width / 8). EXPLICIT holds materialised bits in A. */
export const KIND_EXPLICIT = 0;
export const KIND_ADD = 4;
export const KIND_SUB = 8;
export const KIND_LOGIC = 12;
export const KIND_INC = 16;
export const KIND_DEC = 20;
export const KIND_ADC = 24;
export const KIND_SBB = 28;
export const KIND_SHL = 32;
export const KIND_SHR = 36;
export const KIND_SAR = 40;
export const KIND_LOGICC = 44;

/** Predicates, numbered so that the odd one is the negation of the even one before it. */
export const CONDITIONS = [
  "o",
  "no",
  "c",
  "nc",
  "z",
  "nz",
  "be",
  "a",
  "s",
  "ns",
  "p",
  "np",
  "l",
  "ge",
  "le",
  "g",
] as const;
export type Condition = (typeof CONDITIONS)[number];

const KIND = STATE_FLAGS_KIND >> 2;
const CARRY = STATE_FLAGS_CARRY >> 2;
const A = STATE_FLAGS_A >> 2;
const B = STATE_FLAGS_B >> 2;

/** Replaces the record by materialised bits (FLAG_*). @hot */
export function writeFlags(state: Int32Array, bits: number): void {
  state[KIND] = KIND_EXPLICIT;
  state[A] = bits & FLAGS_ALL;
}

/** Materialises the six bits without changing the record. @hot */
export function readFlags(state: Int32Array): number {
  const kind = state[KIND]!;
  if (kind === KIND_EXPLICIT) return state[A]!;
  return (kind & 3) === 3 ? readFlags64(state, kind & ~3) : readFlags32(state, kind & ~3, 8 << (kind & 3));
}

/** Evaluates a predicate (index into CONDITIONS) to 0 or 1. @hot */
export function evaluateCondition(state: Int32Array, condition: number): number {
  const bits = readFlags(state);
  let value: number;
  switch (condition >> 1) {
    case 0:
      value = bits & FLAG_O;
      break;
    case 1:
      value = bits & FLAG_C;
      break;
    case 2:
      value = bits & FLAG_Z;
      break;
    case 3:
      value = bits & (FLAG_C | FLAG_Z);
      break;
    case 4:
      value = bits & FLAG_S;
      break;
    case 5:
      value = bits & FLAG_P;
      break;
    case 6:
      value = ((bits >> 4) ^ bits) & FLAG_S;
      break;
    default:
      value = (((bits >> 4) ^ bits) & FLAG_S) | (bits & FLAG_Z);
  }
  return (value !== 0 ? 1 : 0) ^ (condition & 1);
}

/** Even parity of the low byte, as FLAG_P. @hot */
export function parityFlag(value: number): number {
  const folded = value ^ (value >> 4);
  return ((0x9669 >> (folded & 15)) & 1) << 2;
}

/** Widths 8, 16 and 32: operands are masked here, so callers may leave garbage above the width. @hot */
function readFlags32(state: Int32Array, operation: number, width: number): number {
  const mask = width === 32 ? -1 : (1 << width) - 1;
  const signBit = 1 << (width - 1);
  const a = state[A]! & mask;
  const b = state[B]! & mask;
  const c = state[CARRY]!;
  let result: number;
  let carry: boolean;
  let overflow: boolean;
  let half = 0;
  switch (operation) {
    case KIND_ADD:
      result = (a + b) & mask;
      carry = result >>> 0 < a >>> 0;
      overflow = ((a ^ result) & (b ^ result) & signBit) !== 0;
      half = (a ^ b ^ result) & FLAG_A;
      break;
    case KIND_ADC:
      result = (a + b + c) & mask;
      carry = c !== 0 ? result >>> 0 <= a >>> 0 : result >>> 0 < a >>> 0;
      overflow = ((a ^ result) & (b ^ result) & signBit) !== 0;
      half = (a ^ b ^ result) & FLAG_A;
      break;
    case KIND_SUB:
      result = (a - b) & mask;
      carry = a >>> 0 < b >>> 0;
      overflow = ((a ^ b) & (a ^ result) & signBit) !== 0;
      half = (a ^ b ^ result) & FLAG_A;
      break;
    case KIND_SBB:
      result = (a - b - c) & mask;
      carry = c !== 0 ? a >>> 0 <= b >>> 0 : a >>> 0 < b >>> 0;
      overflow = ((a ^ b) & (a ^ result) & signBit) !== 0;
      half = (a ^ b ^ result) & FLAG_A;
      break;
    case KIND_LOGIC:
    case KIND_LOGICC:
      result = a;
      carry = operation === KIND_LOGICC;
      overflow = false;
      break;
    case KIND_INC:
      result = a;
      carry = c !== 0;
      overflow = a === signBit;
      half = (a & 15) === 0 ? FLAG_A : 0;
      break;
    case KIND_DEC:
      result = a;
      carry = c !== 0;
      overflow = a === ((signBit - 1) & mask);
      half = (a & 15) === 15 ? FLAG_A : 0;
      break;
    case KIND_SHL:
      result = c > 31 ? 0 : (a << c) & mask;
      carry = c <= width && ((c > 32 ? 0 : a >>> (width - c)) & 1) !== 0;
      overflow = carry !== ((result & signBit) !== 0);
      break;
    case KIND_SHR:
      result = c > 31 ? 0 : a >>> c;
      carry = c <= width && ((a >>> (c - 1)) & 1) !== 0;
      overflow = c === 1 && (a & signBit) !== 0;
      break;
    default: {
      const signed = (a << (32 - width)) >> (32 - width);
      result = (signed >> c) & mask;
      carry = ((signed >> (c - 1)) & 1) !== 0;
      overflow = false;
    }
  }
  return (
    (carry ? FLAG_C : 0) |
    parityFlag(result) |
    half |
    (result === 0 ? FLAG_Z : 0) |
    ((result & signBit) !== 0 ? FLAG_S : 0) |
    (overflow ? FLAG_O : 0)
  );
}

/** Width 64. @hot */
function readFlags64(state: Int32Array, operation: number): number {
  const aLo = state[A]!;
  const aHi = state[A + 1]!;
  const bLo = state[B]!;
  const bHi = state[B + 1]!;
  const c = state[CARRY]!;
  let lo: number;
  let hi: number;
  let carry: boolean;
  let overflow: boolean;
  let half = 0;
  switch (operation) {
    case KIND_ADD:
    case KIND_ADC: {
      const carryIn = operation === KIND_ADC ? c : 0;
      lo = (aLo + bLo + carryIn) | 0;
      const carryLow = carryIn !== 0 ? lo >>> 0 <= aLo >>> 0 : lo >>> 0 < aLo >>> 0;
      hi = (aHi + bHi + (carryLow ? 1 : 0)) | 0;
      carry = carryLow ? hi >>> 0 <= aHi >>> 0 : hi >>> 0 < aHi >>> 0;
      overflow = ((aHi ^ hi) & (bHi ^ hi)) < 0;
      half = (aLo ^ bLo ^ lo) & FLAG_A;
      break;
    }
    case KIND_SUB:
    case KIND_SBB: {
      const borrowIn = operation === KIND_SBB ? c : 0;
      lo = (aLo - bLo - borrowIn) | 0;
      const borrowLow = borrowIn !== 0 ? aLo >>> 0 <= bLo >>> 0 : aLo >>> 0 < bLo >>> 0;
      hi = (aHi - bHi - (borrowLow ? 1 : 0)) | 0;
      carry = borrowLow ? aHi >>> 0 <= bHi >>> 0 : aHi >>> 0 < bHi >>> 0;
      overflow = ((aHi ^ bHi) & (aHi ^ hi)) < 0;
      half = (aLo ^ bLo ^ lo) & FLAG_A;
      break;
    }
    case KIND_LOGIC:
    case KIND_LOGICC:
      lo = aLo;
      hi = aHi;
      carry = operation === KIND_LOGICC;
      overflow = false;
      break;
    case KIND_INC:
      lo = aLo;
      hi = aHi;
      carry = c !== 0;
      overflow = hi === -0x8000_0000 && lo === 0;
      half = (lo & 15) === 0 ? FLAG_A : 0;
      break;
    case KIND_DEC:
      lo = aLo;
      hi = aHi;
      carry = c !== 0;
      overflow = hi === 0x7fff_ffff && lo === -1;
      half = (lo & 15) === 15 ? FLAG_A : 0;
      break;
    case KIND_SHL:
      lo = c >= 32 ? 0 : aLo << c;
      hi = c >= 32 ? aLo << (c - 32) : c === 0 ? aHi : (aHi << c) | (aLo >>> (32 - c));
      carry = ((c > 32 ? aLo >>> (64 - c) : aHi >>> (32 - c)) & 1) !== 0;
      overflow = carry !== hi < 0;
      break;
    case KIND_SHR:
      hi = c >= 32 ? 0 : aHi >>> c;
      lo = c >= 32 ? aHi >>> (c - 32) : c === 0 ? aLo : (aLo >>> c) | (aHi << (32 - c));
      carry = ((c > 32 ? aHi >>> (c - 33) : aLo >>> (c - 1)) & 1) !== 0;
      overflow = c === 1 && aHi < 0;
      break;
    default:
      hi = c >= 32 ? aHi >> 31 : aHi >> c;
      lo = c >= 32 ? aHi >> (c - 32) : c === 0 ? aLo : (aLo >>> c) | (aHi << (32 - c));
      carry = ((c > 32 ? aHi >> (c - 33) : aLo >>> (c - 1)) & 1) !== 0;
      overflow = false;
  }
  return (
    (carry ? FLAG_C : 0) |
    parityFlag(lo) |
    half |
    ((lo | hi) === 0 ? FLAG_Z : 0) |
    (hi < 0 ? FLAG_S : 0) |
    (overflow ? FLAG_O : 0)
  );
}
