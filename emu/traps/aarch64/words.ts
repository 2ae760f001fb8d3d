/**
 * Word indices into an AArch64 core's state: the frontend's slots as words, and the words of the parts around the
 * instructions, which follow the IR's temporaries. Whatever an instruction has under way between two memory accesses is
 * here, so a saved core resumes in the middle of one.
 */
import {
  STATE_PSTATE,
  STATE_REGISTERS,
  STATE_SP,
  STATE_SP_CHECK,
  STATE_SP_EL0,
  STATE_SP_EL1,
  STATE_SYSTEM_REGISTERS,
  STATE_SYSTEM_REGISTERS_END,
  STATE_TPIDR_EL0,
  STATE_TPIDR_EL1,
  STATE_TPIDRRO_EL0,
  type SystemRegister,
  systemRegisterOffset,
} from "../../frontends/aarch64/index.ts";
import { STATE_END, STATE_MONITOR, STATE_PC } from "../../ir/index.ts";

// The frontend's slots. Pairs are low word, high word.
export const PC: number = STATE_PC >> 2;
export const MONITOR: number = STATE_MONITOR >> 2;
export const GPR: number = STATE_REGISTERS >> 2;
/** SP of the present selection, then the banked ones; that of the present selection is stale. */
export const SP: number = STATE_SP >> 2;
export const SP_EL0: number = STATE_SP_EL0 >> 2;
export const SP_EL1: number = STATE_SP_EL1 >> 2;
export const PSTATE: number = STATE_PSTATE >> 2;
export const SP_CHECK: number = STATE_SP_CHECK >> 2;
export const TPIDR_EL0: number = STATE_TPIDR_EL0 >> 2;
export const TPIDRRO_EL0: number = STATE_TPIDRRO_EL0 >> 2;
export const TPIDR_EL1: number = STATE_TPIDR_EL1 >> 2;
/** First and last of the system registers' slots, for clearing and hashing. */
export const REGISTERS_FIRST: number = STATE_SYSTEM_REGISTERS >> 2;
export const REGISTERS_LAST: number = STATE_SYSTEM_REGISTERS_END >> 2;

export const SCTLR: number = slot("SCTLR_EL1");
export const TTBR0: number = slot("TTBR0_EL1");
export const TTBR1: number = slot("TTBR1_EL1");
export const TCR: number = slot("TCR_EL1");
export const MAIR: number = slot("MAIR_EL1");
export const VBAR: number = slot("VBAR_EL1");
export const ELR: number = slot("ELR_EL1");
export const SPSR: number = slot("SPSR_EL1");
export const ESR: number = slot("ESR_EL1");
export const FAR: number = slot("FAR_EL1");
export const PAR: number = slot("PAR_EL1");
export const OSLSR: number = slot("OSLSR_EL1");
export const CNTKCTL: number = slot("CNTKCTL_EL1");

const OWN: number = STATE_END >> 2;

/** What goes on between two instructions: OPERATION_* of memory-operation.ts; 0: nothing. */
export const M_KIND: number = OWN;
/** Address it concerns, and address of its instruction. */
export const M_VA: number = OWN + 2;
export const M_PC: number = OWN + 4;
/** Access kind and privilege of an address translation instruction. */
export const M_ACCESS: number = OWN + 6;
export const M_PRIVILEGE: number = OWN + 7;
const RECORD_END: number = OWN + 8;

/** The event register: 1 if set. */
export const EVENT_REGISTER: number = RECORD_END;
/** What a halted core waits for: SLEEP_* of sleep.ts. */
export const SLEEP: number = RECORD_END + 1;
const ARCHITECTURAL_END: number = RECORD_END + 2;

/** Words of the operation under way, for clearing. */
export const RECORD_FIRST: number = OWN;
export const RECORD_LAST: number = RECORD_END;
/** Words outside it, for hashing. */
export const SYSTEM_FIRST: number = RECORD_END;
export const SYSTEM_LAST: number = ARCHITECTURAL_END;
/** First word of the interrupt controller: 8-byte aligned. */
export const CONTROLLER_BASE: number = (ARCHITECTURAL_END + 1) & ~1;

/** Word index of a system register's slot. */
export function slot(name: SystemRegister): number {
  return systemRegisterOffset(name) >> 2;
}
