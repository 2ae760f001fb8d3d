/**
 * An AArch64 core as the engine, the core scheduler, the interrupt controller and the other cores see it: registers,
 * exceptions, system instructions, power states and interrupt lines around the instructions that an engine executes. Non-secure EL1 and EL0 in AArch64 state; no EL2, no EL3. All of its mutable state lies in the
 * core's state region (words.ts), counters for reports apart.
 *
 * Simplifications: writes of system registers take effect at once, so ISB has nothing to do for them; debug state, software
 * step, breakpoints and watchpoints, SError and the event stream of the timer do not exist.
 *
 * The local monitor is cleared by ERET, not by exception entry, as in the manual.
 */
import {
  type AArch64TranslationFault,
  AArch64TranslationUnit,
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
  PSTATE_EL,
  PSTATE_F,
  PSTATE_I,
  PSTATE_IL,
  PSTATE_PAN,
  PSTATE_SP,
  trapClass,
  trapIss,
} from "../../frontends/aarch64/index.ts";
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
  branchAddressHi,
  EC_DATA_ABORT,
  EC_INSTRUCTION_ABORT,
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
import { type InstructionCore, Instructions } from "./instructions.ts";
import { MemoryOperation } from "./memory-operation.ts";
import type { Aarch64Profile } from "./profile.ts";
import { callFirmware, isPowerOn } from "./psci.ts";
import { PSTATE_DAIF, PSTATE_EL1, writeNzcv } from "./pstate.ts";
import { SLEEP_IDLE, SLEEP_WFI } from "./sleep.ts";
import { SCTLR_A, SystemRegisters } from "./system-registers.ts";
import {
  CONTROLLER_BASE,
  ELR,
  ESR,
  EVENT_REGISTER,
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

/** Words of the parts: 8-byte aligned in memory, the translation unit on a cache line. */
const BROADCASTS_BASE: number = (CONTROLLER_BASE + Gicv3.words + 1) & ~1;
const MMU_BASE: number = (BROADCASTS_BASE + Broadcasts.words + 15) & ~15;
/** memAttr() bits: order of an access. */
const ATTR_ORDER = 0xe;
const ATTR_LOCKED = 4 << 1;
const ATTR_MODIFY = 6 << 1;
/** ICC_SGI1R_EL1: every core but the sender. */
const ICC_SGI1R_HI_IRM = 1 << 8;
/** Aff3, RS and Aff2: no core has one other than 0. */
const ICC_SGI1R_HI_FAR = 0xff_f0ff;
/** waitAddress of a core in WFE: no word has it. */
const WAITS_FOR_EVENT = 1;
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

/** Aarch64Core (core.ts) is the one class made of it. */
export abstract class Aarch64Processor extends Core implements GicCore, BroadcastCore, InstructionCore {
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
  protected readonly registers: SystemRegisters;
  readonly #operation: MemoryOperation;
  readonly #instructions: Instructions;
  readonly #isKernelText: (frame: number) => boolean;

  /** In reset state, off. The machine lets the boot core execute. */
  constructor(id: number, ram: PhysicalMemory, stateOffset: number, options: Aarch64CoreOptions) {
    const { profile } = options;
    super(id, ram, stateOffset, Aarch64Processor.stateWords(profile));
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
    this.registers = new SystemRegisters({
      words,
      mmu: this.mmu,
      gic: this.interrupts,
      ids: idRegisters(id, profile),
    });
    this.#operation = new MemoryOperation({ words, mmu: this.mmu, ram });
    this.#instructions = new Instructions({
      words,
      core: this,
      gic: this.interrupts,
      mmu: this.mmu,
      registers: this.registers,
      operation: this.#operation,
    });
    this.#reset();
    options.domain.attach(this);
  }

  // What the engine and the core scheduler call

  get regime(): 0 | 1 {
    return (this.state[PSTATE] & PSTATE_EL) === 0 ? USER : SUPERVISOR;
  }

  /** A branch leaves a tag in PC where software sees it nowhere; the fetch, or an exception before it, takes it away. */
  override normalisePc(): void {
    this.state[PC + 1] = branchAddressHi(this.state, this.state[PC + 1]);
  }

  interruptDeliverable(): boolean {
    return this.interrupts.irq && (this.state[PSTATE] & PSTATE_I) === 0;
  }

  /** The controller signals IRQ alone (gicv3.ts says why), so FIQ is never taken. */
  acceptInterrupt(): void {
    const words = this.state;
    this.interruptsAccepted++;
    const intid = this.interrupts.read("ICC_HPPIR1_EL1");
    enter(words, VECTOR_IRQ, words[PC], words[PC + 1]);
    this.entered(intid << 8);
  }

  raiseTrap(trap: number): void {
    const words = this.state;
    const exceptionClass = trapClass(trap);
    if (exceptionClass === EC_UNKNOWN) count(this.undefinedCounts, trap);
    if (exceptionClass === EC_PC_ALIGNMENT) takePcAlignment(words, words[PC], words[PC + 1]);
    else takeSynchronous(words, exceptionClass, trapIss(trap), words[PC], words[PC + 1]);
    this.entered(words[ESR]);
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
    this.entered(words[ESR]);
  }

  microstep(): TranslationStatus {
    const status = this.#operation.step();
    if (status === SUSPENDED) return status;
    if (status === FAULT) this.entered(this.state[ESR]);
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
    this.#instructions.execute(helper, aLo, bLo, bHi, pcLo, pcHi);
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
    this.mmu.synchronise("exception");
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

  // Barriers, firmware

  override barrierDone(): boolean {
    if (!super.barrierDone()) return false;
    this.budget.observer?.barrierDone?.(this.id);
    this.mmu.barrierCompleted("ish");
    return true;
  }

  isb(): void {
    this.mmu.synchronise("isb");
    this.charge(this.profile.systemRegisterCycles);
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
    this.mmu.lateStores?.completeOwn();
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
    this.mmu.lateStores?.completeOwn();
    const operation = decodeTlbi(TLBI_NAMES[code]!, "inner", lo, hi);
    if (operation !== null) this.mmu.drop(operation);
  }

  // GicCore

  /** An event for each target: INTID and core. */
  sent(lo: number, hi: number): void {
    const intid = (lo >>> 24) & 15;
    const cluster = (lo >>> 16) & 0xff;
    const { cores } = this.#domain;
    for (let target = 0; target < cores.length; target++) {
      const isListed =
        (hi & ICC_SGI1R_HI_FAR) === 0 && target >>> 4 === cluster && (lo & (1 << (target & 15))) !== 0;
      const isNamed = (hi & ICC_SGI1R_HI_IRM) !== 0 ? target !== this.id : isListed;
      if (isNamed) this.host.trace(this, "ipi", intid, target);
    }
    this.messageSent(this.clock + this.profile.messageLatencyCycles);
  }

  // InstructionCore

  /** Of the inner and outer shareable forms every other core drops what they name at a moment of its own. */
  invalidate(operation: TlbiOperation, lo: number, hi: number): void {
    this.mmu.issue(operation);
    this.mmu.drop(operation);
    if (operation.shareability === "local") return;
    this.host.trace(this, "broadcast", lo, hi);
    this.broadcasts.send(TLBI_NAMES.indexOf(operation.name), lo, hi);
  }

  /** A guest's DSB has to wait: the instruction is executed again, so that the core may take an interrupt in between. */
  repeatAtBarrier(pcLo: number, pcHi: number): void {
    this.state[PC] = pcLo;
    this.state[PC + 1] = pcHi;
    this.retired--;
    this.clock--;
    this.waitForBarrier();
    this.endSlice();
  }

  /** WFE with the event register clear. */
  waitForEvent(): void {
    this.waitAddress = WAITS_FOR_EVENT;
    this.atBarrier = false;
    this.endSlice();
  }

  /** WFI with nothing pending. */
  sleep(): void {
    this.state[SLEEP] = SLEEP_WFI;
    this.phase = "halted";
  }

  /** PSCI CPU_SUSPEND: WFI, which what is pending already ends at once. */
  standBy(): void {
    this.interrupts.advance(this.clock);
    if (!this.interrupts.irq) this.sleep();
  }

  /** The record holds an operation: it goes on as microcode. */
  startMicrocode(): void {
    this.phase = "microcode";
  }

  /** YIELD. */
  pause(): void {
    if (this.regime === USER) this.pauses++;
    this.charge(this.profile.yieldCycles);
  }

  sendEvent(): void {
    this.#domain.sendEvent();
  }

  /** UDF #0 in kernel text. @hot */
  protected entersAtOnce(): boolean {
    const words = this.state;
    const pcLo = words[PC];
    const pcHi = words[PC + 1];
    const pa = this.fastFetch(pcLo, pcHi);
    if (pa < 0 || (pa & 3) !== 0 || !this.#isKernelText(pa >>> 12) || this.ram.i32[pa >>> 2] !== 0)
      return false;
    this.retired++;
    this.clock++;
    words[PC] = pcLo + 4;
    this.enterKernel(pcLo, pcHi);
    return true;
  }

  enterKernel(pcLo: number, pcHi: number): void {
    const stub = stubAt(this.mmu, pcLo, pcHi, this.#isKernelText);
    this.phase = "kernel";
    this.host.kernel.enter(this, stub);
  }

  // Exceptions

  /** An exception has been taken. @param what ESR_EL1, whose IL bit is set, or INTID << 8 @hot */
  entered(what: number): void {
    const words = this.state;
    this.phase = "execute";
    this.clock += this.profile.exceptionCycles;
    // Kernel code may have been in the middle of an access (Cpu.access) when an interrupt came.
    this.mmu.abandon();
    this.mmu.synchronise("exception");
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

  chargeRegister(): void {
    this.charge(this.profile.systemRegisterCycles);
  }

  setPan(value: 0 | 1): void {
    if (value === 0) this.state[PSTATE] &= ~PSTATE_PAN;
    else this.state[PSTATE] |= PSTATE_PAN;
    this.mmu.setPan(value);
  }

  /** PSTATE or a system register was written: what is derived from it follows. */
  stateChanged(): void {
    this.alignmentChecked = (this.state[SCTLR] & SCTLR_A) !== 0;
    this.updatePointLimit();
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
    this.registers.reset();
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

function count(counts: Map<number, number>, key: number): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function restoreMap(map: Map<number, number>, entries: readonly (readonly [number, number])[]): void {
  map.clear();
  for (const [key, times] of entries) map.set(key, times);
}
