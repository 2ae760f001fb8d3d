/**
 * What lifters are written with: operands of the instruction at hand, effective addresses, the stack, flags and exits,
 * in terms of the IR builder. A value of 8, 16 or 32 bits is an i32 (8 and 16 bits zero-extended when read; above the
 * width anything goes when written), one of 64 bits an i64.
 */
import type {
  Address,
  BlockBuilder,
  Condition,
  I32,
  I64,
  MemoryAccess,
  Transfer,
  Value,
} from "../../../ir/index.ts";
import { CONDITIONS } from "../../../ir/index.ts";
import { BASE_RIP, type Instruction } from "../decode/instruction.ts";
import {
  CR4_LA57,
  RBP,
  RFLAGS_DF,
  RFLAGS_IOPL,
  RSP,
  registerOffset,
  STATE_CPL,
  STATE_CR4,
  STATE_FS_BASE,
  STATE_GS_BASE,
  STATE_SYSTEM_FLAGS,
} from "../state.ts";
import { SYSTEM_HELPERS, type SystemHelper } from "../system-helpers.ts";
import type { OperandSpec, Row } from "../table/index.ts";
import { TRAP_GP, undefinedTrap } from "../traps.ts";

/** pc + offset modulo 2^64. @param offset int32 */
export function addressPlus(pc: Address, offset: number): Address {
  const lo = (pc.lo + offset) | 0;
  const carry = lo >>> 0 < pc.lo >>> 0;
  return { lo, hi: (pc.hi + (offset >> 31) + (carry ? 1 : 0)) | 0 };
}

export type OperationOf = (a: Value) => Value;

export class Lifter {
  readonly ir: BlockBuilder;
  readonly kernelText: boolean;
  /** 48 or 57; null: CR4.LA57 decides when the code runs. */
  readonly linearAddressBits: 48 | 57 | null;
  x!: Instruction;
  row!: Row;
  pc!: Address;
  /** Address of the following instruction. */
  next!: Address;
  /** Operand size in bits. */
  width = 0;

  constructor(ir: BlockBuilder, kernelText: boolean, linearAddressBits: 48 | 57 | null) {
    this.ir = ir;
    this.kernelText = kernelText;
    this.linearAddressBits = linearAddressBits;
  }

  begin(instruction: Instruction, pc: Address): void {
    this.x = instruction;
    this.row = instruction.row!;
    this.pc = pc;
    this.next = addressPlus(pc, instruction.lengthBytes);
    this.width = this.row.operandBits;
    this.ir.mark(pc, instruction.lengthBytes);
  }

  // Values

  /** A constant of the given width; sign-extended to 64 bits. */
  constant(value: number, width: number = this.width): Value {
    return width === 64 ? this.ir.i64(value) : this.ir.i32(value);
  }

  /** Zero-extends a value of 8 to 32 bits that was read, or passes 64 bits through. */
  toI64(value: Value, width: number = this.width): I64 {
    return width === 64 ? (value as I64) : this.ir.zext(value as I32);
  }

  /** Sign-extends within its type. */
  signExtend(value: Value, width: number = this.width): Value {
    if (width === 8) return this.ir.sext8(value as I32);
    if (width === 16) return this.ir.sext16(value as I32);
    return value;
  }

  /** Clears what lies above the width. */
  truncate(value: Value, width: number = this.width): Value {
    if (width === 8) return this.ir.zext8(value as I32);
    if (width === 16) return this.ir.zext16(value as I32);
    return value;
  }

  /** The low bits of a 64-bit value as a value of the width. */
  narrow(value: I64, width: number = this.width): Value {
    return width === 64 ? value : this.truncate(this.ir.wrap(value), width);
  }

  isZero(value: Value, width: number = this.width): I32 {
    return this.ir.eq(this.truncate(value, width), this.constant(0, width));
  }

  /** Most significant bit, 0 or 1. */
  signBit(value: Value, width: number = this.width): I32 {
    return this.bit(value, this.ir.i32(width - 1), width);
  }

  /** Bit `index` (taken modulo the type's width), 0 or 1. */
  bit(value: Value, index: I32, width: number = this.width): I32 {
    const shifted = this.ir.shr(value, index);
    return this.ir.and(width === 64 ? this.ir.wrap(shifted as I64) : (shifted as I32), this.ir.i32(1));
  }

  // Registers

  /** Register by number, zero-extended in its type. @param high AH, CH, DH, BH (numbers 4-7) */
  register(number: number, width: number, high: "high" | "low" = "low"): Value {
    const offset = registerOffset(number);
    switch (width) {
      case 8:
        return high === "high" ? this.ir.get8(registerOffset(number - 4) + 1) : this.ir.get8(offset);
      case 16:
        return this.ir.get16(offset);
      case 32:
        return this.ir.get32(offset);
      default:
        return this.ir.get64(offset);
    }
  }

  register64(number: number): I64 {
    return this.ir.get64(registerOffset(number));
  }

  /** 8 and 16 bits merge, 32 bits zero-extend (Vol. 1 §3.4.1.1). */
  setRegister(number: number, width: number, value: Value, high: "high" | "low" = "low"): void {
    const offset = registerOffset(number);
    switch (width) {
      case 8:
        this.ir.put8(high === "high" ? registerOffset(number - 4) + 1 : offset, value as I32);
        break;
      case 16:
        this.ir.put16(offset, value as I32);
        break;
      case 32:
        this.ir.put64(offset, this.ir.zext(value as I32));
        break;
      default:
        this.ir.put64(offset, value as I64);
    }
  }

  // Operands

  isMemory(operand: OperandSpec): boolean {
    return this.x.isMemory(operand);
  }

  /** Width of the operand in this encoding, in bits. */
  widthOf(operand: OperandSpec): number {
    if (operand.place === "immediate" || operand.file === null) return operand.memoryBits || this.width;
    return this.isMemory(operand) ? operand.memoryBits : operand.registerBits;
  }

  /** The operand's value at its own width. */
  read(operand: OperandSpec): Value {
    if (this.isMemory(operand)) return this.load(this.address(operand), operand.memoryBits);
    if (operand.place === "immediate" || operand.file === null) return this.immediate(operand);
    const number = this.x.registerOf(operand);
    return this.register(number, operand.registerBits, this.#half(operand, number));
  }

  /** Writes the operand at its own width. */
  write(operand: OperandSpec, value: Value): void {
    if (this.isMemory(operand)) {
      this.store(this.address(operand), operand.memoryBits, value);
      return;
    }
    const number = this.x.registerOf(operand);
    this.setRegister(number, operand.registerBits, value, this.#half(operand, number));
  }

  /**
   * Reads the operand, applies `operation` and writes the result back; under LOCK as one bus-locked sequence.
   * A memory operand is translated for writing at once, so that a fault is a write's. A register is written at once:
   * whatever can fault must come before.
   * @returns the old and the new value
   */
  modify(
    operand: OperandSpec,
    operation: OperationOf,
    locking: "prefix" | "always" = "prefix",
  ): [old: Value, result: Value] {
    if (!this.isMemory(operand)) {
      const old = this.read(operand);
      const result = operation(old);
      this.write(operand, result);
      return [old, result];
    }
    return this.modifyMemory(this.address(operand), operand.memoryBits, operation, locking);
  }

  modifyMemory(
    address: I64,
    width: number,
    operation: OperationOf,
    locking: "prefix" | "always" = "prefix",
  ): [old: Value, result: Value] {
    const locked = locking === "always" || this.x.lock;
    const old = this.load(address, width, { order: locked ? "locked" : "modify" });
    const result = operation(old);
    this.store(address, width, result, locked ? { order: "unlock" } : {});
    return [old, result];
  }

  /** The immediate operand, or the constant 1, at the operand size. */
  immediate(operand: OperandSpec): Value {
    if (operand.place === "fixed") return this.constant(operand.value);
    if (this.width !== 64) return this.truncate(this.ir.i32(this.x.immediate));
    return this.ir.i64(this.x.immediate, this.x.immediateHi);
  }

  #half(operand: OperandSpec, number: number): "high" | "low" {
    return operand.registerBits === 8 && number >= 4 && number < 8 && !this.x.hasRex ? "high" : "low";
  }

  // Memory

  /** Effective address without segment base, truncated to the address size. */
  effectiveAddress(): I64 {
    const { base, index, scale, displacement, addressBits } = this.x;
    let address: I64;
    if (base === BASE_RIP) {
      const target = addressPlus(this.next, displacement);
      address = this.ir.i64(target.lo, target.hi);
    } else if (index >= 0) {
      const start = base >= 0 ? this.register64(base) : this.ir.i64(0);
      address = this.ir.addr(start, this.register64(index), scale, displacement);
    } else if (base >= 0) {
      address = this.register64(base);
      if (displacement !== 0) address = this.ir.add(address, this.ir.i64(displacement));
    } else {
      address = this.ir.i64(displacement, this.x.displacementHi);
    }
    return this.truncateAddress(address, addressBits);
  }

  truncateAddress(address: I64, addressBits: number = this.x.addressBits): I64 {
    return addressBits === 64 ? address : this.ir.zext(this.ir.wrap(address));
  }

  /** Linear address of a memory operand. */
  address(_operand: OperandSpec): I64 {
    return this.inSegment(this.effectiveAddress());
  }

  /** Adds the base of FS or GS if the instruction overrides the segment. */
  inSegment(address: I64): I64 {
    if (this.x.segment < 0) return address;
    return this.ir.add(address, this.ir.get64(this.x.segment === 4 ? STATE_FS_BASE : STATE_GS_BASE));
  }

  /** SS is the default segment of addresses based on RSP or RBP (Vol. 1 §3.7.4); it decides between #SS and #GP. */
  #access(width: number, access: MemoryAccess): MemoryAccess {
    const usesStack = (this.x.base === RSP || this.x.base === RBP) && this.x.segment < 0 && this.x.mod !== 3;
    const segment = access.segment ?? (usesStack ? "stack" : "data");
    return { ...access, segment, alignment: width > 8 ? "checked" : "any" };
  }

  load(address: I64, width: number, access: MemoryAccess = {}): Value {
    const full = this.#access(width, access);
    switch (width) {
      case 8:
        return this.ir.load8(address, full);
      case 16:
        return this.ir.load16(address, full);
      case 32:
        return this.ir.load32(address, full);
      case 64:
        return this.ir.load64(address, full);
      default:
        throw new Error(`Lifter: ${this.row.instructionText}: no load of ${width} bits`);
    }
  }

  store(address: I64, width: number, value: Value, access: MemoryAccess = {}): void {
    const full = this.#access(width, access);
    switch (width) {
      case 8:
        this.ir.store8(address, value as I32, full);
        break;
      case 16:
        this.ir.store16(address, value as I32, full);
        break;
      case 32:
        this.ir.store32(address, value as I32, full);
        break;
      case 64:
        this.ir.store64(address, value as I64, full);
        break;
      default:
        throw new Error(`Lifter: ${this.row.instructionText}: no store of ${width} bits`);
    }
  }

  // Stack: the stack pointer is 64 bits wide in 64-bit mode (Vol. 1 §6.2.5)

  /** Stores below RSP; returns the new RSP, not yet written. @param width 16 or 64 */
  push(value: Value, width: number): I64 {
    const top = this.ir.sub(this.register64(RSP), this.ir.i64(width / 8));
    this.store(top, width, value, { segment: "stack" });
    return top;
  }

  /** Loads at RSP; returns the value and the new RSP, not yet written. */
  pop(width: number): [value: Value, top: I64] {
    const top = this.register64(RSP);
    const value = this.load(top, width, { segment: "stack" });
    return [value, this.ir.add(top, this.ir.i64(width / 8))];
  }

  setStackPointer(value: I64): void {
    this.setRegister(RSP, 64, value);
  }

  // Flags

  /** Condition code of the encoding (0 O … 15 G). */
  condition(code: number): I32 {
    return this.ir.condition(CONDITIONS[code] as Condition);
  }

  carry(): I32 {
    return this.ir.condition("c");
  }

  /** Bit of the system flags, 0 or not. */
  systemFlag(mask: number): I32 {
    return this.ir.and(this.ir.get32(STATE_SYSTEM_FLAGS), this.ir.i32(mask));
  }

  /** RFLAGS as PUSHF, SYSCALL and trap frames see them, RF and VM as stored. */
  readRflags(): I32 {
    return this.ir.or(this.ir.get32(STATE_SYSTEM_FLAGS), this.ir.flagsRead());
  }

  /** Bytes that a string instruction advances by: + or - the element size (DF). */
  stringStep(bytes: number): I64 {
    const down = this.systemFlag(RFLAGS_DF);
    return this.ir.select(down, this.ir.i64(-bytes), this.ir.i64(bytes));
  }

  // Checks and exits

  /** #GP(0) unless CPL is 0. */
  requireKernel(): void {
    this.ir.trapIf(this.ir.get32(STATE_CPL), TRAP_GP);
  }

  /** #GP(0) if CPL > IOPL. */
  requireIopl(): void {
    const iopl = this.ir.shr(this.systemFlag(RFLAGS_IOPL), this.ir.i32(12));
    this.ir.trapIf(this.ir.ltu(iopl, this.ir.get32(STATE_CPL)), TRAP_GP);
  }

  jump(target: Address, transfer: Transfer): void {
    this.ir.jump(target, transfer);
  }

  /**
   * #GP(0) if a branch target is not canonical: bits 63:47, or 63:56 with CR4.LA57, must be equal. Both vendors'
   * processors raise it at the branch.
   */
  requireCanonical(target: I64): void {
    const { ir, linearAddressBits } = this;
    let bits: I32;
    if (linearAddressBits === null) {
      const la57 = ir.and(ir.get32(STATE_CR4), ir.i32(CR4_LA57));
      bits = ir.select(la57, ir.i32(57), ir.i32(48));
    } else {
      bits = ir.i32(linearAddressBits);
    }
    const half =
      linearAddressBits === null
        ? ir.shl(ir.i64(1), ir.sub(bits, ir.i32(1)))
        : ir.i64(0, 1 << (linearAddressBits - 33));
    ir.trapIf(ir.wrap(ir.shr(ir.add(target, half), bits)), TRAP_GP);
  }

  /** Target of a relative branch. */
  target(): Address {
    return addressPlus(this.next, this.x.immediate);
  }

  /** Ends the block and goes on at the following instruction. */
  endBlock(): void {
    this.ir.jump(this.next, "next");
  }

  helper(name: SystemHelper, a: I64 = this.ir.i64(0), b: I64 = this.ir.i64(0)): void {
    this.ir.helper(SYSTEM_HELPERS[name], a, b, this.next);
  }

  /** #UD, counted under this row's mnemonic. */
  undefined(): void {
    this.ir.trap(undefinedTrap(this.row), this.pc);
  }
}
