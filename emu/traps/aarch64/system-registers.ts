/**
 * MRS and MSR. Arm ARM DDI 0487, D24 "AArch64 System Register Descriptions": who may access what, which accesses from EL0
 * are trapped, which bits exist. Interrupt controller and timer registers are the controller's.
 *
 * Simplification: a write takes effect at once, where the manual lets the effect wait for a context synchronization event.
 * Stored without effect: MDSCR_EL1, CPACR_EL1, CONTEXTIDR_EL1, CNTKCTL_EL1's event stream. FPCR and FPSR are UNDEFINED, as
 * floating point is absent; so is UAO.
 */

import type { AArch64TranslationUnit } from "../../../mmu/index.ts";
import {
  PSTATE_DIT,
  PSTATE_EL,
  PSTATE_PAN,
  PSTATE_SP,
  PSTATE_SSBS,
  type SystemRegister,
  type SystemRegisterAccess,
} from "../../frontends/aarch64/index.ts";
import { type Gicv3, ICC_UNDEFINED, type IccRegister, type TimerRegister } from "../../interrupts/index.ts";
import { DCZID_BLOCK, type IdRegisters } from "./id-registers.ts";
import { deriveStackCheck, exceptionLevel, PSTATE_DAIF, setPstate, stackSlot } from "./pstate.ts";
import {
  CNTKCTL,
  MAIR,
  OSLSR,
  PSTATE,
  SCTLR,
  slot,
  TCR,
  TPIDR_EL0,
  TPIDR_EL1,
  TPIDRRO_EL0,
  TTBR0,
  TTBR1,
} from "./words.ts";

/** Answers to an access: it is done; UNDEFINED; trapped to EL1 with class 0x18. */
export const ACCESS_DONE = 0;
export const ACCESS_UNDEFINED = 1;
export const ACCESS_TRAPPED = 2;
export type AccessAnswer = 0 | 1 | 2;

/** SCTLR_EL1. */
export const SCTLR_A: number = 1 << 1;
export const SCTLR_UMA: number = 1 << 9;
export const SCTLR_DZE: number = 1 << 14;
export const SCTLR_UCT: number = 1 << 15;
export const SCTLR_NTWI: number = 1 << 16;
export const SCTLR_NTWE: number = 1 << 18;
export const SCTLR_UCI: number = 1 << 26;
/** nTLSMD, LSMAOE, EIS, EOS, TSCXT: their features are absent; SED, ITD: EL0 has no AArch32. */
const SCTLR_RES1 = 0x3050_0980;
/** M A C SA SA0 UMA I DZE UCT nTWI nTWE WXN SPAN UCI; upper half DSSBS, EPAN. */
const SCTLR_WRITABLE = 0x048d_d21f;
const SCTLR_HI_WRITABLE = 1 << 12;
const SCTLR_HI_EPAN = 1 << 25;
/** At reset M is 0 and SPAN as in a core without PAN; the rest is UNKNOWN. */
const SCTLR_RESET: number = SCTLR_RES1 | (1 << 23);

/** TCR_EL1: bit 6 is RES0; upper half IPS AS TBI HA HD HPD E0PD. */
const TCR_WRITABLE = ~0x40;
const TCR_HI_WRITABLE = 0x0180_07f7;
/** CNTKCTL_EL1. */
const EL0PCTEN = 1;
const EL0VCTEN = 2;
const EL0VTEN = 1 << 8;
const EL0PTEN = 1 << 9;
const CNTKCTL_WRITABLE = 0x3ff;
/** SPSR_EL1: NZCV DIT PAN SS IL SSBS DAIF M. */
export const SPSR_WRITABLE: number = 0xf170_13df | 0;
const MDSCR_WRITABLE = 0x0000_b001;
const CPACR_WRITABLE = 0x0030_0000;
/** OSLSR_EL1: OSLM says that the OS Lock exists; OSLK. */
const OSLSR_LOCK_EXISTS = 8;
const OSLSR_OSLK = 2;
/** ISR_EL1. */
const ISR_I = 0x80;
const DCZID_DZP = 16;

export interface SystemRegisterParts {
  readonly words: Int32Array;
  readonly mmu: AArch64TranslationUnit;
  readonly gic: Gicv3;
  readonly ids: IdRegisters;
}

export class SystemRegisters {
  /** Halves of the value that read() returned. */
  lo = 0;
  hi = 0;
  readonly #words: Int32Array;
  readonly #mmu: AArch64TranslationUnit;
  readonly #gic: Gicv3;
  readonly #ids: IdRegisters;

  constructor(parts: SystemRegisterParts) {
    this.#words = parts.words;
    this.#mmu = parts.mmu;
    this.#gic = parts.gic;
    this.#ids = parts.ids;
  }

  /** Registers whose reset value matters; the others are UNKNOWN and 0 here. */
  reset(): void {
    this.#words[OSLSR] = OSLSR_LOCK_EXISTS | OSLSR_OSLK;
    this.#writeSctlr(SCTLR_RESET, 0);
    this.#mmu.writeTcr(0, 0);
    this.#mmu.writeMair(0, 0);
    this.#mmu.writeTtbr0(0, 0);
    this.#mmu.writeTtbr1(0, 0);
    this.#mmu.setPan(0);
  }

  /** MRS at the present Exception level; on ACCESS_DONE the value is in `lo`, `hi`. */
  read(register: SystemRegister, access: SystemRegisterAccess): AccessAnswer {
    if (access.endsWith("wo")) return ACCESS_UNDEFINED;
    if (exceptionLevel(this.#words) === 0) {
      if (!access.startsWith("EL0")) return ACCESS_UNDEFINED;
      if (this.#isTrapped(register)) return ACCESS_TRAPPED;
    }
    return this.#read(register) ? ACCESS_DONE : ACCESS_UNDEFINED;
  }

  /** MSR (register). PSTATE fields and what follows from SCTLR_EL1 have changed when it returns. */
  write(register: SystemRegister, access: SystemRegisterAccess, lo: number, hi: number): AccessAnswer {
    if (access.endsWith("ro")) return ACCESS_UNDEFINED;
    if (exceptionLevel(this.#words) === 0) {
      if (access !== "EL0") return ACCESS_UNDEFINED;
      if (this.#isTrapped(register)) return ACCESS_TRAPPED;
    }
    return this.#write(register, lo, hi) ? ACCESS_DONE : ACCESS_UNDEFINED;
  }

  /** MRS at EL1 by name; false: UNDEFINED. */
  readByName(register: SystemRegister): boolean {
    return this.#read(register);
  }

  /** MSR at EL1 by name; false: UNDEFINED. */
  writeByName(register: SystemRegister, lo: number, hi: number): boolean {
    return this.#write(register, lo, hi);
  }

  /** EL0 accesses that SCTLR_EL1 and CNTKCTL_EL1 send to EL1. */
  #isTrapped(register: SystemRegister): boolean {
    const sctlr = this.#words[SCTLR];
    const cntkctl = this.#words[CNTKCTL];
    switch (register) {
      case "CTR_EL0":
        return (sctlr & SCTLR_UCT) === 0;
      case "DAIF":
        return (sctlr & SCTLR_UMA) === 0;
      case "CNTFRQ_EL0":
        return (cntkctl & (EL0PCTEN | EL0VCTEN)) === 0;
      case "CNTPCT_EL0":
        return (cntkctl & EL0PCTEN) === 0;
      case "CNTVCT_EL0":
        return (cntkctl & EL0VCTEN) === 0;
      case "CNTP_TVAL_EL0":
      case "CNTP_CTL_EL0":
      case "CNTP_CVAL_EL0":
        return (cntkctl & EL0PTEN) === 0;
      case "CNTV_TVAL_EL0":
      case "CNTV_CTL_EL0":
      case "CNTV_CVAL_EL0":
        return (cntkctl & EL0VTEN) === 0;
      default:
        return false;
    }
  }

  #read(register: SystemRegister): boolean {
    const words = this.#words;
    const pstate = words[PSTATE];
    switch (register) {
      case "CurrentEL":
        return this.#answer(pstate & PSTATE_EL, 0);
      case "SPSel":
        return this.#answer(pstate & PSTATE_SP, 0);
      case "DAIF":
        return this.#answer(pstate & PSTATE_DAIF, 0);
      case "PAN":
        return this.#answer(pstate & PSTATE_PAN, 0);
      case "DIT":
        return this.#answer(pstate & PSTATE_DIT, 0);
      case "SSBS":
        return this.#answer(pstate & PSTATE_SSBS, 0);
      case "SP_EL0":
        // With SP_EL0 selected the register is SP.
        if ((pstate & PSTATE_SP) === 0) return false;
        return this.#answerWord(stackSlot(words, 0));
      case "TPIDR_EL0":
        return this.#answerWord(TPIDR_EL0);
      case "TPIDRRO_EL0":
        return this.#answerWord(TPIDRRO_EL0);
      case "TPIDR_EL1":
        return this.#answerWord(TPIDR_EL1);
      case "DCZID_EL0": {
        const prohibited = exceptionLevel(words) === 0 && (words[SCTLR] & SCTLR_DZE) === 0;
        return this.#answer(DCZID_BLOCK | (prohibited ? DCZID_DZP : 0), 0);
      }
      case "ISR_EL1":
        return this.#answer(this.#gic.irq ? ISR_I : 0, 0);
      case "ACTLR_EL1":
      case "AMAIR_EL1":
      case "AFSR0_EL1":
      case "AFSR1_EL1":
      case "CSSELR_EL1":
      case "OSDLR_EL1":
        return this.#answer(0, 0);
      case "UAO":
      case "FPCR":
      case "FPSR":
      case "NZCV":
        return false;
      default: {
        const id = this.#ids.get(register);
        if (id !== undefined) return this.#answer(id[0], id[1]);
        if (isTimers(register)) {
          const { timer } = this.#gic;
          timer.read(register);
          return this.#answer(timer.valueLo, timer.valueHi);
        }
        if (!isGics(register)) return this.#answerWord(slot(register));
        const value = this.#gic.read(register);
        return value !== ICC_UNDEFINED && this.#answer(value | 0, 0);
      }
    }
  }

  #write(register: SystemRegister, lo: number, hi: number): boolean {
    const words = this.#words;
    switch (register) {
      case "SCTLR_EL1":
        this.#writeSctlr(lo, hi);
        return true;
      case "TCR_EL1":
        this.#store(TCR, lo & TCR_WRITABLE, hi & TCR_HI_WRITABLE);
        this.#mmu.writeTcr(words[TCR], words[TCR + 1]);
        return true;
      case "TTBR0_EL1":
        // CnP is RES0.
        this.#store(TTBR0, lo & ~1, hi);
        this.#mmu.writeTtbr0(lo & ~1, hi);
        return true;
      case "TTBR1_EL1":
        this.#store(TTBR1, lo & ~1, hi);
        this.#mmu.writeTtbr1(lo & ~1, hi);
        return true;
      case "MAIR_EL1":
        this.#store(MAIR, lo, hi);
        this.#mmu.writeMair(lo, hi);
        return true;
      case "SPSel":
        setPstate(words, (words[PSTATE] & ~PSTATE_SP) | (lo & PSTATE_SP));
        return true;
      case "DAIF":
        return this.#writeField(PSTATE_DAIF, lo);
      case "PAN":
        this.#writeField(PSTATE_PAN, lo);
        this.#mmu.setPan((lo & PSTATE_PAN) === 0 ? 0 : 1);
        return true;
      case "DIT":
        return this.#writeField(PSTATE_DIT, lo);
      case "SSBS":
        return this.#writeField(PSTATE_SSBS, lo);
      case "SP_EL0":
        if ((words[PSTATE] & PSTATE_SP) === 0) return false;
        return this.#store(stackSlot(words, 0), lo, hi);
      case "TPIDR_EL0":
        return this.#store(TPIDR_EL0, lo, hi);
      case "TPIDRRO_EL0":
        return this.#store(TPIDRRO_EL0, lo, hi);
      case "TPIDR_EL1":
        return this.#store(TPIDR_EL1, lo, hi);
      case "VBAR_EL1":
        return this.#store(slot(register), lo & ~0x7ff, hi);
      case "SPSR_EL1":
        return this.#store(slot(register), lo & SPSR_WRITABLE, 0);
      case "CNTKCTL_EL1":
        return this.#store(slot(register), lo & CNTKCTL_WRITABLE, 0);
      case "CONTEXTIDR_EL1":
        return this.#store(slot(register), lo, 0);
      case "MDSCR_EL1":
        return this.#store(slot(register), lo & MDSCR_WRITABLE, 0);
      case "CPACR_EL1":
        return this.#store(slot(register), lo & CPACR_WRITABLE, 0);
      case "OSLAR_EL1":
        return this.#store(OSLSR, OSLSR_LOCK_EXISTS | ((lo & 1) === 0 ? 0 : OSLSR_OSLK), 0);
      case "ESR_EL1":
      case "FAR_EL1":
      case "ELR_EL1":
      case "PAR_EL1":
        return this.#store(slot(register), lo, hi);
      case "ACTLR_EL1":
      case "AMAIR_EL1":
      case "AFSR0_EL1":
      case "AFSR1_EL1":
      case "CSSELR_EL1":
      case "OSDLR_EL1":
        return true;
      default:
        if (isTimers(register)) return this.#gic.timer.write(register, lo, hi);
        return isGics(register) && this.#gic.write(register, lo, hi);
    }
  }

  #writeSctlr(lo: number, hi: number): void {
    const writable = SCTLR_HI_WRITABLE | (this.#hasPan3() ? SCTLR_HI_EPAN : 0);
    this.#store(SCTLR, (lo & SCTLR_WRITABLE) | SCTLR_RES1, hi & writable);
    this.#mmu.writeSctlr(this.#words[SCTLR], this.#words[SCTLR + 1]);
    deriveStackCheck(this.#words);
  }

  /** ID_AA64MMFR1_EL1.PAN. */
  #hasPan3(): boolean {
    return ((this.#ids.get("ID_AA64MMFR1_EL1")![0] >>> 20) & 15) >= 3;
  }

  #writeField(mask: number, lo: number): boolean {
    const words = this.#words;
    words[PSTATE] = (words[PSTATE] & ~mask) | (lo & mask);
    return true;
  }

  #store(at: number, lo: number, hi: number): boolean {
    this.#words[at] = lo;
    this.#words[at + 1] = hi;
    return true;
  }

  #answer(lo: number, hi: number): boolean {
    this.lo = lo;
    this.hi = hi;
    return true;
  }

  #answerWord(at: number): boolean {
    return this.#answer(this.#words[at], this.#words[at + 1]);
  }
}

function isTimers(register: SystemRegister): register is TimerRegister {
  return register.startsWith("CNT") && register !== "CNTKCTL_EL1";
}

function isGics(register: SystemRegister): register is IccRegister {
  return register.startsWith("ICC_");
}
