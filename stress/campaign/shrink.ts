/**
 * Shrinking: the shortest schedule that still shows the same. Threads go first, then switches between agents: a segment
 * is left out, and what it held happens later, when nothing else is to be done. A candidate counts if its run ends with
 * the same signature; what it then really decided is the new schedule, so the result replays exactly.
 *
 * Delta debugging after Zeller, Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28(2), 2002:
 * big pieces first, down to single segments.
 */
import { type Decisions, Replay } from "../../emu/schedulers/index.ts";
import type { RunResult, World } from "../world/world.ts";
import { signatureOf } from "./finding.ts";

/** Runs that shrinking may take. */
const MAX_RUNS = 3000;

export interface Shrunk {
  readonly decisions: Decisions;
  readonly absent: readonly number[];
  readonly result: RunResult;
  /** Runs that it took. */
  readonly runs: number;
}

export function shrink(world: World, seed: number, first: RunResult): Shrunk {
  return new Shrinker(world, seed, first).run();
}

class Shrinker {
  readonly #world: World;
  readonly #seed: number;
  readonly #signature: string;
  #best: RunResult;
  #absent: readonly number[] = [];
  #runs = 0;

  constructor(world: World, seed: number, first: RunResult) {
    this.#world = world;
    this.#seed = seed;
    this.#best = first;
    this.#signature = signatureOf(first.judgement!);
  }

  run(): Shrunk {
    // A scenario's check expects that everybody has done their part.
    const removable = this.#best.judgement!.foundBy === "check" ? [] : this.#world.removableThreads;
    for (const thread of removable) {
      this.#try(this.#best.recorded, [...this.#absent, thread]);
    }
    let before: number;
    do {
      before = this.#best.recorded.segments.length;
      this.#dropSegments();
      this.#dropFailures();
    } while (this.#best.recorded.segments.length < before && this.#runs < MAX_RUNS);
    return {
      decisions: this.#best.recorded,
      absent: this.#absent,
      result: this.#best,
      runs: this.#runs,
    };
  }

  #dropSegments(): void {
    let piece = Math.ceil(this.#best.recorded.segments.length / 2);
    for (;;) {
      for (let at = 0; at < this.#best.recorded.segments.length && this.#runs < MAX_RUNS; ) {
        const { segments, failures } = this.#best.recorded;
        const without = [...segments.slice(0, at), ...segments.slice(at + piece)];
        if (!this.#try({ segments: without, failures }, this.#absent)) at += piece;
      }
      if (piece === 1) return;
      piece = Math.ceil(piece / 2);
    }
  }

  #dropFailures(): void {
    for (const failure of this.#best.recorded.failures) {
      const { segments, failures } = this.#best.recorded;
      this.#try({ segments, failures: failures.filter((each) => each !== failure) }, this.#absent);
    }
  }

  /** Runs a candidate; true: it shows the same with fewer switches or threads, and is the best now. */
  #try(decisions: Decisions, absent: readonly number[]): boolean {
    if (this.#runs >= MAX_RUNS) return false;
    this.#runs++;
    const result = this.#world.run(new Replay(decisions), { seed: this.#seed, absent });
    if (result.judgement === null || signatureOf(result.judgement) !== this.#signature) return false;
    const gain = absent.length - this.#absent.length;
    const best = this.#best.recorded;
    const fewer = size(best) - size(result.recorded);
    if (gain === 0 && fewer <= 0) return false;
    this.#best = result;
    this.#absent = absent;
    return true;
  }
}

function size({ segments, failures }: Decisions): number {
  return segments.length + failures.length;
}
