/** Lifters of table/system.ts. Intel SDM Vol. 2; Vol. 3 §2.8. */
import type { I32, I64 } from "../../../ir/index.ts";
import {
  CR0_TS,
  CR4_UMIP,
  controlRegisterOffset,
  FS,
  GS,
  RFLAGS_AC,
  SS,
  STATE_CPL,
  STATE_CR0,
  STATE_CR4,
  STATE_GDTR,
  STATE_GS_BASE,
  STATE_IDTR,
  STATE_KERNEL_GS_BASE,
  STATE_LDTR_SELECTOR,
  STATE_TR_SELECTOR,
  TABLE_LIMIT,
} from "../state.ts";
import type { SystemHelper } from "../system-helpers.ts";
import type { OperandSpec } from "../table/index.ts";
import type { SYSTEM } from "../table/system.ts";
import { TRAP_GP, TRAP_UD } from "../traps.ts";
import { storeWord } from "./data-transfer.ts";
import { setSystemFlags } from "./flags.ts";
import type { Lifter } from "./lifter.ts";
import type { Lifters } from "./typing.ts";

export const systemLifters: Lifters<typeof SYSTEM> = {
  SGDT: (l, dst) => storeTable(l, dst, STATE_GDTR),
  SIDT: (l, dst) => storeTable(l, dst, STATE_IDTR),
  LGDT: (l, src) => loadTable(l, src, "LGDT"),
  LIDT: (l, src) => loadTable(l, src, "LIDT"),
  SLDT: (l, dst) => {
    requireNoUmip(l);
    storeWord(l, dst, l.ir.get32(STATE_LDTR_SELECTOR));
  },
  STR: (l, dst) => {
    requireNoUmip(l);
    storeWord(l, dst, l.ir.get32(STATE_TR_SELECTOR));
  },
  SMSW: (l, dst) => {
    requireNoUmip(l);
    if (l.isMemory(dst)) l.store(l.address(dst), 16, l.ir.get32(STATE_CR0));
    else l.setRegister(l.x.rm, l.width, l.narrow(l.ir.get64(STATE_CR0)));
  },
  LLDT: (l, src) => selectorHelper(l, src, "LLDT", "kernel"),
  LTR: (l, src) => selectorHelper(l, src, "LTR", "kernel"),
  LMSW: (l, src) => selectorHelper(l, src, "LMSW", "kernel"),
  VERR: (l, src) => selectorHelper(l, src, "VERR", "any"),
  VERW: (l, src) => selectorHelper(l, src, "VERW", "any"),
  LAR: (l, dst, src) =>
    l.helper("LAR", l.ir.zext(l.read(src) as I32), l.ir.i64(l.x.registerOf(dst) | (l.width << 8))),
  LSL: (l, dst, src) =>
    l.helper("LSL", l.ir.zext(l.read(src) as I32), l.ir.i64(l.x.registerOf(dst) | (l.width << 8))),
  MOV: (l, dst, src) => {
    l.requireKernel();
    if (dst.file === "control") l.helper("WRITE_CR", l.read(src) as I64, l.ir.i64(l.x.reg));
    else if (dst.file === "debug") l.helper("WRITE_DR", l.read(src) as I64, l.ir.i64(l.x.reg));
    else if (src.file === "debug") l.helper("READ_DR", l.ir.i64(l.x.reg | (l.x.rm << 8)));
    else l.setRegister(l.x.rm, 64, l.ir.get64(controlRegisterOffset(l.x.reg)));
  },
  CLTS: (l) => {
    l.requireKernel();
    l.ir.put32(STATE_CR0, l.ir.and(l.ir.get32(STATE_CR0), l.ir.i32(~CR0_TS)));
  },
  RDMSR: (l) => privileged(l, "RDMSR"),
  WRMSR: (l) => privileged(l, "WRMSR"),
  INVLPG: (l, operand) => {
    l.requireKernel();
    l.helper("INVLPG", l.address(operand));
  },
  INVPCID: invalidatePcid,
  INVD: invalidateCaches,
  WBINVD: invalidateCaches,
  WBNOINVD: invalidateCaches,
  HLT: (l) => privileged(l, "HLT"),
  SWAPGS: (l) => {
    l.requireKernel();
    const user = l.ir.get64(STATE_GS_BASE);
    const kernel = l.ir.get64(STATE_KERNEL_GS_BASE);
    l.ir.put64(STATE_GS_BASE, kernel);
    l.ir.put64(STATE_KERNEL_GS_BASE, user);
  },
  CLAC: (l) => setAccessCheck(l, 0),
  STAC: (l) => setAccessCheck(l, RFLAGS_AC),
  LSS: (l, dst, src) => loadFarPointer(l, dst, src, SS),
  LFS: (l, dst, src) => loadFarPointer(l, dst, src, FS),
  LGS: (l, dst, src) => loadFarPointer(l, dst, src, GS),
};

function privileged(l: Lifter, helper: SystemHelper): void {
  l.requireKernel();
  l.helper(helper);
}

/** CR4.UMIP: #GP(0) outside CPL 0. */
function requireNoUmip(l: Lifter): void {
  const { ir } = l;
  const umip = ir.and(ir.get32(STATE_CR4), ir.i32(CR4_UMIP));
  ir.trapIf(ir.select(umip, ir.get32(STATE_CPL), ir.i32(0)), TRAP_GP);
}

/** Limit in the first two bytes, base in the following eight. */
function storeTable(l: Lifter, dst: OperandSpec, slot: number): void {
  requireNoUmip(l);
  const address = l.address(dst);
  const base = l.ir.get64(slot);
  l.store(address, 16, l.ir.get32(slot + TABLE_LIMIT));
  l.store(l.ir.add(address, l.ir.i64(2)), 64, base);
}

function loadTable(l: Lifter, src: OperandSpec, helper: "LGDT" | "LIDT"): void {
  l.requireKernel();
  const address = l.address(src);
  const limit = l.load(address, 16) as I32;
  const base = l.load(l.ir.add(address, l.ir.i64(2)), 64) as I64;
  l.helper(helper, l.ir.zext(limit), base);
}

function selectorHelper(
  l: Lifter,
  src: OperandSpec,
  helper: SystemHelper,
  privilege: "kernel" | "any",
): void {
  if (privilege === "kernel") l.requireKernel();
  l.helper(helper, l.ir.zext(l.read(src) as I32));
}

/**
 * The descriptor is PCID (12 bits, the other 52 must be 0) and a linear address. #GP(0) for a type above 3 or reserved bits.
 * Vol. 2 "INVPCID", table 3-29.
 */
function invalidatePcid(l: Lifter, type: OperandSpec, descriptor: OperandSpec): void {
  const { ir } = l;
  l.requireKernel();
  const kind = l.read(type) as I64;
  ir.trapIf(ir.ltu(ir.i64(3), kind), TRAP_GP);
  const address = l.address(descriptor);
  const pcid = l.load(address, 64) as I64;
  const linear = l.load(ir.add(address, ir.i64(8)), 64) as I64;
  ir.trapIf(ir.ltu(ir.i64(0xfff), pcid), TRAP_GP);
  l.helper("INVPCID", linear, ir.or(pcid, ir.shl(kind, ir.i32(12))));
}

/** Caches are not modelled; the instruction is privileged and serialises. */
function invalidateCaches(l: Lifter): void {
  l.requireKernel();
  l.endBlock();
}

/** #UD outside CPL 0. */
function setAccessCheck(l: Lifter, bits: number): void {
  l.ir.trapIf(l.ir.get32(STATE_CPL), TRAP_UD);
  setSystemFlags(l, RFLAGS_AC, l.ir.i32(bits));
  l.helper("FLAGS_CHANGED");
}

function loadFarPointer(l: Lifter, dst: OperandSpec, src: OperandSpec, segment: number): void {
  const address = l.address(src);
  const offset = l.load(address, l.width);
  const selector = l.load(l.ir.add(address, l.ir.i64(l.width / 8)), 16) as I32;
  const destination = (segment << 16) | (l.x.registerOf(dst) << 24);
  const word = l.ir.or(l.ir.zext(selector), l.ir.i64(destination, l.width));
  l.helper("LOAD_FAR_POINTER", word, l.toI64(offset));
}
