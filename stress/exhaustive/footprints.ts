/**
 * What each event of a run touches, for the exhaustive search. Places:
 *
 *     word     4 bytes of RAM: marked and plain accesses of the kernel, accesses of user code and of the CPU itself, table
 *              reads and A/D updates of walks. Locks, sequence counts, cross-call records and acknowledgements are words.
 *     use      one for each frame: looked at by every access to the frame and by every fill that leads to it, changed
 *              by freeing or handing out the frame and by filling it as a whole
 *     content  one for each frame: looked at by every store into it, changed by copying it as a whole
 *     page     for each core, one for each page (by a hash): looked at by its translations, walks and fills of the page,
 *              changed by its invalidations of the page. One of many pages counts for those whose entries change in
 *              some schedule: for the others it makes no difference. No other core touches the place, so it decides
 *              where the core's interrupts land and nothing else
 *     holding  one for each core: changed by its invalidations, looked at where frames and tables are freed and where
 *              calls that flushed return, since the oracle asks there what cores may still hold
 *     queue    one for each core: its run queue and current task, looked at where the core leaves the kernel
 *     RCU      one for each core: whether it is in the kernel, and whether a grace period waits for it; changed where it
 *              enters or leaves, by its quiescent states that count, and by a grace period that begins and waits for it.
 *              One of all: changed where a callback is queued, by quiescent states that count, and by grace periods.
 *              Nobody sees either until a core asks whether its callbacks may run. (Read sections have no effect of
 *              their own: a core is a reader while it is in the kernel.)
 *
 * Messages between cores and changes of the interrupt mask are told to the search as what they are. Kernel stacks above
 * the task_struct are no places: a task's own trap frames are its own. Frees and any access to the object meet in
 * its words, since a freed object is poisoned.
 */
import type { Core, Phase } from "../../emu/cores/index.ts";
import type { Machine } from "../../emu/machine.ts";
import {
  AGENTS_PER_CORE,
  type Agent,
  type EventWatch,
  type Exhaustive,
  ROLE_INTERRUPT,
} from "../../emu/schedulers/index.ts";
import type { TraceSink } from "../../emu/trace.ts";
import type { Context, Kernel, KernelObserver } from "../../kernel/index.ts";
import {
  type AccessKind,
  type AccessSink,
  type EventObserver,
  type ObservedMemory,
  SINK_READ,
  SINK_WRITE,
  type SinkKind,
  WRITE,
} from "../../mmu/index.ts";

const PLACE_BYTES = 4;
/** Longest access of user code and of the CPU itself. */
const ACCESS_BYTES = 8;
/** Places for pages, of each core. */
const PAGE_BITS = 10;
const PAGE_PLACES: number = 1 << PAGE_BITS;
/** Ranges up to this are touched word by word. */
const MAX_EXACT_BYTES = 512;
/** task_struct at the low end of a kernel stack. */
const TASK_STRUCT_BYTES = 256;
const STACK_BYTES = 16384;
/** x2APIC, ICR: destination shorthand, and logical destination mode (SDM vol. 3A 10.12.9). */
const ICR_SHORTHAND = 3 << 18;
const ICR_LOGICAL = 1 << 11;

/** Events of the trace that carry an address. */
const PAGE_INVALIDATIONS: ReadonlySet<string> = new Set(["invalidate:INVLPG", "invalidate:INVPCID 0"]);

/** Where a core was when it accepted an interrupt: back there, the handler is over. */
interface Interrupted {
  readonly phase: Phase;
  readonly depth: number;
  readonly context: Context;
  /** It is the idle task's: when another task runs, the handler is over too. */
  readonly isIdle: boolean;
  /** The kernel has been entered. */
  entered: boolean;
}

export class Footprints implements AccessSink, EventObserver, EventWatch, TraceSink {
  readonly places: number;
  readonly observer: Partial<KernelObserver>;
  /** Whom it tells. */
  search: Exhaustive | null = null;
  readonly #machine: Machine;
  readonly #kernel: Kernel;
  readonly #words: number;
  readonly #use: number;
  readonly #content: number;
  readonly #tlb: number;
  readonly #queue: number;
  readonly #holding: number;
  readonly #rcuCore: number;
  readonly #rcu: number;
  /** Frames of kernel stacks: the first byte that is private in each, or 4096. */
  readonly #privateFrom: Uint16Array;
  // By core, as they were at the end of the last event.
  readonly #phases: Phase[] = [];
  readonly #enabled: Uint8Array;
  readonly #inKernel: Uint8Array;
  readonly #queues: Float64Array;
  readonly #interrupted: (Interrupted | null)[] = [];
  /** Places of the pages whose entries change, without the core. */
  readonly #changing: Set<number> = new Set();
  /** Who has flushed since its call began. */
  readonly #flushing: Set<Context> = new Set();
  /** Tables are freed in some schedule. */
  #tablesGo = false;

  constructor(machine: Machine, kernel: Kernel) {
    this.#machine = machine;
    this.#kernel = kernel;
    const { ram, cores } = machine;
    this.#words = ram.sizeBytes / PLACE_BYTES;
    this.#use = this.#words;
    this.#content = this.#use + ram.frames;
    this.#tlb = this.#content + ram.frames;
    this.#queue = this.#tlb + cores.length * PAGE_PLACES;
    this.#holding = this.#queue + cores.length;
    this.#rcuCore = this.#holding + cores.length;
    this.#rcu = this.#rcuCore + cores.length;
    // One more for the search's own.
    this.places = this.#rcu + 2;
    this.#privateFrom = new Uint16Array(ram.frames).fill(4096);
    this.#enabled = new Uint8Array(cores.length);
    this.#inKernel = new Uint8Array(cores.length);
    this.#queues = new Float64Array(cores.length);
    this.observer = {
      frameAllocated: (_k, frame) => this.#touch(this.#use + frame, 1),
      frameFreed: (_k, frame) => {
        this.#touch(this.#use + frame, 1);
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
    for (const core of cores) core.budget.observer = this;
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
      this.#interrupted[core.id] = null;
      this.#queues[core.id] = this.#queueOf(core.id);
    }
  }

  ended(agent: Agent): void {
    const search = this.search!;
    const core = this.#machine.cores[(agent / AGENTS_PER_CORE) | 0]!;
    const { id } = core;
    const { inKernel } = this.#kernel.rcu;
    const before = this.#phases[id]!;
    if (inKernel[id] !== this.#inKernel[id]) this.#touchUnseen(this.#rcuCore + id, 1);
    if (before !== core.phase || core.phase === "halted") this.#touch(this.#queue + id, 0);
    for (let cpu = 0; cpu < this.#queues.length; cpu++) {
      const queue = this.#queueOf(cpu);
      if (queue === this.#queues[cpu]) continue;
      this.#queues[cpu] = queue;
      this.#touch(this.#queue + cpu, 1);
      if (cpu === id) search.barrier();
    }
    const enabled = core.interruptsEnabled() ? 1 : 0;
    if (core.waiting) search.waits(core.waitAddress >>> 2);
    if (this.#enabled[id] === 0 || before === "microcode") search.closed();
    if (enabled !== this.#enabled[id] || before !== core.phase) search.barrier();
    this.#followHandler(core, agent, before);
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
      this.#touch(this.#use + frame, kind === SINK_WRITE ? 1 : 0);
      this.#touch(this.#content + frame, kind === SINK_WRITE ? 0 : 1);
    }
  }

  /** @hot */
  used(pa: number, kind: AccessKind, lo: number, hi: number): void {
    if (pa >= this.#words * PLACE_BYTES) return;
    // How long it is is not known.
    for (let at = pa & -PLACE_BYTES; at < pa + ACCESS_BYTES; at += PLACE_BYTES) {
      this.#word(at, kind === WRITE ? SINK_WRITE : SINK_READ);
    }
    if (hi >= 0) this.#pageUsed(lo, hi);
  }

  /** @hot */
  walked(slotPa: number, lo: number, hi: number): void {
    if (slotPa >= 0) this.access(slotPa, 8, SINK_READ);
    if (hi >= 0) this.#pageUsed(lo, hi);
  }

  filled(frame: number, lo: number, hi: number): void {
    if (frame < this.#content - this.#use) this.#touch(this.#use + frame, 0);
    if (hi >= 0) this.#pageUsed(lo, hi);
  }

  event(core: number, _clock: number, name: string, a: number, b: number): void {
    if (name === "ipi") this.#send(core, a, b);
    if (!name.startsWith("invalidate:")) return;
    this.#touch(this.#holding + core, 1);
    const ofPage = PAGE_INVALIDATIONS.has(name);
    if (ofPage) this.#touch(this.#pageOf(core, pageNumber(a, b)), 1);
    // An invalidation of a page drops paging-structure entries of all.
    if (ofPage && !this.#tablesGo) return;
    for (const page of this.#changing) this.#touch(this.#tlb + core * PAGE_PLACES + page, 1);
  }

  /** @hot */
  #pageUsed(lo: number, hi: number): void {
    this.#touch(this.#pageOf(this.#machine.running.id, pageNumber(lo, hi)), 0);
  }

  #pageOf(core: number, page: number): number {
    return this.#tlb + core * PAGE_PLACES + pagePlace(page);
  }

  /** What other cores may hold decides whether a free, or the return from a call, is right. */
  #holdingsMatter(): void {
    for (let place = this.#holding; place < this.#rcuCore; place++) this.#touch(place, 0);
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
    this.#touch(this.#use + frame, 0);
    if (kind === SINK_WRITE) this.#touch(this.#content + frame, 0);
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
    for (let place = this.#rcuCore; place <= this.#rcu; place++) this.#touch(place, 0);
  }

  /** The core passes a quiescent state, which counts if a grace period waits for it. */
  #quiescent(cpu: number): void {
    const counts = this.#kernel.rcu.waiting[cpu] === 0 ? 0 : 1;
    this.#touchUnseen(this.#rcuCore + cpu, counts);
    if (counts === 1) this.#touchUnseen(this.#rcu, 1);
  }

  /** A callback is queued. If no grace period runs, one begins. */
  #rcuQueued(): void {
    this.#touchUnseen(this.#rcu, 1);
    if (this.#kernel.rcu.waiting.every((flag) => flag === 0)) this.#gracePeriodChanges();
  }

  /** One begins or ends: from now on it waits for the cores that are in the kernel, or for none. */
  #gracePeriodChanges(): void {
    const { inKernel } = this.#kernel.rcu;
    this.#touchUnseen(this.#rcu, 1);
    for (let cpu = 0; cpu < inKernel.length; cpu++)
      this.#touchUnseen(this.#rcuCore + cpu, inKernel[cpu] === 0 ? 0 : 1);
  }

  #send(from: number, icrLo: number, target: number): void {
    const { cores } = this.#machine;
    if ((icrLo & (ICR_SHORTHAND | ICR_LOGICAL)) === 0 && target < cores.length) {
      this.search?.sends(target);
      return;
    }
    for (const { id } of cores)
      if (id !== from || (icrLo & ICR_SHORTHAND) !== ICR_SHORTHAND) this.search?.sends(id);
  }

  #followHandler(core: Core, agent: Agent, before: Phase): void {
    const { id, phase } = core;
    const k = this.#kernel.current[id]!;
    const depth = k.traps.length;
    const interrupted = this.#interrupted[id]!;
    if (agent % AGENTS_PER_CORE >= ROLE_INTERRUPT) {
      const isIdle = k.task?.idle === true;
      this.#interrupted[id] ??= { phase: before, depth, context: k, isIdle, entered: false };
      return;
    }
    if (interrupted === null) return;
    const { context, isIdle } = interrupted;
    if (k === context && depth > interrupted.depth) interrupted.entered = true;
    // What was interrupted goes on in the event in which the handler ends: it is no event of the handler any more.
    const isBack = isIdle
      ? k !== context || (depth === interrupted.depth && phase !== "microcode")
      : k === context && depth === interrupted.depth && phase === interrupted.phase;
    if (isBack && interrupted.entered) this.#interrupted[id] = null;
    else this.search!.inHandler(id);
  }

  #note(core: Core): void {
    this.#phases[core.id] = core.phase;
    this.#enabled[core.id] = core.interruptsEnabled() ? 1 : 0;
    this.#inKernel[core.id] = this.#kernel.rcu.inKernel[core.id]!;
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

/** Neighbours, and pages that lie a table apart, get places of their own (multiplicative hashing). @hot */
function pagePlace(page: number): number {
  return Math.imul(page, 0x9e37_79b1) >>> (32 - PAGE_BITS);
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
