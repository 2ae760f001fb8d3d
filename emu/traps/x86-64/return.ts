/**
 * IRET and far RET in 64-bit mode: Intel SDM vol. 2, "IRET/IRETD/IRETQ" and "RET" (IA-32e-MODE and
 * RETURN-TO-OUTER-PRIVILEGE-LEVEL of their operation sections). A step machine like the delivery: every pop and every
 * descriptor access can be stopped before; registers change only when all checks have passed.
 *
 * Steps of IRET:
 * 1. NT = 1: #GP(0). NMIs are unblocked, whatever follows.
 * 2. RIP, CS, RFLAGS, RSP and SS are popped; 64-bit mode pops the last two always.
 * 3. CS: null, outside its table, RPL < CPL, not code, DPL against RPL, present, 64-bit.
 * 4. SS: null (allowed unless the new CPL is 3), RPL, writable data, DPL, present.
 * 5. RIP is canonical.
 * 6. Registers; to an outer privilege, data segments that it may not use become null.
 *
 * A far RET pops RIP and CS, and RSP and SS only to an outer privilege. Simplification: returns to compatibility mode
 * (a code segment with L = 0) are #GP(selector), as that mode is not there.
 */
import {
  DONE,
  type PhysicalMemory,
  READ,
  SUPERVISOR,
  type TranslationStatus,
  USER,
} from "../../../mmu/index.ts";
import {
  CS,
  DS,
  ES,
  FS,
  GS,
  RFLAGS_AC,
  RFLAGS_ID,
  RFLAGS_IF,
  RFLAGS_IOPL,
  RFLAGS_NT,
  RFLAGS_RF,
  RFLAGS_VIF,
  RFLAGS_VIP,
  SS,
} from "../../frontends/x86-64/state.ts";
import { canonicalShift, MICRO_NONE, type TrapDelivery } from "./delivery.ts";
import {
  DESCRIPTOR_ACCESSED,
  DESCRIPTOR_P,
  descriptorDpl,
  descriptorRights,
  isCode,
  isConforming,
  isLong,
  isNull,
  isWritableData,
  loadDescriptor,
  markDescriptor,
  OUTSIDE,
} from "./descriptors.ts";
import { readRflags, writeRflags } from "./flags.ts";
import { Operation } from "./operation.ts";
import type { SystemAccess } from "./system-access.ts";
import { VECTOR_AC, VECTOR_GP, VECTOR_NP, VECTOR_SS } from "./vectors.ts";
import {
  CPL,
  CR4,
  CS_SELECTOR,
  GPR_RSP,
  INTERRUPT_SHADOW,
  M_A,
  M_B,
  M_CS,
  M_CS_DESCRIPTOR,
  M_FLAGS,
  M_KIND,
  M_NEW_RSP,
  M_RSP,
  M_SS,
  M_SS_DESCRIPTOR,
  M_STEP,
  M_TARGET,
  NMI_BLOCKED,
  PC,
  SEGMENT_RIGHTS,
  SELECTORS,
  SS_SELECTOR,
  SYSTEM_FLAGS,
} from "./words.ts";

/** Values of M_KIND. */
export const MICRO_IRET = 3;
export const MICRO_FAR_RETURN = 4;

/** Steps. */
const START = 0;
const POP_RIP = 1;
const POP_CS = 2;
const POP_RFLAGS = 3;
const POP_RSP = 4;
const POP_SS = 5;
const CODE_SEGMENT = 6;
const CODE_ACCESSED = 7;
const STACK_SEGMENT = 8;
const STACK_ACCESSED = 9;
const COMMIT = 10;

/** CF PF AF ZF SF TF DF OF NT. */
const LOW_FLAGS = 0x4dd5;

export class TrapReturn extends Operation {
  readonly #ram: Int32Array;

  constructor(words: Int32Array, access: SystemAccess, delivery: TrapDelivery, ram: PhysicalMemory) {
    super(words, access, delivery);
    this.#ram = ram.i32;
  }

  /** @param bytes operand size: 2, 4 or 8; (pcLo, pcHi) is what a fault saves */
  startIret(bytes: 2 | 4 | 8, pcLo: number, pcHi: number): void {
    this.#start(MICRO_IRET, bytes, 0, pcLo, pcHi);
  }

  /** @param release bytes of parameters to drop */
  startFarReturn(bytes: 2 | 4 | 8, release: number, pcLo: number, pcHi: number): void {
    this.#start(MICRO_FAR_RETURN, bytes, release, pcLo, pcHi);
  }

  /** @hot */
  protected override next(): TranslationStatus {
    const words = this.words;
    switch (words[M_STEP]) {
      case START:
        return this.#check();
      case CODE_SEGMENT:
        return this.#codeSegment();
      case CODE_ACCESSED:
        return this.#mark(words[M_CS], STACK_SEGMENT);
      case STACK_SEGMENT:
        return this.#stackSegment();
      case STACK_ACCESSED:
        return this.#mark(words[M_SS], COMMIT);
      case COMMIT:
        return this.#commit();
      default:
        return this.#pop();
    }
  }

  #start(kind: number, bytes: number, release: number, pcLo: number, pcHi: number): void {
    this.begin(kind, pcLo, pcHi);
    const words = this.words;
    words[M_A] = bytes;
    words[M_B] = release;
    words[M_RSP] = words[GPR_RSP];
    words[M_RSP + 1] = words[GPR_RSP + 1];
  }

  /** Step 1. */
  #check(): TranslationStatus {
    const words = this.words;
    if (words[M_KIND] === MICRO_IRET) {
      words[NMI_BLOCKED] = 0;
      if ((words[SYSTEM_FLAGS] & RFLAGS_NT) !== 0) return this.delivery.fault(VECTOR_GP, 0);
    }
    words[M_STEP] = POP_RIP;
    if (words[M_KIND] === MICRO_IRET && words[M_A] === 8 && words[CPL] !== 3) this.#popAll();
    return DONE;
  }

  /** Step 2 of IRETQ at once, where no access of it can stop or fault. @hot */
  #popAll(): void {
    const words = this.words;
    const pa = this.access.wholeFrame(words[M_RSP], words[M_RSP + 1], 40, READ);
    if (pa < 0) return;
    const ram = this.#ram;
    const at = pa >>> 2;
    words[M_TARGET] = ram[at];
    words[M_TARGET + 1] = ram[at + 1];
    words[M_CS] = ram[at + 2] & 0xffff;
    words[M_FLAGS] = ram[at + 4];
    words[M_NEW_RSP] = ram[at + 6];
    words[M_NEW_RSP + 1] = ram[at + 7];
    words[M_SS] = ram[at + 8] & 0xffff;
    words[M_STEP] = CODE_SEGMENT;
  }

  /** Step 2, one item. @hot */
  #pop(): TranslationStatus {
    const words = this.words;
    const bytes = words[M_A];
    const privilege = words[CPL] === 3 ? USER : SUPERVISOR;
    const access = this.access;
    if (this.isMisaligned(words[M_RSP], words[M_RSP + 1], bytes)) return this.delivery.fault(VECTOR_AC, 0);
    const status =
      bytes === 8
        ? access.load64(words[M_RSP], words[M_RSP + 1], privilege)
        : access.load(words[M_RSP], words[M_RSP + 1], bytes as 2 | 4, privilege);
    if (status !== DONE) return this.stopped(status, VECTOR_SS, 0);
    this.#release(bytes);
    const far = words[M_KIND] === MICRO_FAR_RETURN;
    switch (words[M_STEP]) {
      case POP_RIP:
        words[M_TARGET] = access.lo;
        words[M_TARGET + 1] = access.hi;
        words[M_STEP] = POP_CS;
        break;
      case POP_CS:
        words[M_CS] = access.lo & 0xffff;
        if (far) this.#release(words[M_B]);
        words[M_STEP] = !far ? POP_RFLAGS : this.#isOuter() ? POP_RSP : CODE_SEGMENT;
        break;
      case POP_RFLAGS:
        words[M_FLAGS] = access.lo;
        words[M_STEP] = POP_RSP;
        break;
      case POP_RSP:
        words[M_NEW_RSP] = access.lo;
        words[M_NEW_RSP + 1] = access.hi;
        words[M_STEP] = POP_SS;
        break;
      default:
        words[M_SS] = access.lo & 0xffff;
        words[M_STEP] = CODE_SEGMENT;
    }
    return DONE;
  }

  /** @hot */
  #release(bytes: number): void {
    const words = this.words;
    const lo = (words[M_RSP] + bytes) | 0;
    if (lo >>> 0 < bytes) words[M_RSP + 1]++;
    words[M_RSP] = lo;
  }

  #isOuter(): boolean {
    return (this.words[M_CS] & 3) > this.words[CPL];
  }

  /** Step 3. @hot */
  #codeSegment(): TranslationStatus {
    const words = this.words;
    const selector = words[M_CS];
    const error = selector & 0xfffc;
    const rpl = selector & 3;
    if (isNull(selector)) return this.delivery.fault(VECTOR_GP, 0);
    const status = loadDescriptor(words, this.access, selector, 8, 0);
    if (status === OUTSIDE) return this.delivery.fault(VECTOR_GP, error);
    if (status !== DONE) return this.stopped(status, VECTOR_GP, error);
    const descriptor = this.access.hi;
    const dpl = descriptorDpl(descriptor);
    if (rpl < words[CPL] || !isCode(descriptor)) return this.delivery.fault(VECTOR_GP, error);
    if (isConforming(descriptor) ? dpl > rpl : dpl !== rpl) return this.delivery.fault(VECTOR_GP, error);
    if (!isLong(descriptor)) return this.delivery.fault(VECTOR_GP, error);
    if ((descriptor & DESCRIPTOR_P) === 0) return this.delivery.fault(VECTOR_NP, error);
    words[M_CS_DESCRIPTOR + 1] = descriptor;
    words[M_STEP] = (descriptor & DESCRIPTOR_ACCESSED) !== 0 ? STACK_SEGMENT : CODE_ACCESSED;
    return DONE;
  }

  /** Step 4. @hot */
  #stackSegment(): TranslationStatus {
    const words = this.words;
    if (words[M_KIND] === MICRO_FAR_RETURN && !this.#isOuter()) {
      words[M_STEP] = COMMIT;
      return DONE;
    }
    const selector = words[M_SS];
    const error = selector & 0xfffc;
    const rpl = words[M_CS] & 3;
    if (isNull(selector)) {
      if (rpl === 3 || (selector & 3) !== rpl) return this.delivery.fault(VECTOR_GP, 0);
      words[M_SS_DESCRIPTOR + 1] = 0;
      words[M_STEP] = COMMIT;
      return DONE;
    }
    if ((selector & 3) !== rpl) return this.delivery.fault(VECTOR_GP, error);
    const status = loadDescriptor(words, this.access, selector, 8, 0);
    if (status === OUTSIDE) return this.delivery.fault(VECTOR_GP, error);
    if (status !== DONE) return this.stopped(status, VECTOR_GP, error);
    const descriptor = this.access.hi;
    if (!isWritableData(descriptor) || descriptorDpl(descriptor) !== rpl) {
      return this.delivery.fault(VECTOR_GP, error);
    }
    if ((descriptor & DESCRIPTOR_P) === 0) return this.delivery.fault(VECTOR_SS, error);
    words[M_SS_DESCRIPTOR + 1] = descriptor;
    words[M_STEP] = (descriptor & DESCRIPTOR_ACCESSED) !== 0 ? COMMIT : STACK_ACCESSED;
    return DONE;
  }

  /** Sets the accessed bit of a descriptor. */
  #mark(selector: number, next: number): TranslationStatus {
    const status = markDescriptor(this.words, this.access, selector, 1);
    if (status !== DONE) return this.stopped(status, VECTOR_GP, selector & 0xfffc);
    this.words[M_STEP] = next;
    return DONE;
  }

  /** Steps 5 and 6. @hot */
  #commit(): TranslationStatus {
    const words = this.words;
    const shift = canonicalShift(words[CR4]);
    const target = words[M_TARGET + 1];
    if ((target << shift) >> shift !== target) return this.delivery.fault(VECTOR_GP, 0);
    const far = words[M_KIND] === MICRO_FAR_RETURN;
    const outer = this.#isOuter();
    if (!far) this.#restoreFlags();
    words[PC] = words[M_TARGET];
    words[PC + 1] = target;
    words[CS_SELECTOR] = words[M_CS];
    words[SEGMENT_RIGHTS + CS] = descriptorRights(words[M_CS_DESCRIPTOR + 1]);
    if (far && !outer) {
      words[GPR_RSP] = words[M_RSP];
      words[GPR_RSP + 1] = words[M_RSP + 1];
    } else {
      words[M_RSP] = words[M_NEW_RSP];
      words[M_RSP + 1] = words[M_NEW_RSP + 1];
      if (far) this.#release(words[M_B]);
      words[GPR_RSP] = words[M_RSP];
      words[GPR_RSP + 1] = words[M_RSP + 1];
      words[SS_SELECTOR] = words[M_SS];
      words[SEGMENT_RIGHTS + SS] = descriptorRights(words[M_SS_DESCRIPTOR + 1]);
    }
    words[CPL] = words[M_CS] & 3;
    if (outer) this.#dropInnerSegments();
    words[INTERRUPT_SHADOW] = 0;
    words[M_KIND] = MICRO_NONE;
    return DONE;
  }

  /** Which flags an IRET may change depends on the privilege it starts at, and on the operand size. @hot */
  #restoreFlags(): void {
    const words = this.words;
    const cpl = words[CPL];
    const wide = words[M_A] !== 2;
    let mask = LOW_FLAGS;
    if (wide) mask |= RFLAGS_RF | RFLAGS_AC | RFLAGS_ID;
    if (cpl <= (words[SYSTEM_FLAGS] & RFLAGS_IOPL) >>> 12) mask |= RFLAGS_IF;
    if (cpl === 0) mask |= wide ? RFLAGS_IOPL | RFLAGS_VIF | RFLAGS_VIP : RFLAGS_IOPL;
    writeRflags(words, (readRflags(words) & ~mask) | (words[M_FLAGS] & mask));
  }

  /** Data and nonconforming code segments more privileged than the new CPL become null; bases stay. */
  #dropInnerSegments(): void {
    this.#dropInner(ES);
    this.#dropInner(DS);
    this.#dropInner(FS);
    this.#dropInner(GS);
  }

  #dropInner(segment: number): void {
    const words = this.words;
    const rights = words[SEGMENT_RIGHTS + segment];
    // Rights bits: 6:5 DPL, 3 code, 2 conforming.
    if (rights === 0 || (rights & 0xc) === 0xc || ((rights >>> 5) & 3) >= words[CPL]) return;
    words[SELECTORS + segment] = 0;
    words[SEGMENT_RIGHTS + segment] = 0;
  }
}
