/**
 * Exploration: the scheduler of runs in which every event is a decision. It grants one event at a time (a data access,
 * a table read, A/D update or fill of a walk, a kernel point, the acceptance of an interrupt) to an *agent* that a
 * strategy chooses among those that can take a step now. What was chosen is recorded as a list of segments, agent and
 * number of events, which is all that a replay needs.
 *
 * Agents, five of each core: the core itself; its MMU, while the core is inside a walk; its interrupt, while one could
 * be accepted; its timer, while it is armed; the broadcasts to it, while one is on its way, each of which takes effect in
 * an event of its own. A core that waits for a word is no agent until the word changes, and one that waits for its own
 * broadcasts none until they are done. Page-table stores that walkers do not see yet count among the broadcasts of the core
 * that made them. Virtual time takes no part in the choice: an event may be delayed for as long as
 * the strategy likes, as by a system-management interrupt or a hypervisor, and so the timer may fire at any moment (a
 * bounded number of times, or nothing else would ever happen).
 *
 * Progress: code that spins without changing anything (PAUSE) gives way by itself, and past `maxEvents` a fair order
 * takes over, so that what is then still not finished is a stall of the system and not of the schedule.
 */
import type { Core } from "../cores/index.ts";
import type { CoreScheduler } from "./scheduler.ts";

/** An agent: core * AGENTS_PER_CORE + role. */
export type Agent = number;
export const AGENTS_PER_CORE = 5;
export const ROLE_CORE = 0;
export const ROLE_MMU = 1;
export const ROLE_INTERRUPT = 2;
export const ROLE_TIMER = 3;
export const ROLE_BROADCAST = 4;
export const NO_AGENT: Agent = -1;

/** The agents that can take a step, in ascending order; reused from one decision to the next. */
export interface Choices {
  readonly agents: Int32Array;
  count: number;
  /** The agent that took the last step: NO_AGENT at the start. It need not be among the choices. */
  current: Agent;
  /** The current agent is among them. */
  continues: boolean;
  /** It spins: nothing but another agent can let it go on. */
  spins: boolean;
}

/** Chooses, at every event, even if there is one choice only; pure but for its own state, so that the same seed makes the same schedule. */
export interface Strategy {
  readonly name: string;
  /** @returns one of choices.agents[0 … count-1] */
  choose(choices: Choices): Agent;
  /** A fallible allocation asks: shall it fail? */
  fails(): boolean;
}

/** What a run decided: (agent, events) pairs, and which fallible allocations failed. */
export interface Decisions {
  readonly segments: readonly (readonly [Agent, number])[];
  /** Ordinal numbers of the fallible allocations that failed. */
  readonly failures: readonly number[];
}

export interface ExploringOptions {
  /** The core executes guest code and has nothing more to do in this run: it is given no further events. */
  isParked(core: Core): boolean;
  /** Something was found: the run ends before the next event. */
  stops(): boolean;
  /** Nothing can go on but timers: has everybody done what there was to do? */
  isFinished(): boolean;
  /** Events after which a fair order takes over, and after which the run ends. */
  readonly maxEvents: number;
  readonly maxFairEvents: number;
  /** Firings of each core's timer. */
  readonly maxTimers: number;
}

/** How an exploration ended: everybody is done; nothing can go on; no end in sight under a fair order; as asked for. */
export type ExplorationEnd = "finished" | "blocked" | "stalled" | "stopped";

/** Instructions of a slice in which no event occurs. */
const QUIET_INSTRUCTIONS = 64;
/** Events of one agent in a row under the fair order. */
const FAIR_TURN = 50;

export class ExploringScheduler implements CoreScheduler {
  readonly name = "exploring";
  /** Steps taken, and of them by each agent. */
  events = 0;
  /** Steps at which more than one agent could go on. */
  decisions = 0;
  end: ExplorationEnd | null = null;
  readonly #cores: readonly Core[];
  readonly #options: ExploringOptions;
  readonly #hasBroadcasts: boolean;
  #strategy: Strategy | null = null;
  readonly #choices: Choices;
  /** Chosen at a kernel point of another core; next() takes it. */
  #pending: Agent = NO_AGENT;
  #segments: Int32Array = new Int32Array(512);
  #segmentCount = 0;
  readonly #failures: number[] = [];
  #allocations = 0;
  readonly #timersLeft: Int32Array;
  readonly #pauses: Float64Array;
  #fairTurn = 0;

  constructor(cores: readonly Core[], options: ExploringOptions) {
    this.#cores = cores;
    this.#options = options;
    this.#hasBroadcasts = cores.some((core) => core.broadcasts !== null);
    this.#choices = {
      agents: new Int32Array(cores.length * AGENTS_PER_CORE),
      count: 0,
      current: NO_AGENT,
      continues: false,
      spins: false,
    };
    this.#timersLeft = new Int32Array(cores.length);
    this.#pauses = new Float64Array(cores.length);
  }

  /** A run starts: every access is an event from here on. */
  begin(strategy: Strategy): void {
    this.#strategy = strategy;
    this.events = this.decisions = 0;
    this.end = null;
    this.#pending = NO_AGENT;
    this.#choices.current = NO_AGENT;
    this.#segmentCount = 0;
    this.#failures.length = 0;
    this.#allocations = 0;
    this.#fairTurn = 0;
    this.#timersLeft.fill(this.#options.maxTimers);
    for (const core of this.#cores) {
      core.budget.exploring = true;
      core.budget.left = 0;
      core.acceptGranted = core.broadcastGranted = false;
      core.mmu.emptyFast();
      this.#pauses[core.id] = core.pauses;
    }
  }

  /** The run is over: accesses are no events any more. */
  finish(): void {
    for (const core of this.#cores) core.budget.exploring = false;
  }

  get recorded(): Decisions {
    const segments: [Agent, number][] = [];
    for (let at = 0; at < this.#segmentCount; at++) {
      segments.push([this.#segments[at * 2]!, this.#segments[at * 2 + 1]!]);
    }
    return { segments, failures: [...this.#failures] };
  }

  /** A fallible allocation asks whether it is to fail. */
  allocationFails(): boolean {
    const ordinal = this.#allocations++;
    if (this.#strategy?.fails() !== true) return false;
    this.#failures.push(ordinal);
    return true;
  }

  next(): Core | null {
    let agent = this.#pending;
    this.#pending = NO_AGENT;
    if (agent === NO_AGENT) agent = this.#decide();
    if (agent === NO_AGENT) return null;
    this.#take(agent);
    const core = this.#cores[(agent / AGENTS_PER_CORE) | 0]!;
    const role = agent % AGENTS_PER_CORE;
    if (role === ROLE_BROADCAST) {
      core.broadcastGranted = true;
      return core;
    }
    if (core.waiting && core.wordChanged()) core.endWait(core.clock);
    if (role >= ROLE_INTERRUPT) {
      const time = role === ROLE_INTERRUPT ? core.acceptTime() : core.timerTime();
      if (core.clock < time) core.clock = time;
      core.acceptGranted = true;
      core.budget.left = 0;
      if (role === ROLE_TIMER) this.#timersLeft[core.id]!--;
    } else {
      core.acceptGranted = false;
      // In the kernel the event is the one behind the point at which the core gave way, unless an access stopped there.
      core.budget.left = core.phase === "kernel" && !core.accessSuspended ? 0 : 1;
    }
    core.setLimits(core.clock + QUIET_INSTRUCTIONS, -1);
    return core;
  }

  /** A kernel point: is the event behind it this core's, or another agent's? */
  pointReached(core: Core): boolean {
    const agent = this.#decide();
    if (agent === core.id * AGENTS_PER_CORE) {
      this.#take(agent);
      core.budget.left = 0;
      return false;
    }
    this.#pending = agent;
    return true;
  }

  save(): unknown {
    return null;
  }

  restore(_saved: unknown): void {}

  #take(agent: Agent): void {
    this.events++;
    this.#choices.current = agent;
    const last = this.#segmentCount * 2 - 2;
    if (last >= 0 && this.#segments[last] === agent) {
      this.#segments[last + 1]!++;
      return;
    }
    if (last + 4 > this.#segments.length) {
      const grown = new Int32Array(this.#segments.length * 2);
      grown.set(this.#segments);
      this.#segments = grown;
    }
    this.#segments[last + 2] = agent;
    this.#segments[last + 3] = 1;
    this.#segmentCount++;
  }

  /** The agent of the next event; NO_AGENT: the run is over, `end` says how. */
  #decide(): Agent {
    if (this.#options.stops()) return this.#ended("stopped");
    const choices = this.#choices;
    const timers = this.#collect();
    if (choices.count === 0) {
      if (this.#options.isFinished()) return this.#ended("finished");
      if (timers === 0) return this.#ended("blocked");
      this.#collectTimers(Number.NEGATIVE_INFINITY);
    }
    if (this.events >= this.#options.maxEvents) return this.#fair();
    if (choices.count > 1) this.decisions++;
    return this.#strategy!.choose(choices);
  }

  #ended(end: ExplorationEnd): Agent {
    this.end = end;
    return NO_AGENT;
  }

  /** Each in its turn. */
  #fair(): Agent {
    const { agents, count, current, continues, spins } = this.#choices;
    if (this.events >= this.#options.maxEvents + this.#options.maxFairEvents) return this.#ended("stalled");
    this.#fairTurn++;
    if (continues && !spins && this.#fairTurn < FAIR_TURN) return current;
    this.#fairTurn = 0;
    for (let at = 0; at < count; at++) if (agents[at]! > current) return agents[at]!;
    return agents[0]!;
  }

  /** Fills the choices; returns the number of armed timers, which are choices only if something else is. @hot */
  #collect(): number {
    const choices = this.#choices;
    const { agents, current } = choices;
    const cores = this.#cores;
    if (this.#hasBroadcasts) this.#settle(current);
    let count = 0;
    let timers = 0;
    choices.continues = false;
    choices.spins = false;
    for (let id = 0; id < cores.length; id++) {
      const core = cores[id]!;
      const phase = core.phase;
      if (phase === "parked") continue;
      const base = id * AGENTS_PER_CORE;
      const isDone = phase === "execute" && this.#options.isParked(core);
      if (!isDone && phase !== "halted" && (!core.waiting || core.wordChanged())) {
        const agent = base + (core.mmu.isWalking ? ROLE_MMU : ROLE_CORE);
        if (agent === current) {
          choices.continues = true;
          choices.spins = core.pauses !== this.#pauses[id];
        }
        this.#pauses[id] = core.pauses;
        agents[count++] = agent;
      }
      // A delivery or a return in progress is not interrupted.
      if (phase !== "microcode") {
        if (core.acceptTime() !== Number.POSITIVE_INFINITY) agents[count++] = base + ROLE_INTERRUPT;
        if (!isDone && core.timerTime() !== Number.POSITIVE_INFINITY) timers++;
      }
      if (this.#hasBroadcasts && core.broadcasts!.count > 0) agents[count++] = base + ROLE_BROADCAST;
    }
    choices.count = count;
    // Whoever spins has all the time that there is.
    if (timers > 0 && count > 0) this.#collectTimers(choices.spins ? Number.NEGATIVE_INFINITY : 1);
    return timers;
  }

  /** The core that went on last may have ended an access that others wait for. */
  #settle(agent: Agent): void {
    if (agent !== NO_AGENT) this.#cores[(agent / AGENTS_PER_CORE) | 0]!.broadcasts?.settle();
  }

  /** Adds the timers that may fire at least so often still. */
  #collectTimers(least: number): void {
    const choices = this.#choices;
    for (let id = 0; id < this.#cores.length; id++) {
      const core = this.#cores[id]!;
      if (this.#timersLeft[id]! < least || core.timerTime() === Number.POSITIVE_INFINITY) continue;
      if (core.phase === "parked" || core.phase === "microcode") continue;
      if (core.phase === "execute" && this.#options.isParked(core)) continue;
      choices.agents[choices.count++] = id * AGENTS_PER_CORE + ROLE_TIMER;
    }
  }
}
