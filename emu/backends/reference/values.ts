/**
 * What the operations without side effects compute. Values are non-negative bigints below 2^width; a function may
 * return any integer, the caller wraps it to the result's type.
 */
import { type Instruction, OPERATIONS } from "../../ir/index.ts";

type OfWidth = (width: number, a: bigint, b: bigint) => bigint;
type OfArguments = (args: readonly bigint[], immediates: readonly number[]) => bigint;

const signed = (width: number, value: bigint): bigint => BigInt.asIntN(width, value);
const truth = (holds: boolean): bigint => (holds ? 1n : 0n);
const modulo = (count: bigint, width: number): bigint => count % BigInt(width);
const binary = (value: bigint, width: number): string => value.toString(2).padStart(width, "0");
const ones = (value: bigint): bigint => BigInt(value.toString(2).replaceAll("0", "").length);

/** Operations that exist as NAME.i32 and NAME.i64; the width is that of the operands. */
const BY_WIDTH: Readonly<Record<string, OfWidth>> = {
  add: (_, a, b) => a + b,
  sub: (_, a, b) => a - b,
  mul: (_, a, b) => a * b,
  and: (_, a, b) => a & b,
  or: (_, a, b) => a | b,
  xor: (_, a, b) => a ^ b,
  shl: (width, a, count) => a << modulo(count, width),
  shr: (width, a, count) => a >> modulo(count, width),
  sar: (width, a, count) => signed(width, a) >> modulo(count, width),
  rotl: (width, a, count) => {
    const digits = binary(a, width);
    const by = Number(modulo(count, width));
    return BigInt(`0b${digits.slice(by)}${digits.slice(0, by)}`);
  },
  rotr: (width, a, count) => {
    const digits = binary(a, width);
    const by = width - Number(modulo(count, width));
    return BigInt(`0b${digits.slice(by)}${digits.slice(0, by)}`);
  },
  divu: (_, a, b) => quotient(a, b),
  divs: (width, a, b) => quotient(signed(width, a), signed(width, b)),
  remu: (_, a, b) => remainder(a, b),
  rems: (width, a, b) => remainder(signed(width, a), signed(width, b)),
  mulhu: (width, a, b) => (a * b) >> BigInt(width),
  mulhs: (width, a, b) => (signed(width, a) * signed(width, b)) >> BigInt(width),
  clz: (width, a) => BigInt((binary(a, width) + "1").indexOf("1")),
  ctz: (width, a) => BigInt(width - ("1" + binary(a, width)).lastIndexOf("1")),
  popcnt: (_, a) => ones(a),
  bswap: (width, a) => reverseBytes(a, width / 8),
  eq: (_, a, b) => truth(a === b),
  ne: (_, a, b) => truth(a !== b),
  ltu: (_, a, b) => truth(a < b),
  lts: (width, a, b) => truth(signed(width, a) < signed(width, b)),
  leu: (_, a, b) => truth(a <= b),
  les: (width, a, b) => truth(signed(width, a) <= signed(width, b)),
};

/** The others, by their whole name. */
const BY_NAME: Readonly<Record<string, OfArguments>> = {
  "const.i32": (_, [value]) => BigInt(value!),
  "const.i64": (_, [lo, hi]) => joinHalves(lo!, hi!),
  "zext8.i32": ([a]) => BigInt.asUintN(8, a!),
  "zext16.i32": ([a]) => BigInt.asUintN(16, a!),
  "sext8.i32": ([a]) => signed(8, a!),
  "sext16.i32": ([a]) => signed(16, a!),
  "sext.i64": ([a]) => signed(32, a!),
  "zext.i64": ([a]) => a!,
  "wrap.i32": ([a]) => a!,
  "select.i32": ([condition, a, b]) => (condition !== 0n ? a! : b!),
  "select.i64": ([condition, a, b]) => (condition !== 0n ? a! : b!),
  addr: ([base, index], [scale, displacement]) => base! + (index! << BigInt(scale!)) + BigInt(displacement!),
  pdep: ([source, mask]) => deposit(source!, mask!),
  pext: ([source, mask]) => extract(source!, mask!),
  crc32: ([crc, data], [polynomial, length]) => crc32(crc!, data!, BigInt(polynomial! >>> 0), length!),
  divu128: ([hi, lo, divisor]) => quotient((hi! << 64n) | lo!, divisor!),
  remu128: ([hi, lo, divisor]) => remainder((hi! << 64n) | lo!, divisor!),
  divs128: ([hi, lo, divisor]) => quotient(signed(128, (hi! << 64n) | lo!), signed(64, divisor!)),
  rems128: ([hi, lo, divisor]) => remainder(signed(128, (hi! << 64n) | lo!), signed(64, divisor!)),
  "divu128.fits": ([hi, lo, divisor]) => {
    const result = quotient((hi! << 64n) | lo!, divisor!);
    return truth(divisor !== 0n && BigInt.asUintN(64, result) === result);
  },
  "divs128.fits": ([hi, lo, divisor]) => {
    const result = quotient(signed(128, (hi! << 64n) | lo!), signed(64, divisor!));
    return truth(divisor !== 0n && signed(64, result) === result);
  },
};

/** The value of an operation without side effects, or null if it is none. */
export function computeValue({ opcode, immediates }: Instruction, args: readonly bigint[]): bigint | null {
  const wrapTo = OPERATIONS[opcode].result === "i32" ? 32 : 64;
  const byName = BY_NAME[opcode];
  if (byName !== undefined) return BigInt.asUintN(wrapTo, byName(args, immediates));
  const [name, type] = opcode.split(".");
  const byWidth = BY_WIDTH[name!];
  if (byWidth === undefined) return null;
  return BigInt.asUintN(wrapTo, byWidth(type === "i32" ? 32 : 64, args[0]!, args[1] ?? 0n));
}

/** The two int32 halves of a 64-bit immediate as an unsigned number. */
export function joinHalves(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

export function reverseBytes(value: bigint, sizeBytes: number): bigint {
  const bytes =
    value
      .toString(16)
      .padStart(sizeBytes * 2, "0")
      .match(/../g) ?? [];
  return BigInt(`0x${bytes.reverse().join("")}`);
}

function quotient(a: bigint, b: bigint): bigint {
  return b === 0n ? 0n : a / b;
}

function remainder(a: bigint, b: bigint): bigint {
  return b === 0n ? 0n : a % b;
}

/** Bit positions set in a mask, lowest first. */
function positions(mask: bigint): bigint[] {
  return Array.from({ length: 64 }, (_, index) => BigInt(index)).filter((index) => (mask >> index) & 1n);
}

function deposit(source: bigint, mask: bigint): bigint {
  return positions(mask).reduce((sum, to, from) => sum | (((source >> BigInt(from)) & 1n) << to), 0n);
}

function extract(source: bigint, mask: bigint): bigint {
  return positions(mask).reduce((sum, from, to) => sum | (((source >> from) & 1n) << BigInt(to)), 0n);
}

/** Bit by bit, lowest first: the polynomial is reflected, nothing is inverted. */
function crc32(crc: bigint, data: bigint, polynomial: bigint, lengthBytes: number): bigint {
  for (let index = 0; index < lengthBytes * 8; index++) {
    const out = (crc ^ (data >> BigInt(index))) & 1n;
    crc = (crc >> 1n) ^ (out === 1n ? polynomial : 0n);
  }
  return crc;
}
