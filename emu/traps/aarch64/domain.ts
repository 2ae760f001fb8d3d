/** The cores of the machine, all in one Inner Shareable domain: whom SEV and PSCI reach. */
import type { PoweredCore } from "./psci.ts";

/** A core as the domain has it. */
export interface DomainCore extends PoweredCore {
  eventSent(): void;
}

export class CoreDomain {
  readonly #cores: DomainCore[] = [];

  attach(core: DomainCore): void {
    this.#cores.push(core);
  }

  /** By number. */
  get cores(): readonly DomainCore[] {
    return this.#cores;
  }

  /** SEV: every core of the domain, the sender too. */
  sendEvent(): void {
    for (const core of this.#cores) core.eventSent();
  }
}
