/** The machine's scheduler while a scenario boots, is brought to its start, is explored and ends: each has its own. */
import type { Core } from "../../emu/cores/index.ts";
import { type CoreScheduler, TimedScheduler } from "../../emu/schedulers/index.ts";

export class SwitchedScheduler implements CoreScheduler {
  readonly name = "switched";
  readonly #cores: readonly Core[];
  #present: CoreScheduler;

  constructor(cores: readonly Core[]) {
    this.#cores = cores;
    this.#present = new TimedScheduler(cores);
  }

  use(scheduler: CoreScheduler): void {
    this.#present = scheduler;
  }

  /** Virtual time decides, from now on. */
  useTimed(): void {
    this.#present = new TimedScheduler(this.#cores);
  }

  next(): Core | null {
    return this.#present.next();
  }

  pointReached(core: Core): boolean {
    return this.#present.pointReached(core);
  }

  /** A start state is kept between two schedulers. */
  save(): unknown {
    return null;
  }

  restore(_saved: unknown): void {}
}
