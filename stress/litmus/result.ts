/** What running a litmus test says. */
import type { Bounds } from "./explore.ts";
import type { LitmusTest, LitmusVariant } from "./test.ts";

/**
 * ok: a forbidden outcome was not reached, an allowed one was witnessed, a required one holds; reached: a forbidden
 * outcome (or one outside the permitted ones) was reached; unwitnessed: an allowed outcome was not; inexpressible: it was not, and the file says
 * what the machine's memory model lacks for it (`Inexpressible="…"`); informative: there is
 * no verdict to compare with; incomplete: a bound ended the exploration before it found anything; no-final-state: no
 * final state can be reached; no-machine: the architecture's machine does not exist yet.
 */
export type LitmusOutcome =
  | "ok"
  | "reached"
  | "unwitnessed"
  | "inexpressible"
  | "informative"
  | "incomplete"
  | "no-final-state"
  | "no-machine";

/** A distinct final state, as far as the question looks at it, and whether the question holds in it. */
export interface FinalState {
  readonly text: string;
  readonly holds: 0 | 1;
}

/** One step of a schedule: what a core, or its MMU, did. */
export interface WitnessStep {
  readonly core: number;
  readonly text: string;
}

/** What became possible without an operation that the verdict rests on. */
export interface Vacuity {
  readonly without: string;
  /** The forbidden outcome was reached, as it must be. */
  readonly reached: 0 | 1;
}

export interface LitmusResult {
  /** With the verdict of the variant. */
  readonly test: LitmusTest;
  readonly variant: LitmusVariant;
  readonly outcome: LitmusOutcome;
  readonly states: number;
  readonly transitions: number;
  readonly bounds: Bounds;
  readonly exceeded: keyof Bounds | null;
  /** In the order of their text. */
  readonly finals: readonly FinalState[];
  /** The schedule to the first final state that answers the question: it satisfies it, or fails a required one. */
  readonly witness: readonly WitnessStep[];
  readonly vacuity: readonly Vacuity[];
}

export const NO_MACHINE: Readonly<Record<string, string>> = {
  ppc64: "no ppc64 machine yet",
};
