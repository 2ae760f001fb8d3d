/** A block of IR and the builder that frontends use to make one. */
import { CONDITIONS, type Condition } from "./flags.ts";
import {
  type IrType,
  type MemoryAccess,
  memAttr,
  OPERATIONS,
  type Opcode,
  TRANSFERS,
  type Transfer,
} from "./opcodes.ts";
import { MAX_TEMPS } from "./state.ts";

declare const valueType: unique symbol;
/** A temporary of type i32. */
export type I32 = number & { readonly [valueType]: "i32" };
/** A temporary of type i64. */
export type I64 = number & { readonly [valueType]: "i64" };
export type Value = I32 | I64;

export interface Instruction {
  readonly opcode: Opcode;
  /** Temporary defined, or -1. */
  readonly result: number;
  /** Temporaries used. */
  readonly args: readonly number[];
  /** Immediate words in the order of the operation's list; `wide` takes two, low first. */
  readonly immediates: readonly number[];
}

export interface Block {
  /** Guest address of the first instruction. */
  readonly pcLo: number;
  readonly pcHi: number;
  readonly instructions: readonly Instruction[];
  /** Type of each temporary. */
  readonly types: readonly IrType[];
  /** Guest instructions, that is marks. */
  readonly length: number;
}

/** A guest address as int32 halves. */
export interface Address {
  readonly lo: number;
  readonly hi: number;
}

export class BlockBuilder {
  readonly #pc: Address;
  readonly #instructions: Instruction[] = [];
  readonly #types: IrType[] = [];
  #marks = 0;
  #ended = false;

  constructor(pc: Address) {
    this.#pc = pc;
  }

  /** Guest instructions so far. */
  get marks(): number {
    return this.#marks;
  }

  /** An exit was emitted. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Temporaries left before the block must end. */
  get temporariesLeft(): number {
    return MAX_TEMPS - this.#types.length;
  }

  finish(): Block {
    return {
      pcLo: this.#pc.lo,
      pcHi: this.#pc.hi,
      instructions: this.#instructions,
      types: this.#types,
      length: this.#marks,
    };
  }

  mark(pc: Address, lengthBytes: number): void {
    this.#marks++;
    this.#emit("mark", [], [pc.lo, pc.hi, lengthBytes]);
  }

  i32(value: number): I32 {
    return this.#emit("const.i32", [], [value | 0]) as I32;
  }

  i64(lo: number, hi: number = lo >> 31): I64 {
    return this.#emit("const.i64", [], [lo | 0, hi | 0]) as I64;
  }

  get8(offset: number): I32 {
    return this.#emit("get8", [], [offset]) as I32;
  }
  get16(offset: number): I32 {
    return this.#emit("get16", [], [offset]) as I32;
  }
  get32(offset: number): I32 {
    return this.#emit("get32", [], [offset]) as I32;
  }
  get64(offset: number): I64 {
    return this.#emit("get64", [], [offset]) as I64;
  }
  put8(offset: number, value: I32): void {
    this.#emit("put8", [value], [offset]);
  }
  put16(offset: number, value: I32): void {
    this.#emit("put16", [value], [offset]);
  }
  put32(offset: number, value: I32): void {
    this.#emit("put32", [value], [offset]);
  }
  put64(offset: number, value: I64): void {
    this.#emit("put64", [value], [offset]);
  }

  add<T extends Value>(a: T, b: T): T {
    return this.#typed("add", a, b);
  }
  sub<T extends Value>(a: T, b: T): T {
    return this.#typed("sub", a, b);
  }
  mul<T extends Value>(a: T, b: T): T {
    return this.#typed("mul", a, b);
  }
  and<T extends Value>(a: T, b: T): T {
    return this.#typed("and", a, b);
  }
  or<T extends Value>(a: T, b: T): T {
    return this.#typed("or", a, b);
  }
  xor<T extends Value>(a: T, b: T): T {
    return this.#typed("xor", a, b);
  }
  shl<T extends Value>(a: T, count: I32): T {
    return this.#typed("shl", a, count);
  }
  shr<T extends Value>(a: T, count: I32): T {
    return this.#typed("shr", a, count);
  }
  sar<T extends Value>(a: T, count: I32): T {
    return this.#typed("sar", a, count);
  }
  rotl<T extends Value>(a: T, count: I32): T {
    return this.#typed("rotl", a, count);
  }
  rotr<T extends Value>(a: T, count: I32): T {
    return this.#typed("rotr", a, count);
  }
  divu<T extends Value>(a: T, b: T): T {
    return this.#typed("divu", a, b);
  }
  divs<T extends Value>(a: T, b: T): T {
    return this.#typed("divs", a, b);
  }
  remu<T extends Value>(a: T, b: T): T {
    return this.#typed("remu", a, b);
  }
  rems<T extends Value>(a: T, b: T): T {
    return this.#typed("rems", a, b);
  }
  clz<T extends Value>(a: T): T {
    return this.#typed("clz", a);
  }
  ctz<T extends Value>(a: T): T {
    return this.#typed("ctz", a);
  }
  popcnt<T extends Value>(a: T): T {
    return this.#typed("popcnt", a);
  }
  bswap<T extends Value>(a: T): T {
    return this.#typed("bswap", a);
  }
  eq<T extends Value>(a: T, b: T): I32 {
    return this.#typed("eq", a, b) as Value as I32;
  }
  ne<T extends Value>(a: T, b: T): I32 {
    return this.#typed("ne", a, b) as Value as I32;
  }
  ltu<T extends Value>(a: T, b: T): I32 {
    return this.#typed("ltu", a, b) as Value as I32;
  }
  lts<T extends Value>(a: T, b: T): I32 {
    return this.#typed("lts", a, b) as Value as I32;
  }
  leu<T extends Value>(a: T, b: T): I32 {
    return this.#typed("leu", a, b) as Value as I32;
  }
  les<T extends Value>(a: T, b: T): I32 {
    return this.#typed("les", a, b) as Value as I32;
  }
  select<T extends Value>(condition: I32, a: T, b: T): T {
    return this.#emit(`select.${this.#types[a]}` as Opcode, [condition, a, b], []) as T;
  }

  mulhu(a: I64, b: I64): I64 {
    return this.#emit("mulhu.i64", [a, b], []) as I64;
  }
  mulhs(a: I64, b: I64): I64 {
    return this.#emit("mulhs.i64", [a, b], []) as I64;
  }
  pdep(source: I64, mask: I64): I64 {
    return this.#emit("pdep", [source, mask], []) as I64;
  }
  pext(source: I64, mask: I64): I64 {
    return this.#emit("pext", [source, mask], []) as I64;
  }
  /** One of the 128-by-64-bit divisions. */
  divide128(opcode: "divu128" | "remu128" | "divs128" | "rems128", hi: I64, lo: I64, divisor: I64): I64 {
    return this.#emit(opcode, [hi, lo, divisor], []) as I64;
  }
  divide128Fits(signedness: "unsigned" | "signed", hi: I64, lo: I64, divisor: I64): I32 {
    const opcode = signedness === "signed" ? "divs128.fits" : "divu128.fits";
    return this.#emit(opcode, [hi, lo, divisor], []) as I32;
  }
  /** @param polynomial reflected @param lengthBytes 1, 2, 4 or 8 */
  crc32(crc: I32, data: I64, polynomial: number, lengthBytes: number): I32 {
    return this.#emit("crc32", [crc, data], [polynomial | 0, lengthBytes]) as I32;
  }

  zext8(a: I32): I32 {
    return this.#emit("zext8.i32", [a], []) as I32;
  }
  zext16(a: I32): I32 {
    return this.#emit("zext16.i32", [a], []) as I32;
  }
  sext8(a: I32): I32 {
    return this.#emit("sext8.i32", [a], []) as I32;
  }
  sext16(a: I32): I32 {
    return this.#emit("sext16.i32", [a], []) as I32;
  }
  sext(a: I32): I64 {
    return this.#emit("sext.i64", [a], []) as I64;
  }
  zext(a: I32): I64 {
    return this.#emit("zext.i64", [a], []) as I64;
  }
  wrap(a: I64): I32 {
    return this.#emit("wrap.i32", [a], []) as I32;
  }

  /** base + (index << scale) + displacement. @param scale 0-4 @param displacement int32 */
  addr(base: I64, index: I64, scale: number, displacement: number): I64 {
    return this.#emit("addr", [base, index], [scale, displacement | 0]) as I64;
  }

  load8(address: I64, access: MemoryAccess = {}): I32 {
    return this.#emit("load8", [address], [memAttr(access)]) as I32;
  }
  load16(address: I64, access: MemoryAccess = {}): I32 {
    return this.#emit("load16", [address], [memAttr(access)]) as I32;
  }
  load32(address: I64, access: MemoryAccess = {}): I32 {
    return this.#emit("load32", [address], [memAttr(access)]) as I32;
  }
  load64(address: I64, access: MemoryAccess = {}): I64 {
    return this.#emit("load64", [address], [memAttr(access)]) as I64;
  }
  store8(address: I64, value: I32, access: MemoryAccess = {}): void {
    this.#emit("store8", [address, value], [memAttr(access)]);
  }
  store16(address: I64, value: I32, access: MemoryAccess = {}): void {
    this.#emit("store16", [address, value], [memAttr(access)]);
  }
  store32(address: I64, value: I32, access: MemoryAccess = {}): void {
    this.#emit("store32", [address, value], [memAttr(access)]);
  }
  store64(address: I64, value: I64, access: MemoryAccess = {}): void {
    this.#emit("store64", [address, value], [memAttr(access)]);
  }
  /** Result 0: stored. @param width 8, 16, 32 or 64 */
  storeExclusive(address: I64, width: number, value: Value, access: MemoryAccess): I32 {
    return this.#emit(`storex${width}` as Opcode, [address, value], [memAttr(access)]) as I32;
  }
  storeExclusivePair(address: I64, low: I64, high: I64, access: MemoryAccess): I32 {
    return this.#emit("storex128", [address, low, high], [memAttr(access)]) as I32;
  }
  /** @param ordering bits load-load 1, load-store 2, store-load 4, store-store 8 */
  fence(ordering: number): void {
    this.#emit("fence", [], [ordering]);
  }

  /** Condition record of a two-operand operation. @param width 8, 16, 32 with i32 operands; 64 with i64 */
  flagsOf(operation: "add" | "sub", width: number, a: Value, b: Value): void {
    this.#emit(`flags.${operation}.${this.#types[a]}` as Opcode, [a, b], [width]);
  }
  flagsOfCarry(operation: "adc" | "sbb", width: number, a: Value, b: Value, carry: I32): void {
    this.#emit(`flags.${operation}.${this.#types[a]}` as Opcode, [a, b, carry], [width]);
  }
  flagsOfResult(operation: "logic" | "logicc" | "inc" | "dec", width: number, result: Value): void {
    this.#emit(`flags.${operation}.${this.#types[result]}` as Opcode, [result], [width]);
  }
  /** @param count already masked to the instruction's range; 0 keeps the record */
  flagsOfShift(operation: "shl" | "shr" | "sar", width: number, a: Value, count: I32): void {
    this.#emit(`flags.${operation}.${this.#types[a]}` as Opcode, [a, count], [width]);
  }
  flagsRead(): I32 {
    return this.#emit("flags.read", [], []) as I32;
  }
  flagsWrite(bits: I32): void {
    this.#emit("flags.write", [bits], []);
  }
  flagsPatch(mask: I32, bits: I32): void {
    this.#emit("flags.patch", [mask, bits], []);
  }
  condition(condition: Condition): I32 {
    return this.#emit("condition", [], [CONDITIONS.indexOf(condition)]) as I32;
  }

  /** Traps at the current instruction if the value is not 0. @param trap the frontend's number */
  trapIf(value: I32, trap: number): void {
    this.#emit("trap.if", [value], [trap]);
  }
  /** Leaves the block if the value is not 0; nothing of this instruction may have been written. */
  exitIf(value: I32, target: Address): void {
    this.#emit("exit.if", [value], [target.lo, target.hi]);
  }
  jump(target: Address, transfer: Transfer): void {
    this.#emit("exit.jump", [], [target.lo, target.hi, TRANSFERS.indexOf(transfer)]);
  }
  branch(value: I32, taken: Address, next: Address): void {
    this.#emit("exit.branch", [value], [taken.lo, taken.hi, next.lo, next.hi]);
  }
  indirect(target: I64, transfer: Transfer): void {
    this.#emit("exit.indirect", [target], [TRANSFERS.indexOf(transfer)]);
  }
  /** @param savedPc this instruction's address for a fault, the next one's for a trap */
  trap(trap: number, savedPc: Address): void {
    this.#emit("exit.trap", [], [trap, savedPc.lo, savedPc.hi]);
  }
  helper(helper: number, a: I64, b: I64, next: Address): void {
    this.#emit("exit.helper", [a, b], [helper, next.lo, next.hi]);
  }

  #typed<T extends Value>(name: string, a: T, b?: Value): T {
    const args = b === undefined ? [a] : [a, b];
    return this.#emit(`${name}.${this.#types[a]}` as Opcode, args, []) as T;
  }

  #emit(opcode: Opcode, args: readonly number[], immediates: readonly number[]): number {
    const operation = OPERATIONS[opcode];
    const type = operation.result;
    if (this.#ended) throw new Error(`BlockBuilder: ${opcode} after the block's exit`);
    let result = -1;
    if (type !== null) {
      result = this.#types.length;
      if (result >= MAX_TEMPS) throw new Error("BlockBuilder: too many temporaries");
      this.#types.push(type);
    }
    if (operation.exit) this.#ended = true;
    this.#instructions.push({ opcode, result, args, immediates });
    return result;
  }
}
