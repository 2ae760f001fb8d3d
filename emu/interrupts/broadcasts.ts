/**
 * Operations that one core broadcasts to all others and that each of them carries out at a moment of its own:
 * invalidations of translations (TLBI … IS, tlbie). Neutral: what an operation does is three words that the architecture
 * encodes and carries out.
 *
 * An operation arrives at every other core a constant latency after the sender's clock. It takes effect there
 *   - in timed and random runs when the core's clock passes the arrival: its slices end there, whatever it masks; at once
 *     on a core that executes nothing then (halted, spinning, or waiting itself);
 *   - in exploring runs when the scheduler grants it, an event of an agent of its own, however late;
 *   - at once on a core that has not been started.
 * Operations of one sender take effect in the order in which they were sent. Those of two senders do in the order of
 * arrival, in exploring runs in that of sending: who sends first is a decision there, and nothing can depend on an
 * operation before its barrier is complete, so that every order of effects has an order of sending.
 *
 * A barrier of the sender (DSB, ptesync) is complete when every core has carried out everything sent before, and no core
 * is still inside an access that it had begun with a translation from before. The acknowledgements take a latency too.
 *
 * Bound: CAPACITY operations on their way to one core. When one more comes, the first takes effect early, as hardware may
 * drop a translation at any moment. Nothing is lost or merged. All state lies in the cores' state words.
 */
import type { BroadcastSource } from "../cores/index.ts";

/** What a broadcast needs of a core that takes part. */
export interface BroadcastCore {
  readonly id: number;
  readonly clock: number;
  /** It has not been started: it executes nothing and holds nothing. */
  readonly isParked: boolean;
  /** It executes nothing until something happens to it. */
  readonly isIdle: boolean;
  /** It is suspended inside an access that has been translated, at least in part. */
  readonly isInsideAccess: boolean;
  readonly budget: { readonly exploring: boolean };
  /** Carries out an operation of another core. */
  applyBroadcast(code: number, lo: number, hi: number): void;
}

/** Largest number of cores of a machine. */
const MAX_CORES = 1024;
const CAPACITY = 32;
const OPERATION_WORDS = 4;

/** Words, relative to the base. */
const COUNT = 0;
/** Of what this core sent: operations that a core has not carried out, and cores inside an older access. */
const OUTSTANDING = 1;
const HOLDING = 2;
/** The first core that may still have to carry out something of this one. */
const NEXT = 3;
/** When the last acknowledgement was back, a double. */
const COMPLETION = 4;
/** Number of senders in HELD. */
const HELD_COUNT = 6;
/** Senders whose operation took effect inside the access in progress, a bit each. */
const HELD = 8;
const HELD_WORDS: number = MAX_CORES / 32;
/** Operations in the order in which they take effect: code, lo, hi, sender; then the times of arrival. */
const OPERATIONS: number = HELD + HELD_WORDS;
const TIMES: number = OPERATIONS + CAPACITY * OPERATION_WORDS;

export class BroadcastBus {
  /** Cycles from an operation to its arrival at the others, and from its effect to the acknowledgement. */
  readonly latencyCycles: number;
  readonly acknowledgeCycles: number;
  /** By core number. */
  readonly members: Broadcasts[] = [];

  constructor(latencyCycles: number, acknowledgeCycles: number) {
    this.latencyCycles = latencyCycles;
    this.acknowledgeCycles = acknowledgeCycles;
  }

  attach(member: Broadcasts, core: number): void {
    if (core !== this.members.length || core >= MAX_CORES) {
      throw new Error(`broadcasts: core ${core} cannot be number ${this.members.length}`);
    }
    this.members.push(member);
  }
}

export interface BroadcastsOptions {
  readonly core: BroadcastCore;
  readonly bus: BroadcastBus;
  /** The core's state, and an index in it that is 8-byte aligned in memory. */
  readonly words: Int32Array;
  readonly base: number;
}

/** One core's part: what is on its way to it, and what it waits for itself. */
export class Broadcasts implements BroadcastSource {
  static readonly words: number = TIMES + CAPACITY * 2;

  readonly #core: BroadcastCore;
  readonly #bus: BroadcastBus;
  readonly #words: Int32Array;
  readonly #base: number;
  readonly #times: Float64Array;
  readonly #completion: Float64Array;

  constructor({ core, bus, words, base }: BroadcastsOptions) {
    this.#core = core;
    this.#bus = bus;
    this.#words = words;
    this.#base = base;
    this.#times = new Float64Array(words.buffer, words.byteOffset + (base + TIMES) * 4, CAPACITY);
    this.#completion = new Float64Array(words.buffer, words.byteOffset + (base + COMPLETION) * 4, 1);
    words.fill(0, base, base + Broadcasts.words);
    bus.attach(this, core.id);
  }

  // The sender

  /** Sends an operation to every other core; the sender carries it out itself. */
  send(code: number, lo: number, hi: number): void {
    const { members, latencyCycles } = this.#bus;
    const arrival = this.#core.clock + latencyCycles;
    this.#words[this.#base + NEXT] = 0;
    for (let id = 0; id < members.length; id++) {
      const other = members[id]!;
      if (other !== this) other.#take(code, lo, hi, this, arrival);
    }
  }

  /** A barrier is complete. In timed runs what has reached the others takes effect first. */
  complete(): boolean {
    const words = this.#words;
    const base = this.#base;
    if (words[base + OUTSTANDING] !== 0) {
      if (this.#core.budget.exploring) return false;
      this.#deliver();
      if (words[base + OUTSTANDING] !== 0) return false;
    }
    return words[base + HOLDING] === 0 || this.#settleOthers();
  }

  /** Virtual time at which everything sent so far was acknowledged, once complete() says so. */
  get completionTime(): number {
    return this.#completion[0]!;
  }

  /** Operations of this core that others have not carried out yet, each counted for each of them. */
  get outstanding(): number {
    return this.#words[this.#base + OUTSTANDING]!;
  }

  /** A core that keeps the barrier from being complete; -1: none does. For reports. */
  get awaited(): number {
    const { id } = this.#core;
    return this.#bus.members.findIndex((member) => member.#hasFrom(id) || member.#isHeldFor(id));
  }

  // The receiver

  /** Operations on their way to this core. @hot */
  get count(): number {
    return this.#words[this.#base + COUNT]!;
  }

  /** Arrival of the first one; Infinity: none, or the scheduler grants them. @hot */
  get nextTime(): number {
    return this.#words[this.#base + COUNT] === 0 || this.#core.budget.exploring
      ? Number.POSITIVE_INFINITY
      : this.#times[0]!;
  }

  /** Carries out what has arrived at `clock`; in exploring runs nothing. @hot */
  advance(clock: number): void {
    while (this.nextTime <= clock) this.applyFirst();
  }

  /** Carries out the first one. */
  applyFirst(): void {
    const words = this.#words;
    const at = this.#base + OPERATIONS;
    const code = words[at]!;
    const lo = words[at + 1]!;
    const hi = words[at + 2]!;
    const sender = this.#bus.members[words[at + 3]!]!;
    const time = this.#times[0]!;
    this.#removeFirst();
    this.#core.applyBroadcast(code, lo, hi);
    sender.#acknowledged(time + this.#bus.acknowledgeCycles);
    if (this.#core.isInsideAccess) this.#hold(sender);
  }

  /** The core has gone on: if the access that it was inside is over, nobody waits for it any more. */
  settle(): void {
    const words = this.#words;
    const base = this.#base;
    if (words[base + HELD_COUNT] === 0 || this.#core.isInsideAccess) return;
    words[base + HELD_COUNT] = 0;
    for (let at = 0; at < HELD_WORDS; at++) {
      for (let left = words[base + HELD + at]!; left !== 0; left &= left - 1) {
        const member = this.#bus.members[at * 32 + 31 - Math.clz32(left & -left)]!;
        member.#words[member.#base + HOLDING]!--;
      }
      words[base + HELD + at] = 0;
    }
  }

  /** Folds everything into a hash. */
  hash(seed: number): number {
    const words = this.#words;
    const base = this.#base;
    let hash = seed;
    for (let at = base; at < base + OPERATIONS; at++) {
      if (at !== base + NEXT) hash = mix(hash, words[at]!);
    }
    for (let i = 0; i < this.count; i++) {
      const at = base + OPERATIONS + i * OPERATION_WORDS;
      for (let word = 0; word < OPERATION_WORDS; word++) hash = mix(hash, words[at + word]!);
      hash = mix(hash, this.#times[i]! % 0x1_0000_0000);
    }
    return hash;
  }

  /** Timed runs: lets each core that still has something of this one carry out what has reached it. */
  #deliver(): void {
    const words = this.#words;
    const next = this.#base + NEXT;
    const { members } = this.#bus;
    for (; words[next]! < members.length; words[next]!++) {
      const other = members[words[next]!]!;
      if (other === this || other.count === 0) continue;
      other.advance(other.#core.isIdle ? Number.MAX_VALUE : other.#core.clock);
      if (other.#hasFrom(this.#core.id)) return;
    }
  }

  #take(code: number, lo: number, hi: number, sender: Broadcasts, arrival: number): void {
    if (this.#core.isParked) {
      this.#core.applyBroadcast(code, lo, hi);
      return;
    }
    const words = this.#words;
    if (words[this.#base + COUNT] === CAPACITY) this.applyFirst();
    const times = this.#times;
    let index = words[this.#base + COUNT]!++;
    let at = this.#base + OPERATIONS + index * OPERATION_WORDS;
    const isTimed = !this.#core.budget.exploring;
    for (; isTimed && index > 0 && times[index - 1]! > arrival; index--, at -= OPERATION_WORDS) {
      times[index] = times[index - 1]!;
      words.copyWithin(at, at - OPERATION_WORDS, at);
    }
    times[index] = arrival;
    words[at] = code;
    words[at + 1] = lo;
    words[at + 2] = hi;
    words[at + 3] = sender.#core.id;
    sender.#words[sender.#base + OUTSTANDING]!++;
  }

  #removeFirst(): void {
    const words = this.#words;
    const at = this.#base + OPERATIONS;
    const count = --words[this.#base + COUNT]!;
    if (count === 0) return;
    words.copyWithin(at, at + OPERATION_WORDS, at + (count + 1) * OPERATION_WORDS);
    this.#times.copyWithin(0, 1, count + 1);
  }

  #hasFrom(sender: number): boolean {
    const at = this.#base + OPERATIONS + 3;
    for (let i = 0; i < this.count; i++) if (this.#words[at + i * OPERATION_WORDS] === sender) return true;
    return false;
  }

  #isHeldFor(sender: number): boolean {
    return (this.#words[this.#base + HELD + (sender >>> 5)]! & (1 << (sender & 31))) !== 0;
  }

  /** Another core has carried out an operation of this one. */
  #acknowledged(time: number): void {
    this.#words[this.#base + OUTSTANDING]!--;
    if (this.#completion[0]! < time) this.#completion[0] = time;
  }

  #hold(sender: Broadcasts): void {
    const words = this.#words;
    const id = sender.#core.id;
    if (this.#isHeldFor(id)) return;
    words[this.#base + HELD + (id >>> 5)]! |= 1 << (id & 31);
    words[this.#base + HELD_COUNT]!++;
    sender.#words[sender.#base + HOLDING]!++;
  }

  #settleOthers(): boolean {
    const { members } = this.#bus;
    for (let id = 0; id < members.length; id++) members[id]!.settle();
    return this.#words[this.#base + HOLDING] === 0;
  }
}

function mix(hash: number, word: number): number {
  const x = Math.imul(hash ^ word, 0x0100_0193);
  return (x ^ (x >>> 15)) | 0;
}
