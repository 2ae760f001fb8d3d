/** Lifters of table/data-processing-immediate.ts. DDI 0487, C6.2, the instruction of that name. */
import type { I32, I64, Value } from "../../../ir/index.ts";
import { DecodeBitMasks, type Wide } from "../bit-masks.ts";
import type { DATA_PROCESSING_IMMEDIATE } from "../table/data-processing-immediate.ts";
import { type Lifter, R31, signExtend, type Width } from "./lifter.ts";
import type { Lifters } from "./typing.ts";

export const dataProcessingImmediateLifters: Lifters<typeof DATA_PROCESSING_IMMEDIATE> = {
  ADR: (l, f) => {
    const { lo, hi } = l.target(signExtend((f.i << 2) | f.j, 21));
    l.setX(f.d, l.ir.i64(lo, hi), 64);
  },
  ADRP: (l, f) => l.setX(f.d, pageAddress(l, signExtend((f.i << 2) | f.j, 21)), 64),
  "ADD (immediate)": (l, f) => addImmediate(l, f.d, f.n, f.i << (f.h * 12)),
  "SUB (immediate)": (l, f) => addImmediate(l, f.d, f.n, -(f.i << (f.h * 12))),
  "ADDS (immediate)": (l, f) => {
    const a = l.XSP(f.n);
    const imm = f.i << (f.h * 12);
    const result = l.ir.sub(a, l.constant(-imm));
    // AddWithCarry(a, imm, '0') is AddWithCarry(a, NOT(-imm), '1') unless imm is 0.
    if (imm === 0) l.setFlagsOfLogic(result);
    else l.ir.flagsOf("sub", l.width, a, l.constant(-imm));
    l.setX(f.d, result);
  },
  "SUBS (immediate)": (l, f) => {
    const a = l.XSP(f.n);
    const b = l.constant(f.i << (f.h * 12));
    const result = l.ir.sub(a, b);
    l.ir.flagsOf("sub", l.width, a, b);
    l.setX(f.d, result);
  },
  "AND (immediate)": (l, f) => l.setXSP(f.d, l.ir.and(l.X(f.n), bitMask(l, f))),
  "ORR (immediate)": (l, f) => {
    // MOV (bitmask immediate)
    if (f.n === R31) l.setXSP(f.d, bitMask(l, f));
    else l.setXSP(f.d, l.ir.or(l.X(f.n), bitMask(l, f)));
  },
  "EOR (immediate)": (l, f) => l.setXSP(f.d, l.ir.xor(l.X(f.n), bitMask(l, f))),
  "ANDS (immediate)": (l, f) => {
    const result = l.ir.and(l.X(f.n), bitMask(l, f));
    l.setFlagsOfLogic(result);
    l.setX(f.d, result);
  },
  MOVN: (l, f) => {
    const { lo, hi } = halfword(f.i, f.h);
    l.setX(f.d, wideConstant(l, { lo: ~lo, hi: ~hi }));
  },
  MOVZ: (l, f) => l.setX(f.d, wideConstant(l, halfword(f.i, f.h))),
  MOVK: (l, f) => {
    const mask = halfword(0xffff, f.h);
    const kept = l.ir.and(l.X(f.d), wideConstant(l, { lo: ~mask.lo, hi: ~mask.hi }));
    l.setX(f.d, l.ir.or(kept, wideConstant(l, halfword(f.i, f.h))));
  },
  SBFM: (l, f) => l.setX(f.d, signedField(l, l.X(f.n), f.r, f.i)),
  UBFM: (l, f) => l.setX(f.d, unsignedField(l, l.X(f.n), f.r, f.i)),
  BFM: (l, f) => {
    const lowest = f.i >= f.r ? 0 : l.width - f.r;
    const length = f.i >= f.r ? f.i - f.r + 1 : f.i + 1;
    const mask = fieldMask(lowest, length);
    const field = l.ir.and(moved(l, l.X(f.n), f.r, f.i), wideConstant(l, mask));
    const kept = l.ir.and(l.X(f.d), wideConstant(l, { lo: ~mask.lo, hi: ~mask.hi }));
    l.setX(f.d, l.ir.or(kept, field));
  },
  EXTR: (l, f) => {
    const { ir } = l;
    if (f.i === 0) return l.setX(f.d, l.X(f.m));
    if (f.n === f.m) return l.setX(f.d, ir.rotr(l.X(f.n), ir.i32(f.i)));
    const high = ir.shl(l.X(f.n), ir.i32(l.width - f.i));
    l.setX(f.d, ir.or(high, ir.shr(l.X(f.m), ir.i32(f.i))));
  },
};

/** The page of PC plus a number of 4 KiB pages. */
function pageAddress(l: Lifter, pages: number): I64 {
  const pc = (BigInt(l.pc.hi) << 32n) | BigInt((l.pc.lo & ~0xfff) >>> 0);
  const address = pc + BigInt(pages) * 4096n;
  return l.ir.i64(Number(BigInt.asIntN(32, address)), Number(BigInt.asIntN(32, address >> 32n)));
}

function addImmediate(l: Lifter, d: number, n: number, imm: number): void {
  const sum = imm === 0 ? l.XSP(n) : l.ir.add(l.XSP(n), l.constant(imm));
  if (d === R31 && n === R31 && l.width === 64) l.moveBase(d, sum as I64, imm);
  else l.setXSP(d, sum);
}

function wideConstant(l: Lifter, { lo, hi }: Wide): Value {
  return l.width === 64 ? l.ir.i64(lo, hi) : l.ir.i32(lo);
}

function bitMask(l: Lifter, f: { readonly N: number; readonly i: number; readonly r: number }): Value {
  return wideConstant(l, DecodeBitMasks(f.N, f.i, f.r).wmask);
}

/** imm16 in one of the four halfwords. */
function halfword(imm16: number, index: number): Wide {
  const value = imm16 << ((index & 1) * 16);
  return index < 2 ? { lo: value, hi: 0 } : { lo: 0, hi: value };
}

/** `length` ones from bit `lowest` on. */
function fieldMask(lowest: number, length: number): Wide {
  const mask = ((1n << BigInt(length)) - 1n) << BigInt(lowest);
  return { lo: Number(BigInt.asIntN(32, mask)), hi: Number(BigInt.asIntN(32, mask >> 32n)) };
}

/** Bits imms:immr moved to bit 0, or bits imms:0 to bit width - immr; neighbours come along. */
function moved(l: Lifter, value: Value, immr: number, imms: number): Value {
  if (imms < immr) return l.ir.shl(value, l.ir.i32(l.width - immr));
  return immr === 0 ? value : l.ir.shr(value, l.ir.i32(immr));
}

/** UBFM: LSL, LSR, UBFX, UBFIZ, UXTB, UXTH. */
function unsignedField(l: Lifter, value: Value, immr: number, imms: number): Value {
  const { ir, width } = l;
  if (imms >= immr) {
    const low = moved(l, value, immr, imms);
    return imms === width - 1 ? low : ir.and(low, wideConstant(l, fieldMask(0, imms - immr + 1)));
  }
  const high = moved(l, value, immr, imms);
  if (imms + 1 === immr) return high;
  return ir.and(high, wideConstant(l, fieldMask(width - immr, imms + 1)));
}

/** SBFM: ASR, SBFX, SBFIZ, SXTB, SXTH, SXTW. */
function signedField(l: Lifter, value: Value, immr: number, imms: number): Value {
  const { ir, width } = l;
  const extended = immr === 0 ? extendLow(l, value, imms + 1, width) : null;
  if (extended !== null) return extended;
  const up = width - 1 - imms;
  const top = up === 0 ? value : ir.shl(value, ir.i32(up));
  const down = imms >= immr ? up + immr : immr - imms - 1;
  return down === 0 ? top : ir.sar(top, ir.i32(down));
}

/** Sign extension from 8, 16 or 32 bits, else null. */
function extendLow(l: Lifter, value: Value, bits: number, width: Width): Value | null {
  const { ir } = l;
  if (bits !== 8 && bits !== 16 && !(bits === 32 && width === 64)) return null;
  const word: I32 = l.toI32(value, width);
  const narrow = bits === 8 ? ir.sext8(word) : bits === 16 ? ir.sext16(word) : word;
  return width === 64 ? ir.sext(narrow) : narrow;
}
