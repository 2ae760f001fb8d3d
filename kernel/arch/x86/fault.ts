/**
 * The page-fault handler of x86-64 (arch/x86/mm/fault.c, 5.17): it decides from the error code who was at fault, leaves
 * user addresses to kernel/mm/user-fault.ts, and sends the signal that is left.
 *
 * CR2 was read by entry before anything could fault again. There is no vsyscall page.
 */
import { PF_ID, PF_P, PF_PK, PF_RSVD, PF_US, PF_WR } from "../../../mmu/index.ts";
import type { Context, Work } from "../../context.ts";
import { COST_IRQ_MASK, COST_STEP } from "../../costs.ts";
import {
  FAULT_FLAG_DEFAULT,
  FAULT_FLAG_INSTRUCTION,
  FAULT_FLAG_USER,
  FAULT_FLAG_WRITE,
  type FaultState,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
} from "../../mm/fault-state.ts";
import { memoryOf } from "../../mm/memory.ts";
import { mmapReadUnlock } from "../../mm/mmap-lock.ts";
import { type FaultEnds, userAddressFault } from "../../mm/user-fault.ts";
import { VM_PKEY_MASK_HI, vmFlagsHi } from "../../mm/vma.ts";
import { pageOf } from "../../mm/vpn.ts";
import { type KPtr, NULL } from "../../struct.ts";
import { die, fixupException } from "./exceptions.ts";
import { REGS_FLAGS, REGS_IP, REGS_ORIG_AX, userMode } from "./pt-regs.ts";
import { RFLAGS_IF } from "./registers.ts";
import { fixupOf, stubAt } from "./stubs.ts";
import { VECTOR_PF } from "./vectors.ts";

const SIGBUS = 7;
const SIGSEGV = 11;
const BUS_ADRERR = 2;
const SEGV_MAPERR = 1;
const SEGV_ACCERR = 2;
const SEGV_PKUERR = 4;
/** RFLAGS.AC as the trap saved it: user accesses were open. */
const RFLAGS_AC: number = 1 << 18;

/**
 * exc_page_fault(): frame and CR2 (halves). Interrupts are off on entry. Plain, so that the chain of generators stays
 * short. @hot
 */
export function pageFault(k: Context, frame: KPtr, lo: number, hi: number): Work {
  const error = k.ram.read32(frame + REGS_ORIG_AX);
  if ((error & (PF_US | PF_RSVD)) !== PF_US || hi < 0) return unusualFault(k, frame, error, lo, hi);
  const mm = k.task!.mm;
  return userAddressFault(k, frame, startFault(k, mm, error, lo, hi), "unmask", X86_ENDS);
}

/** The fault record of the running task, filled. @hot */
function startFault(k: Context, mm: KPtr, error: number, lo: number, hi: number): FaultState {
  const f = memoryOf(k).faultState(k);
  f.mm = mm;
  f.lo = lo;
  f.hi = hi;
  f.page = pageOf(lo, hi);
  f.archError = error;
  f.flags =
    FAULT_FLAG_DEFAULT |
    ((error & PF_US) !== 0 ? FAULT_FLAG_USER : 0) |
    ((error & PF_WR) !== 0 ? FAULT_FLAG_WRITE : 0) |
    ((error & PF_ID) !== 0 ? FAULT_FLAG_INSTRUCTION : 0);
  return f;
}

/** Everything but an access of user code to a user address. */
function* unusualFault(k: Context, frame: KPtr, error: number, lo: number, hi: number): Work {
  if (hi < 0) {
    // The kernel's half: user code gets SIGSEGV, kernel code has no business there.
    if (k.point(COST_STEP)) yield;
    yield* badArea(k, frame, error, lo, hi, SEGV_MAPERR, 0);
    return;
  }
  const fromUser = (error & PF_US) !== 0;
  if (!fromUser && !(yield* checkKernelAccess(k, frame, error, lo, hi))) return;
  if ((error & PF_RSVD) !== 0) {
    yield* die(k, frame, `Bad pagetable at ${hex(lo, hi)}`, error);
    return;
  }
  const mm = k.task === null ? NULL : k.task.mm;
  if (mm === NULL || k.pagefaultDisabled !== 0 || k.atomicDepth !== 0) {
    yield* badArea(k, frame, error, lo, hi, SEGV_MAPERR, 0);
    return;
  }
  const wereOn = (k.ram.read32(frame + REGS_FLAGS) & RFLAGS_IF) !== 0;
  const f = startFault(k, mm, error, lo, hi);
  yield* userAddressFault(k, frame, f, wereOn ? "unmask" : "keep", X86_ENDS);
}

const X86_ENDS: FaultEnds = {
  hasFixup,
  notMapped: (k, frame, f) => badArea(k, frame, f.archError, f.lo, f.hi, SEGV_MAPERR, 0),
  notPermitted: accessError,
  failed: faultError,
  kernelFault: (k, frame, f) => kernelFixupOrDie(k, frame, f.archError, f.lo, f.hi),
};

/** bad_area_access_error(): releases mmap_lock. */
function* accessError(k: Context, frame: KPtr, f: FaultState): Work {
  const key = vmFlagsHi.get(k.ram, f.vma) & VM_PKEY_MASK_HI;
  const kind = (f.archError & PF_WR) !== 0 ? "write" : "read";
  const byKey =
    (f.archError & PF_PK) !== 0 || ((f.archError & PF_ID) === 0 && !memoryOf(k).mmu.keyPermits(k, key, kind));
  yield* mmapReadUnlock(k, f.mm);
  yield* badArea(k, frame, f.archError, f.lo, f.hi, byKey ? SEGV_PKUERR : SEGV_ACCERR, byKey ? key : 0);
}

/** What a failed fault means for who made it (the end of do_user_addr_fault). */
function* faultError(k: Context, frame: KPtr, f: FaultState, result: number): Work {
  const fromUser = userMode(k.ram, frame);
  if ((result & VM_FAULT_OOM) !== 0) {
    // The killer ran inside the allocation: the victim may be this task, and else the fault is tried again.
    if (!fromUser && k.kernel.process.fatalSignalPending(k.task!)) {
      yield* kernelFixupOrDie(k, frame, f.archError, f.lo, f.hi);
    } else if (!fromUser && !fixupException(k, frame)) {
      yield* die(k, frame, "out of memory in kernel code", f.archError);
    }
    return;
  }
  const signo = (result & VM_FAULT_SIGBUS) !== 0 ? SIGBUS : SIGSEGV;
  if (!fromUser) {
    yield* kernelFixupOrDie(k, frame, f.archError, f.lo, f.hi);
    return;
  }
  send(k, signo, signo === SIGBUS ? BUS_ADRERR : SEGV_MAPERR, f.lo, f.hi, f.archError, 0);
}

/** bad_area(): SIGSEGV for user code, the fixup or the end for kernel code. */
function* badArea(
  k: Context,
  frame: KPtr,
  error: number,
  lo: number,
  hi: number,
  code: number,
  key: number,
): Work {
  if (!userMode(k.ram, frame)) {
    yield* kernelFixupOrDie(k, frame, error, lo, hi);
    return;
  }
  k.cpu.setInterruptsEnabled(true);
  if (k.point(COST_IRQ_MASK)) yield;
  send(k, SIGSEGV, code, lo, hi, error, key);
}

/**
 * set_signal_archinfo(), after sanitize_error_code(): what lies at TASK_SIZE_MAX or above, the last page of the lower
 * half included, looks like a protection fault to user code, mapped or not.
 */
function send(
  k: Context,
  signo: number,
  code: number,
  lo: number,
  hi: number,
  error: number,
  pkey: number,
): void {
  const isAbove = hi < 0 || pageOf(lo, hi) >= memoryOf(k).mmu.taskSizeMax;
  const cause = {
    trap: VECTOR_PF,
    error: isAbove ? error | PF_P : error,
    addressKind: "page-fault",
  } as const;
  k.kernel.process.forceSignal(k, { signo, code, lo, hi, pkey, ...cause });
}

/** Accesses of kernel code that are bugs whatever is mapped: execution (SMEP), data without open user access (SMAP). */
function* checkKernelAccess(k: Context, frame: KPtr, error: number, lo: number, hi: number): Work<boolean> {
  if ((error & PF_ID) !== 0) {
    yield* oops(k, frame, error, lo, hi, "kernel tried to execute a user page");
    return false;
  }
  const isOpen = (k.ram.read32(frame + REGS_FLAGS) & RFLAGS_AC) !== 0;
  if (isOpen || userMode(k.ram, frame)) return true;
  yield* oops(k, frame, error, lo, hi, "supervisor access to user memory");
  return false;
}

function hasFixup(k: Context, frame: KPtr): boolean {
  return fixupOf(stubAt(k.ram.read32(frame + REGS_IP), k.ram.read32(frame + REGS_IP + 4))) >= 0;
}

/** kernelmode_fixup_or_oops(). */
function* kernelFixupOrDie(k: Context, frame: KPtr, error: number, lo: number, hi: number): Work {
  if (fixupException(k, frame)) return;
  yield* oops(k, frame, error, lo, hi, "no fixup");
}

/** page_fault_oops(). */
function* oops(k: Context, frame: KPtr, error: number, lo: number, hi: number, what: string): Work {
  const kind =
    (error & PF_ID) !== 0 ? "instruction fetch" : (error & PF_WR) !== 0 ? "write access" : "read access";
  const why = (error & PF_P) !== 0 ? "permissions violation" : "not-present page";
  k.kernel.printk(`BUG: unable to handle page fault for address: ${hex(lo, hi)} (${what})`);
  k.kernel.printk(`#PF: supervisor ${kind} in kernel mode\n#PF: error_code(0x${hex4(error)}) - ${why}`);
  yield* die(k, frame, "Oops", error);
}

function hex(lo: number, hi: number): string {
  return (hi >>> 0).toString(16).padStart(8, "0") + (lo >>> 0).toString(16).padStart(8, "0");
}

function hex4(value: number): string {
  return value.toString(16).padStart(4, "0");
}
