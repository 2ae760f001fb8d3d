/**
 * `timed`: the core with the smallest virtual clock goes first. It may lead the slowest other core by a user quantum
 * in guest code and by a kernel quantum at a kernel point; alone, it runs to its next event. The quanta are constants
 * of the machine, so part of every result.
 */
import type { Core } from "../cores/index.ts";
import type { CoreScheduler } from "./scheduler.ts";

/** Cycles by which a core in guest code may lead. */
export const USER_QUANTUM = 1000;
/** Cycles by which a core in the kernel may lead. */
export const KERNEL_QUANTUM = 200;
/** Longest slice of a core that is alone, so that limits and progress are looked at. */
const LONGEST_SLICE = 4_000_000;

export class TimedScheduler implements CoreScheduler {
  readonly name = "timed";
  readonly #cores: readonly Core[];
  /** Clock of the core that ran last: whatever it changed, it changed before this time. */
  #now = 0;
  #last: Core | null = null;

  constructor(cores: readonly Core[]) {
    this.#cores = cores;
  }

  next(): Core | null {
    const cores = this.#cores;
    if (this.#last !== null) this.#now = this.#last.clock;
    let best: Core | null = null;
    let bestTime = Number.POSITIVE_INFINITY;
    let second = Number.POSITIVE_INFINITY;
    let spinning = false;
    for (let i = 0; i < cores.length; i++) {
      const core = cores[i]!;
      if (core.waiting) {
        if (core.wordChanged()) core.endWait(this.#now);
        else spinning = true;
      }
      const time = core.readyTime();
      if (time < bestTime) {
        second = bestTime;
        bestTime = time;
        best = core;
      } else if (time < second) {
        second = time;
      }
    }
    if (best === null || bestTime === Number.POSITIVE_INFINITY) return null;
    if (best.clock < bestTime) best.clock = bestTime;
    // A core that spins on a word may be released by this one at any moment: it counts as being right behind.
    const lead = spinning ? Math.min(second, bestTime) : second;
    best.setLimits(Math.min(lead + USER_QUANTUM, bestTime + LONGEST_SLICE), lead + KERNEL_QUANTUM);
    this.#last = best;
    return best;
  }

  pointReached(_core: Core): boolean {
    return true;
  }

  save(): unknown {
    return { now: this.#now, last: this.#last?.id ?? -1 };
  }

  restore(saved: unknown): void {
    const { now, last } = saved as { now: number; last: number };
    this.#now = now;
    this.#last = this.#cores[last] ?? null;
  }
}
