/** Every property of emu/ir/verifier.ts has a block that breaks it, and a close neighbour that does not. */
import { describe, expect, it } from "vitest";
import { type Block, type Instruction, MAX_TEMPS, parse, verify } from "../../../emu/ir/index.ts";

const EXIT = "exit.jump 0x2000, jump";

/** A block of one guest instruction at 0x1000, 4 bytes long, around some lines. */
function around(...lines: string[]): string {
  return ["block 0x1000", "mark 0x1000, 4", ...lines, EXIT].join("\n");
}

const ADDRESS = "%0:i64 = const.i64 0x8000";
const WORD = "%1:i32 = const.i32 7";

describe("valid blocks", () => {
  it.each<[string, string]>([
    ["an empty guest instruction", around()],
    ["two guest instructions", "block 0x1000\nmark 0x1000, 4\nmark 0x1004, 2\nexit.jump 0x1006, next"],
    [
      "a last guest instruction that reaches the next page",
      "block 0x1ffc\nmark 0x1ffc, 2\nmark 0x1ffe, 4\nexit.jump 0x2002, next",
    ],
    ["a guest instruction that wraps around", "block -1\nmark -1, 2\nexit.jump 1, next"],
    ["a trap that saves its own PC", "block 0x1000\nmark 0x1000, 2\nexit.trap 6, 0x1000"],
    ["a trap that saves the next PC", "block 0x1000\nmark 0x1000, 1\nexit.trap 3, 0x1001"],
    [
      "a load, then writes",
      around(ADDRESS, "%1:i64 = load64.le %0", "put64 %1, @64", "flags.logic.i64 %1, 64"),
    ],
    ["a store, then a load", around(ADDRESS, WORD, "store32.le %0, %1", "%2:i32 = load32.le %0")],
    [
      "a fault of the next guest instruction after a write of this one",
      `block 0x1000\nmark 0x1000, 4\n${ADDRESS}\nput64 %0, @64\nmark 0x1004, 4\n%1:i32 = load8.le %0\n${EXIT}`,
    ],
    [
      "a locked sequence",
      around(ADDRESS, "%1:i32 = load32.locked.le %0", "%2:i32 = add.i32 %1, %1", "store32.unlock.le %0, %2"),
    ],
    [
      "a locked sequence over two words",
      around(
        ADDRESS,
        "%1:i64 = load64.locked.le %0",
        "%2:i64 = add.i64 %0, %1",
        "%3:i64 = load64.le %2",
        "store64.le %0, %1",
        "store64.unlock.le %2, %3",
        "put64 %1, @64",
      ),
    ],
    [
      "two locked sequences one after the other",
      around(
        ADDRESS,
        "%1:i32 = load8.locked.le %0",
        "store8.unlock.le %0, %1",
        "%2:i32 = load8.locked.le %0",
        "store8.unlock.le %0, %2",
      ),
    ],
    [
      "the first and the last slot",
      around("%0:i32 = get8 @4095", "put8 %0, @64", "%1:i64 = get64 @4088", "put64 %1, @64"),
    ],
    ["temporaries defined in any order", around("%1:i32 = const.i32 1", "%0:i32 = add.i32 %1, %1")],
  ])("%s", (_, text) => {
    expect(verify(parse(text))).toEqual([]);
  });
});

describe("invalid blocks", () => {
  it.each<[string, string, string]>([
    // 1. shape
    [
      "no mark first",
      `block 0x1000\n${WORD.replace("%1", "%0")}\nmark 0x1000, 4\n${EXIT}`,
      "0: %0:i32 = const.i32 7: the first instruction must be a mark",
    ],
    [
      "the block's address is not the mark's",
      `block 0x1000\nmark 0x1001, 4\n${EXIT}`,
      "0: mark 0x1001, 4: the mark must be at 0x1000",
    ],
    [
      "a gap between marks",
      `block 0x1000\nmark 0x1000, 4\nmark 0x1005, 4\n${EXIT}`,
      "1: mark 0x1005, 4: the mark must be at 0x1004",
    ],
    ["no exit", "block 0x1000\nmark 0x1000, 4", "0: mark 0x1000, 4: the last instruction must be an exit"],
    [
      "an exit in the middle",
      around("exit.jump 0x3000, jump"),
      "1: exit.jump 0x3000, jump: an exit must be the last instruction",
    ],
    [
      "something after the exit",
      `${around()}\n%0:i32 = const.i32 1`,
      "2: %0:i32 = const.i32 1: the last instruction must be an exit",
    ],
    // 2. SSA
    [
      "a use before the definition",
      around("%0:i32 = add.i32 %1, %1", "%1:i32 = const.i32 1"),
      "1: %0:i32 = add.i32 %1, %1: %1 is used before it is defined",
    ],
    [
      "a use of the temporary being defined",
      around("%0:i32 = clz.i32 %0"),
      "1: %0:i32 = clz.i32 %0: %0 is used before it is defined",
    ],
    [
      "a temporary defined twice",
      around("%0:i32 = const.i32 1", "%0:i32 = const.i32 2"),
      "2: %0:i32 = const.i32 2: %0 is defined again",
    ],
    ["a temporary never defined", around("%1:i32 = const.i32 1"), "block: never defines %0"],
    // 3. types
    [
      "an argument of the wrong type",
      around(ADDRESS, "%1:i32 = clz.i32 %0"),
      "2: %1:i32 = clz.i32 %0: %0 is i64 instead of i32",
    ],
    [
      "a result of the wrong type",
      around("%0:i64 = const.i32 1"),
      "1: %0:i64 = const.i32 1: %0 is i64 instead of i32",
    ],
    [
      "too few arguments",
      around("%0:i32 = const.i32 1", "%1:i32 = add.i32 %0"),
      "2: %1:i32 = add.i32 %0: 1 arguments instead of 2",
    ],
    [
      "a result of an operation without one",
      around("%0:i32 = fence 3"),
      "1: %0:i32 = fence 3: the operation has no result",
    ],
    [
      "no result of an operation with one",
      around("const.i32 1"),
      "1: const.i32 1: %-1 is not a temporary of the block",
    ],
    // 4. immediates
    [
      "a slot of the neutral head",
      around("%0:i64 = get64 @56"),
      "1: %0:i64 = get64 @56: offset 56 lies outside 64–4095",
    ],
    [
      "a slot that holds the PC",
      around("%0:i32 = get8 @0"),
      "1: %0:i32 = get8 @0: offset 0 lies outside 64–4095",
    ],
    [
      "a slot that is an IR temporary",
      around("%0:i64 = get64 @4096"),
      "1: %0:i64 = get64 @4096: offset 4096 lies outside 64–4095",
    ],
    [
      "a slot that is not aligned",
      around(ADDRESS, "put64 %0, @68"),
      "2: put64 %0, @68: offset 68 is not a multiple of 8",
    ],
    [
      "a width that does not suit i32",
      around("%0:i32 = const.i32 1", "flags.logic.i32 %0, 64"),
      "2: flags.logic.i32 %0, 64: width 64 is not 8, 16, 32",
    ],
    [
      "a width that does not suit i64",
      around(ADDRESS, "flags.logic.i64 %0, 32"),
      "2: flags.logic.i64 %0, 32: width 32 is not 64",
    ],
    [
      "a load that releases",
      around(ADDRESS, "%1:i32 = load8.release.le %0"),
      "2: %1:i32 = load8.release.le %0: order release does not suit the operation",
    ],
    [
      "a store that acquires",
      around(ADDRESS, WORD, "store8.acquire.le %0, %1"),
      "3: store8.acquire.le %0, %1: order acquire does not suit the operation",
    ],
    [
      "a scale that is too large",
      around(ADDRESS, "%1:i64 = addr %0, %0, 5, 0"),
      "2: %1:i64 = addr %0, %0, 5, 0: scale 5 is not 0–4",
    ],
    [
      "a checksum of 3 bytes",
      around(ADDRESS, WORD, "%2:i32 = crc32 %1, %0, 0x82f63b78, 3"),
      "3: %2:i32 = crc32 %1, %0, -2097792136, 3: length 3 is not 1, 2, 4 or 8",
    ],
    ["an ordering beyond four bits", around("fence 16"), "1: fence 16: ordering 16 is not 0–15"],
    [
      "a guest instruction of no bytes",
      "block 0x1000\nmark 0x1000, 0\nexit.jump 0x1000, next",
      "0: mark 0x1000, 0: a guest instruction has at least one byte",
    ],
    [
      "a negative trap",
      around("%0:i32 = const.i32 1", "trap.if %0, -1"),
      "2: trap.if %0, -1: a trap number is not negative",
    ],
    // 5. precise faults
    [
      "a load after a slot is written",
      around(ADDRESS, "put64 %0, @64", "%1:i32 = load8.le %0"),
      "3: %1:i32 = load8.le %0: may fault after a write of guest state",
    ],
    [
      "a store after a byte of a slot is written",
      around(ADDRESS, WORD, "put8 %1, @64", "store8.le %0, %1"),
      "4: store8.le %0, %1: may fault after a write of guest state",
    ],
    [
      "a load after flags are written",
      around(ADDRESS, "flags.logic.i64 %0, 64", "%1:i32 = load8.le %0"),
      "3: %1:i32 = load8.le %0: may fault after a write of guest state",
    ],
    [
      "a trap after flags are patched",
      around("%0:i32 = const.i32 1", "flags.patch %0, %0", "trap.if %0, 0"),
      "3: trap.if %0, 0: may fault after a write of guest state",
    ],
    [
      "leaving after a slot is written",
      around(WORD.replace("%1", "%0"), "put32 %0, @64", "exit.if %0, 0x3000"),
      "3: exit.if %0, 0x3000: may fault after a write of guest state",
    ],
    [
      "a trap after a store",
      around(ADDRESS, WORD, "store8.le %0, %1", "trap.if %1, 0"),
      "4: trap.if %1, 0: may leave the instruction after a store",
    ],
    [
      "leaving after a store",
      around(ADDRESS, WORD, "store8.le %0, %1", "exit.if %1, 0x3000"),
      "4: exit.if %1, 0x3000: may leave the instruction after a store",
    ],
    // 6. locked sequences
    [
      "a locked load that the exit leaves open",
      around(ADDRESS, "%1:i32 = load8.locked.le %0"),
      `3: ${EXIT}: a locked sequence of the instruction is still open`,
    ],
    [
      "a locked load that the next mark leaves open",
      `block 0x1000\nmark 0x1000, 4\n${ADDRESS}\n%1:i32 = load8.locked.le %0\nmark 0x1004, 1\nstore8.unlock.le %0, %1\n${EXIT}`,
      "3: mark 0x1004, 1: a locked sequence of the instruction is still open",
    ],
    [
      "an unlocking store alone",
      around(ADDRESS, WORD, "store8.unlock.le %0, %1"),
      "3: store8.unlock.le %0, %1: no locked sequence is open",
    ],
    [
      "nested locked loads",
      around(
        ADDRESS,
        "%1:i32 = load8.locked.le %0",
        "%2:i32 = load8.locked.le %0",
        "store8.unlock.le %0, %1",
      ),
      "3: %2:i32 = load8.locked.le %0: a locked sequence is already open",
    ],
    [
      "a trap inside a locked sequence",
      around(ADDRESS, "%1:i32 = load8.locked.le %0", "trap.if %1, 0", "store8.unlock.le %0, %1"),
      "3: trap.if %1, 0: may leave a locked sequence open",
    ],
    // 7. transfers
    [
      "falling through to somewhere else",
      "block 0x1000\nmark 0x1000, 4\nexit.jump 0x1008, next",
      "1: exit.jump 0x1008, next: next is 0x1004",
    ],
    [
      "a branch that goes back when it is not taken",
      "block 0x1000\nmark 0x1000, 4\n%0:i32 = const.i32 1\nexit.branch %0, 0x1004, 0x1000",
      "2: exit.branch %0, 0x1004, 0x1000: the second address must be 0x1004",
    ],
    [
      "a trap that saves some other PC",
      "block 0x1000\nmark 0x1000, 2\nexit.trap 6, 0x1001",
      "1: exit.trap 6, 0x1001: the saved PC must be 0x1000 or 0x1002",
    ],
  ])("%s", (_, text, problem) => {
    expect(verify(parse(text))).toContain(problem);
  });
});

describe("what the text form cannot say", () => {
  const valid = parse(around(ADDRESS, "%1:i32 = load8.le %0"));

  function withInstruction(index: number, change: Partial<Instruction>): Block {
    const instructions = valid.instructions.map((instruction, at) =>
      at === index ? { ...instruction, ...change } : instruction,
    );
    return { ...valid, instructions };
  }

  it.each<[string, Block, string]>([
    ["an empty block", { ...valid, instructions: [], types: [], length: 0 }, "block: is empty"],
    ["a wrong number of marks", { ...valid, length: 2 }, "block: has 1 marks, but its length is 2"],
    [
      "too many temporaries",
      { ...valid, types: Array.from({ length: MAX_TEMPS + 1 }, () => "i64" as const) },
      `block: has ${MAX_TEMPS + 1} temporaries, ${MAX_TEMPS} are the limit`,
    ],
    [
      "a result outside the block's temporaries",
      withInstruction(2, { result: 2 }),
      "2: %2:? = load8.le %0: %2 is not a temporary of the block",
    ],
    [
      "an operation that does not exist",
      withInstruction(2, { opcode: "load128" as "load64" }),
      "2: %1:i32 = load128 %0: unknown operation",
    ],
    [
      "too many immediates",
      withInstruction(2, { immediates: [0, 0] }),
      "2: %1:i32 = load8.le %0: 2 immediate words instead of 1",
    ],
    [
      "half an address",
      withInstruction(0, { immediates: [0x1000, 4] }),
      "0: mark 0x400001000, 0: 2 immediate words instead of 3",
    ],
    [
      "an immediate beyond 32 bits",
      withInstruction(1, { immediates: [2 ** 31, 0] }),
      "1: %0:i64 = const.i64 0x80000000: immediate 2147483648 is not an int32",
    ],
    [
      "a fraction",
      withInstruction(2, { immediates: [0.5] }),
      "2: %1:i32 = load8.invalid0.5 %0: immediate 0.5 is not an int32",
    ],
    [
      "attribute bits without meaning",
      withInstruction(2, { immediates: [256] }),
      "2: %1:i32 = load8.invalid256 %0: attribute bits 256 have no meaning",
    ],
    [
      "an order that does not exist",
      withInstruction(2, { immediates: [7 << 1] }),
      "2: %1:i32 = load8.invalid14 %0: attribute bits 14 have no meaning",
    ],
    [
      "a condition that does not exist",
      withInstruction(2, { opcode: "condition", args: [], immediates: [16] }),
      "2: %1:i32 = condition 16: there is no condition 16",
    ],
    [
      "a transfer that does not exist",
      withInstruction(3, { immediates: [0, 0, 4] }),
      "3: exit.jump 0x0, 4: there is no transfer 4",
    ],
    [
      "a negative helper",
      withInstruction(3, { opcode: "exit.helper", args: [0, 0], immediates: [-1, 0, 0] }),
      "3: exit.helper %0, %0, -1, 0x0: a helper number is not negative",
    ],
  ])("%s", (_, block, problem) => {
    expect(verify(block)).toContain(problem);
  });
});
