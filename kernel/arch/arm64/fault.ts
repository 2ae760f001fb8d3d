/**
 * Aborts: do_mem_abort() and what it leads to (arch/arm64/mm/fault.c, 6.6). The fault status code picks the handler; a
 * fault at a user address goes to kernel/mm/user-fault.ts, where an attempt without mmap_lock comes first; what is left is
 * a signal, the fixup of a user-access site, or the end of the machine.
 *
 * FAR_EL1 may carry a tag in bits 63:56 of a user address (TCR_EL1.TBI0); nothing here sees it, nor does the signal
 * (no SA_EXPOSE_TAGBITS). No software PAN, no memory tagging.
 */
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
import { pageOf } from "../../mm/vpn.ts";
import { type KPtr, NULL } from "../../struct.ts";
import {
  isFromUser,
  isInstructionAbort,
  isKernelInstructionAbort,
  isKernelPermissionFault,
  isWriteAbort,
} from "./abort.ts";
import { ESR_CM, ESR_EC_MASK, ESR_FNV, ESR_IL, ESR_WNR, esrClass, esrClassText } from "./esr.ts";
import { die, enableIfFrameHad, fixupException } from "./exceptions.ts";
import { faultInfo } from "./fault-info.ts";
import { interruptsWereOn, REGS_PC, userMode } from "./pt-regs.ts";
import { fixupOf, stubAt } from "./stubs.ts";

const SIGBUS = 7;
const SIGSEGV = 11;
const BUS_ADRERR = 2;
const SEGV_MAPERR = 1;
const SEGV_ACCERR = 2;
/** Bits 63:32 from TASK_SIZE on. */
const TASK_SIZE_HI = 0x1_0000;
/** What user code is told of an address of the kernel: a translation fault of level 0. */
const FSC_FAULT = 0x04;

/**
 * do_mem_abort(): an instruction or data abort, with FAR_EL1 (halves). DAIF is masked on entry. Plain, so that the chain
 * of generators stays short. @hot
 */
export function memoryAbort(k: Context, frame: KPtr, lo: number, hi: number, esr: number): Work {
  // untagged_addr(): bit 55 says which half the address belongs to.
  const addressHi = (hi & 0x80_0000) === 0 ? hi & 0xff_ffff : hi;
  const { handler } = faultInfo(esr);
  const isPageFault = handler === "page" || (handler === "translation" && isUserAddress(addressHi));
  if (!isPageFault) return otherAbort(k, frame, esr, lo, addressHi);
  if (!isFromUser(esr)) return kernelAbort(k, frame, esr, lo, addressHi);
  return userAddressFault(k, frame, startFault(k, esr, lo, addressHi), "unmask", ARM64_ENDS);
}

/** is_ttbr0_addr(): below TASK_SIZE. @hot */
function isUserAddress(hi: number): boolean {
  return hi >>> 0 < TASK_SIZE_HI;
}

/** The fault record of the running task, filled. @hot */
function startFault(k: Context, esr: number, lo: number, hi: number): FaultState {
  const f = memoryOf(k).faultState(k);
  f.mm = k.task!.mm;
  f.lo = lo;
  f.hi = hi;
  f.page = pageOf(lo, hi);
  f.archError = esr;
  f.flags =
    FAULT_FLAG_DEFAULT |
    (isFromUser(esr) ? FAULT_FLAG_USER : 0) |
    (isInstructionAbort(esr) ? FAULT_FLAG_INSTRUCTION : 0) |
    (isWriteAbort(esr) ? FAULT_FLAG_WRITE : 0);
  return f;
}

/** do_page_fault() for kernel code. */
function* kernelAbort(k: Context, frame: KPtr, esr: number, lo: number, hi: number): Work {
  if (k.point(COST_STEP)) yield;
  const mm = k.task === null ? NULL : k.task.mm;
  if (mm === NULL || k.pagefaultDisabled !== 0 || k.atomicDepth !== 0) {
    yield* kernelFault(k, frame, esr, lo, hi);
    return;
  }
  if (isUserAddress(hi) && isKernelPermissionFault(esr)) {
    if (isKernelInstructionAbort(esr)) {
      yield* dieOfFault(k, frame, "execution of user memory", esr, lo, hi);
      return;
    }
    if (!hasFixup(k, frame)) {
      yield* dieOfFault(k, frame, "access to user memory outside uaccess routines", esr, lo, hi);
      return;
    }
  }
  const interrupts = interruptsWereOn(k.ram, frame) ? "unmask" : "keep";
  yield* userAddressFault(k, frame, startFault(k, esr, lo, hi), interrupts, ARM64_ENDS);
}

/** do_bad_area() at addresses of the kernel, do_alignment_fault(), do_sea(), and what the kernel does not know (do_bad()). */
function* otherAbort(k: Context, frame: KPtr, esr: number, lo: number, hi: number): Work {
  const { handler, signo, code, name } = faultInfo(esr);
  if (k.point(COST_STEP)) yield;
  if (isFromUser(esr)) k.cpu.setInterruptsEnabled(true);
  else enableIfFrameHad(k, frame);
  if (k.point(COST_IRQ_MASK)) yield;
  if (!isFromUser(esr)) {
    if (handler === "translation" || handler === "alignment") yield* kernelFault(k, frame, esr, lo, hi);
    else if (handler === "external") yield* die(k, frame, name, esr);
    else yield* dieOfFault(k, frame, name, esr, lo, hi);
    return;
  }
  if (handler === "external" && (esr & ESR_FNV) !== 0) send(k, signo, code, 0, 0, esr);
  else send(k, signo, code, lo, hi, esr);
}

const ARM64_ENDS: FaultEnds = {
  hasFixup,
  notMapped: (k, frame, f) => badArea(k, frame, f, SEGV_MAPERR),
  *notPermitted(k, frame, f) {
    yield* mmapReadUnlock(k, f.mm);
    yield* badArea(k, frame, f, SEGV_ACCERR);
  },
  *failed(k, frame, f, result) {
    if (!userMode(k.ram, frame)) yield* kernelFault(k, frame, f.archError, f.lo, f.hi);
    // Out of memory: the killer ran inside the allocation, and the access is tried again or the task dies.
    else if ((result & VM_FAULT_OOM) !== 0) return;
    else if ((result & VM_FAULT_SIGBUS) !== 0) send(k, SIGBUS, BUS_ADRERR, f.lo, f.hi, f.archError);
    else send(k, SIGSEGV, SEGV_MAPERR, f.lo, f.hi, f.archError);
  },
  kernelFault: (k, frame, f) => kernelFault(k, frame, f.archError, f.lo, f.hi),
};

/** SIGSEGV for user code, the fixup or the end for kernel code. */
function* badArea(k: Context, frame: KPtr, f: FaultState, code: number): Work {
  if (userMode(k.ram, frame)) send(k, SIGSEGV, code, f.lo, f.hi, f.archError);
  else yield* kernelFault(k, frame, f.archError, f.lo, f.hi);
}

/** set_thread_esr() and arm64_force_sig_fault(): user code is not told what lies in the kernel's half. */
function send(k: Context, signo: number, code: number, lo: number, hi: number, esr: number): void {
  let told = esr;
  if (!isUserAddress(hi)) {
    const kept = isInstructionAbort(esr) ? ESR_EC_MASK | ESR_IL : ESR_EC_MASK | ESR_IL | ESR_CM | ESR_WNR;
    told = (esr & kept) | FSC_FAULT;
  }
  const cause = { trap: esrClass(esr), error: told, addressKind: "page-fault" } as const;
  k.kernel.process.forceSignal(k, { signo, code, lo, hi, ...cause });
}

function hasFixup(k: Context, frame: KPtr): boolean {
  return fixupOf(stubAt(k.ram.read32(frame + REGS_PC), k.ram.read32(frame + REGS_PC + 4))) >= 0;
}

/** __do_kernel_fault(). */
function* kernelFault(k: Context, frame: KPtr, esr: number, lo: number, hi: number): Work {
  if (!isKernelInstructionAbort(esr) && fixupException(k, frame)) return;
  let what = hi === 0 && lo >>> 0 < 4096 ? "NULL pointer dereference" : "paging request";
  if (isKernelPermissionFault(esr)) {
    if ((esr & ESR_WNR) !== 0) what = "write to read-only memory";
    else if (isKernelInstructionAbort(esr)) what = "execute from non-executable memory";
    else what = "read from unreadable memory";
  }
  yield* dieOfFault(k, frame, what, esr, lo, hi);
}

/** die_kernel_fault(). Does not return. */
function* dieOfFault(k: Context, frame: KPtr, what: string, esr: number, lo: number, hi: number): Work {
  const { kernel } = k;
  kernel.printk(`Unable to handle kernel ${what} at virtual address ${hex32(hi)}${hex32(lo)}`);
  kernel.printk("Mem abort info:");
  kernel.printk(`  ESR = 0x${hex32(0)}${hex32(esr)}`);
  kernel.printk(`  EC = 0x${esrClass(esr).toString(16).padStart(2, "0")}: ${esrClassText(esr)}`);
  kernel.printk(`  FSC = 0x${(esr & 0x3f).toString(16).padStart(2, "0")}: ${faultInfo(esr).name}`);
  yield* die(k, frame, "Oops", esr);
}

function hex32(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}
