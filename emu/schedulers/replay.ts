/**
 * `replay`: follows recorded decisions. Where they do not fit any more (a shrunk schedule), it goes on as simply as
 * possible: the agent of the segment as long as it can, then the next segment; without segments, the current agent as
 * long as it can, then the first one.
 */
import type { Agent, Choices, Decisions, Strategy } from "./exploring.ts";

export class Replay implements Strategy {
  readonly name = "replay";
  readonly #segments: readonly (readonly [Agent, number])[];
  readonly #failures: ReadonlySet<number>;
  #segment = 0;
  /** Events taken of the present segment. */
  #taken = 0;
  #allocation = 0;
  #events = 0;
  /** Where the decisions first did not fit: events before it, and the agent that could not go on. */
  misfit: { readonly events: number; readonly agent: Agent } | null = null;

  constructor(decisions: Decisions) {
    this.#segments = decisions.segments;
    this.#failures = new Set(decisions.failures);
  }

  choose(choices: Choices): Agent {
    const { agents, count } = choices;
    while (this.#segment < this.#segments.length) {
      const [agent, events] = this.#segments[this.#segment]!;
      if (this.#taken < events) {
        for (let at = 0; at < count; at++) {
          if (agents[at] !== agent) continue;
          this.#taken++;
          this.#events++;
          return agent;
        }
        this.misfit ??= { events: this.#events, agent };
      }
      this.#segment++;
      this.#taken = 0;
    }
    return choices.continues && !choices.spins ? choices.current : this.#first(choices);
  }

  fails(): boolean {
    return this.#failures.has(this.#allocation++);
  }

  /** The first agent that is not spinning. */
  #first({ agents, count, current, spins }: Choices): Agent {
    for (let at = 0; at < count; at++) if (!spins || agents[at] !== current) return agents[at]!;
    return current;
  }
}
