/**
 * The list of what happened, as it grows: events of kernel code and of the hardware, what Linux counts, and where each
 * core's clock was. A word that is about to be written has its new value only when something else goes on.
 */
import type { Machine } from "../../emu/machine.ts";
import { type Context, EVENT_NAMES, type Kernel, type Memory } from "../../kernel/index.ts";
import { kernelFunction } from "./call-site.ts";
import type { StoryEvent, StoryKind, Weight } from "./event.ts";
import { lockState } from "./text.ts";

/** Events of one run; a run that never ends is cut. */
const MAX_EVENTS = 100_000;
/** What the story says of events that Linux counts. */
const COUNTS: ReadonlyMap<number, string> = new Map(
  EVENT_NAMES.flatMap((name, event) =>
    /^SPF_ABORT_|^spf_attempt$/.test(name) ? [[event, name] as const] : [],
  ),
);

/** What is recorded may be completed while the step that it belongs to goes on. */
export type Draft = { -readonly [Key in keyof StoryEvent]: StoryEvent[Key] };

/** Where a core's clock was when so many events had been recorded. */
interface Tick {
  readonly time: number;
  readonly events: number;
}

export class Recording {
  readonly events: StoryEvent[] = [];
  readonly #machine: Machine;
  readonly #ticks: Tick[][];
  /** By core and event: what was counted when it was looked at last; null before begin(). */
  #counted: number[][] | null = null;
  /** By stack: the locks that it holds for reading. */
  readonly #readers: Map<Context, Set<number>> = new Map();
  /** Completes the event whose end is not known yet. */
  #completes: (() => void) | null = null;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#ticks = machine.cores.map(() => []);
  }

  /** From here on counts are heard of; what came before is forgotten. */
  begin(): void {
    this.events.length = 0;
    const { events } = this.#kernel.memory as Memory;
    this.#counted = this.#machine.cores.map(({ id }) => {
      const counted: number[] = [];
      for (const event of COUNTS.keys()) counted[event] = events.of(id, event);
      return counted;
    });
  }

  /** How many events had been recorded when a core's clock went past a time. */
  placeOf(core: number, time: number): number {
    for (const tick of this.#ticks[core] ?? []) if (tick.time > time) return tick.events;
    return this.events.length;
  }

  readersOf(k: Context): Set<number> {
    let readers = this.#readers.get(k);
    if (readers === undefined) this.#readers.set(k, (readers = new Set()));
    return readers;
  }

  /** Of kernel code. */
  add(k: Context, weight: Weight, kind: StoryKind, what: string, about: Partial<StoryEvent> = {}): Draft {
    this.settle();
    const where = kind === "syscall" || kind === "fault" || kind === "switch" ? "" : kernelFunction();
    return this.#push({
      ...NOTHING,
      core: k.cpu.id,
      time: k.cpu.clock,
      weight,
      kind,
      where,
      what,
      pid: k.task?.pid ?? 0,
      locks: lockState(k, this.readersOf(k)),
      ...about,
    });
  }

  /** Of the machine. */
  hardware(
    core: number,
    time: number,
    weight: Weight,
    kind: StoryKind,
    what: string,
    about: Partial<StoryEvent> = {},
  ): void {
    this.settle();
    const pid = this.#kernel.current?.[core]?.task?.pid ?? 0;
    this.#push({ ...NOTHING, core, time, weight, kind, what, pid, ...about });
  }

  /** When the next thing goes on, an event is completed. */
  completeLater(complete: () => void): void {
    this.#completes = complete;
  }

  /** Something goes on: what was begun can be completed, and the core's clock is noted. */
  tick(): void {
    this.settle();
    const core = this.#machine.running;
    const ticks = this.#ticks[core.id]!;
    const last = ticks.at(-1);
    if (last === undefined || last.time < core.clock)
      ticks.push({ time: core.clock, events: this.events.length });
  }

  /** Completes what was begun, and records what was counted meanwhile. */
  settle(): void {
    this.#completes?.();
    this.#completes = null;
    if (this.#counted === null) return;
    const { running } = this.#machine;
    const { events } = this.#kernel.memory as Memory;
    const counted = this.#counted[running.id]!;
    for (const [event, name] of COUNTS) {
      const count = events.of(running.id, event);
      if (count === counted[event]) continue;
      counted[event] = count;
      const k = this.#kernel.current[running.id]!;
      this.#push({
        ...NOTHING,
        core: running.id,
        time: running.clock,
        weight: 2,
        kind: "count",
        what: name === "spf_attempt" ? "speculative attempt" : name,
        pid: k.task?.pid ?? 0,
        locks: lockState(k, this.readersOf(k)),
      });
    }
  }

  get #kernel(): Kernel {
    return this.#machine.kernel as unknown as Kernel;
  }

  #push(event: Draft): Draft {
    if (this.events.length < MAX_EVENTS) this.events.push(event);
    return event;
  }
}

const NOTHING: StoryEvent = {
  core: 0,
  time: 0,
  weight: 4,
  phase: "moment",
  span: 0,
  kind: "memory",
  where: "",
  what: "",
  pid: 0,
  locks: "",
  peer: -1,
  flow: 0,
  page: -1,
  frame: -1,
};
