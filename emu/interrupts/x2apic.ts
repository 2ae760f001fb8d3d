/**
 * The local APIC of one core in x2APIC mode, reached by RDMSR and WRMSR 0x800–0x83f. Intel SDM vol. 3A chapter 10
 * (APIC), above all 10.5 (local interrupts, timer), 10.6 (ICR), 10.8 (priorities, EOI) and 10.12 (x2APIC).
 *
 * Modelled: ID, version, TPR, PPR, EOI, LDR, SVR, ISR, TMR, IRR, ESR, ICR with all shorthands and both destination
 * modes, self-IPI, the timer with its three modes. Stored without effect: thermal, performance and LINT entries, as
 * nothing drives those lines. The mode is x2APIC from reset on and cannot be left, as on a processor whose firmware
 * set LEGACY_XAPIC_DISABLED. Lowest-priority delivery is not supported (ESR bit 4 says so); SMIs go nowhere.
 * A message takes the bus's latency; a self-IPI takes none. All state lies in the core's state words.
 */
import type { InterruptSource, MessageObserver } from "../cores/index.ts";
import {
  ApicMessages,
  MESSAGE_FIXED,
  MESSAGE_INIT,
  MESSAGE_NMI,
  MESSAGE_SIPI,
  type MessageKind,
} from "./apic-messages.ts";
import { ApicTimer, TIMER_MODE_MASK } from "./apic-timer.ts";
import { BitVector256 } from "./bit-vector.ts";
import type { X2ApicBus } from "./x2apic-bus.ts";
import {
  DELIVERY_FIXED,
  DELIVERY_INIT,
  DELIVERY_LOWEST,
  DELIVERY_NMI,
  DELIVERY_SIPI,
  ESR_RECEIVED_ILLEGAL_VECTOR,
  ESR_REDIRECTABLE_IPI,
  ESR_SEND_ILLEGAL_VECTOR,
  FIRST_VECTOR,
  ICR_LO_VALID,
  LEVEL_ASSERT,
  LVT_ERROR_VALID,
  LVT_LINT_VALID,
  LVT_MASKED,
  LVT_MODE_VALID,
  LVT_TIMER_VALID,
  SVR_ENABLE,
  SVR_VALID,
  TRIGGER_LEVEL,
  VERSION,
  X2APIC_CURRENT_COUNT,
  X2APIC_DIVIDE,
  X2APIC_EOI,
  X2APIC_ESR,
  X2APIC_ICR,
  X2APIC_ID,
  X2APIC_INITIAL_COUNT,
  X2APIC_IRR,
  X2APIC_ISR,
  X2APIC_LDR,
  X2APIC_LVT_ERROR,
  X2APIC_LVT_LINT0,
  X2APIC_LVT_LINT1,
  X2APIC_LVT_PERFORMANCE,
  X2APIC_LVT_THERMAL,
  X2APIC_LVT_TIMER,
  X2APIC_PPR,
  X2APIC_SELF_IPI,
  X2APIC_SVR,
  X2APIC_TMR,
  X2APIC_TPR,
  X2APIC_VERSION,
} from "./x2apic-registers.ts";

export type { MessageKind } from "./apic-messages.ts";

/** Words, relative to the base. */
const TPR = 0;
const SVR = 1;
const ESR = 2;
const ESR_PENDING = 3;
const LVT_FIRST = 4;
const ICR_LO = 10;
const ICR_HI = 11;
/** Highest requested vector that beats the processor priority, or -1. */
const BEST = 12;
const NMI_PENDING = 13;
const INIT_PENDING = 14;
/** A start-up message that came after INIT and before the core took it: vector + 1. */
const SIPI_PENDING = 15;
const ISR_AT = 16;
const TMR_AT = ISR_AT + BitVector256.words;
const IRR_AT = TMR_AT + BitVector256.words;
const TIMER_AT = IRR_AT + BitVector256.words;
const MESSAGES_AT = TIMER_AT + ApicTimer.words;

/** What an APIC needs of its core. */
export interface ApicCore {
  readonly clock: number;
  /** The core waits for a start-up message. */
  readonly parked: boolean;
  /** Core clock at which the time-stamp counter reaches a value; Infinity: never. */
  clockOfTsc(lo: number, hi: number): number;
  /** A start-up message arrives at a parked core. */
  startup(vector: number, arrival: number): void;
  /** An interprocessor interrupt left this core. */
  sent(icrLo: number, icrHi: number): void;
  /** What the core would accept, or when, may have changed. */
  updatePointLimit(): void;
}

/** Results of read() and write(). */
export const APIC_DONE = 0;
/** Reserved register or bit: #GP(0). */
export const APIC_FAULT = 1;
export type ApicStatus = 0 | 1;

export interface X2ApicOptions {
  readonly id: number;
  readonly core: ApicCore;
  readonly bus: X2ApicBus;
  /** The core's state, and an index in it that is 8-byte aligned in memory. */
  readonly words: Int32Array;
  readonly base: number;
  /** Core cycles per timer tick at divide-by-1: time-stamp counter over crystal clock. */
  readonly cyclesPerTick: number;
}

export class X2Apic implements InterruptSource {
  static readonly words: number = MESSAGES_AT + ApicMessages.words;

  readonly id: number;
  /** Halves of the register that read() returned. */
  valueLo = 0;
  valueHi = 0;
  observer: MessageObserver | null = null;
  readonly #core: ApicCore;
  readonly #bus: X2ApicBus;
  readonly #words: Int32Array;
  readonly #base: number;
  readonly #isr: BitVector256;
  readonly #tmr: BitVector256;
  readonly #irr: BitVector256;
  readonly #timer: ApicTimer;
  readonly #messages: ApicMessages;

  constructor(options: X2ApicOptions) {
    const { words, base } = options;
    this.id = options.id;
    this.#core = options.core;
    this.#bus = options.bus;
    this.#words = words;
    this.#base = base;
    this.#isr = new BitVector256(words, base + ISR_AT);
    this.#tmr = new BitVector256(words, base + TMR_AT);
    this.#irr = new BitVector256(words, base + IRR_AT);
    this.#timer = new ApicTimer(words, base + TIMER_AT, options.cyclesPerTick, options.core);
    this.#messages = new ApicMessages(words, base + MESSAGES_AT);
    this.reset();
    this.#messages.clear();
    options.bus.attach(this);
  }

  /** Folds the registers and the messages in flight into a hash. */
  hash(seed: number): number {
    let hash = seed;
    for (let at = this.#base; at < this.#base + MESSAGES_AT; at++) hash = mix(hash, this.#words[at]);
    for (let i = 0; i < this.#messages.count; i++) {
      hash = mix(mix(hash, this.#messages.codeAt(i)), this.#messages.timeAt(i) % 0x1_0000_0000);
    }
    return hash;
  }

  /** Power-up and INIT, 10.4.7.1: messages in flight are not affected. */
  reset(): void {
    const words = this.#words;
    const base = this.#base;
    words.fill(0, base, base + MESSAGES_AT);
    words[base + SVR] = 0xff;
    words.fill(LVT_MASKED, base + LVT_FIRST, base + LVT_FIRST + 6);
    words[base + BEST] = -1;
    this.#timer.reset();
  }

  /** A masked timer expires unseen: nothing has to wake up for it. @hot */
  get nextEventTime(): number {
    const message = this.#messages.firstTime;
    const masked = (this.#words[this.#base + LVT_FIRST] & LVT_MASKED) !== 0;
    return masked ? message : Math.min(message, this.#timer.due);
  }

  get nextMessageTime(): number {
    return this.#messages.firstTime;
  }

  get timerTime(): number {
    const masked = (this.#words[this.#base + LVT_FIRST] & LVT_MASKED) !== 0;
    return masked ? Number.POSITIVE_INFINITY : this.#timer.due;
  }

  get nextUnmaskableTime(): number {
    return this.#messages.count === 0
      ? Number.POSITIVE_INFINITY
      : Math.min(this.#messages.firstTimeOf(MESSAGE_NMI), this.#messages.firstTimeOf(MESSAGE_INIT));
  }

  /** @hot */
  advance(clock: number): void {
    if (this.#messages.firstTime <= clock || this.#timer.due <= clock) this.#advanceSlow(clock);
  }

  /** Highest vector that the core would accept with RFLAGS.IF = 1, or -1. @hot */
  get best(): number {
    return this.#words[this.#base + BEST];
  }

  get nmiPending(): boolean {
    return this.#words[this.#base + NMI_PENDING] !== 0;
  }

  get initPending(): boolean {
    return this.#words[this.#base + INIT_PENDING] !== 0;
  }

  /** The core accepts the best interrupt: IRR to ISR. Returns its vector. */
  acknowledge(): number {
    const vector = this.best;
    if (vector < 0) throw new Error("X2Apic.acknowledge: no interrupt to accept");
    this.#irr.clear(vector);
    this.#isr.set(vector);
    this.#evaluate();
    return vector;
  }

  acknowledgeNmi(): void {
    this.#words[this.#base + NMI_PENDING] = 0;
  }

  /** A message of another core, or this one's own broadcast. */
  post(kind: MessageKind, vector: number, arrival: number): void {
    if (this.#core.parked) {
      if (kind === MESSAGE_SIPI) this.#core.startup(vector, arrival);
      if (kind === MESSAGE_SIPI || kind === MESSAGE_INIT) return;
    }
    this.observer?.sent(this.id);
    this.#messages.insert(kind, vector, arrival);
    this.#core.updatePointLimit();
  }

  /** The core takes INIT: everything is reset, and a start-up message that has come or is in flight starts it. */
  init(): void {
    const pending = this.#words[this.#base + SIPI_PENDING];
    this.reset();
    if (pending !== 0) {
      this.#core.startup(pending - 1, this.#core.clock);
      return;
    }
    const at = this.#messages.findKind(MESSAGE_SIPI);
    if (at < 0) return;
    const vector = this.#messages.vectorAt(at);
    const arrival = this.#messages.timeAt(at);
    this.#messages.removeAt(at);
    this.#core.startup(vector, arrival);
  }

  /** CR8: bits 7:4 of TPR. */
  get taskPriority(): number {
    return this.#words[this.#base + TPR] >>> 4;
  }

  set taskPriority(value: number) {
    this.#words[this.#base + TPR] = value << 4;
    this.#evaluate();
  }

  /** IA32_TSC_DEADLINE; 0 outside TSC-deadline mode. */
  get deadlineLo(): number {
    return this.#timer.deadlineLo;
  }

  get deadlineHi(): number {
    return this.#timer.deadlineHi;
  }

  /** Ignored outside TSC-deadline mode; 0 disarms. */
  writeDeadline(lo: number, hi: number): void {
    this.#timer.writeDeadline(lo, hi);
    this.#core.updatePointLimit();
  }

  /** The time-stamp counter was written: an armed deadline is due at another clock. */
  timeStampChanged(): void {
    this.#timer.timeStampChanged();
    this.#core.updatePointLimit();
  }

  /** RDMSR of 0x800–0x8ff into valueLo, valueHi. */
  read(msr: number): ApicStatus {
    this.valueHi = 0;
    const words = this.#words;
    const base = this.#base;
    if (msr >= X2APIC_ISR && msr < X2APIC_ISR + 8) return this.#value(this.#isr.word(msr - X2APIC_ISR));
    if (msr >= X2APIC_TMR && msr < X2APIC_TMR + 8) return this.#value(this.#tmr.word(msr - X2APIC_TMR));
    if (msr >= X2APIC_IRR && msr < X2APIC_IRR + 8) return this.#value(this.#irr.word(msr - X2APIC_IRR));
    if (msr >= X2APIC_LVT_TIMER && msr <= X2APIC_LVT_ERROR) {
      return this.#value(words[base + LVT_FIRST + msr - X2APIC_LVT_TIMER]);
    }
    switch (msr) {
      case X2APIC_ID:
        return this.#value(this.id);
      case X2APIC_VERSION:
        return this.#value(VERSION);
      case X2APIC_TPR:
        return this.#value(words[base + TPR]);
      case X2APIC_PPR:
        return this.#value(this.#processorPriority());
      case X2APIC_LDR:
        return this.#value(((this.id >>> 4) << 16) | (1 << (this.id & 15)));
      case X2APIC_SVR:
        return this.#value(words[base + SVR]);
      case X2APIC_ESR:
        return this.#value(words[base + ESR]);
      case X2APIC_ICR:
        this.valueHi = words[base + ICR_HI];
        return this.#value(words[base + ICR_LO]);
      case X2APIC_INITIAL_COUNT:
        return this.#value(this.#timer.initialCount);
      case X2APIC_CURRENT_COUNT:
        return this.#value(this.#timer.currentCount());
      case X2APIC_DIVIDE:
        return this.#value(this.#timer.divide);
      default:
        return APIC_FAULT;
    }
  }

  /** WRMSR of 0x800–0x8ff. */
  write(msr: number, lo: number, hi: number): ApicStatus {
    if (msr === X2APIC_ICR) return this.#writeIcr(lo, hi);
    if (hi !== 0) return APIC_FAULT;
    const words = this.#words;
    const base = this.#base;
    switch (msr) {
      case X2APIC_TPR:
        if ((lo & ~0xff) !== 0) return APIC_FAULT;
        words[base + TPR] = lo;
        return this.#changed();
      case X2APIC_EOI:
        return lo !== 0 ? APIC_FAULT : this.#endOfInterrupt();
      case X2APIC_SVR:
        if ((lo & ~SVR_VALID) !== 0) return APIC_FAULT;
        this.advance(this.#core.clock);
        words[base + SVR] = lo;
        // 10.4.7.2: disabling by software masks every local entry.
        if ((lo & SVR_ENABLE) === 0) for (let i = 0; i < 6; i++) words[base + LVT_FIRST + i] |= LVT_MASKED;
        return this.#changed();
      case X2APIC_ESR:
        if (lo !== 0) return APIC_FAULT;
        words[base + ESR] = words[base + ESR_PENDING];
        words[base + ESR_PENDING] = 0;
        return APIC_DONE;
      case X2APIC_LVT_TIMER: {
        if ((lo & ~LVT_TIMER_VALID) !== 0 || (lo & TIMER_MODE_MASK) === TIMER_MODE_MASK) return APIC_FAULT;
        this.advance(this.#core.clock);
        this.#writeLocal(msr, lo);
        this.#timer.setMode(lo & TIMER_MODE_MASK);
        return this.#changed();
      }
      case X2APIC_LVT_THERMAL:
      case X2APIC_LVT_PERFORMANCE:
        return (lo & ~LVT_MODE_VALID) !== 0 ? APIC_FAULT : this.#writeLocal(msr, lo);
      case X2APIC_LVT_LINT0:
      case X2APIC_LVT_LINT1:
        return (lo & ~LVT_LINT_VALID) !== 0 ? APIC_FAULT : this.#writeLocal(msr, lo);
      case X2APIC_LVT_ERROR:
        return (lo & ~LVT_ERROR_VALID) !== 0 ? APIC_FAULT : this.#writeLocal(msr, lo);
      case X2APIC_INITIAL_COUNT:
        this.#timer.writeInitialCount(lo);
        return this.#changed();
      case X2APIC_DIVIDE:
        if ((lo & ~0xb) !== 0) return APIC_FAULT;
        this.#timer.writeDivide(lo);
        return this.#changed();
      case X2APIC_SELF_IPI:
        if ((lo & ~0xff) !== 0) return APIC_FAULT;
        return this.#selfInterrupt(lo, lo | 0x4_0000, 0);
      default:
        return APIC_FAULT;
    }
  }

  #value(lo: number): ApicStatus {
    this.valueLo = lo;
    return APIC_DONE;
  }

  #changed(): ApicStatus {
    this.#evaluate();
    this.#core.updatePointLimit();
    return APIC_DONE;
  }

  #writeLocal(msr: number, value: number): ApicStatus {
    const enabled = (this.#words[this.#base + SVR] & SVR_ENABLE) !== 0;
    this.#words[this.#base + LVT_FIRST + msr - X2APIC_LVT_TIMER] = enabled ? value : value | LVT_MASKED;
    return APIC_DONE;
  }

  /** 10.8.5. EOI broadcasts concern an I/O APIC, which there is not. */
  #endOfInterrupt(): ApicStatus {
    const vector = this.#isr.highest();
    if (vector >= 0) this.#isr.clear(vector);
    return this.#changed();
  }

  /** 10.12.9. */
  #writeIcr(lo: number, hi: number): ApicStatus {
    if ((lo & ~ICR_LO_VALID) !== 0) return APIC_FAULT;
    this.#words[this.#base + ICR_LO] = lo;
    this.#words[this.#base + ICR_HI] = hi;
    const vector = lo & 0xff;
    const shorthand = (lo >>> 18) & 3;
    let kind: MessageKind;
    switch ((lo >>> 8) & 7) {
      case DELIVERY_FIXED:
        if (shorthand === 1) return this.#selfInterrupt(vector, lo, hi);
        if (vector < FIRST_VECTOR) return this.#error(ESR_SEND_ILLEGAL_VECTOR);
        kind = MESSAGE_FIXED;
        break;
      case DELIVERY_LOWEST:
        return this.#error(ESR_REDIRECTABLE_IPI);
      case DELIVERY_NMI:
        kind = MESSAGE_NMI;
        break;
      case DELIVERY_INIT:
        // The level de-assert message has had no effect since the Pentium 4.
        if ((lo & TRIGGER_LEVEL) !== 0 && (lo & LEVEL_ASSERT) === 0) return APIC_DONE;
        kind = MESSAGE_INIT;
        break;
      case DELIVERY_SIPI:
        kind = MESSAGE_SIPI;
        break;
      default:
        return APIC_DONE;
    }
    const sentAt = this.#core.clock;
    const carried = kind === MESSAGE_NMI || kind === MESSAGE_INIT ? 0 : vector;
    if (shorthand === 3) this.#bus.sendOthers(this, kind, carried, sentAt);
    // Table 10-3: only fixed interrupts may include the sender by shorthand.
    else if (shorthand !== 0) {
      if (shorthand !== 2 || kind !== MESSAGE_FIXED) return APIC_DONE;
      this.#bus.sendAll(kind, carried, sentAt);
    } else if ((lo & 0x800) !== 0) this.#bus.sendLogical(hi, kind, carried, sentAt);
    else this.#bus.sendPhysical(hi, kind, carried, sentAt);
    this.#core.sent(lo, hi);
    return APIC_DONE;
  }

  #selfInterrupt(vector: number, icrLo: number, icrHi: number): ApicStatus {
    if (vector < FIRST_VECTOR) return this.#error(ESR_SEND_ILLEGAL_VECTOR);
    this.#request(vector);
    this.#core.sent(icrLo, icrHi);
    this.#core.updatePointLimit();
    return APIC_DONE;
  }

  #advanceSlow(clock: number): void {
    const messages = this.#messages;
    while (messages.firstTime <= clock) {
      const kind = messages.firstKind;
      const vector = messages.firstVector;
      messages.removeFirst();
      if (kind === MESSAGE_FIXED) this.#request(vector);
      else if (kind === MESSAGE_NMI) this.#words[this.#base + NMI_PENDING] = 1;
      else if (kind === MESSAGE_INIT) this.#words[this.#base + INIT_PENDING] = 1;
      else if (this.initPending) this.#words[this.#base + SIPI_PENDING] = vector + 1;
    }
    if (this.#timer.due <= clock && this.#timer.expire(clock)) this.#local(X2APIC_LVT_TIMER);
  }

  /** A local interrupt source fires. */
  #local(msr: number): void {
    const entry = this.#words[this.#base + LVT_FIRST + msr - X2APIC_LVT_TIMER];
    if ((entry & LVT_MASKED) !== 0) return;
    const vector = entry & 0xff;
    if (vector < FIRST_VECTOR) this.#error(ESR_RECEIVED_ILLEGAL_VECTOR);
    else this.#request(vector);
  }

  /** 10.5.3: the first error since the last write of ESR raises the error interrupt. */
  #error(bit: number): ApicStatus {
    const first = this.#words[this.#base + ESR_PENDING] === 0;
    this.#words[this.#base + ESR_PENDING] |= bit;
    const entry = this.#words[this.#base + LVT_FIRST + X2APIC_LVT_ERROR - X2APIC_LVT_TIMER];
    if (first && (entry & LVT_MASKED) === 0 && (entry & 0xff) >= FIRST_VECTOR) {
      this.#request(entry & 0xff);
      this.#core.updatePointLimit();
    }
    return APIC_DONE;
  }

  /** A fixed interrupt arrives, edge-triggered; an APIC that software disabled takes none. */
  #request(vector: number): void {
    if ((this.#words[this.#base + SVR] & SVR_ENABLE) === 0) return;
    this.#irr.set(vector);
    this.#tmr.clear(vector);
    this.#evaluate();
  }

  /** 10.8.3.1: the higher of the task priority and the class in service. */
  #processorPriority(): number {
    const tpr = this.#words[this.#base + TPR];
    const inService = Math.max(this.#isr.highest(), 0);
    return tpr >>> 4 >= inService >>> 4 ? tpr : inService & 0xf0;
  }

  #evaluate(): void {
    const vector = this.#irr.highest();
    const accepted = vector >= 0 && vector >>> 4 > this.#processorPriority() >>> 4;
    this.#words[this.#base + BEST] = accepted ? vector : -1;
  }
}

function mix(hash: number, word: number): number {
  const x = Math.imul(hash ^ word, 0x0100_0193);
  return (x ^ (x >>> 15)) | 0;
}
