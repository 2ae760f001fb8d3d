/**
 * A run as Chrome trace events, which Perfetto and chrome://tracing open: "Trace Event Format" (Google, 2016), the object
 * form. The machine is a process and each core a thread of it. System calls, faults, flushes, waits for locks and interrupt
 * handlers are nested slices of the core; when another task has its turn they end there and go on as slices of the same
 * name when the task goes on, on whichever core. Interprocessor interrupts are flows from who sends to who accepts, and
 * invalidations that are broadcast from who issues one to every core that carries it out. Sending and invalidating are
 * slices without duration, since a flow needs a slice at both ends; changes of memory are instants.
 *
 * Times are microseconds of each core's own clock. Explored cores are delayed as a schedule likes, so that only flows say
 * what of two tracks came first; the argument `order` counts events over all of them. A broadcast that takes effect
 * before it was sent, by the clocks of the two cores, has no flow: viewers draw none that goes back in time.
 */
import type { StoryEvent } from "./event.ts";

export interface ChromeTraceOptions {
  readonly name: string;
  readonly cores: number;
  readonly cyclesPerSecond: number;
}

/** One record. Metadata have no time; flows have an id; complete slices have a duration. */
export interface ChromeEvent {
  readonly ph: "M" | "X" | "B" | "E" | "i" | "s" | "f";
  readonly name: string;
  readonly cat: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds. */
  readonly ts: number;
  readonly dur?: number;
  readonly id?: number;
  /** Scope of an instant: its thread. */
  readonly s?: "t";
  /** A flow ends at the slice around it. */
  readonly bp?: "e";
  readonly args?: Readonly<Record<string, string | number>>;
}

export interface ChromeTrace {
  readonly displayTimeUnit: "ns";
  readonly traceEvents: readonly ChromeEvent[];
}

const MACHINE = 1;
/** Most cores of a machine: a flow for each of them that carries out a broadcast. */
const MAX_CORES = 1024;

export function chromeTrace(events: readonly StoryEvent[], options: ChromeTraceOptions): ChromeTrace {
  const writer = new Writer(options, events);
  return { displayTimeUnit: "ns", traceEvents: writer.write(events) };
}

/** A core's track: which task runs, and its slices that are open, outermost first. */
interface Track {
  pid: number;
  time: number;
  open: StoryEvent[];
}

class Writer {
  readonly #options: ChromeTraceOptions;
  readonly #out: ChromeEvent[] = [];
  readonly #tracks: readonly Track[];
  /** Slices of tasks that do not run, by pid. */
  readonly #suspended: Map<number, StoryEvent[]> = new Map();
  /** Flows that were accepted. */
  readonly #accepted: ReadonlySet<number>;
  /** Broadcasts: when each was issued, and the cores that carry it out after that by their own clocks. */
  readonly #issued: Map<number, number> = new Map();
  readonly #receivers: Map<number, number[]> = new Map();

  constructor(options: ChromeTraceOptions, events: readonly StoryEvent[]) {
    this.#options = options;
    this.#tracks = Array.from({ length: options.cores }, () => ({ pid: 0, time: 0, open: [] }));
    this.#accepted = new Set(events.filter(({ kind }) => kind === "interrupt").map(({ flow }) => flow));
    for (const { kind, flow, peer, core, time } of events) {
      if (kind !== "invalidate" || flow === 0) continue;
      if (peer < 0) this.#issued.set(flow, time);
      else if (time >= this.#issued.get(flow)!)
        this.#receivers.set(flow, [...(this.#receivers.get(flow) ?? []), core]);
    }
  }

  write(events: readonly StoryEvent[]): readonly ChromeEvent[] {
    const { name, cores } = this.#options;
    this.#metadata("process_name", 0, { name });
    for (let core = 0; core < cores; core++) {
      this.#metadata("thread_name", core, { name: `core ${core}` });
      this.#metadata("thread_sort_index", core, { sort_index: core });
    }
    for (let order = 0; order < events.length; order++) this.#event(events[order]!, order);
    for (let core = 0; core < cores; core++) this.#closeAll(this.#tracks[core]!, core);
    return this.#out;
  }

  #event(event: StoryEvent, order: number): void {
    const track = this.#tracks[event.core]!;
    track.time = this.#microseconds(event.time);
    if (track.pid !== event.pid) this.#switchTo(track, event);
    if (event.phase === "begin") {
      this.#begin(event, track.time, order);
      track.open.push(event);
    } else if (event.phase === "end") this.#end(track, event);
    else this.#moment(event, track.time, order);
    if (event.kind === "interrupt" && event.flow !== 0) this.#flow("f", event, event.flow, track.time);
  }

  /** Another task goes on: its slices do, and those of the one before stop. */
  #switchTo(track: Track, { core, pid }: StoryEvent): void {
    if (track.open.length > 0) this.#suspended.set(track.pid, [...track.open]);
    this.#closeAll(track, core);
    track.pid = pid;
    const open = this.#suspended.get(pid) ?? [];
    this.#suspended.delete(pid);
    for (const event of open) this.#begin({ ...event, core }, track.time, null);
    track.open = open;
  }

  #closeAll(track: Track, core: number): void {
    for (const event of track.open.reverse()) this.#push("E", event, core, track.time, {});
    track.open = [];
  }

  /** Slices inside it that are open still are closed with it, and go on. */
  #end(track: Track, event: StoryEvent): void {
    const at = track.open.findIndex(({ span }) => span === event.span);
    if (at < 0) return;
    const inside = track.open.splice(at);
    for (const each of [...inside].reverse()) {
      const args = each.span === event.span ? { args: { result: event.what } } : {};
      this.#push("E", each, event.core, track.time, args);
    }
    for (const each of inside.slice(1)) {
      this.#begin({ ...each, core: event.core }, track.time, null);
      track.open.push(each);
    }
  }

  #begin(event: StoryEvent, time: number, order: number | null): void {
    this.#push("B", event, event.core, time, { args: argumentsOf(event, order) });
  }

  #moment(event: StoryEvent, time: number, order: number): void {
    const args = argumentsOf(event, order);
    const { kind, core, flow, peer } = event;
    if (kind !== "ipi" && kind !== "invalidate") {
      this.#push("i", event, core, time, { s: "t", args });
      return;
    }
    this.#push("X", event, core, time, { dur: 0, args });
    if (kind === "ipi") {
      if (this.#accepted.has(flow)) this.#flow("s", event, flow, time);
      return;
    }
    const receivers = this.#receivers.get(flow) ?? [];
    if (peer < 0) for (const receiver of receivers) this.#flow("s", event, flow * MAX_CORES + receiver, time);
    else if (receivers.includes(core)) this.#flow("f", event, flow * MAX_CORES + core, time);
  }

  #flow(ph: "s" | "f", { core, kind }: StoryEvent, id: number, ts: number): void {
    const [name, cat] = kind === "invalidate" ? ["TLBI", "broadcast"] : ["IPI", "ipi"];
    const end = ph === "f" ? ({ bp: "e" } as const) : {};
    this.#out.push({ ph, name, cat, pid: MACHINE, tid: core, ts, id, ...end });
  }

  #push(ph: ChromeEvent["ph"], event: StoryEvent, tid: number, ts: number, more: Partial<ChromeEvent>): void {
    this.#out.push({ ph, name: event.what, cat: event.kind, pid: MACHINE, tid, ts, ...more });
  }

  #metadata(name: string, tid: number, args: Readonly<Record<string, string | number>>): void {
    this.#out.push({ ph: "M", name, cat: "__metadata", pid: MACHINE, tid, ts: 0, args });
  }

  #microseconds(cycles: number): number {
    return (cycles * 1e6) / this.#options.cyclesPerSecond;
  }
}

/** @param order null: it goes on after other tasks had their turn */
function argumentsOf(
  { pid, where, locks }: StoryEvent,
  order: number | null,
): Readonly<Record<string, string | number>> {
  return {
    pid,
    ...(order === null ? { continued: "yes" } : { order }),
    ...(where === "" ? {} : { function: where }),
    ...(locks === "" ? {} : { locks }),
  };
}
