/** `random` in explored runs: the current agent goes on, or gives way to any other one, by seeded choice. */
import { AGENTS_PER_CORE, type Agent, type Choices, ROLE_TIMER, type Strategy } from "./exploring.ts";
import { RandomNumbers } from "./random-numbers.ts";

/** An event changes the agent with probability 1 / SWITCH_ODDS. */
const SWITCH_ODDS = 6;
/** A timer that was drawn fires with probability 1 / TIMER_ODDS: it is due at any time, but rarely. */
const TIMER_ODDS = 32;
const FAIL_ODDS = 4;

export class RandomWalk implements Strategy {
  readonly name = "random";
  readonly #random: RandomNumbers;

  constructor(seed: number) {
    this.#random = new RandomNumbers(seed);
  }

  choose(choices: Choices): Agent {
    const { agents, count, current } = choices;
    if (choices.continues && !choices.spins && this.#random.below(SWITCH_ODDS) !== 0) return current;
    for (;;) {
      const agent = agents[this.#random.below(count)]!;
      if (choices.spins && agent === current) continue;
      if (agent % AGENTS_PER_CORE !== ROLE_TIMER || this.#random.below(TIMER_ODDS) === 0) return agent;
    }
  }

  fails(): boolean {
    return this.#random.below(FAIL_ODDS) === 0;
  }
}
