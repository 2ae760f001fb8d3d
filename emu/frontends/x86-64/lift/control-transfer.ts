/**
 * Lifters of table/control-transfer.ts. Intel SDM Vol. 2. A near indirect branch to a non-canonical address raises #GP(0)
 * at the branch; a relative one that leaves the canonical range raises it at the target.
 */
import type { I32, I64 } from "../../../ir/index.ts";
import { FLAG_Z } from "../../../ir/index.ts";
import { EFER_SCE, RBP, RCX, RFLAGS_RF, RSP, STATE_EFER } from "../state.ts";
import type { CONTROL_TRANSFER } from "../table/control-transfer.ts";
import type { OperandSpec } from "../table/index.ts";
import { TRAP_DB, TRAP_UD } from "../traps.ts";
import type { Lifter } from "./lifter.ts";

import { forEachCondition, type Lifters } from "./typing.ts";

const R11 = 11;

export const controlTransferLifters: Lifters<typeof CONTROL_TRANSFER> = {
  ...forEachCondition("J", (code) => (l: Lifter) => l.ir.branch(l.condition(code), l.target(), l.next)),
  JRCXZ: (l) => {
    const count = l.register(RCX, l.x.addressBits);
    l.ir.branch(l.isZero(count, l.x.addressBits), l.target(), l.next);
  },
  LOOP: (l) => loop(l, null),
  LOOPE: (l) => loop(l, FLAG_Z),
  LOOPNE: (l) => loop(l, 0),
  JMP: (l, target) => {
    if (target.place === "relative") l.jump(l.target(), "jump");
    else if (target.text.includes(":")) farTransfer(l, target, "FAR_JUMP");
    else jumpIndirect(l, l.read(target) as I64);
  },
  CALL: (l, target) => {
    if (target.text.includes(":")) {
      farTransfer(l, target, "FAR_CALL");
      return;
    }
    const returnAddress = l.ir.i64(l.next.lo, l.next.hi);
    const destination = target.place === "relative" ? null : (l.read(target) as I64);
    if (destination !== null) l.requireCanonical(destination);
    l.setStackPointer(l.push(returnAddress, 64));
    if (destination === null) l.jump(l.target(), "call");
    else l.ir.indirect(destination, "call");
  },
  RET: (l: Lifter, release?: OperandSpec) => {
    const [target, top] = l.pop(64);
    l.requireCanonical(target as I64);
    l.setStackPointer(release === undefined ? top : l.ir.add(top, l.ir.i64(l.x.immediate)));
    l.ir.indirect(target as I64, "return");
  },
  RETF: (l: Lifter, _release?: OperandSpec) =>
    l.helper("FAR_RETURN", l.ir.i64(l.width), l.ir.i64(l.x.immediate)),
  IRET: (l) => l.helper("IRET", l.ir.i64(16)),
  IRETD: (l) => l.helper("IRET", l.ir.i64(32)),
  IRETQ: (l) => l.helper("IRET", l.ir.i64(64)),
  INT3: (l) => l.helper("SOFTWARE_INTERRUPT", l.ir.i64(3)),
  INT: (l) => l.helper("SOFTWARE_INTERRUPT", l.ir.i64(l.x.immediate)),
  INT1: (l) => l.ir.trap(TRAP_DB, l.next),
  ENTER: enter,
  LEAVE: (l) => {
    const frame = l.register64(RBP);
    const value = l.load(frame, l.width, { segment: "stack" });
    l.setStackPointer(l.ir.add(frame, l.ir.i64(l.width / 8)));
    l.setRegister(RBP, l.width, value);
  },
  SYSCALL: (l) => {
    const { ir } = l;
    const enabled = ir.and(ir.get32(STATE_EFER), ir.i32(EFER_SCE));
    ir.trapIf(ir.xor(enabled, ir.i32(EFER_SCE)), TRAP_UD);
    const flags = ir.and(l.readRflags(), ir.i32(~RFLAGS_RF));
    l.setRegister(RCX, 64, ir.i64(l.next.lo, l.next.hi));
    l.setRegister(R11, 64, ir.zext(flags));
    l.helper("SYSCALL");
  },
  SYSRET: (l) => l.helper("SYSRET", l.ir.i64(32)),
  SYSRETQ: (l) => l.helper("SYSRET", l.ir.i64(64)),
};

function jumpIndirect(l: Lifter, target: I64): void {
  l.requireCanonical(target);
  l.ir.indirect(target, "jump");
}

/** Counts RCX (ECX with 67) down; jumps while it is not 0 and, if given, ZF is as asked. */
function loop(l: Lifter, zeroFlag: number | null): void {
  const bits = l.x.addressBits;
  const count = l.ir.sub(l.register(RCX, bits), l.constant(1, bits));
  let more: I32 = l.ir.xor(l.isZero(count, bits), l.ir.i32(1));
  if (zeroFlag !== null) more = l.ir.and(more, l.condition(zeroFlag === FLAG_Z ? 4 : 5));
  l.setRegister(RCX, bits, count);
  l.ir.branch(more, l.target(), l.next);
}

/** m16:16, m16:32, m16:64: the offset comes first. */
function farTransfer(l: Lifter, target: OperandSpec, helper: "FAR_JUMP" | "FAR_CALL"): void {
  const address = l.address(target);
  const offset = l.load(address, l.width);
  const selector = l.load(l.ir.add(address, l.ir.i64(l.width / 8)), 16) as I32;
  const word = helper === "FAR_CALL" ? l.ir.or(selector, l.ir.i32(l.width << 16)) : selector;
  l.helper(helper, l.ir.zext(word), l.toI64(offset));
}

/**
 * Vol. 2 "ENTER": pushes RBP, copies `level - 1` frame pointers from the old frame, pushes the new frame pointer, reserves
 * the locals. A write at the final RSP must not fault: the byte there is translated for writing. All stores precede the
 * register writes.
 */
function enter(l: Lifter): void {
  const { ir } = l;
  const level = l.x.immediate2 & 31;
  const bytes = l.width / 8;
  const stack = { segment: "stack" } as const;
  const oldFrame = l.register64(RBP);
  let top = ir.sub(l.register64(RSP), ir.i64(bytes));
  l.store(top, l.width, l.register(RBP, l.width), stack);
  const frame = top;
  for (let i = 1; i < level; i++) {
    const link = l.load(ir.sub(oldFrame, ir.i64(i * bytes)), l.width, stack);
    top = ir.sub(top, ir.i64(bytes));
    l.store(top, l.width, link, stack);
  }
  if (level > 0) {
    top = ir.sub(top, ir.i64(bytes));
    l.store(top, l.width, l.width === 64 ? frame : ir.wrap(frame), stack);
  }
  const final = ir.sub(top, ir.i64(l.x.immediate));
  l.load(final, 8, { ...stack, order: "modify" });
  l.setRegister(RBP, l.width, l.width === 64 ? frame : ir.wrap(frame));
  l.setStackPointer(final);
}
