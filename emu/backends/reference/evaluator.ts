/**
 * Runs one block of IR the obvious way: values are bigints, flags are computed at once, memory is behind an
 * interface. What the block means is what this does; faster backends are compared with it.
 *
 * Simplified: an access is one step, whatever its order; fences do nothing.
 */
import {
  type Block,
  CONDITIONS,
  FLAG_C,
  FLAGS_ALL,
  type Instruction,
  memAccess,
  OPERATIONS,
  STATE_PC,
  TRANSFERS,
  type Transfer,
} from "../../ir/index.ts";
import {
  conditionBits,
  conditionHolds,
  type FlagsOperation,
  recordBits,
  writeRecordBits,
} from "./condition-bits.ts";
import { computeValue, joinHalves, reverseBytes } from "./values.ts";

/** What a block runs on. */
export interface Machine {
  /** The core's state (ir/state.ts), little-endian. */
  readonly state: DataView;
  /**
   * The bytes at a guest virtual address as a little-endian number, or null if the access faults; the machine knows
   * why. A load whose order is `locked` or `modify` needs write permission.
   * @param sizeBytes 1, 2, 4 or 8 @param attr memAttr() bits
   */
  load(address: bigint, sizeBytes: number, attr: number): bigint | null;
  /**
   * Writes all of a little-endian number, or nothing of it. A store whose order is `exclusive` (16 bytes at most) is
   * `refused` unless the monitor holds that the last exclusive load set.
   */
  store(address: bigint, sizeBytes: number, value: bigint, attr: number): "done" | "fault" | "refused";
}

/** How a block ended. `pc` is also written to the state; `retired` counts completed guest instructions. */
export type Outcome = { readonly pc: bigint; readonly retired: number } & (
  | { readonly kind: "jump" | "indirect"; readonly transfer: Transfer }
  | { readonly kind: "branch"; readonly taken: boolean }
  | { readonly kind: "exit-if" }
  /** `pc` is the saved PC; the instruction has retired unless that is its own address. */
  | { readonly kind: "trap"; readonly trap: number }
  /** `pc` is the following instruction, before the helper has run. */
  | { readonly kind: "helper"; readonly helper: number; readonly a: bigint; readonly b: bigint }
  /** A memory access faulted; `pc` is its instruction. */
  | { readonly kind: "fault" }
);

/** Runs a valid block to its end, and writes PC, slots, explicit condition bits and memory. */
export function evaluate(block: Block, machine: Machine): Outcome {
  const outcome = new Evaluation(block, machine).run();
  machine.state.setBigUint64(STATE_PC, outcome.pc, true);
  return outcome;
}

class Evaluation {
  readonly #block: Block;
  readonly #machine: Machine;
  readonly #values: bigint[] = [];
  /** Of the instruction that runs. */
  #pc = 0n;
  /** Guest instructions before the one that runs. */
  #retired = -1;

  constructor(block: Block, machine: Machine) {
    this.#block = block;
    this.#machine = machine;
  }

  run(): Outcome {
    for (const instruction of this.#block.instructions) {
      const outcome = this.#step(instruction);
      if (outcome !== null) return outcome;
    }
    throw new Error("evaluate: the block has no exit");
  }

  #step(instruction: Instruction): Outcome | null {
    const { opcode, result, immediates } = instruction;
    const args = instruction.args.map((arg) => this.#values[arg]!);
    const operation = OPERATIONS[opcode];
    if (opcode === "mark") {
      this.#pc = joinHalves(immediates[0]!, immediates[1]!);
      this.#retired++;
      return null;
    }
    if (opcode === "fence") return null;
    if (operation.memory !== null) return this.#access(instruction, args);
    if (operation.immediates[0] === "offset") this.#slot(instruction, args);
    else if (operation.writesFlags) this.#writeFlags(instruction, args);
    else if (opcode === "flags.read") this.#values[result] = BigInt(this.#flags());
    else if (opcode === "condition") {
      const holds = conditionHolds(CONDITIONS[immediates[0]!]!, this.#flags());
      this.#values[result] = holds ? 1n : 0n;
    } else {
      const value = computeValue(instruction, args);
      if (value === null) return this.#leave(instruction, args);
      this.#values[result] = value;
    }
    return null;
  }

  /** load8 … store64. */
  #access({ opcode, result, immediates }: Instruction, args: readonly bigint[]): Outcome | null {
    const attr = immediates[0]!;
    const sizeBytes = widthInName(opcode) / 8;
    const inOrder = (value: bigint): bigint =>
      memAccess(attr).endian === "big" ? reverseBytes(value, sizeBytes) : value;
    const fault: Outcome = { kind: "fault", pc: this.#pc, retired: this.#retired };
    if (OPERATIONS[opcode].memory === "load") {
      const loaded = this.#machine.load(args[0]!, sizeBytes, attr);
      if (loaded === null) return fault;
      this.#values[result] = inOrder(loaded);
      return null;
    }
    const whole = args.length === 3 ? (args[2]! << 64n) | args[1]! : args[1]!;
    const value = inOrder(BigInt.asUintN(sizeBytes * 8, whole));
    const status = this.#machine.store(args[0]!, sizeBytes, value, attr);
    if (status === "fault") return fault;
    if (result !== -1) this.#values[result] = status === "refused" ? 1n : 0n;
    return null;
  }

  /** get8 … put64. */
  #slot({ opcode, result, immediates }: Instruction, args: readonly bigint[]): void {
    const { state } = this.#machine;
    const offset = immediates[0]!;
    const sizeBytes = widthInName(opcode) / 8;
    if (result === -1) {
      for (let index = 0; index < sizeBytes; index++) {
        state.setUint8(offset + index, Number((args[0]! >> BigInt(index * 8)) & 0xffn));
      }
    } else {
      let value = 0n;
      for (let index = 0; index < sizeBytes; index++) {
        value |= BigInt(state.getUint8(offset + index)) << BigInt(index * 8);
      }
      this.#values[result] = value;
    }
  }

  #flags(): number {
    return recordBits(this.#machine.state);
  }

  /** flags.write, flags.patch and the records of operations. */
  #writeFlags({ opcode, immediates }: Instruction, args: readonly bigint[]): void {
    const before = this.#flags();
    const name = opcode.split(".")[1] as FlagsOperation | "write" | "patch";
    const width = immediates[0]!;
    const [a, b] = [args[0]!, args[1] ?? 0n];
    let bits: number;
    switch (name) {
      case "write":
        bits = Number(a);
        break;
      case "patch":
        bits = (before & ~Number(a)) | (Number(b) & Number(a) & FLAGS_ALL);
        break;
      case "inc":
      case "dec":
        bits = conditionBits(name, width, a, 0n, before & FLAG_C);
        break;
      case "shl":
      case "shr":
      case "sar":
        if (b >= (width === 64 ? 64n : 32n)) throw new Error(`evaluate: ${opcode} with count ${b}`);
        bits = b === 0n ? before : conditionBits(name, width, a, 0n, Number(b));
        break;
      default: {
        const carry = args[2] ?? 0n;
        if (carry > 1n) throw new Error(`evaluate: ${opcode} with carry ${carry}`);
        bits = conditionBits(name, width, a, b, Number(carry));
      }
    }
    writeRecordBits(this.#machine.state, bits);
  }

  /** trap.if, exit.if and the exits. */
  #leave({ opcode, immediates }: Instruction, args: readonly bigint[]): Outcome | null {
    const address = (word: number): bigint => joinHalves(immediates[word]!, immediates[word + 1]!);
    const retired = this.#retired + 1;
    switch (opcode) {
      case "trap.if":
        if (args[0] === 0n) return null;
        return { kind: "trap", trap: immediates[0]!, pc: this.#pc, retired: this.#retired };
      case "exit.if":
        if (args[0] === 0n) return null;
        return { kind: "exit-if", pc: address(0), retired };
      case "exit.jump":
        return { kind: "jump", transfer: TRANSFERS[immediates[2]!]!, pc: address(0), retired };
      case "exit.branch": {
        const taken = args[0] !== 0n;
        return { kind: "branch", taken, pc: taken ? address(0) : address(2), retired };
      }
      case "exit.indirect":
        return { kind: "indirect", transfer: TRANSFERS[immediates[0]!]!, pc: args[0]!, retired };
      case "exit.trap": {
        const pc = address(1);
        const trap = immediates[0]!;
        return { kind: "trap", trap, pc, retired: pc === this.#pc ? this.#retired : retired };
      }
      case "exit.helper":
        return { kind: "helper", helper: immediates[0]!, a: args[0]!, b: args[1]!, pc: address(1), retired };
      default:
        throw new Error(`evaluate: no meaning for ${opcode}`);
    }
  }
}

/** 8, 16, 32 or 64: the number that a memory or slot operation's name ends with. */
function widthInName(opcode: string): number {
  return Number(/\d+$/.exec(opcode)?.[0]);
}
