/** What an architecture needs to enter a signal handler. */
import type { SignalAction } from "./signal-action.ts";
import type { SignalInfo } from "./signal-info.ts";
import { SS_AUTODISARM } from "./signal-numbers.ts";

/** An alternate signal stack (stack_t). */
export interface AlternateStack {
  lo: number;
  hi: number;
  sizeBytes: number;
  /** As they were set, sas_ss_flags: SS_DISABLE, SS_ONSTACK or 0, with or without SS_AUTODISARM. */
  flags: number;
}

/**
 * Trap number and error code of a task's last exception that became a signal, address of its last such page fault
 * (thread.trap_nr, error_code, cr2).
 */
export interface FaultRecord {
  trap: number;
  error: number;
  addressLo: number;
  addressHi: number;
  /** The kernel log says so if it ends the process (show_unhandled_signals). */
  reportDue: boolean;
}

export interface SignalDelivery {
  readonly info: SignalInfo;
  readonly action: Readonly<SignalAction>;
  /** The mask that sigreturn restores. */
  readonly maskLo: number;
  readonly maskHi: number;
  readonly altStack: Readonly<AlternateStack>;
  readonly fault: Readonly<FaultRecord>;
}

/** The stack pointer is on the alternate stack (on_sig_stack()); never with SS_AUTODISARM, which lets a handler leave it. */
export function isOnAlternateStack(stack: Readonly<AlternateStack>, spLo: number, spHi: number): boolean {
  if ((stack.flags & SS_AUTODISARM) !== 0) return false;
  const sp = address(spLo, spHi);
  const base = address(stack.lo, stack.hi);
  return sp > base && sp - base <= BigInt(stack.sizeBytes);
}

function address(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}
