/**
 * `exhaustive`: all schedules with at most so many preemptions, one of each class of schedules that differ only in the
 * order of independent events. Coons, Musuvathi, McKinley, "Bounded Partial-Order Reduction", OOPSLA 2013 (BPOR), which
 * extends Flanagan, Godefroid, "Dynamic Partial-Order Reduction for Model Checking Software", POPL 2005. The search is
 * stateless: a schedule is executed again from the start up to the point where it is to differ.
 *
 * A preemption is a switch from a core that could go on to another core. The acceptance of an interrupt or the firing of
 * a timer is no switch, and going on with the core that ran before is none either; nor is leaving a core that spins.
 *
 * 1. A new event goes to the core that ran last, if it can go on, else to the first that can.
 * 2. When an event has been executed, the earlier events that it conflicts with are found: of every other core all that
 *    came after the event's predecessor on its own core, and the last one before it that the predecessor does not come
 *    after in any case (`event-clocks.ts`). (The paper asks at every state for the last conflicting event of every core;
 *    over the states at which this event was next these are the same.)
 * 3. At each of them the event's core is to be tried instead; if it could not go on there, everything that could is.
 * 4. The conservative points: the switch that step 3 asks for may be one preemption too many, though the same order of
 *    conflicting events is within the bound if the switch is made earlier, where it costs nothing. So the same is asked
 *    at the last event before that at which a switch was free, and at the first of the core's turn.
 * 5. Last in, first out: the latest event at which something is left to try is exchanged; what is over the bound is not.
 *
 * Sleep sets are not used. What sleeps is skipped where a conflict asks for it, and with it the conflicts that its own
 * continuation would have shown; random programs with interrupts lose final states that way.
 *
 * Interrupts. The paper has none; here one is an agent of its own that takes its core away from what ran there. What
 * matters is where between the other events of its own core it lands. Two places differ only if an event between them
 * touches what the handler touches, or changes the interrupt mask, the phase or the task of the core: a *barrier*. What
 * handlers touch is learned; as long as that grows, the search is begun again (`isSettled`). So an acceptance conflicts with
 * - the barriers of its core. Where it could have come before one, it is tried there; where no message had come yet,
 *   every core that sent one after it is;
 * - every message to its core: had it come before the message, the message would have been the next interrupt's. Where the
 *   core still had the interrupt before in hand, the core itself is tried.
 * A handler's event comes earlier if its interrupt does, or the messages that it answers. An event that a handler holds up
 * comes earlier if the interrupt comes later, and so does an event of another core that needs the first one. And the
 * predecessor of an event (step 2) is the last one of the same level: handlers that ran in between held it up.
 * None of this is in the paper, whose proof does not cover it: that nothing is lost is a result of comparisons with the
 * full search of random programs, not of a proof (docs/EXHAUSTIVE.md).
 *
 * What is no conflict, though one word is touched:
 * - A core looks in vain and waits for the word to change (`waits`). Had the change come first, the look would not have been
 *   in vain, and everything else would have been the same; and it would not have been cheaper: a core that waits is left
 *   for nothing. So whoever changes the word does not ask to come before such a look.
 * - Two changes of state that nobody has seen (`touchUnseen`), until an event asks for it.
 */
import { ConflictIndex } from "./conflict-index.ts";
import { EventClocks } from "./event-clocks.ts";
import {
  AGENTS_PER_CORE,
  type Agent,
  type Choices,
  NO_AGENT,
  ROLE_INTERRUPT,
  ROLE_TIMER,
  type Strategy,
} from "./exploring.ts";

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

/** Agents of a point are the bits of a word. */
export const MAX_CORES: number = (31 / AGENTS_PER_CORE) | 0;
const CORE_ROLES = 0b00011;
const ALL_ROLES = 0b11111;
const TIMER_BITS: number = ofEveryCore(1 << ROLE_TIMER);
const NO_EVENT = -1;
const NO_CORE = -1;
/** A core's own events, and those of its interrupts. */
const LINES_PER_CORE = 2;

/** A point of the present schedule: what could be chosen, and the event that was. */
interface Point {
  agent: Agent;
  /** Agents, as bits. */
  enabled: number;
  done: number;
  asked: number;
  /** The core that executed the last event that was no interrupt, and whether leaving it costs a preemption. */
  last: number;
  holds: boolean;
  /** Preemptions before the event. */
  preemptions: number;
  /** The event at which the block that this one lies in begins: there another core would have been no dearer. */
  block: number;
  /** The core that executed the last event but interrupts', and the event since which it is the same. */
  runs: number;
  turn: number;
  /** The event before this one on the same core. */
  previous: number;
  /** The interrupt in whose handler the event lies. */
  accepted: number;
  /** The last event of its core before it that an interrupt in between does not belong to. */
  predecessor: number;
  /** Cores that the event sent an interrupt to, as bits. */
  sends: number;
  /** An interrupt of its core does not commute with the event. */
  isBarrier: boolean;
  /** Entries of the index: the event's own. */
  from: number;
  to: number;
}

/** What an event touched unseen. */
interface Unseen {
  readonly entry: number;
  readonly event: number;
}

export class Exhaustive implements Strategy {
  readonly name = "exhaustive";
  /** Schedules begun, in all. */
  schedules = 0;
  /** Choices not taken because of the bound. */
  overBound = 0;
  /** Largest number of preemptions in a schedule; changed before restart() only. */
  bound = 0;
  /** Ordinal number of the fallible allocation that fails, or -1; changed before restart() only. */
  failing = -1;
  /** Fallible allocations of the present run. */
  allocations = 0;
  /** What handlers touch has grown since the search began. */
  isSettled = true;
  readonly #options: ExhaustiveOptions;
  readonly #index: ConflictIndex;
  readonly #clocks: EventClocks;
  readonly #points: Point[] = [];
  /** Touched unseen, and not asked for since, in the order of entries. */
  readonly #unseen: Unseen[] = [];
  /** Points that the present run has to follow. */
  #prefix = 0;
  /** Events of the present run. */
  #events = 0;
  #isOpen = false;
  /** By core: last event, and what its handlers touch (1 looked at, 2 changed). */
  readonly #lastOf: Int32Array;
  readonly #handlers: readonly Uint8Array[];
  /** What the watch says of the event that ends. */
  #isBarrier = false;
  #isClosed = false;
  #sees = false;
  #handlerOf = NO_CORE;
  /** Cores that an event's last conflict with has been found. */
  readonly #isFound: Uint8Array;

  constructor(options: ExhaustiveOptions) {
    if (options.cores > MAX_CORES) throw new RangeError(`exhaustive: ${options.cores} cores`);
    this.#options = options;
    this.#index = new ConflictIndex(options.places);
    this.#clocks = new EventClocks(options.cores * LINES_PER_CORE);
    this.#lastOf = new Int32Array(options.cores);
    this.#handlers = Array.from({ length: options.cores }, () => new Uint8Array(options.places));
    this.#isFound = new Uint8Array(options.cores);
  }

  /** A run of the present schedule begins. */
  begin(): void {
    this.schedules++;
    this.allocations = 0;
    this.#events = 0;
    this.#isOpen = false;
    this.#lastOf.fill(NO_EVENT);
  }

  /** The run has come to its end, or the last event to its: nothing after this belongs to it. */
  end(): void {
    if (this.#isOpen) this.#endEvent();
  }

  /** The schedule to execute next is made. False: that was the last one. */
  advance(): boolean {
    const points = this.#points;
    for (let at = points.length - 1; at >= 0; at--) {
      const point = points[at]!;
      const agent = this.#untried(point);
      if (agent === NO_AGENT) continue;
      points.length = at + 1;
      this.#truncate(point.from);
      this.#prefix = at + 1;
      this.#put(at, agent);
      return true;
    }
    return false;
  }

  /** Forgets all schedules, but not what handlers touch. */
  restart(): void {
    this.#points.length = 0;
    this.#truncate(0);
    this.#prefix = 0;
    this.isSettled = true;
  }

  /** The present event touched a place. @hot */
  touch(place: number, changes: 0 | 1): void {
    if (this.#isOpen && this.#events >= this.#prefix) this.#index.touch(this.#events - 1, place, changes, 0);
  }

  /**
   * The same for state that nobody sees until somebody asks for it: its conflicts count as soon as an event does (Aronis,
   * Jonsson, Lang, Sagonas, "Optimal Dynamic Partial Order Reduction with Observers", TACAS 2018).
   */
  touchUnseen(place: number, changes: 0 | 1): void {
    if (!this.#isOpen || this.#events < this.#prefix) return;
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
    if (this.#isOpen && this.#events >= this.#prefix) this.#index.forget(this.#events - 1, place);
  }

  /** The present event sent an interrupt to a core. */
  sends(core: number): void {
    if (this.#isOpen) this.#points[this.#events - 1]!.sends |= 1 << core;
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

  /** Preemptions and length of the present schedule. */
  get preemptions(): number {
    const last = this.#points.at(-1);
    return last === undefined ? 0 : last.preemptions + this.#costOf(last, last.agent);
  }

  fails(): boolean {
    if (this.failing >= 0) this.touch(this.#options.places - 1, 1);
    return this.allocations++ === this.failing;
  }

  choose(choices: Choices): Agent {
    if (this.#isOpen) this.#endEvent();
    const at = this.#events;
    if (at === 0) this.#options.watch?.begun();
    const enabled = enabledOf(choices);
    let agent: Agent;
    if (at < this.#prefix) {
      agent = this.#points[at]!.agent;
      if ((enabled & (1 << agent)) === 0) throw new Error(`exhaustive: event ${at} does not repeat itself`);
    } else {
      const point = this.#newPoint(choices, enabled);
      agent = this.#first(point);
      this.#points.push(point);
      this.#put(at, agent);
    }
    const point = this.#points[at]!;
    const core = coreOf(agent);
    point.previous = this.#lastOf[core]!;
    point.from = at >= this.#prefix - 1 ? this.#index.count : point.from;
    this.#lastOf[core] = at;
    this.#events = at + 1;
    this.#isOpen = true;
    this.#sees = false;
    return agent;
  }

  #truncate(count: number): void {
    this.#index.truncate(count);
    while (this.#unseen.length > 0 && this.#unseen.at(-1)!.entry >= count) this.#unseen.pop();
  }

  #newPoint(choices: Choices, enabled: number): Point {
    const before = this.#events === 0 ? null : this.#points[this.#events - 1]!;
    let last = before === null ? NO_CORE : before.last;
    if (before !== null && isCore(before.agent)) last = coreOf(before.agent);
    // An interrupt makes no switch dearer: a core that could not go on before it is left for nothing.
    else if (before !== null && !before.holds) last = NO_CORE;
    const goesOn = last !== NO_CORE && (enabled & agentsOf(last, CORE_ROLES)) !== 0;
    const spins = choices.spins && coreOf(choices.current) === last;
    return {
      agent: NO_AGENT,
      enabled,
      done: 0,
      asked: this.#options.reduction === "none" ? enabled : 0,
      last,
      holds: goesOn && !spins,
      preemptions: before === null ? 0 : before.preemptions + this.#costOf(before, before.agent),
      block: 0,
      runs: before === null ? NO_CORE : isCore(before.agent) ? coreOf(before.agent) : before.runs,
      turn: 0,
      previous: NO_EVENT,
      accepted: NO_EVENT,
      predecessor: NO_EVENT,
      sends: 0,
      isBarrier: false,
      from: this.#index.count,
      to: this.#index.count,
    };
  }

  /** The agent takes the event at a point. */
  #put(at: number, agent: Agent): void {
    const point = this.#points[at]!;
    point.agent = agent;
    point.done |= 1 << agent;
    point.sends = 0;
    point.isBarrier = false;
    point.accepted = point.predecessor = NO_EVENT;
    const begins = !point.holds || (isCore(agent) && coreOf(agent) !== point.last);
    point.block = begins || at === 0 ? at : this.#points[at - 1]!.block;
    const takesTurn = isCore(agent) && coreOf(agent) !== point.runs;
    point.turn = takesTurn || at === 0 ? at : this.#points[at - 1]!.turn;
  }

  /** Step 1. */
  #first(point: Point): Agent {
    const { enabled, last, holds } = point;
    const own = last === NO_CORE ? 0 : enabled & agentsOf(last, CORE_ROLES);
    const others = enabled & ~MACHINE_BITS & ~own;
    // A core that spins comes last.
    for (const wanted of [holds ? own : others, others, enabled & ~own, own]) {
      for (let left = wanted; left !== 0; left &= left - 1) {
        const agent = lowest(left);
        if (point.preemptions + this.#costOf(point, agent) <= this.bound) return agent;
      }
    }
    return NO_AGENT;
  }

  /** Step 5: what is asked for at a point, within the bound, and not done yet. */
  #untried(point: Point): Agent {
    for (let left = point.asked & ~point.done; left !== 0; left &= left - 1) {
      const agent = lowest(left);
      if (point.preemptions + this.#costOf(point, agent) <= this.bound) return agent;
      point.done |= 1 << agent;
      this.overBound++;
    }
    return NO_AGENT;
  }

  #costOf(point: Point, agent: Agent): 0 | 1 {
    return point.holds && isCore(agent) && coreOf(agent) !== point.last ? 1 : 0;
  }

  #endEvent(): void {
    const at = this.#events - 1;
    const point = this.#points[at]!;
    this.#isBarrier = this.#isClosed = false;
    this.#handlerOf = NO_CORE;
    this.#options.watch?.ended(point.agent);
    this.#isOpen = false;
    if (at >= this.#prefix - 1) {
      point.to = this.#index.count;
      const core = coreOf(point.agent);
      if (this.#handlerOf === core && isCore(point.agent)) {
        const { previous } = point;
        const before = this.#points[previous];
        point.accepted =
          before === undefined || isCore(before.agent) ? (before?.accepted ?? NO_EVENT) : previous;
        this.#learn(point, core);
      }
      point.predecessor = this.#predecessorOf(point);
      point.isBarrier = !this.#isClosed && (this.#isBarrier || this.#touchesHandled(point, core));
      if (this.#options.reduction === "bounded") {
        this.#findConflicts(at, point);
        this.#follow(at, point);
      }
    }
  }

  /** Past the handlers that ran in between. */
  #predecessorOf({ accepted, previous }: Point): number {
    let event = previous;
    while (event > accepted) {
      const point = this.#points[event]!;
      if (isCore(point.agent) && point.accepted === accepted) break;
      event = point.previous;
    }
    return event;
  }

  /** What an event comes after in every equivalent schedule. */
  #follow(at: number, point: Point): void {
    const clocks = this.#clocks;
    const core = coreOf(point.agent);
    clocks.begin(at, this.#lineOf(at));
    if (isCore(point.agent)) clocks.join(at, point.predecessor);
    else this.#followSenders(at, point.agent, core);
    if (point.isBarrier) {
      let event = point.previous;
      while (event >= 0 && isCore(this.#points[event]!.agent)) event = this.#points[event]!.previous;
      clocks.join(at, event);
    }
    const index = this.#index;
    for (let entry = point.from; entry < point.to; entry++) {
      let other = index.conflictOf(entry);
      while (other >= 0) {
        if (!(index.isUnseen(entry) && index.isUnseen(other))) clocks.join(at, index.eventOf(other));
        if (index.changeOf(other) === 1) break;
        other = index.conflictBefore(entry, other);
      }
    }
  }

  /** Events of a core, and of its handlers, each of which comes after the one before. */
  #lineOf(event: number): number {
    const { agent, accepted } = this.#points[event]!;
    return coreOf(agent) * LINES_PER_CORE + (isCore(agent) && accepted === NO_EVENT ? 0 : 1);
  }

  /** An interrupt comes after its messages, after barriers of its core, and after the last handler. */
  #followSenders(at: number, agent: Agent, core: number): void {
    for (let event = at - 1; event >= 0; event--) {
      const point = this.#points[event]!;
      const isOwn = isEventOf(point.agent, core);
      const wasHandler = isOwn && point.accepted !== NO_EVENT;
      if (
        (point.sends & (1 << core)) !== 0 ||
        (isOwn && point.isBarrier) ||
        wasHandler ||
        point.agent === agent
      ) {
        this.#clocks.join(at, event);
      }
      if (point.agent === agent) return;
    }
  }

  #learn({ from, to }: Point, core: number): void {
    const handled = this.#handlers[core]!;
    const index = this.#index;
    for (let entry = from; entry < to; entry++) {
      const place = index.placeOf(entry);
      const bits = 1 << index.changeOf(entry);
      if ((handled[place]! & bits) !== 0) continue;
      handled[place]! |= bits;
      this.isSettled = false;
    }
  }

  #touchesHandled({ from, to }: Point, core: number): boolean {
    const handled = this.#handlers[core]!;
    for (let entry = from; entry < to; entry++) {
      const bits = handled[this.#index.placeOf(entry)]!;
      if (this.#index.changeOf(entry) === 1 ? bits !== 0 : (bits & 2) !== 0) return true;
    }
    return false;
  }

  /** Step 2. */
  #findConflicts(at: number, point: Point): void {
    if (!isCore(point.agent)) {
      this.#findCrossed(at, point);
      return;
    }
    if (point.isBarrier) this.#findInterrupts(point);
    if (point.sends !== 0) this.#findSent(at, point);
    for (let entry = point.from; entry < point.to; entry++) this.#findConflictsOf(entry, point, "seen");
    if (!this.#sees) return;
    for (const { entry, event } of this.#unseen) this.#findConflictsOf(entry, this.#points[event]!, "all");
    this.#unseen.length = 0;
  }

  /** @param which whether what nobody has seen counts too */
  #findConflictsOf(entry: number, asking: Point, which: "seen" | "all"): void {
    const { agent, predecessor } = asking;
    const index = this.#index;
    const own = coreOf(agent);
    const skipsUnseen = which === "seen" && index.isUnseen(entry);
    const found = this.#isFound.fill(0);
    let left = found.length - 1;
    let other = index.conflictOf(entry);
    while (other >= 0 && left > 0) {
      const event = index.eventOf(other);
      const core = coreOf(this.#points[event]!.agent);
      if (
        core !== own &&
        found[core] === 0 &&
        !(skipsUnseen && index.isUnseen(other)) &&
        !this.#clocks.isBefore(event, this.#lineOf(event), predecessor)
      ) {
        this.#ask(event, asking);
        this.#askLater(event, predecessor);
        if (event < predecessor) {
          found[core] = 1;
          left--;
        }
      }
      other = index.conflictBefore(entry, other);
    }
  }

  /** Interrupts that held the event up: those that came after its predecessor, and the last one before that. */
  #findInterrupts(asking: Point): void {
    const { accepted, previous, predecessor } = asking;
    for (let event = previous; event > accepted; event = this.#points[event]!.previous) {
      if (isCore(this.#points[event]!.agent)) continue;
      this.#ask(event, asking);
      if (event < predecessor) return;
    }
  }

  /**
   * The event sends an interrupt: to come before events of the target that do not commute with it, or before an acceptance
   * there, which would have been the answer to both.
   */
  #findSent(at: number, asking: Point): void {
    const { agent, sends, predecessor } = asking;
    const own = coreOf(agent);
    for (let left = sends; left !== 0; left &= left - 1) {
      const target = lowest(left);
      const interrupt = target * AGENTS_PER_CORE + ROLE_INTERRUPT;
      for (let event = at - 1; event >= 0; event--) {
        const point = this.#points[event]!;
        if (
          point.agent !== interrupt &&
          !(point.isBarrier && target !== own && isEventOf(point.agent, target))
        )
          continue;
        this.#ask(event, asking);
        if (event < predecessor) break;
      }
    }
  }

  /**
   * An interrupt, from its predecessor on: events of its own core that do not commute with it, and messages of which it
   * could have been the answer to the earlier ones alone. If it was not there yet, a later sender has to come earlier; if
   * it was masked, its core.
   */
  #findCrossed(at: number, { agent }: Point): void {
    const core = coreOf(agent);
    const ofCore = agentsOf(core, CORE_ROLES);
    /** Agents of cores that sent it, or held it off, after the event that is looked at. */
    let senders = 0;
    let holders = 0;
    for (let event = at - 1; event >= 0; event--) {
      const point = this.#points[event]!;
      if (point.agent === agent) return;
      const sends = (point.sends & (1 << core)) !== 0;
      const isOwn = isEventOf(point.agent, core);
      if ((sends || (isOwn && point.isBarrier)) && (point.enabled & (1 << agent)) !== 0) {
        point.asked |= 1 << agent;
      } else if (sends) {
        const others = senders & ~agentsOf(coreOf(point.agent), ALL_ROLES);
        if (others !== 0) this.#askFor(event, others);
        if (!isOwn && holders !== 0) this.#askFor(event, holders);
      }
      if (sends) senders |= agentsOf(coreOf(point.agent), CORE_ROLES);
      if (isOwn) holders = ofCore;
    }
  }

  /**
   * Steps 3 and 4: before an event, the core of a later one was to be tried. If it was in a handler that the later event
   * does not belong to, that event was not to be had: the interrupt was to come later.
   */
  #ask(event: number, asking: Point): void {
    this.#askFrom(event, asking);
    const interrupt = this.#heldBy(event, asking);
    if (interrupt !== NO_EVENT) this.#askFrom(interrupt, asking);
  }

  /**
   * An event of a handler was to come after another one, which needs an event that the handler holds up: the interrupt was
   * to come later.
   */
  #askLater(event: number, predecessor: number): void {
    const { agent, accepted } = this.#points[event]!;
    if (accepted === NO_EVENT) return;
    const core = coreOf(agent);
    if (this.#clocks.lastBefore(core * LINES_PER_CORE, predecessor) > event) {
      this.#askFor(accepted, agentsOf(core, CORE_ROLES));
    }
  }

  /** The interrupt, after the predecessor of an event, in whose handler its core was at another event. */
  #heldBy(at: number, { previous, predecessor }: Point): number {
    for (let event = previous; event > at; event = this.#points[event]!.previous) {
      const { agent, accepted } = this.#points[event]!;
      if (isCore(agent) && accepted < at && accepted > predecessor) return accepted;
    }
    return NO_EVENT;
  }

  #askFrom(event: number, { agent, accepted }: Point): void {
    const core = coreOf(agent);
    this.#askAt(event, core, accepted);
    const block = this.#blockOf(event);
    if (block < event) this.#askAt(block, core, accepted);
    const turn = this.#turnOf(event);
    if (turn < block) this.#askAt(turn, core, accepted);
  }

  /** The same for any of several cores, by their agents. */
  #askFor(event: number, agents: number): void {
    this.#askAgents(event, agents);
    const block = this.#blockOf(event);
    if (block < event) this.#askAgents(block, agents);
    const turn = this.#turnOf(event);
    if (turn < block) this.#askAgents(turn, agents);
  }

  #blockOf(event: number): number {
    const { block } = this.#points[event]!;
    return block < event ? block : event === 0 ? 0 : this.#points[event - 1]!.block;
  }

  #turnOf(event: number): number {
    const { turn } = this.#points[event]!;
    return turn < event ? turn : event === 0 ? 0 : this.#points[event - 1]!.turn;
  }

  /** An event of a handler comes earlier if its interrupt is accepted earlier, or if that is sent earlier. */
  #askAt(event: number, core: number, accepted: number): void {
    let wanted = agentsOf(core, CORE_ROLES);
    if (accepted > event) {
      const { enabled } = this.#points[event]!;
      const { agent } = this.#points[accepted]!;
      wanted |= 1 << agent;
      if ((enabled & (1 << agent)) === 0) wanted |= this.#sendersOf(accepted, event);
    }
    this.#askAgents(event, wanted);
  }

  #askAgents(event: number, wanted: number): void {
    const point = this.#points[event]!;
    const some = point.enabled & wanted;
    point.asked |= some === 0 ? point.enabled : some;
  }

  /** Agents of the cores that sent an interrupt that was accepted, from an event on. */
  #sendersOf(accepted: number, from: number): number {
    const core = coreOf(this.#points[accepted]!.agent);
    let senders = 0;
    for (let event = accepted - 1; event >= from; event--) {
      const { agent, sends } = this.#points[event]!;
      if ((sends & (1 << core)) !== 0) senders |= agentsOf(coreOf(agent), CORE_ROLES);
    }
    return senders;
  }
}

/** Every agent that is no core. */
const MACHINE_BITS: number = ofEveryCore(ALL_ROLES & ~CORE_ROLES);

function coreOf(agent: Agent): number {
  return (agent / AGENTS_PER_CORE) | 0;
}

function isCore(agent: Agent): boolean {
  return agent % AGENTS_PER_CORE < ROLE_INTERRUPT;
}

/** Not of its interrupts, but of the core itself. */
function isEventOf(agent: Agent, core: number): boolean {
  return coreOf(agent) === core && isCore(agent);
}

function agentsOf(core: number, roles: number): number {
  return roles << (core * AGENTS_PER_CORE);
}

function ofEveryCore(roles: number): number {
  let bits = 0;
  for (let core = 0; core < MAX_CORES; core++) bits |= agentsOf(core, roles);
  return bits;
}

function lowest(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

/** Timers only fire where nothing else can go on: no virtual time passes while somebody does. */
function enabledOf({ agents, count, current, spins }: Choices): number {
  let bits = 0;
  for (let at = 0; at < count; at++) bits |= 1 << agents[at]!;
  const untimed = bits & ~TIMER_BITS;
  return (untimed & ~(spins ? 1 << current : 0)) !== 0 ? untimed : bits;
}
