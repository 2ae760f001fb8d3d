/** The text form: what is printed is read back unchanged, and what cannot be read is named by its line. */
import { describe, expect, it } from "vitest";
import {
  ALIGNMENTS,
  type Block,
  BlockBuilder,
  CONDITIONS,
  type Instruction,
  IrSyntaxError,
  type IrType,
  immediateWords,
  memAttr,
  OPERATIONS,
  type Opcode,
  ORDERS,
  PRIVILEGES,
  parse,
  print,
  printInstruction,
  SEGMENTS,
  TRANSFERS,
} from "../../../emu/ir/index.ts";

const OPCODES = Object.keys(OPERATIONS) as Opcode[];

/** One instruction with distinct temporaries and immediates in range; result %9. */
function sample(opcode: Opcode, numbers: readonly number[]): Block {
  const operation = OPERATIONS[opcode];
  let next = 0;
  const immediates = operation.immediates.flatMap((kind): number[] => {
    const number = numbers[next++ % numbers.length]!;
    if (kind === "wide") return [number, numbers[next++ % numbers.length]!];
    if (kind === "int" || kind === "width") return [number];
    return [Math.abs(number) % (kind === "condition" ? CONDITIONS.length : kind === "offset" ? 4096 : 4)];
  });
  expect(immediates).toHaveLength(immediateWords(operation));
  const args = operation.args.map((_, index) => index);
  const types: IrType[] = Array.from({ length: 10 });
  const instruction: Instruction = { opcode, result: operation.result === null ? -1 : 9, args, immediates };
  if (operation.result !== null) types[9] = operation.result;
  return {
    pcLo: -4096,
    pcHi: 1,
    instructions: [instruction],
    types: operation.result === null ? [] : types,
    length: opcode === "mark" ? 1 : 0,
  };
}

describe("every operation is read back unchanged", () => {
  it.each(OPCODES)("%s", (opcode) => {
    for (const numbers of [[0], [1, 2, 3], [-1], [0x7fff_ffff, -0x8000_0000], [-0x8000_0000, 5]]) {
      const block = sample(opcode, numbers);
      expect(parse(print(block))).toEqual(block);
    }
  });
});

it("every combination of memory attributes is read back unchanged", () => {
  for (const endian of ["little", "big"] as const)
    for (const order of ORDERS)
      for (const alignment of ALIGNMENTS)
        for (const segment of SEGMENTS)
          for (const privilege of PRIVILEGES) {
            const block = sample("store16", [0]);
            const attr = memAttr({ endian, order, alignment, segment, privilege });
            const changed = { ...block, instructions: [{ ...block.instructions[0]!, immediates: [attr] }] };
            expect(parse(print(changed))).toEqual(changed);
          }
});

it("a block looks as documented", () => {
  const pc = { lo: 0x401000, hi: 0 };
  const builder = new BlockBuilder(pc);
  builder.mark(pc, 4);
  const sp = builder.get64(64);
  const value = builder.load64(sp, { segment: "stack", alignment: "checked" });
  const sum = builder.addr(sp, value, 3, -8);
  builder.store64(sum, value, { endian: "big", order: "release" });
  builder.flagsOf("sub", 64, sp, value);
  builder.put64(72, sum);
  builder.put8(73, builder.condition("nz"));
  builder.jump({ lo: 0x401004, hi: 0 }, "next");
  const block = builder.finish();
  const slots = new Map([
    [64, "rsp"],
    [72, "rax"],
  ]);
  const text = [
    "block 0x401000",
    "  mark 0x401000, 4",
    "    %0:i64 = get64 @rsp",
    "    %1:i64 = load64.stack.checked.le %0",
    "    %2:i64 = addr %0, %1, 3, -8",
    "    store64.release.be %2, %1",
    "    flags.sub.i64 %0, %1, 64",
    "    put64 %2, @rax",
    "    %3:i32 = condition nz",
    "    put8 %3, @73",
    "    exit.jump 0x401004, next",
    "",
  ].join("\n");
  expect(print(block, slots)).toBe(text);
  expect(parse(text, slots)).toEqual(block);
});

it("comments, blank lines, hexadecimal numbers and omitted defaults are accepted", () => {
  const block = parse(`
    ; what it is for
    block 4096
    mark 0x1000, 0x2      ; two bytes
    %0:i32 = const.i32 0xffffffff

    %1:i64 = const.i64 -2
    store32 %1, %0
    exit.indirect %1, return
  `);
  expect(block.instructions[1]!.immediates).toEqual([-1]);
  expect(block.instructions[2]!.immediates).toEqual([-2, -1]);
  expect(block.instructions[3]!.immediates).toEqual([memAttr({})]);
  expect(block.instructions[4]!.immediates).toEqual([TRANSFERS.indexOf("return")]);
});

describe("text that is not IR", () => {
  it.each<[string, string]>([
    ["; nothing\n", "line 2: there is no block"],
    ["mark 0, 1", "line 1: a block starts with `block ADDRESS`"],
    ["block there", "line 1: `there` is not a number"],
    ["block 0x10000000000000000", "line 1: 0x10000000000000000 does not fit 64 bits"],
    ["block 0\n%0 = const.i32 1", "line 2: `%0 = const.i32 1` is not an instruction"],
    ["block 0\n%999999:i32 = const.i32 1", "line 2: `%999999:i32 = const.i32 1` is not an instruction"],
    ["block 0\n%0:int = const.i32 1", "line 2: there is no type int"],
    ["block 0\nnop", "line 2: there is no operation nop"],
    ["block 0\nconstructor", "line 2: there is no operation constructor"],
    ["block 0\n%0:i32 = load8.later %1", "line 2: there is no attribute later"],
    ["block 0\n%0:i32 = load8.le.be %1", "line 2: endian is given twice"],
    ["block 0\nfence", "line 2: fence takes 1 immediates, not 0"],
    ["block 0\nfence 1, 2", "line 2: fence takes 1 immediates, not 2"],
    ["block 0\nfence 0x100000000", "line 2: 0x100000000 does not fit 32 bits"],
    ["block 0\n%0:i32 = get8 64", "line 2: `64` is not a slot"],
    ["block 0\n%0:i32 = get8 @rax", "line 2: there is no slot rax"],
    ["block 0\n%0:i32 = condition maybe", "line 2: there is no condition maybe"],
    ["block 0\nexit.jump 0, sideways", "line 2: there is no transfer sideways"],
  ])("%j", (text, message) => {
    expect(() => parse(text)).toThrow(new IrSyntaxError(Number(/\d+/.exec(message)![0]), message.slice(8)));
  });
});

it("an invalid instruction can still be printed", () => {
  const instruction = { opcode: "load8", result: 3, args: [7], immediates: [999] } as const;
  expect(printInstruction(instruction, [])).toBe("%3:? = load8.invalid999 %7");
});
