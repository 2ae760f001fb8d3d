/** Lifters of table/arithmetic.ts. Intel SDM Vol. 2, "Operation" of each instruction. */
import type { I32, I64, Value } from "../../../ir/index.ts";
import { FLAG_A, FLAG_C, FLAG_O, FLAG_P, FLAG_S, FLAG_Z } from "../../../ir/index.ts";
import { RAX, RDX } from "../state.ts";
import type { ARITHMETIC } from "../table/arithmetic.ts";
import type { OperandSpec } from "../table/index.ts";
import { TRAP_DE } from "../traps.ts";
import type { Lifter } from "./lifter.ts";
import type { Lifters } from "./typing.ts";

export const arithmeticLifters: Lifters<typeof ARITHMETIC> = {
  ADD: (l, dst, src) => {
    const b = l.read(src);
    const [a] = l.modify(dst, (value) => l.ir.add(value, b));
    l.ir.flagsOf("add", l.width, a, b);
  },
  SUB: (l, dst, src) => {
    const b = l.read(src);
    const [a] = l.modify(dst, (value) => l.ir.sub(value, b));
    l.ir.flagsOf("sub", l.width, a, b);
  },
  CMP: (l, dst, src) => {
    l.ir.flagsOf("sub", l.width, l.read(dst), l.read(src));
  },
  ADC: (l, dst, src) => {
    const b = l.read(src);
    const carry = l.carry();
    const [a] = l.modify(dst, (value) => l.ir.add(l.ir.add(value, b), widen(l, carry)));
    l.ir.flagsOfCarry("adc", l.width, a, b, carry);
  },
  SBB: (l, dst, src) => {
    const b = l.read(src);
    const borrow = l.carry();
    const [a] = l.modify(dst, (value) => l.ir.sub(l.ir.sub(value, b), widen(l, borrow)));
    l.ir.flagsOfCarry("sbb", l.width, a, b, borrow);
  },
  INC: (l, dst) => {
    const [, result] = l.modify(dst, (value) => l.ir.add(value, l.constant(1)));
    l.ir.flagsOfResult("inc", l.width, result);
  },
  DEC: (l, dst) => {
    const [, result] = l.modify(dst, (value) => l.ir.sub(value, l.constant(1)));
    l.ir.flagsOfResult("dec", l.width, result);
  },
  NEG: (l, dst) => {
    const zero = l.constant(0);
    const [a] = l.modify(dst, (value) => l.ir.sub(zero, value));
    l.ir.flagsOf("sub", l.width, zero, a);
  },
  MUL: (l, src) => multiplyAccumulator(l, src, "unsigned"),
  IMUL: (l: Lifter, dst: OperandSpec, ...sources: readonly OperandSpec[]) => {
    if (sources.length === 0) multiplyAccumulator(l, dst, "signed");
    else multiplySigned(l, dst, l.read(sources[0]!), l.read(sources[1] ?? dst));
  },
  DIV: (l, src) => divideAccumulator(l, src, "unsigned"),
  IDIV: (l, src) => divideAccumulator(l, src, "signed"),
  ADCX: (l, dst, src) => addWithFlag(l, dst, src, FLAG_C),
  ADOX: (l, dst, src) => addWithFlag(l, dst, src, FLAG_O),
};

type Signedness = "unsigned" | "signed";

function widen(l: Lifter, bit: I32): Value {
  return l.width === 64 ? l.ir.zext(bit) : bit;
}

/** C = O = the product does not fit its low half; S, Z, A and P are undefined and left as they are. */
function setOverflow(l: Lifter, overflow: I32): void {
  const bits = l.ir.select(overflow, l.ir.i32(FLAG_C | FLAG_O), l.ir.i32(0));
  l.ir.flagsPatch(l.ir.i32(FLAG_C | FLAG_O), bits);
}

/** Extends both to 64 bits, by sign or by zero. */
function extend(l: Lifter, value: Value, signedness: Signedness): I64 {
  if (l.width === 64) return value as I64;
  return signedness === "signed" ? l.ir.sext(l.signExtend(value) as I32) : l.ir.zext(value as I32);
}

/** The low half of a product says everything about it. */
function fitsLow(l: Lifter, product: I64, signedness: Signedness): I32 {
  return l.ir.eq(product, extend(l, l.narrow(product), signedness));
}

function not(l: Lifter, bit: I32): I32 {
  return l.ir.xor(bit, l.ir.i32(1));
}

/** AX = AL * r/m8; rDX:rAX = rAX * r/m. */
function multiplyAccumulator(l: Lifter, source: OperandSpec, signedness: Signedness): void {
  const src = l.read(source);
  const acc = l.register(RAX, l.width);
  if (l.width === 64) {
    const low = l.ir.mul(acc as I64, src as I64);
    const high =
      signedness === "signed" ? l.ir.mulhs(acc as I64, src as I64) : l.ir.mulhu(acc as I64, src as I64);
    const expected = signedness === "signed" ? l.ir.sar(low, l.ir.i32(63)) : l.ir.i64(0);
    const overflow = l.ir.ne(high, expected);
    l.setRegister(RAX, 64, low);
    l.setRegister(RDX, 64, high);
    setOverflow(l, overflow);
    return;
  }
  const product = l.ir.mul(extend(l, acc, signedness), extend(l, src, signedness));
  const overflow = not(l, fitsLow(l, product, signedness));
  if (l.width === 8) {
    l.setRegister(RAX, 16, l.narrow(product, 16));
  } else {
    l.setRegister(RAX, l.width, l.narrow(product));
    l.setRegister(RDX, l.width, l.narrow(l.ir.shr(product, l.ir.i32(l.width))));
  }
  setOverflow(l, overflow);
}

function multiplySigned(l: Lifter, dst: OperandSpec, a: Value, b: Value): void {
  let result: Value;
  let overflow: I32;
  if (l.width === 64) {
    const low = l.ir.mul(a as I64, b as I64);
    overflow = l.ir.ne(l.ir.mulhs(a as I64, b as I64), l.ir.sar(low, l.ir.i32(63)));
    result = low;
  } else {
    const product = l.ir.mul(extend(l, a, "signed"), extend(l, b, "signed"));
    overflow = not(l, fitsLow(l, product, "signed"));
    result = l.narrow(product);
  }
  l.write(dst, result);
  setOverflow(l, overflow);
}

/** #DE if the divisor is 0 or the quotient does not fit. */
function divideAccumulator(l: Lifter, source: OperandSpec, signedness: Signedness): void {
  const src = l.read(source);
  if (l.width === 64) {
    divide128(l, src as I64, signedness);
    setFlagsOfDivision(l);
    return;
  }
  const divisor = extend(l, src, signedness);
  const dividend = dividendOf(l, signedness);
  const signed = signedness === "signed";
  const quotient = signed ? l.ir.divs(dividend, divisor) : l.ir.divu(dividend, divisor);
  const isZero = l.ir.eq(divisor, l.ir.i64(0));
  l.ir.trapIf(l.ir.or(isZero, not(l, fitsLow(l, quotient, signedness))), TRAP_DE);
  const remainder = signed ? l.ir.rems(dividend, divisor) : l.ir.remu(dividend, divisor);
  if (l.width === 8) {
    const high = l.ir.shl(l.narrow(remainder) as I32, l.ir.i32(8));
    l.setRegister(RAX, 16, l.ir.or(high, l.narrow(quotient) as I32));
  } else {
    l.setRegister(RAX, l.width, l.narrow(quotient));
    l.setRegister(RDX, l.width, l.narrow(remainder));
  }
  setFlagsOfDivision(l);
}

/** All six are undefined: as AMD processors do, A is set, S, Z and P are cleared, C and O stay. */
function setFlagsOfDivision(l: Lifter): void {
  l.ir.flagsPatch(l.ir.i32(FLAG_S | FLAG_Z | FLAG_A | FLAG_P), l.ir.i32(FLAG_A));
}

/** AX, DX:AX or EDX:EAX as 64 bits. */
function dividendOf(l: Lifter, signedness: Signedness): I64 {
  if (l.width === 8) {
    const ax = l.register(RAX, 16) as I32;
    return signedness === "signed" ? l.ir.sext(l.ir.sext16(ax)) : l.ir.zext(ax);
  }
  const low = l.ir.zext(l.register(RAX, l.width) as I32);
  const high = extend(l, l.register(RDX, l.width), signedness);
  return l.ir.or(l.ir.shl(high, l.ir.i32(l.width)), low);
}

function divide128(l: Lifter, divisor: I64, signedness: Signedness): void {
  const low = l.register64(RAX);
  const high = l.register64(RDX);
  const fits = l.ir.divide128Fits(signedness, high, low, divisor);
  l.ir.trapIf(not(l, fits), TRAP_DE);
  const signed = signedness === "signed";
  const quotient = l.ir.divide128(signed ? "divs128" : "divu128", high, low, divisor);
  const remainder = l.ir.divide128(signed ? "rems128" : "remu128", high, low, divisor);
  l.setRegister(RAX, 64, quotient);
  l.setRegister(RDX, 64, remainder);
}

/** Adds with and into one flag; the others stay. */
function addWithFlag(l: Lifter, dst: OperandSpec, src: OperandSpec, flag: number): void {
  const carryIn = l.condition(flag === FLAG_C ? 2 : 0);
  const a = l.read(dst);
  const b = l.read(src);
  const partial = l.ir.add(a, b);
  const result = l.ir.add(partial, widen(l, carryIn));
  const carryOut = l.ir.or(l.ir.ltu(partial, a), l.ir.ltu(result, partial));
  l.write(dst, result);
  l.ir.flagsPatch(l.ir.i32(flag), l.ir.select(carryOut, l.ir.i32(flag), l.ir.i32(0)));
}
