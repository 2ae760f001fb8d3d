/**
 * What happened in a run, event by event, for people: recorded while a schedule is replayed, never in a campaign. The
 * recorder hears of the kernel through its observer, of the machine through its trace, of user code through the events of
 * the MMUs, and of the words that decide races (mmap_seq, tlb_gen, mm_cpumask, loaded_mm) through the memory's accessors.
 * Nothing that it does changes the run, and its own reading of memory is told to nobody.
 */
import type { Machine } from "../../emu/machine.ts";
import type { TraceSink } from "../../emu/trace.ts";
import {
  type AcquireKind,
  type Context,
  findPteSlot,
  type Kernel,
  type KernelObserver,
  type KPtr,
  type LockClass,
  type Memory,
  NO_SLOT,
} from "../../kernel/index.ts";
import { type AccessSink, FETCH, type ObservedMemory, SINK_WRITE, USER, WRITE } from "../../mmu/index.ts";
import type { ScenarioProgram } from "../world/scenario-program.ts";
import { BroadcastsInFlight } from "./broadcasts.ts";
import { kernelFunction } from "./call-site.ts";
import type { StoryEvent, StoryKind, Weight } from "./event.ts";
import { FreedMemory } from "./freed-memory.ts";
import { InterruptsInFlight } from "./interrupts.ts";
import { type OpenSpan, OpenSpans } from "./open-spans.ts";
import { type Draft, Recording } from "./recording.ts";
import {
  callText,
  frameText,
  hex,
  lockState,
  lockText,
  pageText,
  pteText,
  rangeText,
  resultText,
} from "./text.ts";
import { WatchedWords } from "./watched-words.ts";

const PC = 0;
/** FAULT_FLAG_WRITE, FAULT_FLAG_INSTRUCTION. */
const FLAG_WRITE = 0x1;
const FLAG_FETCH = 0x100;
/** Structures whose end a race may be about. */
const CACHES: ReadonlySet<string> = new Set(["vm_area_struct", "anon_vma", "anon_vma_chain", "mm_struct"]);

/** Operations of TLBI, without their shareability. */
const TLBI = /^(?:R?VA|ASID|VMALL|ALLE)/;
/** Invalidations that name an address. */
const PAGE_SCOPES: ReadonlySet<string> = new Set(["INVLPG", "#PF", "VAE1", "VALE1", "VAAE1", "VAALE1"]);

export class StoryRecorder implements TraceSink {
  readonly observer: Partial<KernelObserver>;
  readonly #machine: Machine;
  readonly #recording: Recording;
  readonly #spans: OpenSpans = new OpenSpans();
  readonly #interrupts: InterruptsInFlight;
  readonly #inFlight: BroadcastsInFlight;
  #program: ScenarioProgram | null = null;
  #words: WatchedWords | null = null;
  readonly #freed = new FreedMemory();
  #allocatorWorks = false;
  /** RCU read sections: events recorded when each began. */
  readonly #sections: Map<Context, number> = new Map();

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#recording = new Recording(machine);
    this.#interrupts = new InterruptsInFlight(machine.cores.length);
    this.#inFlight = new BroadcastsInFlight(machine.cores.length);
    this.observer = this.#kernelEvents();
  }

  get events(): StoryEvent[] {
    return this.#recording.events;
  }

  /** The start state is reached: from here on everything is heard. */
  attach(program: ScenarioProgram): void {
    this.#program = program;
    const ram = this.#machine.ram as ObservedMemory;
    const inner = ram.sink;
    const words = this.#quietly(() => new WatchedWords(this.#kernel));
    this.#words = words;
    this.#recording.begin();
    const own: AccessSink = {
      access: (pa, bytes, kind) => {
        this.#recording.tick();
        if (words.has(pa)) this.#word(pa, kind === SINK_WRITE ? "write" : "read");
        else if (!this.#allocatorWorks) this.#freedAccess(pa, kind === SINK_WRITE ? "writes" : "reads");
        inner?.access(pa, bytes, kind);
      },
      range: (pa, bytes, kind) => {
        this.#recording.tick();
        inner?.range(pa, bytes, kind);
      },
    };
    ram.sink = own;
    for (const core of this.#machine.cores) {
      const judge = core.budget.observer;
      core.budget.observer = {
        used: (...access) => {
          const [pa, kind, lo, hi] = access;
          judge?.used(...access);
          this.#recording.tick();
          if (core.regime === USER && kind !== FETCH && hi >= 0) this.#user(core.id, pa, kind, lo, hi);
        },
        walked: (...step) => {
          judge?.walked(...step);
          this.#recording.tick();
        },
        filled: (...fill) => {
          const [frame, lo, hi] = fill;
          judge?.filled(...fill);
          this.#recording.tick();
          const page = (lo >>> 12) + (hi >>> 0) * 0x10_0000;
          const what = `TLB fill ${pageText(page)} ${frameText(frame)}`;
          this.#hardware(core.id, core.clock, 4, "fill", what, { page, frame });
        },
      };
    }
  }

  /** The run is over. */
  finish(): void {
    this.#recording.settle();
  }

  /** How many events had been recorded when a core's clock went past a time. */
  placeOf(core: number, time: number): number {
    return this.#recording.placeOf(core, time);
  }

  /** Of the machine: traps, messages, invalidations. */
  event(core: number, time: number, name: string, a: number, b: number): void {
    this.#recording.settle();
    if (name === "ipi") this.#ipi(core, time, a & 0xff, b);
    else if (name === "trap") this.#trap(core, time, a);
    else if (name.startsWith("invalidate:")) this.#invalidates(core, time, name.slice(11), a, b);
    else if (name === "broadcast") this.#broadcasts(core);
    else if (name === "rcu-grace-period") this.#hardware(core, time, 3, "rcu", "grace period ends");
  }

  #invalidates(core: number, time: number, scope: string, a: number, b: number): void {
    const isPage = PAGE_SCOPES.has(scope);
    const page = isPage ? (a >>> 12) + (b >>> 0) * 0x10_0000 : -1;
    const operand = isPage ? ` ${hex(a, b)}` : "";
    if (!TLBI.test(scope)) {
      const what = scope === "CR3" ? `CR3 load drops tag ${a & 0xfff}` : `${scope}${operand}`;
      this.#hardware(core, time, 3, "invalidate", what, { page });
      return;
    }
    const sent = this.#inFlight.accept(core, `TLBI ${scope}IS${operand}`);
    const what =
      sent === null ? `TLBI ${scope}${operand}` : `TLBI ${scope}IS${operand} from core ${sent.from}`;
    this.#hardware(core, time, 2, "invalidate", what, {
      page,
      peer: sent?.from ?? -1,
      flow: sent?.flow ?? 0,
    });
  }

  /** What the core has just invalidated for itself, all others are to invalidate too. */
  #broadcasts(core: number): void {
    const own = this.events.at(-1);
    if (own?.kind !== "invalidate" || own.core !== core) return;
    const what = own.what.replace(/^TLBI \w+/, "$&IS");
    this.events[this.events.length - 1] = { ...own, what, flow: this.#inFlight.send(core, what) };
  }

  get #kernel(): Kernel {
    return this.#machine.kernel as unknown as Kernel;
  }

  get #memory(): Memory {
    return this.#kernel.memory as Memory;
  }

  #kernelEvents(): Partial<KernelObserver> {
    const add = (
      k: Context,
      weight: Weight,
      kind: StoryKind,
      what: string,
      about: Partial<StoryEvent> = {},
    ): Draft => this.#add(k, weight, kind, what, about);
    return {
      syscallEnter: (k, name, call) =>
        this.#begin(
          k,
          1,
          "syscall",
          this.#quietly(() => callText(name, call)),
        ),
      syscallExit: (k, name, _call, result) => this.#end(k, 1, "syscall", `${name} = ${resultText(result)}`),
      trapEnd: (k) => this.#trapEnd(k),
      faultBegin: (k, f) => {
        const access =
          (f.flags & FLAG_WRITE) !== 0 ? "write" : (f.flags & FLAG_FETCH) !== 0 ? "fetch" : "read";
        this.#begin(k, 1, "fault", `${access} fault at ${hex(f.lo, f.hi)}`, { page: f.page });
      },
      userCopyFailed: (k, lo, hi, kind) => add(k, 1, "fault", `${kind} copy fails at ${hex(lo, hi)}`),
      signalForced: (k, { signo, code, lo, hi }) =>
        add(k, 1, "signal", `signal ${signo}, code ${code}, at ${hex(lo, hi)}`),
      mmWriteLocked: (k) => add(k, 2, "lock", "mmap_lock for writing"),
      mmWriteUnlock: (k) => add(k, 2, "lock", "mmap_lock: writer leaves"),
      mmWriteDowngrade: (k) => add(k, 2, "lock", "mmap_lock: writer becomes reader"),
      mmReadLocked: (k) => {
        this.#reads(k, "mmap_lock");
        add(k, 3, "lock", "mmap_lock for reading");
      },
      mmReadUnlock: (k) => add(k, 3, "lock", "mmap_lock: reader leaves"),
      mmCreated: (_k, mm) => this.#words?.addMm(mm),
      pteSet: (k, _mm, page, _slot, oldLo, oldHi, lo, hi) => {
        const { format } = this.#memory;
        const [frameLo, frameHi] = format.isNone(lo, hi) ? [oldLo, oldHi] : [lo, hi];
        const frame = format.isNone(frameLo, frameHi) ? -1 : format.frame(frameLo, frameHi);
        const change = `${pteText(this.#memory, oldLo, oldHi)} -> ${pteText(this.#memory, lo, hi)}`;
        add(k, 2, "memory", `pte ${pageText(page)}: ${change}`, { page, frame });
      },
      tableLinked: (k, _mm, _slot, frame) =>
        add(k, 2, "memory", `links table ${frameText(frame)}`, { frame }),
      tableFreed: (k, frame) => {
        add(k, 2, "memory", `frees table ${frameText(frame)}`, { frame });
        this.#freed.addFrame(frame);
      },
      flushBegin: (k, _mm, start, end, tables) => {
        const what = `flush ${rangeText(start, end)}${tables === "tables-freed" ? ", tables" : ""}`;
        this.#begin(k, 2, "flush", what, { page: end === 0 ? -1 : start });
      },
      flushEnd: (k, _mm, start, end) => this.#end(k, 2, "flush", `flush ${rangeText(start, end)} done`),
      barrierWaits: (k, name) => this.#begin(k, 2, "wait", `waits in ${name}`),
      barrierDone: (k, name) => {
        const waits = this.#spans.innermost(k)?.what === `waits in ${name}`;
        if (waits) this.#end(k, 2, "wait", `${name} done`);
        else add(k, 2, "invalidate", name);
      },
      lockContended: (k, at, cls) => {
        const last = this.events.at(-1);
        // It was announced, and is not held.
        if (last?.core === k.cpu.id && last.what === `locks ${lockText(at, cls)}`) this.events.pop();
        const locks = lockState(k, this.#recording.readersOf(k), "without-last");
        this.#begin(k, 2, "wait", `waits for ${lockText(at, cls)}`, { locks });
      },
      lockGranted: (k, at, cls) => this.#end(k, 2, "wait", `gets ${lockText(at, cls)}`),
      lockAcquired: (k, at, cls, kind) => this.#lock(k, at, cls, kind),
      lockReleased: (k, at, cls, kind) => {
        if (cls.name === "ptlock") add(k, 3, "lock", `unlocks ${lockText(at, cls)}`);
        if (kind === "downgrade") this.#recording.readersOf(k).add(at >>> 0);
        else this.#recording.readersOf(k).delete(at >>> 0);
      },
      objectFreed: (k, cache, at, bytes) => {
        const weight = cache === "vm_area_struct" ? 2 : 3;
        if (CACHES.has(cache)) add(k, weight, "memory", `frees ${cache} ${(at >>> 0).toString(16)}`);
        this.#freed.addObject(at >>> 0, bytes, cache, this.events.length);
        if (cache === "vm_area_struct") this.#words?.removeVma(at);
      },
      objectAllocated: (k, cache, at, bytes) => {
        this.#freed.reuseObject(at >>> 0, bytes);
        if (cache !== "vm_area_struct") return;
        this.#words?.addVma(at);
        add(k, 3, "memory", `gets ${cache} ${(at >>> 0).toString(16)}`);
      },
      allocatorBegin: () => {
        this.#allocatorWorks = true;
      },
      allocatorEnd: () => {
        this.#allocatorWorks = false;
      },
      frameFreed: (k, frame) => {
        const last = this.events.at(-1);
        if (last?.core === k.cpu.id && last.frame === frame && last.what.startsWith("frees table")) return;
        add(k, 2, "memory", `frees frame ${frameText(frame)}`, { frame });
      },
      frameAllocated: (k, frame) => {
        this.#freed.removeFrame(frame);
        add(k, 3, "memory", `gets frame ${frameText(frame)}`, { frame });
      },
      rcuReadLock: (k) => {
        this.#sections.set(k, this.events.length);
        add(k, 4, "rcu", "rcu_read_lock");
      },
      rcuReadUnlock: (k) => {
        this.#sections.delete(k);
        add(k, 4, "rcu", "rcu_read_unlock");
      },
      rcuQueued: (k, name) => add(k, 3, "rcu", `call_rcu(${name})`),
      rcuCallback: (k, name) => add(k, 3, "rcu", `grace period over: ${name}`),
      contextSwitch: (k, prev, next) => {
        const [from, to] = [prev, next].map((task) => (task.idle ? "idle" : `pid ${task.pid}`));
        add(k, 2, "switch", `${from} -> ${to}`);
      },
      assertionFailed: (k, text) => add(k, 1, "assertion", text.split("\n")[0]!),
    };
  }

  #lock(k: Context, at: KPtr, cls: LockClass, kind: AcquireKind): void {
    this.#recording.readersOf(k).delete(at >>> 0);
    // Of the per-core rwsem only the reading side is tried.
    if (kind === "shared" || (kind === "trylock" && cls.name === "mmu_notifier_lock")) {
      this.#recording.readersOf(k).add(at >>> 0);
    }
    if (cls.name !== "ptlock") return;
    this.#add(k, 3, "lock", `${kind === "trylock" ? "trylock" : "locks"} ${lockText(at, cls)}`);
  }

  /** The lock of this name that was taken last is held for reading. */
  #reads(k: Context, name: string): void {
    for (let slot = k.held.count - 1; slot >= 0; slot--) {
      if (k.held.classes[slot]!.name !== name) continue;
      this.#recording.readersOf(k).add(k.held.at[slot]! >>> 0);
      return;
    }
  }

  #interruptName(number: number): string {
    return this.#kernel.arch.entry.interruptName(number);
  }

  #trap(core: number, time: number, word: number): void {
    const { kind, number, text } = this.#machine.model.readTrap(word);
    if (kind === "exception") this.#hardware(core, time, 1, "trap", text);
    if (kind !== "interrupt") return;
    const span = this.#spans.next();
    const sent = this.#interrupts.accept(core, number, span);
    const from = sent === null ? "" : ` from core ${sent.from}`;
    this.#hardware(core, time, 2, "interrupt", `accepts ${this.#interruptName(number)}${from}`, {
      phase: "begin",
      span,
      peer: sent?.from ?? -1,
      flow: sent?.flow ?? 0,
    });
  }

  #ipi(core: number, time: number, vector: number, target: number): void {
    const flow = this.#interrupts.send(core, target, vector);
    const what = `sends ${this.#interruptName(vector)} to core ${target}`;
    this.#hardware(core, time, 2, "ipi", what, { peer: target, flow });
  }

  /** A load or store in user mode: by which translation, and is that what the tables say? */
  #user(core: number, pa: number, kind: number, lo: number, hi: number): void {
    const cpu = this.#machine.cores[core]!;
    const pc = (BigInt(cpu.state[PC + 1]! >>> 0) << 32n) | BigInt(cpu.state[PC]! >>> 0);
    const where = this.#program?.symbols.at(pc)?.symbol.name ?? "";
    if (where.startsWith("scenario_park")) return;
    const verb = kind === WRITE ? "stores" : "loads";
    const page = (lo >>> 12) + (hi >>> 0) * 0x10_0000;
    const frame = Math.floor(pa / 4096);
    const stale = this.#staleness(core, page, frame, kind === WRITE ? "write" : "read");
    const what = `${verb} ${hex(lo, hi)} ${frameText(frame)}${stale === null ? "" : `, STALE: pte ${stale}`}`;
    this.#hardware(core, cpu.clock, stale === null ? 4 : 1, "user", what, { where, page, frame });
  }

  /** What the tables say instead, or null: the same. */
  #staleness(core: number, page: number, frame: number, access: "read" | "write"): string | null {
    const mm = this.#kernel.current[core]?.task?.mm;
    if (mm === undefined || mm === 0) return null;
    return this.#quietly(() => {
      const { format, ram } = this.#memory;
      const slot = findPteSlot(this.#memory, mm, page);
      const lo = slot === NO_SLOT ? 0 : ram.read32(slot);
      const hi = slot === NO_SLOT ? 0 : ram.read32(slot + 4);
      const agrees =
        !format.isNone(lo, hi) &&
        format.frame(lo, hi) === frame &&
        (access === "read" || format.isWritable(lo, hi));
      return agrees ? null : pteText(this.#memory, lo, hi);
    });
  }

  /** A word that decides races is read, or about to be written. */
  #word(pa: number, kind: "read" | "write"): void {
    const k = this.#kernel.current[this.#machine.running.id];
    const words = this.#words!;
    if (k === undefined) return;
    const word = words.of(pa);
    if (kind === "read") {
      const last = this.events.at(-1);
      const what = `reads ${word.name}: ${words.value(word)}`;
      // A reader that holds the lock that guards the word learns nothing.
      const weight = word.readWeight(k);
      if (last === undefined || last.core !== k.cpu.id || last.what !== what)
        this.#add(k, weight, "word", what);
      return;
    }
    // The first words of a VMA that waits for its grace period are an rcu_head.
    if (kernelFunction() === "overlayRcuHead") return;
    const before = words.value(word);
    // The read of a read-modify-write says nothing.
    const last = this.events.at(-1);
    if (last?.core === k.cpu.id && last.time === k.cpu.clock && last.what.startsWith(`reads ${word.name}:`)) {
      this.events.pop();
    }
    const event = this.#add(k, word.writeWeight, "word", "");
    this.#recording.completeLater(() => {
      event.what = `${word.name}: ${before} -> ${words.value(word)}`;
    });
  }

  /** Something that was freed is used. */
  #freedAccess(pa: number, verb: "reads" | "writes"): void {
    const k = this.#kernel.current[this.#machine.running.id];
    if (k === undefined) return;
    const name = this.#freed.nameAt(pa, this.#sections.get(k) ?? null);
    if (name === null) return;
    const what = `${verb} FREED ${name}`;
    const last = this.events.at(-1);
    if (last?.core !== k.cpu.id || last.what !== what) {
      this.#add(k, 1, "memory", what, { frame: Math.floor(pa / 4096) });
    }
  }

  #trapEnd(k: Context): void {
    const core = k.cpu.id;
    // What has no call or fault to end is an interrupt's handler.
    if (this.#interrupts.isHandled(core) && (this.#spans.innermost(k)?.depth ?? 0) <= k.traps.length) {
      const span = this.#interrupts.end(core);
      this.#add(k, 4, "interrupt", "interrupt handled", { phase: "end", span, where: "" });
    }
    for (let open = this.#spans.innermost(k); open !== undefined && open.depth > k.traps.length; ) {
      const { kind, what } = open;
      const isFault = kind === "fault";
      this.#end(k, isFault ? 2 : 1, kind, isFault ? `${what.replace(/ at.*/, "")} done` : `${what} left`);
      open = this.#spans.innermost(k);
    }
  }

  #begin(
    k: Context,
    weight: Weight,
    kind: OpenSpan["kind"],
    what: string,
    about: Partial<StoryEvent> = {},
  ): void {
    const span = this.#spans.begin(k, kind, what);
    this.#add(k, weight, kind, what, { ...about, phase: "begin", span });
  }

  #end(k: Context, weight: Weight, kind: OpenSpan["kind"], what: string): void {
    const span = this.#spans.end(k, kind);
    this.#add(k, weight, kind, what, { phase: span === 0 ? "moment" : "end", span });
  }

  #add(k: Context, weight: Weight, kind: StoryKind, what: string, about: Partial<StoryEvent> = {}): Draft {
    return this.#recording.add(k, weight, kind, what, about);
  }

  #hardware(
    core: number,
    time: number,
    weight: Weight,
    kind: StoryKind,
    what: string,
    about: Partial<StoryEvent> = {},
  ): void {
    this.#recording.hardware(core, time, weight, kind, what, about);
  }

  /** Reads memory behind the oracle's back. */
  #quietly<T>(read: () => T): T {
    const ram = this.#machine.ram as ObservedMemory;
    const { sink } = ram;
    ram.sink = null;
    const result = read();
    ram.sink = sink;
    return result;
  }
}
