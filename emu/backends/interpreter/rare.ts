/**
 * The operations that are too rare for a case of their own in the interpreter's switch. One function per IR
 * operation over cells; 64-bit values go through BigInt where halves would only make them longer.
 */
import {
  evaluateCondition,
  FLAG_C,
  KIND_ADC,
  KIND_DEC,
  KIND_INC,
  KIND_SAR,
  KIND_SBB,
  KIND_SHL,
  KIND_SHR,
  type Opcode,
  readFlags,
  STATE_FLAGS_A,
  STATE_FLAGS_B,
  STATE_FLAGS_CARRY,
  STATE_FLAGS_KIND,
  writeFlags,
} from "../../ir/index.ts";

const KIND = STATE_FLAGS_KIND >> 2;
const CARRY = STATE_FLAGS_CARRY >> 2;
const A = STATE_FLAGS_A >> 2;
const B = STATE_FLAGS_B >> 2;

/** state, destination cell, operand cells, immediates. */
type Rare = (s: Int32Array, d: number, a: number, b: number, c: number, i: number, j: number) => void;

function wide(s: Int32Array, cell: number): bigint {
  return (BigInt(s[cell + 1]! >>> 0) << 32n) | BigInt(s[cell]! >>> 0);
}

function signedWide(s: Int32Array, cell: number): bigint {
  return (BigInt(s[cell + 1]!) << 32n) | BigInt(s[cell]! >>> 0);
}

function setWide(s: Int32Array, cell: number, value: bigint): void {
  s[cell] = Number(BigInt.asIntN(32, value));
  s[cell + 1] = Number(BigInt.asIntN(32, value >> 32n));
}

function set32(s: Int32Array, cell: number, value: number): void {
  s[cell] = value;
  s[cell + 1] = 0;
}

function compare32(test: (a: number, b: number) => boolean): Rare {
  return (s, d, a, b) => set32(s, d, test(s[a]!, s[b]!) ? 1 : 0);
}

/** test(high halves, low halves as unsigned) */
function compare64(test: (aHi: number, bHi: number, aLo: number, bLo: number) => boolean): Rare {
  return (s, d, a, b) => set32(s, d, test(s[a + 1]!, s[b + 1]!, s[a]! >>> 0, s[b]! >>> 0) ? 1 : 0);
}

function big(compute: (a: bigint, b: bigint) => bigint): Rare {
  return (s, d, a, b) => setWide(s, d, compute(wide(s, a), wide(s, b)));
}

function bigSigned(compute: (a: bigint, b: bigint) => bigint): Rare {
  return (s, d, a, b) => setWide(s, d, compute(signedWide(s, a), signedWide(s, b)));
}

const unsigned128 = (s: Int32Array, hi: number, lo: number): bigint => (wide(s, hi) << 64n) | wide(s, lo);
const signed128 = (s: Int32Array, hi: number, lo: number): bigint => (signedWide(s, hi) << 64n) | wide(s, lo);

function shiftLeft(s: Int32Array, d: number, a: number, b: number): void {
  const count = s[b]! & 63;
  const lo = s[a]!;
  const hi = s[a + 1]!;
  s[d] = count >= 32 ? 0 : lo << count;
  s[d + 1] = count >= 32 ? lo << (count - 32) : count === 0 ? hi : (hi << count) | (lo >>> (32 - count));
}

function shiftRight(s: Int32Array, d: number, a: number, b: number): void {
  const count = s[b]! & 63;
  const lo = s[a]!;
  const hi = s[a + 1]!;
  s[d] = count >= 32 ? hi >>> (count - 32) : count === 0 ? lo : (lo >>> count) | (hi << (32 - count));
  s[d + 1] = count >= 32 ? 0 : hi >>> count;
}

function shiftRightSigned(s: Int32Array, d: number, a: number, b: number): void {
  const count = s[b]! & 63;
  const lo = s[a]!;
  const hi = s[a + 1]!;
  s[d] = count >= 32 ? hi >> (count - 32) : count === 0 ? lo : (lo >>> count) | (hi << (32 - count));
  s[d + 1] = count >= 32 ? hi >> 31 : hi >> count;
}

function rotate64(s: Int32Array, d: number, a: number, count: number): void {
  const value = wide(s, a);
  const by = BigInt(count & 63);
  setWide(s, d, (value << by) | (value >> (64n - by)));
}

export function bitCount(value: number): number {
  let v = value - ((value >>> 1) & 0x5555_5555);
  v = (v & 0x3333_3333) + ((v >>> 2) & 0x3333_3333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

export function trailingZeros(value: number): number {
  return value === 0 ? 32 : 31 - Math.clz32(value & -value);
}

function swapBytes(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}

function deposit(source: bigint, mask: bigint): bigint {
  let result = 0n;
  let from = source;
  for (let bit = 1n, left = mask; left !== 0n; bit <<= 1n, left >>= 1n) {
    if ((left & 1n) === 0n) continue;
    if (from & 1n) result |= bit;
    from >>= 1n;
  }
  return result;
}

function gather(source: bigint, mask: bigint): bigint {
  let result = 0n;
  let bit = 1n;
  for (let left = mask, from = source; left !== 0n; left >>= 1n, from >>= 1n) {
    if ((left & 1n) === 0n) continue;
    if (from & 1n) result |= bit;
    bit <<= 1n;
  }
  return result;
}

function crc(start: number, lo: number, hi: number, polynomial: number, lengthBytes: number): number {
  let value = start;
  for (let i = 0; i < lengthBytes; i++) {
    value ^= ((i < 4 ? lo : hi) >>> ((i & 3) * 8)) & 0xff;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? polynomial : 0);
  }
  return value;
}

/** Stores a record of one operand; the preserved carry is evaluated first. */
function recordKeepingCarry(kind: number, wideOperand: boolean): Rare {
  return (s, _d, a, _b, _c, width) => {
    const carry = readFlags(s) & FLAG_C;
    s[KIND] = kind | (31 - Math.clz32(width / 8));
    s[CARRY] = carry;
    s[A] = s[a]!;
    s[A + 1] = wideOperand ? s[a + 1]! : 0;
  };
}

function recordCarryIn(kind: number): Rare {
  return (s, _d, a, b, c, width) => {
    const [aLo, aHi, bLo, bHi, carry] = [s[a]!, s[a + 1]!, s[b]!, s[b + 1]!, s[c]!];
    s[KIND] = kind | (31 - Math.clz32(width / 8));
    s[CARRY] = carry;
    s[A] = aLo;
    s[A + 1] = aHi;
    s[B] = bLo;
    s[B + 1] = bHi;
  };
}

function recordShift(kind: number): Rare {
  return (s, _d, a, b, _c, width) => {
    const count = s[b]!;
    if (count === 0) return;
    s[KIND] = kind | (31 - Math.clz32(width / 8));
    s[CARRY] = count;
    s[A] = s[a]!;
    s[A + 1] = s[a + 1]!;
  };
}

const OPERATIONS_BY_NAME: Readonly<Partial<Record<Opcode, Rare>>> = {
  "shl.i32": (s, d, a, b) => set32(s, d, s[a]! << s[b]!),
  "shr.i32": (s, d, a, b) => set32(s, d, s[a]! >>> s[b]!),
  "sar.i32": (s, d, a, b) => set32(s, d, s[a]! >> s[b]!),
  "rotl.i32": (s, d, a, b) => set32(s, d, (s[a]! << s[b]!) | (s[a]! >>> -s[b]!)),
  "rotr.i32": (s, d, a, b) => set32(s, d, (s[a]! >>> s[b]!) | (s[a]! << -s[b]!)),
  "divu.i32": (s, d, a, b) => set32(s, d, s[b] === 0 ? 0 : (s[a]! >>> 0) / (s[b]! >>> 0)),
  "divs.i32": (s, d, a, b) => set32(s, d, s[b] === 0 ? 0 : (s[a]! / s[b]!) | 0),
  "remu.i32": (s, d, a, b) => set32(s, d, s[b] === 0 ? 0 : (s[a]! >>> 0) % (s[b]! >>> 0)),
  "rems.i32": (s, d, a, b) => set32(s, d, s[b] === 0 ? 0 : s[a]! % s[b]!),
  "clz.i32": (s, d, a) => set32(s, d, Math.clz32(s[a]!)),
  "ctz.i32": (s, d, a) => set32(s, d, trailingZeros(s[a]!)),
  "popcnt.i32": (s, d, a) => set32(s, d, bitCount(s[a]!)),
  "bswap.i32": (s, d, a) => set32(s, d, swapBytes(s[a]!)),

  "mulhu.i64": big((a, b) => (a * b) >> 64n),
  "mulhs.i64": bigSigned((a, b) => (a * b) >> 64n),
  "shl.i64": shiftLeft,
  "shr.i64": shiftRight,
  "sar.i64": shiftRightSigned,
  "rotl.i64": (s, d, a, b) => rotate64(s, d, a, s[b]!),
  "rotr.i64": (s, d, a, b) => rotate64(s, d, a, -s[b]!),
  "divu.i64": big((a, b) => (b === 0n ? 0n : a / b)),
  "divs.i64": bigSigned((a, b) => (b === 0n ? 0n : a / b)),
  "remu.i64": big((a, b) => (b === 0n ? 0n : a % b)),
  "rems.i64": bigSigned((a, b) => (b === 0n ? 0n : a % b)),
  "divu128.fits": (s, d, a, b, c) => {
    const divisor = wide(s, c);
    set32(s, d, divisor !== 0n && unsigned128(s, a, b) / divisor < 1n << 64n ? 1 : 0);
  },
  "divs128.fits": (s, d, a, b, c) => {
    const divisor = signedWide(s, c);
    if (divisor === 0n) return set32(s, d, 0);
    const quotient = signed128(s, a, b) / divisor;
    set32(s, d, quotient === BigInt.asIntN(64, quotient) ? 1 : 0);
  },
  divu128: (s, d, a, b, c) => {
    const divisor = wide(s, c);
    setWide(s, d, divisor === 0n ? 0n : unsigned128(s, a, b) / divisor);
  },
  remu128: (s, d, a, b, c) => {
    const divisor = wide(s, c);
    setWide(s, d, divisor === 0n ? 0n : unsigned128(s, a, b) % divisor);
  },
  divs128: (s, d, a, b, c) => {
    const divisor = signedWide(s, c);
    setWide(s, d, divisor === 0n ? 0n : signed128(s, a, b) / divisor);
  },
  rems128: (s, d, a, b, c) => {
    const divisor = signedWide(s, c);
    setWide(s, d, divisor === 0n ? 0n : signed128(s, a, b) % divisor);
  },
  "clz.i64": (s, d, a) => set32(s, d, s[a + 1] !== 0 ? Math.clz32(s[a + 1]!) : 32 + Math.clz32(s[a]!)),
  "ctz.i64": (s, d, a) => set32(s, d, s[a] !== 0 ? trailingZeros(s[a]!) : 32 + trailingZeros(s[a + 1]!)),
  "popcnt.i64": (s, d, a) => set32(s, d, bitCount(s[a]!) + bitCount(s[a + 1]!)),
  "bswap.i64": (s, d, a) => {
    const lo = s[a]!;
    s[d] = swapBytes(s[a + 1]!);
    s[d + 1] = swapBytes(lo);
  },
  pdep: big(deposit),
  pext: big(gather),
  crc32: (s, d, a, b, _c, polynomial, lengthBytes) =>
    set32(s, d, crc(s[a]!, s[b]!, s[b + 1]!, polynomial, lengthBytes)),

  "eq.i32": compare32((a, b) => a === b),
  "ne.i32": compare32((a, b) => a !== b),
  "ltu.i32": compare32((a, b) => a >>> 0 < b >>> 0),
  "lts.i32": compare32((a, b) => a < b),
  "leu.i32": compare32((a, b) => a >>> 0 <= b >>> 0),
  "les.i32": compare32((a, b) => a <= b),
  "eq.i64": compare64((aHi, bHi, aLo, bLo) => aHi === bHi && aLo === bLo),
  "ne.i64": compare64((aHi, bHi, aLo, bLo) => aHi !== bHi || aLo !== bLo),
  "ltu.i64": compare64((aHi, bHi, aLo, bLo) => aHi >>> 0 < bHi >>> 0 || (aHi === bHi && aLo < bLo)),
  "lts.i64": compare64((aHi, bHi, aLo, bLo) => aHi < bHi || (aHi === bHi && aLo < bLo)),
  "leu.i64": compare64((aHi, bHi, aLo, bLo) => aHi >>> 0 < bHi >>> 0 || (aHi === bHi && aLo <= bLo)),
  "les.i64": compare64((aHi, bHi, aLo, bLo) => aHi < bHi || (aHi === bHi && aLo <= bLo)),

  "flags.adc.i32": recordCarryIn(KIND_ADC),
  "flags.sbb.i32": recordCarryIn(KIND_SBB),
  "flags.inc.i32": recordKeepingCarry(KIND_INC, false),
  "flags.dec.i32": recordKeepingCarry(KIND_DEC, false),
  "flags.shl.i32": recordShift(KIND_SHL),
  "flags.shr.i32": recordShift(KIND_SHR),
  "flags.sar.i32": recordShift(KIND_SAR),
  "flags.adc.i64": recordCarryIn(KIND_ADC),
  "flags.sbb.i64": recordCarryIn(KIND_SBB),
  "flags.inc.i64": recordKeepingCarry(KIND_INC, true),
  "flags.dec.i64": recordKeepingCarry(KIND_DEC, true),
  "flags.shl.i64": recordShift(KIND_SHL),
  "flags.shr.i64": recordShift(KIND_SHR),
  "flags.sar.i64": recordShift(KIND_SAR),
  "flags.read": (s, d) => set32(s, d, readFlags(s)),
  "flags.write": (s, _d, a) => writeFlags(s, s[a]!),
  "flags.patch": (s, _d, a, b) => {
    const mask = s[a]!;
    const bits = s[b]!;
    writeFlags(s, (readFlags(s) & ~mask) | (bits & mask));
  },
  condition: (s, d, _a, _b, _c, index) => set32(s, d, evaluateCondition(s, index)),
};

const NAMES: readonly Opcode[] = Object.keys(OPERATIONS_BY_NAME) as Opcode[];
const TABLE: readonly Rare[] = Object.values(OPERATIONS_BY_NAME);

/** IR operation → number in packed code. */
export const RARE_NUMBER: Readonly<Partial<Record<Opcode, number>>> = Object.fromEntries(
  NAMES.map((name, number) => [name, number]),
);

/** Executes the rare operation at a packed position (layout: PACKED.RARE). */
export function executeRare(state: Int32Array, code: Int32Array, at: number): void {
  TABLE[code[at + 1]!]!(
    state,
    code[at + 2]!,
    code[at + 3]!,
    code[at + 4]!,
    code[at + 5]!,
    code[at + 6]!,
    code[at + 7]!,
  );
}
