/**
 * What each event of a run touches, for the exhaustive search; `places.ts` says what places there are. What has a moment of
 * its own (broadcasts, late page-table stores, messages) is in `effect-footprints.ts`, interrupt handlers in
 * `handler-watch.ts`.
 */
import type { Core, MessageObserver, Phase } from "../../emu/cores/index.ts";
import { STATE_MONITOR } from "../../emu/ir/index.ts";
import type { Machine } from "../../emu/machine.ts";
import {
  AGENTS_PER_CORE,
  type Agent,
  type EventWatch,
  type Exhaustive,
  ROLE_BROADCAST,
} from "../../emu/schedulers/index.ts";
import type { TraceSink } from "../../emu/trace.ts";
import type { Context, Kernel, KernelObserver } from "../../kernel/index.ts";
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
import { HandlerWatch } from "./handler-watch.ts";
import { PLACE_BYTES, Places, pagePlace } from "./places.ts";

/** Longest access of user code and of the CPU itself. */
const ACCESS_BYTES = 8;
/** Ranges up to this are touched word by word. */
const MAX_EXACT_BYTES = 512;
/** task_struct at the low end of a kernel stack. */
const TASK_STRUCT_BYTES = 256;
const STACK_BYTES = 16384;
/** Granule of an exclusive monitor. */
const MONITOR_BYTES = 64;
const MONITOR: number = STATE_MONITOR >> 2;
/** Events of the trace that tell of invalidations. */
const INVALIDATE = "invalidate:";

export class Footprints implements AccessSink, EventWatch, MessageObserver, TraceSink {
  readonly places: Places;
  readonly observer: Partial<KernelObserver>;
  /** Whom it tells. */
  search: Exhaustive | null = null;
  readonly #machine: Machine;
  readonly #kernel: Kernel;
  readonly #handlers: HandlerWatch;
  #effects: EffectFootprints | null = null;
  /** Frames of kernel stacks: the first byte that is private in each, or 4096. */
  readonly #privateFrom: Uint16Array;
  // By core, as they were at the end of its last event.
  readonly #phases: Phase[] = [];
  readonly #enabled: Uint8Array;
  readonly #inKernel: Uint8Array;
  readonly #queues: Float64Array;
  readonly #monitors: Float64Array;
  /** pagePlace() of the pages whose entries change. */
  readonly #changing: Set<number> = new Set();
  /** Who has flushed since its call began. */
  readonly #flushing: Set<Context> = new Set();
  /** Tables are freed in some schedule. */
  #tablesGo = false;

  constructor(machine: Machine, kernel: Kernel) {
    this.#machine = machine;
    this.#kernel = kernel;
    this.#handlers = new HandlerWatch(kernel);
    const { ram, cores } = machine;
    this.places = new Places({ ramBytes: ram.sizeBytes, cores: cores.length });
    this.#privateFrom = new Uint16Array(ram.frames).fill(4096);
    this.#enabled = new Uint8Array(cores.length);
    this.#inKernel = new Uint8Array(cores.length);
    this.#queues = new Float64Array(cores.length);
    this.#monitors = new Float64Array(cores.length);
    const { use } = this.places;
    this.observer = {
      frameAllocated: (_k, frame) => this.#touch(use + frame, 1),
      frameFreed: (_k, frame) => {
        this.#touch(use + frame, 1);
        this.#holdingsMatter();
      },
      flushBegin: (k) => this.#flushing.add(k),
      syscallExit: (k) => {
        if (this.#flushing.delete(k)) this.#holdingsMatter();
      },
      rcuPolled: () => this.#rcuPolled(),
      rcuQuiescent: (cpu) => this.#quiescent(cpu),
      rcuQueued: () => this.#rcuQueued(),
      gracePeriodEnd: () => this.#gracePeriodChanges(),
      tableFreed: () => {
        this.#tableGoes();
        this.#holdingsMatter();
      },
      pteSet: (_k, _mm, page) => this.#pageChanges(page),
    };
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
    for (const task of this.#tasks()) {
      for (let at = task.at + TASK_STRUCT_BYTES; at < task.at + STACK_BYTES; at = (at | 0xfff) + 1) {
        this.#privateFrom[at >>> 12] = at & 0xfff;
      }
    }
  }

  // EventWatch

  begun(): void {
    const { cores } = this.#machine;
    this.#flushing.clear();
    for (const core of cores) {
      this.#note(core);
      this.#queues[core.id] = this.#queueOf(core.id);
    }
    this.#handlers.begun(cores);
    this.#effects?.begun();
  }

  ended(agent: Agent): void {
    const search = this.search!;
    this.#effects?.ended(agent);
    if (agent % AGENTS_PER_CORE === ROLE_BROADCAST) return;
    const core = this.#machine.cores[(agent / AGENTS_PER_CORE) | 0]!;
    const { id } = core;
    const { inKernel } = this.#kernel.rcu;
    const before = this.#phases[id]!;
    if (inKernel[id] !== this.#inKernel[id]) this.#touchUnseen(this.places.rcuCore + id, 1);
    if (before !== core.phase || core.phase === "halted") this.#touch(this.places.queue + id, 0);
    for (let cpu = 0; cpu < this.#queues.length; cpu++) {
      const queue = this.#queueOf(cpu);
      if (queue === this.#queues[cpu]) continue;
      this.#queues[cpu] = queue;
      this.#touch(this.places.queue + cpu, 1);
      if (cpu === id) search.barrier();
    }
    const enabled = core.interruptsEnabled() ? 1 : 0;
    if (core.waiting && !core.atBarrier) search.waits(core.waitAddress >>> 2);
    if (this.#enabled[id] === 0 || before === "microcode") search.closed();
    if (enabled !== this.#enabled[id] || before !== core.phase) search.barrier();
    if (this.#handlers.ended(core, agent, before)) search.inHandler(id);
    this.#monitor(core);
    this.#note(core);
  }

  // What is touched

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
      this.#touch(this.places.use + frame, kind === SINK_WRITE ? 1 : 0);
      this.#touch(this.places.content + frame, kind === SINK_WRITE ? 0 : 1);
    }
  }

  // MessageObserver

  sent(target: number): void {
    this.search?.sends(target);
    this.#touch(this.places.message + target, 0);
  }

  acknowledged(core: number): void {
    this.#touch(this.places.message + core, 1);
  }

  event(core: number, _clock: number, name: string, a: number, b: number): void {
    if (!name.startsWith(INVALIDATE)) return;
    const { places } = this;
    this.#touch(places.holding + core, 1);
    const reach = this.#machine.model.pageInvalidations.get(name.slice(INVALIDATE.length));
    if (reach !== undefined) this.#touch(places.page(core, pageNumber(a, b)), 1);
    // Paging-structure entries are those of other pages too.
    if (reach === "leaf" || (reach === "any" && !this.#tablesGo)) return;
    for (const page of this.#changing) this.#touch(places.pageAt(core, page), 1);
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
          if (core.mmu.lateStores) this.#touch(this.places.visible(slotPa >>> 2), 0);
        }
        if (hi >= 0) this.#pageUsed(core, lo, hi);
      },
      filled: (frame, lo, hi) => {
        before?.filled(frame, lo, hi);
        if (frame < content - use) this.#touch(use + frame, 0);
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
    this.#touch(this.places.page(core.id, pageNumber(lo, hi)), 0);
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

  /** What other cores may hold decides whether a free, or the return from a call, is right. */
  #holdingsMatter(): void {
    const { holding, cores } = this.places;
    for (let core = 0; core < cores; core++) this.#touch(holding + core, 0);
  }

  #tableGoes(): void {
    if (this.search === null || this.#tablesGo) return;
    this.#tablesGo = true;
    this.search.unsettle();
  }

  #pageChanges(page: number): void {
    const place = pagePlace(page);
    if (this.search === null || this.#changing.has(place)) return;
    this.#changing.add(place);
    this.search.unsettle();
  }

  /** @hot */
  #word(pa: number, kind: SinkKind): void {
    const frame = pa >>> 12;
    if ((pa & 0xfff) >= this.#privateFrom[frame]!) return;
    this.#touch(pa >>> 2, kind);
    this.#touch(this.places.use + frame, 0);
    if (kind === SINK_WRITE) this.#touch(this.places.content + frame, 0);
  }

  /** @hot */
  #touch(place: number, changes: 0 | 1): void {
    this.search?.touch(place, changes);
  }

  #touchUnseen(place: number, changes: 0 | 1): void {
    this.search?.touchUnseen(place, changes);
  }

  #rcuPolled(): void {
    this.search?.sees();
    for (let place = this.places.rcuCore; place <= this.places.rcu; place++) this.#touch(place, 0);
  }

  /** The core passes a quiescent state, which counts if a grace period waits for it. */
  #quiescent(cpu: number): void {
    const counts = this.#kernel.rcu.waiting[cpu] === 0 ? 0 : 1;
    this.#touchUnseen(this.places.rcuCore + cpu, counts);
    if (counts === 1) this.#touchUnseen(this.places.rcu, 1);
  }

  /** A callback is queued. If no grace period runs, one begins. */
  #rcuQueued(): void {
    this.#touchUnseen(this.places.rcu, 1);
    if (this.#kernel.rcu.waiting.every((flag) => flag === 0)) this.#gracePeriodChanges();
  }

  /** One begins or ends: from now on it waits for the cores that are in the kernel, or for none. */
  #gracePeriodChanges(): void {
    const { inKernel } = this.#kernel.rcu;
    this.#touchUnseen(this.places.rcu, 1);
    for (let cpu = 0; cpu < inKernel.length; cpu++)
      this.#touchUnseen(this.places.rcuCore + cpu, inKernel[cpu] === 0 ? 0 : 1);
  }

  #note(core: Core): void {
    this.#phases[core.id] = core.phase;
    this.#enabled[core.id] = core.interruptsEnabled() ? 1 : 0;
    this.#inKernel[core.id] = this.#kernel.rcu.inKernel[core.id]!;
    this.#monitors[core.id] = core.state[MONITOR]! >>> 0;
  }

  #queueOf(cpu: number): number {
    const { queue, current } = this.#kernel.sched.queues[cpu]!;
    return queue.length * 0x1_0000 + current.pid;
  }

  #tasks(): Kernel["sched"]["queues"][number]["current"][] {
    const { sched } = this.#kernel;
    return [...sched.tasks(), ...sched.queues.map((queue) => queue.idle)];
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
