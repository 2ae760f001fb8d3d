/**
 * Far JMP and far CALL in 64-bit mode, to a code segment of the same privilege or a conforming one. Intel SDM vol. 2,
 * "JMP" and "CALL", the parts for code segments. Simplifications: call gates are #GP(selector), and so is compatibility
 * mode (L = 0). A TSS or task gate is #GP(selector) on a processor too.
 */
import { DONE, SUPERVISOR, type TranslationStatus, USER } from "../../../mmu/index.ts";
import { CS } from "../../frontends/x86-64/state.ts";
import { canonicalShift, MICRO_NONE } from "./delivery.ts";
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
} from "./descriptors.ts";
import { Operation } from "./operation.ts";
import { VECTOR_AC, VECTOR_GP, VECTOR_NP, VECTOR_SS } from "./vectors.ts";
import {
  CPL,
  CR4,
  CS_SELECTOR,
  GPR_RSP,
  M_A,
  M_CS,
  M_CS_DESCRIPTOR,
  M_KIND,
  M_RSP,
  M_STEP,
  M_TARGET,
  PC,
  SEGMENT_RIGHTS,
} from "./words.ts";

/** Value of M_KIND. */
export const MICRO_FAR_TRANSFER = 6;

/** Steps. */
const DESCRIPTOR = 0;
const ACCESSED = 1;
const CHECK_TARGET = 2;
const PUSH_CS = 3;
const PUSH_RIP = 4;
const COMMIT = 5;

export class FarTransfer extends Operation {
  /** @param pushBytes 0 for JMP; operand size of CALL: 2, 4 or 8. PC is the next instruction. */
  start(
    selector: number,
    offsetLo: number,
    offsetHi: number,
    pushBytes: 0 | 2 | 4 | 8,
    pcLo: number,
    pcHi: number,
  ): void {
    this.begin(MICRO_FAR_TRANSFER, pcLo, pcHi);
    const words = this.words;
    words[M_CS] = selector & 0xffff;
    words[M_TARGET] = offsetLo;
    words[M_TARGET + 1] = offsetHi;
    words[M_A] = pushBytes;
    words[M_RSP] = words[GPR_RSP];
    words[M_RSP + 1] = words[GPR_RSP + 1];
  }

  protected override next(): TranslationStatus {
    const words = this.words;
    switch (words[M_STEP]) {
      case DESCRIPTOR:
        return this.#descriptor();
      case ACCESSED:
        return this.#accessed();
      case CHECK_TARGET:
        return this.#checkTarget();
      case PUSH_CS:
        return this.#push(words[CS_SELECTOR], 0, PUSH_RIP);
      case PUSH_RIP:
        return this.#push(words[PC], words[PC + 1], COMMIT);
      default:
        return this.#commit();
    }
  }

  #descriptor(): TranslationStatus {
    const words = this.words;
    const selector = words[M_CS];
    const error = selector & 0xfffc;
    if (isNull(selector)) return this.delivery.fault(VECTOR_GP, 0);
    const status = loadDescriptor(words, this.access, selector, 8, 0);
    if (status === OUTSIDE) return this.delivery.fault(VECTOR_GP, error);
    if (status !== DONE) return this.stopped(status, VECTOR_GP, error);
    const descriptor = this.access.hi;
    const dpl = descriptorDpl(descriptor);
    const cpl = words[CPL];
    if (!isCode(descriptor) || !isLong(descriptor)) return this.delivery.fault(VECTOR_GP, error);
    const allowed = isConforming(descriptor) ? dpl <= cpl : dpl === cpl && (selector & 3) <= cpl;
    if (!allowed) return this.delivery.fault(VECTOR_GP, error);
    if ((descriptor & DESCRIPTOR_P) === 0) return this.delivery.fault(VECTOR_NP, error);
    words[M_CS_DESCRIPTOR + 1] = descriptor;
    words[M_STEP] = (descriptor & DESCRIPTOR_ACCESSED) !== 0 ? CHECK_TARGET : ACCESSED;
    return DONE;
  }

  #accessed(): TranslationStatus {
    const words = this.words;
    const status = markDescriptor(words, this.access, words[M_CS], 1);
    if (status !== DONE) return this.stopped(status, VECTOR_GP, words[M_CS] & 0xfffc);
    words[M_STEP] = CHECK_TARGET;
    return DONE;
  }

  #checkTarget(): TranslationStatus {
    const words = this.words;
    const shift = canonicalShift(words[CR4]);
    const target = words[M_TARGET + 1];
    if ((target << shift) >> shift !== target) return this.delivery.fault(VECTOR_GP, 0);
    words[M_STEP] = words[M_A] === 0 ? COMMIT : PUSH_CS;
    return DONE;
  }

  #push(lo: number, hi: number, next: number): TranslationStatus {
    const words = this.words;
    const bytes = words[M_A] as 2 | 4 | 8;
    const rspLo = (words[M_RSP] - bytes) | 0;
    const rspHi = (words[M_RSP + 1] - (words[M_RSP] >>> 0 < bytes ? 1 : 0)) | 0;
    if (this.isMisaligned(rspLo, rspHi, bytes)) return this.delivery.fault(VECTOR_AC, 0);
    const privilege = words[CPL] === 3 ? USER : SUPERVISOR;
    const status = this.access.store(rspLo, rspHi, bytes, privilege, lo, hi);
    if (status !== DONE) return this.stopped(status, VECTOR_SS, 0);
    words[M_RSP] = rspLo;
    words[M_RSP + 1] = rspHi;
    words[M_STEP] = next;
    return DONE;
  }

  #commit(): TranslationStatus {
    const words = this.words;
    words[CS_SELECTOR] = (words[M_CS] & 0xfffc) | words[CPL];
    words[SEGMENT_RIGHTS + CS] = descriptorRights(words[M_CS_DESCRIPTOR + 1]);
    words[GPR_RSP] = words[M_RSP];
    words[GPR_RSP + 1] = words[M_RSP + 1];
    words[PC] = words[M_TARGET];
    words[PC + 1] = words[M_TARGET + 1];
    words[M_KIND] = MICRO_NONE;
    return DONE;
  }
}
