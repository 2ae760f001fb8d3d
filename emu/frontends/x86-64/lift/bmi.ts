/** Lifters of table/bmi.ts. Intel SDM Vol. 2. Undefined flags: as "logic" leaves them, or unchanged where noted. */
import type { I32, I64, Value } from "../../../ir/index.ts";
import { FLAG_C, FLAG_Z } from "../../../ir/index.ts";
import { RDX } from "../state.ts";
import type { BMI } from "../table/bmi.ts";
import type { OperandSpec } from "../table/index.ts";
import type { Lifter } from "./lifter.ts";
import type { Lifters } from "./typing.ts";

export const bmiLifters: Lifters<typeof BMI> = {
  ANDN: (l, dst, inverted, src) => {
    const mask = l.ir.xor(l.read(inverted), l.constant(-1));
    setLogic(l, dst, l.ir.and(mask, l.read(src)), null);
  },
  BEXTR: (l, dst, src, control) => {
    const value = l.read(src);
    const word = low32(l, l.read(control));
    const start = l.ir.and(word, l.ir.i32(0xff));
    const length = l.ir.and(l.ir.shr(word, l.ir.i32(8)), l.ir.i32(0xff));
    const shifted = l.ir.select(l.ir.ltu(start, l.ir.i32(l.width)), l.ir.shr(value, start), l.constant(0));
    setLogic(l, dst, keepLow(l, shifted, length), null);
  },
  BLSI: (l, dst, src) => {
    const value = l.read(src);
    const result = l.ir.and(value, l.ir.sub(l.constant(0), value));
    setLogic(l, dst, result, l.ir.ne(value, l.constant(0)));
  },
  BLSMSK: (l, dst, src) => {
    const value = l.read(src);
    setLogic(l, dst, l.ir.xor(value, l.ir.sub(value, l.constant(1))), l.isZero(value));
  },
  BLSR: (l, dst, src) => {
    const value = l.read(src);
    setLogic(l, dst, l.ir.and(value, l.ir.sub(value, l.constant(1))), l.isZero(value));
  },
  TZCNT: (l, dst, src) => countZeros(l, dst, src, "trailing"),
  LZCNT: (l, dst, src) => countZeros(l, dst, src, "leading"),
  BZHI: (l, dst, src, control) => {
    const value = l.read(src);
    const length = l.ir.and(low32(l, l.read(control)), l.ir.i32(0xff));
    const beyond = l.ir.ltu(l.ir.i32(l.width - 1), length);
    setLogic(l, dst, keepLow(l, value, length), beyond);
  },
  MULX: (l, high, low, src) => {
    const value = l.read(src);
    const factor = l.register(RDX, l.width);
    if (l.width === 64) {
      const lowHalf = l.ir.mul(factor as I64, value as I64);
      const highHalf = l.ir.mulhu(factor as I64, value as I64);
      l.write(low, lowHalf);
      l.write(high, highHalf);
      return;
    }
    const product = l.ir.mul(l.ir.zext(factor as I32), l.ir.zext(value as I32));
    l.write(low, l.ir.wrap(product));
    l.write(high, l.ir.wrap(l.ir.shr(product, l.ir.i32(32))));
  },
  PDEP: (l, dst, src, mask) => {
    const selector = l.toI64(l.read(mask));
    l.write(dst, l.narrow(l.ir.pdep(l.toI64(l.read(src)), selector)));
  },
  PEXT: (l, dst, src, mask) => {
    const selector = l.toI64(l.read(mask));
    l.write(dst, l.narrow(l.ir.pext(l.toI64(l.read(src)), selector)));
  },
  RORX: (l, dst, src) => l.write(dst, l.ir.rotr(l.read(src), l.ir.i32(l.x.immediate & (l.width - 1)))),
  SARX: (l, dst, src, count) => shiftWithoutFlags(l, dst, src, count, (value, by) => l.ir.sar(value, by)),
  SHLX: (l, dst, src, count) => shiftWithoutFlags(l, dst, src, count, (value, by) => l.ir.shl(value, by)),
  SHRX: (l, dst, src, count) => shiftWithoutFlags(l, dst, src, count, (value, by) => l.ir.shr(value, by)),
};

function low32(l: Lifter, value: Value): I32 {
  return l.width === 64 ? l.ir.wrap(value as I64) : (value as I32);
}

/** S and Z of the result, O = A = 0; C is 0 unless given. */
function setLogic(l: Lifter, dst: OperandSpec, result: Value, carry: I32 | null): void {
  l.write(dst, result);
  l.ir.flagsOfResult("logic", l.width, result);
  if (carry !== null) l.ir.flagsPatch(l.ir.i32(FLAG_C), carry);
}

/** The low `length` bits; all of them if the length is the width or more. */
function keepLow(l: Lifter, value: Value, length: I32): Value {
  const mask = l.ir.sub(l.ir.shl(l.constant(1), length), l.constant(1));
  return l.ir.select(l.ir.ltu(length, l.ir.i32(l.width)), l.ir.and(value, mask), value);
}

/** The width for 0. C: the source is 0; Z: the result is 0; the others are undefined and cleared. */
function countZeros(l: Lifter, dst: OperandSpec, src: OperandSpec, kind: "leading" | "trailing"): void {
  const value = l.read(src);
  let result: Value;
  if (l.width !== 16) result = kind === "leading" ? l.ir.clz(value) : l.ir.ctz(value);
  else if (kind === "leading") result = l.ir.sub(l.ir.clz(value as I32), l.ir.i32(16));
  else result = l.ir.ctz(l.ir.or(value as I32, l.ir.i32(0x1_0000)));
  const carry = l.isZero(value);
  const zero = l.ir.select(l.isZero(result), l.ir.i32(FLAG_Z), l.ir.i32(0));
  l.write(dst, result);
  l.ir.flagsWrite(l.ir.or(carry, zero));
}

function shiftWithoutFlags(
  l: Lifter,
  dst: OperandSpec,
  src: OperandSpec,
  count: OperandSpec,
  operation: (value: Value, by: I32) => Value,
): void {
  const value = l.read(src);
  l.write(dst, operation(value, low32(l, l.read(count))));
}
