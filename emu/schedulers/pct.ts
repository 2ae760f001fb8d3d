/**
 * `pct`: probabilistic concurrency testing. Burckhardt, Kothari, Musuvathi, Nagarakatte, "A Randomized Scheduler with
 * Probabilistic Guarantees of Finding Bugs", ASPLOS 2010. Every agent has a random priority, and the highest that can
 * go on does; at d-1 random steps k_i the running agent falls to priority i, below all initial ones. A bug of depth d
 * among n agents and k steps is found with probability at least 1 / (n k^(d-1)) in each run.
 *
 * An interrupt, a timer or a broadcast is a new agent each time it becomes possible, and draws a priority of its own. Code
 * that spins falls below all others: it is waiting for one of them (the paper's section 3.4 does the same at yields).
 */
import { AGENTS_PER_CORE, type Agent, type Choices, ROLE_INTERRUPT, type Strategy } from "./exploring.ts";
import { RandomNumbers } from "./random-numbers.ts";

const PRIORITIES = 0x4000_0000;
const FAIL_ODDS = 4;

export interface PctOptions {
  readonly seed: number;
  /** d, at least 1: ordering constraints that make the bug. */
  readonly depth: number;
  /** k: decisions of a run, as measured. */
  readonly steps: number;
  /** Of the machine. */
  readonly cores: number;
}

/** The paper's bound for one run: n agents, k steps, depth d. */
export function pctBound(agents: number, steps: number, depth: number): number {
  return 1 / (agents * steps ** (depth - 1));
}

export class Pct implements Strategy {
  readonly name = "pct";
  readonly #random: RandomNumbers;
  /** 0: none drawn yet. Fallen ones are negative: 1-d … -1 at changes, lower still those that spin. */
  readonly #priority: Float64Array;
  /** Was among the choices at the last decision. */
  readonly #seen: Uint8Array;
  /** Steps at which the running agent falls, ascending, and the priorities that it falls to. */
  readonly #changes: { readonly step: number; readonly priority: number }[] = [];
  #step = 0;
  #nextChange = 0;
  #lowest = 0;

  constructor(options: PctOptions) {
    this.#random = new RandomNumbers(options.seed);
    this.#priority = new Float64Array(options.cores * AGENTS_PER_CORE);
    this.#seen = new Uint8Array(options.cores * AGENTS_PER_CORE);
    for (let change = 1; change < options.depth; change++) {
      const step = this.#random.below(Math.max(options.steps, 1));
      this.#changes.push({ step, priority: change - options.depth });
    }
    this.#changes.sort((a, b) => a.step - b.step || a.priority - b.priority);
    this.#lowest = -options.depth;
  }

  choose(choices: Choices): Agent {
    const { agents, count, current } = choices;
    if (choices.spins) this.#priority[current] = --this.#lowest;
    const step = this.#step++;
    while (this.#nextChange < this.#changes.length && this.#changes[this.#nextChange]!.step <= step) {
      const { priority } = this.#changes[this.#nextChange++]!;
      if (current >= 0) this.#priority[current] = priority;
    }
    const priority = this.#priority;
    const seen = this.#seen;
    let best = agents[0]!;
    let bestPriority = Number.NEGATIVE_INFINITY;
    for (let at = 0; at < count; at++) {
      const agent = agents[at]!;
      const isNew = agent % AGENTS_PER_CORE >= ROLE_INTERRUPT && seen[agent] !== step % 255;
      if (priority[agent] === 0 || isNew) priority[agent] = 1 + this.#random.below(PRIORITIES);
      seen[agent] = (step + 1) % 255;
      if (priority[agent]! > bestPriority) {
        bestPriority = priority[agent]!;
        best = agent;
      }
    }
    return best;
  }

  fails(): boolean {
    return this.#random.below(FAIL_ODDS) === 0;
  }
}
