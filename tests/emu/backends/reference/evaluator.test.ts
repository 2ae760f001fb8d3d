/** The evaluator's contract with its machine; what each operation computes is tested in tests/exec. */
import { beforeEach, describe, expect, it } from "vitest";
import { evaluate, type Machine, type Outcome } from "../../../../emu/backends/reference/index.ts";
import {
  FLAG_C,
  FLAG_Z,
  KIND_ADD,
  KIND_EXPLICIT,
  memAttr,
  parse,
  STATE_END,
  STATE_FLAGS_A,
  STATE_FLAGS_B,
  STATE_FLAGS_CARRY,
  STATE_FLAGS_KIND,
  STATE_PC,
} from "../../../../emu/ir/index.ts";

/** Memory in which every byte is its address' low byte, and which notes what is asked of it. */
class NotingMachine implements Machine {
  readonly state: DataView = new DataView(new ArrayBuffer(STATE_END));
  readonly accesses: string[] = [];
  /** The access with this number faults. */
  faultAt = -1;

  load(address: bigint, sizeBytes: number, attr: number): bigint | null {
    if (!this.#note(`load ${address.toString(16)} ${sizeBytes} ${attr}`)) return null;
    return Array.from({ length: sizeBytes }, (_, index) => (address + BigInt(index)) & 0xffn).reduceRight(
      (value, byte) => (value << 8n) | byte,
      0n,
    );
  }

  store(address: bigint, sizeBytes: number, value: bigint, attr: number): "done" | "fault" {
    const done = this.#note(`store ${address.toString(16)} ${sizeBytes} ${value.toString(16)} ${attr}`);
    return done ? "done" : "fault";
  }

  #note(access: string): boolean {
    this.accesses.push(access);
    return this.accesses.length - 1 !== this.faultAt;
  }
}

let machine: NotingMachine;

beforeEach(() => {
  machine = new NotingMachine();
});

function run(...lines: string[]): Outcome {
  return evaluate(parse(["block 0x1000", "mark 0x1000, 4", ...lines].join("\n")), machine);
}

describe("accesses", () => {
  const big = memAttr({ endian: "big" });
  const lines = [
    "%0:i64 = const.i64 0x10",
    "%1:i32 = load16.be %0",
    "%2:i64 = load64.locked.stack %0",
    "store32.be %0, %1",
    "store64.unlock.stack %0, %2",
    "exit.jump 0x1004, next",
  ];

  it("reach the machine in order, with their size, attributes and bytes as a little-endian number", () => {
    run(...lines);
    expect(machine.accesses).toEqual([
      `load 10 2 ${big}`,
      `load 10 8 ${memAttr({ order: "locked", segment: "stack" })}`,
      `store 10 4 11100000 ${big}`,
      `store 10 8 1716151413121110 ${memAttr({ order: "unlock", segment: "stack" })}`,
    ]);
  });

  it.each([0, 1, 2, 3])(
    "number %i faults: nothing follows it, its instruction has not retired",
    (faultAt) => {
      machine.faultAt = faultAt;
      expect(run(...lines)).toEqual({ kind: "fault", pc: 0x1000n, retired: 0 });
      expect(machine.accesses).toHaveLength(faultAt + 1);
      expect(machine.state.getBigUint64(STATE_PC, true)).toBe(0x1000n);
    },
  );
});

it("PC is where the outcome says", () => {
  const outcome = run("exit.jump 0xffff800000001000, call");
  expect(outcome).toEqual({ kind: "jump", transfer: "call", pc: 0xffff_8000_0000_1000n, retired: 1 });
  expect(machine.state.getBigUint64(STATE_PC, true)).toBe(0xffff_8000_0000_1000n);
});

it("a block that writes no flags leaves a lazy record as it is", () => {
  machine.state.setInt32(STATE_FLAGS_KIND, KIND_ADD | 2, true);
  machine.state.setBigUint64(STATE_FLAGS_B, 5n, true);
  run("%0:i32 = flags.read", "put32 %0, @64", "exit.jump 0x1004, next");
  expect(machine.state.getInt32(STATE_FLAGS_KIND, true)).toBe(KIND_ADD | 2);
  expect(machine.state.getBigUint64(STATE_FLAGS_B, true)).toBe(5n);
});

it("written flags are explicit bits, the rest of the record is cleared", () => {
  machine.state.setBigUint64(STATE_FLAGS_B, 5n, true);
  machine.state.setInt32(STATE_FLAGS_CARRY, 1, true);
  run("%0:i32 = const.i32 0xffffff80", "flags.add.i32 %0, %0, 8", "exit.jump 0x1004, next");
  expect(machine.state.getInt32(STATE_FLAGS_KIND, true)).toBe(KIND_EXPLICIT);
  expect(machine.state.getBigUint64(STATE_FLAGS_A, true) & BigInt(FLAG_C | FLAG_Z)).toBe(
    BigInt(FLAG_C | FLAG_Z),
  );
  expect(machine.state.getBigUint64(STATE_FLAGS_B, true)).toBe(0n);
  expect(machine.state.getInt32(STATE_FLAGS_CARRY, true)).toBe(0);
});

describe("what a frontend must not do is an error", () => {
  const one = "%0:i32 = const.i32 1";

  it.each<[string, string[], string]>([
    [
      "a shift's record by more than its range",
      [one, "%1:i32 = const.i32 32", "flags.shl.i32 %0, %1, 8"],
      "flags.shl.i32 with count 32",
    ],
    [
      "a carry that is no bit",
      [one, "%1:i32 = const.i32 2", "flags.adc.i32 %0, %0, %1, 8"],
      "flags.adc.i32 with carry 2",
    ],
    ["a block without an exit", [one], "the block has no exit"],
  ])("%s", (_, lines, message) => {
    expect(() => run(...lines)).toThrow(message);
  });
});
