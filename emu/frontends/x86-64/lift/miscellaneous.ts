/** Lifters of table/miscellaneous.ts. Intel SDM Vol. 2. */
import type { I32, I64 } from "../../../ir/index.ts";
import {
  CR0_MP,
  CR0_TS,
  CR4_FSGSBASE,
  CR4_PKE,
  FS,
  GS,
  RAX,
  RCX,
  RDX,
  STATE_CR0,
  STATE_CR4,
  STATE_FS_BASE,
  STATE_GS_BASE,
  STATE_PKRU,
  STATE_TSC_AUX,
} from "../state.ts";
import type { OperandSpec } from "../table/index.ts";
import type { MISCELLANEOUS } from "../table/miscellaneous.ts";
import { TRAP_GP, TRAP_NM, TRAP_UD } from "../traps.ts";
import type { Lifter } from "./lifter.ts";
import type { Lifters } from "./typing.ts";

/** Orderings of fence(): load-load 1, load-store 2, store-load 4, store-store 8. */
const FENCE_LOADS = 3;
const FENCE_STORES = 8;
const FENCE_ALL = 15;

export const miscellaneousLifters: Lifters<typeof MISCELLANEOUS> = {
  NOP: nothing,
  PAUSE: (l) => l.helper("PAUSE"),
  ENDBR64: nothing,
  ENDBR32: nothing,
  UD2: (l) => {
    if (l.kernelText && l.x.lengthBytes === 2) l.helper("KERNEL_ENTER");
    else l.undefined();
  },
  UD1: (l) => l.undefined(),
  UD0: (l) => l.undefined(),
  CPUID: (l) => l.helper("CPUID"),
  RDTSC: (l) => l.helper("RDTSC"),
  RDTSCP: (l) => l.helper("RDTSCP"),
  RDPMC: (l) => l.helper("RDPMC"),
  RDPID: (l) => l.setRegister(l.x.rm, 64, l.ir.zext(l.ir.get32(STATE_TSC_AUX))),
  LFENCE: (l) => l.ir.fence(FENCE_LOADS),
  MFENCE: (l) => l.ir.fence(FENCE_ALL),
  SFENCE: (l) => l.ir.fence(FENCE_STORES),
  CLFLUSH: touch,
  CLFLUSHOPT: touch,
  CLWB: touch,
  CLDEMOTE: nothing,
  PREFETCHNTA: nothing,
  PREFETCHT0: nothing,
  PREFETCHT1: nothing,
  PREFETCHT2: nothing,
  PREFETCHW: nothing,
  PREFETCHWT1: nothing,
  PREFETCH: nothing,
  RDFSBASE: (l) => readBase(l, STATE_FS_BASE),
  RDGSBASE: (l) => readBase(l, STATE_GS_BASE),
  WRFSBASE: (l, src) => writeBase(l, src, FS),
  WRGSBASE: (l, src) => writeBase(l, src, GS),
  RDPKRU: (l) => {
    requireCr4(l, CR4_PKE);
    l.ir.trapIf(l.register(RCX, 32) as I32, TRAP_GP);
    l.setRegister(RAX, 32, l.ir.get32(STATE_PKRU));
    l.setRegister(RDX, 32, l.ir.i32(0));
  },
  WRPKRU: (l) => {
    requireCr4(l, CR4_PKE);
    l.ir.trapIf(l.ir.or(l.register(RCX, 32) as I32, l.register(RDX, 32) as I32), TRAP_GP);
    l.helper("WRPKRU", l.ir.zext(l.register(RAX, 32) as I32));
  },
  MOVNTI: (l, dst, src) => l.write(dst, l.read(src)),
  WAIT: (l) => {
    const stop = CR0_MP | CR0_TS;
    const bits = l.ir.and(l.ir.get32(STATE_CR0), l.ir.i32(stop));
    l.ir.trapIf(l.ir.eq(bits, l.ir.i32(stop)), TRAP_NM);
  },
};

/** Hints and no-operations, which do not touch their operand. */
function nothing(): void {}

/** Cache-line instructions fault like a load of one byte. Caches are not modelled. */
function touch(l: Lifter, operand: OperandSpec): void {
  l.read(operand);
}

/** #UD if the CR4 bit is clear. */
function requireCr4(l: Lifter, bit: number): void {
  const set = l.ir.and(l.ir.get32(STATE_CR4), l.ir.i32(bit));
  l.ir.trapIf(l.ir.eq(set, l.ir.i32(0)), TRAP_UD);
}

function readBase(l: Lifter, slot: number): void {
  requireCr4(l, CR4_FSGSBASE);
  l.setRegister(l.x.rm, l.width, l.narrow(l.ir.get64(slot)));
}

function writeBase(l: Lifter, src: OperandSpec, segment: number): void {
  requireCr4(l, CR4_FSGSBASE);
  const value: I64 = l.toI64(l.read(src));
  l.helper("WRITE_BASE", value, l.ir.i64(segment));
}
