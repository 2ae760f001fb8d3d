/**
 * Word indices into an x86-64 core's state: the frontend's slots as words, and the words of the parts around the
 * instructions, which follow the IR's temporaries. All of a trap delivery or return in progress is here, so a saved
 * core resumes in the middle of one.
 */
import {
  CS,
  SS,
  STATE_CPL,
  STATE_CR0,
  STATE_CR2,
  STATE_CR3,
  STATE_CR4,
  STATE_CR8,
  STATE_CSTAR,
  STATE_DR0,
  STATE_DR6,
  STATE_DR7,
  STATE_EFER,
  STATE_FMASK,
  STATE_FS_BASE,
  STATE_GDTR,
  STATE_GS_BASE,
  STATE_IDTR,
  STATE_INTERRUPT_SHADOW,
  STATE_KERNEL_GS_BASE,
  STATE_LDTR,
  STATE_LDTR_SELECTOR,
  STATE_LSTAR,
  STATE_PAT,
  STATE_PKRU,
  STATE_REGISTERS,
  STATE_SELECTORS,
  STATE_STAR,
  STATE_SYSTEM_FLAGS,
  STATE_TR,
  STATE_TR_SELECTOR,
  STATE_TSC_AUX,
  TABLE_ATTRIBUTES,
  TABLE_LIMIT,
} from "../../frontends/x86-64/state.ts";
import { STATE_END, STATE_PC } from "../../ir/index.ts";

// The frontend's slots. Pairs are low word, high word.
export const PC: number = STATE_PC >> 2;
export const GPR: number = STATE_REGISTERS >> 2;
export const GPR_RAX: number = GPR;
export const GPR_RCX: number = GPR + 2;
export const GPR_RDX: number = GPR + 4;
export const GPR_RBX: number = GPR + 6;
export const GPR_RSP: number = GPR + 8;
export const GPR_RSI: number = GPR + 12;
export const GPR_RDI: number = GPR + 14;
export const GPR_R11: number = GPR + 22;
export const SYSTEM_FLAGS: number = STATE_SYSTEM_FLAGS >> 2;
export const CPL: number = STATE_CPL >> 2;
export const INTERRUPT_SHADOW: number = STATE_INTERRUPT_SHADOW >> 2;
export const TSC_AUX: number = STATE_TSC_AUX >> 2;
export const FS_BASE: number = STATE_FS_BASE >> 2;
export const GS_BASE: number = STATE_GS_BASE >> 2;
export const KERNEL_GS_BASE: number = STATE_KERNEL_GS_BASE >> 2;
/** Selectors ES CS SS DS FS GS, one word each. */
export const SELECTORS: number = STATE_SELECTORS >> 2;
export const CS_SELECTOR: number = SELECTORS + CS;
export const SS_SELECTOR: number = SELECTORS + SS;
export const LDTR_SELECTOR: number = STATE_LDTR_SELECTOR >> 2;
export const TR_SELECTOR: number = STATE_TR_SELECTOR >> 2;
export const CR0: number = STATE_CR0 >> 2;
export const CR2: number = STATE_CR2 >> 2;
export const CR3: number = STATE_CR3 >> 2;
export const CR4: number = STATE_CR4 >> 2;
export const CR8: number = STATE_CR8 >> 2;
export const EFER: number = STATE_EFER >> 2;
export const STAR: number = STATE_STAR >> 2;
export const LSTAR: number = STATE_LSTAR >> 2;
export const CSTAR: number = STATE_CSTAR >> 2;
export const FMASK: number = STATE_FMASK >> 2;
export const PAT: number = STATE_PAT >> 2;
/** Descriptor-table registers: base at 0 and 1, then LIMIT and ATTRIBUTES. */
export const GDTR: number = STATE_GDTR >> 2;
export const IDTR: number = STATE_IDTR >> 2;
export const LDTR: number = STATE_LDTR >> 2;
export const TR: number = STATE_TR >> 2;
export const LIMIT: number = TABLE_LIMIT >> 2;
export const ATTRIBUTES: number = TABLE_ATTRIBUTES >> 2;
export const DR0: number = STATE_DR0 >> 2;
export const DR6: number = STATE_DR6 >> 2;
export const DR7: number = STATE_DR7 >> 2;
export const PKRU: number = STATE_PKRU >> 2;

const OWN: number = STATE_END >> 2;

// The microcode record: a delivery, a return, or a system instruction that touches memory.
/** MICRO_* of microcode.ts; 0: none in progress. */
export const M_KIND: number = OWN;
export const M_STEP: number = OWN + 1;
export const M_VECTOR: number = OWN + 2;
/** EVENT_* of delivery.ts. */
export const M_EVENT: number = OWN + 3;
export const M_ERROR: number = OWN + 4;
export const M_HAS_ERROR: number = OWN + 5;
/** PC to save, and PC to save if the operation itself faults. */
export const M_PC: number = OWN + 6;
export const M_FAULT_PC: number = OWN + 8;
/** RFLAGS image to push, or popped. */
export const M_FLAGS: number = OWN + 10;
/** Running stack pointer. */
export const M_RSP: number = OWN + 11;
export const M_CS: number = OWN + 13;
export const M_CS_DESCRIPTOR: number = OWN + 14;
export const M_SS: number = OWN + 16;
export const M_SS_DESCRIPTOR: number = OWN + 17;
export const M_TARGET: number = OWN + 19;
export const M_NEW_CPL: number = OWN + 21;
/** Gate: type and IST. */
export const M_GATE: number = OWN + 22;
/** Severity of the event in delivery: SEVERITY_*. */
export const M_SEVERITY: number = OWN + 23;
export const M_NEW_RSP: number = OWN + 24;
/** Operands of a system instruction. */
export const M_A: number = OWN + 26;
export const M_B: number = OWN + 28;
export const M_HELPER: number = OWN + 30;
/** An access that crosses a page: 1 when its first half is translated, and that half's physical address. */
export const M_CROSSING: number = OWN + 31;
export const M_CROSSING_PA: number = OWN + 32;
const RECORD_END: number = OWN + 34;

// Architectural state that no slot of the frontend holds.
export const NMI_BLOCKED: number = RECORD_END;
/** Time-stamp counter minus core clock, modulo 2^64. */
export const TSC_OFFSET: number = RECORD_END + 1;
export const TSC_ADJUST: number = RECORD_END + 3;
export const MISC_ENABLE: number = RECORD_END + 5;
/** Access rights (descriptor bits 47:40 and 55:52 as bits 7:0 and 15:12) of ES CS SS DS FS GS; 0: null selector. */
export const SEGMENT_RIGHTS: number = RECORD_END + 6;
/** Where the shadow of STI or MOV SS, or RF of an IRET, holds: PC, and instructions retired modulo 2^32. */
export const STAMP_PC: number = RECORD_END + 12;
export const STAMP_RETIRED: number = RECORD_END + 14;
const ARCHITECTURAL_END: number = RECORD_END + 16;

/** Words of the microcode record, for clearing. */
export const RECORD_FIRST: number = OWN;
export const RECORD_LAST: number = RECORD_END;
/** Words outside the microcode record, for hashing. */
export const SYSTEM_FIRST: number = RECORD_END;
export const SYSTEM_LAST: number = ARCHITECTURAL_END;
/** First word of the local APIC: 8-byte aligned. */
export const APIC_BASE: number = (ARCHITECTURAL_END + 1) & ~1;
