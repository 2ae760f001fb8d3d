/**
 * What lifters are written with: registers, flags, addresses and exits, named as the manual's pseudocode (DDI 0487, J1)
 * where it has a function for it. A value of 32 bits or less is an i32, one of 64 bits an i64; register writes
 * zero-extend.
 */
import type { Address, BlockBuilder, Condition, I32, I64, MemoryAccess, Value } from "../../../ir/index.ts";
import { FLAG_C, FLAG_O, FLAG_S, FLAG_Z } from "../../../ir/index.ts";
import { registerOffset, STATE_SP, STATE_SP_CHECK } from "../state.ts";
import { SYSTEM_HELPERS, type SystemHelper } from "../system-helpers.ts";
import type { Row } from "../table/index.ts";
import { EC_SP_ALIGNMENT, trapNumber, undefinedTrap } from "../traps.ts";

export type Width = 32 | 64;

/** Number of the zero register or the stack pointer, whichever the operand means. */
export const R31 = 31;
const INSTRUCTION_BYTES = 4;
const STACK_ALIGNMENT = 16;

/** Condition codes 0-13 in terms of the record, whose carry is the inverse of C. C1.2.4 "Condition code". */
const PREDICATES: readonly Condition[] = [
  "z",
  "nz",
  "nc",
  "c",
  "s",
  "ns",
  "o",
  "no",
  "a",
  "be",
  "ge",
  "l",
  "g",
  "le",
];
const CONDITION_AL = 14;

/** pc + offset modulo 2^64. @param offset int32 */
export function addressPlus(pc: Address, offset: number): Address {
  const lo = (pc.lo + offset) | 0;
  const carry = lo >>> 0 < pc.lo >>> 0;
  return { lo, hi: (pc.hi + (offset >> 31) + (carry ? 1 : 0)) | 0 };
}

/** The low `bits` of a value, sign-extended to int32. */
export function signExtend(value: number, bits: number): number {
  return (value << (32 - bits)) >> (32 - bits);
}

export class Lifter {
  readonly ir: BlockBuilder;
  readonly kernelText: boolean;
  row!: Row;
  pc!: Address;
  /** Address of the following instruction. */
  next!: Address;
  /** Operand size: sf, or w inverted, or 64. */
  width: Width = 64;
  /** SP was found aligned in this block and has moved by multiples of 16 since. */
  #stackIsAligned = false;

  constructor(ir: BlockBuilder, kernelText: boolean) {
    this.ir = ir;
    this.kernelText = kernelText;
  }

  begin(row: Row, pc: Address, width: Width): void {
    this.row = row;
    this.pc = pc;
    this.next = addressPlus(pc, INSTRUCTION_BYTES);
    this.width = width;
    this.ir.mark(pc, INSTRUCTION_BYTES);
  }

  // Values

  /** A constant of a width, sign-extended from int32. */
  constant(value: number, width: Width = this.width): Value {
    return width === 64 ? this.ir.i64(value) : this.ir.i32(value);
  }

  not(value: Value, width: Width = this.width): Value {
    return this.ir.xor(value, this.constant(-1, width));
  }

  toI64(value: Value, width: Width = this.width): I64 {
    return width === 64 ? (value as I64) : this.ir.zext(value as I32);
  }

  /** The low 32 bits. */
  toI32(value: Value, width: Width = this.width): I32 {
    return width === 64 ? this.ir.wrap(value as I64) : (value as I32);
  }

  // Registers

  /** X[n] or W[n]; register 31 is 0. */
  X(n: number, width: Width = this.width): Value {
    if (n === R31) return this.constant(0, width);
    return width === 64 ? this.ir.get64(registerOffset(n)) : this.ir.get32(registerOffset(n));
  }

  X64(n: number): I64 {
    return this.X(n, 64) as I64;
  }

  W(n: number): I32 {
    return this.X(n, 32) as I32;
  }

  /** Writes X[n]; a 32-bit value is zero-extended, a write of register 31 is dropped. */
  setX(n: number, value: Value, width: Width = this.width): void {
    if (n !== R31) this.ir.put64(registerOffset(n), this.toI64(value, width));
  }

  /** X[n] where 31 is SP. */
  XSP(n: number, width: Width = this.width): Value {
    if (n !== R31) return this.X(n, width);
    return width === 64 ? this.ir.get64(STATE_SP) : this.ir.get32(STATE_SP);
  }

  setXSP(n: number, value: Value, width: Width = this.width): void {
    if (n !== R31) return this.setX(n, value, width);
    this.#stackIsAligned = false;
    this.ir.put64(STATE_SP, this.toI64(value, width));
  }

  /** Base register plus or minus a constant, written back. */
  moveBase(n: number, value: I64, byBytes: number): void {
    const aligned = this.#stackIsAligned && byBytes % STACK_ALIGNMENT === 0;
    this.setXSP(n, value, 64);
    if (n === R31) this.#stackIsAligned = aligned;
  }

  // Flags

  /** ConditionHolds(), 0 or 1; null if it always holds. */
  ConditionHolds(cond: number): I32 | null {
    return cond >= CONDITION_AL ? null : this.ir.condition(PREDICATES[cond]!);
  }

  /** ConditionHolds() of the inverse, for a code below AL. */
  ConditionFails(cond: number): I32 {
    return this.ir.condition(PREDICATES[cond ^ 1]!);
  }

  /** PSTATE.C, 0 or 1. */
  carry(): I32 {
    return this.ir.condition("nc");
  }

  /** The inverse of PSTATE.C: what a subtraction with carry takes away. */
  borrow(): I32 {
    return this.ir.condition("c");
  }

  /** Constant bits of the record for NZCV as four bits, under a mask of four bits. */
  flagConstant(nzcv: number): I32 {
    return this.ir.i32(
      (nzcv & 8 ? FLAG_S : 0) | (nzcv & 4 ? FLAG_Z : 0) | (nzcv & 2 ? FLAG_C : 0) | (nzcv & 1 ? FLAG_O : 0),
    );
  }

  /** Record bits for a value whose bits 3:0 are NZCV. */
  flagsOfNzcv(nzcv: I32): I32 {
    const { ir } = this;
    const nz = ir.shl(ir.and(nzcv, ir.i32(12)), ir.i32(4));
    const c = ir.xor(ir.and(ir.shr(nzcv, ir.i32(1)), ir.i32(1)), ir.i32(1));
    const v = ir.shl(ir.and(nzcv, ir.i32(1)), ir.i32(11));
    return ir.or(ir.or(nz, c), v);
  }

  /** Flags of AND and its like: N and Z of the result, C and V clear. */
  setFlagsOfLogic(result: Value, width: Width = this.width): void {
    this.ir.flagsOfResult("logicc", width, result);
  }

  // Memory

  /** CheckSPAlignment(), once for as long as SP is not changed. */
  CheckSPAlignment(): void {
    if (this.#stackIsAligned) return;
    this.#stackIsAligned = true;
    const { ir } = this;
    const wrong = ir.and(ir.get32(STATE_SP), ir.get32(STATE_SP_CHECK));
    ir.trapIf(wrong, trapNumber(EC_SP_ALIGNMENT, 0));
  }

  /** Base register of an access. */
  base(n: number): I64 {
    if (n === R31) this.CheckSPAlignment();
    return this.XSP(n, 64) as I64;
  }

  /** Zero-extended; an i64 for 64 bits. */
  load(address: I64, width: number, access: MemoryAccess): Value {
    const { ir } = this;
    switch (width) {
      case 8:
        return ir.load8(address, access);
      case 16:
        return ir.load16(address, access);
      case 32:
        return ir.load32(address, access);
      default:
        return ir.load64(address, access);
    }
  }

  store(address: I64, width: number, value: Value, access: MemoryAccess): void {
    const { ir } = this;
    switch (width) {
      case 8:
        return ir.store8(address, value as I32, access);
      case 16:
        return ir.store16(address, value as I32, access);
      case 32:
        return ir.store32(address, value as I32, access);
      default:
        return ir.store64(address, value as I64, access);
    }
  }

  // Exits

  /** Address of this instruction plus an offset in bytes. */
  target(offset: number): Address {
    return addressPlus(this.pc, offset);
  }

  helper(name: SystemHelper, a: I64 = this.ir.i64(0), b: I64 = this.ir.i64(0)): void {
    this.ir.helper(SYSTEM_HELPERS[name], a, b, this.next);
  }

  /** UNDEFINED, counted under the row's mnemonic. */
  undefined(): void {
    this.ir.trap(undefinedTrap(this.row), this.pc);
  }
}
