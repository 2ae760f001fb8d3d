/**
 * The signal frame of x86-64 (struct rt_sigframe; arch/x86/include/uapi/asm/sigcontext.h, asm/ucontext.h; x64_setup_rt_frame()
 * of arch/x86/kernel/signal_64.c). The kernel pushes it onto the user stack, below the red zone:
 *
 *     interrupted RSP - 128            (or the top of the alternate stack)
 *       extended state                 512 bytes      frame + 456, aligned to 64
 *       siginfo                        128 bytes      frame + 312
 *       ucontext                       304 bytes      frame + 8
 *       return address (restorer)        8 bytes      frame, 16 n + 8
 *
 *     ucontext   0 uc_flags   8 uc_link  16 ss_sp  24 ss_flags  32 ss_size  40 sigcontext  296 uc_sigmask
 *
 * Simplification: the kernel does not save floating-point and vector registers yet: their place is reserved on the stack,
 * and the pointer to them (fpstate) is NULL, as the ABI has it for a task without such state. PKRU, which belongs to the
 * extended state, lies at the start of that place; a handler starts with the default rights, sigreturn restores PKRU.
 */
import ByteBuffer from "bytebuffer";
import type { X86Cpu } from "../../../emu/hardware.ts";
import type { PhysicalMemory } from "../../../mmu/index.ts";
import type { Context, Work } from "../../context.ts";
import { changeAlternateStack } from "../../signal/alternate-stack.ts";
import {
  type AlternateStack,
  isOnAlternateStack,
  type SignalDelivery,
} from "../../signal/delivery-record.ts";
import { programLocation } from "../../signal/fault-report.ts";
import { forceToTask } from "../../signal/send.ts";
import { encodeSignalInfo, SIGINFO_BYTES, signalInfo } from "../../signal/signal-info.ts";
import { SA_ONSTACK, SA_RESTORER, SI_KERNEL, SIGSEGV } from "../../signal/signal-numbers.ts";
import type { KPtr } from "../../struct.ts";
import { processOf } from "../../tasks/process-state.ts";
import { copyFromUser, copyToUser } from "../../user-access.ts";
import { USER_CS, USER_DS } from "./descriptors.ts";
import * as regs from "./pt-regs.ts";
import { RFLAGS_RF, RFLAGS_TF } from "./registers.ts";

const RED_ZONE_BYTES = 128n;
const EXTENDED_STATE_BYTES = 512n;
const UCONTEXT = 8;
const UCONTEXT_BYTES = 304;
const SIGCONTEXT = 40;
const SIGMASK = 296;
const SIGINFO: number = UCONTEXT + UCONTEXT_BYTES;
/** sizeof(struct rt_sigframe). */
export const SIGNAL_FRAME_BYTES: number = SIGINFO + SIGINFO_BYTES;
/** The extended state's place: the alignment of both leaves 16 bytes in between, always. */
export const EXTENDED_STATE: number = SIGNAL_FRAME_BYTES + 16;
const PKRU_BYTES = 8;
/** Rights of a new program and of a handler: key 0 alone is open (init_pkru_value). */
export const DEFAULT_PKRU = 0x5555_5554;
/** MINSIGSTKSZ: the smallest alternate stack that sigaltstack() takes. */
export const MINIMUM_SIGNAL_STACK_BYTES = 2048;

/** uc_flags: ss is saved, and is restored as it was saved (UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS). */
const UC_FLAGS = 6;
const UC_STRICT_RESTORE_SS = 4;

/** General registers of a sigcontext in order of their places, 8 bytes each. */
const CONTEXT_REGISTERS: readonly number[] = [
  regs.REGS_R8,
  regs.REGS_R9,
  regs.REGS_R10,
  regs.REGS_R11,
  regs.REGS_R12,
  regs.REGS_R13,
  regs.REGS_R14,
  regs.REGS_R15,
  regs.REGS_DI,
  regs.REGS_SI,
  regs.REGS_BP,
  regs.REGS_BX,
  regs.REGS_DX,
  regs.REGS_AX,
  regs.REGS_CX,
  regs.REGS_SP,
  regs.REGS_IP,
  regs.REGS_FLAGS,
];
const CONTEXT_CS = 144;
const CONTEXT_SS = 150;
const CONTEXT_ERR = 152;
const CONTEXT_TRAPNO = 160;
const CONTEXT_OLDMASK = 168;
const CONTEXT_CR2 = 176;

/** Flags that rt_sigreturn takes from the frame (FIX_EFLAGS): AC, OF, DF, TF, SF, ZF, AF, PF, CF, RF. */
const FIX_EFLAGS = 0x50dd5;
const RFLAGS_DF = 0x400;

/** Pushes the frame and makes the handler run next; false: the stack cannot take it. */
export function* pushSignalFrame(k: Context, frame: KPtr, delivery: SignalDelivery): Work<boolean> {
  const { ram } = k;
  const { action, info } = delivery;
  const at = framePlace(ram, frame, delivery);
  if (at === null) {
    k.kernel.printk(`signal: ${k.task!.comm}[${k.task!.pid}] overflowed sigaltstack`);
    return false;
  }
  if ((action.flags & SA_RESTORER) === 0) return false;
  const lo = Number(BigInt.asIntN(32, at));
  const hi = Number(BigInt.asIntN(32, at >> 32n));
  const bytes = encodeFrame(ram, frame, delivery, (k.cpu as X86Cpu).readPkru());
  if ((yield* copyToUser(k, lo, hi, bytes)) !== 0) return false;
  if (k.kernel.arch.mmu.pkeys > 0) (k.cpu as X86Cpu).writePkru(DEFAULT_PKRU);
  const setRegister = (offset: number, value: bigint): void => {
    ram.write64(frame + offset, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
  };
  setRegister(regs.REGS_DI, BigInt(info.signal));
  setRegister(regs.REGS_AX, 0n);
  setRegister(regs.REGS_SI, at + BigInt(SIGINFO));
  setRegister(regs.REGS_DX, at + BigInt(UCONTEXT));
  setRegister(regs.REGS_SP, at);
  ram.write64(frame + regs.REGS_IP, action.handlerLo, action.handlerHi);
  ram.write64(frame + regs.REGS_CS, USER_CS, 0);
  ram.write64(frame + regs.REGS_SS, USER_DS, 0);
  const flags = ram.read32(frame + regs.REGS_FLAGS) & ~(RFLAGS_DF | RFLAGS_RF | RFLAGS_TF);
  ram.write64(frame + regs.REGS_FLAGS, flags, 0);
  return true;
}

/** get_sigframe(): address of the frame, or null if it would overflow the alternate stack that is in use. */
function framePlace(ram: PhysicalMemory, frame: KPtr, delivery: SignalDelivery): bigint | null {
  const { altStack, action } = delivery;
  const spLo = ram.read32(frame + regs.REGS_SP);
  const spHi = ram.read32(frame + regs.REGS_SP + 4);
  let sp = BigInt.asUintN(64, address(spLo, spHi) - RED_ZONE_BYTES);
  const isNested = isOnAlternateStack(altStack, spLo, spHi);
  const isOn = isOnAlternateStack(
    altStack,
    Number(BigInt.asIntN(32, sp)),
    Number(BigInt.asIntN(32, sp >> 32n)),
  );
  const entersStack = (action.flags & SA_ONSTACK) !== 0 && altStack.sizeBytes !== 0 && !isOn;
  if (entersStack) sp = address(altStack.lo, altStack.hi) + BigInt(altStack.sizeBytes);
  sp = ((sp - EXTENDED_STATE_BYTES) & ~63n) - BigInt(SIGNAL_FRAME_BYTES);
  sp = (sp & ~15n) - 8n;
  if ((isNested || entersStack) && !isInside(altStack, sp)) return null;
  return BigInt.asUintN(64, sp);
}

function isInside(stack: Readonly<AlternateStack>, sp: bigint): boolean {
  const base = address(stack.lo, stack.hi);
  return sp > base && sp - base <= BigInt(stack.sizeBytes);
}

/** The bytes of the frame for the registers that a trap saved, up to PKRU. */
export function encodeFrame(
  ram: PhysicalMemory,
  frame: KPtr,
  delivery: SignalDelivery,
  pkru: number,
): Uint8Array {
  const { action, altStack, fault } = delivery;
  const buffer = ByteBuffer.wrap(new Uint8Array(EXTENDED_STATE + PKRU_BYTES), true);
  const write64 = (offset: number, lo: number, hi: number): void => {
    buffer.writeInt32(lo, offset).writeInt32(hi, offset + 4);
  };
  write64(0, action.restorerLo, action.restorerHi);
  write64(UCONTEXT, UC_FLAGS, 0);
  write64(UCONTEXT + 16, altStack.lo, altStack.hi);
  // __save_altstack(): the flags as they were set, and not whether the stack is in use, which sigaltstack() tells.
  buffer.writeInt32(altStack.flags, UCONTEXT + 24);
  write64(UCONTEXT + 32, altStack.sizeBytes | 0, Math.floor(altStack.sizeBytes / 0x1_0000_0000));
  const context = UCONTEXT + SIGCONTEXT;
  for (const [index, register] of CONTEXT_REGISTERS.entries()) {
    write64(context + index * 8, ram.read32(frame + register), ram.read32(frame + register + 4));
  }
  buffer.writeInt16(ram.read32(frame + regs.REGS_CS), context + CONTEXT_CS);
  buffer.writeInt16(ram.read32(frame + regs.REGS_SS), context + CONTEXT_SS);
  write64(context + CONTEXT_ERR, fault.error, 0);
  write64(context + CONTEXT_TRAPNO, fault.trap, 0);
  write64(context + CONTEXT_OLDMASK, delivery.maskLo, delivery.maskHi);
  write64(context + CONTEXT_CR2, fault.addressLo, fault.addressHi);
  write64(UCONTEXT + SIGMASK, delivery.maskLo, delivery.maskHi);
  buffer.writeInt32(pkru, EXTENDED_STATE);
  const bytes: Uint8Array = buffer.buffer;
  bytes.set(encodeSignalInfo(delivery.info, "little"), SIGINFO);
  return bytes;
}

/**
 * rt_sigreturn: RSP is just above the return address. Segments and RIP are taken as they are: if they are bad, IRETQ
 * faults, and that is the task's own fault. A frame that cannot be read is SIGSEGV.
 */
export function* popSignalFrame(k: Context, frame: KPtr): Work {
  const { ram } = k;
  const at = BigInt.asUintN(
    64,
    address(ram.read32(frame + regs.REGS_SP), ram.read32(frame + regs.REGS_SP + 4)) - 8n,
  );
  const bytes = new Uint8Array(EXTENDED_STATE + PKRU_BYTES);
  const lo = Number(BigInt.asIntN(32, at));
  const hi = Number(BigInt.asIntN(32, at >> 32n));
  if ((yield* copyFromUser(k, bytes, lo, hi)) !== 0) {
    reportBadFrame(k, frame, at);
    forceToTask(k, k.task!, signalInfo(SIGSEGV, SI_KERNEL), "deliver");
    return;
  }
  const buffer = ByteBuffer.wrap(bytes, true);
  const context = UCONTEXT + SIGCONTEXT;
  const state = processOf(k.task!);
  const flags = ram.read32(frame + regs.REGS_FLAGS);
  for (const [index, register] of CONTEXT_REGISTERS.entries()) {
    const offset = context + index * 8;
    ram.write64(frame + register, buffer.readInt32(offset), buffer.readInt32(offset + 4));
  }
  const saved = ram.read32(frame + regs.REGS_FLAGS);
  ram.write64(frame + regs.REGS_FLAGS, (flags & ~FIX_EFLAGS) | (saved & FIX_EFLAGS), 0);
  const isStrict = (buffer.readInt32(UCONTEXT) & UC_STRICT_RESTORE_SS) !== 0;
  const ss = isStrict ? buffer.readUint16(context + CONTEXT_SS) | 3 : USER_DS;
  ram.write64(frame + regs.REGS_CS, buffer.readUint16(context + CONTEXT_CS) | 3, 0);
  ram.write64(frame + regs.REGS_SS, ss, 0);
  ram.write64(frame + regs.REGS_ORIG_AX, -1, -1);
  state.blocked.assign(buffer.readInt32(UCONTEXT + SIGMASK), buffer.readInt32(UCONTEXT + SIGMASK + 4));
  state.blocked.dropUnblockable();
  restoreAltStack(state.altStack, buffer, ram, frame);
  if (k.kernel.arch.mmu.pkeys > 0) (k.cpu as X86Cpu).writePkru(buffer.readInt32(EXTENDED_STATE));
}

/** signal_fault(). */
function reportBadFrame(k: Context, frame: KPtr, at: bigint): void {
  const { ram } = k;
  const hex = (offset: number): string =>
    address(ram.read32(frame + offset), ram.read32(frame + offset + 4)).toString(16);
  const who = `${k.task!.comm}[${k.task!.pid}]`;
  const where = programLocation(k, ram.read32(frame + regs.REGS_IP), ram.read32(frame + regs.REGS_IP + 4));
  k.kernel.printk(
    `${who} bad frame in rt_sigreturn frame:${at.toString(16).padStart(16, "0")} ip:${hex(regs.REGS_IP)} ` +
      `sp:${hex(regs.REGS_SP)} orax:${hex(regs.REGS_ORIG_AX)}${where}`,
  );
}

/** restore_altstack(): errors are ignored, as Linux ignores them. */
function restoreAltStack(stack: AlternateStack, buffer: ByteBuffer, ram: PhysicalMemory, frame: KPtr): void {
  if (isOnAlternateStack(stack, ram.read32(frame + regs.REGS_SP), ram.read32(frame + regs.REGS_SP + 4)))
    return;
  const saved = {
    lo: buffer.readInt32(UCONTEXT + 16),
    hi: buffer.readInt32(UCONTEXT + 20),
    sizeBytes: buffer.readUint32(UCONTEXT + 32) + buffer.readUint32(UCONTEXT + 36) * 0x1_0000_0000,
    flags: buffer.readInt32(UCONTEXT + 24),
  };
  changeAlternateStack(stack, saved, MINIMUM_SIGNAL_STACK_BYTES);
}

function address(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}
