/**
 * The text form of IR, read (printer.ts describes it). Comments run from `;` to the end of the line, blank lines
 * and indentation do not matter. The parser knows syntax only: a block that it returns may still be invalid.
 */
import type { Block, Instruction } from "./block.ts";
import { CONDITIONS } from "./flags.ts";
import {
  ALIGNMENTS,
  type Immediate,
  type IrType,
  type MemoryAccess,
  memAttr,
  OPERATIONS,
  type Opcode,
  ORDERS,
  SEGMENTS,
  TRANSFERS,
} from "./opcodes.ts";
import type { SlotNames } from "./printer.ts";

const TYPES: readonly IrType[] = ["i32", "i64", "f32", "f64", "v128"];

/** Text that is not IR. The message starts with the line's number. */
export class IrSyntaxError extends Error {
  readonly line: number;

  constructor(line: number, problem: string) {
    super(`line ${line}: ${problem}`);
    this.name = "IrSyntaxError";
    this.line = line;
  }
}

/**
 * Reads one block. Its length is its number of marks, its types are those of the definitions.
 * @param slots names that the text may use for slots @throws IrSyntaxError
 */
export function parse(text: string, slots: SlotNames = new Map()): Block {
  return new Parser(slots).parse(text);
}

class Parser {
  readonly #offsets: ReadonlyMap<string, number>;
  readonly #instructions: Instruction[] = [];
  readonly #types: IrType[] = [];
  #line = 0;

  constructor(slots: SlotNames) {
    this.#offsets = new Map([...slots].map(([offset, name]) => [name, offset]));
  }

  parse(text: string): Block {
    let pc: readonly [number, number] | null = null;
    for (const line of text.split("\n")) {
      this.#line++;
      const content = line.replace(/;.*/, "").trim();
      if (content === "") continue;
      if (pc === null) pc = this.#header(content);
      else this.#instructions.push(this.#instruction(content));
    }
    if (pc === null) throw this.#error("there is no block");
    return {
      pcLo: pc[0],
      pcHi: pc[1],
      instructions: this.#instructions,
      types: this.#types,
      length: this.#instructions.filter(({ opcode }) => opcode === "mark").length,
    };
  }

  #error(problem: string): IrSyntaxError {
    return new IrSyntaxError(this.#line, problem);
  }

  #header(content: string): readonly [number, number] {
    const match = /^block (\S+)$/.exec(content);
    if (match === null) throw this.#error("a block starts with `block ADDRESS`");
    return this.#wide(match[1]!);
  }

  #instruction(content: string): Instruction {
    const match = /^(?:%(\d{1,5}):(\w+) = )?([\w.]+)(?: (.+))?$/.exec(content);
    if (match === null) throw this.#error(`\`${content}\` is not an instruction`);
    const [, result, type, name, operands] = match;
    const { opcode, attr } = this.#operation(name!);
    const args: number[] = [];
    const words: string[] = [];
    for (const operand of operands?.split(",").map((part) => part.trim()) ?? []) {
      if (/^%\d{1,5}$/.test(operand)) args.push(Number(operand.slice(1)));
      else words.push(operand);
    }
    const immediates = this.#immediates(opcode, attr, words);
    if (result !== undefined) this.#define(Number(result), type!);
    return { opcode, result: result === undefined ? -1 : Number(result), args, immediates };
  }

  #define(temporary: number, name: string): void {
    const type = TYPES.find((known) => known === name);
    if (type === undefined) throw this.#error(`there is no type ${name}`);
    this.#types[temporary] = type;
  }

  /** The operation's name, and the attributes of a memory operation's suffixes. */
  #operation(name: string): { readonly opcode: Opcode; readonly attr: number | null } {
    const [stem, ...suffixes] = name.split(".");
    if (isOpcode(stem!) && OPERATIONS[stem].memory !== null) {
      return { opcode: stem, attr: memAttr(this.#access(suffixes)) };
    }
    if (!isOpcode(name)) throw this.#error(`there is no operation ${name}`);
    return { opcode: name, attr: null };
  }

  #access(suffixes: readonly string[]): MemoryAccess {
    const access: { -readonly [Key in keyof MemoryAccess]: MemoryAccess[Key] } = {};
    for (const suffix of suffixes) {
      const part = accessPart(suffix);
      if (part === null) throw this.#error(`there is no attribute ${suffix}`);
      const [key] = Object.keys(part);
      if (Object.hasOwn(access, key!)) throw this.#error(`${key} is given twice`);
      Object.assign(access, part);
    }
    return access;
  }

  #immediates(opcode: Opcode, attr: number | null, words: readonly string[]): number[] {
    const kinds = OPERATIONS[opcode].immediates.filter((kind) => kind !== "attr");
    if (words.length !== kinds.length) {
      throw this.#error(`${opcode} takes ${kinds.length} immediates, not ${words.length}`);
    }
    const parsed = kinds.flatMap((kind, index) => this.#immediate(kind, words[index]!));
    return attr === null ? parsed : [attr, ...parsed];
  }

  #immediate(kind: Exclude<Immediate, "attr">, word: string): readonly number[] {
    switch (kind) {
      case "wide":
        return this.#wide(word);
      case "int":
      case "width":
        return [this.#int(word)];
      case "offset": {
        if (!word.startsWith("@")) throw this.#error(`\`${word}\` is not a slot`);
        const name = word.slice(1);
        return [
          /^\d/.test(name) ? this.#int(name) : this.#index("slot", name, this.#offsets.get(name) ?? -1),
        ];
      }
      case "condition":
        return [this.#index(kind, word, (CONDITIONS as readonly string[]).indexOf(word))];
      case "transfer":
        return [this.#index(kind, word, (TRANSFERS as readonly string[]).indexOf(word))];
    }
  }

  #index(kind: string, name: string, index: number): number {
    if (index === -1) throw this.#error(`there is no ${kind} ${name}`);
    return index;
  }

  #int(word: string): number {
    const value = this.#number(word);
    if (value < -(2n ** 31n) || value >= 2n ** 32n) throw this.#error(`${word} does not fit 32 bits`);
    return Number(BigInt.asIntN(32, value));
  }

  #wide(word: string): readonly [number, number] {
    const value = this.#number(word);
    if (value < -(2n ** 63n) || value >= 2n ** 64n) throw this.#error(`${word} does not fit 64 bits`);
    return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
  }

  #number(word: string): bigint {
    if (!/^(-?\d+|0x[\da-f]+)$/i.test(word)) throw this.#error(`\`${word}\` is not a number`);
    return BigInt(word);
  }
}

function isOpcode(name: string): name is Opcode {
  return Object.hasOwn(OPERATIONS, name);
}

function accessPart(suffix: string): MemoryAccess | null {
  if (suffix === "le") return { endian: "little" };
  if (suffix === "be") return { endian: "big" };
  if (suffix === "user") return { privilege: "user" };
  const order = ORDERS.find((known) => known === suffix);
  if (order !== undefined) return { order };
  const alignment = ALIGNMENTS.find((known) => known === suffix);
  if (alignment !== undefined) return { alignment };
  const segment = SEGMENTS.find((known) => known === suffix);
  return segment === undefined ? null : { segment };
}
