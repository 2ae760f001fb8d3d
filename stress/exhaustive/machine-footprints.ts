/**
 * What the events of a machine touch, whatever runs on it: memory, translations, invalidations, messages between cores,
 * waits and changes of the interrupt mask. `places.ts` says what places there are; what has a moment of its own (broadcasts,
 * late page-table stores) is in `effect-footprints.ts`, and what the kernel touches beside memory in `footprints.ts`.
 */
import type { Core, MessageObserver, Phase } from "../../emu/cores/index.ts";
import { STATE_MONITOR } from "../../emu/ir/index.ts";
import type { Machine } from "../../emu/machine.ts";
import { AGENTS_PER_CORE, type Agent, type Exhaustive, ROLE_BROADCAST } from "../../emu/schedulers/index.ts";
import type { TraceSink } from "../../emu/trace.ts";
import {
  type AccessSink,
  type EventObserver,
  type ObservedMemory,
  SINK_READ,
  SINK_WRITE,
  type SinkKind,
  WRITE,
} from "../../mmu/index.ts";
import { EffectFootprints } from "./effect-footprints.ts";
import { PLACE_BYTES, Places, pagePlace } from "./places.ts";

/** Longest access of user code and of the CPU itself. */
const ACCESS_BYTES = 8;
/** Ranges up to this are touched word by word. */
const MAX_EXACT_BYTES = 512;
/** Granule of an exclusive monitor. */
const MONITOR_BYTES = 64;
const MONITOR: number = STATE_MONITOR >> 2;
/** Events of the trace that tell of invalidations. */
const INVALIDATE = "invalidate:";
const FRAME_BYTES = 4096;

export class MachineFootprints implements AccessSink, MessageObserver, TraceSink {
  readonly places: Places;
  /** Whom it tells. */
  search: Exhaustive | null = null;
  readonly #machine: Machine;
  #effects: EffectFootprints | null = null;
  /** By frame: the first byte that is private to one core or task, or FRAME_BYTES. */
  readonly #privateFrom: Uint16Array;
  // By core, as they were at the end of its last event.
  readonly #phases: Phase[] = [];
  readonly #enabled: Uint8Array;
  readonly #monitors: Float64Array;
  /** pagePlace() of the pages whose entries change. */
  readonly #changing: Set<number> = new Set();
  /** Tables are freed in some schedule. */
  #tablesGo = false;

  constructor(machine: Machine) {
    this.#machine = machine;
    const { ram, cores } = machine;
    this.places = new Places({ ramBytes: ram.sizeBytes, cores: cores.length });
    this.#privateFrom = new Uint16Array(ram.frames).fill(FRAME_BYTES);
    this.#enabled = new Uint8Array(cores.length);
    this.#monitors = new Float64Array(cores.length);
  }

  /** Listens from here on: the start state is reached. */
  attach(search: Exhaustive): void {
    this.search = search;
    const { ram, cores } = this.#machine;
    const memory = ram as ObservedMemory;
    const before = memory.sink;
    memory.sink = before === null ? this : new BothSinks(before, this);
    this.#effects = new EffectFootprints(cores, this.places, search);
    for (const core of cores) {
      core.interrupts.observer = this;
      core.budget.observer = this.#observerOf(core, core.budget.observer);
    }
  }

  /** Memory that nobody else looks at: no place. */
  isPrivate(firstByte: number, endByte: number): void {
    for (let at = firstByte; at < endByte; at = (at | (FRAME_BYTES - 1)) + 1) {
      this.#privateFrom[at >>> 12] = at & (FRAME_BYTES - 1);
    }
  }

  /** Tables are freed: a walk through other entries of the same tables matters. */
  tableGoes(): void {
    if (this.search === null || this.#tablesGo) return;
    this.#tablesGo = true;
    this.search.unsettle();
  }

  /** The entry of a page changes. @param page as pageNumber() has it */
  pageChanges(page: number): void {
    const place = pagePlace(page);
    if (this.search === null || this.#changing.has(place)) return;
    this.#changing.add(place);
    this.search.unsettle();
  }

  /** A run begins. */
  begun(): void {
    for (const core of this.#machine.cores) this.#note(core);
    this.#effects?.begun();
  }

  /** An event is over. @returns the phase that its core was in before it; null: it was an effect, no event of the core */
  ended(agent: Agent): Phase | null {
    const search = this.search!;
    this.#effects?.ended(agent);
    if (agent % AGENTS_PER_CORE === ROLE_BROADCAST) return null;
    const core = this.#machine.cores[(agent / AGENTS_PER_CORE) | 0]!;
    const { id } = core;
    const before = this.#phases[id]!;
    const enabled = core.interruptsEnabled() ? 1 : 0;
    if (core.waiting && !core.atBarrier) search.waits(core.waitAddress >>> 2);
    if (this.#enabled[id] === 0 || before === "microcode") search.closed();
    if (enabled !== this.#enabled[id] || before !== core.phase) search.barrier();
    this.#monitor(core);
    this.#note(core);
    return before;
  }

  /** @hot */
  touch(place: number, changes: 0 | 1): void {
    this.search?.touch(place, changes);
  }

  // AccessSink

  /** @hot */
  access(pa: number, bytes: number, kind: SinkKind): void {
    this.#word(pa, kind);
    if (bytes > PLACE_BYTES) this.#word(pa + PLACE_BYTES, kind);
  }

  range(pa: number, bytes: number, kind: SinkKind): void {
    if (bytes <= MAX_EXACT_BYTES) {
      for (let at = pa & -PLACE_BYTES; at < pa + bytes; at += PLACE_BYTES) this.#word(at, kind);
      return;
    }
    for (let at = pa; at < pa + bytes; at = (at | 0xfff) + 1) {
      const frame = at >>> 12;
      this.touch(this.places.use + frame, kind === SINK_WRITE ? 1 : 0);
      this.touch(this.places.content + frame, kind === SINK_WRITE ? 0 : 1);
    }
  }

  // MessageObserver

  sent(target: number): void {
    this.search?.sends(target);
    this.touch(this.places.message + target, 0);
  }

  acknowledged(core: number): void {
    this.touch(this.places.message + core, 1);
  }

  // TraceSink

  event(core: number, _clock: number, name: string, a: number, b: number): void {
    if (!name.startsWith(INVALIDATE)) return;
    const { places } = this;
    this.touch(places.holding + core, 1);
    const reach = this.#machine.model.pageInvalidations.get(name.slice(INVALIDATE.length));
    if (reach !== undefined) this.touch(places.page(core, pageNumber(a, b)), 1);
    // Paging-structure entries are those of other pages too.
    if (reach === "leaf" || (reach === "any" && !this.#tablesGo)) return;
    for (const page of this.#changing) this.touch(places.pageAt(core, page), 1);
  }

  /** What hears of a core's translations already goes on hearing of them. */
  #observerOf(core: Core, before: EventObserver | null): EventObserver {
    const { use, content, words } = this.places;
    return {
      used: (pa, kind, lo, hi) => {
        before?.used(pa, kind, lo, hi);
        if (pa >= words * PLACE_BYTES) return;
        // How long it is is not known.
        for (let at = pa & -PLACE_BYTES; at < pa + ACCESS_BYTES; at += PLACE_BYTES) {
          this.#word(at, kind === WRITE ? SINK_WRITE : SINK_READ);
        }
        if (hi >= 0) this.#pageUsed(core, lo, hi);
      },
      walked: (slotPa, kind, lo, hi) => {
        before?.walked(slotPa, kind, lo, hi);
        if (slotPa >= 0) {
          this.access(slotPa, 8, kind === WRITE ? SINK_WRITE : SINK_READ);
          if (this.#effects!.mayDiffer(core, slotPa >>> 2)) this.touch(this.places.visible(slotPa >>> 2), 0);
        }
        if (hi >= 0) this.#pageUsed(core, lo, hi);
      },
      filled: (frame, lo, hi) => {
        before?.filled(frame, lo, hi);
        if (frame < content - use) this.touch(use + frame, 0);
        if (hi >= 0) this.#pageUsed(core, lo, hi);
      },
      barrierDone: (id) => {
        before?.barrierDone?.(id);
        this.#effects?.barrierDone(id);
      },
    };
  }

  /** @hot */
  #pageUsed(core: Core, lo: number, hi: number): void {
    this.touch(this.places.page(core.id, pageNumber(lo, hi)), 0);
  }

  /** An exclusive access: whoever writes to the monitor's granule decides whether the store succeeds. */
  #monitor(core: Core): void {
    const before = this.#monitors[core.id]!;
    const now = core.state[MONITOR]! >>> 0;
    if (before === now) return;
    if (before !== 0) this.#granule(before);
    if (now !== 0) this.#granule(now);
  }

  #granule(monitor: number): void {
    const first = monitor & -MONITOR_BYTES;
    for (let at = first; at < first + MONITOR_BYTES; at += PLACE_BYTES) this.#word(at >>> 0, SINK_READ);
  }

  /** @hot */
  #word(pa: number, kind: SinkKind): void {
    const frame = pa >>> 12;
    if ((pa & 0xfff) >= this.#privateFrom[frame]!) return;
    this.touch(pa >>> 2, kind);
    this.touch(this.places.use + frame, 0);
    if (kind === SINK_WRITE) this.touch(this.places.content + frame, 0);
  }

  #note(core: Core): void {
    this.#phases[core.id] = core.phase;
    this.#enabled[core.id] = core.interruptsEnabled() ? 1 : 0;
    this.#monitors[core.id] = core.state[MONITOR]! >>> 0;
  }
}

/** @param hi at least 0 @hot */
function pageNumber(lo: number, hi: number): number {
  return hi * 0x10_0000 + (lo >>> 12);
}

/** Two that listen to one memory. */
class BothSinks implements AccessSink {
  readonly #first: AccessSink;
  readonly #second: AccessSink;

  constructor(first: AccessSink, second: AccessSink) {
    this.#first = first;
    this.#second = second;
  }

  /** @hot */
  access(pa: number, bytes: number, kind: SinkKind): void {
    this.#first.access(pa, bytes, kind);
    this.#second.access(pa, bytes, kind);
  }

  range(pa: number, bytes: number, kind: SinkKind): void {
    this.#first.range(pa, bytes, kind);
    this.#second.range(pa, bytes, kind);
  }
}
