/** Each operation without side effects gives the results of its definition, on every backend. */
import { describe, expect, it } from "vitest";
import {
  type Block,
  type Instruction,
  type IrType,
  OPERATIONS,
  type Opcode,
  verify,
} from "../../emu/ir/index.ts";
import { BACKENDS } from "./backends.ts";
import { emptyScene, viewOf } from "./scene.ts";
import { VALUE_CASES, type ValueCase } from "./value-cases.ts";

const PC = 0x1000;
const FIRST_SLOT = 128;
const RESULT_SLOT = 64;

/** The operation on arguments that are constants or slots, its result put to RESULT_SLOT. */
function blockOf({ opcode, args, immediates }: ValueCase, source: "constants" | "slots"): Block {
  const operation = OPERATIONS[opcode];
  const types: IrType[] = [...operation.args, operation.result!];
  const instructions: Instruction[] = [
    { opcode: "mark", result: -1, args: [], immediates: [PC, 0, 4] },
    ...args.map((value, index): Instruction => {
      const type = operation.args[index]!;
      const words = [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
      if (source === "constants")
        return {
          opcode: `const.${type}` as Opcode,
          result: index,
          args: [],
          immediates: type === "i32" ? words.slice(0, 1) : words,
        };
      const slot = FIRST_SLOT + index * 8;
      return { opcode: type === "i32" ? "get32" : "get64", result: index, args: [], immediates: [slot] };
    }),
    { opcode, result: args.length, args: args.map((_, index) => index), immediates },
    {
      opcode: operation.result === "i32" ? "put32" : "put64",
      result: -1,
      args: [args.length],
      immediates: [RESULT_SLOT],
    },
    { opcode: "exit.jump", result: -1, args: [], immediates: [PC + 4, 0, 0] },
  ];
  return { pcLo: PC, pcHi: 0, instructions, types, length: 1 };
}

function title({ opcode, args, immediates }: ValueCase): string {
  return [opcode, ...args.map((arg) => arg.toString(16)), ...immediates].join(" ");
}

describe.each(BACKENDS)("$name", (backend) => {
  it.each(VALUE_CASES.map((row) => ({ ...row, title: title(row) })))("$title", (row) => {
    for (const source of ["constants", "slots"] as const) {
      const block = blockOf(row, source);
      expect(verify(block)).toEqual([]);
      const start = emptyScene(BigInt(PC));
      // a 32-bit slot's neighbour is garbage that no operation may see
      row.args.forEach((value, index) => {
        const garbage = OPERATIONS[row.opcode].args[index] === "i32" ? 0xdead_beef_0000_0000n : 0n;
        viewOf(start).setBigUint64(FIRST_SLOT + index * 8, value | garbage, true);
      });
      const before = viewOf(start).getBigUint64(RESULT_SLOT, true);
      const { scene } = backend.run(block, start);
      const kept = OPERATIONS[row.opcode].result === "i32" ? before & 0xffff_ffff_0000_0000n : 0n;
      expect(viewOf(scene).getBigUint64(RESULT_SLOT, true)).toBe(kept | row.expected);
    }
  });
});

it("every operation that only computes a value has cases", () => {
  const computing = (Object.keys(OPERATIONS) as Opcode[]).filter((opcode) => {
    const { result, readsFlags, memory, immediates } = OPERATIONS[opcode];
    return result !== null && !readsFlags && memory === null && immediates[0] !== "offset";
  });
  expect([...new Set(VALUE_CASES.map(({ opcode }) => opcode))].sort()).toEqual(computing.sort());
});
