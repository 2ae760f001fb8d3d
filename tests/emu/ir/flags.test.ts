/** The lazy condition record (emu/ir/flags.ts) against the definitions of the reference evaluator. */
import { describe, expect, it } from "vitest";
import {
  conditionBits,
  conditionHolds,
  type FlagsOperation,
  recordBits,
} from "../../../emu/backends/reference/index.ts";
import {
  CONDITIONS,
  evaluateCondition,
  FLAG_A,
  FLAG_C,
  FLAG_O,
  FLAG_P,
  FLAG_S,
  FLAG_Z,
  FLAGS_ALL,
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
  parityFlag,
  readFlags,
  STATE_FLAGS_A,
  STATE_FLAGS_B,
  STATE_FLAGS_CARRY,
  STATE_FLAGS_KIND,
  writeFlags,
} from "../../../emu/ir/index.ts";
import { Random } from "../../exec/random.ts";

const KINDS: Readonly<Record<FlagsOperation, number>> = {
  add: KIND_ADD,
  sub: KIND_SUB,
  logic: KIND_LOGIC,
  inc: KIND_INC,
  dec: KIND_DEC,
  adc: KIND_ADC,
  sbb: KIND_SBB,
  shl: KIND_SHL,
  shr: KIND_SHR,
  sar: KIND_SAR,
  logicc: KIND_LOGICC,
};
const BINARY = ["add", "sub"] as const;
const CARRYING = ["adc", "sbb"] as const;
const OF_RESULT = ["logic", "logicc", "inc", "dec"] as const;
const SHIFTS = ["shl", "shr", "sar"] as const;
const WIDTHS = [8, 16, 32, 64];

const view = new DataView(new ArrayBuffer(64));
const state = new Int32Array(view.buffer);

function setRecord(operation: FlagsOperation, width: number, a: bigint, b: bigint, carry: number): void {
  view.setInt32(STATE_FLAGS_KIND, KINDS[operation] | Math.log2(width / 8), true);
  view.setInt32(STATE_FLAGS_CARRY, carry, true);
  view.setBigUint64(STATE_FLAGS_A, a, true);
  view.setBigUint64(STATE_FLAGS_B, b, true);
}

/** The disagreements, at most a few; empty is right. */
class Comparison {
  readonly differences: string[] = [];
  count = 0;
  readonly #read: (words: Int32Array) => number;

  constructor(read: (words: Int32Array) => number = readFlags) {
    this.#read = read;
  }

  check(operation: FlagsOperation, width: number, a: bigint, b: bigint, carry: number): void {
    this.count++;
    setRecord(operation, width, a, b, carry);
    const wanted = conditionBits(operation, width, a, b, carry);
    const got = this.#read(state);
    if ((got !== wanted || recordBits(view) !== wanted) && this.differences.length < 10) {
      this.differences.push(
        `${operation}${width} ${a.toString(16)} ${b.toString(16)} ${carry}: ${got}, not ${wanted}`,
      );
    }
  }
}

/** Small numbers, and everything near a half or whole power of two that matters to a carry. */
function edges(width: number): bigint[] {
  const near = [0, 3, 4, 7, 8, 15, 16, 31, 32, 33, 63].filter((position) => position <= width);
  const powers = [...near, width - 1].map((position) => 1n << BigInt(position));
  const values = [...powers, 0n].flatMap((power) => [power - 1n, power, power + 1n, -power]);
  return [...new Set(values.map((value) => BigInt.asUintN(width, value)))];
}

function shiftCounts(width: number): number[] {
  return Array.from({ length: width === 64 ? 63 : 31 }, (_, index) => index + 1);
}

describe("every 8-bit record agrees with the definitions", () => {
  const bytes = Array.from({ length: 256 }, (_, value) => BigInt(value));

  it.each(BINARY)("%s of all operands", (operation) => {
    const comparison = new Comparison();
    for (const a of bytes) for (const b of bytes) comparison.check(operation, 8, a, b, 0);
    expect(comparison.differences).toEqual([]);
    expect(comparison.count).toBe(65_536);
  });

  it.each(CARRYING)("%s of all operands and carries", (operation) => {
    const comparison = new Comparison();
    for (const carry of [0, 1])
      for (const a of bytes) for (const b of bytes) comparison.check(operation, 8, a, b, carry);
    expect(comparison.differences).toEqual([]);
  });

  it.each(OF_RESULT)("%s of all results and kept carries", (operation) => {
    const comparison = new Comparison();
    for (const carry of [0, 1]) for (const a of bytes) comparison.check(operation, 8, a, 0n, carry);
    expect(comparison.differences).toEqual([]);
  });

  it.each(SHIFTS)("%s of all operands by all counts", (operation) => {
    const comparison = new Comparison();
    for (const count of shiftCounts(8)) for (const a of bytes) comparison.check(operation, 8, a, 0n, count);
    expect(comparison.differences).toEqual([]);
  });
});

describe.each([16, 32, 64])(
  "%i-bit records agree with the definitions at edges and random values",
  (width) => {
    const random = new Random(width);
    const pairs: [bigint, bigint][] = [
      ...edges(width).flatMap((a) => edges(width).map((b): [bigint, bigint] => [a, b])),
      ...Array.from({ length: 3000 }, (): [bigint, bigint] => [random.value(width), random.value(width)]),
    ];

    it.each([...BINARY, ...CARRYING, ...OF_RESULT])("%s", (operation) => {
      const comparison = new Comparison();
      for (const [a, b] of pairs) for (const carry of [0, 1]) comparison.check(operation, width, a, b, carry);
      expect(comparison.differences).toEqual([]);
    });

    it.each(SHIFTS)("%s by all counts", (operation) => {
      const comparison = new Comparison();
      const values = [...edges(width), ...Array.from({ length: 300 }, () => random.value(width))];
      for (const count of shiftCounts(width))
        for (const a of values) comparison.check(operation, width, a, 0n, count);
      expect(comparison.differences).toEqual([]);
    });
  },
);

it.each([8, 16])("operands of %i-bit records may have garbage above the width", (width) => {
  const random = new Random(width);
  const comparison = new Comparison();
  for (let round = 0; round < 2000; round++) {
    const [a, b] = [random.value(32), random.value(32)];
    for (const operation of [...BINARY, ...CARRYING, ...OF_RESULT])
      comparison.check(operation, width, a, b, round & 1);
    for (const operation of SHIFTS) comparison.check(operation, width, a, b, 1 + random.below(31));
  }
  expect(comparison.differences).toEqual([]);
});

it("a 32-bit record ignores the high halves of its words", () => {
  const comparison = new Comparison();
  for (const operation of Object.keys(KINDS) as FlagsOperation[])
    comparison.check(operation, 32, 0xdead_beef_8000_0000n, 0x1234_5678_0000_0001n, 1);
  expect(comparison.differences).toEqual([]);
});

describe("predicates", () => {
  const allBits = Array.from({ length: 64 }, (_, index) =>
    [FLAG_C, FLAG_P, FLAG_A, FLAG_Z, FLAG_S, FLAG_O].reduce(
      (bits, flag, position) => bits | (index & (1 << position) ? flag : 0),
      0,
    ),
  );

  it.each(CONDITIONS.map((name, index) => ({ name, index })))(
    "$name holds for exactly the bits of its definition",
    ({ name, index }) => {
      for (const bits of allBits) {
        writeFlags(state, bits);
        expect(evaluateCondition(state, index)).toBe(conditionHolds(name, bits) ? 1 : 0);
      }
    },
  );

  it("each odd predicate is the negation of the one before", () => {
    for (const bits of allBits)
      for (let index = 0; index < CONDITIONS.length; index += 2)
        expect(conditionHolds(CONDITIONS[index]!, bits)).toBe(!conditionHolds(CONDITIONS[index + 1]!, bits));
  });

  it.each(WIDTHS)("compare %i-bit numbers after a subtraction", (width) => {
    for (const a of edges(width))
      for (const b of edges(width)) {
        setRecord("sub", width, a, b, 0);
        const [signedA, signedB] = [BigInt.asIntN(width, a), BigInt.asIntN(width, b)];
        const holds = (name: (typeof CONDITIONS)[number]): boolean =>
          evaluateCondition(state, CONDITIONS.indexOf(name)) === 1;
        expect(
          ["c", "nc", "z", "nz", "be", "a", "l", "ge", "le", "g"].map((name) => holds(name as "c")),
        ).toEqual([
          a < b,
          a >= b,
          a === b,
          a !== b,
          a <= b,
          a > b,
          signedA < signedB,
          signedA >= signedB,
          signedA <= signedB,
          signedA > signedB,
        ]);
      }
  });
});

it("reading the bits does not change the record", () => {
  setRecord("sbb", 64, 5n, 7n, 1);
  const before = [...state];
  readFlags(state);
  evaluateCondition(state, 12);
  expect([...state]).toEqual(before);
});

it("writing bits keeps the six condition bits only", () => {
  writeFlags(state, -1);
  expect(readFlags(state)).toBe(FLAGS_ALL);
  writeFlags(state, 0x202);
  expect(readFlags(state)).toBe(0);
});

it("parity is that of the low byte", () => {
  for (let value = 0; value < 1024; value++) {
    const ones = (value & 0xff).toString(2).replaceAll("0", "").length;
    expect(parityFlag(value)).toBe(ones % 2 === 0 ? FLAG_P : 0);
  }
});

describe("the comparison catches", () => {
  it.each<[string, FlagsOperation, (bits: number) => number]>([
    [
      "a sum's carry that forgets the carry in",
      "adc",
      (bits) => (naiveCarry() ? bits | FLAG_C : bits & ~FLAG_C),
    ],
    ["a half carry of the wrong nibble", "sub", (bits) => bits ^ ((state[STATE_FLAGS_A >> 2]! & 1) << 4)],
    ["an overflow taken from the carry", "shr", (bits) => bits | (bits & FLAG_C ? FLAG_O : 0)],
  ])("%s", (_, operation, mutate) => {
    const comparison = new Comparison((words) => mutate(readFlags(words)));
    for (const a of edges(8)) for (const b of edges(8)) comparison.check(operation, 8, a, b, 1);
    expect(comparison.differences).not.toEqual([]);
  });

  function naiveCarry(): boolean {
    const a = state[STATE_FLAGS_A >> 2]!;
    return ((a + state[STATE_FLAGS_B >> 2]! + 1) & 0xff) < a;
  }
});
