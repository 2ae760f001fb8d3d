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

  /** Plain data of everything registered, cores included; memory is copied by whoever keeps a start state. */
  save(): MachineState {
    const memory = new Uint8Array(this.ram.engine).slice(0, this.ram.engineBytes);
    const frames: [number, Uint8Array][] = [];
    for (let frame = 0; frame < this.ram.frames; frame++) {
      if (this.ram.frameFlags[frame]! & FRAME_DIRTY) {
        frames.push([frame, this.ram.u8.slice(frame * 4096, frame * 4096 + 4096)]);
      }
    }
    return {
      memory,
      frames,
      cores: this.cores.map((core) => core.save()),
      objects: this.saveObjects(),
      counts: { retired: this.retired, slices: this.slices, entriesInvalidated: this.entriesInvalidated },
    };
  }

  restore(saved: MachineState): void {
    this.engine.cache.clear();
    for (const core of this.cores) this.engine.abandon(core);
    const kept = new Map(saved.frames);
    for (let frame = 0; frame < this.ram.frames; frame++) {
      if ((this.ram.frameFlags[frame]! & FRAME_DIRTY) === 0) continue;
      const bytes = kept.get(frame);
      if (bytes === undefined) {
        this.ram.u8.fill(0, frame * 4096, frame * 4096 + 4096);
        this.ram.frameFlags[frame]! &= ~FRAME_DIRTY;
      } else {
        this.ram.u8.set(bytes, frame * 4096);
      }
    }
    new Uint8Array(this.ram.engine).set(saved.memory);
    saved.cores.forEach((state, id) => {
      this.cores[id]!.restore(state);
      this.cores[id]!.mmu.emptyFast();
    });
    this.restoreObjects(saved.objects);
    this.stopReason = null;
    Object.assign(this, saved.counts);
  }

  /** Plain data of everything registered. */
  saveObjects(): readonly (readonly [string, unknown])[] {
    return [...this.#saveables].map(([name, object]) => [name, object.save()] as const);
  }

  /** RAM and cores have been restored already. */
  restoreObjects(saved: readonly (readonly [string, unknown])[]): void {
    for (const [name, state] of saved) this.#saveables.get(name)!.restore(state);
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
  readonly memory: Uint8Array;
  readonly frames: readonly (readonly [number, Uint8Array])[];
  readonly cores: readonly CoreState[];
  readonly objects: readonly (readonly [string, unknown])[];
  readonly counts: { retired: number; slices: number; entriesInvalidated: number };
}
