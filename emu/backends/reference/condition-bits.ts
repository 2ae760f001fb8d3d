/**
 * The six condition bits from first principles: the result is computed with unbounded integers and every bit is
 * what its definition says, so that the faster formulas of ir/flags.ts have something to be compared with.
 *
 * Intel SDM volume 1, section 3.4.3.1 "Status Flags", and volume 2, the flags sections of ADD, INC, SAL/SAR/SHL/SHR.
 * Bits that the manual leaves undefined are defined here as ir/flags.ts does: A is 0 after logic and shifts; O of a
 * left shift is C xor S for any count, of a right shift 0 for counts above 1; C is 0 once only filled-in zeros leave.
 */
import {
  type Condition,
  FLAG_A,
  FLAG_C,
  FLAG_O,
  FLAG_P,
  FLAG_S,
  FLAG_Z,
  FLAGS_ALL,
  KIND_EXPLICIT,
  STATE_FLAGS_A,
  STATE_FLAGS_B,
  STATE_FLAGS_CARRY,
  STATE_FLAGS_KIND,
} from "../../ir/index.ts";

export type FlagsOperation =
  | "add"
  | "sub"
  | "logic"
  | "logicc"
  | "inc"
  | "dec"
  | "adc"
  | "sbb"
  | "shl"
  | "shr"
  | "sar";

/** By record kind: kind >> 2 is the index, kind & 3 is log2 of the width in bytes. */
const OPERATION_OF_KIND: readonly (FlagsOperation | "explicit")[] = [
  "explicit",
  "add",
  "sub",
  "logic",
  "inc",
  "dec",
  "adc",
  "sbb",
  "shl",
  "shr",
  "sar",
  "logicc",
];

/** What an operation gives: its exact result, and the bits that are not derived from the result. */
interface Arithmetic {
  readonly result: bigint;
  readonly carry: boolean;
  readonly overflow: boolean;
  readonly half: boolean;
}

/**
 * The FLAG_* bits after an operation.
 * @param width 8, 16, 32 or 64; bits of a and b above it are ignored
 * @param a first operand; the result for logic, inc and dec
 * @param b second operand of add, sub, adc and sbb
 * @param carry carry in of adc and sbb (0 or 1), carry kept by inc and dec, count of a shift (at least 1)
 */
export function conditionBits(
  operation: FlagsOperation,
  width: number,
  a: bigint,
  b: bigint,
  carry: number,
): number {
  const { result, ...outcome } = compute(
    operation,
    width,
    BigInt.asUintN(width, a),
    BigInt.asUintN(width, b),
    carry,
  );
  const value = BigInt.asUintN(width, result);
  return (
    (outcome.carry ? FLAG_C : 0) |
    (countOnes(BigInt.asUintN(8, value)) % 2 === 0 ? FLAG_P : 0) |
    (outcome.half ? FLAG_A : 0) |
    (value === 0n ? FLAG_Z : 0) |
    (bit(value, width - 1) ? FLAG_S : 0) |
    (outcome.overflow ? FLAG_O : 0)
  );
}

/** The bits that the condition record of a core's state stands for. */
export function recordBits(state: DataView): number {
  const kind = state.getInt32(STATE_FLAGS_KIND, true);
  const a = state.getBigUint64(STATE_FLAGS_A, true);
  const operation = OPERATION_OF_KIND[kind >> 2];
  if (operation === undefined) throw new Error(`recordBits: no record has kind ${kind}`);
  if (operation === "explicit") return Number(BigInt.asUintN(32, a)) & FLAGS_ALL;
  const b = state.getBigUint64(STATE_FLAGS_B, true);
  return conditionBits(operation, 8 << (kind & 3), a, b, state.getInt32(STATE_FLAGS_CARRY, true));
}

/** Makes the condition record explicit, with the rest of it cleared: two states with equal flags become equal. */
export function writeRecordBits(state: DataView, bits: number): void {
  state.setInt32(STATE_FLAGS_KIND, KIND_EXPLICIT, true);
  state.setInt32(STATE_FLAGS_CARRY, 0, true);
  state.setBigUint64(STATE_FLAGS_A, BigInt(bits & FLAGS_ALL), true);
  state.setBigUint64(STATE_FLAGS_B, 0n, true);
}

/** A predicate of the bits, by name. */
export function conditionHolds(condition: Condition, bits: number): boolean {
  const c = (bits & FLAG_C) !== 0;
  const z = (bits & FLAG_Z) !== 0;
  const s = (bits & FLAG_S) !== 0;
  const o = (bits & FLAG_O) !== 0;
  const p = (bits & FLAG_P) !== 0;
  const predicates: Record<Condition, boolean> = {
    o,
    no: !o,
    c,
    nc: !c,
    z,
    nz: !z,
    be: c || z,
    a: !c && !z,
    s,
    ns: !s,
    p,
    np: !p,
    l: s !== o,
    ge: s === o,
    le: z || s !== o,
    g: !z && s === o,
  };
  return predicates[condition];
}

function compute(operation: FlagsOperation, width: number, a: bigint, b: bigint, carry: number): Arithmetic {
  const carryIn = BigInt(carry);
  switch (operation) {
    case "add":
      return add(width, a, b, 0n);
    case "adc":
      return add(width, a, b, carryIn);
    case "sub":
      return subtract(width, a, b, 0n);
    case "sbb":
      return subtract(width, a, b, carryIn);
    case "logic":
    case "logicc":
      return { result: a, carry: operation === "logicc", overflow: false, half: false };
    case "inc":
      return { ...add(width, BigInt.asUintN(width, a - 1n), 1n, 0n), carry: carry !== 0 };
    case "dec":
      return { ...subtract(width, BigInt.asUintN(width, a + 1n), 1n, 0n), carry: carry !== 0 };
    case "shl": {
      const result = a << carryIn;
      const out = bit(result, width);
      return { result, carry: out, overflow: out !== bit(result, width - 1), half: false };
    }
    case "shr": {
      const overflow = carry === 1 && bit(a, width - 1);
      return { result: a >> carryIn, carry: bit(a, carry - 1), overflow, half: false };
    }
    case "sar": {
      const signed = BigInt.asIntN(width, a);
      return { result: signed >> carryIn, carry: bit(signed, carry - 1), overflow: false, half: false };
    }
  }
}

function add(width: number, a: bigint, b: bigint, carryIn: bigint): Arithmetic {
  const result = a + b + carryIn;
  return {
    result,
    carry: result >= 1n << BigInt(width),
    overflow: !fits(width, BigInt.asIntN(width, a) + BigInt.asIntN(width, b) + carryIn),
    half: (a & 15n) + (b & 15n) + carryIn > 15n,
  };
}

function subtract(width: number, a: bigint, b: bigint, borrowIn: bigint): Arithmetic {
  const result = a - b - borrowIn;
  return {
    result,
    carry: result < 0n,
    overflow: !fits(width, BigInt.asIntN(width, a) - BigInt.asIntN(width, b) - borrowIn),
    half: (a & 15n) - (b & 15n) - borrowIn < 0n,
  };
}

function fits(width: number, value: bigint): boolean {
  return BigInt.asIntN(width, value) === value;
}

function bit(value: bigint, position: number): boolean {
  return ((value >> BigInt(position)) & 1n) === 1n;
}

function countOnes(value: bigint): number {
  return [...value.toString(2)].filter((digit) => digit === "1").length;
}
