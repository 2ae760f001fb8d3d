/**
 * Instructions that read a descriptor: MOV, POP and far pointer loads of segment registers, LLDT, LTR, LAR, LSL, VERR,
 * VERW. Intel SDM vol. 2, the instruction of that name, and vol. 3A 3.4.5, 5.
 *
 * In 64-bit mode a segment load checks type, privilege and presence as ever. FS and GS take the descriptor's base (its
 * 32 bits, zero-extended); a null selector makes it 0, as on Intel's processors and later ones of AMD. The bases of ES,
 * CS, SS and DS are 0, and limits are not used.
 */
import { DONE, type TranslationStatus } from "../../../mmu/index.ts";
import { FS, GS, SS, STATE_FS_BASE, STATE_GS_BASE } from "../../frontends/x86-64/state.ts";
import { SYSTEM_HELPERS } from "../../frontends/x86-64/system-helpers.ts";
import { FLAG_Z, readFlags, writeFlags } from "../../ir/index.ts";
import { canonicalShift, MICRO_NONE, type TrapDelivery } from "./delivery.ts";
import {
  DESCRIPTOR_ACCESSED,
  DESCRIPTOR_P,
  DESCRIPTOR_S,
  DESCRIPTOR_WRITABLE,
  descriptorBase,
  descriptorDpl,
  descriptorLimit,
  descriptorRights,
  descriptorType,
  isCode,
  isConforming,
  isNull,
  isWritableData,
  loadDescriptor,
  markDescriptor,
  OUTSIDE,
  SELECTOR_TI,
  TYPE_CALL_GATE,
  TYPE_LDT,
  TYPE_TSS_AVAILABLE,
  TYPE_TSS_BUSY,
} from "./descriptors.ts";
import { Operation } from "./operation.ts";
import type { SystemAccess } from "./system-access.ts";
import { VECTOR_GP, VECTOR_NP, VECTOR_SS } from "./vectors.ts";
import {
  ATTRIBUTES,
  CPL,
  CR4,
  GPR,
  GPR_RSP,
  LDTR,
  LDTR_SELECTOR,
  LIMIT,
  M_A,
  M_B,
  M_CS_DESCRIPTOR,
  M_HELPER,
  M_KIND,
  M_SS_DESCRIPTOR,
  M_STEP,
  SEGMENT_RIGHTS,
  SELECTORS,
  TR,
  TR_SELECTOR,
} from "./words.ts";

/** Value of M_KIND. */
export const MICRO_SEGMENT = 5;

/** Steps. */
const READ_LOW = 0;
const READ_HIGH = 1;
const MARK = 2;

const H = SYSTEM_HELPERS;

export class Segments extends Operation {
  /** MOV SS opens the interrupt shadow. */
  readonly #openShadow: () => void;

  constructor(words: Int32Array, access: SystemAccess, delivery: TrapDelivery, openShadow: () => void) {
    super(words, access, delivery);
    this.#openShadow = openShadow;
  }

  /**
   * Starts one of the helpers LLDT, LTR, LAR, LSL, VERR, VERW, LOAD_SEGMENT, POP_SEGMENT, LOAD_FAR_POINTER with its
   * operands; privilege of LLDT and LTR has been checked.
   */
  start(
    helper: number,
    aLo: number,
    aHi: number,
    bLo: number,
    bHi: number,
    pcLo: number,
    pcHi: number,
  ): void {
    this.begin(MICRO_SEGMENT, pcLo, pcHi);
    const words = this.words;
    words[M_HELPER] = helper;
    words[M_A] = aLo;
    words[M_A + 1] = aHi;
    words[M_B] = bLo;
    words[M_B + 1] = bHi;
  }

  protected override next(): TranslationStatus {
    switch (this.words[M_STEP]) {
      case READ_LOW:
        return this.#low();
      case READ_HIGH:
        return this.#high();
      default:
        return this.#mark();
    }
  }

  get #selector(): number {
    const words = this.words;
    const helper = words[M_HELPER];
    const operand = helper === H.LOAD_SEGMENT || helper === H.POP_SEGMENT ? words[M_B] : words[M_A];
    return operand & 0xffff;
  }

  /** The segment register that is loaded. */
  get #segment(): number {
    const words = this.words;
    return words[M_HELPER] === H.LOAD_FAR_POINTER ? (words[M_A] >>> 16) & 0xff : words[M_A] & 0xff;
  }

  #low(): TranslationStatus {
    const words = this.words;
    const selector = this.#selector;
    const helper = words[M_HELPER];
    const long = helper === H.LLDT || helper === H.LTR;
    if (isNull(selector)) return this.#null(selector);
    if (long && (selector & SELECTOR_TI) !== 0) return this.#fail(VECTOR_GP);
    const status = loadDescriptor(words, this.access, selector, long ? 16 : 8, 0);
    if (status === OUTSIDE) return isProbe(helper) ? this.#zero(0) : this.#fail(VECTOR_GP);
    if (status !== DONE) return this.stopped(status, VECTOR_GP, this.#selector & 0xfffc);
    const { lo, hi } = this.access;
    words[M_CS_DESCRIPTOR] = lo;
    words[M_CS_DESCRIPTOR + 1] = hi;
    if (isProbe(helper)) return this.#probe(lo, hi);
    return long ? this.#checkSystem(hi) : this.#checkSegment(hi);
  }

  #null(selector: number): TranslationStatus {
    const words = this.words;
    const helper = words[M_HELPER];
    if (isProbe(helper)) return this.#zero(0);
    if (helper === H.LTR) return this.delivery.fault(VECTOR_GP, 0);
    if (helper === H.LLDT) {
      words[LDTR_SELECTOR] = selector;
      words.fill(0, LDTR, LDTR + 4);
      return this.#end();
    }
    const segment = this.#segment;
    // SS may be null in 64-bit mode below CPL 3, with the RPL of the CPL.
    if (segment === SS && (words[CPL] === 3 || (selector & 3) !== words[CPL])) {
      return this.delivery.fault(VECTOR_GP, 0);
    }
    words[SELECTORS + segment] = selector;
    words[SEGMENT_RIGHTS + segment] = 0;
    setBase(words, segment, 0);
    return this.#loaded(segment);
  }

  /** LLDT, LTR: type and presence, then the second half. */
  #checkSystem(hi: number): TranslationStatus {
    const wanted = this.words[M_HELPER] === H.LTR ? TYPE_TSS_AVAILABLE : TYPE_LDT;
    if ((hi & DESCRIPTOR_S) !== 0 || descriptorType(hi) !== wanted) return this.#fail(VECTOR_GP);
    if ((hi & DESCRIPTOR_P) === 0) return this.#fail(VECTOR_NP);
    this.words[M_STEP] = READ_HIGH;
    return DONE;
  }

  /** Base 63:32; the type field of the second half must be 0. */
  #high(): TranslationStatus {
    const words = this.words;
    const status = loadDescriptor(words, this.access, this.#selector, 16, 8);
    if (status === OUTSIDE) return this.#fail(VECTOR_GP);
    if (status !== DONE) return this.stopped(status, VECTOR_GP, this.#selector & 0xfffc);
    const top = this.access.lo;
    const shift = canonicalShift(words[CR4]);
    if ((this.access.hi & 0x1f00) !== 0 || (top << shift) >> shift !== top) return this.#fail(VECTOR_GP);
    words[M_SS_DESCRIPTOR] = top;
    if (words[M_HELPER] === H.LTR) {
      words[M_STEP] = MARK;
      return DONE;
    }
    this.#loadSystem(LDTR, LDTR_SELECTOR);
    return this.#end();
  }

  /** Accessed bit of a segment, busy bit of a TSS. */
  #mark(): TranslationStatus {
    const words = this.words;
    const task = words[M_HELPER] === H.LTR;
    const status = markDescriptor(words, this.access, this.#selector, task ? 2 : 1);
    if (status !== DONE) return this.stopped(status, VECTOR_GP, this.#selector & 0xfffc);
    if (!task) return this.#loadSegment();
    this.#loadSystem(TR, TR_SELECTOR);
    return this.#end();
  }

  #loadSystem(table: number, selectorAt: number): void {
    const words = this.words;
    const lo = words[M_CS_DESCRIPTOR];
    const hi = words[M_CS_DESCRIPTOR + 1];
    words[selectorAt] = this.#selector;
    words[table] = descriptorBase(lo, hi);
    words[table + 1] = words[M_SS_DESCRIPTOR];
    words[table + LIMIT] = descriptorLimit(lo, hi) | 0;
    words[table + ATTRIBUTES] = descriptorRights(hi);
  }

  #checkSegment(hi: number): TranslationStatus {
    const words = this.words;
    const segment = this.#segment;
    const rpl = this.#selector & 3;
    const cpl = words[CPL];
    const dpl = descriptorDpl(hi);
    if (segment === SS) {
      if (rpl !== cpl || !isWritableData(hi) || dpl !== cpl) return this.#fail(VECTOR_GP);
      if ((hi & DESCRIPTOR_P) === 0) return this.#fail(VECTOR_SS);
    } else {
      if ((hi & DESCRIPTOR_S) === 0) return this.#fail(VECTOR_GP);
      const code = isCode(hi);
      if (code && (hi & DESCRIPTOR_WRITABLE) === 0) return this.#fail(VECTOR_GP);
      if (!(code && isConforming(hi)) && (rpl > dpl || cpl > dpl)) return this.#fail(VECTOR_GP);
      if ((hi & DESCRIPTOR_P) === 0) return this.#fail(VECTOR_NP);
    }
    if ((hi & DESCRIPTOR_ACCESSED) === 0) {
      words[M_STEP] = MARK;
      return DONE;
    }
    return this.#loadSegment();
  }

  #loadSegment(): TranslationStatus {
    const words = this.words;
    const segment = this.#segment;
    const lo = words[M_CS_DESCRIPTOR];
    const hi = words[M_CS_DESCRIPTOR + 1];
    words[SELECTORS + segment] = this.#selector;
    words[SEGMENT_RIGHTS + segment] = descriptorRights(hi);
    setBase(words, segment, descriptorBase(lo, hi));
    return this.#loaded(segment);
  }

  /** The rest of the instruction: stack pointer of POP, register of a far pointer load, shadow of MOV SS. */
  #loaded(segment: number): TranslationStatus {
    const words = this.words;
    const helper = words[M_HELPER];
    if (helper === H.POP_SEGMENT) {
      const bytes = (words[M_A] >>> 8) & 0xff;
      const lo = (words[GPR_RSP] + bytes) | 0;
      if (lo >>> 0 < bytes) words[GPR_RSP + 1]++;
      words[GPR_RSP] = lo;
    } else if (helper === H.LOAD_FAR_POINTER) {
      writeRegister(words, (words[M_A] >>> 24) & 0xff, words[M_A + 1], words[M_B], words[M_B + 1]);
    }
    // LSS sets SS and RSP at once and needs no shadow (6.8.3); POP SS does not exist in 64-bit mode.
    if (segment === SS && helper === H.LOAD_SEGMENT) this.#openShadow();
    return this.#end();
  }

  /** LAR, LSL, VERR, VERW of a selector within its table. */
  #probe(lo: number, hi: number): TranslationStatus {
    const words = this.words;
    const helper = words[M_HELPER];
    const rpl = this.#selector & 3;
    const dpl = descriptorDpl(hi);
    const segment = (hi & DESCRIPTOR_S) !== 0;
    const conforming = isCode(hi) && isConforming(hi);
    if (!conforming && (words[CPL] > dpl || rpl > dpl)) return this.#zero(0);
    const writable = (hi & DESCRIPTOR_WRITABLE) !== 0;
    switch (helper) {
      case H.VERR:
        return this.#zero(segment && (!isCode(hi) || writable) ? 1 : 0);
      case H.VERW:
        return this.#zero(isWritableData(hi) ? 1 : 0);
      case H.LAR:
        if (!segment && !hasRights(descriptorType(hi))) return this.#zero(0);
        writeRegister(words, words[M_B] & 0xff, words[M_B] >>> 8, hi & 0x00f0_ff00, 0);
        return this.#zero(1);
      default:
        if (!segment && !hasLimit(descriptorType(hi))) return this.#zero(0);
        writeRegister(words, words[M_B] & 0xff, words[M_B] >>> 8, descriptorLimit(lo, hi) | 0, 0);
        return this.#zero(1);
    }
  }

  #zero(value: 0 | 1): TranslationStatus {
    const flags = readFlags(this.words) & ~FLAG_Z;
    writeFlags(this.words, value !== 0 ? flags | FLAG_Z : flags);
    return this.#end();
  }

  #end(): TranslationStatus {
    this.words[M_KIND] = MICRO_NONE;
    return DONE;
  }

  #fail(vector: number): TranslationStatus {
    return this.delivery.fault(vector, this.#selector & 0xfffc);
  }
}

/** Only FS and GS have a base in 64-bit mode. */
function setBase(words: Int32Array, segment: number, base: number): void {
  if (segment !== FS && segment !== GS) return;
  const at = (segment === FS ? STATE_FS_BASE : STATE_GS_BASE) >> 2;
  words[at] = base;
  words[at + 1] = 0;
}

/** A helper that reports in ZF instead of faulting. */
function isProbe(helper: number): boolean {
  return helper === H.LAR || helper === H.LSL || helper === H.VERR || helper === H.VERW;
}

/** System descriptors that LAR takes in 64-bit mode. */
function hasRights(type: number): boolean {
  return hasLimit(type) || type === TYPE_CALL_GATE;
}

/** System descriptors that LSL takes in 64-bit mode. */
function hasLimit(type: number): boolean {
  return type === TYPE_LDT || type === TYPE_TSS_AVAILABLE || type === TYPE_TSS_BUSY;
}

/** Writes 16, 32 (zero-extended) or 64 bits of a general register. */
export function writeRegister(
  words: Int32Array,
  register: number,
  bits: number,
  lo: number,
  hi: number,
): void {
  const at = GPR + register * 2;
  if (bits === 16) {
    words[at] = (words[at] & ~0xffff) | (lo & 0xffff);
    return;
  }
  words[at] = lo;
  words[at + 1] = bits === 64 ? hi : 0;
}
