/** Random valid blocks: every backend ends them as the reference evaluator does. */
import { describe, expect, it } from "vitest";
import { type Instruction, OPERATIONS, type Opcode, parse, print, verify } from "../../emu/ir/index.ts";
import { REFERENCE } from "./backend.ts";
import { BACKENDS } from "./backends.ts";
import { runInterleaved, suspensionsInsideLock, whereItGoesOn } from "./interpreter.ts";
import { randomCase } from "./random-block.ts";
import { differences } from "./scene.ts";

const BLOCKS = 5000;
/** Blocks per test, so that a failure is found by its seed. */
const GROUP = 500;
const GROUPS = Array.from({ length: BLOCKS / GROUP }, (_, index) => ({ first: index * GROUP }));

describe("the generator", () => {
  it("makes blocks that are valid and survive their text form", () => {
    for (let seed = 0; seed < 500; seed++) {
      const { block } = randomCase(seed);
      expect(verify(block), `seed ${seed}\n${print(block)}`).toEqual([]);
      expect(parse(print(block)), `seed ${seed}`).toEqual(block);
    }
  });

  it("uses every operation and every way out", () => {
    // Exclusive stores need a monitor, which random blocks would never find set: cases/memory.ir.
    const opcodes = (Object.keys(OPERATIONS) as Opcode[]).filter((opcode) => !opcode.startsWith("storex"));
    const unused = new Set(opcodes);
    const ways = new Set<string>();
    for (let seed = 0; seed < 3000; seed++) {
      const { block, start } = randomCase(seed);
      for (const { opcode } of block.instructions) unused.delete(opcode);
      ways.add(REFERENCE.run(block, start).outcome.split(" ")[0]!);
    }
    expect([...unused]).toEqual([]);
    expect([...ways].sort()).toEqual(["branch", "exit-if", "fault", "helper", "indirect", "jump", "trap"]);
  });

  it("mostly makes blocks that run to their end", () => {
    let faults = 0;
    for (let seed = 0; seed < 1000; seed++) {
      const { block, start } = randomCase(seed);
      if (/^(fault|exit-if)/.test(REFERENCE.run(block, start).outcome)) faults++;
    }
    expect(faults).toBeGreaterThan(50);
    expect(faults).toBeLessThan(500);
  });
});

/** The comparison is only worth something if wrong backends fail it. */
describe("the comparison catches", () => {
  it.each<[string, (instruction: Instruction) => Instruction]>([
    ["a sum for a difference", swap("sub.i64", "add.i64")],
    ["a sign fill for a zero fill", swap("shr.i32", "sar.i32")],
    ["a condition for its neighbour", change("condition", ([index]) => [index! ^ 2])],
    ["a store of little for big endianness", change("store32", ([attr]) => [attr! & ~1])],
    ["a byte put beside its place", change("put8", ([offset]) => [offset! ^ 1])],
    ["a kept carry that is lost", swap("flags.inc.i32", "flags.logic.i32")],
    ["a wrong retired count", swap("exit.if", "trap.if")],
  ])("%s", (_, mutate) => {
    const caught = Array.from({ length: BLOCKS }, (_, seed) => seed).some((seed) => {
      const { block, start } = randomCase(seed);
      const wanted = REFERENCE.run(block, start);
      const got = REFERENCE.run({ ...block, instructions: block.instructions.map(mutate) }, start);
      return got.outcome !== wanted.outcome || differences(got.scene, wanted.scene).length > 0;
    });
    expect(caught).toBe(true);
  });

  function swap(from: Opcode, to: Opcode): (instruction: Instruction) => Instruction {
    return (instruction) => (instruction.opcode === from ? { ...instruction, opcode: to } : instruction);
  }

  function change(
    opcode: Opcode,
    immediates: (before: readonly number[]) => readonly number[],
  ): (instruction: Instruction) => Instruction {
    return (instruction) =>
      instruction.opcode === opcode
        ? { ...instruction, immediates: immediates(instruction.immediates) }
        : instruction;
  }
});

describe.each(BACKENDS.filter((backend) => backend !== REFERENCE))("$name", (backend) => {
  it.each(GROUPS)("agrees on the blocks of seeds from $first", ({ first }) => {
    for (let seed = first; seed < first + GROUP; seed++) {
      const { block, start } = randomCase(seed);
      const wanted = REFERENCE.run(block, start);
      const got = backend.run(block, start);
      const context = `seed ${seed}\n${print(block)}`;
      expect(got.outcome, context).toBe(backend.sees(wanted.outcome));
      expect(differences(got.scene, wanted.scene), context).toEqual([]);
    }
  });
});

it.each(GROUPS)(
  "two interpreted cores that take turns do not disturb each other, seeds from $first",
  ({ first }) => {
    for (let seed = first; seed < first + GROUP; seed += 2) {
      const cases = [randomCase(seed), randomCase(seed + 1)] as const;
      const endings = runInterleaved(...cases);
      cases.forEach(({ block, start }, core) => {
        const wanted = REFERENCE.run(block, start);
        const context = `seeds ${seed} and ${seed + 1}, core ${core}\n${print(block)}`;
        expect(endings[core]!.outcome, context).toBe(whereItGoesOn(wanted.outcome));
        expect(differences(endings[core]!.scene, wanted.scene), context).toEqual([]);
      });
    }
  },
);

it("a core is never suspended inside a locked sequence: it is one event", () => {
  const seeds = Array.from({ length: BLOCKS }, (_, seed) => seed);
  const torn = seeds.filter((seed) => {
    const { block, start } = randomCase(seed);
    return suspensionsInsideLock(block, start) > 0;
  });
  expect(torn).toEqual([]);
});
