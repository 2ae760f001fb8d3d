/**
 * Delivery of exceptions and interrupts in 64-bit mode: Intel SDM vol. 3A chapter 6 (interrupt and exception handling,
 * 6.14 for 64-bit mode) and vol. 2, INT n, for the order of the checks. A step machine over the record in words.ts: it
 * can stop before every memory access and go on later, on whatever the descriptor tables, TSS and stack then hold.
 *
 * Steps:
 * 1. The vector's gate must lie within the IDT. Its two halves are read; type, DPL (software interrupts), present.
 * 2. The code segment's descriptor: not null, within its table, code, DPL ≤ CPL, 64-bit, present. Its accessed bit.
 * 3. The stack pointer from the TSS if the privilege changes or the gate has an IST; then aligned to 16 bytes.
 * 4. Stack and target must be canonical.
 * 5. SS, RSP, RFLAGS, CS, RIP and the error code are pushed.
 * 6. Only then do the registers change.
 *
 * A fault on the way makes the event one of table 6-5: the second event is delivered instead, or a double fault, or
 * the processor shuts down. An external interrupt that is lost to a serially handled fault is not requested again (its
 * acknowledgement has happened), as on a processor.
 */
import {
  DONE,
  FAULT,
  IMPLICIT,
  type PhysicalMemory,
  SUPERVISOR,
  type TranslationStatus,
  USER,
  WRITE,
  type X86TranslationUnit,
} from "../../../mmu/index.ts";
import { CS, RFLAGS_IF, RFLAGS_NT, RFLAGS_RF, RFLAGS_TF, SS } from "../../frontends/x86-64/state.ts";
import {
  DESCRIPTOR_ACCESSED,
  DESCRIPTOR_P,
  descriptorDpl,
  descriptorRights,
  isCode,
  isConforming,
  isLong,
  isNull,
  loadDescriptor,
  markDescriptor,
  OUTSIDE,
  TYPE_INTERRUPT_GATE,
  TYPE_TRAP_GATE,
} from "./descriptors.ts";
import { readRflags } from "./flags.ts";
import type { SystemAccess } from "./system-access.ts";
import {
  contributionOf,
  hasErrorCode,
  SEVERITY_DOUBLE_FAULT,
  secondEvent,
  VECTOR_DF,
  VECTOR_GP,
  VECTOR_NP,
  VECTOR_PF,
  VECTOR_SS,
  VECTOR_TS,
} from "./vectors.ts";
import {
  CPL,
  CR2,
  CR4,
  CS_SELECTOR,
  GPR_RSP,
  IDTR,
  INTERRUPT_SHADOW,
  LIMIT,
  M_CROSSING,
  M_CS,
  M_CS_DESCRIPTOR,
  M_ERROR,
  M_EVENT,
  M_FAULT_PC,
  M_FLAGS,
  M_GATE,
  M_HAS_ERROR,
  M_KIND,
  M_NEW_CPL,
  M_PC,
  M_RSP,
  M_SEVERITY,
  M_STEP,
  M_TARGET,
  M_VECTOR,
  PC,
  SEGMENT_RIGHTS,
  SS_SELECTOR,
  SYSTEM_FLAGS,
  TR,
  TR_SELECTOR,
} from "./words.ts";

/** Values of M_KIND that delivery owns. */
export const MICRO_NONE = 0;
export const MICRO_DELIVERY = 1;
/** Shutdown: a fault while a double fault was being delivered. */
export const MICRO_SHUTDOWN = 2;

/** Where an event comes from (M_EVENT): EXT of error codes is 0 for software interrupts only. */
export const EVENT_EXCEPTION = 0;
export const EVENT_EXTERNAL = 1;
export const EVENT_SOFTWARE = 2;

/** Steps (M_STEP). */
const GATE_LOW = 0;
const GATE_HIGH = 1;
const CODE_SEGMENT = 2;
const CODE_ACCESSED = 3;
const STACK_POINTER = 4;
const CHECK_ADDRESSES = 5;
/** PUSH_FIRST + n pushes item n: SS, RSP, RFLAGS, CS, RIP, error code. */
const PUSH_FIRST = 6;
const PUSHES = 5;

const CR4_LA57 = 0x1000;
const ERROR_IDT = 2;
/** Offsets in a 64-bit TSS: RSP0 and IST1 (vol. 3A figure 7-11). */
const TSS_RSP0 = 4;
const TSS_IST1 = 36;
/** Bits 63:47, or 63:56 with LA57, equal: sign-extends from this bit of the high word. */
export function canonicalShift(cr4: number): number {
  return (cr4 & CR4_LA57) !== 0 ? 7 : 16;
}

export class TrapDelivery {
  readonly #words: Int32Array;
  readonly #access: SystemAccess;
  readonly #mmu: X86TranslationUnit;
  readonly #ram: Int32Array;

  constructor(words: Int32Array, access: SystemAccess, mmu: X86TranslationUnit, ram: PhysicalMemory) {
    this.#words = words;
    this.#access = access;
    this.#mmu = mmu;
    this.#ram = ram.i32;
  }

  /** An exception of an instruction. (pcLo, pcHi) is saved: this instruction's for a fault, the next one's for a trap. @hot */
  exception(vector: number, error: number, pcLo: number, pcHi: number, isFault: boolean): void {
    const words = this.#words;
    words[M_EVENT] = EVENT_EXCEPTION;
    words[M_SEVERITY] = contributionOf(vector);
    words[M_ERROR] = error;
    words[M_HAS_ERROR] = hasErrorCode(vector) ? 1 : 0;
    words[M_FAULT_PC] = pcLo;
    words[M_FAULT_PC + 1] = pcHi;
    this.#begin(vector, pcLo, pcHi, isFault ? RFLAGS_RF : 0);
  }

  /** An interrupt that the core accepted, or an NMI, between two instructions: PC is saved. */
  external(vector: number): void {
    const words = this.#words;
    words[M_EVENT] = EVENT_EXTERNAL;
    words[M_SEVERITY] = 0;
    words[M_HAS_ERROR] = 0;
    words[M_FAULT_PC] = words[PC];
    words[M_FAULT_PC + 1] = words[PC + 1];
    this.#begin(vector, words[PC], words[PC + 1], 0);
  }

  /** INT n or INT3: PC is the next instruction, (pcLo, pcHi) this one. */
  software(vector: number, pcLo: number, pcHi: number): void {
    const words = this.#words;
    words[M_EVENT] = EVENT_SOFTWARE;
    words[M_SEVERITY] = 0;
    words[M_HAS_ERROR] = 0;
    words[M_FAULT_PC] = pcLo;
    words[M_FAULT_PC + 1] = pcHi;
    this.#begin(vector, words[PC], words[PC + 1], 0);
  }

  /** The operation in the record faults: a system instruction, a return, or a delivery. EXT is added here. */
  fault(vector: number, error: number): TranslationStatus {
    const words = this.#words;
    if (words[M_KIND] !== MICRO_DELIVERY) {
      this.exception(vector, error, words[M_FAULT_PC], words[M_FAULT_PC + 1], true);
      return DONE;
    }
    const external = vector !== VECTOR_PF && words[M_EVENT] !== EVENT_SOFTWARE ? 1 : 0;
    const second = secondEvent(words[M_SEVERITY], vector);
    if (second === VECTOR_DF) {
      this.exception(VECTOR_DF, 0, words[M_FAULT_PC], words[M_FAULT_PC + 1], true);
      words[M_SEVERITY] = SEVERITY_DOUBLE_FAULT;
    } else if (second < 0) {
      words[M_KIND] = MICRO_SHUTDOWN;
    } else {
      this.exception(vector, error | external, words[M_FAULT_PC], words[M_FAULT_PC + 1], true);
    }
    return DONE;
  }

  /**
   * The last access of the operation in the record faulted.
   * @param vector what a non-canonical address is: #GP, #SS or #TS
   * @param error its error code
   */
  accessFault(vector: number, error: number): TranslationStatus {
    const fault = this.#mmu.fault;
    if (fault.cause === "not-canonical") return this.fault(vector, error);
    this.recordPageFault();
    return this.fault(VECTOR_PF, fault.errorCode);
  }

  /** CR2 of the MMU's last fault. */
  recordPageFault(): void {
    this.#words[CR2] = this.#mmu.fault.lo;
    this.#words[CR2 + 1] = this.#mmu.fault.hi;
  }

  /** Goes on until the delivery is done (the event it ends with may be another one) or suspended. @hot */
  step(): TranslationStatus {
    const words = this.#words;
    while (words[M_KIND] === MICRO_DELIVERY) {
      let status: TranslationStatus;
      switch (words[M_STEP]) {
        case GATE_LOW:
          status = this.#gateLow();
          break;
        case GATE_HIGH:
          status = this.#gateHigh();
          break;
        case CODE_SEGMENT:
          status = this.#codeSegment();
          break;
        case CODE_ACCESSED:
          status = this.#codeAccessed();
          break;
        case STACK_POINTER:
          status = this.#stackPointer();
          break;
        case CHECK_ADDRESSES:
          status = this.#checkAddresses();
          break;
        default:
          status = this.#push(words[M_STEP] - PUSH_FIRST);
      }
      if (status !== DONE) return status;
    }
    return DONE;
  }

  /** @hot */
  #begin(vector: number, pcLo: number, pcHi: number, resume: number): void {
    const words = this.#words;
    words[M_KIND] = MICRO_DELIVERY;
    words[M_STEP] = GATE_LOW;
    words[M_VECTOR] = vector;
    words[M_PC] = pcLo;
    words[M_PC + 1] = pcHi;
    words[M_FLAGS] = readRflags(words) | resume;
    words[M_CROSSING] = 0;
    // The access that was going on when the event came is given up.
    this.#mmu.abandon();
  }

  /** Step 1, bytes 7:0: target 15:0, selector, IST, type, DPL, P, target 31:16. @hot */
  #gateLow(): TranslationStatus {
    const words = this.#words;
    const vector = words[M_VECTOR];
    const offset = vector * 16;
    if (offset + 15 > words[IDTR + LIMIT]) return this.fault(VECTOR_GP, vector * 8 + ERROR_IDT);
    const lo = (words[IDTR] + offset) | 0;
    const hi = (words[IDTR + 1] + (lo >>> 0 < words[IDTR] >>> 0 ? 1 : 0)) | 0;
    const status = this.#access.load64(lo, hi, IMPLICIT);
    if (status !== DONE)
      return status === FAULT ? this.accessFault(VECTOR_GP, words[M_VECTOR] * 8 + ERROR_IDT) : status;
    const gate = this.#access.lo;
    const rights = this.#access.hi;
    const type = (rights >>> 8) & 31;
    if (type !== TYPE_INTERRUPT_GATE && type !== TYPE_TRAP_GATE) {
      return this.fault(VECTOR_GP, vector * 8 + ERROR_IDT);
    }
    if (words[M_EVENT] === EVENT_SOFTWARE && descriptorDpl(rights) < words[CPL]) {
      return this.fault(VECTOR_GP, vector * 8 + ERROR_IDT);
    }
    if ((rights & DESCRIPTOR_P) === 0) return this.fault(VECTOR_NP, vector * 8 + ERROR_IDT);
    words[M_CS] = gate >>> 16;
    words[M_TARGET] = (gate & 0xffff) | (rights & 0xffff_0000);
    words[M_GATE] = type | ((rights & 7) << 8);
    words[M_STEP] = GATE_HIGH;
    return DONE;
  }

  /** Step 1, bytes 15:8: target 63:32. @hot */
  #gateHigh(): TranslationStatus {
    const words = this.#words;
    const lo = (words[IDTR] + words[M_VECTOR] * 16 + 8) | 0;
    const hi = (words[IDTR + 1] + (lo >>> 0 < words[IDTR] >>> 0 ? 1 : 0)) | 0;
    const status = this.#access.load64(lo, hi, IMPLICIT);
    if (status !== DONE)
      return status === FAULT ? this.accessFault(VECTOR_GP, words[M_VECTOR] * 8 + ERROR_IDT) : status;
    words[M_TARGET + 1] = this.#access.lo;
    words[M_STEP] = CODE_SEGMENT;
    return DONE;
  }

  /** Step 2. @hot */
  #codeSegment(): TranslationStatus {
    const words = this.#words;
    const selector = words[M_CS];
    if (isNull(selector)) return this.fault(VECTOR_GP, 0);
    const status = loadDescriptor(words, this.#access, selector, 8, 0);
    if (status === OUTSIDE) return this.fault(VECTOR_GP, selector & 0xfffc);
    if (status !== DONE) return status === FAULT ? this.accessFault(VECTOR_GP, selector & 0xfffc) : status;
    const descriptor = this.#access.hi;
    if (!isCode(descriptor) || descriptorDpl(descriptor) > words[CPL] || !isLong(descriptor)) {
      return this.fault(VECTOR_GP, selector & 0xfffc);
    }
    if ((descriptor & DESCRIPTOR_P) === 0) return this.fault(VECTOR_NP, selector & 0xfffc);
    words[M_CS_DESCRIPTOR + 1] = descriptor;
    words[M_NEW_CPL] = isConforming(descriptor) ? words[CPL] : descriptorDpl(descriptor);
    words[M_RSP] = words[GPR_RSP];
    words[M_RSP + 1] = words[GPR_RSP + 1];
    const newStack = words[M_GATE] >>> 8 !== 0 || words[M_NEW_CPL] !== words[CPL];
    if ((descriptor & DESCRIPTOR_ACCESSED) === 0) words[M_STEP] = CODE_ACCESSED;
    else words[M_STEP] = newStack ? STACK_POINTER : CHECK_ADDRESSES;
    return DONE;
  }

  #codeAccessed(): TranslationStatus {
    const words = this.#words;
    const status = markDescriptor(words, this.#access, words[M_CS], 1);
    if (status !== DONE) return status === FAULT ? this.accessFault(VECTOR_GP, words[M_CS] & 0xfffc) : status;
    const newStack = words[M_GATE] >>> 8 !== 0 || words[M_NEW_CPL] !== words[CPL];
    words[M_STEP] = newStack ? STACK_POINTER : CHECK_ADDRESSES;
    return DONE;
  }

  /** Step 3. @hot */
  #stackPointer(): TranslationStatus {
    const words = this.#words;
    const ist = words[M_GATE] >>> 8;
    const offset = ist !== 0 ? TSS_IST1 + (ist - 1) * 8 : TSS_RSP0 + words[M_NEW_CPL] * 8;
    if (offset + 7 > words[TR + LIMIT] >>> 0) return this.fault(VECTOR_TS, words[TR_SELECTOR] & 0xfffc);
    const lo = (words[TR] + offset) | 0;
    const hi = (words[TR + 1] + (lo >>> 0 < words[TR] >>> 0 ? 1 : 0)) | 0;
    const status = this.#access.load64(lo, hi, IMPLICIT);
    if (status !== DONE)
      return status === FAULT ? this.accessFault(VECTOR_TS, words[TR_SELECTOR] & 0xfffc) : status;
    words[M_RSP] = this.#access.lo;
    words[M_RSP + 1] = this.#access.hi;
    words[M_STEP] = CHECK_ADDRESSES;
    return DONE;
  }

  /** End of step 3, and step 4. @hot */
  #checkAddresses(): TranslationStatus {
    const words = this.#words;
    const shift = canonicalShift(words[CR4]);
    words[M_RSP] &= ~15;
    const top = words[M_RSP + 1];
    const lowest = (top - (words[M_RSP] >>> 0 < (PUSHES + words[M_HAS_ERROR]) * 8 ? 1 : 0)) | 0;
    if ((lowest << shift) >> shift !== lowest) return this.fault(VECTOR_SS, 0);
    const target = words[M_TARGET + 1];
    if ((target << shift) >> shift !== target) return this.fault(VECTOR_GP, 0);
    words[M_STEP] = PUSH_FIRST;
    if (words[M_NEW_CPL] !== 3) this.#pushAll();
    return DONE;
  }

  /** Step 5 at once, where no access of it can stop or fault. @hot */
  #pushAll(): void {
    const words = this.#words;
    const bytes = (PUSHES + words[M_HAS_ERROR]) * 8;
    const lo = (words[M_RSP] - bytes) | 0;
    const hi = (words[M_RSP + 1] - (words[M_RSP] >>> 0 < bytes ? 1 : 0)) | 0;
    const pa = this.#access.wholeFrame(lo, hi, bytes, WRITE);
    if (pa < 0) return;
    const ram = this.#ram;
    let at = pa >>> 2;
    if (words[M_HAS_ERROR] !== 0) {
      ram[at] = words[M_ERROR];
      ram[at + 1] = 0;
      at += 2;
    }
    ram[at] = words[M_PC];
    ram[at + 1] = words[M_PC + 1];
    ram[at + 2] = words[CS_SELECTOR];
    ram[at + 3] = 0;
    ram[at + 4] = words[M_FLAGS];
    ram[at + 5] = 0;
    ram[at + 6] = words[GPR_RSP];
    ram[at + 7] = words[GPR_RSP + 1];
    ram[at + 8] = words[SS_SELECTOR];
    ram[at + 9] = 0;
    words[M_RSP] = lo;
    words[M_RSP + 1] = hi;
    this.#commit();
  }

  /** Step 5. @hot */
  #push(item: number): TranslationStatus {
    const words = this.#words;
    let lo: number;
    let hi = 0;
    switch (item) {
      case 0:
        lo = words[SS_SELECTOR];
        break;
      case 1:
        lo = words[GPR_RSP];
        hi = words[GPR_RSP + 1];
        break;
      case 2:
        lo = words[M_FLAGS];
        break;
      case 3:
        lo = words[CS_SELECTOR];
        break;
      case 4:
        lo = words[M_PC];
        hi = words[M_PC + 1];
        break;
      default:
        lo = words[M_ERROR];
    }
    const rspLo = (words[M_RSP] - 8) | 0;
    const rspHi = (words[M_RSP + 1] - (words[M_RSP] >>> 0 < 8 ? 1 : 0)) | 0;
    const privilege = words[M_NEW_CPL] === 3 ? USER : SUPERVISOR;
    const status = this.#access.store64(rspLo, rspHi, privilege, lo, hi);
    if (status !== DONE) return status === FAULT ? this.accessFault(VECTOR_SS, 0) : status;
    words[M_RSP] = rspLo;
    words[M_RSP + 1] = rspHi;
    if (item + 1 < PUSHES + words[M_HAS_ERROR]) words[M_STEP]++;
    else this.#commit();
    return DONE;
  }

  /** Step 6. @hot */
  #commit(): void {
    const words = this.#words;
    const cpl = words[M_NEW_CPL];
    if (cpl !== words[CPL]) {
      // A null selector whose RPL is the new privilege (6.14.2).
      words[SS_SELECTOR] = cpl;
      words[SEGMENT_RIGHTS + SS] = 0;
      words[CPL] = cpl;
    }
    words[CS_SELECTOR] = (words[M_CS] & 0xfffc) | cpl;
    words[SEGMENT_RIGHTS + CS] = descriptorRights(words[M_CS_DESCRIPTOR + 1]);
    words[GPR_RSP] = words[M_RSP];
    words[GPR_RSP + 1] = words[M_RSP + 1];
    words[PC] = words[M_TARGET];
    words[PC + 1] = words[M_TARGET + 1];
    let cleared = RFLAGS_TF | RFLAGS_NT | RFLAGS_RF;
    if ((words[M_GATE] & 15) === TYPE_INTERRUPT_GATE) cleared |= RFLAGS_IF;
    words[SYSTEM_FLAGS] &= ~cleared;
    words[INTERRUPT_SHADOW] = 0;
    words[M_KIND] = MICRO_NONE;
  }
}
