/**
 * A scheduler that grants one event at a time to a core of its choice: each data access, table read of a walk, A/D
 * update, fill and kernel point of the whole machine is a moment at which another core may go on.
 */
import type { Core } from "../../../emu/cores/index.ts";
import { type CoreScheduler, RandomNumbers } from "../../../emu/schedulers/index.ts";

export class SteppingScheduler implements CoreScheduler {
  readonly name = "stepping";
  readonly #cores: readonly Core[];
  readonly #random: RandomNumbers;
  #now = 0;

  constructor(cores: readonly Core[], seed: number) {
    this.#cores = cores;
    this.#random = new RandomNumbers(seed);
    for (const core of cores) core.budget.exploring = true;
  }

  next(): Core | null {
    for (const core of this.#cores) if (core.wordChanged()) core.endWait(this.#now);
    const inFlight = this.#cores.filter((core) => (core.broadcasts?.count ?? 0) > 0);
    const times = this.#cores.map((core) => core.readyTime());
    let ready = this.#cores.filter((core, id) => times[id]! <= core.clock);
    if (inFlight.length > 0) {
      const choice = this.#random.below(ready.length + inFlight.length);
      if (choice >= ready.length) return this.#grantBroadcast(inFlight[choice - ready.length]!);
    }
    if (ready.length === 0) {
      const earliest = Math.min(...times);
      if (earliest === Number.POSITIVE_INFINITY) return null;
      ready = this.#cores.filter((_, id) => times[id] === earliest);
    }
    const core = ready[this.#random.below(ready.length)]!;
    core.clock = Math.max(core.clock, times[core.id]!);
    core.budget.left = 1;
    // An interrupt is accepted as soon as it can be: that is no choice of this scheduler's.
    core.acceptGranted = true;
    core.setLimits(core.clock + 1, -1);
    this.#now = Math.max(this.#now, core.clock);
    return core;
  }

  /** What another core broadcast takes effect on this one: an event of its own. */
  #grantBroadcast(core: Core): Core {
    core.broadcastGranted = true;
    core.budget.left = 0;
    core.setLimits(core.clock, -1);
    return core;
  }

  pointReached(): boolean {
    return true;
  }

  save(): unknown {
    return { random: this.#random.save(), now: this.#now };
  }

  restore(saved: unknown): void {
    const { random, now } = saved as { random: number[]; now: number };
    this.#random.restore(random);
    this.#now = now;
  }
}
