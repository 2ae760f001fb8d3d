/**
 * What each helper of the frontend does (emu/frontends/aarch64/system-helpers.ts): MRS, MSR, system instructions, barriers,
 * hints and calls, with the Exception level and the controls that they hang on. Arm ARM DDI 0487, C6.2, the instruction of
 * that name; C5 "The A64 System Instruction Class".
 */
import { type AArch64TranslationUnit, decodeTlbi, type TlbiOperation, USER } from "../../../mmu/index.ts";
import {
  EC_UNKNOWN,
  isReservedIdentification,
  PSTATE_DIT,
  PSTATE_SP,
  PSTATE_SSBS,
  ROWS,
  SYSTEM_HELPERS,
  systemRegister,
  systemRegisterId,
  undefinedTrap,
} from "../../frontends/aarch64/index.ts";
import type { Gicv3 } from "../../interrupts/index.ts";
import { EC_SYSTEM, EC_WFX, takeSynchronous } from "./exceptions.ts";
import { type MemoryOperation, maintenancePrivilege, OPERATION_NONE } from "./memory-operation.ts";
import { exceptionLevel, setPstate } from "./pstate.ts";
import { systemInstruction } from "./system-instructions.ts";
import {
  ACCESS_DONE,
  ACCESS_TRAPPED,
  ACCESS_UNDEFINED,
  type AccessAnswer,
  SCTLR_NTWE,
  SCTLR_NTWI,
  SCTLR_UMA,
  type SystemRegisters,
} from "./system-registers.ts";
import { ESR, EVENT_REGISTER, MONITOR, PSTATE, SCTLR } from "./words.ts";

const H = SYSTEM_HELPERS;
/** PSTATE fields of MSR (immediate): op1 << 3 | op2. */
const FIELD_SPSEL = 0o05;
const FIELD_PAN = 0o04;
const FIELD_SSBS = 0o31;
const FIELD_DIT = 0o32;
const FIELD_DAIFSET = 0o36;
const FIELD_DAIFCLR = 0o37;
/** ISS of a trapped WFx: CV, COND = AL; TI says which. */
const ISS_WFX = 0x1e0_0000;
const ISS_WFE = 1;
const ISS_READ = 1;
/** CRm of DSB: access types in bits 1:0, domain in bits 3:2. */
const DSB_LOADS = 1;
const DSB_STORES = 2;
const DSB_NON_SHAREABLE = 1;
const REGISTER_31 = 31;
const DAIF_SHIFT = 6;
/** op0 of SYS in an encoding of 16 bits. */
const SYS_ENCODING = 1 << 14;

/** Traps of instructions that are UNDEFINED where they stand, by mnemonic. */
const UNDEFINED = {
  UDF: undefinedNamed("UDF"),
  MRS: undefinedNamed("MRS"),
  MSR: undefinedNamed("MSR"),
  SYS: undefinedNamed("SYS"),
  SYSL: undefinedNamed("SYSL"),
  HVC: undefinedNamed("HVC"),
  SMC: undefinedNamed("SMC"),
  HLT: undefinedNamed("HLT"),
  ERET: undefinedNamed("ERET"),
} as const;

/** What instructions need of their core. */
export interface InstructionCore {
  readonly clock: number;
  readonly regime: 0 | 1;
  readonly gpr: Int32Array;
  /** PSCI has not turned it off. */
  readonly isOn: boolean;
  readonly undefinedCounts: Map<number, number>;
  readonly unknownRegisterCounts: Map<number, number>;
  interruptDeliverable(): boolean;
  /** An exception has been taken. @param what ESR_EL1 */
  entered(what: number): void;
  /** PSTATE or a system register was written: what is derived from it follows. */
  stateChanged(): void;
  /** MSR to a register that has effects takes this much time. */
  chargeRegister(): void;
  setPan(value: 0 | 1): void;
  /** TLBI, here and where it goes to. @param lo Xt */
  invalidate(operation: TlbiOperation, lo: number, hi: number): void;
  barrierDone(): boolean;
  repeatAtBarrier(pcLo: number, pcHi: number): void;
  waitForEvent(): void;
  sleep(): void;
  startMicrocode(): void;
  pause(): void;
  isb(): void;
  sendEvent(): void;
  psci(call: number, argLo: readonly number[], argHi: readonly number[]): number;
  enterKernel(pcLo: number, pcHi: number): void;
  /** ERET. */
  returnFromTrap(): void;
}

export interface InstructionParts {
  readonly words: Int32Array;
  readonly core: InstructionCore;
  readonly gic: Gicv3;
  readonly mmu: AArch64TranslationUnit;
  readonly registers: SystemRegisters;
  readonly operation: MemoryOperation;
}

export class Instructions {
  readonly #words: Int32Array;
  readonly #core: InstructionCore;
  readonly #gic: Gicv3;
  readonly #mmu: AArch64TranslationUnit;
  readonly #registers: SystemRegisters;
  readonly #operation: MemoryOperation;

  constructor(parts: InstructionParts) {
    this.#words = parts.words;
    this.#core = parts.core;
    this.#gic = parts.gic;
    this.#mmu = parts.mmu;
    this.#registers = parts.registers;
    this.#operation = parts.operation;
  }

  /** PC is the following instruction, (pcLo, pcHi) this one; operands as SYSTEM_HELPERS says. */
  execute(helper: number, aLo: number, bLo: number, bHi: number, pcLo: number, pcHi: number): void {
    const core = this.#core;
    switch (helper) {
      case H.KERNEL_ENTER:
        if (core.regime === USER) this.#undefined(UNDEFINED.UDF, pcLo, pcHi);
        else core.enterKernel(pcLo, pcHi);
        return;
      case H.MRS:
        this.#mrs(aLo & 0xffff, aLo >>> 16, pcLo, pcHi);
        return;
      case H.MSR:
        this.#msrInstruction(aLo & 0xffff, aLo >>> 16, bLo, bHi, pcLo, pcHi);
        return;
      case H.MSR_IMMEDIATE:
        this.#msrImmediate(aLo, bLo, pcLo, pcHi);
        return;
      case H.SYS:
        this.#sys(aLo & 0xffff, aLo >>> 16, bLo, bHi, pcLo, pcHi);
        return;
      case H.SYSL:
        this.#undefined(UNDEFINED.SYSL, pcLo, pcHi);
        return;
      case H.DSB:
        this.#dsb(aLo, pcLo, pcHi);
        return;
      case H.ISB:
        core.isb();
        return;
      case H.CLREX:
        this.#words[MONITOR] = 0;
        return;
      case H.YIELD:
        core.pause();
        return;
      case H.WFE:
        this.#wfe(pcLo, pcHi);
        return;
      case H.WFI:
        this.#wfi(pcLo, pcHi);
        return;
      case H.SEV:
        core.sendEvent();
        return;
      case H.SEVL:
        this.#words[EVENT_REGISTER] = 1;
        return;
      case H.HVC:
        this.#firmwareCall(UNDEFINED.HVC, pcLo, pcHi);
        return;
      case H.SMC:
        this.#firmwareCall(UNDEFINED.SMC, pcLo, pcHi);
        return;
      case H.HLT:
        this.#undefined(UNDEFINED.HLT, pcLo, pcHi);
        return;
      case H.ERET:
        if (core.regime === USER) this.#undefined(UNDEFINED.ERET, pcLo, pcHi);
        else core.returnFromTrap();
        return;
      default:
        throw new Error(`Instructions: there is no helper ${helper}`);
    }
  }

  #mrs(id: number, t: number, pcLo: number, pcHi: number): void {
    const known = systemRegister(id);
    if (known === null) {
      if (this.#core.regime !== USER && isReservedIdentification(id)) this.#writeX(t, 0, 0);
      else this.#unknownRegister(id, UNDEFINED.MRS, pcLo, pcHi);
      return;
    }
    const registers = this.#registers;
    const answer = registers.read(known[0], known[1]);
    if (answer === ACCESS_DONE) this.#writeX(t, registers.lo, registers.hi);
    else this.#refuse(answer, id, t, ISS_READ, UNDEFINED.MRS, pcLo, pcHi);
  }

  #msrInstruction(id: number, t: number, lo: number, hi: number, pcLo: number, pcHi: number): void {
    const known = systemRegister(id);
    if (known === null) {
      this.#unknownRegister(id, UNDEFINED.MSR, pcLo, pcHi);
      return;
    }
    const answer = this.#registers.write(known[0], known[1], lo, hi);
    if (answer !== ACCESS_DONE) {
      this.#refuse(answer, id, t, 0, UNDEFINED.MSR, pcLo, pcHi);
      return;
    }
    if (known[1] !== "EL0") this.#core.chargeRegister();
    this.#core.stateChanged();
  }

  /** DAIF at EL0 hangs on SCTLR_EL1.UMA; SSBS and DIT are everybody's; the rest is EL1's. */
  #msrImmediate(field: number, imm: number, pcLo: number, pcHi: number): void {
    const words = this.#words;
    const isUser = this.#core.regime === USER;
    const isDaif = field === FIELD_DAIFSET || field === FIELD_DAIFCLR;
    if (isUser && isDaif && (words[SCTLR] & SCTLR_UMA) === 0) {
      const id = systemRegisterId(0, field >>> 3, 4, imm, field & 7);
      this.#refuse(ACCESS_TRAPPED, id, REGISTER_31, 0, UNDEFINED.MSR, pcLo, pcHi);
      return;
    }
    if (isUser && (field === FIELD_SPSEL || field === FIELD_PAN)) {
      this.#undefined(UNDEFINED.MSR, pcLo, pcHi);
      return;
    }
    switch (field) {
      case FIELD_DAIFSET:
        words[PSTATE] |= imm << DAIF_SHIFT;
        break;
      case FIELD_DAIFCLR:
        words[PSTATE] &= ~(imm << DAIF_SHIFT);
        break;
      case FIELD_SPSEL:
        setPstate(words, (words[PSTATE] & ~PSTATE_SP) | (imm & 1));
        break;
      case FIELD_PAN:
        this.#core.setPan((imm & 1) as 0 | 1);
        break;
      case FIELD_DIT:
        this.#setField(PSTATE_DIT, imm);
        break;
      case FIELD_SSBS:
        this.#setField(PSTATE_SSBS, imm);
        break;
      default:
        // UAO.
        this.#undefined(UNDEFINED.MSR, pcLo, pcHi);
        return;
    }
    this.#core.stateChanged();
  }

  #setField(bit: number, imm: number): void {
    if ((imm & 1) === 0) this.#words[PSTATE] &= ~bit;
    else this.#words[PSTATE] |= bit;
  }

  #sys(id: number, t: number, lo: number, hi: number, pcLo: number, pcHi: number): void {
    const instruction = systemInstruction(id);
    const level = exceptionLevel(this.#words);
    if (instruction === null || (level === 0 && instruction.el0 === "undefined")) {
      if (instruction === null) count(this.#core.unknownRegisterCounts, id | SYS_ENCODING);
      this.#undefined(UNDEFINED.SYS, pcLo, pcHi);
      return;
    }
    if (level === 0 && (this.#words[SCTLR] & (instruction.el0 as number)) === 0) {
      this.#refuse(ACCESS_TRAPPED, id | SYS_ENCODING, t, 0, UNDEFINED.SYS, pcLo, pcHi);
      return;
    }
    const { tlbi, operation, privilege } = instruction;
    if (tlbi !== null) {
      const decoded = decodeTlbi(tlbi.name, tlbi.shareability, lo, hi);
      if (decoded !== null) this.#core.invalidate(decoded, lo, hi);
    } else if (operation !== OPERATION_NONE) {
      const as = privilege === "level" ? maintenancePrivilege(level) : privilege;
      this.#operation.start(operation, lo, hi, instruction.access, as, pcLo, pcHi);
      this.#core.startMicrocode();
    }
  }

  /**
   * DSB. Of the options those with loads and stores complete invalidations, and all but the non-shareable ones those of
   * other cores; SSBB and PSSBB (CRm 0 and 4) are about speculation. A core that has to wait executes the instruction
   * again, so that it may take an interrupt in between.
   */
  #dsb(option: number, pcLo: number, pcHi: number): void {
    const types = option & 3;
    const domain = option >>> 2;
    if (types === DSB_LOADS) {
      this.#mmu.lateStores?.completeOthers();
      return;
    }
    if (types === 0 && domain <= DSB_NON_SHAREABLE) return;
    const isLocal = domain === DSB_NON_SHAREABLE;
    if (types === DSB_STORES) {
      this.#mmu.barrierCompleted(isLocal ? "nshst" : "ishst");
      return;
    }
    if (isLocal) {
      this.#mmu.barrierCompleted("nsh");
      return;
    }
    if (!this.#core.barrierDone()) this.#core.repeatAtBarrier(pcLo, pcHi);
  }

  /** The event register, or sleep until an event or an unmasked interrupt; trapped where it would sleep. */
  #wfe(pcLo: number, pcHi: number): void {
    const words = this.#words;
    if (words[EVENT_REGISTER] === 1) {
      words[EVENT_REGISTER] = 0;
      return;
    }
    if (this.#core.interruptDeliverable()) return;
    if (!this.#isSleepTrapped(SCTLR_NTWE, ISS_WFX | ISS_WFE, pcLo, pcHi)) this.#core.waitForEvent();
  }

  #wfi(pcLo: number, pcHi: number): void {
    this.#gic.advance(this.#core.clock);
    if (this.#gic.irq || this.#isSleepTrapped(SCTLR_NTWI, ISS_WFX, pcLo, pcHi)) return;
    this.#core.sleep();
  }

  /** EL0 may not wait, unless SCTLR_EL1 lets it. */
  #isSleepTrapped(allowed: number, iss: number, pcLo: number, pcHi: number): boolean {
    const words = this.#words;
    if (this.#core.regime !== USER || (words[SCTLR] & allowed) !== 0) return false;
    takeSynchronous(words, EC_WFX, iss, pcLo, pcHi);
    this.#core.entered(words[ESR]);
    return true;
  }

  /** HVC and SMC: at EL0 UNDEFINED. */
  #firmwareCall(undefinedHere: number, pcLo: number, pcHi: number): void {
    if (this.#core.regime === USER) {
      this.#undefined(undefinedHere, pcLo, pcHi);
      return;
    }
    const { gpr } = this.#core;
    const result = this.#core.psci(gpr[0], [gpr[2], gpr[4], gpr[6]], [gpr[3], gpr[5], gpr[7]]);
    if (!this.#core.isOn) return;
    gpr[0] = result;
    gpr[1] = result >> 31;
  }

  /** An access to a register or a system instruction is not done. @param id op0:op1:CRn:CRm:op2 as 16 bits */
  #refuse(
    answer: AccessAnswer,
    id: number,
    t: number,
    direction: number,
    undefinedHere: number,
    pcLo: number,
    pcHi: number,
  ): void {
    if (answer === ACCESS_UNDEFINED) {
      this.#undefined(undefinedHere, pcLo, pcHi);
      return;
    }
    const words = this.#words;
    takeSynchronous(words, EC_SYSTEM, systemIss(id, t, direction), pcLo, pcHi);
    this.#core.entered(words[ESR]);
  }

  #unknownRegister(id: number, trap: number, pcLo: number, pcHi: number): void {
    count(this.#core.unknownRegisterCounts, id);
    this.#undefined(trap, pcLo, pcHi);
  }

  /** UNDEFINED, counted under its mnemonic. */
  #undefined(trap: number, pcLo: number, pcHi: number): void {
    const words = this.#words;
    count(this.#core.undefinedCounts, trap);
    takeSynchronous(words, EC_UNKNOWN, 0, pcLo, pcHi);
    this.#core.entered(words[ESR]);
  }

  #writeX(t: number, lo: number, hi: number): void {
    if (t === REGISTER_31) return;
    this.#core.gpr[t * 2] = lo;
    this.#core.gpr[t * 2 + 1] = hi;
  }
}

/** ISS of a trapped MSR, MRS or System instruction: Op0 Op2 Op1 CRn Rt CRm Direction. @param id op0:op1:CRn:CRm:op2 */
function systemIss(id: number, t: number, direction: number): number {
  const [op0, op1, CRn, CRm, op2] = [
    (id >>> 14) & 3,
    (id >>> 11) & 7,
    (id >>> 7) & 15,
    (id >>> 3) & 15,
    id & 7,
  ];
  return (op0 << 20) | (op2 << 17) | (op1 << 14) | (CRn << 10) | (t << 5) | (CRm << 1) | direction;
}

function undefinedNamed(mnemonic: string): number {
  return undefinedTrap(ROWS.find((row) => row.mnemonic === mnemonic) ?? null);
}

function count(counts: Map<number, number>, key: number): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
