/** What the log calls the exception that a signal came from, by FaultRecord.trap: an exception class, or one of these. */
import {
  ESR_EC_BRK64,
  ESR_EC_BTI,
  ESR_EC_DABT_LOW,
  ESR_EC_IABT_LOW,
  ESR_EC_PC_ALIGN,
  ESR_EC_SP_ALIGN,
  ESR_EC_UNKNOWN,
} from "./esr.ts";
import { faultInfo } from "./fault-info.ts";

/** force_signal_inject(SIGSEGV): no exception, a frame that sigreturn cannot read. */
export const TRAP_ILLEGAL_ACCESS = 0x100;

/** The reason that arm64_force_sig_fault() is given. @param esr of an abort */
export function faultText(trap: number, esr: number): string {
  switch (trap) {
    case ESR_EC_UNKNOWN:
    case ESR_EC_BTI:
      return "undefined instruction";
    case ESR_EC_PC_ALIGN:
    case ESR_EC_SP_ALIGN:
      return "SP/PC alignment exception";
    case ESR_EC_DABT_LOW:
    case ESR_EC_IABT_LOW:
      return faultInfo(esr).name;
    case ESR_EC_BRK64:
      return "User debug trap";
    case TRAP_ILLEGAL_ACCESS:
      return "illegal memory access";
    default:
      return "Bad EL0 synchronous exception";
  }
}
