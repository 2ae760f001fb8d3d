/**
 * What each event of a run touches, for the exhaustive search: what the machine says (`machine-footprints.ts`), and what the
 * kernel does beside memory: frames handed out and freed, run queues, grace periods, interrupt handlers.
 */
import type { Core } from "../../emu/cores/index.ts";
import type { Machine } from "../../emu/machine.ts";
import { AGENTS_PER_CORE, type Agent, type EventWatch, type Exhaustive } from "../../emu/schedulers/index.ts";
import type { TraceSink } from "../../emu/trace.ts";
import type { Context, Kernel, KernelObserver } from "../../kernel/index.ts";
import { HandlerWatch } from "./handler-watch.ts";
import { MachineFootprints } from "./machine-footprints.ts";
import type { Places } from "./places.ts";

/** task_struct at the low end of a kernel stack. */
const TASK_STRUCT_BYTES = 256;
const STACK_BYTES = 16384;

export class Footprints implements EventWatch, TraceSink {
  readonly places: Places;
  readonly observer: Partial<KernelObserver>;
  readonly #cores: readonly Core[];
  readonly #kernel: Kernel;
  readonly #machine: MachineFootprints;
  readonly #handlers: HandlerWatch;
  // By core, as they were at the end of the last event.
  readonly #inKernel: Uint8Array;
  readonly #queues: Float64Array;
  /** Who has flushed since its call began. */
  readonly #flushing: Set<Context> = new Set();

  constructor(machine: Machine, kernel: Kernel) {
    const footprints = new MachineFootprints(machine);
    this.#cores = machine.cores;
    this.#kernel = kernel;
    this.#machine = footprints;
    this.#handlers = new HandlerWatch(kernel);
    this.places = footprints.places;
    this.#inKernel = new Uint8Array(machine.cores.length);
    this.#queues = new Float64Array(machine.cores.length);
    const { use } = this.places;
    this.observer = {
      frameAllocated: (_k, frame) => footprints.touch(use + frame, 1),
      frameFreed: (_k, frame) => {
        footprints.touch(use + frame, 1);
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
        footprints.tableGoes();
        this.#holdingsMatter();
      },
      pteSet: (_k, _mm, page) => footprints.pageChanges(page),
    };
  }

  /** Listens from here on: the start state is reached. */
  attach(search: Exhaustive): void {
    this.#machine.attach(search);
    for (const task of this.#tasks())
      this.#machine.isPrivate(task.at + TASK_STRUCT_BYTES, task.at + STACK_BYTES);
  }

  event(core: number, clock: number, name: string, a: number, b: number): void {
    this.#machine.event(core, clock, name, a, b);
  }

  // EventWatch

  begun(): void {
    this.#flushing.clear();
    for (const { id } of this.#cores) {
      this.#inKernel[id] = this.#kernel.rcu.inKernel[id]!;
      this.#queues[id] = this.#queueOf(id);
    }
    this.#handlers.begun(this.#cores);
    this.#machine.begun();
  }

  ended(agent: Agent): void {
    const before = this.#machine.ended(agent);
    if (before === null) return;
    const search = this.#machine.search!;
    const core = this.#cores[(agent / AGENTS_PER_CORE) | 0]!;
    const { id } = core;
    const { rcuCore, queue } = this.places;
    const inKernel = this.#kernel.rcu.inKernel[id]!;
    if (inKernel !== this.#inKernel[id]) this.#touchUnseen(rcuCore + id, 1);
    this.#inKernel[id] = inKernel;
    if (before !== core.phase || core.phase === "halted") this.#machine.touch(queue + id, 0);
    for (let cpu = 0; cpu < this.#queues.length; cpu++) {
      const now = this.#queueOf(cpu);
      if (now === this.#queues[cpu]) continue;
      this.#queues[cpu] = now;
      this.#machine.touch(queue + cpu, 1);
      if (cpu === id) search.barrier();
    }
    if (this.#handlers.ended(core, agent, before)) search.inHandler(id);
  }

  /** What other cores may hold decides whether a free, or the return from a call, is right. */
  #holdingsMatter(): void {
    const { holding, cores } = this.places;
    for (let core = 0; core < cores; core++) this.#machine.touch(holding + core, 0);
  }

  #touchUnseen(place: number, changes: 0 | 1): void {
    this.#machine.search?.touchUnseen(place, changes);
  }

  #rcuPolled(): void {
    this.#machine.search?.sees();
    for (let place = this.places.rcuCore; place <= this.places.rcu; place++) this.#machine.touch(place, 0);
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

  #queueOf(cpu: number): number {
    const { queue, current } = this.#kernel.sched.queues[cpu]!;
    return queue.length * 0x1_0000 + current.pid;
  }

  #tasks(): Kernel["sched"]["queues"][number]["current"][] {
    const { sched } = this.#kernel;
    return [...sched.tasks(), ...sched.queues.map((queue) => queue.idle)];
  }
}
