/**
 * Model-specific registers: Intel SDM vol. 4, chapter 2 (architectural MSRs). Any other number, and any reserved bit, is
 * #GP(0); unknown numbers are counted. The local APIC's registers (0x800–0x8ff) are its own.
 */
import { APIC_DONE, MSR_X2APIC_FIRST, MSR_X2APIC_LAST, type X2Apic } from "../../interrupts/index.ts";
import type { Controls } from "./controls.ts";
import { canonicalShift } from "./delivery.ts";
import type { TimeStamp } from "./time-stamp.ts";
import {
  CR4,
  CR8,
  CSTAR,
  EFER,
  FMASK,
  FS_BASE,
  GS_BASE,
  KERNEL_GS_BASE,
  LSTAR,
  MISC_ENABLE,
  PAT,
  STAR,
  TSC_ADJUST,
  TSC_AUX,
} from "./words.ts";

export const MSR_TIME_STAMP_COUNTER = 0x10;
export const MSR_APIC_BASE = 0x1b;
export const MSR_TSC_ADJUST = 0x3b;
export const MSR_XAPIC_DISABLE_STATUS = 0xbd;
export const MSR_ARCH_CAPABILITIES = 0x10a;
export const MSR_MISC_ENABLE = 0x1a0;
export const MSR_PAT = 0x277;
export const MSR_TSC_DEADLINE = 0x6e0;
export const MSR_EFER: number = 0xc000_0080 | 0;
export const MSR_STAR: number = 0xc000_0081 | 0;
export const MSR_LSTAR: number = 0xc000_0082 | 0;
export const MSR_CSTAR: number = 0xc000_0083 | 0;
export const MSR_FMASK: number = 0xc000_0084 | 0;
export const MSR_FS_BASE: number = 0xc000_0100 | 0;
export const MSR_GS_BASE: number = 0xc000_0101 | 0;
export const MSR_KERNEL_GS_BASE: number = 0xc000_0102 | 0;
export const MSR_TSC_AUX: number = 0xc000_0103 | 0;

/** Local APIC at its usual address, enabled, in x2APIC mode; bit 8: boot processor. */
const APIC_BASE_VALUE = 0xfee0_0c00 | 0;
const APIC_BASE_BSP = 0x100;
/** XAPIC_DISABLE_STATUS exists. */
const CAPABILITIES: number = 1 << 21;
const LEGACY_XAPIC_DISABLED = 1;
/** Fast strings: the one bit that may be written; it changes nothing. */
const MISC_FAST_STRINGS = 1;
/** Power-on value of IA32_PAT, vol. 3A 11.12.4. */
const PAT_RESET = 0x0007_0406;

/** What the registers need of their core. */
export interface MsrCore {
  readonly id: number;
  readonly clock: number;
}

export class ModelSpecificRegisters {
  /** Halves of the last value read. */
  lo = 0;
  hi = 0;
  /** Accesses to registers that do not exist, by number. */
  readonly unknown: Map<number, number> = new Map();
  readonly #words: Int32Array;
  readonly #core: MsrCore;
  readonly #apic: X2Apic;
  readonly #controls: Controls;
  readonly #time: TimeStamp;

  constructor(words: Int32Array, core: MsrCore, apic: X2Apic, controls: Controls, time: TimeStamp) {
    this.#words = words;
    this.#core = core;
    this.#apic = apic;
    this.#controls = controls;
    this.#time = time;
  }

  reset(): void {
    this.#words[PAT] = PAT_RESET;
    this.#words[PAT + 1] = PAT_RESET;
    this.#words[MISC_ENABLE] = MISC_FAST_STRINGS;
    this.#words[FMASK] = 0;
  }

  /** RDMSR into lo, hi. False: #GP(0). */
  read(msr: number): boolean {
    const words = this.#words;
    if (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST) {
      if (this.#apic.read(msr) !== APIC_DONE) return this.#refuse(msr);
      return this.#value(this.#apic.valueLo, this.#apic.valueHi);
    }
    switch (msr) {
      case MSR_TIME_STAMP_COUNTER:
        this.#time.read(this.#core.clock);
        return this.#value(this.#time.lo, this.#time.hi);
      case MSR_APIC_BASE:
        return this.#value(this.#apicBase(), 0);
      case MSR_TSC_DEADLINE:
        return this.#value(this.#apic.deadlineLo, this.#apic.deadlineHi);
      case MSR_XAPIC_DISABLE_STATUS:
        return this.#value(LEGACY_XAPIC_DISABLED, 0);
      case MSR_ARCH_CAPABILITIES:
        return this.#value(CAPABILITIES, 0);
      case MSR_MISC_ENABLE:
        return this.#value(words[MISC_ENABLE], 0);
      case MSR_TSC_AUX:
        return this.#value(words[TSC_AUX], 0);
      case MSR_EFER:
        return this.#value(words[EFER], 0);
      default: {
        const slot = pairOf(msr);
        return slot < 0 ? this.#refuse(msr) : this.#value(words[slot], words[slot + 1]);
      }
    }
  }

  /** WRMSR. False: #GP(0). */
  write(msr: number, lo: number, hi: number): boolean {
    const words = this.#words;
    if (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST) {
      const done = this.#apic.write(msr, lo, hi) === APIC_DONE;
      words[CR8] = this.#apic.taskPriority;
      return done || this.#refuse(msr);
    }
    switch (msr) {
      case MSR_TIME_STAMP_COUNTER:
        this.#time.write(this.#core.clock, lo, hi);
        this.#apic.timeStampChanged();
        return true;
      case MSR_TSC_ADJUST:
        this.#time.writeAdjust(lo, hi);
        this.#apic.timeStampChanged();
        return true;
      case MSR_APIC_BASE:
        // The mode is locked and the registers are not in memory: only the value itself may be written back.
        return hi === 0 && lo === this.#apicBase();
      case MSR_TSC_DEADLINE:
        this.#apic.writeDeadline(lo, hi);
        return true;
      case MSR_MISC_ENABLE:
        if (hi !== 0 || (lo & ~MISC_FAST_STRINGS) !== 0) return false;
        words[MISC_ENABLE] = lo;
        return true;
      case MSR_PAT:
        if (!isPat(lo) || !isPat(hi)) return false;
        break;
      case MSR_EFER:
        return this.#controls.writeEfer(lo, hi);
      case MSR_FMASK:
        if (hi !== 0) return false;
        break;
      case MSR_TSC_AUX:
        if (hi !== 0) return false;
        words[TSC_AUX] = lo;
        return true;
      case MSR_LSTAR:
      case MSR_CSTAR:
      case MSR_FS_BASE:
      case MSR_GS_BASE:
      case MSR_KERNEL_GS_BASE: {
        const shift = canonicalShift(words[CR4]);
        if ((hi << shift) >> shift !== hi) return false;
        break;
      }
      default:
    }
    const slot = pairOf(msr);
    if (slot < 0) return this.#refuse(msr);
    words[slot] = lo;
    words[slot + 1] = hi;
    return true;
  }

  #value(lo: number, hi: number): boolean {
    this.lo = lo;
    this.hi = hi;
    return true;
  }

  #refuse(msr: number): boolean {
    const number = msr >>> 0;
    this.unknown.set(number, (this.unknown.get(number) ?? 0) + 1);
    return false;
  }

  #apicBase(): number {
    return this.#core.id === 0 ? APIC_BASE_VALUE | APIC_BASE_BSP : APIC_BASE_VALUE;
  }
}

/** Word of a register that is two words of state, or -1. */
function pairOf(msr: number): number {
  switch (msr) {
    case MSR_TSC_ADJUST:
      return TSC_ADJUST;
    case MSR_PAT:
      return PAT;
    case MSR_STAR:
      return STAR;
    case MSR_LSTAR:
      return LSTAR;
    case MSR_CSTAR:
      return CSTAR;
    case MSR_FMASK:
      return FMASK;
    case MSR_FS_BASE:
      return FS_BASE;
    case MSR_GS_BASE:
      return GS_BASE;
    case MSR_KERNEL_GS_BASE:
      return KERNEL_GS_BASE;
    default:
      return -1;
  }
}

/** Four PAT entries: memory types 0, 1, 4, 5, 6, 7. */
function isPat(word: number): boolean {
  for (let shift = 0; shift < 32; shift += 8) {
    const type = (word >>> shift) & 0xff;
    if (type > 7 || type === 2 || type === 3) return false;
  }
  return true;
}
