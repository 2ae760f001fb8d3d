/**
 * Invalidations that a core has issued and no barrier has completed yet, and what its barriers have ordered. Arm ARM B2.3
 * "Data Synchronization Barrier" and D8 "TLB maintenance instructions": a TLBI is complete, on every core that it names,
 * when a DSB of the issuing core for loads and stores is, and may act before stores that no DSB precedes it with.
 *
 * Simplification: a barrier for stores orders the stores of all cores so far, not the own ones alone: kernels come to it
 * behind a lock whose taking was a store.
 */
import type { NamedAddresses } from "./may-sets-history.ts";

/** Which entries an invalidation names. */
export interface MayInvalidation extends NamedAddresses {
  readonly scope: "context" | "addresses";
  /** ANY_CONTEXT: entries of every tag. */
  readonly tag: number;
}

/** The issuing core alone, or all. */
export type MayReach = "local" | "everywhere";

export interface IssuedInvalidation {
  readonly invalidation: MayInvalidation;
  readonly reach: MayReach;
  /** Number of the event at which it was issued. */
  readonly sequence: number;
  /** Stores up to these events come before it, for the walker of its core and for those of all. */
  readonly orderedHere: number;
  readonly orderedEverywhere: number;
}

/** Invalidations of a core kept; past it the oldest is never complete, which permits too much and reports nothing false. */
export const MAX_ISSUED = 4096;

/** Saved barriers; opaque. */
export interface BarriersState {
  readonly cores: readonly {
    readonly here: number;
    readonly everywhere: number;
    readonly issued: readonly IssuedInvalidation[];
  }[];
}

interface CoreBarriers {
  here: number;
  everywhere: number;
  issued: IssuedInvalidation[];
}

export class MayBarriers {
  readonly #cores: CoreBarriers[] = [];

  issued(core: number, invalidation: MayInvalidation, reach: MayReach, sequence: number): void {
    const { here, everywhere, issued } = this.#of(core);
    if (issued.length === MAX_ISSUED) issued.shift();
    issued.push({ invalidation, reach, sequence, orderedHere: here, orderedEverywhere: everywhere });
  }

  /** A barrier orders what was stored up to an event. */
  completed(core: number, reach: MayReach, sequence: number): void {
    const at = this.#of(core);
    at.here = sequence;
    if (reach === "everywhere") at.everywhere = sequence;
  }

  /** Takes what a core issued and a barrier of this reach completes. */
  take(core: number, reach: MayReach): readonly IssuedInvalidation[] {
    const at = this.#of(core);
    if (at.issued.length === 0) return at.issued;
    const done = at.issued.filter((each) => reach === "everywhere" || each.reach === "local");
    at.issued = at.issued.filter((each) => reach !== "everywhere" && each.reach !== "local");
    return done;
  }

  save(): BarriersState {
    return {
      cores: this.#cores.map(({ here, everywhere, issued }) => ({ here, everywhere, issued: [...issued] })),
    };
  }

  restore(state: BarriersState): void {
    this.#cores.length = 0;
    for (const { here, everywhere, issued } of state.cores) {
      this.#cores.push({ here, everywhere, issued: [...issued] });
    }
  }

  #of(core: number): CoreBarriers {
    while (this.#cores.length <= core) this.#cores.push({ here: -1, everywhere: -1, issued: [] });
    return this.#cores[core]!;
  }
}
