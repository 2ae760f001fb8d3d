/**
 * Effects in a search: what an event brought about elsewhere and a core carries out at a moment of its own (an invalidation
 * that another core has broadcast, a page-table store that walkers see late). They are the events of an agent that is no
 * core: one effect on a core comes after the other, each after the event that caused it, and none is a switch. They touch
 * places like other events and conflict with those of their own core as well. Two things are special.
 *
 * - What an effect would do, another event may do before it: a barrier makes stores visible, after which there is no effect
 *   to execute. Then whatever conflicts with it could have come after the effect instead, as if this had been executed
 *   right before the event that took its place.
 * - The next effect on a core may become another one by an event: an invalidation overtakes stores that are late. To
 *   execute the one before, it has to be tried before that event.
 */

import { AGENTS_PER_CORE, ROLE_BROADCAST } from "../exploring.ts";
import type { ConflictIndex } from "./conflict-index.ts";
import type { Conflicts } from "./conflicts.ts";
import { coreOf, isEffect, NO_EVENT, type Point } from "./point.ts";

/** An event changed a place as an effect on a core could have done since another event. */
interface Late {
  readonly place: number;
  readonly core: number;
  readonly cause: number;
}

const NOTHING: readonly number[] = [];

export class EffectRules {
  readonly #index: ConflictIndex;
  readonly #conflicts: Conflicts;
  /** Of the present event. */
  readonly #late: Late[] = [];
  #overtaken = 0;

  constructor(index: ConflictIndex, conflicts: Conflicts) {
    this.#index = index;
    this.#conflicts = conflicts;
  }

  late(place: number, core: number, cause: number): void {
    this.#late.push({ place, core, cause });
  }

  overtaken(core: number): void {
    this.#overtaken |= 1 << (core * AGENTS_PER_CORE + ROLE_BROADCAST);
  }

  /** The present event is over. @param lastEffectOn by core, the present event included */
  find(point: Point, lastEffectOn: Int32Array): void {
    point.asked |= point.enabled & this.#overtaken;
    for (const { place, core, cause } of this.#late) {
      const isOwn = isEffect(point.agent) && coreOf(point.agent) === core;
      const last = isOwn ? point.previous : lastEffectOn[core]!;
      const agent = core * AGENTS_PER_CORE + ROLE_BROADCAST;
      const predecessor = Math.max(last, cause);
      const asking = { agent, accepted: NO_EVENT, previous: last, predecessor, cause };
      this.#conflicts.find(this.#entryOf(point, place), asking, "seen", NOTHING);
    }
  }

  /** The next event begins. */
  forget(): void {
    this.#overtaken = 0;
    this.#late.length = 0;
  }

  #entryOf({ from, to }: Point, place: number): number {
    for (let entry = from; entry < to; entry++) if (this.#index.placeOf(entry) === place) return entry;
    throw new Error(`effects: place ${place} was not touched`);
  }
}
