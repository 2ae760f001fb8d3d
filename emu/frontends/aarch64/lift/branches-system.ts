/**
 * Lifters of table/branches-system.ts. DDI 0487, C6.2, the instruction of that name. Exception level and trap controls are
 * the helpers' business; only what any level may do without asking is done here.
 */
import { FLAG_C, type I64, type Value } from "../../../ir/index.ts";
import { STATE_TPIDR_EL0 } from "../state.ts";
import { systemRegister, systemRegisterId } from "../system-registers.ts";
import type { BRANCHES_SYSTEM } from "../table/branches-system.ts";
import { EC_BRK, EC_SVC, trapNumber } from "../traps.ts";
import { type Lifter, R31, signExtend } from "./lifter.ts";
import type { Lifters } from "./typing.ts";

interface SystemFields {
  readonly o: number;
  readonly n: number;
  readonly m: number;
  readonly p: number;
  readonly t: number;
}

const LINK = 30;
/** BlockBuilder.fence: all orderings. */
const FENCE_FULL = 15;
/** Load-load and load-store. */
const FENCE_LOADS = 3;
const FENCE_STORES = 8;
/** PSTATE fields of MSR (immediate) as op1 << 3 | op2. */
const FIELD_UAO = 0o03;
const FIELD_PAN = 0o04;
const FIELD_SPSEL = 0o05;
const FIELD_SSBS = 0o31;
const FIELD_DIT = 0o32;
const FIELD_DAIFSET = 0o36;
const FIELD_DAIFCLR = 0o37;

export const branchesSystemLifters: Lifters<typeof BRANCHES_SYSTEM> = {
  "B.cond": (l, f) => {
    const holds = l.ConditionHolds(f.c);
    const target = l.target(signExtend(f.i, 19) * 4);
    if (holds === null) l.ir.jump(target, "jump");
    else l.ir.branch(holds, target, l.next);
  },
  SVC: (l, f) => l.ir.trap(trapNumber(EC_SVC, f.i), l.next),
  HVC: (l, f) => l.helper("HVC", l.ir.i64(f.i)),
  SMC: (l, f) => l.helper("SMC", l.ir.i64(f.i)),
  BRK: (l, f) => l.ir.trap(trapNumber(EC_BRK, f.i), l.pc),
  HLT: (l, f) => l.helper("HLT", l.ir.i64(f.i)),
  HINT: (l, f) => hint(l, f.i),
  CLREX: (l) => l.helper("CLREX"),
  DSB: (l, f) => l.helper("DSB", l.ir.i64(f.i)),
  DMB: (l, f) => {
    const types = f.i & 3;
    l.ir.fence(types === 1 ? FENCE_LOADS : types === 2 ? FENCE_STORES : FENCE_FULL);
  },
  ISB: (l) => l.helper("ISB"),
  SB: (l) => l.ir.jump(l.next, "next"),
  CFINV: (l) => {
    const { ir } = l;
    const inverse = ir.xor(l.borrow(), ir.i32(1));
    ir.flagsPatch(ir.i32(FLAG_C), inverse);
  },
  XAFLAG: (l) => {
    // N = !C and !Z, Z = Z and C, C = C or Z, V = !C and Z. D5 "Condition flag manipulation".
    const { ir } = l;
    const [c, z] = [l.carry(), ir.condition("z")];
    const [notC, notZ] = [ir.xor(c, ir.i32(1)), ir.xor(z, ir.i32(1))];
    writeNzcv(l, [ir.and(notC, notZ), ir.and(z, c), ir.or(c, z), ir.and(notC, z)]);
  },
  AXFLAG: (l) => {
    // N = 0, Z = Z or V, C = C and !V, V = 0.
    const { ir } = l;
    const [c, z, v] = [l.carry(), ir.condition("z"), ir.condition("o")];
    writeNzcv(l, [ir.i32(0), ir.or(z, v), ir.and(c, ir.xor(v, ir.i32(1))), ir.i32(0)]);
  },
  "MSR UAO": (l, f) => setField(l, FIELD_UAO, f.i),
  "MSR PAN": (l, f) => setField(l, FIELD_PAN, f.i),
  "MSR SPSel": (l, f) => setField(l, FIELD_SPSEL, f.i),
  "MSR SSBS": (l, f) => setField(l, FIELD_SSBS, f.i),
  "MSR DIT": (l, f) => setField(l, FIELD_DIT, f.i),
  "MSR DAIFSet": (l, f) => setField(l, FIELD_DAIFSET, f.i),
  "MSR DAIFClr": (l, f) => setField(l, FIELD_DAIFCLR, f.i),
  SYS: (l, f) => l.helper("SYS", l.ir.i64(operation(f)), l.X64(f.t)),
  SYSL: (l, f) => l.helper("SYSL", l.ir.i64(operation(f))),
  "MSR (register)": (l, f) => {
    const id = systemRegisterId(2 + f.j, f.o, f.n, f.m, f.p);
    switch (systemRegister(id)?.[0]) {
      case "NZCV":
        l.ir.flagsWrite(l.flagsOfNzcv(l.ir.wrap(l.ir.shr(l.X64(f.t), l.ir.i32(28)))));
        break;
      case "TPIDR_EL0":
        l.ir.put64(STATE_TPIDR_EL0, l.X64(f.t));
        break;
      default:
        l.helper("MSR", l.ir.i64(id | (f.t << 16)), l.X64(f.t));
    }
  },
  MRS: (l, f) => {
    const id = systemRegisterId(2 + f.j, f.o, f.n, f.m, f.p);
    switch (systemRegister(id)?.[0]) {
      case "NZCV":
        l.setX(f.t, readNzcv(l), 64);
        break;
      case "TPIDR_EL0":
        l.setX(f.t, l.ir.get64(STATE_TPIDR_EL0), 64);
        break;
      default:
        l.helper("MRS", l.ir.i64(id | (f.t << 16)));
    }
  },
  BR: (l, f) => l.ir.indirect(l.X64(f.n), "jump"),
  BLR: (l, f) => {
    const target = l.X64(f.n);
    link(l);
    l.ir.indirect(target, "call");
  },
  RET: (l, f) => l.ir.indirect(l.X64(f.n), "return"),
  ERET: (l) => l.helper("ERET"),
  B: (l, f) => l.ir.jump(l.target(signExtend(f.i, 26) * 4), "jump"),
  BL: (l, f) => {
    link(l);
    l.ir.jump(l.target(signExtend(f.i, 26) * 4), "call");
  },
  CBZ: (l, f) => {
    const zero = l.ir.eq(l.X(f.t), l.constant(0));
    l.ir.branch(zero, l.target(signExtend(f.i, 19) * 4), l.next);
  },
  CBNZ: (l, f) => {
    const nonzero = l.ir.ne(l.X(f.t), l.constant(0));
    l.ir.branch(nonzero, l.target(signExtend(f.i, 19) * 4), l.next);
  },
  TBZ: (l, f) => {
    const zero = l.ir.eq(testedBit(l, f.t, (f.s << 5) | f.k), l.ir.i32(0));
    l.ir.branch(zero, l.target(signExtend(f.i, 14) * 4), l.next);
  },
  TBNZ: (l, f) => {
    const nonzero = l.ir.ne(testedBit(l, f.t, (f.s << 5) | f.k), l.ir.i32(0));
    l.ir.branch(nonzero, l.target(signExtend(f.i, 14) * 4), l.next);
  },
};

function link(l: Lifter): void {
  l.setX(LINK, l.ir.i64(l.next.lo, l.next.hi), 64);
}

/** Bit of a register where it lies in its word. */
function testedBit(l: Lifter, t: number, bit: number): Value {
  const { ir } = l;
  if (bit < 32) return ir.and(l.W(t), ir.i32(1 << bit));
  if (t === R31) return ir.i32(0);
  return ir.and(ir.wrap(ir.shr(l.X64(t), ir.i32(32))), ir.i32(1 << (bit - 32)));
}

/**
 * NOP and what is one here: BTI (FEAT_BTI absent), PACIASP and its like (FEAT_PAuth absent), ESB, PSB, TSB, CSDB, DGH and
 * unallocated hints. C6.2 "HINT".
 */
function hint(l: Lifter, imm: number): void {
  switch (imm) {
    case 1:
      return l.helper("YIELD");
    case 2:
      return l.helper("WFE");
    case 3:
      return l.helper("WFI");
    case 4:
      return l.helper("SEV");
    case 5:
      return l.helper("SEVL");
    default:
  }
}

function setField(l: Lifter, field: number, imm: number): void {
  l.helper("MSR_IMMEDIATE", l.ir.i64(field), l.ir.i64(imm));
}

function operation(f: SystemFields): number {
  return systemRegisterId(0, f.o, f.n, f.m, f.p) | (f.t << 16);
}

/** NZCV in bits 31:28. */
function readNzcv(l: Lifter): I64 {
  const { ir } = l;
  const flags = ir.flagsRead();
  const nz = ir.shl(ir.and(flags, ir.i32(0xc0)), ir.i32(24));
  const c = ir.shl(l.carry(), ir.i32(29));
  const v = ir.shl(ir.and(flags, ir.i32(0x800)), ir.i32(17));
  return ir.zext(ir.or(ir.or(nz, c), v));
}

/** Sets the flags from four values of 0 or 1: N, Z, C, V. */
function writeNzcv(l: Lifter, values: readonly Parameters<Lifter["flagsOfNzcv"]>[0][]): void {
  const { ir } = l;
  const nzcv = values.reduce((sum, value, index) => ir.or(sum, ir.shl(value, ir.i32(3 - index))), ir.i32(0));
  ir.flagsWrite(l.flagsOfNzcv(nzcv));
}
