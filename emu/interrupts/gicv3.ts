/**
 * The GICv3 as one core has it: CPU interface by System registers, Redistributor, Generic Timer, and the SGIs in flight to
 * it. Arm IHI 0069 "GIC Architecture Specification", above all 4.1 (interrupt states), 4.7 (routing of SGIs), 4.8
 * (prioritization, preemption, the Non-secure view), 12.2 (System registers).
 *
 * The machine is seen from Non-secure EL1 with EL3 in charge of Group 0 (GICD_CTLR.DS = 0, SCR_EL3.FIQ = 1): priorities are
 * read and written shifted by one bit and lie in the lower half, Group 0 registers do not exist for software here, and the
 * only signal is IRQ. Reset state is what firmware leaves: interrupts in Non-secure Group 1, priority mask all open.
 * Priority masking by ICC_PMR_EL1, with PSTATE.I clear, is what pseudo-NMIs need.
 *
 * Choices: 5 bits of priority, 16 of INTID; ICC_EOIR1_EL1 of an interrupt that is not the last acknowledged one drops the
 * running priority all the same and deactivates what it names (UNPREDICTABLE); ICC_DIR_EL1 with EOImode 0 is ignored; an
 * SGI to a range selector (RS) is not sent. An SGI takes the bus's latency, the sender's own included. All state lies in
 * the core's words.
 */
import type { InterruptSource, MessageObserver } from "../cores/index.ts";
import { GenericTimer } from "./generic-timer.ts";
import { affinityOf, type Gicv3Bus } from "./gicv3-bus.ts";
import { Redistributor } from "./gicv3-redistributor.ts";
import {
  BPR1_MINIMUM,
  CTLR_EOIMODE,
  CTLR_READ_ONLY,
  type IccRegister,
  INTID_SPURIOUS,
  PRIORITY_IDLE,
  PRIORITY_MASK,
  PRIVATE_INTERRUPTS,
  SRE_VALUE,
} from "./gicv3-registers.ts";
import { Messages } from "./messages.ts";

/** Words, relative to the base. */
const PMR = 0;
const BPR1 = 1;
const CTLR = 2;
const IGRPEN1 = 3;
/** A bit per preemption level, priority >> 3. */
const AP1R0 = 4;
/** INTID that is signalled to the core, or -1. */
const BEST = 5;
const REDISTRIBUTOR_AT = 6;
const TIMER_AT: number = (REDISTRIBUTOR_AT + Redistributor.words + 1) & ~1;
const MESSAGES_AT: number = TIMER_AT + GenericTimer.words;
/** Two each of 16 SGIs. */
const CAPACITY = 32;

/** The register is UNDEFINED at Non-secure EL1 (firmware owns it), or has no such direction. */
export const ICC_UNDEFINED = -1;

/** What a controller needs of its core. */
export interface GicCore {
  readonly clock: number;
  /** An SGI left this core: the written register. */
  sent(lo: number, hi: number): void;
  /** What the core would accept, or when, may have changed. */
  updatePointLimit(): void;
}

export interface Gicv3Options {
  /** Number of the core; its affinity is affinityOf(id). */
  readonly id: number;
  readonly core: GicCore;
  readonly bus: Gicv3Bus;
  /** The core's state, and an index in it that is 8-byte aligned in memory. */
  readonly words: Int32Array;
  readonly base: number;
  /** Core cycles per tick of the system counter, and ticks per second. */
  readonly cyclesPerTick: number;
  readonly counterFrequency: number;
}

export class Gicv3 implements InterruptSource {
  static readonly words: number = MESSAGES_AT + Messages.wordsFor(CAPACITY);

  readonly id: number;
  readonly timer: GenericTimer;
  readonly redistributor: Redistributor;
  observer: MessageObserver | null = null;
  readonly #core: GicCore;
  readonly #bus: Gicv3Bus;
  readonly #words: Int32Array;
  readonly #base: number;
  readonly #messages: Messages;

  constructor(options: Gicv3Options) {
    const { words, base, core } = options;
    this.id = options.id;
    this.#core = core;
    this.#bus = options.bus;
    this.#words = words;
    this.#base = base;
    this.#messages = new Messages(words, base + MESSAGES_AT, CAPACITY);
    this.redistributor = new Redistributor(
      words,
      base + REDISTRIBUTOR_AT,
      options.id,
      affinityOf(options.id),
    );
    this.timer = new GenericTimer({
      words,
      base: base + TIMER_AT,
      core,
      cyclesPerTick: options.cyclesPerTick,
      frequency: options.counterFrequency,
      changed: () => this.#linesChanged(),
    });
    this.redistributor.reset();
    this.resetCpuInterface();
    this.#messages.clear();
    options.bus.attach(this);
  }

  /** Warm reset of the core (CPU_ON): the CPU interface and the timers; the Redistributor keeps what it has. */
  resetCpuInterface(): void {
    const words = this.#words;
    const base = this.#base;
    words[base + PMR] = PRIORITY_MASK;
    words[base + BPR1] = BPR1_MINIMUM;
    words[base + CTLR] = words[base + IGRPEN1] = words[base + AP1R0] = 0;
    this.timer.reset();
    this.redistributor.setLines(this.timer.lines);
    this.#evaluate();
  }

  /** Folds registers and messages in flight into a hash. */
  hash(seed: number): number {
    let hash = seed;
    for (let at = this.#base; at < this.#base + MESSAGES_AT; at++) hash = mix(hash, this.#words[at]);
    for (let i = 0; i < this.#messages.count; i++) {
      hash = mix(mix(hash, this.#messages.codeAt(i)), this.#messages.timeAt(i) % 0x1_0000_0000);
    }
    return hash;
  }

  // InterruptSource

  /** @hot */
  get nextEventTime(): number {
    return Math.min(this.#messages.firstTime, this.timer.due);
  }

  get nextMessageTime(): number {
    return this.#messages.firstTime;
  }

  /** A timer whose PPI is disabled concerns nobody. */
  get timerTime(): number {
    return this.timer.dueOf(this.redistributor.enabled);
  }

  /** PSTATE.I holds off every interrupt: there is no FEAT_NMI. */
  get nextUnmaskableTime(): number {
    return Number.POSITIVE_INFINITY;
  }

  /** @hot */
  advance(clock: number): void {
    if (this.#messages.firstTime <= clock || this.timer.due <= clock) this.#advanceSlow(clock);
  }

  /** An interrupt is signalled: the core takes it if PSTATE.I is clear, and WFI ends in any case. @hot */
  get irq(): boolean {
    return this.#words[this.#base + BEST] >= 0;
  }

  /** FIQ is for Group 0 and for Secure interrupts, which Non-secure software never sees. */
  get fiq(): false {
    return false;
  }

  /** An SGI on its way to this core. */
  post(intid: number, arrival: number): void {
    this.observer?.sent(this.id);
    this.#messages.insertCode(intid, arrival);
    this.#core.updatePointLimit();
  }

  // System registers

  /** MRS at EL1: 32 bits, or ICC_UNDEFINED. Reading ICC_IAR1_EL1 acknowledges. */
  read(register: IccRegister): number {
    const words = this.#words;
    const base = this.#base;
    switch (register) {
      case "ICC_IAR1_EL1":
        this.observer?.acknowledged(this.id);
        return this.#acknowledge();
      case "ICC_HPPIR1_EL1":
        return this.#highestPending();
      case "ICC_PMR_EL1":
        return nonSecureView(words[base + PMR]);
      case "ICC_RPR_EL1":
        return nonSecureView(this.#runningPriority());
      case "ICC_BPR1_EL1":
        return words[base + BPR1];
      case "ICC_CTLR_EL1":
        return CTLR_READ_ONLY | words[base + CTLR];
      case "ICC_SRE_EL1":
        return SRE_VALUE;
      case "ICC_IGRPEN1_EL1":
        return words[base + IGRPEN1];
      case "ICC_AP1R0_EL1":
        return words[base + AP1R0] >>> 0;
      default:
        return ICC_UNDEFINED;
    }
  }

  /** MSR at EL1. False: UNDEFINED. */
  write(register: IccRegister, lo: number, hi: number): boolean {
    const words = this.#words;
    const base = this.#base;
    switch (register) {
      case "ICC_EOIR1_EL1":
        return this.#endOfInterrupt(lo & 0xff_ffff);
      case "ICC_DIR_EL1":
        if ((words[base + CTLR] & CTLR_EOIMODE) === 0) return true;
        return this.#deactivate(lo & 0xff_ffff);
      case "ICC_PMR_EL1":
        words[base + PMR] = (0x80 | ((lo & 0xff) >> 1)) & PRIORITY_MASK;
        return this.#changed();
      case "ICC_BPR1_EL1":
        words[base + BPR1] = Math.max(lo & 7, BPR1_MINIMUM);
        return this.#changed();
      case "ICC_CTLR_EL1":
        // CBPR and PMHE are read-only with two Security states.
        words[base + CTLR] = lo & CTLR_EOIMODE;
        return true;
      case "ICC_IGRPEN1_EL1":
        words[base + IGRPEN1] = lo & 1;
        return this.#changed();
      case "ICC_AP1R0_EL1":
        // Levels of the Secure half cannot be claimed.
        words[base + AP1R0] = lo & 0xffff_0000;
        return this.#changed();
      case "ICC_SRE_EL1":
        return true;
      case "ICC_SGI1R_EL1":
        return this.#send(lo, hi);
      case "ICC_SGI0R_EL1":
      case "ICC_ASGI1R_EL1":
        // GICR_NSACR of every target is 0: a Secure SGI is not sent.
        return true;
      default:
        return false;
    }
  }

  // Redistributor, Non-secure

  /**
   * A 32-bit read at an offset from this core's RD_base (GICR_*, or the manual's offset). The frames are not in guest RAM,
   * so kernel code comes here instead of by a load.
   */
  readRedistributor(offset: number): number {
    this.advance(this.#core.clock);
    return this.redistributor.read(offset);
  }

  /** A 32-bit write; what is read-only or does not exist ignores it. */
  writeRedistributor(offset: number, value: number): void {
    this.advance(this.#core.clock);
    if (this.redistributor.write(offset, value)) this.#changed();
  }

  /** The controller's side of ICC_IAR1_EL1: the signalled interrupt becomes active. */
  #acknowledge(): number {
    const intid = this.#words[this.#base + BEST];
    if (intid < 0) return INTID_SPURIOUS;
    const group = this.redistributor.priorityOf(intid) & this.#groupMask();
    this.#words[this.#base + AP1R0] |= 1 << (group >> 3);
    this.redistributor.activate(intid);
    this.#changed();
    return intid;
  }

  /** Priority mask and running priority have no say. */
  #highestPending(): number {
    if (this.#words[this.#base + IGRPEN1] === 0) return INTID_SPURIOUS;
    const intid = this.redistributor.highest();
    return intid < 0 ? INTID_SPURIOUS : intid;
  }

  /** 4.4.3: priority drop, and deactivation unless EOImode separates the two. */
  #endOfInterrupt(intid: number): boolean {
    const words = this.#words;
    const at = this.#base + AP1R0;
    if (intid >= PRIVATE_INTERRUPTS || words[at] === 0) return true;
    words[at] &= words[at] - 1;
    if ((words[this.#base + CTLR] & CTLR_EOIMODE) === 0) this.redistributor.deactivate(intid);
    return this.#changed();
  }

  #deactivate(intid: number): boolean {
    if (intid >= PRIVATE_INTERRUPTS) return true;
    this.redistributor.deactivate(intid);
    return this.#changed();
  }

  /**
   * ICC_SGI1R_EL1:
   *
   *     55-48 Aff3  47-44 RS  40 IRM  39-32 Aff2  27-24 INTID  23-16 Aff1  15-0 target list
   */
  #send(lo: number, hi: number): boolean {
    const intid = (lo >>> 24) & 15;
    const sentAt = this.#core.clock;
    if ((hi & 0x100) !== 0) this.#bus.sendOthers(this, intid, sentAt);
    else if ((hi & 0xff_f000) === 0) {
      this.#bus.sendList(((hi & 0xff) << 8) | ((lo >>> 16) & 0xff), lo & 0xffff, intid, sentAt);
    }
    this.#core.sent(lo, hi);
    return true;
  }

  #advanceSlow(clock: number): void {
    const messages = this.#messages;
    while (messages.firstTime <= clock) {
      this.redistributor.latch(messages.codeAt(0));
      messages.removeFirst();
    }
    if (this.timer.due <= clock) {
      this.timer.expire();
      this.redistributor.setLines(this.timer.lines);
    }
    this.#evaluate();
  }

  #linesChanged(): void {
    this.redistributor.setLines(this.timer.lines);
    this.#changed();
  }

  #changed(): true {
    this.#evaluate();
    this.#core.updatePointLimit();
    return true;
  }

  /** The active level of the highest priority. */
  #runningPriority(): number {
    const active = this.#words[this.#base + AP1R0];
    return active === 0 ? PRIORITY_IDLE : (31 - Math.clz32(active & -active)) << 3;
  }

  /** Bits of a priority that decide about preemption: with BPR1 = 1 bits 7:1, with 7 bit 7 alone. */
  #groupMask(): number {
    return (-1 << this.#words[this.#base + BPR1]) & PRIORITY_MASK;
  }

  /** 4.8.5, 4.8.6: higher than the mask, and its group priority higher than the running one. */
  #evaluate(): void {
    const words = this.#words;
    const base = this.#base;
    words[base + BEST] = -1;
    if (words[base + IGRPEN1] === 0) return;
    const intid = this.redistributor.highest();
    if (intid < 0) return;
    const priority = this.redistributor.priorityOf(intid);
    if (priority >= words[base + PMR]) return;
    const running = this.#runningPriority();
    const mask = this.#groupMask();
    if (running === PRIORITY_IDLE || (priority & mask) < (running & mask)) words[base + BEST] = intid;
  }
}

/** A priority as Non-secure software reads it: the Secure half as 0, and shifted. */
function nonSecureView(priority: number): number {
  if ((priority & 0x80) === 0) return 0;
  return priority === PRIORITY_IDLE ? priority : (priority << 1) & 0xff;
}

function mix(hash: number, word: number): number {
  const x = Math.imul(hash ^ word, 0x0100_0193);
  return (x ^ (x >>> 15)) | 0;
}
