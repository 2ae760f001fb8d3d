/**
 * An x86-64 core as the engine, the core scheduler and the local APIC see it: the registers, traps and system instructions
 * around the instructions that an engine executes. All of its mutable state lies in the core's state region (words.ts),
 * counters for reports apart.
 *
 * Vendor-specific behaviour follows Intel: SYSRET to a non-canonical RCX is #GP(0) at CPL 0, and IRET unblocks NMIs even
 * if it faults. Not modelled: single-step and breakpoint traps (TF and the debug registers are state without effect),
 * compatibility and legacy mode, call gates, SMM, machine checks. RF is not set in the frame of an interrupt between two
 * iterations of a REP instruction.
 */
import {
  type CoherenceLedger,
  CR0_AM,
  DONE,
  type PhysicalMemory,
  SUPERVISOR,
  type TlbPolicy,
  type TranslationObserver,
  type TranslationStatus,
  USER,
  X86TranslationUnit,
} from "../../../mmu/index.ts";
import { Core, stubAt } from "../../cores/index.ts";
import { RFLAGS_AC, RFLAGS_IF } from "../../frontends/x86-64/state.ts";
import { TRAP_UNDEFINED } from "../../frontends/x86-64/traps.ts";
import { type ApicCore, X2Apic, type X2ApicBus } from "../../interrupts/index.ts";
import { Boundary } from "./boundary.ts";
import { Controls } from "./controls.ts";
import { Cpuid } from "./cpuid.ts";
import { MICRO_DELIVERY, MICRO_NONE, MICRO_SHUTDOWN, type TrapDelivery } from "./delivery.ts";
import { dumpRegisters } from "./dump.ts";
import { hashRegisters } from "./hash.ts";
import { Microcode } from "./microcode.ts";
import { ModelSpecificRegisters } from "./msr.ts";
import type { X86Profile } from "./profile.ts";
import { MICRO_IRET } from "./return.ts";
import { loadStartupState, MICRO_STARTUP, resetRegisters } from "./startup.ts";
import { type InstructionCore, SystemInstructions } from "./system-instructions.ts";
import { TimeStamp } from "./time-stamp.ts";
import { VECTOR_AC, VECTOR_GP, VECTOR_NMI, VECTOR_PF, VECTOR_SS, VECTOR_UD } from "./vectors.ts";
import {
  APIC_BASE,
  CPL,
  CR0,
  CR8,
  GPR,
  M_EVENT,
  M_FAULT_PC,
  M_KIND,
  M_PC,
  M_VECTOR,
  NMI_BLOCKED,
  PC,
  SYSTEM_FLAGS,
} from "./words.ts";

const MMU_BASE: number = (APIC_BASE + X2Apic.words + 15) & ~15;
/** memAttr() bits of an access: alignment class and stack segment. */
const ATTR_ALIGNMENT = 0x30;
const ATTR_NATURAL = 0x10;
const ATTR_STACK = 0x40;

export interface X86CoreOptions {
  readonly profile: X86Profile;
  /** Cores of the machine: CPUID reports them. */
  readonly cores: number;
  readonly bus: X2ApicBus;
  readonly policy: TlbPolicy;
  readonly seed: number;
  readonly observer: TranslationObserver | null;
  readonly ledger: CoherenceLedger | null;
  readonly isKernelText: (frame: number) => boolean;
}

/** Plain counts of a core that no result depends on. */
export interface X86CoreCounts {
  pauses: number;
  interrupts: number;
  /** By trap number of the frontend: undefined or unimplemented instructions. */
  undefined: [number, number][];
  /** By number: RDMSR and WRMSR of registers that do not exist. */
  unknownMsr: [number, number][];
}

/** X86Core (core.ts) is the one class made of it. */
export abstract class X86Processor extends Core implements ApicCore, InstructionCore {
  /** Words of state of a core with this profile: a multiple of 16, so that cores side by side stay aligned. */
  static stateWords(profile: X86Profile): number {
    return (MMU_BASE + X86TranslationUnit.stateWords(profile.translation) + 15) & ~15;
  }

  readonly mmu: X86TranslationUnit;
  readonly interrupts: X2Apic;
  readonly gpr: Int32Array;
  readonly profile: X86Profile;
  /** External interrupts and NMIs accepted. */
  interruptsAccepted = 0;
  readonly #boundary: Boundary;
  protected readonly microcode: Microcode;
  readonly #delivery: TrapDelivery;
  protected readonly controls: Controls;
  readonly #time: TimeStamp;
  protected readonly msr: ModelSpecificRegisters;
  readonly #instructions: SystemInstructions;
  readonly #isKernelText: (frame: number) => boolean;

  /** In reset state, parked. The machine sets the boot core's phase. */
  constructor(id: number, ram: PhysicalMemory, stateOffset: number, options: X86CoreOptions) {
    const { profile } = options;
    super(id, ram, stateOffset, X86Processor.stateWords(profile));
    this.profile = profile;
    this.#isKernelText = options.isKernelText;
    const words = this.state;
    this.gpr = words.subarray(GPR, GPR + 32);
    this.mmu = new X86TranslationUnit({
      core: id,
      profile: profile.translation,
      state: words.subarray(MMU_BASE),
      ram,
      budget: this.budget,
      policy: options.policy,
      seed: options.seed,
      observer: options.observer,
      ledger: options.ledger,
      maxPhysBits: profile.maxPhysBits,
    });
    this.interrupts = new X2Apic({
      id,
      core: this,
      bus: options.bus,
      words,
      base: APIC_BASE,
      cyclesPerTick: profile.cyclesPerCrystal,
    });
    this.#boundary = new Boundary(words, this);
    this.microcode = new Microcode({
      words,
      mmu: this.mmu,
      ram,
      budget: this.budget,
      openShadow: () => this.#boundary.openShadow(),
    });
    this.#delivery = this.microcode.delivery;
    this.controls = new Controls(words, this.mmu);
    this.#time = new TimeStamp(words);
    this.msr = new ModelSpecificRegisters(words, this, this.interrupts, this.controls, this.#time);
    this.#instructions = new SystemInstructions({
      words,
      core: this,
      mmu: this.mmu,
      apic: this.interrupts,
      controls: this.controls,
      msr: this.msr,
      time: this.#time,
      cpuid: new Cpuid(profile, id, options.cores),
      microcode: this.microcode,
      systemCallCycles: profile.systemCallCycles,
      systemRegisterCycles: profile.systemRegisterCycles,
    });
    this.#reset();
  }

  // What the engine and the core scheduler call

  get regime(): 0 | 1 {
    return this.state[CPL] === 3 ? USER : SUPERVISOR;
  }

  interruptDeliverable(): boolean {
    const apic = this.interrupts;
    if (apic.initPending) return true;
    if (apic.nmiPending && this.state[NMI_BLOCKED] === 0 && !this.#boundary.inShadow()) return true;
    return (this.state[SYSTEM_FLAGS] & RFLAGS_IF) !== 0 && apic.best >= 0 && !this.#boundary.inShadow();
  }

  /** INIT before NMI before fixed interrupts: vol. 3A table 6-2. */
  acceptInterrupt(): void {
    const apic = this.interrupts;
    if (apic.initPending) {
      this.#init();
      return;
    }
    this.#boundary.expire();
    this.interruptsAccepted++;
    if (apic.nmiPending && this.state[NMI_BLOCKED] === 0) {
      apic.acknowledgeNmi();
      this.state[NMI_BLOCKED] = 1;
      this.#delivery.external(VECTOR_NMI);
    } else {
      this.#delivery.external(apic.acknowledge());
    }
    this.phase = "microcode";
  }

  raiseTrap(trap: number): void {
    let vector = trap;
    if (trap >= TRAP_UNDEFINED) {
      vector = VECTOR_UD;
      this.undefinedCounts.set(trap, (this.undefinedCounts.get(trap) ?? 0) + 1);
    }
    const words = this.state;
    this.#boundary.dropResume();
    // INT1 and INTO save the next instruction; every other trap number is a fault.
    this.#delivery.exception(vector, 0, words[PC], words[PC + 1], vector !== 1 && vector !== 4);
    this.phase = "microcode";
  }

  raiseTranslationFault(attr: number): void {
    const { fault } = this.mmu;
    const words = this.state;
    let vector = VECTOR_PF;
    if (fault.cause === "not-canonical") vector = (attr & ATTR_STACK) !== 0 ? VECTOR_SS : VECTOR_GP;
    else if (fault.cause === "alignment") {
      vector = (attr & ATTR_ALIGNMENT) === ATTR_NATURAL ? VECTOR_GP : VECTOR_AC;
    } else this.#delivery.recordPageFault();
    const error = vector === VECTOR_PF ? fault.errorCode : 0;
    this.#delivery.exception(vector, error, words[PC], words[PC + 1], true);
    this.phase = "microcode";
  }

  /** @hot */
  microstep(): TranslationStatus {
    const words = this.state;
    let kind = words[M_KIND];
    while (kind !== MICRO_NONE) {
      const status = this.continueMicrocode(kind);
      if (status !== DONE) return status;
      if (words[M_KIND] === MICRO_NONE) this.#finished(kind);
      kind = words[M_KIND];
    }
    return DONE;
  }

  helper(
    helper: number,
    aLo: number,
    aHi: number,
    bLo: number,
    bHi: number,
    pcLo: number,
    pcHi: number,
  ): void {
    this.#boundary.dropResume();
    this.#instructions.execute(helper, aLo, aHi, bLo, bHi, pcLo, pcHi);
  }

  interruptsEnabled(): boolean {
    return (this.state[SYSTEM_FLAGS] & RFLAGS_IF) !== 0;
  }

  setInterruptsEnabled(enabled: boolean): void {
    if (!enabled) {
      // The limit may stay too low: a point past it finds nothing to accept, and computes it afresh.
      this.state[SYSTEM_FLAGS] &= ~RFLAGS_IF;
      return;
    }
    this.state[SYSTEM_FLAGS] |= RFLAGS_IF;
    const apic = this.interrupts;
    // Else the limit was found with interrupts on, and everything that can change it since has found it afresh.
    if (this.limitIsMasked || apic.best >= 0 || apic.nmiPending) this.updatePointLimit();
  }

  /** IRETQ with the frame at RSP; PC is what a fault of it saves. */
  returnFromTrap(): void {
    this.microcode.trapReturn.startIret(8, this.state[PC], this.state[PC + 1]);
    this.phase = "microcode";
  }

  /** STI and HLT, as the idle loop has them. */
  override halt(): void {
    this.state[SYSTEM_FLAGS] |= RFLAGS_IF;
    super.halt();
  }

  /** The interrupt shadow lasts one instruction. */
  override userSliceEnd(): number {
    return this.#boundary.inShadow() ? this.clock + 1 : super.userSliceEnd();
  }

  architecturalHash(): number {
    this.#boundary.expire();
    return this.interrupts.hash(hashRegisters(this.state));
  }

  protected saveArchitecture(): X86CoreCounts {
    return {
      pauses: this.pauses,
      interrupts: this.interruptsAccepted,
      undefined: [...this.undefinedCounts],
      unknownMsr: [...this.msr.unknown],
    };
  }

  protected restoreArchitecture(saved: X86CoreCounts): void {
    this.pauses = saved.pauses;
    this.interruptsAccepted = saved.interrupts;
    restoreMap(this.undefinedCounts, saved.undefined);
    restoreMap(this.msr.unknown, saved.unknownMsr);
  }

  /** Accesses to model-specific registers that do not exist, by number. */
  get unknownMsrCounts(): ReadonlyMap<number, number> {
    return this.msr.unknown;
  }

  /** Registers as text. */
  dump(): string {
    return `core ${this.id}, clock ${this.clock}\n${dumpRegisters(this.state)}`;
  }

  // ApicCore

  get parked(): boolean {
    return this.phase === "parked";
  }

  clockOfTsc(lo: number, hi: number): number {
    return this.#time.clockOf(this.clock, lo, hi);
  }

  startup(vector: number, arrival: number): void {
    if (this.clock < arrival) this.clock = arrival;
    this.state[M_KIND] = MICRO_STARTUP;
    this.state[M_VECTOR] = vector;
    this.phase = "microcode";
  }

  sent(icrLo: number, icrHi: number): void {
    this.host.trace(this, "ipi", icrLo, icrHi);
    this.messageSent(this.clock + this.profile.ipiLatencyCycles);
  }

  // InstructionCore

  fault(vector: number, error: number, pcLo: number, pcHi: number): void {
    this.#delivery.exception(vector, error, pcLo, pcHi, true);
    this.phase = "microcode";
  }

  startMicrocode(): void {
    this.phase = "microcode";
  }

  contextChanged(): void {
    const words = this.state;
    this.#boundary.noticeSti();
    words[CR8] = this.interrupts.taskPriority;
    this.updateAc();
    this.updatePointLimit();
  }

  sleep(): void {
    this.phase = "halted";
  }

  /** UD2 in kernel text. @hot */
  protected entersAtOnce(): boolean {
    const words = this.state;
    const pcLo = words[PC];
    const pcHi = words[PC + 1];
    const pa = this.fastFetch(pcLo, pcHi);
    if (
      pa < 0 ||
      !this.#isKernelText(pa >>> 12) ||
      this.ram.u8[pa] !== 0x0f ||
      this.ram.u8[pa + 1] !== 0x0b
    ) {
      return false;
    }
    this.retired++;
    this.clock++;
    words[PC] = pcLo + 2;
    this.#boundary.dropResume();
    this.enterKernel(pcLo, pcHi);
    return true;
  }

  enterKernel(pcLo: number, pcHi: number): void {
    const stub = stubAt(this.mmu, pcLo, pcHi, this.#isKernelText);
    this.phase = "kernel";
    this.host.kernel.enter(this, stub);
  }

  pause(): void {
    if (this.state[CPL] === 3) this.pauses++;
    this.charge(this.profile.pauseCycles);
  }

  // Microcode

  /** @hot */
  protected continueMicrocode(kind: number): TranslationStatus {
    if (kind === MICRO_STARTUP) return this.#startUp();
    if (kind === MICRO_SHUTDOWN) return this.#shutDown();
    return this.microcode.step(kind);
  }

  /** The operation of this kind is complete. @hot */
  #finished(kind: number): void {
    const words = this.state;
    if (this.phase === "microcode") this.phase = "execute";
    if (kind === MICRO_DELIVERY) {
      this.clock += this.profile.deliveryCycles;
      this.host.trace(this, "trap", words[M_VECTOR] | (words[M_EVENT] << 8), words[M_PC]);
    } else if (kind === MICRO_IRET) {
      this.clock += this.profile.returnCycles;
      this.#boundary.noticeResume();
    }
    this.updateAc();
    this.updatePointLimit();
  }

  #startUp(): TranslationStatus {
    const words = this.state;
    words[M_KIND] = MICRO_NONE;
    if (!loadStartupState(words, this.ram, this.controls, words[M_VECTOR])) return this.#shutDown();
    this.host.trace(this, "startup", words[M_VECTOR], words[PC]);
    return DONE;
  }

  #shutDown(): TranslationStatus {
    const words = this.state;
    words[M_KIND] = MICRO_NONE;
    this.phase = "parked";
    const where = `${(words[M_FAULT_PC + 1] >>> 0).toString(16)}:${(words[M_FAULT_PC] >>> 0).toString(16)}`;
    this.host.stop({
      kind: "triple-fault",
      text: `core ${this.id} shut down: triple fault at ${where}\n${this.dump()}`,
      status: 125,
    });
    return DONE;
  }

  // Reset, INIT

  #reset(): void {
    resetRegisters(this.state);
    this.controls.reset();
    this.msr.reset();
    this.mmu.setPkru(0);
    this.updateAc();
  }

  /** INIT: the core waits for a start-up IPI. */
  #init(): void {
    this.mmu.abandon();
    this.#reset();
    this.phase = "parked";
    this.host.trace(this, "init", 0, 0);
    this.interrupts.init();
  }

  // Derived state

  /** EFLAGS.AC, CR0 or the privilege level may have changed. */
  protected updateAc(): void {
    const words = this.state;
    const ac = (words[SYSTEM_FLAGS] & RFLAGS_AC) !== 0;
    this.mmu.setAc(ac ? 1 : 0);
    this.alignmentChecked = ac && (words[CR0] & CR0_AM) !== 0 && words[CPL] === 3;
  }
}

function restoreMap(map: Map<number, number>, entries: readonly (readonly [number, number])[]): void {
  if (map.size !== 0) map.clear();
  for (const [key, count] of entries) map.set(key, count);
}
