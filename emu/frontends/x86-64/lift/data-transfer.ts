/** Lifters of table/data-transfer.ts. Intel SDM Vol. 2. */
import type { I32, I64, Value } from "../../../ir/index.ts";
import { FLAG_Z } from "../../../ir/index.ts";
import { RAX, RBX, RCX, RDX, RSP, registerOffset, selectorOffset } from "../state.ts";
import type { DATA_TRANSFER } from "../table/data-transfer.ts";
import type { OperandSpec } from "../table/index.ts";
import { TRAP_GP } from "../traps.ts";
import type { Lifter } from "./lifter.ts";
import { forEachCondition, type Lifters } from "./typing.ts";

export const dataTransferLifters: Lifters<typeof DATA_TRANSFER> = {
  MOV: (l, dst, src) => {
    if (dst.file === "segment") loadSegment(l, src);
    else if (src.file === "segment") storeSelector(l, dst, l.x.reg & 7);
    else l.write(dst, l.read(src));
  },
  MOVBE: (l, dst, src) => {
    const value = l.read(src);
    if (l.width === 16) l.write(dst, l.ir.shr(l.ir.bswap(value as I32), l.ir.i32(16)));
    else l.write(dst, l.ir.bswap(value));
  },
  ...forEachCondition("CMOV", (code) => (l: Lifter, dst: OperandSpec, src: OperandSpec) => {
    const value = l.read(src);
    l.write(dst, l.ir.select(l.condition(code), value, l.read(dst)));
  }),
  MOVZX: (l, dst, src) => {
    const value = l.read(src);
    l.write(dst, l.width === 64 ? l.ir.zext(value as I32) : value);
  },
  MOVSX: moveSignExtended,
  MOVSXD: moveSignExtended,
  XCHG: (l, dst, src) => {
    const value = l.read(src);
    const [old] = l.modify(dst, () => value, "always");
    l.write(src, old);
  },
  BSWAP: (l, dst) => {
    const value = l.read(dst);
    if (l.width === 16) l.write(dst, l.ir.i32(0));
    else l.write(dst, l.ir.bswap(value));
  },
  XADD: (l, dst, src) => {
    const b = l.read(src);
    if (l.isMemory(dst)) {
      const [a] = l.modify(dst, (value) => l.ir.add(value, b));
      l.write(src, a);
      l.ir.flagsOf("add", l.width, a, b);
      return;
    }
    const a = l.read(dst);
    l.write(src, a);
    l.write(dst, l.ir.add(a, b));
    l.ir.flagsOf("add", l.width, a, b);
  },
  CMPXCHG: (l, dst, src) => {
    const replacement = l.read(src);
    const expected = l.register(RAX, l.width);
    if (l.isMemory(dst)) {
      const [old] = l.modify(dst, (value) => l.ir.select(l.ir.eq(value, expected), replacement, value));
      finishCompareExchange(l, old, expected);
      return;
    }
    compareExchangeRegister(l, dst, replacement, expected);
  },
  CMPXCHG8B: compareExchange8Bytes,
  CMPXCHG16B: compareExchange16Bytes,
  PUSH: (l, src) => {
    if (src.file === "segment") {
      const selector = l.ir.get32(selectorOffset(src.value));
      l.setStackPointer(l.push(l.width === 64 ? l.ir.zext(selector) : selector, l.width));
    } else {
      l.setStackPointer(l.push(l.read(src), l.width));
    }
  },
  POP: (l, dst) => {
    const [value, top] = l.pop(l.width);
    if (dst.file === "segment") {
      const selector = l.width === 64 ? (value as I64) : l.ir.zext(value as I32);
      l.helper("POP_SEGMENT", l.ir.i64(dst.value | ((l.width / 8) << 8)), selector);
    } else if (l.isMemory(dst)) {
      const base =
        l.x.base === RSP ? l.ir.add(l.effectiveAddress(), l.ir.i64(l.width / 8)) : l.effectiveAddress();
      l.store(l.inSegment(l.truncateAddress(base)), l.width, value);
      l.setStackPointer(top);
    } else {
      l.setStackPointer(top);
      l.write(dst, value);
    }
  },
  CBW: (l) => l.setRegister(RAX, 16, l.signExtend(l.register(RAX, 8), 8)),
  CWDE: (l) => l.setRegister(RAX, 32, l.signExtend(l.register(RAX, 16), 16)),
  CDQE: (l) => l.setRegister(RAX, 64, l.ir.sext(l.register(RAX, 32) as I32)),
  CWD: (l) => l.setRegister(RDX, 16, l.ir.sar(l.signExtend(l.register(RAX, 16), 16), l.ir.i32(15))),
  CDQ: (l) => l.setRegister(RDX, 32, l.ir.sar(l.register(RAX, 32), l.ir.i32(31))),
  CQO: (l) => l.setRegister(RDX, 64, l.ir.sar(l.register64(RAX), l.ir.i32(63))),
  LEA: (l, dst) => l.write(dst, l.narrow(l.effectiveAddress())),
  XLATB: (l) => {
    const offset = l.ir.add(l.register64(RBX), l.ir.zext(l.register(RAX, 8) as I32));
    l.setRegister(RAX, 8, l.load(l.inSegment(l.truncateAddress(offset)), 8));
  },
};

function moveSignExtended(l: Lifter, dst: OperandSpec, src: OperandSpec): void {
  const extended = l.signExtend(l.read(src), l.widthOf(src));
  l.write(dst, l.width === 64 ? l.ir.sext(extended as I32) : extended);
}

/** A register destination takes the operand size, memory always 16 bits. */
export function storeSelector(l: Lifter, dst: OperandSpec, segment: number): void {
  storeWord(l, dst, l.ir.get32(selectorOffset(segment)));
}

/** Writes 16 bits to memory, or zero-extended to a register of the operand size. */
export function storeWord(l: Lifter, dst: OperandSpec, word: I32): void {
  if (l.isMemory(dst)) l.store(l.address(dst), 16, word);
  else l.setRegister(l.x.rm, l.width, l.width === 64 ? l.ir.zext(word) : word);
}

function loadSegment(l: Lifter, src: OperandSpec): void {
  const selector = l.ir.zext(l.read(src) as I32);
  l.helper("LOAD_SEGMENT", l.ir.i64(l.x.reg & 7), selector);
}

/** Memory destination, already written: on failure the accumulator takes the old value. */
function finishCompareExchange(l: Lifter, old: Value, expected: Value): void {
  setAccumulatorUnlessEqual(l, old, expected);
  l.ir.flagsOf("sub", l.width, expected, old);
}

/** A 32-bit accumulator keeps its high half when the values are equal. */
function setAccumulatorUnlessEqual(l: Lifter, old: Value, expected: Value): void {
  const whole = l.register64(RAX);
  const equal = l.ir.eq(old, expected);
  if (l.width === 32) l.setRegister(RAX, 64, l.ir.select(equal, whole, l.ir.zext(old as I32)));
  else l.setRegister(RAX, l.width, l.ir.select(equal, expected, old));
}

/** Neither register changes in its high half unless it is the one that takes a new value. */
function compareExchangeRegister(l: Lifter, dst: OperandSpec, replacement: Value, expected: Value): void {
  const old = l.read(dst);
  const equal = l.ir.eq(old, expected);
  const number = l.x.registerOf(dst);
  const whole = l.register64(number);
  setAccumulatorUnlessEqual(l, old, expected);
  if (l.width !== 32) l.write(dst, l.ir.select(equal, replacement, old));
  else l.setRegister(number, 64, l.ir.select(equal, l.ir.zext(replacement as I32), whole));
  l.ir.flagsOf("sub", l.width, expected, old);
}

function setZero(l: Lifter, equal: I32): void {
  l.ir.flagsPatch(l.ir.i32(FLAG_Z), l.ir.shl(equal, l.ir.i32(6)));
}

function compareExchange8Bytes(l: Lifter, dst: OperandSpec): void {
  const { ir } = l;
  const join = (high: number, low: number): I64 =>
    ir.or(ir.shl(ir.zext(l.register(high, 32) as I32), ir.i32(32)), ir.zext(l.register(low, 32) as I32));
  const expected = join(RDX, RAX);
  const replacement = join(RCX, RBX);
  const [old] = l.modifyMemory(l.address(dst), 64, (value) =>
    ir.select(ir.eq(value as I64, expected), replacement, value as I64),
  );
  const equal = ir.eq(old as I64, expected);
  const keepRax = l.register64(RAX);
  const keepRdx = l.register64(RDX);
  ir.put64(registerOffset(RAX), ir.select(equal, keepRax, ir.zext(ir.wrap(old as I64))));
  ir.put64(registerOffset(RDX), ir.select(equal, keepRdx, ir.shr(old as I64, ir.i32(32))));
  setZero(l, equal);
}

/** #GP(0) if the operand is not aligned to 16 bytes. Both halves are one bus-locked sequence under LOCK. */
function compareExchange16Bytes(l: Lifter, dst: OperandSpec): void {
  const { ir } = l;
  const address = l.address(dst);
  ir.trapIf(ir.and(ir.wrap(address), ir.i32(15)), TRAP_GP);
  const second = ir.add(address, ir.i64(8));
  const locked = l.x.lock;
  const low = l.load(address, 64, { order: locked ? "locked" : "modify" }) as I64;
  const high = l.load(second, 64, { order: locked ? "plain" : "modify" }) as I64;
  const rax = l.register64(RAX);
  const rdx = l.register64(RDX);
  const equal = ir.and(ir.eq(low, rax), ir.eq(high, rdx));
  l.store(second, 64, ir.select(equal, l.register64(RCX), high));
  l.store(address, 64, ir.select(equal, l.register64(RBX), low), { order: locked ? "unlock" : "plain" });
  l.setRegister(RAX, 64, low);
  l.setRegister(RDX, 64, high);
  setZero(l, equal);
}
