/**
 * A fault at a user address, from the moment that the architecture has said what was wanted to the signal or fixup that
 * is left: do_user_addr_fault() of x86 and do_page_fault() of arm64 (5.17 with the attempt of Lespinasse's v2 and the
 * stack growth of 6.5), which are the same but for what they do with an access that fails. There is no userfaultfd.
 */
import type { Context, Work } from "../context.ts";
import { COST_ACCESS, COST_ATOMIC, COST_IRQ_MASK, COST_UNLOCK } from "../costs.ts";
import { type KPtr, NULL } from "../struct.ts";
import { ABORTED, NOT_ATTEMPTED } from "./designs/design.ts";
import { handleMmFault } from "./fault.ts";
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_TRIED,
  FAULT_FLAG_USER,
  type FaultState,
  VM_FAULT_ERROR,
  VM_FAULT_RETRY,
} from "./fault-state.ts";
import { type Memory, memoryOf } from "./memory.ts";
import {
  mmapReadLockKillable,
  mmapReadRelease,
  mmapReadTrylock,
  mmapReadUnlock,
  mmapWake,
} from "./mmap-lock.ts";
import { SPF_ABORT } from "./vm-events.ts";
import { VM_GROWSDOWN, vmFlags, vmStart } from "./vma.ts";
import { findVma } from "./vma-tree.ts";

/** What an architecture does about a fault that is not made good. */
export interface FaultEnds {
  /** search_exception_tables(): kernel code expects the fault. */
  hasFixup(k: Context, frame: KPtr): boolean;
  /** Nothing is mapped at the address. Locks: none. */
  notMapped(k: Context, frame: KPtr, f: FaultState): Work;
  /** The VMA forbids the access. Locks: mmap_lock for read, released here. */
  notPermitted(k: Context, frame: KPtr, f: FaultState): Work;
  /** The fault core failed (VM_FAULT_ERROR). Locks: none. */
  failed(k: Context, frame: KPtr, f: FaultState, result: number): Work;
  /** Kernel code gives way to a fatal signal: its fixup, or the end. */
  kernelFault(k: Context, frame: KPtr, f: FaultState): Work;
}

/** @param interrupts "unmask": they were on where the fault came from */
export function* userAddressFault(
  k: Context,
  frame: KPtr,
  f: FaultState,
  interrupts: "unmask" | "keep",
  ends: FaultEnds,
): Work {
  const m = memoryOf(k);
  k.kernel.observer?.faultBegin(k, f);
  if (interrupts === "unmask") {
    k.cpu.setInterruptsEnabled(true);
    if (k.point(COST_IRQ_MASK)) yield;
  }
  if (m.design.attempts) {
    const { design } = m;
    if (k.point(COST_ACCESS)) yield;
    design.startAttempt(f);
    while (!design.attempt(k, f)) yield;
    const result = design.endAttempt(k, f, yield* design.commitAttempt(k, f));
    if (result === 0) return;
    if (result !== NOT_ATTEMPTED && (yield* endAttempt(k, m, frame, f, result, ends))) return;
  }
  for (;;) {
    if (k.point(COST_ATOMIC)) yield;
    if (!mmapReadTrylock(k, f.mm) && !(yield* lockSlow(k, frame, f, ends))) {
      yield* ends.notMapped(k, frame, f);
      return;
    }
    if (!findCovering(k, f) && !(yield* growStack(k, f))) {
      yield* ends.notMapped(k, frame, f);
      return;
    }
    if (m.mmu.accessError(k, f)) {
      yield* ends.notPermitted(k, frame, f);
      return;
    }
    const result = yield* handleMmFault(k, f);
    if (isSignalled(k, f, result)) {
      // The lock went with VM_FAULT_RETRY.
      if (!isUserFrame(k, frame)) yield* ends.kernelFault(k, frame, f);
      return;
    }
    if ((result & VM_FAULT_RETRY) === 0 || (f.flags & FAULT_FLAG_ALLOW_RETRY) === 0) {
      if (k.point(COST_UNLOCK)) yield;
      if (mmapReadRelease(k, f.mm)) yield* mmapWake(k, f.mm);
      if ((result & VM_FAULT_ERROR) !== 0) yield* ends.failed(k, frame, f, result);
      return;
    }
    f.flags |= FAULT_FLAG_TRIED;
  }
}

/** What an attempt without mmap_lock came to; false: nothing, go on with the lock. */
function* endAttempt(
  k: Context,
  m: Memory,
  frame: KPtr,
  f: FaultState,
  result: number,
  ends: FaultEnds,
): Work<boolean> {
  if (result !== ABORTED) {
    if (isSignalled(k, f, result)) return true;
    if ((result & VM_FAULT_RETRY) === 0) {
      if ((result & VM_FAULT_ERROR) !== 0) yield* ends.failed(k, frame, f, result);
      return true;
    }
  }
  m.events.count(k.cpu.id, SPF_ABORT);
  return false;
}

function isUserFrame(k: Context, frame: KPtr): boolean {
  return k.kernel.arch.entry.isUserFrame(k.kernel, frame);
}

/** Finds the VMA of the address; false: the address lies below it, or there is none. Locks: mmap_lock. @hot */
function findCovering(k: Context, f: FaultState): boolean {
  f.vma = findVma(k.ram, f.mm, f.page);
  return f.vma !== NULL && vmStart.get(k.ram, f.vma) <= f.page;
}

/**
 * The lock is contended. Kernel code that faults with it held, or where no fault is expected, must not wait for it: only a
 * site of the exception table may. @returns false: nothing is held, and the access fails
 */
function* lockSlow(k: Context, frame: KPtr, f: FaultState, ends: FaultEnds): Work<boolean> {
  if (!isUserFrame(k, frame) && !ends.hasFixup(k, frame)) return false;
  return (yield* mmapReadLockKillable(k, f.mm)) === 0;
}

/** fault_signal_pending(): a fault that would be retried gives way to a signal. */
function isSignalled(k: Context, f: FaultState, result: number): boolean {
  if ((result & VM_FAULT_RETRY) === 0) return false;
  const task = k.task!;
  const process = k.kernel.process;
  if ((f.flags & FAULT_FLAG_USER) !== 0) return process.signalPending(task);
  return process.fatalSignalPending(task);
}

/** The rest of lock_mm_and_find_vma(): a stack that is to grow to the address; false: nothing is held. */
function* growStack(k: Context, f: FaultState): Work<boolean> {
  const ram = k.ram;
  if (f.vma === NULL || (vmFlags.get(ram, f.vma) & VM_GROWSDOWN) === 0) {
    yield* mmapReadUnlock(k, f.mm);
    return false;
  }
  return yield* memoryOf(k).design.growStack(k, f);
}
