/**
 * What happened in a run, event by event, for people: recorded while a schedule is replayed, never in a campaign. The
 * kernel function in which an event happened is read from the host's call stack, which a replay can afford; lock state
 * is lockdep's. Nothing that is recorded changes the run.
 */
import type { Machine } from "../../emu/machine.ts";
import type { TraceSink } from "../../emu/trace.ts";
import type {
  AcquireKind,
  Context,
  KernelObserver,
  KPtr,
  LockClass,
  Memory,
  Syscall,
} from "../../kernel/index.ts";
import { vaOfPage } from "../oracle/violation.ts";

/** How much an event says: 1 what the threads did, 2 what the kernel changed, 3 how it got there. */
export type Weight = 1 | 2 | 3;

export interface StoryEvent {
  readonly core: number;
  /** Virtual time of the core, in cycles. */
  readonly time: number;
  readonly weight: Weight;
  /** Begin and end of something that lasts, or a moment; with `what` the same at both ends. */
  readonly phase: "begin" | "end" | "moment";
  /** Kind of thing, for tools: syscall, fault, lock, flush, ipi, invalidate, switch, memory. */
  readonly kind: string;
  /** Kernel function, or "" in user mode and hardware. */
  readonly where: string;
  readonly what: string;
  readonly pid: number;
  /** Locks held, outermost first. */
  readonly locks: string;
  /** The core that an interprocessor interrupt goes to, or -1. */
  readonly target: number;
}

/** Events of one run; a run that never ends is cut. */
const MAX_EVENTS = 100_000;
/** Functions that only pass an event on. */
const PLUMBING: ReadonlySet<string> = new Set([
  "lockAcquired",
  "lockReleased",
  "releaseInner",
  "lockGranted",
  "spinAcquire",
  "spinTrylock",
  "spinLockSlow",
  "spinLock",
  "spinUnlock",
  "spinLockIrqsave",
  "spinUnlockIrqrestore",
  "Gather.notePte",
  "setPte",
  "pteSet",
]);
const RAW_ARGUMENTS: Readonly<Record<string, number>> = {
  mmap: 4,
  munmap: 2,
  mprotect: 3,
  mremap: 5,
  madvise: 3,
  brk: 1,
  futex: 3,
  clone: 1,
  wait4: 1,
  exit_group: 1,
  nanosleep: 0,
};

export class StoryRecorder implements TraceSink {
  readonly events: StoryEvent[] = [];
  readonly observer: Partial<KernelObserver>;
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.observer = {
      syscallEnter: (k, name, call) => this.#add(k, 1, "begin", "syscall", callText(name, call)),
      syscallExit: (k, name, call, result) =>
        this.#add(k, 1, "end", "syscall", `${callText(name, call)} = ${resultText(result)}`),
      faultBegin: (k, f) => {
        const access = (f.flags & 1) !== 0 ? "write" : "read";
        this.#add(k, 1, "moment", "fault", `${access} fault at ${vaOfPage(f.page)}`);
      },
      userCopyFailed: (k, lo, hi, kind) =>
        this.#add(k, 2, "moment", "fault", `${kind} copy fails at ${hex(lo, hi)}`),
      signalForced: (k, signal) =>
        this.#add(
          k,
          1,
          "moment",
          "signal",
          `signal ${signal.signo} code ${signal.code} at ${hex(signal.lo, signal.hi)}`,
        ),
      mmWriteLocked: (k) => this.#add(k, 2, "moment", "lock", "mmap_lock taken for writing"),
      mmWriteUnlock: (k) => this.#add(k, 2, "moment", "lock", "mmap_lock released from writing"),
      mmWriteDowngrade: (k) => this.#add(k, 2, "moment", "lock", "mmap_lock downgraded to reading"),
      mmReadLocked: (k) => this.#add(k, 3, "moment", "lock", "mmap_lock taken for reading"),
      mmReadUnlock: (k) => this.#add(k, 3, "moment", "lock", "mmap_lock released from reading"),
      pteSet: (k, _mm, page, _slot, oldLo, oldHi, lo, hi) =>
        this.#add(
          k,
          2,
          "moment",
          "memory",
          `pte ${vaOfPage(page)}: ${this.#pte(oldLo, oldHi)} -> ${this.#pte(lo, hi)}`,
        ),
      tableLinked: (k, _mm, _slot, frame) =>
        this.#add(k, 2, "moment", "memory", `table page ${frameText(frame)} linked`),
      tableFreed: (k, frame) => this.#add(k, 2, "moment", "memory", `table page ${frameText(frame)} freed`),
      flushBegin: (k, _mm, start, end) => this.#add(k, 2, "begin", "flush", `flush ${rangeText(start, end)}`),
      flushEnd: (k, _mm, start, end) =>
        this.#add(k, 2, "end", "flush", `flush ${rangeText(start, end)} done`),
      lockContended: (k, at, cls) => this.#add(k, 3, "begin", "wait", `waits for ${lockText(at, cls)}`),
      lockGranted: (k, at, cls) => this.#add(k, 3, "end", "wait", `gets ${lockText(at, cls)}`),
      lockAcquired: (k, at, cls, kind) => this.#lock(k, at, cls, kind),
      lockReleased: (k, at, cls) => {
        if (cls.name === "ptlock") this.#add(k, 3, "moment", "lock", `unlocks ${lockText(at, cls)}`);
      },
      objectFreed: (k, cache, at) => {
        if (cache !== "vm_area_struct") return;
        this.#add(k, 2, "moment", "memory", `${cache} ${at.toString(16)} freed`);
      },
      frameFreed: (k, frame) => this.#add(k, 2, "moment", "memory", `frame ${frameText(frame)} freed`),
      frameAllocated: (k, frame) =>
        this.#add(k, 3, "moment", "memory", `frame ${frameText(frame)} allocated`),
      rcuCallback: (k, name) => this.#add(k, 2, "moment", "rcu", `grace period over: ${name}`),
      contextSwitch: (k, prev, next) =>
        this.#add(
          k,
          1,
          "moment",
          "switch",
          `pid ${prev.pid} gives way to ${next.idle ? "idle" : `pid ${next.pid}`}`,
        ),
      assertionFailed: (k, text) => this.#add(k, 1, "moment", "assertion", text.split("\n")[0]!),
    };
  }

  /** Of the machine: traps, messages, invalidations. */
  event(core: number, time: number, name: string, a: number, b: number): void {
    if (name === "ipi") this.#hardware(core, time, 2, "ipi", `sends interrupt ${(a & 0xff).toString()}`, b);
    else if (name === "trap") {
      const vector = a & 0xff;
      if (vector >= 32) this.#hardware(core, time, 2, "interrupt", `accepts interrupt ${vector}`, -1);
      else if (vector !== 14) this.#hardware(core, time, 1, "trap", `exception ${vector}`, -1);
    } else if (name.startsWith("invalidate:")) {
      this.#hardware(
        core,
        time,
        2,
        "invalidate",
        `${name.slice(11)} ${a === 0 && b === 0 ? "" : hex(a, b)}`.trim(),
        -1,
      );
    } else if (name === "rcu-grace-period") this.#hardware(core, time, 3, "rcu", "grace period ends", -1);
  }

  #lock(k: Context, at: KPtr, cls: LockClass, kind: AcquireKind): void {
    if (cls.name !== "ptlock") return;
    this.#add(k, 3, "moment", "lock", `${kind === "trylock" ? "trylocks" : "locks"} ${lockText(at, cls)}`);
  }

  #add(k: Context, weight: Weight, phase: StoryEvent["phase"], kind: string, what: string): void {
    this.#push({
      core: k.cpu.id,
      time: k.cpu.clock,
      weight,
      phase,
      kind,
      where: kernelFunction(),
      what,
      pid: k.task?.pid ?? 0,
      locks: locksOf(k),
      target: -1,
    });
  }

  #hardware(core: number, time: number, weight: Weight, kind: string, what: string, target: number): void {
    const k = (this.#machine.kernel as unknown as { current: Context[] }).current[core];
    const pid = k?.task?.pid ?? 0;
    this.#push({ core, time, weight, phase: "moment", kind, where: "", what, pid, locks: "", target });
  }

  #push(event: StoryEvent): void {
    if (this.events.length < MAX_EVENTS) this.events.push(event);
  }

  /** An entry as frame and rights. */
  #pte(lo: number, hi: number): string {
    const { format, zeroFrame } = (this.#machine.kernel as unknown as { memory: Memory }).memory;
    if (format.isNone(lo, hi)) return "none";
    const frame = format.frame(lo, hi);
    const rights = format.isProtNone(lo, hi) ? "none" : format.isWritable(lo, hi) ? "rw" : "r";
    const dirty = format.isDirty(lo, hi) ? " dirty" : "";
    return `${frame === zeroFrame ? "zero page" : frameText(frame)} ${rights}${dirty}`;
  }
}

function kernelFunction(): string {
  const lines = (new Error().stack ?? "").split("\n");
  for (let at = 4; at < lines.length; at++) {
    const match = /^\s*at (?:async )?(?:Generator\.)?([\w.#$]+) \(/.exec(lines[at]!);
    if (match === null) continue;
    const name = match[1]!
      .replace(/\$\d+/g, "")
      .replace(/\.next$/, "")
      .replace(/^(Object|#)\.?/, "");
    if (!PLUMBING.has(name) && name !== "next") return name;
  }
  return "";
}

function locksOf(k: Context): string {
  const names: string[] = [];
  for (let slot = 0; slot < k.held.count; slot++) names.push(k.held.classes[slot]!.name);
  return names.join(" ");
}

function lockText(at: KPtr, cls: LockClass): string {
  return `${cls.name}@${at.toString(16)}`;
}

function callText(name: string, call: Syscall): string {
  const count = RAW_ARGUMENTS[name] ?? 0;
  const values = Array.from({ length: count }, (_, index) => hex(call.lo(index), call.hi(index)));
  return `${name}(${values.join(", ")})`;
}

function resultText(result: number): string {
  return result >= 4096 ? `0x${result.toString(16)}` : String(result);
}

function rangeText(start: number, end: number): string {
  return end === 0 ? "everything" : `${vaOfPage(start)}..${vaOfPage(end)}`;
}

function frameText(frame: number): string {
  return `#${frame.toString(16)}`;
}

function hex(lo: number, hi: number): string {
  return `0x${((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)).toString(16)}`;
}
