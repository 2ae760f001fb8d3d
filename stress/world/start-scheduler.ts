/**
 * Brings a scenario to its start: core 0 executes the set-up up to the first instruction of scenario_begin(), the other
 * cores stop before their first instruction in user mode. Virtual time decides among those that can go on; nobody's
 * timer is waited for, since a set-up that sleeps would be a set-up that does not end where it says.
 */
import type { Core } from "../../emu/cores/index.ts";
import type { CoreScheduler } from "../../emu/schedulers/index.ts";
import { USER } from "../../mmu/index.ts";

export class StartScheduler implements CoreScheduler {
  readonly name = "start";
  /** Core 0 is at its start. */
  begun = false;
  readonly #cores: readonly Core[];
  readonly #isAtStart: (core: Core) => boolean;
  #last: Core | null = null;

  constructor(cores: readonly Core[], isAtStart: (core: Core) => boolean) {
    this.#cores = cores;
    this.#isAtStart = isAtStart;
    for (const core of cores) core.userHeld = core.id !== 0;
  }

  /** null: everybody is at the start. */
  next(): Core | null {
    const now = this.#last?.clock ?? 0;
    let best: Core | null = null;
    let bestTime = Number.POSITIVE_INFINITY;
    for (const core of this.#cores) {
      if (core.waiting && core.wordChanged()) core.endWait(now);
      const time = this.#readyTime(core);
      if (time >= bestTime) continue;
      best = core;
      bestTime = time;
    }
    if (best === null) return null;
    if (best.clock < bestTime) best.clock = bestTime;
    // One instruction more than nothing: the slice ends with the call of scenario_begin().
    best.setLimits(best.clock + 1, -1);
    this.#last = best;
    return best;
  }

  pointReached(): boolean {
    return true;
  }

  save(): unknown {
    return null;
  }

  restore(_saved: unknown): void {}

  #readyTime(core: Core): number {
    if (core.id === 0 && core.phase === "execute" && core.regime === USER) {
      this.begun ||= this.#isAtStart(core);
      return this.begun ? Number.POSITIVE_INFINITY : core.clock;
    }
    if (core.phase === "parked") return Number.POSITIVE_INFINITY;
    if (core.userHeld && core.phase === "execute" && core.regime === USER) return Number.POSITIVE_INFINITY;
    if (core.phase === "halted" || core.waiting) return core.acceptTime();
    return core.clock;
  }
}
