/**
 * The IR verifier. A valid block has these properties, and backends rely on all of them:
 *
 *  1. Shape. The first instruction is a mark at the block's address, marks follow each other without gaps, start on
 *     one 4 KiB page and number `length`, and exactly one operation, the last one, is an exit.
 *  2. SSA. Each temporary of `types` is defined exactly once, before its uses. There are at most MAX_TEMPS.
 *  3. Types. Arguments and result are those that OPERATIONS lists.
 *  4. Immediates. Their number is the table's, each is an int32 in its kind's range: a slot lies within the frontend's
 *     part of the state and is aligned to its width, attributes name an order that suits a load or a store, a flag
 *     width suits the operand type, conditions, transfers, scales, lengths and orderings exist.
 *  5. Precise faults. Within one guest instruction whatever can fault precedes every write of guest state (put*,
 *     flags.*), and trap.if and exit.if also precede every store.
 *  6. Locked sequences. Each load with order `locked` is closed by an `unlock` store of the same guest instruction;
 *     they do not nest, and no trap.if or exit.if lies between.
 *  7. Transfers. The target of a `next` jump is the following instruction, and so is the second address of exit.branch
 *     (a slice ends at the first one alone, if that is backward); the PC that exit.trap saves is that of its
 *     own instruction or of the following one.
 */
import type { Block, Instruction } from "./block.ts";
import { CONDITIONS } from "./flags.ts";
import {
  type Immediate,
  type IrType,
  immediateWords,
  memAccess,
  memAttr,
  OPERATIONS,
  type Operation,
  type Order,
  TRANSFERS,
} from "./opcodes.ts";
import { printInstruction } from "./printer.ts";
import { MAX_TEMPS, STATE_FRONTEND_BASE, STATE_TEMPS_BASE } from "./state.ts";

/** The grain of code pages, whatever the guest's page size. */
const PAGE_BYTES = 4096n;

const ORDERS_OF_LOADS: readonly Order[] = ["plain", "acquire", "exclusive", "locked", "modify"];
const ORDERS_OF_STORES: readonly Order[] = ["plain", "release", "unlock"];
const ORDERS_OF_EXCLUSIVE_STORES: readonly Order[] = ["exclusive"];

/** Every violation, as `index: instruction: what is wrong`; none if the block is valid. */
export function verify(block: Block): string[] {
  return new Verifier(block).run();
}

class Verifier {
  readonly #block: Block;
  readonly #problems: string[] = [];
  readonly #defined = new Set<number>();
  /** Position and text of the instruction being checked. */
  #where = "block";
  #marks = 0;
  /** Of the current guest instruction: its address, the following one, and what it has done so far. */
  #pc = 0n;
  #nextPc = 0n;
  #wroteState = false;
  #stored = false;
  #locked = false;

  constructor(block: Block) {
    this.#block = block;
  }

  run(): string[] {
    const { instructions, types, length } = this.#block;
    this.#nextPc = wide(this.#block.pcLo, this.#block.pcHi);
    instructions.forEach((instruction, index) => {
      this.#where = `${index}: ${printInstruction(instruction, types)}`;
      const operation = OPERATIONS[instruction.opcode] as Operation | undefined;
      if (operation === undefined) this.#problem("unknown operation");
      else this.#checkInstruction(instruction, operation, index);
    });
    this.#where = "block";
    if (instructions.length === 0) this.#problem("is empty");
    if (this.#marks !== length) this.#problem(`has ${this.#marks} marks, but its length is ${length}`);
    if (types.length > MAX_TEMPS)
      this.#problem(`has ${types.length} temporaries, ${MAX_TEMPS} are the limit`);
    for (let temporary = 0; temporary < types.length; temporary++) {
      if (!this.#defined.has(temporary)) this.#problem(`never defines %${temporary}`);
    }
    return this.#problems;
  }

  #problem(text: string): void {
    this.#problems.push(`${this.#where}: ${text}`);
  }

  #checkInstruction(instruction: Instruction, operation: Operation, index: number): void {
    const immediatesAreNumbers = this.#checkImmediateWords(instruction, operation);
    if (immediatesAreNumbers) this.#checkImmediates(instruction, operation);
    this.#checkPosition(instruction, operation, index, immediatesAreNumbers);
    this.#checkArguments(instruction, operation);
    this.#checkResult(instruction, operation);
    this.#checkFaultOrder(instruction, operation);
    this.#checkLock(instruction, operation);
  }

  #checkPosition(
    { opcode, immediates }: Instruction,
    operation: Operation,
    index: number,
    immediatesAreNumbers: boolean,
  ): void {
    const last = index === this.#block.instructions.length - 1;
    if (index === 0 && opcode !== "mark") this.#problem("the first instruction must be a mark");
    if (operation.exit !== last) {
      this.#problem(last ? "the last instruction must be an exit" : "an exit must be the last instruction");
    }
    if (!immediatesAreNumbers) return;
    if (opcode === "mark") this.#beginGuestInstruction(immediates);
    if (opcode === "exit.jump" && TRANSFERS[immediates[2]!] === "next") {
      const target = wide(immediates[0]!, immediates[1]!);
      if (target !== this.#nextPc) this.#problem(`next is ${hex(this.#nextPc)}`);
    }
    if (opcode === "exit.branch") {
      const other = wide(immediates[2]!, immediates[3]!);
      if (other !== this.#nextPc) this.#problem(`the second address must be ${hex(this.#nextPc)}`);
    }
    if (opcode === "exit.trap") {
      const saved = wide(immediates[1]!, immediates[2]!);
      if (saved !== this.#pc && saved !== this.#nextPc) {
        this.#problem(`the saved PC must be ${hex(this.#pc)} or ${hex(this.#nextPc)}`);
      }
    }
  }

  #beginGuestInstruction(immediates: readonly number[]): void {
    this.#checkLockClosed();
    this.#marks++;
    this.#pc = wide(immediates[0]!, immediates[1]!);
    if (this.#pc !== this.#nextPc) this.#problem(`the mark must be at ${hex(this.#nextPc)}`);
    const page = wide(this.#block.pcLo, this.#block.pcHi) / PAGE_BYTES;
    if (this.#pc / PAGE_BYTES !== page) this.#problem("the mark is on another page than the block's address");
    this.#nextPc = BigInt.asUintN(64, this.#pc + BigInt(immediates[2]!));
    this.#wroteState = false;
    this.#stored = false;
  }

  #checkArguments({ args }: Instruction, operation: Operation): void {
    if (args.length !== operation.args.length) {
      this.#problem(`${args.length} arguments instead of ${operation.args.length}`);
      return;
    }
    args.forEach((arg, position) => {
      if (!this.#defined.has(arg)) {
        this.#problem(`%${arg} is used before it is defined`);
        return;
      }
      const type = this.#block.types[arg];
      const wanted = operation.args[position];
      if (type !== wanted) this.#problem(`%${arg} is ${type} instead of ${wanted}`);
    });
  }

  #checkResult({ result }: Instruction, operation: Operation): void {
    if (operation.result === null) {
      if (result !== -1) this.#problem("the operation has no result");
      return;
    }
    const types: readonly (IrType | undefined)[] = this.#block.types;
    if (!Number.isInteger(result) || result < 0 || result >= types.length) {
      this.#problem(`%${result} is not a temporary of the block`);
      return;
    }
    if (this.#defined.has(result)) this.#problem(`%${result} is defined again`);
    this.#defined.add(result);
    if (types[result] !== operation.result) {
      this.#problem(`%${result} is ${types[result]} instead of ${operation.result}`);
    }
  }

  #checkFaultOrder({ opcode }: Instruction, operation: Operation): void {
    if (operation.faults && this.#wroteState) this.#problem("may fault after a write of guest state");
    if (leavesBlockEarly(opcode) && this.#stored) this.#problem("may leave the instruction after a store");
    if (operation.writesState) this.#wroteState = true;
    if (operation.memory === "store") this.#stored = true;
  }

  #checkLock({ opcode, immediates }: Instruction, operation: Operation): void {
    if (operation.exit) this.#checkLockClosed();
    if (leavesBlockEarly(opcode) && this.#locked) this.#problem("may leave a locked sequence open");
    if (operation.memory === null || immediates.length !== 1) return;
    const { order } = memAccess(immediates[0]!);
    if (operation.memory === "load" && order === "locked") {
      if (this.#locked) this.#problem("a locked sequence is already open");
      this.#locked = true;
    }
    if (operation.memory === "store" && order === "unlock") {
      if (!this.#locked) this.#problem("no locked sequence is open");
      this.#locked = false;
    }
  }

  #checkLockClosed(): void {
    if (this.#locked) this.#problem("a locked sequence of the instruction is still open");
    this.#locked = false;
  }

  /** Number of words, and that each is an int32. */
  #checkImmediateWords({ immediates }: Instruction, operation: Operation): boolean {
    const wanted = immediateWords(operation);
    if (immediates.length !== wanted) {
      this.#problem(`${immediates.length} immediate words instead of ${wanted}`);
      return false;
    }
    const wrong = immediates.find((word) => word !== (word | 0));
    if (wrong !== undefined) this.#problem(`immediate ${wrong} is not an int32`);
    return wrong === undefined;
  }

  #checkImmediates(instruction: Instruction, operation: Operation): void {
    let word = 0;
    for (const kind of operation.immediates) {
      const problem = immediateProblem(kind, instruction.immediates[word]!, instruction, operation);
      if (problem !== null) this.#problem(problem);
      word += kind === "wide" ? 2 : 1;
    }
    const problem = numberProblem(instruction);
    if (problem !== null) this.#problem(problem);
  }
}

function ordersOf(opcode: string, operation: Operation): readonly Order[] {
  if (operation.memory === "load") return ORDERS_OF_LOADS;
  return opcode.startsWith("storex") ? ORDERS_OF_EXCLUSIVE_STORES : ORDERS_OF_STORES;
}

function leavesBlockEarly(opcode: string): boolean {
  return opcode === "trap.if" || opcode === "exit.if";
}

function immediateProblem(
  kind: Immediate,
  value: number,
  { opcode }: Instruction,
  operation: Operation,
): string | null {
  switch (kind) {
    case "int":
    case "wide":
      return null;
    case "offset":
      return offsetProblem(value, Number(opcode.slice(3)) / 8);
    case "attr":
      return attributeProblem(value, ordersOf(opcode, operation));
    case "width": {
      const widths = operation.args[0] === "i64" ? [64] : [8, 16, 32];
      return widths.includes(value) ? null : `width ${value} is not ${widths.join(", ")}`;
    }
    case "condition":
      return CONDITIONS[value] === undefined ? `there is no condition ${value}` : null;
    case "transfer":
      return TRANSFERS[value] === undefined ? `there is no transfer ${value}` : null;
  }
}

function offsetProblem(offset: number, sizeBytes: number): string | null {
  if (offset < STATE_FRONTEND_BASE || offset + sizeBytes > STATE_TEMPS_BASE) {
    return `offset ${offset} lies outside ${STATE_FRONTEND_BASE}–${STATE_TEMPS_BASE - 1}`;
  }
  return offset % sizeBytes === 0 ? null : `offset ${offset} is not a multiple of ${sizeBytes}`;
}

function attributeProblem(attr: number, orders: readonly Order[]): string | null {
  const access = memAccess(attr);
  if (access.order === undefined || access.alignment === undefined || memAttr(access) !== attr) {
    return `attribute bits ${attr} have no meaning`;
  }
  return orders.includes(access.order) ? null : `order ${access.order} does not suit the operation`;
}

/** Ranges of the immediates that are plain numbers. */
function numberProblem({ opcode, immediates }: Instruction): string | null {
  switch (opcode) {
    case "mark":
      return immediates[2]! > 0 ? null : "a guest instruction has at least one byte";
    case "addr":
      return immediates[0]! >= 0 && immediates[0]! <= 4 ? null : `scale ${immediates[0]} is not 0–4`;
    case "crc32":
      return [1, 2, 4, 8].includes(immediates[1]!) ? null : `length ${immediates[1]} is not 1, 2, 4 or 8`;
    case "fence":
      return immediates[0]! >= 0 && immediates[0]! <= 15 ? null : `ordering ${immediates[0]} is not 0–15`;
    case "trap.if":
    case "exit.trap":
      return immediates[0]! >= 0 ? null : "a trap number is not negative";
    case "exit.helper":
      return immediates[0]! >= 0 ? null : "a helper number is not negative";
    default:
      return null;
  }
}

function wide(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

function hex(address: bigint): string {
  return `0x${address.toString(16)}`;
}
