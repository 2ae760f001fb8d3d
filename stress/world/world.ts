/**
 * A world: one scenario on one machine under one design. It boots once, brings every task to its first instruction in
 * user mode, and keeps that start state; each run goes back to it, explores one schedule under the oracle, and ends
 * with the scenario's own check.
 *
 *     boot (timed) -> start state -> [ explore until everybody is parked -> phase = 1 -> check, exit (timed) ]*
 *
 * In most runs the end is short: what thread 0 wants to exit with is all that is waited for, and the other threads of
 * its process stay parked.
 */
import type { Core } from "../../emu/cores/index.ts";
import { tuneHostCompiler } from "../../emu/host-compiler.ts";
import { Machine } from "../../emu/machine.ts";
import type { MachineModel } from "../../emu/machines/model.ts";
import {
  type Decisions,
  type ExplorationEnd,
  ExploringScheduler,
  type Strategy,
} from "../../emu/schedulers/index.ts";
import { StartState } from "../../emu/start-state.ts";
import type { TraceSink } from "../../emu/trace.ts";
import { UserError } from "../../emu/user-error.ts";
import {
  createKernel,
  type Kernel,
  type KernelObserver,
  loadInit,
  type Memory,
  TASK_DEAD,
} from "../../kernel/index.ts";
import { ObservedMemory, USER } from "../../mmu/index.ts";
import type { Scenario } from "../scenarios/index.ts";
import { Judge, type Judgement } from "./judge.ts";
import { isInside, ScenarioProgram } from "./scenario-program.ts";
import { StartScheduler } from "./start-scheduler.ts";
import { SwitchedScheduler } from "./switched-scheduler.ts";

export interface WorldOptions {
  readonly model: MachineModel;
  readonly scenario: Scenario;
  /** Its ELF file. */
  readonly image: Uint8Array;
  readonly design: string;
  readonly tlb: "typical" | "adversarial";
  /** Parts of the oracle that are left out, by name: to measure what each costs. */
  readonly withoutParts?: readonly string[];
  /** Hears of everything that the oracle hears of, and of the machine's events. */
  readonly watch?: (
    machine: Machine,
    kernel: Kernel,
  ) => TraceSink & { readonly observer: Partial<KernelObserver> };
  /** Kernel assertions that do not count, by their names: what they hide is to show. */
  readonly assertionsOff?: readonly string[];
}

export interface RunOptions {
  /** Stored in scenario_seed if the scenario uses it, and decides whether the scenario exits for real; not 0. */
  readonly seed: number;
  /** Cores whose threads take no part: they park at once. */
  readonly absent?: readonly number[];
  /** Everybody has parked: the state that the schedule led to, before thread 0 checks it. */
  readonly explored?: () => void;
  /** Decisions and trace hash are wanted of every run, or only of one with a finding; default: of every one. */
  readonly record?: "every" | "findings";
}

/** One run. */
export interface RunResult {
  readonly end: ExplorationEnd | "halted" | "violation";
  /** Events granted, and of them those with more than one agent to choose from. */
  readonly events: number;
  readonly decisions: number;
  readonly recorded: Decisions;
  /** null: nothing is wrong. */
  readonly judgement: Judgement | null;
  /** Over every event of the run, its end included: 16 hex digits; "" if it is not wanted. */
  readonly traceHash: string;
}

/** Boot and set-up take less than this, or never end. */
const MAX_START_SLICES = 5_000_000;
const MAX_EVENTS = 20_000;
const MAX_FAIR_EVENTS = 60_000;
const MAX_TIMERS = 2;
/** Every so many seeds the scenario exits for real; otherwise its exit status is enough. */
const EXIT_EVERY = 128;
/** Instructions of check() and exit. */
const MAX_END_INSTRUCTIONS = 5_000_000;
const MEMORY_BYTES: number = 16 << 20;
const PC = 0;
const NOTHING_RECORDED: Decisions = { segments: [], failures: [] };

export class World {
  readonly scenario: Scenario;
  readonly machine: Machine;
  readonly kernel: Kernel;
  readonly program: ScenarioProgram;
  readonly #scheduler: SwitchedScheduler;
  readonly exploring: ExploringScheduler;
  readonly #judge: Judge;
  readonly #start: StartState;
  readonly #removable: number[] = [];
  /** Physical addresses of the words scenario_phase (after the start) and scenario_seed. */
  readonly #seedPa: number;
  /** What the guest wrote since the start. */
  output = "";

  /** @throws UserError if the scenario cannot be brought to its start */
  constructor(options: WorldOptions) {
    tuneHostCompiler();
    this.scenario = options.scenario;
    let scheduler: SwitchedScheduler | undefined;
    this.machine = new Machine({
      model: options.model,
      cpus: options.scenario.cores,
      memoryBytes: MEMORY_BYTES,
      scheduler: (cores) => {
        scheduler = new SwitchedScheduler(cores);
        return scheduler;
      },
      tlb: options.tlb,
      seed: 1,
      ledger: "on",
      maySets: "on",
      memory: (ramBytes, engineBytes) => new ObservedMemory(ramBytes, engineBytes),
      console: (_stream, bytes) => {
        this.output += new TextDecoder().decode(bytes);
      },
    });
    this.#scheduler = scheduler!;
    const { machine } = this;
    const kernel = createKernel(machine, options.model.arch, {
      design: options.design,
      seed: 1,
      assertionsOff: options.assertionsOff ?? [],
      init: { image: options.image, argv: [options.scenario.name], envp: [] },
    });
    this.kernel = kernel;
    machine.kernel = kernel;
    machine.register("kernel", {
      save: () => kernel.save(),
      restore: (saved) => kernel.restore(saved as Record<string, unknown>),
    });
    const image = loadInit(kernel);
    if (image instanceof UserError) throw image;
    this.program = new ScenarioProgram(image);
    this.exploring = new ExploringScheduler(machine.cores, {
      isParked: (core) => this.#isParked(core),
      isFinished: () => this.#isFinished(),
      stops: () => this.#judge.hasFound(),
      maxEvents: MAX_EVENTS,
      maxFairEvents: MAX_FAIR_EVENTS,
      maxTimers: MAX_TIMERS,
    });
    const watcher = options.watch?.(machine, kernel) ?? null;
    this.#judge = new Judge(machine, kernel, options, watcher?.observer ?? null);
    kernel.boot();
    this.#bringToStart();
    const { seed } = this.program;
    this.#seedPa = machine.cores[0]!.mmu.probe(seed.lo, seed.hi);
    this.#judge.mark();
    this.#start = new StartState(machine);
    machine.events.sink = watcher;
    this.output = "";
  }

  /** Bytes of RAM that the last run touched, in frames. */
  get touchedFrames(): number {
    return this.#start.touched();
  }

  /** Threads that can be left out of a run, by core: all that have a core for themselves, thread 0 excepted. */
  get removableThreads(): readonly number[] {
    return this.#removable;
  }

  /** Runs one schedule from the start. */
  run(strategy: Strategy, { seed, absent = [], explored, record = "every" }: RunOptions): RunResult {
    const { machine, exploring, kernel } = this;
    const judge = this.#judge;
    this.#start.restore();
    this.output = "";
    if (this.scenario.seeded) machine.ram.write32(this.#seedPa, seed | 0);
    for (const core of machine.cores) core.userHeld = false;
    for (const core of absent) this.#leaveOut(machine.cores[core]!);
    judge.start();
    exploring.begin(strategy);
    this.#scheduler.use(exploring);
    (kernel.memory as Memory).frames.failFallible = () => exploring.allocationFails();
    this.#explore();
    exploring.finish();
    if (exploring.end === "finished") explored?.();
    judge.explored(exploring.end);
    if (exploring.end === "finished" && !judge.hasFound()) {
      this.#finish(seed % EXIT_EVERY === 0 ? "exit" : "check");
    }
    const judgement = judge.verdict();
    const isWanted = record === "every" || judgement !== null;
    return {
      end: judgement === null ? (exploring.end ?? "halted") : "violation",
      events: exploring.events,
      decisions: exploring.decisions,
      recorded: isWanted ? exploring.recorded : NOTHING_RECORDED,
      judgement,
      traceHash: isWanted ? machine.events.hash : "",
    };
  }

  /** Runs until the exploration ends or the machine stops. A broken kernel may follow a pointer out of RAM: that is its oops. */
  #explore(): void {
    const { machine, exploring } = this;
    try {
      while (exploring.end === null && machine.advance(Number.POSITIVE_INFINITY) === null);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#judge.crashed(error.message);
    }
  }

  /** scenario_phase = 1: thread 0 checks; "exit": and everybody exits, so that what is left over shows. */
  #finish(until: "check" | "exit"): void {
    const { machine } = this;
    const { phase } = this.program;
    machine.stopReason = null;
    this.#scheduler.useTimed();
    machine.ram.write32(machine.cores[0]!.mmu.probe(phase.lo, phase.hi), 1);
    const alone = until === "check" && this.#isOneProcess();
    for (const core of machine.cores) core.userHeld = alone && core.id !== 0;
    this.#judge.finishing(until);
    const reason = machine.run({ maxInstructions: machine.retired + MAX_END_INSTRUCTIONS });
    this.#judge.ended(reason);
  }

  /** Thread 0 waits for nobody before it checks: threads of its own process may stay where they are. */
  #isOneProcess(): boolean {
    for (const task of this.kernel.sched.tasks()) {
      if (task.tgid !== 1 && task.state !== TASK_DEAD) return false;
    }
    return true;
  }

  /** The core's thread goes straight to scenario_park(); its stack is prepared so that it returns from there. */
  #leaveOut(core: Core): void {
    const { park } = this.program;
    core.state[PC] = park.lo | 0;
    core.state[PC + 1] = park.hi | 0;
  }

  #bringToStart(): void {
    const { machine } = this;
    const { begin } = this.program;
    const start = new StartScheduler(machine.cores, (core) =>
      isInside(begin, core.state[PC]!, core.state[PC + 1]!),
    );
    this.#scheduler.use(start);
    while (machine.slices < MAX_START_SLICES && machine.advance(Number.POSITIVE_INFINITY) === null);
    if (machine.stopReason?.kind !== "deadlock" || !start.begun || !this.kernel.isQuiet()) {
      const why = start.begun
        ? "a task is not in user mode"
        : (machine.stopReason?.text ?? "it does not end");
      throw new UserError(
        `the set-up does not reach scenario_begin(): ${why}`,
        this.scenario.name,
        `what it wrote: ${this.output.trim().split("\n").at(-1) ?? ""}`,
      );
    }
    machine.stopReason = null;
    for (const core of machine.cores) core.userHeld = false;
    for (const { cpu, current, queue } of this.kernel.sched.queues) {
      if (cpu !== 0 && !current.idle && queue.length === 0) this.#removable.push(cpu);
    }
  }

  /** Its thread waits for the end, and no other task waits for the core. */
  #isParked(core: Core): boolean {
    if (this.kernel.sched.queues[core.id]!.queue.length !== 0) return false;
    return core.regime === USER && isInside(this.program.park, core.state[PC]!, core.state[PC + 1]!);
  }

  /** Every task has parked: on its core, or asleep in scenario_park_asleep(). */
  #isFinished(): boolean {
    const { kernel, program } = this;
    const { arch, ram } = kernel;
    for (const task of kernel.sched.tasks()) {
      if (task.state === TASK_DEAD) continue;
      const running = kernel.sched.queues.find((queue) => queue.current === task);
      if (running !== undefined && !task.idle) {
        if (!this.#isParked(this.machine.cores[running.cpu]!)) return false;
        continue;
      }
      const lo = arch.process.pcLo(ram, task.userFrame);
      const hi = arch.process.pcHi(ram, task.userFrame);
      if (!isInside(program.parkAsleep, lo, hi)) return false;
    }
    return true;
  }
}
