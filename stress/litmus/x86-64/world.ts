/**
 * A litmus test on a bare x86-64 machine: real cores, walkers, TLBs, local APICs and the interpreter, no kernel. What can
 * happen next, in each state: a core's next event; the acceptance of an interprocessor interrupt; and for each enumerated
 * address and core, that its translation is replaced, alone or by the one that the tables give now, with or without the
 * paging-structure entries of the levels that the test changes (Intel SDM vol. 3A 4.10.2.2, 4.10.2.3, 4.10.3.1: a
 * processor may cache what no access needs, and may drop what it has cached).
 *
 * Not enumerated, because nothing depends on it: translations that no thread changes; a fill in the middle of the same
 * address's walk (the walk's own fill follows); two different copies of one translation in the first and second level.
 */

import { Machine } from "../../../emu/machine.ts";
import type { X86Core } from "../../../emu/traps/x86-64/index.ts";
import { DONE, FETCH, SUPERVISOR, WRITE } from "../../../mmu/index.ts";
import type { LitmusMachine } from "../explore.ts";
import { NO_SCHEDULER } from "../no-scheduler.ts";
import type { WitnessStep } from "../result.ts";
import { type Enumeration, planSpeculation, type Speculation } from "../speculation.ts";
import { type Atom, coresOf, type LitmusTest } from "../test.ts";
import { CoreDriver } from "./core-driver.ts";
import { DIRECT_MAP, FETCH_OFFSET, Layout, RAM_BYTES, WARM_LO } from "./layout.ts";
import { LITMUS_MODEL } from "./model.ts";
import { observe, truthIn } from "./observation.ts";
import { assemble } from "./program.ts";
import { prepareCore, writeDescriptorTables, writeProgram } from "./setup.ts";
import { Snapshots } from "./snapshots.ts";

/** Choices of a core: step, accept, then EVICT + variant, then REFILL + location * VARIANTS + variant. */
const STEP = 0;
const ACCEPT = 1;
const EVICT = 2;
const VARIANTS = 4;
const REFILL: number = EVICT + VARIANTS;
const PER_CORE: number = REFILL + 16 * VARIANTS;

const MARKS = { accessed: "A", dirty: "D" };
const DIRECT_HI: number = Number(BigInt.asIntN(32, DIRECT_MAP >> 32n));

export class X86LitmusWorld implements LitmusMachine {
  readonly machine: Machine;
  readonly layout: Layout;
  readonly drivers: readonly CoreDriver[];
  readonly stateWords: number;
  readonly #speculation: Speculation;
  readonly #snapshots: Snapshots;
  /** Of the enumerated locations, and of the others. */
  readonly #addresses: readonly number[];
  readonly #stable: readonly number[];
  readonly #ownPages: readonly (readonly number[])[];

  /** @throws UserError if the test does not fit the machine */
  constructor(test: LitmusTest, enumeration: Enumeration = "relevant") {
    this.layout = new Layout(test);
    const cores = coresOf(test);
    const programs = Array.from({ length: cores }, (_, core) => assemble(test, this.layout, core));
    this.machine = new Machine({
      model: LITMUS_MODEL,
      cpus: cores,
      memoryBytes: RAM_BYTES,
      scheduler: () => NO_SCHEDULER,
      tlb: "typical",
      seed: 1,
      ledger: "off",
      console: () => {},
    });
    const ram = this.machine.ram;
    this.layout.writeInitial((slot, lo, hi) => ram.write64(slot * 4, lo, hi));
    for (const { name, mapping } of test.locations) {
      if (mapping !== "window") this.#writeFetchTarget(name);
    }
    writeDescriptorTables(ram);
    this.drivers = programs.map((program, id) => {
      const core = this.machine.cores[id] as X86Core;
      writeProgram(ram, program, id);
      prepareCore(core, program, test);
      return new CoreDriver(this.machine, core, program, test.file);
    });
    this.#speculation = planSpeculation(test, this.layout, programs, enumeration, MARKS);
    this.#addresses = this.#speculation.volatile.map((name) => this.layout.address(name));
    this.#stable = test.locations
      .filter(({ name }) => !this.#speculation.volatile.includes(name))
      .map(({ name }) => this.layout.address(name));
    this.#ownPages = programs.map((_, core) => this.layout.ownPages(core));
    for (const driver of this.drivers) this.#begin(driver);
    this.#snapshots = new Snapshots(this.machine, this.drivers, this.layout);
    this.stateWords = this.#snapshots.words;
  }

  choices(into: Int32Array): number {
    let count = 0;
    for (const driver of this.drivers) {
      const first = driver.core.id * PER_CORE;
      if (!driver.atEnd) into[count++] = first + STEP;
      if (driver.canAccept) into[count++] = first + ACCEPT;
      count = this.#fills(driver, first, into, count);
    }
    return count;
  }

  take(choice: number): void {
    const driver = this.drivers[Math.floor(choice / PER_CORE)]!;
    const what = choice % PER_CORE;
    if (what === STEP) {
      const globals = driver.slot?.dropsGlobals === true;
      driver.step(() => this.#keepWarm(driver, globals));
      this.#keepWarm(driver, false);
    } else if (what === ACCEPT) {
      driver.accept();
      this.#keepWarm(driver, false);
    } else if (what < REFILL) {
      this.#evict(driver.core, this.layout.address(driver.slot!.uses!), what - EVICT);
    } else {
      const lo = this.#addresses[Math.floor((what - REFILL) / VARIANTS)]!;
      this.#evict(driver.core, lo, (what - REFILL) % VARIANTS);
      driver.core.mmu.speculate(lo, 0);
    }
  }

  /** Takes a choice, and says what it was. */
  narrate(choice: number): WitnessStep {
    const driver = this.drivers[Math.floor(choice / PER_CORE)]!;
    const what = choice % PER_CORE;
    const core = driver.core.id;
    if (what === STEP) {
      const globals = driver.slot?.dropsGlobals === true;
      const text = driver.narrateStep(() => this.#keepWarm(driver, globals));
      this.#keepWarm(driver, false);
      return { core, text };
    }
    const text = what === ACCEPT ? "accepts the interrupt" : this.#describeFill(driver, what);
    this.take(choice);
    return { core, text };
  }

  truth(atom: Atom): boolean {
    return truthIn(this, atom);
  }

  observe(atom: Atom): string {
    return observe(this, atom);
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
    return this.drivers.every((driver) => driver.atEnd && !driver.canAccept);
  }

  /** The fills and replacements that may happen on a core now. */
  #fills(driver: CoreDriver, first: number, into: Int32Array, count: number): number {
    const { inOwnWalk, levels, uses, volatile } = this.#speculation;
    const slot = driver.slot;
    const number = driver.slotNumber;
    const mask = number < 0 ? -1 : uses[driver.core.id]![number]!;
    const own = slot?.uses == null ? -1 : volatile.indexOf(slot.uses);
    let next = count;
    if (own >= 0 && !driver.isMidway && slot!.kind === "visible") {
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

  #describeFill(driver: CoreDriver, what: number): string {
    const variant = what < REFILL ? what - EVICT : (what - REFILL) % VARIANTS;
    const upper = variant === 0 ? "" : " and its upper entries";
    if (what < REFILL) return `TLB drops ${driver.slot!.uses}${upper}`;
    const name = this.#speculation.volatile[Math.floor((what - REFILL) / VARIANTS)]!;
    const pa = driver.core.mmu.probe(this.layout.address(name), 0);
    const dropped = variant === 0 ? "" : `, upper entries dropped before`;
    const mapped = pa < 0 ? "nothing" : this.layout.frameName(Math.floor(pa / 4096));
    return `TLB prefetches ${name}; memory maps it to ${mapped}${dropped}`;
  }

  /** @param variant how many of the enumerated levels of paging-structure entries go too, from the lowest */
  #evict(core: X86Core, lo: number, variant: number): void {
    core.mmu.evictPage(lo, 0);
    const { levels } = this.#speculation;
    const highest = variant === 0 ? 0 : levels[variant - 1]!;
    for (let level = 2; level <= highest; level++) core.mmu.evictTable(lo, 0, level);
  }

  /**
   * Keeps cached what no thread changes: the runner's own pages, locations with one translation, and upper levels that
   * are not enumerated. All of it is legal speculation, and spares the walks to them.
   */
  #keepWarm(driver: CoreDriver, globals: boolean): void {
    if (driver.core.mmu.isWalking) return;
    const { mmu, id } = driver.core;
    if (this.#speculation.levels.length === 0) {
      mmu.speculate(WARM_LO, 0);
      mmu.evictPage(WARM_LO, 0);
    }
    for (const lo of this.#stable) mmu.speculate(lo, 0);
    if (globals) for (const page of this.#ownPages[id]!) mmu.speculate(page << 12, DIRECT_HI);
  }

  /** Fills the runner's own pages and the unchanging locations, then makes every access an event. */
  #begin(driver: CoreDriver): void {
    const { core } = driver;
    for (const page of this.#ownPages[core.id]!) {
      for (const kind of [WRITE, FETCH] as const) {
        if (core.mmu.translate(page << 12, DIRECT_HI, kind, SUPERVISOR) !== DONE) {
          throw new Error(`litmus: page ${page} is not mapped`);
        }
      }
    }
    core.takeStalls();
    core.mmu.emptyFast();
    core.clock = 0;
    core.budget.exploring = true;
    this.#keepWarm(driver, false);
    driver.settle();
  }

  /** MOV EAX, initial value; JMP R11. */
  #writeFetchTarget(name: string): void {
    const pa = this.layout.frame(name) * 4096;
    const { ram } = this.machine;
    const bytes = [0xb8, 0, 0, 0, 0, 0x41, 0xff, 0xe3];
    for (let i = 0; i < bytes.length; i++) ram.write8(pa + FETCH_OFFSET + i, bytes[i]!);
    ram.write8(pa + FETCH_OFFSET + 1, ram.read8(pa));
  }
}
