/**
 * A litmus test on a bare AArch64 machine: real cores, walkers, TLBs, broadcasts and the interpreter, no kernel. What can
 * happen next, in each state: a core's next event; the effect of a broadcast invalidation at a core; that a page-table
 * store becomes visible to walkers; and for each enumerated address and core, that its translation is replaced, alone or
 * by the one that the walker sees now, with or without the walk-cache entries of the levels that the test changes (Arm
 * ARM D8 "Translation Lookaside Buffers": an implementation may cache any translation that a walk could give, and may
 * drop it at any time).
 *
 * Not there: data accesses in another order than the program's, and walks that begin before earlier instructions. Not
 * enumerated, because nothing depends on it: translations that no thread changes; a fill in the middle of the same
 * address's walk; two different copies of one translation in the first and second level.
 */

import { Machine } from "../../../emu/machine.ts";
import type { Aarch64Core } from "../../../emu/traps/aarch64/index.ts";
import { FETCH, FRAME_WATCHED, READ } from "../../../mmu/index.ts";
import type { LitmusMachine } from "../explore.ts";
import { NO_SCHEDULER } from "../no-scheduler.ts";
import type { WitnessStep } from "../result.ts";
import { type Enumeration, planSpeculation, type Speculation } from "../speculation.ts";
import { type Atom, coresOf, type LitmusTest, type LitmusVariant } from "../test.ts";
import { CoreDriver } from "./core-driver.ts";
import { Layout, LINEAR_HI, RAM_BYTES, WARM_LO } from "./layout.ts";
import { LITMUS_MODELS } from "./model.ts";
import { Observation } from "./observation.ts";
import { assemble } from "./program.ts";
import { prepareCore, writeProgram, writeVectors } from "./setup.ts";
import { Snapshots } from "./snapshots.ts";

/** Choices of a core: then EVICT + variant, then REFILL + location * VARIANTS + variant. */
const STEP = 0;
const INVALIDATE = 1;
const REVEAL = 2;
const EVICT = 3;
const VARIANTS = 4;
const REFILL: number = EVICT + VARIANTS;
const PER_CORE: number = REFILL + 16 * VARIANTS;
const MARKS = { accessed: "af", dirty: "db" };
/** Lookup levels 0 to 3 are levels 4 to 1 of a litmus test. */
const LEVELS = 4;

export class Aarch64LitmusWorld implements LitmusMachine {
  readonly machine: Machine;
  readonly layout: Layout;
  readonly drivers: readonly CoreDriver[];
  readonly stateWords: number;
  readonly #speculation: Speculation;
  readonly #snapshots: Snapshots;
  readonly #observation: Observation;
  /** Of the enumerated locations, and of the others. */
  readonly #addresses: readonly number[];
  readonly #stable: readonly number[];
  readonly #ownPages: readonly (readonly number[])[];

  /** @throws UserError if the test does not fit the machine */
  constructor(test: LitmusTest, enumeration: Enumeration = "relevant", variant: LitmusVariant = "base") {
    this.layout = new Layout(test);
    const cores = coresOf(test);
    const programs = Array.from({ length: cores }, (_, core) => assemble(test, this.layout, core));
    this.machine = new Machine({
      model: LITMUS_MODELS[variant],
      cpus: cores,
      memoryBytes: RAM_BYTES,
      scheduler: () => NO_SCHEDULER,
      tlb: "typical",
      seed: 1,
      ledger: "off",
      console: () => {},
    });
    const { ram } = this.machine;
    this.layout.writeInitial((slot, lo, hi) => ram.write64(slot * 4, lo, hi));
    writeVectors(ram);
    this.drivers = programs.map((program, id) => {
      const core = this.machine.cores[id] as Aarch64Core;
      writeProgram(ram, program, id);
      prepareCore(core, program, this.layout, test);
      return new CoreDriver(this.machine, core, program, test.file);
    });
    for (const frame of this.layout.tableFrames()) ram.frameFlags[frame]! |= FRAME_WATCHED;
    this.#speculation = planSpeculation(test, this.layout, programs, enumeration, MARKS);
    this.#addresses = this.#speculation.volatile.map((name) => this.layout.address(name));
    this.#stable = test.locations
      .filter(({ name }) => !this.#speculation.volatile.includes(name))
      .map(({ name }) => this.layout.address(name));
    this.#ownPages = programs.map((_, core) => this.layout.ownPages(core));
    for (const driver of this.drivers) this.#begin(driver);
    this.#observation = new Observation(test, this.layout, this.drivers, ram.i32);
    this.#snapshots = new Snapshots(this.machine, this.drivers, this.layout);
    this.stateWords = this.#snapshots.words;
  }

  choices(into: Int32Array): number {
    let count = 0;
    for (const driver of this.drivers) {
      const first = driver.core.id * PER_CORE;
      if (driver.canStep) into[count++] = first + STEP;
      if (driver.invalidations > 0) into[count++] = first + INVALIDATE;
      if (driver.lateStores > 0) into[count++] = first + REVEAL;
      count = this.#fills(driver, first, into, count);
    }
    return count;
  }

  take(choice: number): void {
    const driver = this.drivers[Math.floor(choice / PER_CORE)]!;
    const what = choice % PER_CORE;
    if (what === STEP) {
      driver.step(() => this.#keepWarm(driver));
      this.#keepWarm(driver);
    } else if (what === INVALIDATE) {
      driver.core.broadcasts.applyFirst();
      this.#keepWarm(driver);
    } else if (what === REVEAL) {
      driver.core.mmu.lateStores!.completeFirst();
    } else if (what < REFILL) {
      this.#evict(driver.core, this.layout.address(driver.slot.uses!), what - EVICT);
    } else {
      const lo = this.#addresses[Math.floor((what - REFILL) / VARIANTS)]!;
      this.#evict(driver.core, lo, (what - REFILL) % VARIANTS);
      this.#speculate(driver.core, lo, 0);
    }
  }

  narrate(choice: number): WitnessStep {
    const driver = this.drivers[Math.floor(choice / PER_CORE)]!;
    const what = choice % PER_CORE;
    const core = driver.core.id;
    if (what === STEP) {
      const text = driver.narrateStep(() => this.#keepWarm(driver));
      this.#keepWarm(driver);
      return { core, text };
    }
    const text = this.#describe(driver, what);
    this.take(choice);
    return { core, text };
  }

  truth(atom: Atom): boolean {
    return this.#observation.truth(atom);
  }

  observe(atom: Atom): string {
    return this.#observation.observe(atom);
  }

  save(into: Int32Array): void {
    this.#snapshots.save(into);
  }

  restore(from: Int32Array): void {
    this.#snapshots.restore(from);
  }

  key(): number {
    return this.#snapshots.key();
  }

  isFinal(): boolean {
    return this.drivers.every((driver) => driver.atEnd);
  }

  /** The fills and replacements that may happen on a core now. */
  #fills(driver: CoreDriver, first: number, into: Int32Array, count: number): number {
    const { inOwnWalk, levels, uses, volatile } = this.#speculation;
    const { slot } = driver;
    const mask = uses[driver.core.id]![driver.slotNumber]!;
    const own = slot.uses === null ? -1 : volatile.indexOf(slot.uses);
    let next = count;
    if (own >= 0 && !driver.isMidway) {
      for (let variant = 0; variant <= levels.length; variant++) into[next++] = first + EVICT + variant;
    }
    for (let i = 0; i < volatile.length; i++) {
      if ((mask & (1 << i)) === 0 || (driver.isMidway && i === own && inOwnWalk === "left")) continue;
      for (let variant = 0; variant <= levels.length; variant++) {
        into[next++] = first + REFILL + i * VARIANTS + variant;
      }
    }
    return next;
  }

  #describe(driver: CoreDriver, what: number): string {
    if (what === INVALIDATE) return "an invalidation takes effect";
    if (what === REVEAL) return "a page-table store becomes visible to walkers";
    const variant = what < REFILL ? what - EVICT : (what - REFILL) % VARIANTS;
    const upper = variant === 0 ? "" : ", upper entries dropped before";
    if (what < REFILL) return `TLB drops ${driver.slot.uses}${upper}`;
    return `TLB prefetches ${this.#speculation.volatile[Math.floor((what - REFILL) / VARIANTS)]}${upper}`;
  }

  /** @param variant how many of the enumerated levels of walk-cache entries go too, from the lowest */
  #evict(core: Aarch64Core, lo: number, variant: number): void {
    core.mmu.evictPage(lo, 0);
    const { levels } = this.#speculation;
    const highest = variant === 0 ? 0 : levels[variant - 1]!;
    for (let level = 2; level <= highest; level++) core.mmu.evictTable(lo, 0, LEVELS - level);
  }

  /**
   * Keeps cached what no thread changes: the runner's own pages, locations with one translation, and upper levels that
   * are not enumerated. All of it is legal speculation, and spares the walks to them.
   */
  #keepWarm(driver: CoreDriver): void {
    const { core } = driver;
    if (core.mmu.isWalking) return;
    if (this.#speculation.levels.length === 0) {
      this.#speculate(core, WARM_LO, 0);
      core.mmu.evictPage(WARM_LO, 0);
    }
    for (const lo of this.#stable) this.#speculate(core, lo, 0);
    for (const page of this.#ownPages[core.id]!) {
      this.#speculate(core, page << 12, LINEAR_HI);
      core.mmu.speculate(page << 12, LINEAR_HI, FETCH);
    }
  }

  #speculate(core: Aarch64Core, lo: number, hi: number): void {
    core.mmu.speculate(lo, hi, READ);
  }

  /** Fills the runner's own pages and the unchanging locations, then makes every access an event. */
  #begin(driver: CoreDriver): void {
    const { core } = driver;
    core.takeStalls();
    core.mmu.emptyFast();
    core.clock = 0;
    core.budget.exploring = true;
    this.#keepWarm(driver);
    driver.settle();
  }
}
