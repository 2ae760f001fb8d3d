/**
 * `exhaustive`: all schedules with at most so many preemptions, one of each class of schedules that differ only in the
 * order of independent events. Coons, Musuvathi, McKinley, "Bounded Partial-Order Reduction", OOPSLA 2013 (BPOR), which
 * extends Flanagan, Godefroid, "Dynamic Partial-Order Reduction for Model Checking Software", POPL 2005. The search is
 * stateless: a schedule is executed again from the start up to the point where it is to differ.
 *
 * 1. A new event goes to the core that ran last, if it can go on, else to the first that can (`schedule-tree.ts`).
 * 2. When an event has been executed, the earlier events that it conflicts with are found (`conflicts.ts`).
 * 3. At each of them the event's core is to be tried instead; if it could not go on there, everything that could is
 *    (`requests.ts`).
 * 4. The conservative points: the switch that step 3 asks for may be one preemption too many, though the same order of
 *    conflicting events is within the bound if the switch is made earlier, where it costs nothing. So the same is asked
 *    at the last event before that at which a switch was free, and at the first of the core's turn.
 * 5. Last in, first out: the latest event at which something is left to try is exchanged; what is over the bound is not.
 *
 * Sleep sets are not used. What sleeps is skipped where a conflict asks for it, and with it the conflicts that its own
 * continuation would have shown; random programs with interrupts lose final states that way.
 *
 * Interrupts have rules of their own (`interrupt-rules.ts`), and so have effects (`effect-rules.ts`): what an event of one
 * core brings about on another, which takes effect there at a moment of its own.
 *
 * What is no conflict, though one word is touched:
 * - A core looks in vain and waits for the word to change (`waits`). Had the change come first, the look would not have been
 *   in vain, and everything else would have been the same; and it would not have been cheaper: a core that waits is left
 *   for nothing. So whoever changes the word does not ask to come before such a look.
 *   The same holds for a barrier that waits until effects have come: it does not ask to come before them.
 * - Two changes of state that nobody has seen (`touchUnseen`), until an event asks for it.
 */

import type { Agent, Choices, Strategy } from "../exploring.ts";
import { ConflictIndex } from "./conflict-index.ts";
import { Conflicts } from "./conflicts.ts";
import { EffectRules } from "./effect-rules.ts";
import { EventClocks } from "./event-clocks.ts";
import { InterruptRules } from "./interrupt-rules.ts";
import { LINES_PER_CORE, lineOf } from "./lines.ts";
import { coreOf, enabledOf, isCore, isEffect, MAX_CORES, NO_CORE, NO_EVENT, type Point } from "./point.ts";
import { Requests } from "./requests.ts";
import { ScheduleTree } from "./schedule-tree.ts";

/** Told of the end of each event, before the next one is chosen: the last moment to say what it touched. */
export interface EventWatch {
  /** The first event of a run is about to be chosen. */
  begun(): void;
  ended(agent: Agent): void;
}

export interface ExhaustiveOptions {
  /** At most MAX_CORES. */
  readonly cores: number;
  /** "none": every schedule within the bound, to compare with. */
  readonly reduction: "bounded" | "none";
  /** Exclusive bound of the places that events touch; the last one is the count of fallible allocations. */
  readonly places: number;
  readonly watch: EventWatch | null;
}

/** What an event touched unseen. */
interface Unseen {
  readonly entry: number;
  readonly event: number;
}

const NOTHING: readonly number[] = [];

export class Exhaustive implements Strategy {
  readonly name = "exhaustive";
  /** Schedules begun, in all. */
  schedules = 0;
  /** Ordinal number of the fallible allocation that fails, or -1; changed before restart() only. */
  failing = -1;
  /** Fallible allocations of the present run. */
  allocations = 0;
  readonly #options: ExhaustiveOptions;
  readonly #index: ConflictIndex;
  readonly #clocks: EventClocks;
  readonly #tree: ScheduleTree;
  readonly #conflicts: Conflicts;
  readonly #interrupts: InterruptRules;
  readonly #effects: EffectRules;
  /** Touched unseen, and not asked for since, in the order of entries. */
  readonly #unseen: Unseen[] = [];
  /** Events of the present run. */
  #events = 0;
  #isOpen = false;
  /** The last event of each core, and the last effect on each. */
  readonly #lastOf: Int32Array;
  readonly #lastEffectOn: Int32Array;
  /** Effects that the present event waited for. */
  readonly #after: number[] = [];
  /** What the watch says of the event that ends. */
  #isBarrier = false;
  #isClosed = false;
  #sees = false;
  #handlerOf = NO_CORE;

  constructor(options: ExhaustiveOptions) {
    const { cores, places } = options;
    if (cores > MAX_CORES) throw new RangeError(`exhaustive: ${cores} cores`);
    this.#options = options;
    const index = new ConflictIndex(places);
    const clocks = new EventClocks(cores * LINES_PER_CORE);
    const tree = new ScheduleTree(options.reduction);
    const requests = new Requests(tree, clocks);
    const parts = { cores, places, tree, index, clocks, requests };
    this.#index = index;
    this.#clocks = clocks;
    this.#tree = tree;
    this.#conflicts = new Conflicts(parts);
    this.#interrupts = new InterruptRules(parts);
    this.#effects = new EffectRules(index, this.#conflicts);
    this.#lastOf = new Int32Array(cores);
    this.#lastEffectOn = new Int32Array(cores);
  }

  /** Largest number of preemptions in a schedule; changed before restart() only. */
  get bound(): number {
    return this.#tree.bound;
  }

  set bound(preemptions: number) {
    this.#tree.bound = preemptions;
  }

  /** Choices not taken because of the bound. */
  get overBound(): number {
    return this.#tree.overBound;
  }

  /** Preemptions of the present schedule. */
  get preemptions(): number {
    return this.#tree.preemptions;
  }

  /** What handlers touch has not grown since the search began. */
  get isSettled(): boolean {
    return this.#interrupts.isSettled;
  }

  /** What decides where interrupts land has grown: the search is to be begun again. */
  unsettle(): void {
    this.#interrupts.isSettled = false;
  }

  /** A run of the present schedule begins. */
  begin(): void {
    this.schedules++;
    this.allocations = 0;
    this.#events = 0;
    this.#isOpen = false;
    this.#lastOf.fill(NO_EVENT);
    this.#lastEffectOn.fill(NO_EVENT);
  }

  /** The run has come to its end, or the last event to its: nothing after this belongs to it. */
  end(): void {
    if (this.#isOpen) this.#endEvent();
  }

  /** The schedule to execute next is made. False: that was the last one. */
  advance(): boolean {
    const point = this.#tree.exchange();
    if (point === null) return false;
    this.#truncate(point.from);
    return true;
  }

  /** Forgets all schedules, but not what handlers touch. */
  restart(): void {
    this.#tree.clear();
    this.#truncate(0);
    this.#interrupts.isSettled = true;
  }

  /** Number of the present event in its run. */
  get event(): number {
    return this.#events - 1;
  }

  /** The present event touched a place. @hot */
  touch(place: number, changes: 0 | 1): void {
    if (this.#isOpen && this.#events >= this.#tree.prefix)
      this.#index.touch(this.#events - 1, place, changes, 0);
  }

  /**
   * The same for state that nobody sees until somebody asks for it: its conflicts count as soon as an event does (Aronis,
   * Jonsson, Lang, Sagonas, "Optimal Dynamic Partial Order Reduction with Observers", TACAS 2018).
   */
  touchUnseen(place: number, changes: 0 | 1): void {
    if (!this.#isOpen || this.#events < this.#tree.prefix) return;
    const { count } = this.#index;
    this.#index.touch(this.#events - 1, place, changes, 1);
    if (this.#index.count > count) this.#unseen.push({ entry: count, event: this.#events - 1 });
  }

  /** The present event asks for what was touched unseen; what it looks at there, it touches. */
  sees(): void {
    this.#sees = true;
  }

  /** The present event looked at a place in vain, and waits: for an event that comes later that was not too early. */
  waits(place: number): void {
    if (this.#isOpen && this.#events >= this.#tree.prefix) this.#index.forget(this.#events - 1, place);
  }

  /** The present event sent an interrupt to a core. */
  sends(core: number): void {
    if (this.#isOpen) this.#tree.points[this.#events - 1]!.sends |= 1 << core;
  }

  /** The present event changed its core's interrupt mask, phase or task: where an interrupt comes matters. */
  barrier(): void {
    this.#isBarrier = true;
  }

  /** No interrupt could have been accepted before the present event: it was masked, or a delivery was in progress. */
  closed(): void {
    this.#isClosed = true;
  }

  /** The present event is one of an interrupt handler of its core. */
  inHandler(core: number): void {
    this.#handlerOf = core;
  }

  /** The present event is an effect, which an earlier one brought about. */
  effectOf(cause: number): void {
    if (this.#isOpen) this.#tree.points[this.#events - 1]!.cause = cause;
  }

  /** The present event was possible only after another one, an effect that it waited for. */
  comesAfter(event: number): void {
    this.#after.push(event);
  }

  /** The present event changes a place, which an effect on a core could have done at any moment since event `cause`. */
  changesLate(place: number, core: number, cause: number): void {
    if (!this.#isOpen || this.#events < this.#tree.prefix) return;
    this.touch(place, 1);
    this.#effects.late(place, core, cause);
  }

  /** After the present event the next effect on a core is another one than before. */
  overtakes(core: number): void {
    if (this.#isOpen && this.#events >= this.#tree.prefix) this.#effects.overtaken(core);
  }

  fails(): boolean {
    if (this.failing >= 0) this.touch(this.#options.places - 1, 1);
    return this.allocations++ === this.failing;
  }

  choose(choices: Choices): Agent {
    if (this.#isOpen) this.#endEvent();
    const at = this.#events;
    const tree = this.#tree;
    if (at === 0) this.#options.watch?.begun();
    const enabled = enabledOf(choices);
    let agent: Agent;
    if (at < tree.prefix) {
      agent = tree.points[at]!.agent;
      if ((enabled & (1 << agent)) === 0) throw new Error(`exhaustive: event ${at} does not repeat itself`);
    } else {
      agent = tree.extend(choices, enabled, this.#index.count);
    }
    const point = tree.points[at]!;
    const lasts = isEffect(agent) ? this.#lastEffectOn : this.#lastOf;
    const core = coreOf(agent);
    point.previous = lasts[core]!;
    point.from = at >= tree.prefix - 1 ? this.#index.count : point.from;
    lasts[core] = at;
    this.#events = at + 1;
    this.#isOpen = true;
    this.#sees = false;
    return agent;
  }

  #truncate(count: number): void {
    this.#index.truncate(count);
    while (this.#unseen.length > 0 && this.#unseen.at(-1)!.entry >= count) this.#unseen.pop();
  }

  #endEvent(): void {
    const at = this.#events - 1;
    const point = this.#tree.points[at]!;
    this.#isBarrier = this.#isClosed = false;
    this.#handlerOf = NO_CORE;
    this.#options.watch?.ended(point.agent);
    this.#isOpen = false;
    if (at < this.#tree.prefix - 1) {
      this.#after.length = 0;
      return;
    }
    point.to = this.#index.count;
    if (isEffect(point.agent)) point.predecessor = Math.max(point.previous, point.cause);
    else this.#place(point);
    if (this.#options.reduction === "bounded") {
      this.#findConflicts(at, point);
      this.#follow(at, point);
    }
    this.#effects.forget();
    this.#after.length = 0;
  }

  /** Where the event lies among those of its core. */
  #place(point: Point): void {
    const interrupts = this.#interrupts;
    if (this.#handlerOf === coreOf(point.agent) && isCore(point.agent)) {
      point.accepted = interrupts.acceptedOf(point);
      interrupts.learn(point);
    }
    point.predecessor = interrupts.predecessorOf(point);
    point.isBarrier = !this.#isClosed && (this.#isBarrier || interrupts.touchesHandled(point));
  }

  /** What an event comes after in every equivalent schedule. */
  #follow(at: number, point: Point): void {
    const clocks = this.#clocks;
    clocks.begin(at, lineOf(point));
    if (isEffect(point.agent)) {
      clocks.join(at, point.previous);
      clocks.join(at, point.cause);
    } else if (isCore(point.agent)) clocks.join(at, point.predecessor);
    else this.#interrupts.follow(at, point.agent);
    if (point.isBarrier) this.#interrupts.followBarrier(at, point);
    for (const event of this.#after) clocks.join(at, event);
    this.#conflicts.follow(at, point.from, point.to);
  }

  /** Step 2. */
  #findConflicts(at: number, point: Point): void {
    const { agent } = point;
    const interrupts = this.#interrupts;
    if (!isCore(agent) && !isEffect(agent)) {
      interrupts.findCrossed(at, point);
      return;
    }
    if (point.isBarrier) interrupts.findInterrupts(point);
    if (point.sends !== 0) interrupts.findSent(at, point);
    for (let entry = point.from; entry < point.to; entry++) {
      this.#conflicts.find(entry, point, "seen", this.#after);
    }
    this.#effects.find(point, this.#lastEffectOn);
    if (!this.#sees) return;
    for (const { entry, event } of this.#unseen) {
      this.#conflicts.find(entry, this.#tree.points[event]!, "all", NOTHING);
    }
    this.#unseen.length = 0;
  }
}
