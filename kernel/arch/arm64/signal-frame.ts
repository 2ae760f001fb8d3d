/**
 * The signal frame of arm64 (struct rt_sigframe; arch/arm64/include/uapi/asm/sigcontext.h, asm/ucontext.h;
 * arch/arm64/kernel/signal.c of Linux 6.6). The kernel pushes it onto the user stack:
 *
 *     interrupted SP                  (or the top of the alternate stack)
 *       frame record (X29, X30)         16 bytes      what X29 points at in the handler
 *       ucontext                      4560 bytes      frame + 128
 *       siginfo                        128 bytes      frame, 16 n: SP in the handler
 *
 *     ucontext   0 uc_flags   8 uc_link  16 ss_sp  24 ss_flags  32 ss_size  40 uc_sigmask  176 sigcontext
 *     sigcontext 0 fault_address   8 regs[31]   256 sp   264 pc   272 pstate   288 __reserved[4096]
 *
 * The reserved area is a list of records of 16 n bytes, magic and size first: esr_context if the task's last fault left a
 * syndrome, and the terminator. fpsimd_context is not among them, as on every machine whose ID_AA64PFR0_EL1 says that it
 * has no floating point. What is not named here is not written, and keeps what was on the stack.
 *
 * A handler returns to the restorer if the action has one, else to the vDSO's trampoline. Simplification: si_addr never
 * has the tag of a faulting pointer, so SA_EXPOSE_TAGBITS has no effect.
 */
import ByteBuffer from "bytebuffer";
import type { PhysicalMemory } from "../../../mmu/index.ts";
import type { Context, Work } from "../../context.ts";
import { mmapReadLock, mmapReadUnlock } from "../../mm/mmap-lock.ts";
import { findVma } from "../../mm/vma-tree.ts";
import { pageOf } from "../../mm/vpn.ts";
import { changeAlternateStack } from "../../signal/alternate-stack.ts";
import { isOnAlternateStack, type SignalDelivery } from "../../signal/delivery-record.ts";
import { recalculatePending } from "../../signal/send.ts";
import { encodeSignalInfo, SIGINFO_BYTES } from "../../signal/signal-info.ts";
import {
  SA_ONSTACK,
  SA_RESTORER,
  SA_SIGINFO,
  SEGV_ACCERR,
  SEGV_MAPERR,
  SIGSEGV,
} from "../../signal/signal-numbers.ts";
import { type KPtr, NULL } from "../../struct.ts";
import { processOf } from "../../tasks/process-state.ts";
import { copyFromUser, copyToUser } from "../../user-access.ts";
import { TRAP_ILLEGAL_ACCESS } from "./fault-text.ts";
import * as regs from "./pt-regs.ts";
import {
  PSR_A_BIT,
  PSR_C_BIT,
  PSR_D_BIT,
  PSR_F_BIT,
  PSR_I_BIT,
  PSR_MODE_MASK,
  PSR_MODE32_BIT,
  PSR_N_BIT,
  PSR_SS_BIT,
  PSR_TCO_BIT,
  PSR_V_BIT,
  PSR_Z_BIT,
} from "./registers.ts";

const UCONTEXT: number = SIGINFO_BYTES;
const UC_STACK = 16;
const UC_SIGMASK = 40;
/** From uc_flags to the first eight bytes of uc_sigmask. */
const UCONTEXT_HEAD_BYTES = 48;
const SIGCONTEXT: number = UCONTEXT + 176;
const SC_FAULT_ADDRESS = 0;
const SC_REGS = 8;
const SC_SP = 256;
const SC_PC = 264;
const SC_PSTATE = 272;
/** __reserved, and what of the sigcontext lies before it. */
const SC_RESERVED = 288;
const RESERVED_BYTES = 4096;
/** sizeof(struct rt_sigframe). */
export const SIGNAL_FRAME_BYTES: number = SIGCONTEXT + SC_RESERVED + RESERVED_BYTES;
const FRAME_RECORD_BYTES = 16;
const GENERAL_REGISTERS = 31;

/** MINSIGSTKSZ (asm/signal.h), and what AT_MINSIGSTKSZ says: the frame, its record, and alignment. */
export const MINSIGSTKSZ = 5120;
export const SIGNAL_STACK_BYTES: number = SIGNAL_FRAME_BYTES + FRAME_RECORD_BYTES + 16;

/** Records of the reserved area. */
const ESR_MAGIC = 0x4553_5201;
const ESR_CONTEXT_BYTES = 16;
const EXTRA_MAGIC = 0x4558_5401;
const EXTRA_CONTEXT_BYTES = 32;
const RECORD_HEAD_BYTES = 8;
const RECORD_ALIGN_BYTES = 16;
const TERMINATOR_BYTES = 16;
/** SIGFRAME_MAXSZ. */
const LARGEST_FRAME_BYTES = 65536n;

/** SPSR_EL1_AARCH64_RES0_BITS of the low half, without bits that valid_user_regs() looks at. */
const PSTATE_RES0 = 0x0cdf_e020;

/** Pushes the frame and makes the handler run next; false: the stack cannot take it. */
export function* pushSignalFrame(k: Context, frame: KPtr, delivery: SignalDelivery): Work<boolean> {
  const { ram } = k;
  const { action, info } = delivery;
  const record = recordPlace(ram, frame, delivery);
  const at = BigInt.asUintN(64, record - BigInt(SIGNAL_FRAME_BYTES));
  const { lo, hi } = halves(at);
  if (!k.kernel.arch.entry.isUserRange(lo, hi, SIGNAL_FRAME_BYTES + FRAME_RECORD_BYTES)) return false;
  for (const piece of encodeFrame(ram, frame, delivery)) {
    const place = halves(at + BigInt(piece.offset));
    if ((yield* copyToUser(k, place.lo, place.hi, piece.bytes)) !== 0) return false;
  }
  const setRegister = (offset: number, value: bigint): void => {
    const halfWords = halves(value);
    ram.write64(frame + offset, halfWords.lo, halfWords.hi);
  };
  setRegister(regs.REGS_X0, BigInt(info.signal));
  setRegister(regs.REGS_SP, at);
  setRegister(regs.REGS_X29, record);
  ram.write64(frame + regs.REGS_PC, action.handlerLo, action.handlerHi);
  ram.write32(frame + regs.REGS_PSTATE, ram.read32(frame + regs.REGS_PSTATE) & ~PSR_TCO_BIT);
  if ((action.flags & SA_RESTORER) !== 0) {
    ram.write64(frame + regs.REGS_X30, action.restorerLo, action.restorerHi);
  } else setRegister(regs.REGS_X30, BigInt(processOf(k.task!).group.image.vdsoVpn) << 12n);
  if ((action.flags & SA_SIGINFO) !== 0) {
    setRegister(regs.REGS_X1, at);
    setRegister(regs.REGS_X2, at + BigInt(UCONTEXT));
  }
  return validUserRegisters(ram, frame);
}

/** get_sigframe(): address of the frame record; the frame lies right below it. */
function recordPlace(ram: PhysicalMemory, frame: KPtr, delivery: SignalDelivery): bigint {
  const { altStack, action } = delivery;
  const spLo = ram.read32(frame + regs.REGS_SP);
  const spHi = ram.read32(frame + regs.REGS_SP + 4);
  const isOn = isOnAlternateStack(altStack, spLo, spHi);
  const entersStack = (action.flags & SA_ONSTACK) !== 0 && altStack.sizeBytes !== 0 && !isOn;
  const top = entersStack
    ? address(altStack.lo, altStack.hi) + BigInt(altStack.sizeBytes)
    : address(spLo, spHi);
  return BigInt.asUintN(64, top - BigInt(FRAME_RECORD_BYTES)) & ~15n;
}

/** Bytes of the frame at an offset from its start. */
export interface FramePiece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** What is written of the frame for the registers that a trap saved: setup_sigframe(), in order of addresses. */
export function encodeFrame(ram: PhysicalMemory, frame: KPtr, delivery: SignalDelivery): FramePiece[] {
  const { action, info } = delivery;
  const pieces: FramePiece[] = [];
  if ((action.flags & SA_SIGINFO) !== 0) {
    pieces.push({ offset: 0, bytes: encodeSignalInfo(info, "little") });
  }
  pieces.push({ offset: UCONTEXT, bytes: encodeUcontextHead(delivery) });
  pieces.push({ offset: SIGCONTEXT, bytes: encodeSigcontext(ram, frame, delivery) });
  const chain = ByteBuffer.wrap(new Uint8Array(FRAME_RECORD_BYTES), true);
  copyRegister(ram, frame + regs.REGS_X29, chain, 0);
  copyRegister(ram, frame + regs.REGS_X30, chain, 8);
  pieces.push({ offset: SIGNAL_FRAME_BYTES, bytes: chain.buffer });
  return pieces;
}

function encodeUcontextHead({ altStack, maskLo, maskHi }: SignalDelivery): Uint8Array {
  const buffer = ByteBuffer.wrap(new Uint8Array(UCONTEXT_HEAD_BYTES), true);
  buffer.writeInt32(altStack.lo, UC_STACK).writeInt32(altStack.hi, UC_STACK + 4);
  buffer.writeInt32(altStack.flags, UC_STACK + 8);
  buffer.writeInt32(altStack.sizeBytes | 0, UC_STACK + 16);
  buffer.writeInt32(Math.floor(altStack.sizeBytes / 0x1_0000_0000), UC_STACK + 20);
  buffer.writeInt32(maskLo, UC_SIGMASK).writeInt32(maskHi, UC_SIGMASK + 4);
  return buffer.buffer;
}

/** The sigcontext up to the terminator of its records. */
function encodeSigcontext(ram: PhysicalMemory, frame: KPtr, { fault }: SignalDelivery): Uint8Array {
  const hasSyndrome = fault.error !== 0;
  const length = SC_RESERVED + (hasSyndrome ? ESR_CONTEXT_BYTES : 0) + RECORD_HEAD_BYTES;
  const buffer = ByteBuffer.wrap(new Uint8Array(length), true);
  buffer.writeInt32(fault.addressLo, SC_FAULT_ADDRESS).writeInt32(fault.addressHi, SC_FAULT_ADDRESS + 4);
  for (let number = 0; number < GENERAL_REGISTERS; number++) {
    copyRegister(ram, frame + regs.regsOfX(number), buffer, SC_REGS + number * 8);
  }
  copyRegister(ram, frame + regs.REGS_SP, buffer, SC_SP);
  copyRegister(ram, frame + regs.REGS_PC, buffer, SC_PC);
  copyRegister(ram, frame + regs.REGS_PSTATE, buffer, SC_PSTATE);
  if (hasSyndrome) {
    buffer.writeUint32(ESR_MAGIC, SC_RESERVED).writeUint32(ESR_CONTEXT_BYTES, SC_RESERVED + 4);
    buffer.writeInt32(fault.error, SC_RESERVED + 8);
  }
  return buffer.buffer;
}

function copyRegister(ram: PhysicalMemory, from: number, buffer: ByteBuffer, offset: number): void {
  buffer.writeInt32(ram.read32(from), offset).writeInt32(ram.read32(from + 4), offset + 4);
}

/** rt_sigreturn. A frame that cannot be, or that would lead out of user mode, is SIGSEGV at the stack pointer. */
export function* popSignalFrame(k: Context, frame: KPtr): Work {
  const { ram } = k;
  const spLo = ram.read32(frame + regs.REGS_SP);
  const spHi = ram.read32(frame + regs.REGS_SP + 4);
  const isPlace = (spLo & 15) === 0 && k.kernel.arch.entry.isUserRange(spLo, spHi, SIGNAL_FRAME_BYTES);
  if (!isPlace || !(yield* restoreFrame(k, frame, address(spLo, spHi)))) {
    yield* notifySegfault(k, frame);
  }
}

/** restore_sigframe() and restore_altstack(); false: the frame is bad. */
function* restoreFrame(k: Context, frame: KPtr, at: bigint): Work<boolean> {
  const { ram } = k;
  const state = processOf(k.task!);
  const head = yield* readPiece(k, at + BigInt(UCONTEXT), UCONTEXT_HEAD_BYTES);
  if (head !== null) {
    state.blocked.assign(head.readInt32(UC_SIGMASK), head.readInt32(UC_SIGMASK + 4));
    state.blocked.dropUnblockable();
    recalculatePending(k.task!);
  }
  const context = yield* readPiece(k, at + BigInt(SIGCONTEXT), SC_RESERVED);
  ram.write32(frame + regs.REGS_SYSCALLNO, regs.NO_SYSCALL);
  if (head === null || context === null) return false;
  const restore = (offset: number, from: number): void => {
    ram.write64(frame + offset, context.readInt32(from), context.readInt32(from + 4));
  };
  for (let number = 0; number < GENERAL_REGISTERS; number++)
    restore(regs.regsOfX(number), SC_REGS + number * 8);
  restore(regs.REGS_SP, SC_SP);
  restore(regs.REGS_PC, SC_PC);
  restore(regs.REGS_PSTATE, SC_PSTATE);
  if (!validUserRegisters(ram, frame)) return false;
  if (!(yield* checkRecords(k, at))) return false;
  const saved = {
    lo: head.readInt32(UC_STACK),
    hi: head.readInt32(UC_STACK + 4),
    sizeBytes: head.readUint32(UC_STACK + 16) + head.readUint32(UC_STACK + 20) * 0x1_0000_0000,
    flags: head.readInt32(UC_STACK + 8),
  };
  const isOn = isOnAlternateStack(
    state.altStack,
    ram.read32(frame + regs.REGS_SP),
    ram.read32(frame + regs.REGS_SP + 4),
  );
  if (!isOn) changeAlternateStack(state.altStack, saved, MINSIGSTKSZ);
  return true;
}

function* readPiece(k: Context, at: bigint, lengthBytes: number): Work<ByteBuffer | null> {
  const bytes = new Uint8Array(lengthBytes);
  const { lo, hi } = halves(at);
  return (yield* copyFromUser(k, bytes, lo, hi)) === 0 ? ByteBuffer.wrap(bytes, true) : null;
}

/** parse_user_sigframe(), for a machine without floating point, SVE and SME: only syndromes and an extension are known. */
function* checkRecords(k: Context, frameAt: bigint): Work<boolean> {
  let base = frameAt + BigInt(SIGCONTEXT + SC_RESERVED);
  let limit = RESERVED_BYTES;
  let offset = 0;
  let isExtended = false;
  for (;;) {
    if (limit - offset < RECORD_HEAD_BYTES || offset % RECORD_ALIGN_BYTES !== 0) return false;
    const head = yield* readPiece(k, base + BigInt(offset), RECORD_HEAD_BYTES);
    if (head === null) return false;
    const magic = head.readUint32(0);
    const size = head.readUint32(4);
    if (limit - offset < size) return false;
    if (magic === 0) return size === 0;
    if (magic === EXTRA_MAGIC) {
      if (isExtended || size < EXTRA_CONTEXT_BYTES || limit - offset - size < TERMINATOR_BYTES) return false;
      const extra = yield* readPiece(
        k,
        base + BigInt(offset + RECORD_HEAD_BYTES),
        EXTRA_CONTEXT_BYTES - RECORD_HEAD_BYTES,
      );
      const end = yield* readPiece(k, base + BigInt(offset + size), RECORD_HEAD_BYTES);
      if (extra === null || end === null || (end.readInt32(0) | end.readInt32(4)) !== 0) return false;
      const data = address(extra.readInt32(0), extra.readInt32(4));
      const extraBytes = extra.readUint32(8);
      if (data !== base + BigInt(offset + size + TERMINATOR_BYTES)) return false;
      if (data % 16n !== 0n || extraBytes % RECORD_ALIGN_BYTES !== 0) return false;
      if (BigInt(extraBytes) > frameAt + LARGEST_FRAME_BYTES - data) return false;
      const place = halves(data);
      if (!k.kernel.arch.entry.isUserRange(place.lo, place.hi, extraBytes)) return false;
      isExtended = true;
      base = data;
      limit = extraBytes;
      offset = 0;
      continue;
    }
    if (magic !== ESR_MAGIC || size < RECORD_HEAD_BYTES) return false;
    offset += size;
  }
}

/**
 * valid_user_regs(): bits that mean nothing are cleared; false: the state is not one of user mode with nothing masked, and
 * has become one.
 */
function validUserRegisters(ram: PhysicalMemory, frame: KPtr): boolean {
  const at = frame + regs.REGS_PSTATE;
  const pstate = ram.read32(at) & ~(PSTATE_RES0 | PSR_SS_BIT);
  const privileged = PSR_MODE_MASK | PSR_MODE32_BIT | PSR_D_BIT | PSR_A_BIT | PSR_I_BIT | PSR_F_BIT;
  const isValid = (pstate & privileged) === 0;
  const flags = PSR_N_BIT | PSR_Z_BIT | PSR_C_BIT | PSR_V_BIT;
  ram.write64(at, isValid ? pstate : pstate & flags, 0);
  return isValid;
}

/** arm64_notify_segfault() of the stack pointer. */
function* notifySegfault(k: Context, frame: KPtr): Work {
  const { ram } = k;
  const mm = k.task!.mm;
  const lo = ram.read32(frame + regs.REGS_SP);
  const hi = k.kernel.arch.entry.untaggedHi(ram.read32(frame + regs.REGS_SP + 4));
  yield* mmapReadLock(k, mm);
  const isBelowSomething = findVma(ram, mm, pageOf(lo, hi)) !== NULL;
  yield* mmapReadUnlock(k, mm);
  const code = isBelowSomething ? SEGV_ACCERR : SEGV_MAPERR;
  const cause = { trap: TRAP_ILLEGAL_ACCESS, error: 0, addressKind: "none" } as const;
  k.kernel.process.forceSignal(k, { signo: SIGSEGV, code, lo, hi, ...cause });
}

function halves(value: bigint): { lo: number; hi: number } {
  return { lo: Number(BigInt.asIntN(32, value)), hi: Number(BigInt.asIntN(32, value >> 32n)) };
}

function address(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}
