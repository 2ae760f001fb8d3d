/**
 * The text form of IR, written. One instruction per line: the temporary defined and its type, the operation with
 * a memory operation's attributes as suffixes, then the temporaries used and the immediates, in the table's order.
 *
 *     block 0x401000
 *     mark 0x401000, 4
 *     %0:i64 = get64 @rsp
 *     %1:i64 = load64.stack.le %0
 *     put64 %1, @64
 *     exit.jump 0x401004, next
 *
 * A slot is `@` and its name, or its byte offset if the map has no name for it. Addresses and 64-bit constants are
 * hexadecimal, numbers decimal, conditions and transfers have their names. parser.ts reads it back unchanged.
 */
import type { Block, Instruction } from "./block.ts";
import { CONDITIONS } from "./flags.ts";
import { type Immediate, type IrType, memAccess, memAttr, OPERATIONS, TRANSFERS } from "./opcodes.ts";

/** Byte offset of a slot → its name: letters, digits, `_` and `.`, not starting with a digit. */
export type SlotNames = ReadonlyMap<number, string>;

/** The whole block, one line per instruction, ending with a newline. */
export function print(block: Block, slots?: SlotNames): string {
  const lines = block.instructions.map((instruction) => {
    const indent = instruction.opcode === "mark" ? "  " : "    ";
    return indent + printInstruction(instruction, block.types, slots);
  });
  return [`block ${printWide(block.pcLo, block.pcHi)}`, ...lines, ""].join("\n");
}

/** One instruction without indentation. Never fails: what is invalid is shown as it is. */
export function printInstruction(
  instruction: Instruction,
  types: readonly IrType[],
  slots?: SlotNames,
): string {
  const { opcode, result, args, immediates } = instruction;
  const operands = args.map((arg) => `%${arg}`);
  let suffix = "";
  let word = 0;
  for (const kind of OPERATIONS[opcode]?.immediates ?? []) {
    const first = immediates[word++] ?? 0;
    if (kind === "attr") suffix = printAttributes(first);
    else if (kind === "wide") operands.push(printWide(first, immediates[word++] ?? 0));
    else operands.push(printImmediate(kind, first, slots));
  }
  const definition = result === -1 ? "" : `%${result}:${types[result] ?? "?"} = `;
  return [definition + opcode + suffix, operands.join(", ")].join(" ").trimEnd();
}

/** Suffixes of a memory operation: segment, order and alignment unless they are the default, then endianness. */
function printAttributes(attr: number): string {
  const access = memAccess(attr);
  if (access.order === undefined || access.alignment === undefined || memAttr(access) !== attr) {
    return `.invalid${attr}`;
  }
  const words = [
    access.segment === "data" ? "" : ".stack",
    access.privilege === "current" ? "" : ".user",
    access.order === "plain" ? "" : `.${access.order}`,
    access.alignment === "any" ? "" : `.${access.alignment}`,
    access.endian === "little" ? ".le" : ".be",
  ];
  return words.join("");
}

function printImmediate(kind: Exclude<Immediate, "wide" | "attr">, value: number, slots?: SlotNames): string {
  switch (kind) {
    case "offset":
      return `@${slots?.get(value) ?? value}`;
    case "condition":
      return CONDITIONS[value] ?? String(value);
    case "transfer":
      return TRANSFERS[value] ?? String(value);
    case "int":
    case "width":
      return String(value);
  }
}

function printWide(lo: number, hi: number): string {
  const value = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
  return `0x${value.toString(16)}`;
}
