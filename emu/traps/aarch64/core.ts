/**
 * An AArch64 core: registers, exceptions, system instructions, power states and interrupt lines around the instructions
 * that an engine executes. Non-secure EL1 and EL0 in AArch64 state; no EL2, no EL3. All of its mutable state lies in the
 * core's state region (words.ts), counters for reports apart.
 *
 * Simplifications: writes of system registers take effect at once, so ISB has nothing to wait for; debug state, software
 * step, breakpoints and watchpoints, SError and the event stream of the timer do not exist.
 *
 * The local monitor is cleared by ERET, not by exception entry, as in the manual.
 */
import {
  type AArch64TranslationFault,
  AArch64TranslationUnit,
  type AccessKind,
  type CoherenceLedger,
  DONE,
  decodeTlbi,
  FAULT,
  FETCH,
  hexOfHalves,
  ISS_WNR,
  type LateStoreBus,
  type PhysicalMemory,
  SUPERVISOR,
  SUSPENDED,
  TLBI_NAMES,
  type TlbiOperation,
  type TranslationObserver,
  type TranslationStatus,
  USER,
} from "../../../mmu/index.ts";
import { Core, stubAt } from "../../cores/index.ts";
import {
  EC_PC_ALIGNMENT,
  EC_UNKNOWN,
  PSTATE_DIT,
  PSTATE_EL,
  PSTATE_F,
  PSTATE_I,
  PSTATE_IL,
  PSTATE_PAN,
  PSTATE_SP,
  PSTATE_SSBS,
  ROWS,
  SYSTEM_HELPERS,
  type SystemRegister,
  systemRegister,
  systemRegisterId,
  trapClass,
  trapIss,
  undefinedTrap,
} from "../../frontends/aarch64/index.ts";
import type { Aarch64Cpu, TlbiInstruction } from "../../hardware.ts";
import {
  type BroadcastBus,
  type BroadcastCore,
  Broadcasts,
  type GicCore,
  Gicv3,
  type Gicv3Bus,
} from "../../interrupts/index.ts";
import type { CoreDomain } from "./domain.ts";
import { dumpRegisters } from "./dump.ts";
import {
  EC_DATA_ABORT,
  EC_INSTRUCTION_ABORT,
  EC_SYSTEM,
  EC_WFX,
  enter,
  exceptionReturn,
  takeAbort,
  takePcAlignment,
  takeSynchronous,
  VECTOR_IRQ,
} from "./exceptions.ts";
import { hashRegisters } from "./hash.ts";
import { idRegisters } from "./id-registers.ts";
import { InFlight } from "./in-flight.ts";
import { MemoryOperation, maintenancePrivilege, OPERATION_NONE } from "./memory-operation.ts";
import type { Aarch64Profile } from "./profile.ts";
import { callFirmware, isPowerOn } from "./psci.ts";
import { exceptionLevel, PSTATE_DAIF, PSTATE_EL1, setPstate, stackSlot, writeNzcv } from "./pstate.ts";
import { SLEEP_IDLE, SLEEP_WFI } from "./sleep.ts";
import { systemInstruction, tlbiByName } from "./system-instructions.ts";
import {
  ACCESS_DONE,
  ACCESS_TRAPPED,
  ACCESS_UNDEFINED,
  type AccessAnswer,
  SCTLR_A,
  SCTLR_NTWE,
  SCTLR_NTWI,
  SCTLR_UMA,
  SPSR_WRITABLE,
  SystemRegisters,
} from "./system-registers.ts";
import {
  CONTROLLER_BASE,
  ELR,
  ESR,
  EVENT_REGISTER,
  FAR,
  GPR,
  MONITOR,
  PC,
  PSTATE,
  RECORD_FIRST,
  RECORD_LAST,
  REGISTERS_FIRST,
  REGISTERS_LAST,
  SCTLR,
  SLEEP,
  SP,
  SPSR,
  SYSTEM_FIRST,
  SYSTEM_LAST,
} from "./words.ts";

const H = SYSTEM_HELPERS;
/** Words of the parts: 8-byte aligned in memory, the translation unit on a cache line. */
const BROADCASTS_BASE: number = (CONTROLLER_BASE + Gicv3.words + 1) & ~1;
const MMU_BASE: number = (BROADCASTS_BASE + Broadcasts.words + 15) & ~15;
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
/** memAttr() bits: order of an access. */
const ATTR_ORDER = 0xe;
const ATTR_LOCKED = 4 << 1;
const ATTR_MODIFY = 6 << 1;
const REGISTER_31 = 31;
/** waitAddress of a core in WFE: no word has it. */
const WAITS_FOR_EVENT = 1;
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

export interface Aarch64CoreOptions {
  readonly profile: Aarch64Profile;
  readonly domain: CoreDomain;
  readonly bus: Gicv3Bus;
  readonly broadcasts: BroadcastBus;
  readonly policy: "typical" | "adversarial";
  readonly seed: number;
  readonly observer: TranslationObserver | null;
  readonly ledger: CoherenceLedger | null;
  readonly isKernelText: (frame: number) => boolean;
  /** Page-table stores may reach walkers late in exploring runs; null: they do not. */
  readonly lateStores: LateStoreBus | null;
}

/** Plain counts of a core that no result depends on. */
export interface Aarch64CoreCounts {
  pauses: number;
  interrupts: number;
  /** By trap number of the frontend: undefined or unimplemented instructions. */
  undefined: [number, number][];
  /** By op0:op1:CRn:CRm:op2 as 16 bits: MRS and MSR of registers that do not exist. */
  unknownRegisters: [number, number][];
}

export class Aarch64Core extends Core implements Aarch64Cpu, GicCore, BroadcastCore {
  /** Words of state of a core: a multiple of 16, so that cores side by side stay aligned. */
  static stateWords(profile: Aarch64Profile): number {
    return (MMU_BASE + AArch64TranslationUnit.stateWords(profile.translation) + 15) & ~15;
  }

  readonly mmu: AArch64TranslationUnit;
  readonly interrupts: Gicv3;
  override readonly broadcasts: InFlight;
  readonly gpr: Int32Array;
  readonly profile: Aarch64Profile;
  interruptsAccepted = 0;
  /** Accesses to system registers that do not exist, by encoding. */
  readonly unknownRegisterCounts: Map<number, number> = new Map();
  readonly #domain: CoreDomain;
  readonly #registers: SystemRegisters;
  readonly #operation: MemoryOperation;
  readonly #isKernelText: (frame: number) => boolean;

  /** In reset state, off. The machine lets the boot core execute. */
  constructor(id: number, ram: PhysicalMemory, stateOffset: number, options: Aarch64CoreOptions) {
    const { profile } = options;
    super(id, ram, stateOffset, Aarch64Core.stateWords(profile));
    this.profile = profile;
    this.#domain = options.domain;
    this.#isKernelText = options.isKernelText;
    const words = this.state;
    this.gpr = words.subarray(GPR, GPR + 62);
    this.mmu = new AArch64TranslationUnit({
      core: id,
      profile: profile.translation,
      state: words.subarray(MMU_BASE),
      ram,
      budget: this.budget,
      policy: options.policy,
      seed: options.seed,
      observer: options.observer,
      ledger: options.ledger,
      lateStores: options.lateStores,
    });
    this.interrupts = new Gicv3({
      id,
      core: this,
      bus: options.bus,
      words,
      base: CONTROLLER_BASE,
      cyclesPerTick: profile.cyclesPerTick,
      counterFrequency: profile.cyclesPerSecond / profile.cyclesPerTick,
    });
    const received = { core: this, bus: options.broadcasts, words, base: BROADCASTS_BASE };
    this.broadcasts = new InFlight(new Broadcasts(received), this.mmu.lateStores);
    this.#registers = new SystemRegisters({
      words,
      mmu: this.mmu,
      gic: this.interrupts,
      ids: idRegisters(id, profile),
    });
    this.#operation = new MemoryOperation({ words, mmu: this.mmu, ram });
    this.#reset();
    options.domain.attach(this);
  }

  // What the engine and the core scheduler call

  get regime(): 0 | 1 {
    return (this.state[PSTATE] & PSTATE_EL) === 0 ? USER : SUPERVISOR;
  }

  interruptDeliverable(): boolean {
    return this.interrupts.irq && (this.state[PSTATE] & PSTATE_I) === 0;
  }

  /** The controller signals IRQ alone (gicv3.ts says why), so FIQ is never taken. */
  acceptInterrupt(): void {
    const words = this.state;
    this.interruptsAccepted++;
    enter(words, VECTOR_IRQ, words[PC], words[PC + 1]);
    this.#entered(VECTOR_IRQ);
  }

  raiseTrap(trap: number): void {
    const words = this.state;
    const exceptionClass = trapClass(trap);
    if (exceptionClass === EC_UNKNOWN) count(this.undefinedCounts, trap);
    if (exceptionClass === EC_PC_ALIGNMENT) takePcAlignment(words, words[PC], words[PC + 1]);
    else takeSynchronous(words, exceptionClass, trapIss(trap), words[PC], words[PC + 1]);
    this.#entered(words[ESR]);
  }

  raiseTranslationFault(attr: number): void {
    const words = this.state;
    const { fault } = this.mmu;
    if (fault.kind === FETCH) {
      if ((words[PC] & 3) !== 0) takePcAlignment(words, words[PC], words[PC + 1]);
      else takeAbort(words, EC_INSTRUCTION_ABORT, fault.statusCode, words[PC], words[PC + 1]);
    } else {
      if (fault.cause === "alignment") this.mmu.raiseAlignment(fault.lo, fault.hi, fault.kind, this.regime);
      takeAbort(words, EC_DATA_ABORT, dataAbortIss(fault, attr), fault.lo, fault.hi);
    }
    this.#entered(words[ESR]);
  }

  microstep(): TranslationStatus {
    const status = this.#operation.step();
    if (status === SUSPENDED) return status;
    if (status === FAULT) this.#entered(this.state[ESR]);
    else this.phase = "execute";
    return DONE;
  }

  helper(
    helper: number,
    aLo: number,
    _aHi: number,
    bLo: number,
    bHi: number,
    pcLo: number,
    pcHi: number,
  ): void {
    switch (helper) {
      case H.KERNEL_ENTER:
        if (this.regime === USER) this.#undefined(UNDEFINED.UDF, pcLo, pcHi);
        else this.#enterKernel(pcLo, pcHi);
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
        this.isb();
        return;
      case H.CLREX:
        this.state[MONITOR] = 0;
        return;
      case H.YIELD:
        if (this.regime === USER) this.pauses++;
        this.charge(this.profile.yieldCycles);
        return;
      case H.WFE:
        this.#wfe(pcLo, pcHi);
        return;
      case H.WFI:
        this.#wfi(pcLo, pcHi);
        return;
      case H.SEV:
        this.#domain.sendEvent();
        return;
      case H.SEVL:
        this.state[EVENT_REGISTER] = 1;
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
        if (this.regime === USER) this.#undefined(UNDEFINED.ERET, pcLo, pcHi);
        else this.returnFromTrap();
        return;
      default:
        throw new Error(`Aarch64Core: there is no helper ${helper}`);
    }
  }

  interruptsEnabled(): boolean {
    return (this.state[PSTATE] & PSTATE_I) === 0;
  }

  /** MSR DAIFSet, #3 and DAIFClr, #3, as Linux has them: FIQ goes with IRQ. */
  setInterruptsEnabled(enabled: boolean): void {
    if (!enabled) {
      // The limit may stay too low: a point past it finds nothing to accept, and computes it afresh.
      this.state[PSTATE] |= PSTATE_I | PSTATE_F;
      return;
    }
    this.state[PSTATE] &= ~(PSTATE_I | PSTATE_F);
    // Else the limit was found with interrupts on, and everything that can change it since has found it afresh.
    if (this.limitIsMasked || this.interrupts.irq) this.updatePointLimit();
  }

  /** ERET. */
  returnFromTrap(): void {
    const words = this.state;
    exceptionReturn(words);
    words[EVENT_REGISTER] = 1;
    this.mmu.synchronise();
    this.clock += this.profile.returnCycles;
    this.mmu.setPan((words[PSTATE] & PSTATE_PAN) === 0 ? 0 : 1);
    if ((words[PSTATE] & PSTATE_IL) === 0) this.phase = "execute";
    else {
      this.#operation.startIllegal();
      this.phase = "microcode";
    }
    this.updatePointLimit();
  }

  /** Idle: WFI, and the interrupt that ends it is taken. */
  override halt(): void {
    this.state[PSTATE] &= ~(PSTATE_I | PSTATE_F);
    this.state[SLEEP] = SLEEP_IDLE;
    super.halt();
  }

  /** WFI ends with an interrupt that PSTATE masks, too. @hot */
  override wakes(): boolean {
    return this.phase === "halted" && this.state[SLEEP] === SLEEP_WFI && this.interrupts.irq;
  }

  protected override wakeTime(): number {
    const isWfi = this.phase === "halted" && this.state[SLEEP] === SLEEP_WFI;
    return isWfi ? this.interrupts.nextEventTime : super.wakeTime();
  }

  /** WFE ends with an event. */
  override wordChanged(): boolean {
    if (this.waitAddress === WAITS_FOR_EVENT) return this.state[EVENT_REGISTER] === 1;
    return super.wordChanged();
  }

  override endWait(time: number): void {
    if (this.waitAddress === WAITS_FOR_EVENT) this.state[EVENT_REGISTER] = 0;
    super.endWait(time);
  }

  /** The global monitor's change from Exclusive to Open is an event for WFE; B2.10.2, D1.6.1. */
  override monitorOpened(): void {
    this.state[EVENT_REGISTER] = 1;
  }

  architecturalHash(): number {
    return this.broadcasts.hash(this.interrupts.hash(hashRegisters(this.state)));
  }

  protected saveArchitecture(): Aarch64CoreCounts {
    return {
      pauses: this.pauses,
      interrupts: this.interruptsAccepted,
      undefined: [...this.undefinedCounts],
      unknownRegisters: [...this.unknownRegisterCounts],
    };
  }

  protected restoreArchitecture(saved: Aarch64CoreCounts): void {
    this.pauses = saved.pauses;
    this.interruptsAccepted = saved.interrupts;
    restoreMap(this.undefinedCounts, saved.undefined);
    restoreMap(this.unknownRegisterCounts, saved.unknownRegisters);
  }

  /** Registers as text. */
  dump(): string {
    return `core ${this.id}, clock ${this.clock}\n${dumpRegisters(this.state)}`;
  }

  // Aarch64Cpu: what the kernel calls

  /** LDTR or STTR, as the kernel's user copies have them: the rights of EL0, and PSTATE.PAN has no say. */
  override access(lo: number, hi: number, kind: AccessKind): TranslationStatus {
    const status = this.mmu.translate(lo, hi, kind, USER);
    this.takeStalls();
    if (status === DONE) this.accessPa = this.mmu.pa;
    this.accessSuspended = status === SUSPENDED;
    return status;
  }

  readPcLo(): number {
    return this.state[PC];
  }

  readPcHi(): number {
    return this.state[PC + 1];
  }

  spLo(level: 0 | 1): number {
    return this.state[stackSlot(this.state, level)];
  }

  spHi(level: 0 | 1): number {
    return this.state[stackSlot(this.state, level) + 1];
  }

  writeSp(level: 0 | 1, lo: number, hi: number): void {
    const at = stackSlot(this.state, level);
    this.state[at] = lo;
    this.state[at + 1] = hi;
  }

  get elrLo(): number {
    return this.state[ELR];
  }

  get elrHi(): number {
    return this.state[ELR + 1];
  }

  get spsr(): number {
    return this.state[SPSR];
  }

  get esr(): number {
    return this.state[ESR];
  }

  get farLo(): number {
    return this.state[FAR];
  }

  get farHi(): number {
    return this.state[FAR + 1];
  }

  writeElr(lo: number, hi: number): void {
    this.state[ELR] = lo;
    this.state[ELR + 1] = hi;
  }

  writeSpsr(value: number): void {
    this.state[SPSR] = value & SPSR_WRITABLE;
  }

  mrsLo(register: SystemRegister): number {
    if (!this.#registers.readByName(register)) throw new Error(`mrs ${register}: UNDEFINED`);
    return this.#registers.lo;
  }

  mrsHi(register: SystemRegister): number {
    if (!this.#registers.readByName(register)) throw new Error(`mrs ${register}: UNDEFINED`);
    return this.#registers.hi;
  }

  msr(register: SystemRegister, lo: number, hi: number): void {
    this.clock += this.profile.systemRegisterCycles;
    if (!this.#registers.writeByName(register, lo, hi)) throw new Error(`msr ${register}: UNDEFINED`);
    this.#stateChanged();
  }

  setPan(value: 0 | 1): void {
    if (value === 0) this.state[PSTATE] &= ~PSTATE_PAN;
    else this.state[PSTATE] |= PSTATE_PAN;
    this.mmu.setPan(value);
  }

  tlbi(name: TlbiInstruction, lo: number, hi: number): void {
    const operation = tlbiByName(name, lo, hi);
    if (operation !== null) this.#invalidate(operation, lo, hi);
  }

  /** Invalidations are completed by a barrier of loads and stores alone, and of other cores by an inner shareable one. */
  dsb(option: "ish" | "ishst" | "nsh" | "nshst"): boolean {
    if (option === "ish") return this.barrierDone();
    this.mmu.barrierCompleted(option);
    return true;
  }

  override barrierDone(): boolean {
    if (!super.barrierDone()) return false;
    this.mmu.barrierCompleted("ish");
    return true;
  }

  isb(): void {
    this.mmu.synchronise();
    this.charge(this.profile.systemRegisterCycles);
  }

  readRedistributor(offset: number): number {
    return this.interrupts.readRedistributor(offset);
  }

  writeRedistributor(offset: number, value: number): void {
    this.interrupts.writeRedistributor(offset, value);
  }

  psci(call: number, argLo: readonly number[], argHi: readonly number[]): number {
    // A core that has been started runs beside this one from then on: the slice was not made for that.
    if (isPowerOn(call)) this.endSlice();
    return callFirmware({
      core: this,
      cores: this.#domain.cores,
      ramBytes: this.ram.sizeBytes,
      clock: this.clock,
      call: call >>> 0,
      argLo,
      argHi,
    });
  }

  // Power

  get isOn(): boolean {
    return this.phase !== "parked";
  }

  powerOff(): void {
    this.mmu.abandon();
    this.mmu.lateStores?.completeAll();
    this.phase = "parked";
    this.host.trace(this, "power-off", 0, 0);
  }

  /** PSCI CPU_ON, DEN 0022 6.4: EL1h, stage 1 and caches off, DAIF masked, the context in X0. */
  powerOn(entryLo: number, entryHi: number, contextLo: number, contextHi: number, senderClock: number): void {
    this.#reset();
    const words = this.state;
    words[PC] = entryLo;
    words[PC + 1] = entryHi;
    words[GPR] = contextLo;
    words[GPR + 1] = contextHi;
    const arrival = senderClock + this.profile.messageLatencyCycles;
    if (this.clock < arrival) this.clock = arrival;
    this.phase = "execute";
    this.host.trace(this, "startup", entryLo, entryHi);
  }

  /** SEV of a core. */
  eventSent(): void {
    this.state[EVENT_REGISTER] = 1;
  }

  // BroadcastCore

  applyBroadcast(code: number, lo: number, hi: number): void {
    const operation = decodeTlbi(TLBI_NAMES[code]!, "inner", lo, hi);
    if (operation !== null) this.mmu.drop(operation);
  }

  // GicCore

  sent(lo: number, hi: number): void {
    this.host.trace(this, "ipi", lo, hi);
    this.endSlice();
  }

  // Instructions

  #mrs(id: number, t: number, pcLo: number, pcHi: number): void {
    const known = systemRegister(id);
    if (known === null) {
      this.#unknownRegister(id, UNDEFINED.MRS, pcLo, pcHi);
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
    if (known[1] !== "EL0") this.charge(this.profile.systemRegisterCycles);
    this.#stateChanged();
  }

  /** DAIF at EL0 hangs on SCTLR_EL1.UMA; SSBS and DIT are everybody's; the rest is EL1's. */
  #msrImmediate(field: number, imm: number, pcLo: number, pcHi: number): void {
    const words = this.state;
    const isUser = this.regime === USER;
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
        this.setPan((imm & 1) as 0 | 1);
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
    this.#stateChanged();
  }

  #setField(bit: number, imm: number): void {
    if ((imm & 1) === 0) this.state[PSTATE] &= ~bit;
    else this.state[PSTATE] |= bit;
  }

  #sys(id: number, t: number, lo: number, hi: number, pcLo: number, pcHi: number): void {
    const instruction = systemInstruction(id);
    const level = exceptionLevel(this.state);
    if (instruction === null || (level === 0 && instruction.el0 === "undefined")) {
      if (instruction === null) count(this.unknownRegisterCounts, id | SYS_ENCODING);
      this.#undefined(UNDEFINED.SYS, pcLo, pcHi);
      return;
    }
    if (level === 0 && (this.state[SCTLR] & (instruction.el0 as number)) === 0) {
      this.#refuse(ACCESS_TRAPPED, id | SYS_ENCODING, t, 0, UNDEFINED.SYS, pcLo, pcHi);
      return;
    }
    const { tlbi, operation, privilege } = instruction;
    if (tlbi !== null) {
      const decoded = decodeTlbi(tlbi.name, tlbi.shareability, lo, hi);
      if (decoded !== null) this.#invalidate(decoded, lo, hi);
    } else if (operation !== OPERATION_NONE) {
      const as = privilege === "level" ? maintenancePrivilege(level) : privilege;
      this.#operation.start(operation, lo, hi, instruction.access, as, pcLo, pcHi);
      this.phase = "microcode";
    }
  }

  /** Of the inner and outer shareable forms every other core drops what they name at a moment of its own. */
  #invalidate(operation: TlbiOperation, lo: number, hi: number): void {
    this.mmu.issue(operation);
    this.mmu.drop(operation);
    if (operation.shareability === "local") return;
    this.host.trace(this, "broadcast", lo, hi);
    this.broadcasts.send(TLBI_NAMES.indexOf(operation.name), lo, hi);
  }

  /**
   * DSB. Of the options those with loads and stores complete invalidations, and all but the non-shareable ones those of
   * other cores; SSBB and PSSBB (CRm 0 and 4) are about speculation. A core that has to wait executes the instruction
   * again, so that it may take an interrupt in between.
   */
  #dsb(option: number, pcLo: number, pcHi: number): void {
    const types = option & 3;
    const domain = option >>> 2;
    if (types === DSB_LOADS || (types === 0 && domain <= DSB_NON_SHAREABLE)) return;
    const isLocal = domain === DSB_NON_SHAREABLE;
    if (types === DSB_STORES) {
      this.mmu.barrierCompleted(isLocal ? "nshst" : "ishst");
      return;
    }
    if (isLocal) {
      this.mmu.barrierCompleted("nsh");
      return;
    }
    if (this.barrierDone()) return;
    this.state[PC] = pcLo;
    this.state[PC + 1] = pcHi;
    this.retired--;
    this.clock--;
    this.waitForBarrier();
    this.endSlice();
  }

  /** The event register, or sleep until an event or an unmasked interrupt; trapped where it would sleep. */
  #wfe(pcLo: number, pcHi: number): void {
    const words = this.state;
    if (words[EVENT_REGISTER] === 1) {
      words[EVENT_REGISTER] = 0;
      return;
    }
    if (this.interruptDeliverable()) return;
    if (this.#isSleepTrapped(SCTLR_NTWE, ISS_WFX | ISS_WFE, pcLo, pcHi)) return;
    this.waitAddress = WAITS_FOR_EVENT;
    this.atBarrier = false;
    this.endSlice();
  }

  #wfi(pcLo: number, pcHi: number): void {
    const { interrupts } = this;
    interrupts.advance(this.clock);
    if (interrupts.irq || this.#isSleepTrapped(SCTLR_NTWI, ISS_WFX, pcLo, pcHi)) return;
    this.state[SLEEP] = SLEEP_WFI;
    this.phase = "halted";
  }

  /** EL0 may not wait, unless SCTLR_EL1 lets it. */
  #isSleepTrapped(allowed: number, iss: number, pcLo: number, pcHi: number): boolean {
    const words = this.state;
    if (this.regime !== USER || (words[SCTLR] & allowed) !== 0) return false;
    takeSynchronous(words, EC_WFX, iss, pcLo, pcHi);
    this.#entered(words[ESR]);
    return true;
  }

  /** HVC and SMC: at EL0 UNDEFINED. */
  #firmwareCall(undefinedHere: number, pcLo: number, pcHi: number): void {
    if (this.regime === USER) {
      this.#undefined(undefinedHere, pcLo, pcHi);
      return;
    }
    const { gpr } = this;
    const result = this.psci(gpr[0], [gpr[2], gpr[4], gpr[6]], [gpr[3], gpr[5], gpr[7]]);
    if (this.phase === "parked") return;
    gpr[0] = result;
    gpr[1] = result >> 31;
  }

  #enterKernel(pcLo: number, pcHi: number): void {
    const stub = stubAt(this.mmu, pcLo, pcHi, this.#isKernelText);
    this.phase = "kernel";
    this.host.kernel.enter(this, stub);
  }

  // Exceptions

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
    const words = this.state;
    takeSynchronous(words, EC_SYSTEM, systemIss(id, t, direction), pcLo, pcHi);
    this.#entered(words[ESR]);
  }

  #unknownRegister(id: number, trap: number, pcLo: number, pcHi: number): void {
    count(this.unknownRegisterCounts, id);
    this.#undefined(trap, pcLo, pcHi);
  }

  /** UNDEFINED, counted under its mnemonic. */
  #undefined(trap: number, pcLo: number, pcHi: number): void {
    const words = this.state;
    count(this.undefinedCounts, trap);
    takeSynchronous(words, EC_UNKNOWN, 0, pcLo, pcHi);
    this.#entered(words[ESR]);
  }

  /** An exception has been taken. @param what ESR_EL1, or the vector of an interrupt @hot */
  #entered(what: number): void {
    const words = this.state;
    this.phase = "execute";
    this.clock += this.profile.exceptionCycles;
    // Kernel code may have been in the middle of an access (Cpu.access) when an interrupt came.
    this.mmu.abandon();
    this.mmu.synchronise();
    this.mmu.setPan((words[PSTATE] & PSTATE_PAN) === 0 ? 0 : 1);
    this.updatePointLimit();
    this.host.trace(this, "trap", what, words[ELR]);
    if (words[ELR] === words[PC] && words[ELR + 1] === words[PC + 1] && isRepeated(words)) this.#stuck();
  }

  /**
   * An exception by the first instruction of its own vector, in the state that the vector has: the core would take it for
   * ever, retiring nothing. (A simplification: another core's store could end that.)
   */
  #stuck(): void {
    const at = hexOfHalves(this.state[PC], this.state[PC + 1]);
    const text = `core ${this.id} takes an exception for ever at its vector ${at}\n${this.dump()}`;
    this.host.stop({ kind: "triple-fault", text, status: 125 });
  }

  /** PSTATE or a system register was written: what is derived from it follows. */
  #stateChanged(): void {
    this.alignmentChecked = (this.state[SCTLR] & SCTLR_A) !== 0;
    this.updatePointLimit();
  }

  #writeX(t: number, lo: number, hi: number): void {
    if (t === REGISTER_31) return;
    this.gpr[t * 2] = lo;
    this.gpr[t * 2 + 1] = hi;
  }

  // Reset

  /** Cold reset: what the manual leaves UNKNOWN is 0. EL1h, DAIF masked. */
  #reset(): void {
    const words = this.state;
    words.fill(0, GPR, SP);
    words.fill(0, SP, REGISTERS_FIRST);
    words.fill(0, REGISTERS_FIRST, REGISTERS_LAST);
    words.fill(0, RECORD_FIRST, RECORD_LAST);
    words.fill(0, SYSTEM_FIRST, SYSTEM_LAST);
    words[MONITOR] = 0;
    writeNzcv(words, 0);
    words[PSTATE] = PSTATE_EL1 | PSTATE_SP | PSTATE_DAIF;
    this.interrupts.resetCpuInterface();
    this.#registers.reset();
    this.alignmentChecked = false;
  }
}

/**
 * ISS of a Data Abort. WnR is 0 for an instruction that reads and writes if a read would have faulted as well. ISV is 0
 * for all aborts that ESR_EL1 reports.
 */
function dataAbortIss(fault: AArch64TranslationFault, attr: number): number {
  const order = attr & ATTR_ORDER;
  const isAtomic = order === ATTR_LOCKED || order === ATTR_MODIFY;
  return isAtomic && fault.isReadFault ? fault.iss & ~ISS_WNR : fault.iss;
}

/** The state that took an exception is the one that the exception made. */
function isRepeated(words: Int32Array): boolean {
  return (words[SPSR] & 0xfff_ffff) === words[PSTATE];
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

function restoreMap(map: Map<number, number>, entries: readonly (readonly [number, number])[]): void {
  map.clear();
  for (const [key, times] of entries) map.set(key, times);
}
