/**
 * IR → packed code. In order: liveness of the condition record (a record that is overwritten before anybody can see
 * it is not written; whatever can fault sees it), removal of unused pure operations, forwarding (a temporary that
 * only names a slot is the slot; one that is only written to a slot is computed there), then emission with fusion
 * (address arithmetic into accesses, records into arithmetic, compare and branch). No operation moves across one
 * that can fault or across a mark.
 */
import {
  type Block,
  type Instruction,
  KIND_ADC,
  KIND_ADD,
  KIND_DEC,
  KIND_INC,
  KIND_LOGIC,
  KIND_LOGICC,
  KIND_SAR,
  KIND_SBB,
  KIND_SHL,
  KIND_SHR,
  KIND_SUB,
  memAccess,
  OPERATIONS,
  type Opcode,
  STATE_EXCLUSIVE_DATA,
  STATE_TEMPS_BASE,
} from "../../ir/index.ts";
import type { CodePage } from "./code-cache.ts";
import { NO_LINK, PACKED, TAIL_WORDS } from "./packed.ts";
import { RARE_NUMBER } from "./rare.ts";

const TEMPS = STATE_TEMPS_BASE >> 2;
const EXCLUSIVE_DATA = STATE_EXCLUSIVE_DATA >> 2;

/** How a temporary's value is reached. */
const IN_CELL = 1;
const CONST = 2;
/** base + (index << scale) + displacement, computed where it is used. */
const LAZY_ADDRESS = 3;

const ARITHMETIC: Readonly<Partial<Record<Opcode, keyof typeof PACKED>>> = {
  "add.i64": "ADD64",
  "sub.i64": "SUB64",
  "and.i64": "AND64",
  "or.i64": "OR64",
  "xor.i64": "XOR64",
  "add.i32": "ADD32",
  "sub.i32": "SUB32",
  "and.i32": "AND32",
  "or.i32": "OR32",
  "xor.i32": "XOR32",
};
const SHIFTS: Readonly<Partial<Record<Opcode, keyof typeof PACKED>>> = {
  "shl.i32": "SHL32I",
  "shr.i32": "SHR32I",
  "sar.i32": "SAR32I",
  "shl.i64": "SHL64I",
  "shr.i64": "SHR64I",
  "sar.i64": "SAR64I",
};
const UNARY: Readonly<Partial<Record<Opcode, keyof typeof PACKED>>> = {
  "zext8.i32": "ZEXT8",
  "zext16.i32": "ZEXT16",
  "sext8.i32": "SEXT8",
  "sext16.i32": "SEXT16",
  "sext.i64": "SEXT32",
};
const LOADS: Readonly<Partial<Record<Opcode, [keyof typeof PACKED, keyof typeof PACKED]>>> = {
  load8: ["LOAD8", "LOAD8X"],
  load16: ["LOAD16", "LOAD16X"],
  load32: ["LOAD32", "LOAD32X"],
  load64: ["LOAD64", "LOAD64X"],
};
const STORES: Readonly<Partial<Record<Opcode, [keyof typeof PACKED, keyof typeof PACKED]>>> = {
  store8: ["STORE8", "STORE8X"],
  store16: ["STORE16", "STORE16X"],
  store32: ["STORE32", "STORE32X"],
  store64: ["STORE64", "STORE64X"],
};
const RECORD_KINDS: Readonly<Record<string, number>> = {
  add: KIND_ADD,
  sub: KIND_SUB,
  logic: KIND_LOGIC,
  logicc: KIND_LOGICC,
  inc: KIND_INC,
  dec: KIND_DEC,
  adc: KIND_ADC,
  sbb: KIND_SBB,
  shl: KIND_SHL,
  shr: KIND_SHR,
  sar: KIND_SAR,
};
/** Record kind → predicates that have a fused compare-and-branch, by predicate >> 1. */
const COMPARE_SUFFIX: Readonly<Record<number, string>> = { 1: "C", 2: "Z", 3: "BE", 6: "L", 7: "LE" };
const ZERO_TESTS: ReadonlySet<Opcode> = new Set<Opcode>(["eq.i32", "ne.i32", "eq.i64", "ne.i64"]);
const TEST_SUFFIX: Readonly<Record<number, string>> = { 2: "Z", 4: "S", 6: "S", 7: "LE" };

const PUT_WIDTH: Readonly<Partial<Record<Opcode, number>>> = { put8: 1, put16: 2, put32: 4, put64: 8 };
const GET_WIDTH: Readonly<Partial<Record<Opcode, number>>> = { get8: 1, get16: 2, get32: 4, get64: 8 };

export class Packer {
  #page!: CodePage;
  #block!: Block;
  #code: readonly Instruction[] = [];
  /** Instruction index that defines each temporary. */
  #definition: Int32Array = new Int32Array(0);
  #lastUse: Int32Array = new Int32Array(0);
  #uses: Int32Array = new Int32Array(0);
  #removed: Uint8Array = new Uint8Array(0);
  /** Cell that a temporary is computed into instead of its own, or -1. */
  #target: Int32Array = new Int32Array(0);
  /** Index of the flags instruction that arithmetic instruction i stores too, or -1. */
  #record: Int32Array = new Int32Array(0);
  #kind: Uint8Array = new Uint8Array(0);
  #cell: Int32Array = new Int32Array(0);
  /** The high word of an i32's cell is 0. */
  #clean: Uint8Array = new Uint8Array(0);
  #lo: Int32Array = new Int32Array(0);
  #hi: Int32Array = new Int32Array(0);
  #base: Int32Array = new Int32Array(0);
  #index: Int32Array = new Int32Array(0);
  #scale: Int32Array = new Int32Array(0);
  #marks = 0;
  /** Packed position of the last compare-like record, for fusion with a branch; -1: something was emitted since. */
  #compareAt = -1;
  /** The guest instruction being emitted has stored: its record is not merged with the branch after it. */
  #stored = false;
  /** End of the last recorded arithmetic, its result's cell and width, for a branch on zero or sign. */
  #resultEnd = -1;
  #resultCell = -1;
  #resultWide = false;

  /** Appends a block to a page; the packed position of its first word. */
  pack(block: Block, page: CodePage): number {
    this.#page = page;
    this.#block = block;
    this.#code = block.instructions;
    this.#marks = 0;
    this.#compareAt = -1;
    this.#resultEnd = -1;
    this.#prepare();
    this.#recordLiveness();
    this.#removeUnused();
    this.#findRecords();
    this.#findLastUses();
    this.#findTargets();
    const start = page.length;
    for (let i = 0; i < this.#code.length; i++) if (this.#removed[i] === 0) this.#emit(i, this.#code[i]!);
    return start;
  }

  #prepare(): void {
    const temps = this.#block.types.length;
    const count = this.#code.length;
    this.#definition = new Int32Array(temps);
    this.#lastUse = new Int32Array(temps).fill(-1);
    this.#uses = new Int32Array(temps);
    this.#target = new Int32Array(temps).fill(-1);
    this.#kind = new Uint8Array(temps);
    this.#cell = new Int32Array(temps);
    this.#clean = new Uint8Array(temps);
    this.#lo = new Int32Array(temps);
    this.#hi = new Int32Array(temps);
    this.#base = new Int32Array(temps);
    this.#index = new Int32Array(temps);
    this.#scale = new Int32Array(temps);
    this.#removed = new Uint8Array(count);
    this.#record = new Int32Array(count).fill(-1);
    for (let i = 0; i < count; i++)
      if (this.#code[i]!.result >= 0) this.#definition[this.#code[i]!.result] = i;
  }

  /** Marks as removed each record that is overwritten before anything can observe it. */
  #recordLiveness(): void {
    let live = true;
    for (let i = this.#code.length - 1; i >= 0; i--) {
      const operation = OPERATIONS[this.#code[i]!.opcode];
      if (operation.faults) live = true;
      if (operation.writesFlags) {
        if (!live) {
          this.#removed[i] = 1;
          continue;
        }
        live = false;
      }
      if (operation.readsFlags) live = true;
    }
  }

  /** Removes operations without effect whose result nobody uses; counts uses of the rest. */
  #removeUnused(): void {
    for (let i = this.#code.length - 1; i >= 0; i--) {
      if (this.#removed[i]) continue;
      const { opcode, result, args } = this.#code[i]!;
      const operation = OPERATIONS[opcode];
      if (result >= 0 && this.#uses[result] === 0 && operation.memory === null) {
        this.#removed[i] = 1;
        continue;
      }
      for (const arg of args) this.#uses[arg]!++;
    }
  }

  /** Last instruction that reads each temporary, through operations that are computed where they are used. */
  #findLastUses(): void {
    for (let i = this.#code.length - 1; i >= 0; i--) {
      if (this.#removed[i]) continue;
      const { opcode, result, args } = this.#code[i]!;
      const deferred = isDeferred(opcode) || this.#isAddressSum(this.#code[i]!);
      const at = deferred ? Math.max(i, this.#lastUse[result]!) : i;
      for (const arg of args) if (this.#lastUse[arg]! < at) this.#lastUse[arg] = at;
    }
  }

  /** Pairs arithmetic with the record of the same operation and operands in the same guest instruction. */
  #findRecords(): void {
    for (let i = 0; i < this.#code.length; i++) {
      const { opcode, args, immediates } = this.#code[i]!;
      if (this.#removed[i] || !opcode.startsWith("flags.")) continue;
      const width = immediates[0];
      if (width !== 32 && width !== 64) continue;
      const operation = opcode.split(".")[1]!;
      for (let j = i - 1; j >= 0; j--) {
        const other = this.#code[j]!;
        if (other.opcode === "mark") break;
        if (this.#removed[j]) continue;
        const effects = OPERATIONS[other.opcode];
        if (this.#recordMatches(operation, args, other) && this.#record[j] === -1) {
          this.#record[j] = i;
          this.#removed[i] = 1;
          break;
        }
        if (effects.faults || effects.readsFlags || effects.writesFlags || this.#record[j] !== -1) break;
        if (this.#overwritesOperand(other, args)) break;
      }
    }
  }

  #recordMatches(operation: string, args: readonly number[], other: Instruction): boolean {
    const packed = ARITHMETIC[other.opcode];
    if (packed === undefined) return false;
    const name = other.opcode.split(".")[0];
    if (operation === "add" || operation === "sub") {
      return name === operation && args[0] === other.args[0] && args[1] === other.args[1];
    }
    return (
      operation === "logic" && (name === "and" || name === "or" || name === "xor") && args[0] === other.result
    );
  }

  /** A put that changes the slot which an operand of the record names. */
  #overwritesOperand(instruction: Instruction, args: readonly number[]): boolean {
    const width = PUT_WIDTH[instruction.opcode];
    if (width === undefined) return false;
    return args.some((arg) => {
      const source = this.#code[this.#definition[arg]!]!;
      const sourceWidth = GET_WIDTH[source.opcode];
      return (
        sourceWidth !== undefined &&
        overlaps(source.immediates[0]!, sourceWidth, instruction.immediates[0]!, width)
      );
    });
  }

  /** Finds results that can be computed straight into the slot they are put to. */
  #findTargets(): void {
    for (let j = 0; j < this.#code.length; j++) {
      const put = this.#code[j]!;
      if (this.#removed[j] || put.opcode !== "put64") continue;
      let value = put.args[0]!;
      let from = this.#definition[value]!;
      if (this.#code[from]!.opcode === "zext.i64") {
        value = this.#code[from]!.args[0]!;
        from = this.#definition[value]!;
        if (!makesClean(this.#code[from]!.opcode)) continue;
      }
      const definition = this.#code[from]!;
      if (this.#target[value] !== -1 || !this.#computes(definition)) continue;
      if (this.#canTarget(from, j, value, put.immediates[0]!)) {
        this.#target[value] = put.immediates[0]! >> 2;
        this.#removed[j] = 1;
      }
    }
  }

  /** The operation is emitted at its definition and writes its own cell (it is no constant, name or address). */
  #computes(definition: Instruction): boolean {
    const { opcode } = definition;
    if (isDeferred(opcode) || opcode.startsWith("const.") || GET_WIDTH[opcode] !== undefined) return false;
    return !this.#isAddressSum(definition);
  }

  #canTarget(from: number, to: number, value: number, slot: number): boolean {
    for (let i = from + 1; i < to; i++) {
      if (this.#removed[i]) continue;
      const { opcode, immediates } = this.#code[i]!;
      if (opcode === "mark" || OPERATIONS[opcode].faults) return false;
      const width = PUT_WIDTH[opcode] ?? GET_WIDTH[opcode];
      if (width !== undefined && overlaps(immediates[0]!, width, slot, 8)) return false;
    }
    // Names of the slot's old value must be dead after the definition.
    for (let i = 0; i < from; i++) {
      const { opcode, result, immediates } = this.#code[i]!;
      const width = GET_WIDTH[opcode];
      if (width === undefined || this.#removed[i] || !overlaps(immediates[0]!, width, slot, 8)) continue;
      if (this.#lastUse[result]! > from) return false;
    }
    for (let temp = 0; temp < this.#target.length; temp++) {
      // A result that lives in the slot: it must be dead here, and must not come between this one and its put.
      if (this.#target[temp] === slot >> 2 && (this.#lastUse[temp]! > from || this.#definition[temp]! > from))
        return false;
    }
    return this.#nextPut(to, slot, 8) >= this.#lastUse[value]!;
  }

  /** Index at which the next put after `from` that overlaps a slot is carried out. */
  #nextPut(from: number, slot: number, width: number): number {
    for (let i = from + 1; i < this.#code.length; i++) {
      const { opcode, args, immediates } = this.#code[i]!;
      const putWidth = PUT_WIDTH[opcode];
      if (putWidth === undefined || !overlaps(immediates[0]!, putWidth, slot, width)) continue;
      if (this.#removed[i] === 0) return i;
      const definition = this.#definition[args[0]!]!;
      const source = this.#code[definition]!;
      return source.opcode === "zext.i64" ? this.#definition[source.args[0]!]! : definition;
    }
    return this.#code.length;
  }

  #emit(i: number, instruction: Instruction): void {
    const { opcode, result, args, immediates } = instruction;
    const operation = OPERATIONS[opcode];
    if (opcode === "mark") {
      this.#page.addMark(immediates[0]!, this.#marks++);
      this.#stored = false;
      return;
    }
    if (opcode === "const.i32" || opcode === "const.i64") {
      this.#kind[result] = CONST;
      this.#lo[result] = immediates[0]!;
      this.#hi[result] = opcode === "const.i64" ? immediates[1]! : 0;
      this.#clean[result] = 1;
      return;
    }
    if (GET_WIDTH[opcode] !== undefined) return this.#emitGet(i, instruction);
    if (PUT_WIDTH[opcode] !== undefined) return this.#emitPut(instruction);
    if (opcode === "zext.i64" || opcode === "wrap.i32") return this.#emitAlias(instruction);
    if (opcode === "addr" || this.#isAddressSum(instruction)) return this.#deferAddress(instruction);
    if (operation.exit || opcode === "exit.if" || opcode === "trap.if") return this.#emitExit(i, instruction);
    if (operation.memory !== null) return this.#emitAccess(instruction);
    if (this.#isZeroTest(i)) return;
    if (operation.writesFlags) return this.#emitRecord(instruction);
    const arithmetic = ARITHMETIC[opcode];
    if (arithmetic !== undefined) return this.#emitArithmetic(i, instruction, arithmetic);
    const shift = SHIFTS[opcode];
    if (shift !== undefined && this.#kind[args[1]!] === CONST) {
      const a = this.#cellOf(args[0]!);
      const mask = opcode.endsWith("64") ? 63 : 31;
      this.#write(PACKED[shift], this.#define(result), a, this.#lo[args[1]!]! & mask);
      return;
    }
    const unary = UNARY[opcode];
    if (unary !== undefined) {
      const a = this.#cellOf(args[0]!);
      this.#write(PACKED[unary], this.#define(result), a);
      return;
    }
    switch (opcode) {
      case "mul.i32":
      case "mul.i64": {
        const a = this.#cellOf(args[0]!);
        const b = this.#cellOf(args[1]!);
        this.#write(opcode === "mul.i32" ? PACKED.MUL32 : PACKED.MUL64, this.#define(result), a, b);
        return;
      }
      case "select.i32":
      case "select.i64": {
        const [c, a, b] = [this.#cellOf(args[0]!), this.#cellOf(args[1]!), this.#cellOf(args[2]!)];
        this.#write(
          opcode === "select.i32" ? PACKED.SELECT32 : PACKED.SELECT64,
          this.#define(result),
          c,
          a,
          b,
        );
        return;
      }
      case "condition":
        this.#write(PACKED.CONDITION, this.#define(result), immediates[0]!);
        return;
      case "fence":
        return;
      default:
        this.#emitRare(instruction);
    }
  }

  #emitGet(i: number, { opcode, result, immediates }: Instruction): void {
    const offset = immediates[0]!;
    if (opcode === "get8" || opcode === "get16") {
      this.#write(opcode === "get8" ? PACKED.GET8 : PACKED.GET16, this.#define(result), offset);
      return;
    }
    const width = GET_WIDTH[opcode]!;
    const cell = offset >> 2;
    if (this.#nextPut(i, offset, width) >= this.#lastUse[result]!) {
      this.#kind[result] = IN_CELL;
      this.#cell[result] = cell;
      return;
    }
    this.#write(width === 8 ? PACKED.MOV64 : PACKED.MOV32, this.#define(result), cell);
  }

  #emitPut({ opcode, args, immediates }: Instruction): void {
    const value = args[0]!;
    const offset = immediates[0]!;
    if (opcode === "put64") {
      this.#moveTo(offset >> 2, value);
      return;
    }
    const cell = this.#cellOf(value);
    if (opcode === "put32") this.#write(PACKED.PUT32, offset >> 2, cell);
    else this.#write(opcode === "put8" ? PACKED.PUT8 : PACKED.PUT16, offset, cell);
  }

  /** Writes a value to a 64-bit cell. */
  #moveTo(target: number, value: number): void {
    if (this.#kind[value] === CONST) this.#write(PACKED.MOVI, target, this.#lo[value]!, this.#hi[value]!);
    else if (this.#kind[value] === LAZY_ADDRESS) this.#writeAddress(target, value);
    else this.#write(PACKED.MOV64, target, this.#cell[value]!);
  }

  #emitAlias({ opcode, result, args }: Instruction): void {
    const source = args[0]!;
    if (this.#kind[source] === CONST) {
      this.#kind[result] = CONST;
      this.#lo[result] = this.#lo[source]!;
      this.#hi[result] = 0;
      this.#clean[result] = 1;
      return;
    }
    const cell = this.#cellOf(source);
    if (opcode === "zext.i64" && this.#clean[source] === 0) {
      this.#write(PACKED.MOV32, this.#define(result), cell);
      return;
    }
    this.#kind[result] = IN_CELL;
    this.#cell[result] = cell;
  }

  /** A 64-bit sum with a constant is an address until something else is needed of it. */
  #isAddressSum({ opcode, args, result }: Instruction): boolean {
    if (opcode !== "add.i64" && opcode !== "sub.i64") return false;
    if (this.#record[this.#definition[result]!]! >= 0) return false;
    const constant = this.#code[this.#definition[args[1]!]!]!;
    if (constant.opcode !== "const.i64" || constant.immediates[0]! >> 31 !== constant.immediates[1])
      return false;
    return opcode === "add.i64" || constant.immediates[0] !== -0x8000_0000;
  }

  #deferAddress({ opcode, result, args, immediates }: Instruction): void {
    const base = args[0]!;
    if (opcode !== "addr") {
      const constant = this.#code[this.#definition[args[1]!]!]!.immediates[0]!;
      const displacement = opcode === "add.i64" ? constant : -constant;
      if (this.#kind[base] === LAZY_ADDRESS && Number.isSafeInteger(this.#lo[base]! + displacement)) {
        const sum = this.#lo[base]! + displacement;
        if (sum === (sum | 0)) {
          this.#setAddress(result, this.#base[base]!, this.#index[base]!, this.#scale[base]!, sum);
          return;
        }
      }
      this.#setAddress(result, this.#cellOf(base), -1, 0, displacement);
      return;
    }
    const index = args[1]!;
    const [scale, displacement] = [immediates[0]!, immediates[1]!];
    if (this.#kind[index] === CONST && this.#lo[index] === 0 && this.#hi[index] === 0) {
      this.#setAddress(result, this.#cellOf(base), -1, 0, displacement);
      return;
    }
    const baseCell = this.#cellOf(base);
    this.#setAddress(result, baseCell, this.#cellOf(index), scale, displacement);
  }

  #setAddress(result: number, base: number, index: number, scale: number, displacement: number): void {
    this.#kind[result] = LAZY_ADDRESS;
    this.#base[result] = base;
    this.#index[result] = index;
    this.#scale[result] = scale;
    this.#lo[result] = displacement;
  }

  #writeAddress(target: number, value: number): void {
    const base = this.#base[value]!;
    const index = this.#index[value]!;
    if (index >= 0) this.#write(PACKED.ADDR, target, base, index, this.#scale[value]!, this.#lo[value]!);
    else this.#write(PACKED.ADDI64, target, base, this.#lo[value]!);
  }

  #emitAccess(instruction: Instruction): void {
    const { opcode, result, args, immediates } = instruction;
    const attr = immediates[0]!;
    const store = OPERATIONS[opcode].memory === "store";
    if (store) this.#stored = true;
    const address = args[0]!;
    // The value first: materialising it must not come between the address and the access.
    const value = store ? this.#cellOf(args[1]!) : -1;
    let base: number;
    let index = -1;
    let scale = 0;
    let displacement = 0;
    if (this.#kind[address] === LAZY_ADDRESS) {
      base = this.#base[address]!;
      index = this.#index[address]!;
      scale = this.#scale[address]!;
      displacement = this.#lo[address]!;
    } else {
      base = this.#cellOf(address);
    }
    const { endian, order, alignment, privilege } = memAccess(attr);
    const ordinary = endian === "little" && privilege === "current";
    const plain = ordinary && (order === "plain" || order === "acquire" || order === "release");
    if (!plain || alignment === "natural" || alignment === "pair") {
      if (index >= 0) {
        base = this.#cellOf(address);
        displacement = 0;
      }
      const size = Number(opcode.replace(/\D/g, "")) / 8;
      if (store && result >= 0) {
        this.#emitExclusiveStore(instruction, value, base, displacement, size, attr);
        return;
      }
      const cell = store ? value : this.#define(result);
      this.#write(PACKED.ACCESS, Math.log2(size) | (store ? 256 : 0), cell, base, displacement, attr);
      return;
    }
    const [simple, indexed] = (store ? STORES[opcode] : LOADS[opcode])!;
    const cell = store ? value : this.#define(result);
    if (index >= 0) this.#write(PACKED[indexed], cell, base, index, scale, displacement, attr);
    else this.#write(PACKED[simple], cell, base, displacement, attr);
  }

  /** The value goes through the neutral head if it has 16 bytes; the result comes back in its first word. */
  #emitExclusiveStore(
    { result, args }: Instruction,
    value: number,
    base: number,
    displacement: number,
    sizeBytes: number,
    attr: number,
  ): void {
    let cell = value;
    if (sizeBytes === 16) {
      this.#write(PACKED.MOV64, EXCLUSIVE_DATA, value);
      this.#moveTo(EXCLUSIVE_DATA + 2, args[2]!);
      cell = EXCLUSIVE_DATA;
    }
    this.#write(PACKED.ACCESS, Math.log2(sizeBytes) | 256, cell, base, displacement, attr);
    this.#write(PACKED.MOV32, this.#define(result), EXCLUSIVE_DATA);
  }

  #emitArithmetic(i: number, { opcode, result, args }: Instruction, name: keyof typeof PACKED): void {
    const a = this.#cellOf(args[0]!);
    const recorded = this.#record[i]! >= 0;
    const wide = opcode.endsWith("i64");
    if (recorded && args[0] === args[1] && opcode.startsWith("and.") && this.#uses[result] === 1) {
      // TEST r, r: the record of the operand itself; nothing else uses the result.
      this.#compareAt = this.#page.length;
      this.#write(PACKED.FLAGS1, KIND_LOGIC | (wide ? 3 : 2), a);
      return;
    }
    const immediate = this.#smallConstant(args[1]!, wide);
    const form = `${name}${recorded ? "F" : ""}`;
    if (immediate !== null && `${form}I` in PACKED) {
      this.#write(PACKED[`${form}I` as keyof typeof PACKED], this.#define(result), a, immediate);
    } else if (immediate !== null && form === "ADD64") {
      this.#write(PACKED.ADDI64, this.#define(result), a, immediate);
    } else {
      const b = this.#cellOf(args[1]!);
      this.#write(PACKED[form as keyof typeof PACKED], this.#define(result), a, b);
    }
    if (recorded && !this.#stored) {
      this.#resultEnd = this.#page.length;
      this.#resultCell = this.#cell[result]!;
      this.#resultWide = wide;
    }
  }

  #smallConstant(value: number, wide: boolean): number | null {
    if (this.#kind[value] !== CONST) return null;
    if (wide && this.#lo[value]! >> 31 !== this.#hi[value]) return null;
    return this.#lo[value]!;
  }

  #emitRecord(instruction: Instruction): void {
    const { opcode, args, immediates } = instruction;
    const operation = opcode.split(".")[1]!;
    const width = immediates[0];
    const kind = (RECORD_KINDS[operation] ?? 0) | (width === undefined ? 0 : 31 - Math.clz32(width / 8));
    if (operation === "add" || operation === "sub") {
      const a = this.#cellOf(args[0]!);
      const immediate = this.#smallConstant(args[1]!, width === 64);
      const b = immediate ?? this.#cellOf(args[1]!);
      this.#compareAt = operation === "sub" && !this.#stored ? this.#page.length : -1;
      this.#write(immediate === null ? PACKED.FLAGS2 : PACKED.FLAGS2I, kind, a, b);
      return;
    }
    if (operation === "logic" || operation === "logicc") {
      const a = this.#cellOf(args[0]!);
      // The fused tests record C = 0; after the other record a branch looks at the result itself.
      this.#compareAt = this.#stored || operation === "logicc" ? -1 : this.#page.length;
      this.#write(PACKED.FLAGS1, kind, a);
      if (operation === "logicc" && !this.#stored && width !== undefined && width >= 32) {
        this.#resultEnd = this.#page.length;
        this.#resultCell = a;
        this.#resultWide = width === 64;
      }
      return;
    }
    this.#emitRare(instruction);
  }

  #emitExit(i: number, instruction: Instruction): void {
    const { opcode, args, immediates } = instruction;
    const retired = this.#marks;
    switch (opcode) {
      case "exit.jump": {
        const [lo, hi, transfer] = immediates as [number, number, number];
        const ends = transfer === 0 ? 0 : transfer === 1 ? this.#endsSlice(lo, hi) : 1;
        this.#write(PACKED.JUMP, retired, lo, hi, NO_LINK, ends);
        this.#page.links.push(this.#page.length - 2);
        return;
      }
      case "exit.branch":
        return this.#emitBranch(i, args[0]!, immediates);
      case "exit.indirect":
        this.#write(PACKED.INDIRECT, this.#cellOf(args[0]!), retired);
        return;
      case "exit.trap": {
        const [trap, lo, hi] = immediates as [number, number, number];
        const own = this.#page.markLo[this.#page.marks - 1];
        this.#write(PACKED.TRAP, trap, lo, hi, lo === own ? retired - 1 : retired);
        return;
      }
      case "exit.helper": {
        const a = this.#cellOf(args[0]!);
        const b = this.#cellOf(args[1]!);
        const [helper, lo, hi] = immediates as [number, number, number];
        const own = this.#page.markLo[this.#page.marks - 1]!;
        this.#write(PACKED.HELPER, helper, a, b, lo, hi, retired, own);
        return;
      }
      case "exit.if": {
        const [lo, hi] = immediates as [number, number];
        this.#write(PACKED.EXIT_IF, this.#cellOf(args[0]!), lo, hi, retired);
        return;
      }
      default:
        this.#write(PACKED.TRAP_IF, this.#cellOf(args[0]!), immediates[0]!);
    }
  }

  #emitBranch(i: number, value: number, immediates: readonly number[]): void {
    const [takenLo, takenHi, nextLo, nextHi] = immediates as [number, number, number, number];
    const ends = this.#endsSlice(takenLo, takenHi);
    const definition = this.#code[this.#definition[value]!]!;
    const taken: Target = [takenLo, takenHi];
    const next: Target = [nextLo, nextHi];
    const nothingBetween = this.#definition[value]! === i - 1 && definition.opcode === "condition";
    if (nothingBetween && this.#uses[value] === 1) {
      const condition = definition.immediates[0]!;
      // The condition was emitted just before: take it back.
      this.#page.length -= 3;
      if (this.#fuseCompare(condition, taken, next, ends)) return;
      this.#write(PACKED.BRANCH_CONDITION, condition);
      this.#writeTail(taken, next, ends);
      return;
    }
    if (this.#isZeroTest(this.#definition[value]!)) {
      const wide = definition.opcode.endsWith("i64");
      this.#write(wide ? PACKED.BRANCH_ZERO64 : PACKED.BRANCH_ZERO32, this.#cellOf(definition.args[0]!));
      if (definition.opcode.startsWith("ne.")) this.#writeTail(next, taken, ends << 1);
      else this.#writeTail(taken, next, ends);
      return;
    }
    this.#write(PACKED.BRANCH_VALUE, this.#cellOf(value));
    this.#writeTail(taken, next, ends);
  }

  /** A comparison with 0 that only the branch after it uses: the branch makes it. */
  #isZeroTest(i: number): boolean {
    const { opcode, result, args } = this.#code[i]!;
    if (!ZERO_TESTS.has(opcode) || this.#uses[result] !== 1) return false;
    const branch = this.#code[i + 1]!;
    const { opcode: zero, immediates } = this.#code[this.#definition[args[1]!]!]!;
    const constant = zero.startsWith("const.") && immediates.every((word) => word === 0);
    return constant && branch.opcode === "exit.branch" && branch.args[0] === result;
  }

  /** Merges the compare that was emitted last with a branch on its outcome. */
  #fuseCompare(condition: number, taken: Target, next: Target, ends: number): boolean {
    const at = this.#compareAt;
    const { words } = this.#page;
    if (this.#resultEnd === this.#page.length && (condition >> 1 === 2 || condition >> 1 === 4)) {
      const name = `BRANCH_${condition >> 1 === 2 ? "ZERO" : "SIGN"}${this.#resultWide ? 64 : 32}` as const;
      this.#write(PACKED[name], this.#resultCell);
      if (condition & 1) this.#writeTail(next, taken, ends << 1);
      else this.#writeTail(taken, next, ends);
      return true;
    }
    if (at < 0) return false;
    const [operation, kind] = [words[at]!, words[at + 1]!];
    const width = 8 << (kind & 3);
    const test = operation === PACKED.FLAGS1;
    const suffix = (test ? TEST_SUFFIX : COMPARE_SUFFIX)[condition >> 1];
    if (suffix === undefined || width < 32) return false;
    const end = at + (test ? 3 : 4);
    if (end !== this.#page.length) return false;
    const name = `${test ? "TEST" : "CMP"}${width}${operation === PACKED.FLAGS2I ? "I" : ""}_${suffix}`;
    const negated = (condition & 1) !== 0;
    if (test) {
      const a = words[at + 2]!;
      this.#page.length = at;
      this.#write(PACKED[name as keyof typeof PACKED], a);
    } else {
      const [a, b] = [words[at + 2]!, words[at + 3]!];
      this.#page.length = at;
      this.#write(PACKED[name as keyof typeof PACKED], a, b);
    }
    if (negated) this.#writeTail(next, taken, ends << 1);
    else this.#writeTail(taken, next, ends);
    return true;
  }

  #writeTail(taken: Target, next: Target, ends: number): void {
    const page = this.#page;
    page.reserve(TAIL_WORDS);
    const { words } = page;
    let at = page.length;
    page.links.push(at + 3, at + 6);
    words[at++] = this.#marks;
    words[at++] = taken[0];
    words[at++] = taken[1];
    words[at++] = NO_LINK;
    words[at++] = next[0];
    words[at++] = next[1];
    words[at++] = NO_LINK;
    words[at++] = ends;
    page.length = at;
  }

  /** A taken transfer to a lower or equal address, or out of the page, may end a slice. */
  #endsSlice(lo: number, hi: number): number {
    const from = this.#page.markLo[this.#page.marks - 1]!;
    const samePage = hi === this.#page.pageHi && (lo & ~0xfff) === this.#page.pageLo;
    return !samePage || lo >>> 0 <= from >>> 0 ? 1 : 0;
  }

  #emitRare({ opcode, result, args, immediates }: Instruction): void {
    const cells = args.map((arg) => this.#cellOf(arg));
    const number = RARE_NUMBER[opcode];
    if (number === undefined) throw new Error(`Packer: no interpreter operation for ${opcode}`);
    this.#write(
      PACKED.RARE,
      number,
      result >= 0 ? this.#define(result) : -1,
      cells[0] ?? -1,
      cells[1] ?? -1,
      cells[2] ?? -1,
      immediates[0] ?? 0,
      immediates[1] ?? 0,
    );
  }

  /** The cell a result is computed into. */
  #define(result: number): number {
    const cell = this.#target[result]! >= 0 ? this.#target[result]! : TEMPS + 2 * result;
    this.#kind[result] = IN_CELL;
    this.#cell[result] = cell;
    this.#clean[result] = 1;
    return cell;
  }

  /** The cell that holds a value; constants and addresses are computed into the temporary's own cell. */
  #cellOf(value: number): number {
    if (this.#kind[value] === IN_CELL) return this.#cell[value]!;
    const cell = TEMPS + 2 * value;
    this.#moveTo(cell, value);
    this.#kind[value] = IN_CELL;
    this.#cell[value] = cell;
    return cell;
  }

  #write(...words: number[]): void {
    const page = this.#page;
    page.reserve(words.length + 16);
    page.words.set(words, page.length);
    page.length += words.length;
  }
}

type Target = readonly [lo: number, hi: number];

/** Emitted where it is used, so that its operands live as long as its result. */
function isDeferred(opcode: Opcode): boolean {
  return opcode === "addr" || opcode === "zext.i64" || opcode === "wrap.i32";
}

/** The operation leaves 0 in the high word of its i32 result. */
function makesClean(opcode: Opcode): boolean {
  return opcode !== "wrap.i32" && opcode !== "get32" && OPERATIONS[opcode].result === "i32";
}

function overlaps(a: number, aWidth: number, b: number, bWidth: number): boolean {
  return a < b + bWidth && b < a + aWidth;
}
