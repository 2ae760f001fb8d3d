/**
 * The conflicts of an event with earlier ones: of every other line of choices (a core with its interrupts, or the effects
 * on a core) all that came after the event's predecessor, and the last one before it that the predecessor does not come
 * after in any case (`event-clocks.ts`). (The paper asks at every state for the last conflicting event of every core; over
 * the states at which this event was next these are the same.)
 */

import type { Agent } from "../exploring.ts";
import type { ConflictIndex } from "./conflict-index.ts";
import type { EventClocks } from "./event-clocks.ts";
import { lineOf } from "./lines.ts";
import { coreOf, isEffect } from "./point.ts";
import type { Asking, Requests } from "./requests.ts";
import type { ScheduleTree } from "./schedule-tree.ts";

export interface ConflictsOptions {
  readonly cores: number;
  readonly tree: ScheduleTree;
  readonly index: ConflictIndex;
  readonly clocks: EventClocks;
  readonly requests: Requests;
}

export class Conflicts {
  readonly #cores: number;
  readonly #tree: ScheduleTree;
  readonly #index: ConflictIndex;
  readonly #clocks: EventClocks;
  readonly #requests: Requests;
  /** Whose last conflict before the predecessor has been found. */
  readonly #isFound: Uint8Array;

  constructor({ cores, tree, index, clocks, requests }: ConflictsOptions) {
    this.#cores = cores;
    this.#tree = tree;
    this.#index = index;
    this.#clocks = clocks;
    this.#requests = requests;
    this.#isFound = new Uint8Array(cores * 2);
  }

  /**
   * Whoever conflicts with an entry is asked to let `asking` come first.
   * @param which whether what nobody has seen counts too
   * @param after other events that it comes after in any case
   */
  find(entry: number, asking: Asking, which: "seen" | "all", after: readonly number[]): void {
    const { points } = this.#tree;
    const { predecessor } = asking;
    const index = this.#index;
    const own = this.#chooserOf(asking.agent);
    const skipsUnseen = which === "seen" && index.isUnseen(entry);
    const found = this.#isFound.fill(0);
    let left = found.length - 1;
    let other = index.conflictOf(entry);
    while (other >= 0 && left > 0) {
      const event = index.eventOf(other);
      const point = points[event]!;
      const chooser = this.#chooserOf(point.agent);
      if (
        chooser !== own &&
        found[chooser] === 0 &&
        !(skipsUnseen && index.isUnseen(other)) &&
        !this.#clocks.isBefore(event, lineOf(point), predecessor) &&
        !after.some((later) => this.#clocks.isBefore(event, lineOf(point), later))
      ) {
        this.#requests.ask(event, asking);
        this.#requests.askLater(event, predecessor);
        if (event < predecessor) {
          found[chooser] = 1;
          left--;
        }
      }
      other = index.conflictBefore(entry, other);
    }
  }

  /** An event comes after those that it conflicts with. */
  follow(at: number, from: number, to: number): void {
    const index = this.#index;
    for (let entry = from; entry < to; entry++) {
      let other = index.conflictOf(entry);
      while (other >= 0) {
        if (!(index.isUnseen(entry) && index.isUnseen(other))) this.#clocks.join(at, index.eventOf(other));
        if (index.changeOf(other) === 1) break;
        other = index.conflictBefore(entry, other);
      }
    }
  }

  #chooserOf(agent: Agent): number {
    return isEffect(agent) ? this.#cores + coreOf(agent) : coreOf(agent);
  }
}
