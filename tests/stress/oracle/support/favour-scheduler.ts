/**
 * In order of time at first. From the n-th point of a core that a test names, another core goes on as long as it can, and
 * the first one only while that one waits.
 */
import type { Core } from "../../../../emu/cores/index.ts";
import { type CoreScheduler, TimedScheduler } from "../../../../emu/schedulers/index.ts";

/** More than a message takes from core to core. */
const MESSAGE_CYCLES = 5000;

export class FavourScheduler implements CoreScheduler {
  readonly name = "favour";
  readonly #cores: readonly Core[];
  readonly #timed: TimedScheduler;
  #favourite = -1;
  #counted = -1;
  #countdown = 0;
  #then = 0;

  constructor(cores: readonly Core[]) {
    this.#cores = cores;
    this.#timed = new TimedScheduler(cores);
  }

  /** `core` goes on alone for so many points, then `other` does. */
  favourAfter(points: number, core: number, other: number): void {
    this.#favourite = core;
    this.#counted = core;
    this.#countdown = points;
    this.#then = other;
    // Limits were set for a longer slice.
    this.#cores[core]!.setLimits(this.#cores[core]!.clock + 1, -1);
  }

  next(): Core | null {
    if (this.#favourite < 0) return this.#timed.next();
    let best: Core | null = null;
    for (const core of this.#cores) {
      if (core.wordChanged()) core.endWait(core.clock);
      const time = core.readyTime();
      if (time === Number.POSITIVE_INFINITY) continue;
      if (best === null || this.#rank(core) < this.#rank(best)) best = core;
    }
    if (best === null) return null;
    best.clock = Math.max(best.clock, best.readyTime());
    // Who stands in for a favourite that waits has its messages by then.
    if (best.id !== this.#favourite) best.clock = Math.max(best.clock, this.#latest() + MESSAGE_CYCLES);
    best.setLimits(best.clock + 1, -1);
    return best;
  }

  pointReached(core: Core): boolean {
    if (this.#favourite < 0) return this.#timed.pointReached(core);
    if (core.id === this.#counted && this.#countdown > 0 && --this.#countdown === 0) {
      this.#favourite = this.#then;
    }
    return core.id !== this.#favourite;
  }

  save(): unknown {
    return null;
  }

  restore(): void {}

  #latest(): number {
    return Math.max(...this.#cores.map((core) => core.clock));
  }

  /** Ready cores first, the favourite before the others; then whoever is ready soonest. */
  #rank(core: Core): number {
    const time = core.readyTime();
    if (time <= this.#latest()) return core.id === this.#favourite ? -2 : -1;
    return time;
  }
}
