/** Lifters of table/bit.ts. Intel SDM Vol. 2. */
import type { I32, I64, Value } from "../../../ir/index.ts";
import { FLAG_C, FLAG_Z } from "../../../ir/index.ts";
import type { BIT } from "../table/bit.ts";
import type { OperandSpec } from "../table/index.ts";
import type { Lifter } from "./lifter.ts";
import { forEachCondition, type Lifters } from "./typing.ts";

/** Castagnoli polynomial 11EDC6F41, reflected. */
const CRC32C = 0x82f6_3b78;

export const bitLifters: Lifters<typeof BIT> = {
  BT: (l, base, offset) => {
    const index = bitIndex(l, offset);
    const value = l.isMemory(base) ? l.load(bitAddress(l, base, offset), l.width) : l.read(base);
    setCarry(l, l.bit(value, index));
  },
  BTS: (l, base, offset) => bitModify(l, base, offset, (value, bit) => l.ir.or(value, bit)),
  BTR: (l, base, offset) =>
    bitModify(l, base, offset, (value, bit) => l.ir.and(value, l.ir.xor(bit, l.constant(-1)))),
  BTC: (l, base, offset) => bitModify(l, base, offset, (value, bit) => l.ir.xor(value, bit)),
  BSF: (l, dst, src) => scan(l, dst, src, (value) => l.ir.ctz(value)),
  BSR: (l, dst, src) =>
    scan(l, dst, src, (value) => l.ir.xor(l.ir.clz(value), l.constant(l.width === 64 ? 63 : 31))),
  POPCNT: (l, dst, src) => {
    const value = l.read(src);
    l.write(dst, l.ir.popcnt(value));
    const zero = l.ir.select(l.isZero(value), l.ir.i32(FLAG_Z), l.ir.i32(0));
    l.ir.flagsWrite(zero);
  },
  ...forEachCondition("SET", (code) => (l: Lifter, dst: OperandSpec) => l.write(dst, l.condition(code))),
  CRC32: (l, dst, src) => {
    const width = l.widthOf(src);
    const data = l.toI64(l.read(src), width);
    const old = l.read(dst);
    const crc = l.ir.crc32(
      dst.registerBits === 64 ? l.ir.wrap(old as I64) : (old as I32),
      data,
      CRC32C,
      width / 8,
    );
    l.write(dst, dst.registerBits === 64 ? l.ir.zext(crc) : crc);
  },
};

/** ZF is set and the destination kept if the source is 0 (undefined in the SDM; defined so in the AMD APM). */
function scan(l: Lifter, dst: OperandSpec, src: OperandSpec, find: (value: Value) => Value): void {
  const value = l.read(src);
  const zero = l.isZero(value);
  const number = l.x.registerOf(dst);
  const old = l.register64(number);
  const found = l.ir.select(zero, l.narrow(old), find(value));
  if (l.width === 32) l.setRegister(number, 64, l.ir.select(zero, old, l.ir.zext(found as I32)));
  else l.write(dst, found);
  l.ir.flagsPatch(l.ir.i32(FLAG_Z), l.ir.select(zero, l.ir.i32(FLAG_Z), l.ir.i32(0)));
}

function setCarry(l: Lifter, bit: I32): void {
  l.ir.flagsPatch(l.ir.i32(FLAG_C), bit);
}

/** Position within the operand: the offset modulo the operand size. */
function bitIndex(l: Lifter, offset: OperandSpec): I32 {
  if (offset.place === "immediate") return l.ir.i32(l.x.immediate & (l.width - 1));
  const value = l.read(offset);
  const low = l.width === 64 ? l.ir.wrap(value as I64) : (value as I32);
  return l.ir.and(low, l.ir.i32(l.width - 1));
}

/**
 * A register offset selects any operand-sized unit of a bit string in memory: address + size * floor(offset / bits).
 * Vol. 1 §3.1.1.9, "Bit(BitBase, BitOffset)".
 */
function bitAddress(l: Lifter, base: OperandSpec, offset: OperandSpec): I64 {
  if (offset.place === "immediate") return l.address(base);
  const value = l.signExtend(l.read(offset));
  const wide = l.width === 64 ? (value as I64) : l.ir.sext(value as I32);
  const log2 = 31 - Math.clz32(l.width);
  const units = l.ir.sar(wide, l.ir.i32(log2));
  const address = l.ir.add(l.effectiveAddress(), l.ir.shl(units, l.ir.i32(log2 - 3)));
  return l.inSegment(l.truncateAddress(address));
}

function bitModify(
  l: Lifter,
  base: OperandSpec,
  offset: OperandSpec,
  operation: (value: Value, bit: Value) => Value,
): void {
  const index = bitIndex(l, offset);
  const mask = l.ir.shl(l.constant(1), index);
  const change = (value: Value): Value => operation(value, mask);
  const [old] = l.isMemory(base)
    ? l.modifyMemory(bitAddress(l, base, offset), l.width, change)
    : l.modify(base, change);
  setCarry(l, l.bit(old, index));
}
