/**
 * Lifters of table/shift-rotate.ts. Intel SDM Vol. 2. Counts are masked to 5 bits, 6 for 64-bit operands; a masked
 * count of 0 leaves the flags alone. OF is undefined for counts other than 1: rotates compute it by the same rule.
 */
import type { I32, I64, Value } from "../../../ir/index.ts";
import { FLAG_C, FLAG_O } from "../../../ir/index.ts";
import type { OperandSpec } from "../table/index.ts";
import type { SHIFT_ROTATE } from "../table/shift-rotate.ts";
import type { Lifter } from "./lifter.ts";
import type { Lifters } from "./typing.ts";

export const shiftRotateLifters: Lifters<typeof SHIFT_ROTATE> = {
  SHL: (l, dst, count) => shift(l, dst, count, "shl"),
  SHR: (l, dst, count) => shift(l, dst, count, "shr"),
  SAR: (l, dst, count) => shift(l, dst, count, "sar"),
  ROL: (l, dst, source) => {
    const count = maskedCount(l, source);
    const [, result] = l.modify(dst, (value) => l.truncate(l.ir.rotl(replicate(l, value), count)));
    const carry = l.bit(result, l.ir.i32(0));
    setCarryAndOverflow(l, count, carry, l.ir.xor(carry, l.signBit(result)));
  },
  ROR: (l, dst, source) => {
    const count = maskedCount(l, source);
    const [, result] = l.modify(dst, (value) => l.truncate(l.ir.rotr(replicate(l, value), count)));
    const carry = l.signBit(result);
    setCarryAndOverflow(l, count, carry, l.ir.xor(carry, secondBit(l, result)));
  },
  RCL: (l, dst, source) => {
    const count = maskedCount(l, source);
    const carryIn = l.carry();
    const rotation = l.width === 64 ? rotateCarryLeft64 : rotateCarryLeft;
    let carry = carryIn;
    const [, result] = l.modify(dst, (value) => {
      const [rotated, carryOut] = rotation(l, value, carryIn, count);
      carry = carryOut;
      return rotated;
    });
    setCarryAndOverflow(l, count, carry, l.ir.xor(carry, l.signBit(result)));
  },
  RCR: (l, dst, source) => {
    const count = maskedCount(l, source);
    const carryIn = l.carry();
    const rotation = l.width === 64 ? rotateCarryRight64 : rotateCarryRight;
    let carry = carryIn;
    const [, result] = l.modify(dst, (value) => {
      const [rotated, carryOut] = rotation(l, value, carryIn, count);
      carry = carryOut;
      return rotated;
    });
    setCarryAndOverflow(l, count, carry, l.ir.xor(l.signBit(result), secondBit(l, result)));
  },
  SHLD: (l, dst, source, count) => doubleShift(l, dst, source, count, "left"),
  SHRD: (l, dst, source, count) => doubleShift(l, dst, source, count, "right"),
};

function maskedCount(l: Lifter, source: OperandSpec): I32 {
  const mask = l.width === 64 ? 63 : 31;
  if (source.place === "immediate") return l.ir.i32(l.x.immediate & mask);
  if (source.file === null) return l.ir.i32(1);
  return l.ir.and(l.read(source) as I32, l.ir.i32(mask));
}

function shift(l: Lifter, dst: OperandSpec, source: OperandSpec, kind: "shl" | "shr" | "sar"): void {
  const count = maskedCount(l, source);
  const [old] = l.modify(dst, (value) => {
    if (kind === "shl") return l.ir.shl(value, count);
    return kind === "shr" ? l.ir.shr(value, count) : l.ir.sar(l.signExtend(value), count);
  });
  l.ir.flagsOfShift(kind, l.width, old, count);
}

/** Fills the type with copies of a narrow value, so that rotating it rotates every copy. */
function replicate(l: Lifter, value: Value): Value {
  if (l.width === 8) return l.ir.mul(value as I32, l.ir.i32(0x0101_0101));
  if (l.width === 16) return l.ir.or(value as I32, l.ir.shl(value as I32, l.ir.i32(16)));
  return value;
}

function secondBit(l: Lifter, value: Value): I32 {
  return l.bit(value, l.ir.i32(l.width - 2));
}

/** Replaces C and O unless the masked count is 0. */
function setCarryAndOverflow(l: Lifter, count: I32, carry: I32, overflow: I32): void {
  const mask = l.ir.select(count, l.ir.i32(FLAG_C | FLAG_O), l.ir.i32(0));
  l.ir.flagsPatch(mask, l.ir.or(carry, l.ir.shl(overflow, l.ir.i32(11))));
}

/** Up to 32 bits: the value with the carry above it rotates as width + 1 bits in an i64. */
function throughCarry(l: Lifter, value: Value, carry: I32, count: I32): [joined: I64, count: I32, back: I32] {
  const bits = l.width + 1;
  const turns = l.width === 32 ? count : l.ir.remu(count, l.ir.i32(bits));
  const joined = l.ir.or(l.ir.zext(value as I32), l.ir.shl(l.ir.zext(carry), l.ir.i32(l.width)));
  return [joined, turns, l.ir.sub(l.ir.i32(bits), turns)];
}

function splitCarry(l: Lifter, rotated: I64): [Value, I32] {
  const carry = l.ir.and(l.ir.wrap(l.ir.shr(rotated, l.ir.i32(l.width))), l.ir.i32(1));
  return [l.narrow(rotated), carry];
}

function rotateCarryLeft(l: Lifter, value: Value, carry: I32, count: I32): [Value, I32] {
  const [joined, turns, back] = throughCarry(l, value, carry, count);
  return splitCarry(l, l.ir.or(l.ir.shl(joined, turns), l.ir.shr(joined, back)));
}

function rotateCarryRight(l: Lifter, value: Value, carry: I32, count: I32): [Value, I32] {
  const [joined, turns, back] = throughCarry(l, value, carry, count);
  return splitCarry(l, l.ir.or(l.ir.shr(joined, turns), l.ir.shl(joined, back)));
}

/** 65 bits: shifted by 1 and 64 - count, because a shift by 64 does not exist. */
function rotateCarryLeft64(l: Lifter, value: Value, carry: I32, count: I32): [Value, I32] {
  const back = l.ir.sub(l.ir.i32(64), count);
  const before = l.ir.sub(count, l.ir.i32(1));
  const high = l.ir.shl(value as I64, count);
  const middle = l.ir.shl(l.ir.zext(carry), before);
  const low = l.ir.shr(l.ir.shr(value as I64, l.ir.i32(1)), back);
  const rotated = l.ir.or(l.ir.or(high, middle), low);
  return [l.ir.select(count, rotated, value as I64), l.ir.select(count, l.bit(value, back), carry)];
}

function rotateCarryRight64(l: Lifter, value: Value, carry: I32, count: I32): [Value, I32] {
  const back = l.ir.sub(l.ir.i32(64), count);
  const before = l.ir.sub(count, l.ir.i32(1));
  const low = l.ir.shr(value as I64, count);
  const middle = l.ir.shl(l.ir.zext(carry), back);
  const high = l.ir.shl(l.ir.shl(value as I64, l.ir.i32(1)), back);
  const rotated = l.ir.or(l.ir.or(high, middle), low);
  return [l.ir.select(count, rotated, value as I64), l.ir.select(count, l.bit(value, before), carry)];
}

/** The carry is the last bit shifted out of the destination. */
function doubleShift(
  l: Lifter,
  dst: OperandSpec,
  source: OperandSpec,
  countSource: OperandSpec,
  direction: "left" | "right",
): void {
  const count = maskedCount(l, countSource);
  const fill = l.read(source);
  const shift = l.width === 64 ? doubleShift64 : doubleShiftNarrow;
  let carry = count;
  const [old, result] = l.modify(dst, (value) => {
    const [shifted, out] = shift(l, value, fill, count, direction);
    carry = out;
    return shifted;
  });
  const overflow = l.ir.xor(l.signBit(old), l.signBit(result));
  const before = l.ir.flagsRead();
  l.ir.flagsOfResult("logic", l.width, result);
  const after = l.ir.or(l.ir.flagsRead(), l.ir.or(carry, l.ir.shl(overflow, l.ir.i32(11))));
  l.ir.flagsWrite(l.ir.select(count, after, before));
}

type DoubleShift = [result: Value, carry: I32];

function doubleShift64(
  l: Lifter,
  value: Value,
  fill: Value,
  count: I32,
  direction: "left" | "right",
): DoubleShift {
  const back = l.ir.sub(l.ir.i32(64), count);
  const left = direction === "left";
  const shifted = left
    ? l.ir.or(l.ir.shl(value, count), l.ir.shr(fill, back))
    : l.ir.or(l.ir.shr(value, count), l.ir.shl(fill, back));
  const carry = l.bit(value, left ? back : l.ir.sub(count, l.ir.i32(1)));
  return [l.ir.select(count, shifted, value), carry];
}

/**
 * Destination and source side by side in an i64. With 16 bits the source follows twice: counts above 16, which the SDM
 * leaves undefined, do what AMD processors do.
 */
function doubleShiftNarrow(
  l: Lifter,
  value: Value,
  fill: Value,
  count: I32,
  direction: "left" | "right",
): DoubleShift {
  const { ir } = l;
  const width = ir.i32(l.width);
  const first = ir.zext(value as I32);
  const filler = ir.zext(fill as I32);
  const fills = l.width === 32 ? filler : ir.or(ir.shl(filler, width), filler);
  if (direction === "left") {
    const joined = ir.or(ir.shl(first, ir.i32(32)), fills);
    const carry = l.bit(joined, ir.sub(ir.i32(32 + l.width), count), 64);
    return [l.narrow(ir.shr(ir.shl(joined, count), ir.i32(32))), carry];
  }
  const joined = ir.or(ir.shl(fills, width), first);
  return [l.narrow(ir.shr(joined, count)), l.bit(joined, ir.sub(count, ir.i32(1)), 64)];
}
