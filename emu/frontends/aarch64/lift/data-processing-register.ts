/** Lifters of table/data-processing-register.ts. DDI 0487, C6.2, the instruction of that name. */
import { FLAG_O, FLAG_S, FLAG_Z, type I32, type I64, type Value } from "../../../ir/index.ts";
import type { DATA_PROCESSING_REGISTER } from "../table/data-processing-register.ts";
import { type Lifter, R31, type Width } from "./lifter.ts";
import type { Lifters } from "./typing.ts";

interface TwoSources {
  readonly d: number;
  readonly n: number;
  readonly m: number;
}
interface Shifted extends TwoSources {
  readonly h: number;
  readonly i: number;
}
interface Extended extends TwoSources {
  readonly o: number;
  readonly i: number;
}
interface Conditional {
  readonly m: number;
  readonly c: number;
  readonly n: number;
}
interface Compare extends Conditional {
  readonly v: number;
}

/** Reflected polynomials. */
const CRC32 = 0xedb8_8320;
const CRC32C = 0x82f6_3b78;

export const dataProcessingRegisterLifters: Lifters<typeof DATA_PROCESSING_REGISTER> = {
  UDIV: (l, f) => l.setX(f.d, l.ir.divu(l.X(f.n), l.X(f.m))),
  SDIV: (l, f) => l.setX(f.d, l.ir.divs(l.X(f.n), l.X(f.m))),
  LSLV: (l, f) => l.setX(f.d, l.ir.shl(l.X(f.n), l.W(f.m))),
  LSRV: (l, f) => l.setX(f.d, l.ir.shr(l.X(f.n), l.W(f.m))),
  ASRV: (l, f) => l.setX(f.d, l.ir.sar(l.X(f.n), l.W(f.m))),
  RORV: (l, f) => l.setX(f.d, l.ir.rotr(l.X(f.n), l.W(f.m))),
  CRC32B: (l, f) => checksum(l, f, CRC32, 1),
  CRC32H: (l, f) => checksum(l, f, CRC32, 2),
  CRC32W: (l, f) => checksum(l, f, CRC32, 4),
  CRC32X: (l, f) => checksum(l, f, CRC32, 8),
  CRC32CB: (l, f) => checksum(l, f, CRC32C, 1),
  CRC32CH: (l, f) => checksum(l, f, CRC32C, 2),
  CRC32CW: (l, f) => checksum(l, f, CRC32C, 4),
  CRC32CX: (l, f) => checksum(l, f, CRC32C, 8),
  RBIT: (l, f) => {
    let value = l.ir.bswap(l.X(f.n));
    value = swapNeighbours(l, value, 4, 0x0f0f_0f0f);
    value = swapNeighbours(l, value, 2, 0x3333_3333);
    l.setX(f.d, swapNeighbours(l, value, 1, 0x5555_5555));
  },
  REV16: (l, f) => l.setX(f.d, swapNeighbours(l, l.X(f.n), 8, 0x00ff_00ff)),
  "REV (32-bit)": (l, f) => l.setX(f.d, l.ir.bswap(l.W(f.n)), 32),
  REV32: (l, f) => l.setX(f.d, l.ir.rotl(l.ir.bswap(l.X64(f.n)), l.ir.i32(32)), 64),
  "REV (64-bit)": (l, f) => l.setX(f.d, l.ir.bswap(l.X64(f.n)), 64),
  CLZ: (l, f) => l.setX(f.d, l.ir.clz(l.X(f.n))),
  CLS: (l, f) => {
    const { ir } = l;
    const value = l.X(f.n);
    const changes = ir.xor(value, ir.sar(value, ir.i32(1)));
    l.setX(f.d, ir.sub(ir.clz(changes), l.constant(1)));
  },
  "AND (shifted register)": (l, f) => l.setX(f.d, l.ir.and(l.X(f.n), ShiftReg(l, f))),
  "BIC (shifted register)": (l, f) => l.setX(f.d, l.ir.and(l.X(f.n), l.not(ShiftReg(l, f)))),
  "ORR (shifted register)": (l, f) => {
    // MOV (register)
    if (f.n === R31) l.setX(f.d, ShiftReg(l, f));
    else l.setX(f.d, l.ir.or(l.X(f.n), ShiftReg(l, f)));
  },
  "ORN (shifted register)": (l, f) => {
    const inverse = l.not(ShiftReg(l, f));
    l.setX(f.d, f.n === R31 ? inverse : l.ir.or(l.X(f.n), inverse));
  },
  "EOR (shifted register)": (l, f) => l.setX(f.d, l.ir.xor(l.X(f.n), ShiftReg(l, f))),
  "EON (shifted register)": (l, f) => l.setX(f.d, l.ir.xor(l.X(f.n), l.not(ShiftReg(l, f)))),
  "ANDS (shifted register)": (l, f) => {
    // TST of a register with itself is the register.
    const a = l.X(f.n);
    const result = f.n === f.m && f.i === 0 ? a : l.ir.and(a, ShiftReg(l, f));
    l.setFlagsOfLogic(result);
    l.setX(f.d, result);
  },
  "BICS (shifted register)": (l, f) => {
    const result = l.ir.and(l.X(f.n), l.not(ShiftReg(l, f)));
    l.setFlagsOfLogic(result);
    l.setX(f.d, result);
  },
  "ADD (shifted register)": (l, f) => l.setX(f.d, l.ir.add(l.X(f.n), ShiftReg(l, f))),
  "ADDS (shifted register)": (l, f) => l.setX(f.d, addWithFlags(l, l.X(f.n), ShiftReg(l, f))),
  "SUB (shifted register)": (l, f) => l.setX(f.d, l.ir.sub(l.X(f.n), ShiftReg(l, f))),
  "SUBS (shifted register)": (l, f) => l.setX(f.d, subtractWithFlags(l, l.X(f.n), ShiftReg(l, f))),
  "ADD (extended register)": (l, f) => l.setXSP(f.d, l.ir.add(l.XSP(f.n), ExtendReg(l, f))),
  "ADDS (extended register)": (l, f) => l.setX(f.d, addWithFlags(l, l.XSP(f.n), ExtendReg(l, f))),
  "SUB (extended register)": (l, f) => l.setXSP(f.d, l.ir.sub(l.XSP(f.n), ExtendReg(l, f))),
  "SUBS (extended register)": (l, f) => l.setX(f.d, subtractWithFlags(l, l.XSP(f.n), ExtendReg(l, f))),
  ADC: (l, f) => l.setX(f.d, l.ir.add(l.ir.add(l.X(f.n), l.X(f.m)), bitOfWidth(l, l.carry()))),
  ADCS: (l, f) => {
    const borrow = l.borrow();
    const sum = l.ir.add(l.ir.add(l.X(f.n), l.X(f.m)), bitOfWidth(l, l.carry()));
    l.ir.flagsOfCarry("sbb", l.width, l.X(f.n), l.not(l.X(f.m)), borrow);
    l.setX(f.d, sum);
  },
  SBC: (l, f) => l.setX(f.d, l.ir.sub(l.ir.sub(l.X(f.n), l.X(f.m)), bitOfWidth(l, l.borrow()))),
  SBCS: (l, f) => {
    const borrow = l.borrow();
    const difference = l.ir.sub(l.ir.sub(l.X(f.n), l.X(f.m)), bitOfWidth(l, borrow));
    l.ir.flagsOfCarry("sbb", l.width, l.X(f.n), l.X(f.m), borrow);
    l.setX(f.d, difference);
  },
  RMIF: (l, f) => {
    const rotated = l.ir.rotr(l.X64(f.n), l.ir.i32(f.i));
    l.ir.flagsPatch(l.flagConstant(f.k), l.flagsOfNzcv(l.ir.wrap(rotated)));
  },
  SETF8: (l, f) => evaluateIntoFlags(l, l.W(f.n), 8),
  SETF16: (l, f) => evaluateIntoFlags(l, l.W(f.n), 16),
  "CCMN (register)": (l, f) => conditionalCompareNegative(l, f, l.X(f.m)),
  "CCMP (register)": (l, f) => conditionalCompare(l, f, l.X(f.m)),
  "CCMN (immediate)": (l, f) => conditionalCompareNegative(l, f, l.constant(f.m)),
  "CCMP (immediate)": (l, f) => conditionalCompare(l, f, l.constant(f.m)),
  CSEL: (l, f) => conditionalSelect(l, f, f.d, (other) => other),
  CSINC: (l, f) => {
    // CSET
    if (f.n === R31 && f.m === R31 && f.c < 14) l.setX(f.d, l.ConditionFails(f.c), 32);
    else conditionalSelect(l, f, f.d, (other) => l.ir.add(other, l.constant(1)));
  },
  CSINV: (l, f) => conditionalSelect(l, f, f.d, (other) => l.not(other)),
  CSNEG: (l, f) => conditionalSelect(l, f, f.d, (other) => l.ir.sub(l.constant(0), other)),
  MADD: (l, f) => {
    const product = l.ir.mul(l.X(f.n), l.X(f.m));
    l.setX(f.d, f.a === R31 ? product : l.ir.add(l.X(f.a), product));
  },
  MSUB: (l, f) => l.setX(f.d, l.ir.sub(l.X(f.a), l.ir.mul(l.X(f.n), l.X(f.m)))),
  SMADDL: (l, f) => {
    const product = l.ir.mul(l.ir.sext(l.W(f.n)), l.ir.sext(l.W(f.m)));
    l.setX(f.d, f.a === R31 ? product : l.ir.add(l.X64(f.a), product), 64);
  },
  SMSUBL: (l, f) => {
    const product = l.ir.mul(l.ir.sext(l.W(f.n)), l.ir.sext(l.W(f.m)));
    l.setX(f.d, l.ir.sub(l.X64(f.a), product), 64);
  },
  SMULH: (l, f) => l.setX(f.d, l.ir.mulhs(l.X64(f.n), l.X64(f.m)), 64),
  UMADDL: (l, f) => {
    const product = l.ir.mul(l.ir.zext(l.W(f.n)), l.ir.zext(l.W(f.m)));
    l.setX(f.d, f.a === R31 ? product : l.ir.add(l.X64(f.a), product), 64);
  },
  UMSUBL: (l, f) => {
    const product = l.ir.mul(l.ir.zext(l.W(f.n)), l.ir.zext(l.W(f.m)));
    l.setX(f.d, l.ir.sub(l.X64(f.a), product), 64);
  },
  UMULH: (l, f) => l.setX(f.d, l.ir.mulhu(l.X64(f.n), l.X64(f.m)), 64),
};

function checksum(l: Lifter, f: TwoSources, polynomial: number, lengthBytes: 1 | 2 | 4 | 8): void {
  const data = lengthBytes === 8 ? l.X64(f.m) : l.ir.zext(l.W(f.m));
  l.setX(f.d, l.ir.crc32(l.W(f.n), data, polynomial, lengthBytes), 32);
}

/** Exchanges neighbouring groups of bits. @param mask the lower group of each pair, 32 bits of the pattern */
function swapNeighbours(l: Lifter, value: Value, bits: number, mask: number): Value {
  const { ir } = l;
  const low = l.width === 64 ? ir.i64(mask, mask) : ir.i32(mask);
  const count = ir.i32(bits);
  return ir.or(ir.and(ir.shr(value, count), low), ir.shl(ir.and(value, low), count));
}

/** A condition as a value of the operand size. */
function bitOfWidth(l: Lifter, bit: I32): Value {
  return l.width === 64 ? l.ir.zext(bit) : bit;
}

function ShiftReg(l: Lifter, f: Shifted): Value {
  const { ir } = l;
  const value = l.X(f.m);
  if (f.i === 0) return value;
  const amount = ir.i32(f.i);
  switch (f.h) {
    case 0:
      return ir.shl(value, amount);
    case 1:
      return ir.shr(value, amount);
    case 2:
      return ir.sar(value, amount);
    default:
      return ir.rotr(value, amount);
  }
}

function ExtendReg(l: Lifter, f: Extended): Value {
  const { ir } = l;
  const extended = extend(l, f.m, f.o, l.width);
  return f.i === 0 ? extended : ir.shl(extended, ir.i32(f.i));
}

/** The low byte, halfword, word or doubleword of a register, extended. @param option as encoded */
function extend(l: Lifter, m: number, option: number, width: Width): Value {
  const { ir } = l;
  const signed = option >= 4;
  const size = option & 3;
  if (size === 3 || (size === 2 && width === 32)) return l.X(m, width);
  const word = l.W(m);
  let narrow = word;
  if (size === 0) narrow = signed ? ir.sext8(word) : ir.zext8(word);
  if (size === 1) narrow = signed ? ir.sext16(word) : ir.zext16(word);
  if (width === 32) return narrow;
  return signed ? ir.sext(narrow) : ir.zext(narrow);
}

/** AddWithCarry(a, b, '0'): in the record, a - NOT(b) - 1. */
function addWithFlags(l: Lifter, a: Value, b: Value): Value {
  const sum = l.ir.add(a, b);
  l.ir.flagsOfCarry("sbb", l.width, a, l.not(b), l.ir.i32(1));
  return sum;
}

/** AddWithCarry(a, NOT(b), '1'). */
function subtractWithFlags(l: Lifter, a: Value, b: Value): Value {
  const difference = l.ir.sub(a, b);
  l.ir.flagsOf("sub", l.width, a, b);
  return difference;
}

/** SETF8, SETF16: N and Z of the low bits, V if the next bit differs from N. */
function evaluateIntoFlags(l: Lifter, value: I32, bits: 8 | 16): void {
  const { ir } = l;
  const low = bits === 8 ? ir.zext8(value) : ir.zext16(value);
  const n = ir.and(ir.shr(value, ir.i32(bits - 8)), ir.i32(FLAG_S));
  const z = ir.shl(ir.eq(low, ir.i32(0)), ir.i32(6));
  const overflow = ir.and(ir.xor(ir.shr(value, ir.i32(bits)), ir.shr(value, ir.i32(bits - 1))), ir.i32(1));
  const v = ir.shl(overflow, ir.i32(11));
  ir.flagsPatch(ir.i32(FLAG_S | FLAG_Z | FLAG_O), ir.or(ir.or(n, z), v));
}

function conditionalCompare(l: Lifter, f: Compare, b: Value): void {
  const holds = l.ConditionHolds(f.c);
  l.ir.flagsOf("sub", l.width, l.X(f.n), b);
  otherwiseFlags(l, holds, f.v);
}

function conditionalCompareNegative(l: Lifter, f: Compare, b: Value): void {
  const holds = l.ConditionHolds(f.c);
  l.ir.flagsOfCarry("sbb", l.width, l.X(f.n), l.not(b), l.ir.i32(1));
  otherwiseFlags(l, holds, f.v);
}

/** If the condition failed, the flags are the immediate. */
function otherwiseFlags(l: Lifter, holds: I32 | null, nzcv: number): void {
  if (holds === null) return;
  const { ir } = l;
  const mask = ir.select(holds, ir.i32(0), l.flagConstant(0xf));
  // C is inverted in the record.
  ir.flagsPatch(mask, l.flagConstant(nzcv ^ 2));
}

function conditionalSelect(l: Lifter, f: Conditional, d: number, otherwise: (other: Value) => Value): void {
  const holds = l.ConditionHolds(f.c);
  const value = holds === null ? l.X(f.n) : l.ir.select(holds, l.X(f.n), otherwise(l.X(f.m)));
  l.setX(d, value);
}

/** Index register of a load or store, before its shift. @param option as encoded */
export function extendIndex(l: Lifter, m: number, option: number): I64 {
  return extend(l, m, option, 64) as I64;
}
