/**
 * What each event of a run touches, for the exhaustive search. Places:
 *
 *     word     8 bytes of RAM: marked and plain accesses of the kernel, accesses of user code and of the CPU itself, table
 *              reads and A/D updates of walks. Locks, sequence counts, cross-call records and acknowledgements are words.
 *     use      one for each frame: looked at by every access to the frame and by every fill that leads to it, changed
 *              by freeing or handing out the frame and by filling it as a whole
 *     content  one for each frame: looked at by every store into it, changed by copying it as a whole
 *     page     for each core, one for each page (by a hash): looked at by its translations, walks and fills of the page,
 *              changed by its invalidations of the page. One of many pages counts for those whose entries change in
 *              some schedule: for the others it makes no difference. No other core touches the place, so it decides
 *              where the core's interrupts land and nothing else
 *     queue    one for each core: its run queue and current task, looked at where the core leaves the kernel
 *     RCU      looked at where a core enters or leaves the kernel and where read sections begin and end; changed where a
 *              callback is queued and where a grace period ends
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
import type { Kernel, KernelObserver } from "../../kernel/index.ts";
import {
  type AccessKind,
  type AccessSink,
  type EventObserver,
  type ObservedMemory,
  SINK_WRITE,
  type SinkKind,
  WRITE,
} from "../../mmu/index.ts";

const PLACE_BYTES = 8;
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
    this.#rcu = this.#queue + cores.length;
    // One more for the search's own.
    this.places = this.#rcu + 2;
    this.#privateFrom = new Uint16Array(ram.frames).fill(4096);
    this.#enabled = new Uint8Array(cores.length);
    this.#inKernel = new Uint8Array(cores.length);
    this.#queues = new Float64Array(cores.length);
    this.observer = {
      frameAllocated: (_k, frame) => this.#touch(this.#use + frame, 1),
      frameFreed: (_k, frame) => this.#touch(this.#use + frame, 1),
      rcuReadLock: () => this.#touch(this.#rcu, 0),
      rcuReadUnlock: () => this.#touch(this.#rcu, 0),
      rcuQuiescent: () => this.#touch(this.#rcu, 0),
      rcuQueued: () => this.#touch(this.#rcu, 1),
      gracePeriodEnd: () => this.#touch(this.#rcu, 1),
      tableFreed: () => this.#tableGoes(),
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
    if (inKernel[id] !== this.#inKernel[id]) this.#touch(this.#rcu, 0);
    if (before !== core.phase || core.phase === "halted") this.#touch(this.#queue + id, 0);
    for (let cpu = 0; cpu < this.#queues.length; cpu++) {
      const queue = this.#queueOf(cpu);
      if (queue === this.#queues[cpu]) continue;
      this.#queues[cpu] = queue;
      this.#touch(this.#queue + cpu, 1);
      if (cpu === id) search.barrier();
    }
    const enabled = core.interruptsEnabled() ? 1 : 0;
    if (enabled !== this.#enabled[id] || before !== core.phase) search.barrier();
    this.#followHandler(core, agent, before);
    this.#note(core);
  }

  // What is touched

  /** @hot */
  access(pa: number, bytes: number, kind: SinkKind): void {
    this.#word(pa, kind);
    if ((pa & 7) + bytes > PLACE_BYTES) this.#word(pa + bytes - 1, kind);
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
    // How long it is is not known: what is not aligned may reach into the next word.
    this.access(pa, (pa & 3) === 0 ? 4 : 8, kind === WRITE ? SINK_WRITE : 0);
    if (hi >= 0) this.#pageUsed(lo, hi);
  }

  /** @hot */
  walked(slotPa: number, lo: number, hi: number): void {
    if (slotPa >= 0) this.#word(slotPa, 0);
    if (hi >= 0) this.#pageUsed(lo, hi);
  }

  filled(frame: number, lo: number, hi: number): void {
    if (frame < this.#content - this.#use) this.#touch(this.#use + frame, 0);
    if (hi >= 0) this.#pageUsed(lo, hi);
  }

  event(core: number, _clock: number, name: string, a: number, b: number): void {
    if (name === "ipi") this.#send(core, a, b);
    if (!name.startsWith("invalidate:")) return;
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

  #tableGoes(): void {
    if (this.search === null || this.#tablesGo) return;
    this.#tablesGo = true;
    this.search.isSettled = false;
  }

  #pageChanges(page: number): void {
    const place = pagePlace(page);
    if (this.search === null || this.#changing.has(place)) return;
    this.#changing.add(place);
    this.search.isSettled = false;
  }

  /** @hot */
  #word(pa: number, kind: SinkKind): void {
    const frame = pa >>> 12;
    if ((pa & 0xfff) >= this.#privateFrom[frame]!) return;
    this.#touch(pa >>> 3, kind);
    this.#touch(this.#use + frame, 0);
    if (kind === SINK_WRITE) this.#touch(this.#content + frame, 0);
  }

  /** @hot */
  #touch(place: number, changes: 0 | 1): void {
    this.search?.touch(place, changes);
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
    const depth = this.#kernel.current[id]!.traps.length;
    const interrupted = this.#interrupted[id]!;
    if (agent % AGENTS_PER_CORE >= ROLE_INTERRUPT) {
      this.#interrupted[id] ??= { phase: before === "halted" ? "kernel" : before, depth };
      return;
    }
    if (interrupted === null) return;
    this.search!.inHandler(id);
    if (phase === interrupted.phase && depth === interrupted.depth) this.#interrupted[id] = null;
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
