/**
 * A machine: memory, cores, engine and scheduler, driven until it stops. It is the host of its cores and the platform
 * that its kernel runs on.
 */
import {
  CoherenceLedger,
  type EventContext,
  FRAME_DIRTY,
  MaySets,
  PhysicalMemory,
  type TranslationObserver,
} from "../mmu/index.ts";
import { Interpreter } from "./backends/interpreter/index.ts";
import type { Core, CoreHost, CoreState } from "./cores/index.ts";
import type { Cpu, KernelPort, Platform, StopReason } from "./hardware.ts";
import { STATE_PC } from "./ir/index.ts";
import type { MachineModel } from "./machines/model.ts";
import { type CoreScheduler, RandomScheduler, TimedScheduler } from "./schedulers/index.ts";
import { Trace } from "./trace.ts";

export interface MachineOptions {
  readonly model: MachineModel;
  readonly cpus: number;
  readonly memoryBytes: number;
  /** By name, or made for the machine's cores by whoever explores schedules. */
  readonly scheduler: "timed" | "random" | ((cores: readonly Core[]) => CoreScheduler);
  readonly tlb: "typical" | "adversarial";
  readonly seed: number;
  readonly ledger: "on" | "off";
  /**
   * The ledger's other half, for exploring runs: what every TLB could have held is judged. "checked": every access is
   * checked against it as well. Needs the ledger; default off.
   */
  readonly maySets?: "on" | "checked" | "off";
  readonly verifyIr?: boolean;
  /** Makes the memory; by default a PhysicalMemory. Whoever watches what the kernel touches gives an ObservedMemory. */
  readonly memory?: (ramBytes: number, engineBytes: number) => PhysicalMemory;
  /** Bytes that the guest writes. */
  console(stream: "stdout" | "stderr" | "kernel", bytes: Uint8Array): void;
}

/** Something with mutable state outside the machine's memory. */
export interface Saveable {
  save(): unknown;
  restore(saved: unknown): void;
}

export interface RunLimits {
  /** Instructions retired by all cores together. */
  readonly maxInstructions: number;
  /** Looked at between two parts of the run (advance()); true: stop. */
  readonly interrupted?: () => boolean;
}

/** Bounds of one advance(): some milliseconds of host time. */
const ADVANCE_SLICES = 1024;
const ADVANCE_INSTRUCTIONS = 1_000_000;
const PC = STATE_PC >> 2;

export class Machine implements CoreHost, Platform {
  readonly model: MachineModel;
  readonly ram: PhysicalMemory;
  /** Empty while they are being made: resetting a core invalidates its TLBs. */
  readonly cores: readonly Core[] = [];
  readonly engine: Interpreter;
  readonly scheduler: CoreScheduler;
  readonly events: Trace = new Trace();
  readonly ledger: CoherenceLedger | null;
  readonly maySets: MaySets | null;
  readonly cyclesPerSecond: number;
  readonly firmware: Readonly<Record<string, number>>;
  kernel!: KernelPort;
  stopReason: StopReason | null = null;
  /** Core that runs now, or ran last. */
  running: Core;
  /** Instructions retired by all cores. */
  retired = 0;
  /** Modelled TLB and walk-cache entries that invalidations dropped. */
  entriesInvalidated = 0;
  slices = 0;
  readonly #options: MachineOptions;
  readonly #saveables: Map<string, Saveable> = new Map();
  #stateRegions: readonly Uint8Array[] | null = null;
  #kernelTextFirst = -1;
  #kernelTextFrames = 0;

  constructor(options: MachineOptions) {
    const { model, cpus, seed } = options;
    this.#options = options;
    this.model = model;
    this.cyclesPerSecond = model.cyclesPerSecond;
    this.firmware = model.firmware;
    const engineBytes = model.coreStateBytes * cpus;
    this.ram =
      options.memory?.(options.memoryBytes, engineBytes) ??
      new PhysicalMemory(options.memoryBytes, engineBytes);
    this.maySets = this.#newMaySets();
    this.ledger = options.ledger === "on" ? this.#newLedger() : null;
    this.cores = model.createCores(this.ram, cpus, {
      policy: options.tlb,
      seed,
      observer: this.#observer(),
      ledger: this.ledger,
      isKernelText: (frame) => this.isKernelText(frame),
      running: () => this.running.id,
    });
    this.running = this.cores[0]!;
    for (const core of this.cores) core.host = this;
    this.running.phase = "execute";
    this.engine = new Interpreter({
      frontend: model.frontend,
      ram: this.ram,
      cores: this.cores,
      verify: options.verifyIr ?? false,
    });
    this.engine.cache.mayLink = options.tlb === "typical";
    this.engine.cache.setKernelText((frame) => this.isKernelText(frame));
    this.scheduler = this.#newScheduler(options.scheduler);
    this.register("scheduler", this.scheduler);
    this.register("trace", this.events);
    const ledger = this.ledger;
    if (ledger !== null) {
      this.register("ledger", {
        save: () => ledger.save(),
        restore: (saved) => ledger.restore(saved as ReturnType<CoherenceLedger["save"]>),
      });
    }
    const { maySets } = this;
    if (maySets !== null) {
      this.register("may-sets", {
        save: () => maySets.save(),
        restore: (saved) => maySets.restore(saved as ReturnType<MaySets["save"]>),
      });
    }
  }

  get cpus(): readonly Cpu[] {
    return this.cores;
  }

  get stopped(): boolean {
    return this.stopReason !== null;
  }

  /** Everything mutable outside the machine's memory is registered once, under a name of its own. */
  register(name: string, object: Saveable): void {
    if (this.#saveables.has(name)) throw new Error(`Machine.register: ${name} is registered already`);
    this.#saveables.set(name, object);
  }

  setKernelText(firstFrame: number, frames: number): void {
    this.#kernelTextFirst = firstFrame;
    this.#kernelTextFrames = frames;
    this.engine.cache.clear();
  }

  isKernelText(frame: number): boolean {
    return frame >= this.#kernelTextFirst && frame < this.#kernelTextFirst + this.#kernelTextFrames;
  }

  console(stream: "stdout" | "stderr" | "kernel", bytes: Uint8Array): void {
    this.#options.console(stream, bytes);
  }

  trace(core: Core | number, event: string, a: number, b: number): void {
    const at = typeof core === "number" ? this.cores[core]! : core;
    this.events.event(at.id, at.clock, event, a, b);
  }

  pointReached(core: Core): boolean {
    return this.scheduler.pointReached(core);
  }

  stop(reason: StopReason): void {
    this.stopReason ??= reason;
    this.running.endSlice();
  }

  /** Runs until the machine stops or a limit is reached. */
  run(limits: RunLimits): StopReason {
    for (;;) {
      const reason = this.advance(limits.maxInstructions);
      if (reason !== null) return reason;
      if (limits.interrupted?.() === true) {
        this.stop({ kind: "limit", text: "the time limit was reached", status: 124 });
      }
    }
  }

  /**
   * Runs a part: some milliseconds of host time. How a run is cut into parts changes nothing in it.
   * @returns null: there is more to run
   */
  advance(maxInstructions: number): StopReason | null {
    const lastSlice = this.slices + ADVANCE_SLICES;
    const lastInstruction = this.retired + ADVANCE_INSTRUCTIONS;
    const adversarial = this.#options.tlb === "adversarial";
    while (this.stopReason === null && this.slices < lastSlice && this.retired < lastInstruction) {
      if (adversarial) {
        // Each core in its turn, halted and lazy ones too: hardware speculates whatever the core executes.
        this.running = this.cores[this.slices % this.cores.length]!;
        this.running.mmu.perturb();
      }
      const core = this.scheduler.next();
      if (core === null) {
        this.stop({ kind: "deadlock", text: "no core can ever run again", status: 125 });
        break;
      }
      this.running = core;
      const before = core.retired;
      core.run();
      this.retired += core.retired - before;
      this.events.mix(core.id + core.state[PC]!, core.retired);
      this.slices++;
      if (this.retired >= maxInstructions) {
        const text = `${maxInstructions} instructions were executed`;
        this.stop({ kind: "limit", text, status: 124 });
      }
    }
    return this.stopReason;
  }

  /** Largest virtual clock of all cores, in cycles. */
  get clock(): number {
    return this.cores.reduce((latest, core) => Math.max(latest, core.clock), 0);
  }

  /** Folds RAM, registers with flags materialised, and modelled TLBs into 16 hex digits. Takes time; not hot. */
  stateHash(): string {
    const hash = new Trace();
    const { i32, frameFlags } = this.ram;
    for (let frame = 0; frame < frameFlags.length; frame++) {
      if ((frameFlags[frame]! & FRAME_DIRTY) === 0) continue;
      hash.mix(frame, 1);
      for (let at = frame * 1024; at < frame * 1024 + 1024; at += 2) hash.mix(i32[at]!, i32[at + 1]!);
    }
    for (const core of this.cores) {
      hash.mix(core.architecturalHash(), core.retired);
      hash.mix(core.mmu.hash(0), core.clock % 0x1_0000_0000);
    }
    return hash.hash;
  }

  /** Everything mutable, as plain data. RAM: the frames written since the marks were last cleared. */
  save(): MachineState {
    const { ram } = this;
    const frames: [number, Uint8Array][] = [];
    for (const frame of ram.dirtyFrames.subarray(0, ram.dirtyCount)) {
      frames.push([frame, ram.u8.slice(frame * 4096, frame * 4096 + 4096)]);
    }
    return { frames, parts: this.saveParts() };
  }

  restore({ frames, parts }: MachineState): void {
    const { ram } = this;
    this.engine.cache.clear();
    for (const core of this.cores) this.engine.abandon(core);
    for (const frame of ram.dirtyFrames.subarray(0, ram.dirtyCount)) {
      ram.u8.fill(0, frame * 4096, frame * 4096 + 4096);
    }
    ram.clearDirty();
    for (const [frame, bytes] of frames) {
      ram.u8.set(bytes, frame * 4096);
      ram.markDirty(frame);
    }
    this.restoreParts(parts);
  }

  /** Everything mutable but RAM, as plain data. */
  saveParts(): MachineParts {
    const { retired, slices, entriesInvalidated } = this;
    return {
      regions: this.#regions().map((region) => region.slice()),
      cores: this.cores.map((core) => core.save()),
      objects: [...this.#saveables].map(([name, object]) => [name, object.save()] as const),
      counts: { retired, slices, entriesInvalidated },
    };
  }

  /** RAM has been restored already, and no core is inside an instruction. */
  restoreParts({ regions, cores, objects, counts }: MachineParts): void {
    const now = this.#regions();
    // Before: what is listed in the fast TLBs now. Behind: the lists that came back, whose entries did not.
    for (let id = 0; id < cores.length; id++) this.cores[id]!.mmu.emptyFast();
    for (let index = 0; index < now.length; index++) now[index]!.set(regions[index]!);
    for (let id = 0; id < cores.length; id++) {
      this.cores[id]!.restore(cores[id]!);
      this.cores[id]!.mmu.emptyFast();
    }
    for (let index = 0; index < objects.length; index++) {
      const [name, state] = objects[index]!;
      this.#saveables.get(name)!.restore(state);
    }
    this.stopReason = null;
    this.retired = counts.retired;
    this.slices = counts.slices;
    this.entriesInvalidated = counts.entriesInvalidated;
  }

  /** The core states without their fast TLBs, which are emptied instead of restored: they are half of it. */
  #regions(): readonly Uint8Array[] {
    if (this.#stateRegions !== null) return this.#stateRegions;
    const regions: Uint8Array[] = [];
    const { engine } = this.ram;
    let from = 0;
    for (const { mmu } of this.cores) {
      const { byteOffset, byteLength } = mmu.fast;
      regions.push(new Uint8Array(engine, from, byteOffset - from));
      from = byteOffset + byteLength;
    }
    regions.push(new Uint8Array(engine, from, this.model.coreStateBytes * this.cores.length - from));
    this.#stateRegions = regions;
    return regions;
  }

  #observer(): TranslationObserver {
    const trace = this.events;
    const names = new Map<string, string>();
    return {
      fill: (core, structure, lo, hi, frame) => {
        trace.mix(core * 64 + structure, lo);
        trace.mix(hi, frame);
      },
      evict: (core, structure, lo, hi) => trace.mix(core * 64 + structure + 32, lo ^ hi),
      invalidate: (core, scope, lo, hi, entries) => {
        this.entriesInvalidated += entries;
        // A fault drops its entry inside a block, where the clock depends on how blocks are linked; its trap follows.
        if (scope === "#PF") trace.mix(core * 64 + 63, lo ^ hi);
        else {
          let name = names.get(scope);
          if (name === undefined) names.set(scope, (name = `invalidate:${scope}`));
          trace.event(core, this.cores[core]?.clock ?? 0, name, lo, hi);
        }
      },
    };
  }

  #newScheduler(choice: MachineOptions["scheduler"]): CoreScheduler {
    if (choice === "timed") return new TimedScheduler(this.cores);
    if (choice === "random") return new RandomScheduler(this.cores, this.#options.seed);
    return choice(this.cores);
  }

  #eventContext(into: EventContext): void {
    const at = this.running;
    into.core = at.id;
    into.pcLo = at.state[PC]!;
    into.pcHi = at.state[PC + 1]!;
    into.timeCycles = at.clock;
  }

  #newMaySets(): MaySets | null {
    const { ledger, maySets = "off" } = this.#options;
    if (maySets === "off") return null;
    if (ledger === "off") throw new Error("machine: may-sets are half of a ledger, which is off");
    return new MaySets({
      ram: this.ram,
      eventContext: (into) => this.#eventContext(into),
      isPermanent: this.model.isPermanentMapping,
      selfCheck: maySets === "checked" ? "every use" : "none",
    });
  }

  #newLedger(): CoherenceLedger {
    return new CoherenceLedger({
      frames: this.ram.frames,
      leafShifts: this.model.leafShifts,
      eventContext: (into) => this.#eventContext(into),
      isPermanent: this.model.isPermanentMapping,
      allocations: "reported",
      maySets: this.maySets,
    });
  }
}

export interface MachineState {
  readonly frames: readonly (readonly [number, Uint8Array])[];
  readonly parts: MachineParts;
}

/** A saved machine, RAM excluded. */
export interface MachineParts {
  readonly regions: readonly Uint8Array[];
  readonly cores: readonly CoreState[];
  readonly objects: readonly (readonly [string, unknown])[];
  readonly counts: {
    readonly retired: number;
    readonly slices: number;
    readonly entriesInvalidated: number;
  };
}
