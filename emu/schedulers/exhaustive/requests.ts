/**
 * How an event is made to come before an earlier one: at that one the agent of the later event is to be tried instead.
 * Where it could not go on, something that it needs has to come earlier as well:
 * - an event of a handler comes earlier if its interrupt does, or the messages that it answers;
 * - one that a handler held up comes earlier if that interrupt comes later;
 * - an effect comes earlier if what caused it does. It is no switch, so it needs no conservative points.
 */
import type { EventClocks } from "./event-clocks.ts";
import { ownLine } from "./lines.ts";
import { agentsOf, CORE_ROLES, coreOf, isCore, isEffect, NO_EVENT, type Point } from "./point.ts";
import type { ScheduleTree } from "./schedule-tree.ts";

/** What asks to come earlier: a point, or what would have been one. */
export type Asking = Pick<Point, "agent" | "accepted" | "previous" | "predecessor" | "cause">;

export class Requests {
  readonly #tree: ScheduleTree;
  readonly #clocks: EventClocks;

  constructor(tree: ScheduleTree, clocks: EventClocks) {
    this.#tree = tree;
    this.#clocks = clocks;
  }

  /** Before an event, the agent of a later one was to be tried. */
  ask(event: number, asking: Asking): void {
    if (isEffect(asking.agent)) {
      this.#askEffect(event, asking);
      return;
    }
    this.#askFrom(event, asking);
    // It was in a handler that the later event does not belong to: the interrupt was to come later.
    const interrupt = this.#heldBy(event, asking);
    if (interrupt !== NO_EVENT) this.#askFrom(interrupt, asking);
  }

  /**
   * An event of a handler was to come after another one, which needs an event that the handler holds up: the interrupt was
   * to come later.
   */
  askLater(event: number, predecessor: number): void {
    const { agent, accepted } = this.#tree.points[event]!;
    if (accepted === NO_EVENT) return;
    const core = coreOf(agent);
    if (this.#clocks.lastBefore(ownLine(core), predecessor) > event) {
      this.#tree.ask(accepted, agentsOf(core, CORE_ROLES));
    }
  }

  #askEffect(event: number, { agent, cause }: Asking): void {
    const { points } = this.#tree;
    const point = points[event]!;
    if ((point.enabled & (1 << agent)) !== 0) point.asked |= 1 << agent;
    else if (cause > event) this.ask(event, points[cause]!);
    else point.asked |= point.enabled;
  }

  /** The interrupt, after the predecessor of an event, in whose handler its core was at another event. */
  #heldBy(at: number, { previous, predecessor }: Asking): number {
    const { points } = this.#tree;
    for (let event = previous; event > at; event = points[event]!.previous) {
      const { agent, accepted } = points[event]!;
      if (isCore(agent) && accepted < at && accepted > predecessor) return accepted;
    }
    return NO_EVENT;
  }

  #askFrom(event: number, { agent, accepted }: Asking): void {
    const tree = this.#tree;
    const core = coreOf(agent);
    this.#askAt(event, core, accepted);
    const block = tree.blockOf(event);
    if (block < event) this.#askAt(block, core, accepted);
    const turn = tree.turnOf(event);
    if (turn < block) this.#askAt(turn, core, accepted);
  }

  #askAt(event: number, core: number, accepted: number): void {
    let wanted = agentsOf(core, CORE_ROLES);
    if (accepted > event) {
      const { points } = this.#tree;
      const { agent } = points[accepted]!;
      wanted |= 1 << agent;
      if ((points[event]!.enabled & (1 << agent)) === 0) wanted |= this.#sendersOf(accepted, event);
    }
    this.#tree.askAt(event, wanted);
  }

  /** Agents of the cores that sent an interrupt that was accepted, from an event on. */
  #sendersOf(accepted: number, from: number): number {
    const { points } = this.#tree;
    const core = coreOf(points[accepted]!.agent);
    let senders = 0;
    for (let event = accepted - 1; event >= from; event--) {
      const { agent, sends } = points[event]!;
      if ((sends & (1 << core)) !== 0) senders |= agentsOf(coreOf(agent), CORE_ROLES);
    }
    return senders;
  }
}
