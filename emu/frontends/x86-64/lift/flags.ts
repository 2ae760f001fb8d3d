/** Lifters of table/flags.ts. Intel SDM Vol. 2. */
import type { I32, I64, Value } from "../../../ir/index.ts";
import { FLAG_A, FLAG_C, FLAG_P, FLAG_S, FLAG_Z, FLAGS_ALL } from "../../../ir/index.ts";
import {
  RFLAGS_AC,
  RFLAGS_DF,
  RFLAGS_FIXED,
  RFLAGS_ID,
  RFLAGS_IF,
  RFLAGS_IOPL,
  RFLAGS_NT,
  RFLAGS_RF,
  RFLAGS_TF,
  RFLAGS_VM,
  STATE_CPL,
  STATE_INTERRUPT_SHADOW,
  STATE_SYSTEM_FLAGS,
} from "../state.ts";
import type { FLAGS } from "../table/flags.ts";
import type { Lifter } from "./lifter.ts";
import type { Lifters } from "./typing.ts";

const AH = 4;
const STATUS_IN_AH = FLAG_S | FLAG_Z | FLAG_A | FLAG_P | FLAG_C;

export const flagsLifters: Lifters<typeof FLAGS> = {
  CLC: (l) => l.ir.flagsPatch(l.ir.i32(FLAG_C), l.ir.i32(0)),
  STC: (l) => l.ir.flagsPatch(l.ir.i32(FLAG_C), l.ir.i32(FLAG_C)),
  CMC: (l) => l.ir.flagsPatch(l.ir.i32(FLAG_C), l.ir.xor(l.carry(), l.ir.i32(1))),
  CLD: (l) => setSystemFlags(l, RFLAGS_DF, l.ir.i32(0)),
  STD: (l) => setSystemFlags(l, RFLAGS_DF, l.ir.i32(RFLAGS_DF)),
  LAHF: (l) => {
    const low = l.ir.and(l.ir.flagsRead(), l.ir.i32(STATUS_IN_AH));
    l.setRegister(AH, 8, l.ir.or(low, l.ir.i32(RFLAGS_FIXED)), "high");
  },
  SAHF: (l) => l.ir.flagsPatch(l.ir.i32(STATUS_IN_AH), l.register(AH, 8, "high") as I32),
  PUSHF: (l) => l.setStackPointer(l.push(flagsImage(l), 16)),
  PUSHFQ: (l) => l.setStackPointer(l.push(l.ir.zext(flagsImage(l)), 64)),
  POPF: (l) => popFlags(l, 16),
  POPFQ: (l) => popFlags(l, 64),
  CLI: (l) => {
    l.requireIopl();
    setSystemFlags(l, RFLAGS_IF, l.ir.i32(0));
  },
  STI: (l) => {
    l.requireIopl();
    const wasSet = l.systemFlag(RFLAGS_IF);
    const shadow = l.ir.select(wasSet, l.ir.get32(STATE_INTERRUPT_SHADOW), l.ir.i32(1));
    l.ir.put32(STATE_INTERRUPT_SHADOW, shadow);
    setSystemFlags(l, RFLAGS_IF, l.ir.i32(RFLAGS_IF));
    l.helper("FLAGS_CHANGED");
  },
};

/** Replaces the bits under a constant mask. */
export function setSystemFlags(l: Lifter, mask: number, bits: I32): void {
  const kept = l.ir.and(l.ir.get32(STATE_SYSTEM_FLAGS), l.ir.i32(~mask));
  l.ir.put32(STATE_SYSTEM_FLAGS, l.ir.or(kept, bits));
}

/** RFLAGS with RF and VM clear, as PUSHF stores it. */
function flagsImage(l: Lifter): I32 {
  return l.ir.and(l.readRflags(), l.ir.i32(~(RFLAGS_RF | RFLAGS_VM)));
}

/**
 * Vol. 2 "POPF/POPFD/POPFQ", 64-bit mode: IOPL changes only at CPL 0, IF only if CPL <= IOPL; VIP, VIF and VM stay, RF is
 * cleared. The 16-bit form leaves the high half alone.
 */
function popFlags(l: Lifter, width: 16 | 64): void {
  const { ir } = l;
  const [image, top] = l.pop(width);
  const value: I32 = width === 64 ? ir.wrap(image as I64) : (image as I32);
  const cpl = ir.get32(STATE_CPL);
  const always = RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | (width === 64 ? RFLAGS_AC | RFLAGS_ID : 0);
  const iopl = ir.shr(l.systemFlag(RFLAGS_IOPL), ir.i32(12));
  const mayMask: Value = ir.leu(cpl, iopl);
  const forMask = ir.select(mayMask, ir.i32(always | RFLAGS_IF), ir.i32(always));
  const mask = ir.select(cpl, forMask, ir.i32(always | RFLAGS_IF | RFLAGS_IOPL));
  const old = ir.and(ir.get32(STATE_SYSTEM_FLAGS), ir.i32(width === 64 ? ~RFLAGS_RF : -1));
  const changed = ir.and(ir.xor(old, value), mask);
  ir.put32(STATE_SYSTEM_FLAGS, ir.xor(old, changed));
  l.setStackPointer(top);
  ir.flagsWrite(ir.and(value, ir.i32(FLAGS_ALL)));
  l.helper("FLAGS_CHANGED");
}
