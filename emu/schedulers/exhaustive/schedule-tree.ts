/**
 * The schedule that a search executes, point by point, and what is left to try at each. Last in, first out: the latest
 * point at which something is left is exchanged; what is over the bound is not tried.
 *
 * A preemption is a switch from a core that could go on to another core. The acceptance of an interrupt, the firing of a
 * timer and the effect of a broadcast are no switches, and going on with the core that ran before is none either; nor is
 * leaving a core that spins.
 */

import { type Agent, type Choices, NO_AGENT } from "../exploring.ts";
import {
  agentsOf,
  CORE_ROLES,
  coreOf,
  isCore,
  lowest,
  MACHINE_BITS,
  NO_CORE,
  NO_EVENT,
  type Point,
} from "./point.ts";

export class ScheduleTree {
  /** Largest number of preemptions in a schedule; changed at the beginning only. */
  bound = 0;
  /** Choices not taken because of the bound. */
  overBound = 0;
  /** Points that the present run has to follow. */
  prefix = 0;
  readonly points: Point[] = [];
  readonly #triesAll: boolean;

  constructor(reduction: "bounded" | "none") {
    this.#triesAll = reduction === "none";
  }

  /** Preemptions of the present schedule. */
  get preemptions(): number {
    const last = this.points.at(-1);
    return last === undefined ? 0 : last.preemptions + costOf(last, last.agent);
  }

  clear(): void {
    this.points.length = 0;
    this.prefix = 0;
  }

  /** A new event goes to the core that ran last, if it can go on, else to the first that can. @param from first entry */
  extend(choices: Choices, enabled: number, from: number): Agent {
    const point = this.#newPoint(choices, enabled, from);
    const agent = this.#first(point);
    this.points.push(point);
    this.#put(this.points.length - 1, agent);
    return agent;
  }

  /** Exchanges the latest point that has something left to try. @returns it; null: nothing is left anywhere */
  exchange(): Point | null {
    const { points } = this;
    for (let at = points.length - 1; at >= 0; at--) {
      const point = points[at]!;
      const agent = this.#untried(point);
      if (agent === NO_AGENT) continue;
      points.length = at + 1;
      this.prefix = at + 1;
      this.#put(at, agent);
      return point;
    }
    return null;
  }

  /**
   * Some agents are to be tried at a point; if none of them could go on there, everything that could. And at the
   * conservative points: the switch may be one preemption too many there, though it costs nothing at the last event
   * before at which a switch was free, or at the first of the core's turn.
   */
  ask(event: number, wanted: number): void {
    this.askAt(event, wanted);
    const block = this.blockOf(event);
    if (block < event) this.askAt(block, wanted);
    const turn = this.turnOf(event);
    if (turn < block) this.askAt(turn, wanted);
  }

  /** The same at one point alone. */
  askAt(event: number, wanted: number): void {
    const point = this.points[event]!;
    const some = point.enabled & wanted;
    point.asked |= some === 0 ? point.enabled : some;
  }

  blockOf(event: number): number {
    const { block } = this.points[event]!;
    return block < event ? block : event === 0 ? 0 : this.points[event - 1]!.block;
  }

  turnOf(event: number): number {
    const { turn } = this.points[event]!;
    return turn < event ? turn : event === 0 ? 0 : this.points[event - 1]!.turn;
  }

  #newPoint(choices: Choices, enabled: number, from: number): Point {
    const before = this.points.at(-1) ?? null;
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
      asked: this.#triesAll ? enabled : 0,
      last,
      holds: goesOn && !spins,
      preemptions: this.preemptions,
      block: 0,
      runs: before === null ? NO_CORE : isCore(before.agent) ? coreOf(before.agent) : before.runs,
      turn: 0,
      previous: NO_EVENT,
      accepted: NO_EVENT,
      predecessor: NO_EVENT,
      cause: NO_EVENT,
      sends: 0,
      isBarrier: false,
      from,
      to: from,
    };
  }

  /** The agent takes the event at a point. */
  #put(at: number, agent: Agent): void {
    const point = this.points[at]!;
    point.agent = agent;
    point.done |= 1 << agent;
    point.sends = 0;
    point.isBarrier = false;
    point.accepted = point.predecessor = point.cause = NO_EVENT;
    const begins = !point.holds || (isCore(agent) && coreOf(agent) !== point.last);
    point.block = begins || at === 0 ? at : this.points[at - 1]!.block;
    const takesTurn = isCore(agent) && coreOf(agent) !== point.runs;
    point.turn = takesTurn || at === 0 ? at : this.points[at - 1]!.turn;
  }

  #first(point: Point): Agent {
    const { enabled, last, holds } = point;
    const own = last === NO_CORE ? 0 : enabled & agentsOf(last, CORE_ROLES);
    const others = enabled & ~MACHINE_BITS & ~own;
    // A core that spins comes last.
    for (const wanted of [holds ? own : others, others, enabled & ~own, own]) {
      for (let left = wanted; left !== 0; left &= left - 1) {
        const agent = lowest(left);
        if (this.#isWithin(point, agent)) return agent;
      }
    }
    return NO_AGENT;
  }

  /** What is asked for at a point, within the bound, and not done yet. */
  #untried(point: Point): Agent {
    for (let left = point.asked & ~point.done; left !== 0; left &= left - 1) {
      const agent = lowest(left);
      if (this.#isWithin(point, agent)) return agent;
      point.done |= 1 << agent;
      this.overBound++;
    }
    return NO_AGENT;
  }

  #isWithin(point: Point, agent: Agent): boolean {
    return point.preemptions + costOf(point, agent) <= this.bound;
  }
}

function costOf(point: Point, agent: Agent): 0 | 1 {
  return point.holds && isCore(agent) && coreOf(agent) !== point.last ? 1 : 0;
}
