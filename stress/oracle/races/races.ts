/**
 * Data races of kernel code: two accesses to one word by different cores, at least one of them a write and at least one
 * plain, that no chain of synchronisation orders (happens-before, after FastTrack; Linux finds the same with KCSAN,
 * Documentation/dev-tools/kcsan.rst, by luck where this finds it by order). A race is a hole: code that a real machine
 * interleaves, and the exploration does not, as no scheduling point stands between. It is an assertion of ours: I15.
 *
 * Marked is the first access behind a scheduling point, with what the same step does to the same 8 bytes (a locked
 * read-modify-write, both halves of an entry); and every access to a field that is declared atomic. In words declared for
 * lockless use (entries of page tables, links of trees) a step may access one such place anywhere, as its owner looks at
 * words of its own before it stores; a second one that conflicts is plain. All else is plain. Walks of the hardware read
 * marked.
 *
 * Not looked at: user data, kernel stacks above the task_struct, free lists while an allocator works on them, a new
 * object while it is filled. Nobody else has these, or lifetime.ts judges them. Lock words are judged by their owners.
 *
 * Order comes from: program order of a core; a lock's release and acquisition (readers are ordered with writers, not
 * with each other); a marked write and a marked read of the same word, by which cross-call queues, acknowledgements and
 * pointers under RCU order too; the end of a grace period and its callback; a wake-up, fork or switch and the task's
 * going on. An object or frame that is handed out anew starts without history.
 *
 * A copy under a sequence count is a loop of marked reads that may conflict with the writer's plain writes: what conflicts
 * is reported if the check of the count that follows passes.
 *
 * Weaker than the kernel's own memory model: a marked access orders like acquire or release, as kernel code here does not
 * say which it is; what needs the difference is no data race of a sequentially consistent machine.
 */
import type { Context, KernelObserver, KPtr, LockClass, Task } from "../../../kernel/index.ts";
import { type AccessSink, SINK_READ, type SinkKind } from "../../../mmu/index.ts";
import type { OraclePart, OracleWorld } from "../part.ts";
import { SiteLog, type SiteNote } from "../site-log.ts";
import { siteOf } from "../violation.ts";
import { Clocks } from "./clocks.ts";
import { ELSEWHERE, Places, TABLE } from "./places.ts";
import {
  ACCESS_NAMES,
  type AccessKind,
  ALONE,
  COPY_READ,
  MARKED_READ,
  MARKED_WRITE,
  NO_CONFLICT,
  PLAIN_READ,
  PLAIN_WRITE,
  Shadow,
} from "./shadow.ts";

/** Longer fills and copies are contents of whole frames, which their owner has for itself. */
const MAX_RANGE_BYTES = 1024;
/** Bit of a rwsem's first word: a writer holds it. */
const WRITER = 1;

/** A race that shows if the check of the sequence count passes. */
interface Suspicion {
  readonly word: number;
  readonly earlier: AccessKind;
  readonly earlierNote: SiteNote;
  readonly later: AccessKind;
  readonly laterNote: SiteNote;
}

export class Races implements OraclePart, AccessSink {
  readonly name: string = "races";
  readonly events: Partial<KernelObserver> = this.#events();
  readonly #world: OracleWorld;
  readonly #places: Places;
  readonly #clocks: Clocks;
  readonly #shadow: Shadow;
  readonly #log: SiteLog = new SiteLog();
  /** Off before a run, behind its end, in the object allocator and after a report. */
  #muted = 1;
  /** Per core: the last step, the 8 bytes that its marked access is to, and its note. */
  readonly #step: Float64Array;
  readonly #markedUnit: Int32Array;
  readonly #note: Float64Array;
  /** Per core: the step has released a lock. */
  readonly #unlocked: Uint8Array;
  /** Per core: a copy under a sequence count is in progress since this time of its own, or 0; and its depth of traps. */
  readonly #copySince: Int32Array;
  readonly #copyDepth: Int32Array;
  readonly #suspicions: (Suspicion | null)[] = [];
  /** What ended before the last quiescent state of every core, and before the last grace period. */
  readonly #quiescent: Int32Array;
  readonly #period: Int32Array;
  /** By pid: what the task, or who woke it, had done. */
  readonly #tasks: Map<number, Int32Array> = new Map();
  /** The object that was handed out last. */
  #fresh = -1;
  /** Words that were locks at the start: whether one is held may be looked at before it is taken. */
  readonly #locks: Set<number> = new Set();
  /** Who was granted a lock for writing after it had waited. */
  readonly #writers: Map<KPtr, Context> = new Map();

  constructor(world: OracleWorld) {
    const { kernel, memory } = world;
    const cores = kernel.platform.cpus.length;
    this.#world = world;
    this.#places = new Places(kernel, memory);
    this.#clocks = new Clocks(cores);
    this.#shadow = new Shadow(kernel.ram.sizeBytes / 4, this.#clocks, (word) =>
      this.#places.disciplineOf(word),
    );
    this.#step = new Float64Array(cores);
    this.#markedUnit = new Int32Array(cores);
    this.#unlocked = new Uint8Array(cores);
    this.#note = new Float64Array(cores);
    this.#copySince = new Int32Array(cores);
    this.#copyDepth = new Int32Array(cores);
    for (let core = 0; core < cores; core++) this.#suspicions.push(null);
    this.#quiescent = new Int32Array(cores);
    this.#period = new Int32Array(cores);
  }

  mark(): void {
    for (const task of this.#world.kernel.sched.tasks()) this.#places.setTask(task.at >>> 12);
    this.#places.mark();
    for (const word of this.#locks) {
      if (!this.#places.isShared(word * 4)) this.#locks.delete(word);
    }
    this.#shadow.keepLocks(this.#locks);
    this.#muted = 1;
  }

  start(): void {
    this.#places.restore();
    this.#clocks.reset();
    this.#shadow.clear();
    this.#log.clear();
    this.#step.fill(-1);
    this.#unlocked.fill(0);
    this.#copySince.fill(0);
    this.#suspicions.fill(null);
    this.#quiescent.fill(0);
    this.#period.fill(0);
    for (const clock of this.#tasks.values()) clock.fill(0);
    this.#writers.clear();
    this.#fresh = -1;
    this.#muted = 0;
  }

  atEnd(): void {
    this.#muted = 1;
  }

  /** @hot */
  access(pa: number, bytes: number, kind: SinkKind): void {
    if (this.#muted !== 0 || !this.#places.isShared(pa)) return;
    const k = this.#world.kernel.running;
    const { cpu } = k;
    const core = cpu.id;
    const unit = pa >>> 3;
    if (this.#step[core] !== cpu.steps) this.#beginStep(k, core, unit);
    let asked: AccessKind = kind === SINK_READ ? PLAIN_READ : PLAIN_WRITE;
    if (this.#markedUnit[core] === unit) {
      if (kind !== SINK_READ) asked = MARKED_WRITE;
      else asked = this.#copySince[core] === 0 ? MARKED_READ : COPY_READ;
    }
    this.#word(core, pa >>> 2, asked);
    if (bytes === 8) this.#word(core, (pa >>> 2) + 1, asked);
  }

  range(pa: number, bytes: number, kind: SinkKind): void {
    if (this.#muted !== 0 || bytes > MAX_RANGE_BYTES || !this.#places.isShared(pa)) return;
    // A new object is filled before anybody else can know of it.
    if (pa === this.#fresh && kind !== SINK_READ) return;
    const k = this.#world.kernel.running;
    const core = k.cpu.id;
    if (this.#step[core] !== k.cpu.steps) this.#beginStep(k, core, -1);
    const asked = kind === SINK_READ ? PLAIN_READ : PLAIN_WRITE;
    const end = (pa + bytes + 3) >>> 2;
    for (let word = pa >>> 2; word < end; word++) this.#word(core, word, asked);
  }

  /** A walk of the hardware on a core looks at an entry. @hot */
  walked(core: number, slotPa: number): void {
    if (this.#muted !== 0 || slotPa < 0 || this.#places.of[slotPa >>> 12] !== TABLE) return;
    const word = slotPa >>> 2;
    const other = this.#shadow.walked(core, word);
    if (other === NO_CONFLICT) return;
    const { conflictKind, conflictNote } = this.#shadow;
    const { kernel } = this.#world;
    const time = kernel.platform.cpus[core]!.clock;
    const pid = kernel.current[core]?.task?.pid ?? 0;
    const laterNote = this.#log.noteUser(core, pid, time, "", -1);
    this.#violate({ word, earlier: conflictKind, earlierNote: conflictNote, later: PLAIN_READ, laterNote });
  }

  /** @hot */
  #beginStep(k: Context, core: number, unit: number): void {
    this.#step[core] = k.cpu.steps;
    this.#markedUnit[core] = unit;
    this.#note[core] = this.#log.note(k, "", -1);
    this.#shadow.beginStep(this.#note[core]!);
    if (this.#unlocked[core] === 0) return;
    this.#unlocked[core] = 0;
    this.#clocks.tick(core);
  }

  /** @hot */
  #word(core: number, word: number, asked: AccessKind): void {
    const note = this.#note[core]!;
    const other = this.#shadow.access(core, word, asked, note);
    if (other !== NO_CONFLICT) this.#conflict(core, other, word, asked, note);
  }

  #conflict(core: number, other: number, word: number, later: AccessKind, laterNote: SiteNote): void {
    const { conflictKind, conflictNote, conflictTime } = this.#shadow;
    const suspicion = { word, earlier: conflictKind, earlierNote: conflictNote, later, laterNote };
    if (later === COPY_READ) this.#suspicions[core] ??= suspicion;
    else if (conflictKind === COPY_READ) {
      const since = this.#copySince[other]!;
      if (since !== 0 && conflictTime >= since) this.#suspicions[other] ??= suspicion;
    } else this.#violate(suspicion);
  }

  #events(): Partial<KernelObserver> {
    return {
      lockAcquired: (k, at, cls, kind) => {
        this.#acquired(k, at, cls.kind === "spin" || kind === "exclusive" ? "exclusive" : this.#mode(at));
      },
      lockGranted: (k, at, _cls, kind) => {
        if (kind === "exclusive") this.#writers.set(at, k);
        this.#acquired(k, at, kind === "exclusive" ? "exclusive" : "shared");
      },
      lockReleased: (k, at, cls) => this.#released(k, at, cls),
      seqReadBegin: (k) => {
        this.#suspicions[k.cpu.id] = null;
        this.#copySince[k.cpu.id] = this.#clocks.own(k.cpu.id);
        this.#copyDepth[k.cpu.id] = k.traps.length;
      },
      seqReadRetry: (k, _at, result) => this.#checked(k, result),
      mmReadLocked: (k) => this.#endCopy(k),
      mmWriteLocked: (k) => this.#endCopy(k),
      trapEnd: (k) => {
        if (k.traps.length < this.#copyDepth[k.cpu.id]!) this.#endCopy(k);
      },
      slabGrown: (_k, cache, at, strideBytes) => {
        this.#places.setSlab(at >>> 12, cache, strideBytes);
        this.#forget(at, 4096);
      },
      objectAllocated: (_k, _cache, at, bytes) => {
        this.#fresh = at;
        this.#forget(at, bytes);
      },
      allocatorBegin: () => {
        this.#muted += 2;
      },
      allocatorEnd: () => {
        this.#muted -= 2;
      },
      frameFreed: (_k, frame) => {
        if (this.#places.of[frame] === ELSEWHERE) return;
        this.#places.leave(frame);
        this.#forget(frame * 4096, 4096);
      },
      tableLinked: (_k, _mm, _slot, frame) => this.#places.setTable(frame),
      rcuQuiescent: (cpu) => {
        this.#clocks.release(cpu, this.#quiescent, 0);
        this.#clocks.tick(cpu);
      },
      gracePeriodEnd: () => this.#period.set(this.#quiescent),
      rcuCallback: (k) => this.#clocks.acquire(k.cpu.id, this.#period, 0),
      taskWoken: (k, task) => {
        this.#places.setTask(task.at >>> 12);
        this.#release(k.cpu.id, task);
      },
      contextSwitch: (k, prev, next) => {
        this.#endCopy(k);
        this.#release(k.cpu.id, prev);
        this.#clocks.acquire(k.cpu.id, this.#clockOf(next), 0);
      },
    };
  }

  #acquired(k: Context, at: KPtr, mode: "exclusive" | "shared"): void {
    if ((this.#muted & 1) !== 0) {
      this.#locks.add(at >>> 2);
      return;
    }
    this.#shadow.lockAcquired(k.cpu.id, at >>> 2, mode);
  }

  #released(k: Context, at: KPtr, cls: LockClass): void {
    if ((this.#muted & 1) !== 0) return;
    let mode: "exclusive" | "shared" = "exclusive";
    if (cls.kind === "sleep" && this.#mode(at) === "shared") {
      if (this.#writers.size === 0 || this.#writers.get(at) !== k) mode = "shared";
    }
    if (this.#writers.size !== 0 && this.#writers.get(at) === k) this.#writers.delete(at);
    this.#shadow.lockReleased(k.cpu.id, at >>> 2, mode);
    this.#unlocked[k.cpu.id] = 1;
  }

  /** How a sleeping lock is held now. Past the accessors: nobody hears of it. */
  #mode(at: KPtr): "exclusive" | "shared" {
    return (this.#world.kernel.ram.i32[at >>> 2]! & WRITER) !== 0 ? "exclusive" : "shared";
  }

  #checked(k: Context, result: "changed" | "unchanged"): void {
    const core = k.cpu.id;
    const suspicion = this.#suspicions[core]!;
    this.#suspicions[core] = null;
    if (suspicion !== null && result === "unchanged") this.#violate(suspicion);
    this.#clocks.tick(core);
    this.#copySince[core] = result === "unchanged" ? this.#clocks.own(core) : 0;
  }

  #endCopy(k: Context): void {
    this.#copySince[k.cpu.id] = 0;
    this.#suspicions[k.cpu.id] = null;
  }

  #release(core: number, task: Task): void {
    this.#clocks.release(core, this.#clockOf(task), 0);
    this.#clocks.tick(core);
  }

  #clockOf(task: Task): Int32Array {
    let clock = this.#tasks.get(task.pid);
    if (clock === undefined) {
      clock = new Int32Array(this.#clocks.cores);
      this.#tasks.set(task.pid, clock);
    }
    return clock;
  }

  #forget(at: number, bytes: number): void {
    if ((this.#muted & 1) === 0) this.#shadow.forget(at >>> 2, (at + bytes + 3) >>> 2);
  }

  #violate(suspicion: Suspicion): void {
    if ((this.#muted & 1) !== 0) return;
    this.#muted |= 1;
    const { name, guard } = this.#places.nameOf(suspicion.word);
    const before = suspicion.earlierNote === ALONE ? "walk" : ACCESS_NAMES[suspicion.earlier]!;
    const earlier = `${before} of ${name}`;
    const later = `${ACCESS_NAMES[suspicion.later]} of ${name}`;
    const text = `data race: ${later} (guard: ${guard}), not ordered with a ${before}`;
    const first = this.#log.site(suspicion.earlierNote);
    const second = this.#log.site(suspicion.laterNote);
    this.#world.report({
      invariant: "I15",
      text,
      earlier: first === null ? null : { ...first, what: earlier },
      later: { ...(second ?? siteOf(this.#world.kernel.running, later)), what: later },
    });
  }
}
