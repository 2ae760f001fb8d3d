/**
 * Where interrupts land in a search. No paper has them; here one is an agent of its own that takes its core away from what
 * ran there. What matters is where between the other events of its own core it lands. Two places differ only if an event
 * between them touches what the handler touches, or changes the interrupt mask, the phase or the task of the core: a
 * *barrier*. What handlers touch is learned; as long as that grows, the search is begun again (`isSettled`). So an
 * acceptance conflicts with
 * - the barriers of its core. Where it could have come before one, it is tried there; where no message had come yet,
 *   every core that sent one after it is;
 * - every message to its core: had it come before the message, the message would have been the next interrupt's. Where the
 *   core still had the interrupt before in hand, the core itself is tried.
 * A handler's event comes earlier if its interrupt does (`requests.ts`), and the predecessor of an event is the last one of
 * the same level: handlers that ran in between held it up.
 *
 * That nothing is lost is a result of comparisons with the full search of random programs, not of a proof
 * (docs/EXHAUSTIVE.md).
 */

import { AGENTS_PER_CORE, type Agent, ROLE_INTERRUPT } from "../exploring.ts";
import type { ConflictIndex } from "./conflict-index.ts";
import type { EventClocks } from "./event-clocks.ts";
import {
  ALL_ROLES,
  agentsOf,
  CORE_ROLES,
  coreOf,
  isCore,
  isEventOf,
  lowest,
  NO_EVENT,
  type Point,
} from "./point.ts";
import type { Requests } from "./requests.ts";
import type { ScheduleTree } from "./schedule-tree.ts";

/** What handlers of a core do to a place, as bits: changed. */
const CHANGED = 2;

export interface InterruptRulesOptions {
  readonly cores: number;
  readonly places: number;
  readonly tree: ScheduleTree;
  readonly index: ConflictIndex;
  readonly clocks: EventClocks;
  readonly requests: Requests;
}

export class InterruptRules {
  /** What handlers touch has not grown since this was set. */
  isSettled = true;
  readonly #points: readonly Point[];
  readonly #tree: ScheduleTree;
  readonly #index: ConflictIndex;
  readonly #clocks: EventClocks;
  readonly #requests: Requests;
  /** By core, what its handlers touch (1 looked at, 2 changed). */
  readonly #handlers: readonly Uint8Array[];

  constructor({ cores, places, tree, index, clocks, requests }: InterruptRulesOptions) {
    this.#points = tree.points;
    this.#tree = tree;
    this.#index = index;
    this.#clocks = clocks;
    this.#requests = requests;
    this.#handlers = Array.from({ length: cores }, () => new Uint8Array(places));
  }

  /** The interrupt in whose handler an event of a core lies. */
  acceptedOf({ previous }: Point): number {
    const before = this.#points[previous];
    return before === undefined || isCore(before.agent) ? (before?.accepted ?? NO_EVENT) : previous;
  }

  /** A handler's event has touched what it has. */
  learn({ agent, from, to }: Point): void {
    const handled = this.#handlers[coreOf(agent)]!;
    const index = this.#index;
    for (let entry = from; entry < to; entry++) {
      const place = index.placeOf(entry);
      const bits = 1 << index.changeOf(entry);
      if ((handled[place]! & bits) !== 0) continue;
      handled[place]! |= bits;
      this.isSettled = false;
    }
  }

  /** An event touches what a handler of its core does, and one of them changes it. */
  touchesHandled({ agent, from, to }: Point): boolean {
    const handled = this.#handlers[coreOf(agent)]!;
    for (let entry = from; entry < to; entry++) {
      const bits = handled[this.#index.placeOf(entry)]!;
      if (this.#index.changeOf(entry) === 1 ? bits !== 0 : (bits & CHANGED) !== 0) return true;
    }
    return false;
  }

  /** The event before one of the same level, past the handlers that ran in between. */
  predecessorOf({ accepted, previous }: Point): number {
    let event = previous;
    while (event > accepted) {
      const point = this.#points[event]!;
      if (isCore(point.agent) && point.accepted === accepted) break;
      event = point.previous;
    }
    return event;
  }

  /** An interrupt comes after its messages, after barriers of its core, and after the last handler. */
  follow(at: number, agent: Agent): void {
    const core = coreOf(agent);
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

  /** A barrier comes after the last interrupt of its core. */
  followBarrier(at: number, { previous }: Point): void {
    let event = previous;
    while (event >= 0 && isCore(this.#points[event]!.agent)) event = this.#points[event]!.previous;
    this.#clocks.join(at, event);
  }

  /** Interrupts that held a barrier up: those that came after its predecessor, and the last one before that. */
  findInterrupts(asking: Point): void {
    const { accepted, previous, predecessor } = asking;
    for (let event = previous; event > accepted; event = this.#points[event]!.previous) {
      if (isCore(this.#points[event]!.agent)) continue;
      this.#requests.ask(event, asking);
      if (event < predecessor) return;
    }
  }

  /**
   * The event sends an interrupt: to come before events of the target that do not commute with it, or before an acceptance
   * there, which would have been the answer to both.
   */
  findSent(at: number, asking: Point): void {
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
        this.#requests.ask(event, asking);
        if (event < predecessor) break;
      }
    }
  }

  /**
   * An interrupt, from its predecessor on: events of its own core that do not commute with it, and messages of which it
   * could have been the answer to the earlier ones alone. If it was not there yet, a later sender has to come earlier; if
   * it was masked, its core.
   */
  findCrossed(at: number, { agent }: Point): void {
    const tree = this.#tree;
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
        if (others !== 0) tree.ask(event, others);
        if (!isOwn && holders !== 0) tree.ask(event, holders);
      }
      if (sends) senders |= agentsOf(coreOf(point.agent), CORE_ROLES);
      if (isOwn) holders = ofCore;
    }
  }
}
