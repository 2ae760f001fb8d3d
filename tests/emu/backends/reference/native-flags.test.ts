/**
 * The definitions of the condition bits against a processor. native-flags.tsv was recorded on an AMD EPYC with
 * record-flags.c (how to build it is written there); its rows are operation, width and hash of the defined flags.
 */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { conditionBits, type FlagsOperation } from "../../../../emu/backends/reference/index.ts";
import { FLAG_A, FLAG_C, FLAG_O, FLAGS_ALL } from "../../../../emu/ir/index.ts";

const SHIFTS: readonly FlagsOperation[] = ["shl", "shr", "sar"];
const ONE_OPERAND: readonly FlagsOperation[] = ["logic", "inc", "dec"];

const rows = readFileSync(new URL("native-flags.tsv", import.meta.url), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => line.split("\t"))
  .map(([operation, width, hash]) => ({
    operation: operation as FlagsOperation,
    width: Number(width),
    hash: hash!,
  }));

/** The recorder's operands: xorshift64, an eighth of the values replaced by each of four edges. */
class Operands {
  #seed = 0x9e37_79b9_7f4a_7c15n;

  next(): bigint {
    this.#seed ^= BigInt.asUintN(64, this.#seed << 13n);
    this.#seed ^= this.#seed >> 7n;
    this.#seed ^= BigInt.asUintN(64, this.#seed << 17n);
    const power = 1n << (this.#seed & 63n);
    const edges = [0n, 2n ** 64n - 1n, power, power - 1n];
    return edges[Number(this.#seed >> 61n)] ?? this.#seed;
  }
}

/** FNV-1a, 64 bits, of 16-bit numbers. */
class Hash {
  #value = 0xcbf2_9ce4_8422_2325n;

  add(flags: number): void {
    for (const byte of [flags & 0xff, flags >> 8])
      this.#value = BigInt.asUintN(64, (this.#value ^ BigInt(byte)) * 0x100_0000_01b3n);
  }

  toString(): string {
    return this.#value.toString(16).padStart(16, "0");
  }
}

function definedFlags(operation: FlagsOperation, width: number, count: number): number {
  if (operation === "logic") return FLAGS_ALL & ~FLAG_A;
  if (!SHIFTS.includes(operation)) return FLAGS_ALL;
  const overflow = count === 1 ? FLAG_O : 0;
  const carry = operation === "sar" || count < width ? FLAG_C : 0;
  return (FLAGS_ALL & ~(FLAG_A | FLAG_O | FLAG_C)) | overflow | carry;
}

/** What a record holds as its first operand: the operand, or the result. */
function recorded(operation: FlagsOperation, operand: bigint): bigint {
  if (operation === "inc") return operand + 1n;
  return operation === "dec" ? operand - 1n : operand;
}

function pairs(operation: FlagsOperation, width: number): number {
  if (width === 8) return SHIFTS.includes(operation) || ONE_OPERAND.includes(operation) ? 256 : 65_536;
  return SHIFTS.includes(operation) ? 512 : 4096;
}

it.each(rows)(
  "$operation of $width bits sets the flags that the processor sets",
  ({ operation, width, hash }) => {
    const operands = new Operands();
    const computed = new Hash();
    const isShift = SHIFTS.includes(operation);
    const end = isShift ? (width === 64 ? 64 : 32) : 2;
    for (let carry = isShift ? 1 : 0; carry < end; carry++) {
      for (let index = 0; index < pairs(operation, width); index++) {
        const a = width === 8 ? BigInt(index & 255) : operands.next();
        const b = width === 8 ? BigInt(index >> 8) : operands.next();
        const bits = conditionBits(operation, width, recorded(operation, a), b, carry);
        computed.add(bits & definedFlags(operation, width, carry));
      }
    }
    expect(computed.toString()).toBe(hash);
  },
);

it("the recording covers every operation and width", () => {
  expect(rows).toHaveLength(40);
});
