/**
 * Exhaustive search of one scenario under one design: every schedule of a world within the bound, but for those that the
 * reduction knows to be like another. What is not branched on: TLB content (the may-sets judge it), and when a timer
 * fires (where nothing else can go on).
 *
 * The bound is raised one by one (Musuvathi, Qadeer, "Iterative Context Bounding for Systematic Testing of Multithreaded
 * Programs", PLDI 2007): what is found is found with as few preemptions as it takes, and what handlers touch is mostly
 * known before the largest search begins.
 */
import { Exhaustive } from "../../emu/schedulers/index.ts";
import { type RunResult, World, type WorldOptions } from "../world/world.ts";
import { Footprints } from "./footprints.ts";

export interface SearchOptions extends WorldOptions {
  /** Largest number of preemptions in a schedule. */
  readonly preemptions: number;
  readonly reduction: "bounded" | "none";
  /** Largest number of fallible allocations that fail in a schedule: none, or each in its turn. */
  readonly failures: 0 | 1;
  /** Of every run. */
  readonly seed: number;
}

/** What has been searched so far. */
export interface SearchState {
  readonly preemptions: number;
  readonly failures: 0 | 1;
  /** Schedules executed, in all. */
  readonly schedules: number;
  /** Choices not taken because of the bound. */
  readonly overBound: number;
  /** Times that the search was begun again because handlers were seen to touch something new. */
  readonly restarts: number;
  /** Nothing is left within the bound. What would have followed a violation has not been executed. */
  readonly isComplete: boolean;
}

/** Schedules after which a search that is to be begun again is; the next time, so many times more. */
const FIRST_PATIENCE = 64;
const PATIENCE_GROWTH = 4;

export class ExhaustiveSearch {
  readonly world: World;
  readonly #search: Exhaustive;
  readonly #options: SearchOptions;
  #isComplete = false;
  #restarts = 0;
  /** Schedules since the search was begun, the largest number of allocations in one, and when to begin again. */
  #begun = 0;
  #allocations = 0;
  #patience: number = FIRST_PATIENCE;

  /** @throws UserError if the scenario cannot be started */
  constructor(options: SearchOptions) {
    this.#options = options;
    let footprints: Footprints | undefined;
    this.world = new World({
      ...options,
      watch: (machine, kernel) => {
        footprints = new Footprints(machine, kernel);
        return footprints;
      },
    });
    const { cores } = this.world.machine;
    const { reduction } = options;
    this.#search = new Exhaustive({
      cores: cores.length,
      reduction,
      places: footprints!.places.count,
      watch: footprints!,
    });
    // Without the reduction there is nothing to learn from smaller bounds.
    if (reduction === "none") this.#search.bound = options.preemptions;
    footprints!.attach(this.#search);
  }

  get state(): SearchState {
    const { preemptions, failures } = this.#options;
    const { schedules, overBound } = this.#search;
    const isComplete = this.#isComplete;
    return { preemptions, failures, schedules, overBound, restarts: this.#restarts, isComplete };
  }

  /** Executes the next schedule. Null: there is none. @param explored called where everybody has parked */
  next(explored?: () => void): RunResult | null {
    const search = this.#search;
    if (this.#isComplete) return null;
    if (this.#begun > 0 && !this.#advance()) {
      this.#isComplete = true;
      return null;
    }
    this.#begun++;
    search.begin();
    const result = this.world.run(search, {
      seed: this.#options.seed,
      explored: () => {
        search.end();
        explored?.();
      },
    });
    search.end();
    this.#allocations = Math.max(this.#allocations, search.allocations);
    return result;
  }

  #advance(): boolean {
    const search = this.#search;
    if (!search.isSettled && this.#begun === this.#patience) {
      this.#patience *= PATIENCE_GROWTH;
      return this.#again();
    }
    if (search.advance()) return true;
    if (!search.isSettled) return this.#again();
    if (search.bound < this.#options.preemptions) search.bound++;
    else if (this.#options.failures === 1 && search.failing + 1 < this.#allocations) search.failing++;
    else return false;
    this.#restart();
    return true;
  }

  #again(): boolean {
    this.#restarts++;
    this.#restart();
    return true;
  }

  #restart(): void {
    this.#begun = 0;
    this.#allocations = 0;
    this.#search.restart();
  }
}
