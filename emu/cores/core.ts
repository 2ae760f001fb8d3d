/**
 * One core: what every architecture shares. It owns the core's state region (slots, temporaries, MMU words), the
 * virtual clock, and the phases of execution. An architecture extends it in emu/traps/<arch> with trap delivery,
 * return from trap, system instructions and its interrupt controller.
 *
 * Phases. `execute`: guest instructions, through the engine. `microcode`: a trap delivery or a return from trap in
 * progress, a step machine that can stop between any two memory accesses. `kernel`: inside an enter trap, the
 * TypeScript kernel runs. `halted`: until an interrupt. `parked`: until start-up (INIT–SIPI, PSCI CPU_ON).
 *
 * Time. `clock` is in cycles; a retired instruction costs one, kernel points cost what they say, stalls (walks,
 * second-level TLB hits) are added. The scheduler gives a slice two limits, `userLimit` and `kernelLimit`, in cycles
 * of this clock. Interrupts are recognised at slice starts, after instructions that can unmask, and at kernel points.
 */
import {
  type AccessKind,
  DONE,
  EventBudget,
  FAST_ADDEND,
  FAST_EXEC,
  FRAME_MONITORED,
  fastIndex,
  type PhysicalMemory,
  SUPERVISOR,
  SUSPENDED,
  type TranslationFault,
  type TranslationStatus,
  type TranslationUnit,
  USER,
} from "../../mmu/index.ts";
import type { Cpu, KernelPort, StopReason } from "../hardware.ts";
import { STATE_ACCESS_PHASE, STATE_MONITOR, STATE_PC } from "../ir/index.ts";

export type Phase = "execute" | "microcode" | "kernel" | "halted" | "parked";

/** Why Engine.execute() came back. */
export type EngineExit = "slice" | "suspended" | "phase";

/** A backend as a core drives it. */
export interface Engine {
  /**
   * Executes guest instructions from PC until the user slice's budget is spent (at a transfer that may end a slice),
   * the event budget is used up, or the phase changed (trap, system helper). Adds what it retired to the core's clock
   * and counters before it calls a helper and before it returns.
   */
  execute(core: Core): EngineExit;
  /** The instruction in progress is abandoned (suspended core that takes an interrupt or is reset). */
  abandon(core: Core): void;
}

/** What a core needs of the machine around it. */
export interface CoreHost {
  readonly engine: Engine;
  readonly kernel: KernelPort;
  /** A kernel point past the limit: true if another core is to run. */
  pointReached(core: Core): boolean;
  stop(reason: StopReason): void;
  readonly stopped: boolean;
  /** Mixes an event into the trace hash, and into the trace if one is written. */
  trace(core: Core, event: string, a: number, b: number): void;
}

/** A saved core, its state region excluded. */
export interface CoreState {
  readonly phase: Phase;
  readonly clock: number;
  readonly retired: number;
  readonly waitAddress: number;
  readonly waitValue: number;
  /** It waits for the completion of its broadcasts instead of a word. */
  readonly atBarrier: boolean;
  readonly alignmentChecked: boolean;
  readonly architecture: unknown;
}

/** Pending interrupts of one core, masks of the core itself excluded. */
export interface InterruptSource {
  /** Virtual time at which something is to be looked at next (timer, message in flight); Infinity: never. */
  readonly nextEventTime: number;
  /** The same for what no mask holds off (NMI, INIT): what a core with interrupts masked waits for. */
  readonly nextUnmaskableTime: number;
  /** Of `nextEventTime`: the first message in flight, and the core's timer. */
  readonly nextMessageTime: number;
  readonly timerTime: number;
  /** Makes what is due at `clock` pending. */
  advance(clock: number): void;
  /** Hears of messages between cores; null: nobody does. */
  observer?: MessageObserver | null;
}

/** Hears of interrupts that cores send; changes nothing. */
export interface MessageObserver {
  /** One is on its way to a core. */
  sent(target: number): void;
  /** A core asked its controller which interrupt it has accepted: one that comes before that needs no other acceptance. */
  acknowledged(core: number): void;
}

/**
 * What other cores broadcast to this one and it carries out at its own moment, and what it waits for when it broadcasts
 * itself: emu/interrupts/broadcasts.ts.
 */
export interface BroadcastSource {
  /** Operations on their way to this core; exploring runs grant them one by one. */
  readonly count: number;
  /** Timed runs: when the first one arrives, or Infinity. No mask holds it off. */
  readonly nextTime: number;
  /** Timed runs: carries out what has arrived. */
  advance(clock: number): void;
  /** Carries out the first one. */
  applyFirst(): void;
  /** The core has gone on: an access that somebody waits for may be over. */
  settle(): void;
  /** Everything that this core broadcast is done everywhere. */
  complete(): boolean;
  /** When it was. */
  readonly completionTime: number;
  /** A core that keeps it from being done; -1: none does. */
  readonly awaited: number;
  /** Operations of this core that others have not carried out yet, each counted for each of them. */
  readonly outstanding: number;
}

const PC = STATE_PC >> 2;
const ACCESS_PHASE = STATE_ACCESS_PHASE >> 2;

export abstract class Core implements Cpu {
  readonly id: number;
  readonly ram: PhysicalMemory;
  /** The whole state region as words and as bytes. */
  readonly state: Int32Array;
  readonly stateBytes: Uint8Array;
  readonly stateHalves: Uint16Array;
  /** Accesses of alignment class `checked` must be aligned now (x86: CR0.AM, EFLAGS.AC, CPL 3). */
  alignmentChecked = false;
  readonly budget: EventBudget = new EventBudget();
  abstract readonly mmu: TranslationUnit;
  abstract readonly interrupts: InterruptSource;
  /** Null: cores of this architecture broadcast nothing. */
  readonly broadcasts: BroadcastSource | null = null;
  host!: CoreHost;

  phase: Phase = "parked";
  clock = 0;
  /** Instructions retired since reset. */
  retired = 0;
  steps = 0;
  /** Limits of the present slice. */
  userLimit = 0;
  kernelLimit = 0;
  /** What point() compares with: kernelLimit, or earlier when an interrupt can be accepted. */
  #pointLimit = 0;
  /** The point limit was found with interrupts masked: it does not end where one could be accepted. */
  protected limitIsMasked = true;
  /** The core waits: physical address of the word, or -1. */
  waitAddress = -1;
  #waitValue = 0;
  /** While it waits: for the completion of its broadcasts. */
  atBarrier = false;
  /** Undefined and unimplemented instructions by trap number (undefinedMnemonic() of the frontend names them). */
  readonly undefinedCounts: Map<number, number> = new Map();
  /** Hints to a spinning thread (PAUSE, YIELD) that user code executed. */
  pauses = 0;
  /** Ends the present slice as soon as possible (a barrier waits, a core was started). */
  sliceEnds = false;
  /** User code is not to be executed now: slices end where it would go on, unless for an interrupt. */
  userHeld = false;
  /** Exploring runs: accepting an interrupt is an event, and the scheduler has granted it. */
  acceptGranted = false;
  /** Exploring runs: so is the effect of a broadcast, and the scheduler has granted that of the first. */
  broadcastGranted = false;

  accessPa = 0;
  /** The last access() of kernel code came back SUSPENDED: it wants one more event. */
  accessSuspended = false;

  constructor(id: number, ram: PhysicalMemory, stateOffset: number, stateWords: number) {
    this.id = id;
    this.ram = ram;
    this.state = new Int32Array(ram.engine, stateOffset, stateWords);
    this.stateBytes = new Uint8Array(ram.engine, stateOffset, stateWords * 4);
    this.stateHalves = new Uint16Array(ram.engine, stateOffset, stateWords * 2);
  }

  /** USER or SUPERVISOR: the regime in which guest instructions execute now. */
  abstract readonly regime: 0 | 1;
  /** An interrupt is pending that the core would accept now (mask, shadow and priority considered). */
  abstract interruptDeliverable(): boolean;
  /** Starts the delivery of the highest interrupt: phase `microcode`. PC is the saved PC. */
  abstract acceptInterrupt(): void;
  /** A trap of the frontend's numbers (exit.trap, trap.if) with PC as saved PC: phase `microcode`. */
  abstract raiseTrap(trap: number): void;
  /** The MMU's fault of the last translation, for an access of an instruction at PC. @param attr memAttr() bits */
  abstract raiseTranslationFault(attr: number): void;
  /** Continues the delivery or return in progress; on DONE the phase has changed. */
  abstract microstep(): TranslationStatus;
  /** A system instruction (exit.helper): PC is already the next instruction, (pcLo, pcHi) this one. */
  abstract helper(
    helper: number,
    aLo: number,
    aHi: number,
    bLo: number,
    bHi: number,
    pcLo: number,
    pcHi: number,
  ): void;
  abstract interruptsEnabled(): boolean;
  abstract setInterruptsEnabled(enabled: boolean): void;
  abstract returnFromTrap(): void;

  /**
   * Executes the enter trap at PC as the engine would, if that is what is there and the fast TLB holds its page; false:
   * nothing happened. Privileged. measured: page faults +5 %, Node 20.20. @hot
   */
  protected abstract entersAtOnce(): boolean;

  /** Physical address of a PC whose page kernel privilege can fetch without a translation, or -1. @hot */
  protected fastFetch(lo: number, hi: number): number {
    const { fast } = this.mmu;
    const at = fastIndex(lo, SUPERVISOR);
    if (fast[at + FAST_EXEC] !== (lo & ~0xfff) || fast[at + FAST_EXEC + 1] !== hi) return -1;
    return (lo + fast[at + FAST_ADDEND]!) >>> 0;
  }

  /** A halted core goes on with its next instruction, and takes no interrupt for it (Arm: WFE, WFI). @hot */
  wakes(): boolean {
    return false;
  }

  /** It does. */
  wake(): void {
    this.phase = "execute";
  }

  /** A store, by whichever core, opened the exclusive monitor. */
  monitorOpened(): void {}

  /** Folds the architectural registers, with flags materialised, into 32 bits. */
  abstract architecturalHash(): number;
  /** Mutable state of the architecture's part that is not in the state region. */
  protected abstract saveArchitecture(): unknown;
  protected abstract restoreArchitecture(saved: unknown): void;

  /** Plain data: what of this core is not in its state region. */
  save(): CoreState {
    return {
      phase: this.phase,
      clock: this.clock,
      retired: this.retired,
      waitAddress: this.waitAddress,
      waitValue: this.#waitValue,
      atBarrier: this.atBarrier,
      alignmentChecked: this.alignmentChecked,
      architecture: this.saveArchitecture(),
    };
  }

  restore(saved: CoreState): void {
    this.phase = saved.phase;
    this.clock = saved.clock;
    this.retired = saved.retired;
    this.waitAddress = saved.waitAddress;
    this.#waitValue = saved.waitValue;
    this.atBarrier = saved.atBarrier;
    this.alignmentChecked = saved.alignmentChecked;
    const monitor = this.state[STATE_MONITOR >> 2]!;
    if (monitor !== 0) this.ram.frameFlags[monitor >>> 12]! |= FRAME_MONITORED;
    this.restoreArchitecture(saved.architecture);
  }

  get accessFault(): TranslationFault {
    return this.mmu.fault;
  }

  /** @hot */
  point(cost: number): boolean {
    const clock = this.clock + cost;
    this.clock = clock;
    return clock >= this.#pointLimit && this.#pointSlow();
  }

  /** @hot */
  pointsInRow(cost: number, count: number): boolean {
    const clock = this.clock + cost * count;
    if (clock >= this.#pointLimit) return false;
    this.clock = clock;
    return true;
  }

  /** @hot */
  isQuiet(cycles: number): boolean {
    return this.clock + cycles < this.#pointLimit;
  }

  #pointSlow(): boolean {
    this.steps++;
    this.interrupts.advance(this.clock);
    if (this.broadcasts !== null) this.broadcasts.advance(this.clock);
    if (this.#acceptsInterrupt()) return true;
    // Whoever lets the core go on after a yield sets its limits.
    if (this.sliceEnds || (this.clock >= this.kernelLimit && this.host.pointReached(this))) return true;
    this.updatePointLimit();
    return false;
  }

  charge(cycles: number): void {
    this.clock += cycles;
  }

  /** Starts a slice. Both limits are virtual times. */
  setLimits(userLimit: number, kernelLimit: number): void {
    this.steps++;
    this.userLimit = userLimit;
    this.kernelLimit = kernelLimit;
    this.sliceEnds = false;
    this.updatePointLimit();
  }

  /**
   * A message to other cores is on its way, of which the limits of the slice know nothing: it may wake a core when it
   * arrives, so this core must not lead from then on. Exploring runs ask the strategy at once.
   */
  protected messageSent(arrival: number): void {
    if (this.budget.exploring) {
      this.endSlice();
      return;
    }
    if (arrival < this.userLimit) this.userLimit = arrival;
    if (arrival < this.kernelLimit) this.kernelLimit = arrival;
    this.updatePointLimit();
  }

  endSlice(): void {
    this.sliceEnds = true;
    this.#pointLimit = -1;
  }

  /** Called when the interrupt mask or the pending set changed. */
  updatePointLimit(): void {
    let limit = this.sliceEnds ? -1 : this.kernelLimit;
    this.limitIsMasked = !this.interruptsEnabled();
    if (this.interruptDeliverable()) limit = -1;
    else {
      const next = this.#nextAcceptableTime();
      if (next < limit) limit = next;
    }
    this.#pointLimit = limit;
  }

  setKernelPc(lo: number, hi: number): void {
    this.state[PC] = lo;
    this.state[PC + 1] = hi;
  }

  waitForWord(pa: number): void {
    this.waitAddress = pa;
    this.#waitValue = this.ram.read32(pa);
    this.atBarrier = false;
  }

  /** What this core broadcast has taken effect on every other one; its clock is then not before that. */
  barrierDone(): boolean {
    const { broadcasts } = this;
    if (broadcasts === null) return true;
    if (!broadcasts.complete()) return false;
    if (this.clock < broadcasts.completionTime) this.clock = broadcasts.completionTime;
    return true;
  }

  /** The core waits until barrierDone(), or an unmasked interrupt is pending; it yields now, and asks again then. */
  waitForBarrier(): void {
    this.waitAddress = 0;
    this.atBarrier = true;
  }

  halt(): void {
    this.phase = "halted";
  }

  access(lo: number, hi: number, kind: AccessKind): TranslationStatus {
    const status = this.mmu.translate(lo, hi, kind, SUPERVISOR);
    this.takeStalls();
    if (status === DONE) this.accessPa = this.mmu.pa;
    this.accessSuspended = status === SUSPENDED;
    return status;
  }

  raiseAccessFault(): void {
    this.raiseTranslationFault(0);
  }

  stopMachine(reason: StopReason): void {
    this.host.stop(reason);
  }

  /** Charges the stalls that the MMU collected. @hot */
  /**
   * PC is about to be translated for a fetch: drops what a branch put there and the architecture does not keep in PC. Called
   * when the fast TLB has not its page.
   */
  normalisePc(): void {}

  takeStalls(): void {
    this.clock += this.mmu.stallCycles;
    this.mmu.stallCycles = 0;
  }

  /** The earliest virtual time at which this core can do something: its clock, a future event, or Infinity. */
  readyTime(): number {
    if (this.phase === "parked") return Number.POSITIVE_INFINITY;
    if (this.waitAddress < 0 && this.phase !== "halted") return this.isHeld ? this.#heldTime() : this.clock;
    this.interrupts.advance(this.clock);
    if (this.interruptDeliverable() || this.wakes()) return this.clock;
    return Math.max(this.clock, this.wakeTime());
  }

  /**
   * Exploring runs: the virtual time at which the core can accept an interrupt that is pending or in flight, its mask
   * considered; Infinity: none. The timer is not one of them, see timerTime().
   */
  acceptTime(): number {
    this.interrupts.advance(this.clock);
    if (this.interruptDeliverable() || this.wakes()) return this.clock;
    if (!this.interruptsEnabled()) {
      const isHalted = this.phase === "halted";
      return Math.max(this.clock, isHalted ? this.wakeTime() : this.interrupts.nextUnmaskableTime);
    }
    return Math.max(this.clock, this.interrupts.nextMessageTime);
  }

  /** Exploring runs: when the core's timer is due if the core would accept it; Infinity: not armed, or masked. */
  timerTime(): number {
    return this.interruptsEnabled() ? this.interrupts.timerTime : Number.POSITIVE_INFINITY;
  }

  /** When something may become deliverable that is not masked now, or a broadcast is to be carried out. */
  #nextAcceptableTime(): number {
    const { interrupts, broadcasts } = this;
    const time = this.interruptsEnabled() ? interrupts.nextEventTime : interrupts.nextUnmaskableTime;
    return broadcasts === null ? time : Math.min(time, broadcasts.nextTime);
  }

  /** Of a core that is halted or spins: when the next interrupt comes that can end this. */
  protected wakeTime(): number {
    return this.#nextAcceptableTime();
  }

  /** The core spins on a word that has not changed yet, or waits for the completion of its broadcasts. */
  get waiting(): boolean {
    return this.waitAddress >= 0;
  }

  /** The word that the core spins on has changed; what it broadcast is done. @hot */
  wordChanged(): boolean {
    if (this.waitAddress < 0) return false;
    if (this.atBarrier) return this.broadcasts!.complete();
    return this.ram.i32[this.waitAddress >>> 2] !== this.#waitValue;
  }

  /** Ends the spin at a virtual time: the skipped iterations are charged. A barrier ends when it is complete. */
  endWait(time: number): void {
    const end = this.atBarrier ? this.broadcasts!.completionTime : time;
    this.waitAddress = -1;
    if (this.clock < end) this.clock = end;
  }

  get isParked(): boolean {
    return this.phase === "parked";
  }

  /** It executes nothing until something happens to it. */
  get isIdle(): boolean {
    const { phase } = this;
    if (phase === "halted" || phase === "parked" || this.waitAddress >= 0) return true;
    return this.isHeld;
  }

  /** It would execute user code, which is held. */
  get isHeld(): boolean {
    return this.userHeld && this.phase === "execute" && this.regime === USER;
  }

  /** When a held core accepts an interrupt. */
  #heldTime(): number {
    this.interrupts.advance(this.clock);
    return this.interruptDeliverable() ? this.clock : Math.max(this.clock, this.#nextAcceptableTime());
  }

  /** It is suspended inside an access, part of which has been translated. */
  get isInsideAccess(): boolean {
    return this.state[ACCESS_PHASE] !== 0;
  }

  /** Virtual time at which a user slice must end: its limit or the next event. */
  userSliceEnd(): number {
    const { broadcasts } = this;
    const end = Math.min(this.userLimit, this.interrupts.nextEventTime);
    return broadcasts === null ? end : Math.min(end, broadcasts.nextTime);
  }

  /**
   * Runs one slice: until a limit, a wait, a halt, a suspension or a stop. The scheduler has moved the clock to the
   * core's ready time and set the limits.
   */
  run(): void {
    const host = this.host;
    let progressed = false;
    if (this.broadcasts !== null && this.#receives(this.broadcasts)) return;
    this.waitAddress = -1;
    if (this.phase === "halted") {
      this.interrupts.advance(this.clock);
      if (this.wakes()) this.wake();
      else if (!this.#acceptsInterrupt()) return;
      else this.#accept();
    }
    while (!host.stopped) {
      switch (this.phase) {
        case "execute": {
          // Code that traps again and again ends its slice here.
          if (progressed && this.clock >= this.userLimit) return;
          progressed = true;
          this.interrupts.advance(this.clock);
          if (this.#acceptsInterrupt()) {
            host.engine.abandon(this);
            this.#accept();
            break;
          }
          if (this.isHeld) return;
          if (this.regime === SUPERVISOR && this.entersAtOnce()) break;
          if (host.engine.execute(this) !== "phase") return;
          break;
        }
        case "microcode": {
          const status = this.microstep();
          this.takeStalls();
          if (status === SUSPENDED) return;
          break;
        }
        case "kernel": {
          this.interrupts.advance(this.clock);
          if (this.#acceptsInterrupt()) {
            this.#accept();
            break;
          }
          host.kernel.run(this);
          if (this.phase === "kernel" && !this.#continues()) return;
          break;
        }
        default:
          return;
      }
      if (this.sliceEnds) return;
    }
  }

  /** Carries out broadcasts that are due; true: the slice was for that alone. */
  #receives(broadcasts: BroadcastSource): boolean {
    if (this.broadcastGranted) {
      this.broadcastGranted = false;
      broadcasts.applyFirst();
      return true;
    }
    broadcasts.advance(this.clock);
    if (this.waitAddress < 0 || this.budget.exploring) return false;
    this.interrupts.advance(this.clock);
    return !this.interruptDeliverable();
  }

  /** After a system instruction: true if the slice goes on in guest code, with no interrupt to accept. @hot */
  goesOn(): boolean {
    if (this.phase !== "execute" || this.sliceEnds || this.clock >= this.userLimit) return false;
    this.interrupts.advance(this.clock);
    return !this.#acceptsInterrupt();
  }

  /** After a yield: true if the core goes on at once because an interrupt is to be accepted. */
  #continues(): boolean {
    return this.waitAddress < 0 && !this.sliceEnds && this.#acceptsInterrupt();
  }

  /** An interrupt is pending that the core accepts now. @hot */
  #acceptsInterrupt(): boolean {
    return this.interruptDeliverable() && (this.acceptGranted || !this.budget.exploring);
  }

  #accept(): void {
    this.acceptGranted = false;
    this.acceptInterrupt();
  }
}
