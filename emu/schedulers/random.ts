/**
 * `random`: a seeded random walk. At each kernel point the core goes on or gives way to another one; user slices have
 * random lengths and stand for the scheduling points of guest code. Cores whose next event lies far in the virtual
 * future are not chosen while others can run, so that clocks stay comparable.
 */
import type { Core } from "../cores/index.ts";
import { RandomNumbers } from "./random-numbers.ts";
import type { CoreScheduler } from "./scheduler.ts";

/** Longest user slice in instructions. */
const LONGEST_USER_SLICE = 256;
/** Cycles by which a chosen core's ready time may pass the earliest one. */
const WINDOW = 20_000;
/** A point gives way with probability 1 / POINT_ODDS if another core is ready. */
const POINT_ODDS = 4;

export class RandomScheduler implements CoreScheduler {
  readonly name = "random";
  readonly #cores: readonly Core[];
  readonly #random: RandomNumbers;
  /** Scratch list of candidates. */
  readonly #ready: Core[] = [];
  #now = 0;
  #last: Core | null = null;

  constructor(cores: readonly Core[], seed: number) {
    this.#cores = cores;
    this.#random = new RandomNumbers(seed);
  }

  next(): Core | null {
    if (this.#last !== null) this.#now = Math.max(this.#now, this.#last.clock);
    const count = this.#collect();
    if (count === 0) return null;
    const core = this.#ready[this.#random.below(count)]!;
    const time = core.readyTime();
    if (core.clock < time) core.clock = time;
    core.setLimits(core.clock + 1 + this.#random.below(LONGEST_USER_SLICE), -1);
    this.#last = core;
    return core;
  }

  /** @hot */
  pointReached(_core: Core): boolean {
    return this.#random.below(POINT_ODDS) === 0;
  }

  save(): unknown {
    return { random: this.#random.save(), now: this.#now, last: this.#last?.id ?? -1 };
  }

  restore(saved: unknown): void {
    const { random, now, last } = saved as { random: number[]; now: number; last: number };
    this.#random.restore(random);
    this.#now = now;
    this.#last = this.#cores[last] ?? null;
  }

  /** Fills the scratch list with the cores that may be chosen; their number. */
  #collect(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#cores.length; i++) {
      const core = this.#cores[i]!;
      if (core.wordChanged()) core.endWait(this.#now);
      earliest = Math.min(earliest, core.readyTime());
    }
    let count = 0;
    if (earliest === Number.POSITIVE_INFINITY) return 0;
    for (let i = 0; i < this.#cores.length; i++) {
      const core = this.#cores[i]!;
      const time = core.readyTime();
      if (time <= core.clock ? time < Number.POSITIVE_INFINITY : time <= earliest + WINDOW)
        this.#ready[count++] = core;
    }
    return count;
  }
}
