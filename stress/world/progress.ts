/**
 * Why nothing goes on: who waits for whom. A core that cannot take a step waits for a word, a lock's or that of a
 * cross call's record, or for an interrupt; a task that sleeps waits for a lock's owner or for a wake-up. Followed from one
 * to the next, the edges end in a cycle, or with somebody who waits for nothing that will come.
 */
import type { Core } from "../../emu/cores/index.ts";
import type { Machine } from "../../emu/machine.ts";
import { type Context, heldLocksText, type Kernel, type KPtr, type LockClass } from "../../kernel/index.ts";

/** What a context waits for, and whom: `on` is a core, a task, or null if nobody will come. */
interface Wait {
  /** The same words in every run. */
  readonly what: string;
  /** With numbers. */
  readonly text: string;
  readonly on: Context | null;
}

/** The lock that a context announced and has not got yet. */
export interface Contended {
  readonly at: KPtr;
  readonly cls: LockClass;
}

export interface Standstill {
  /** The kinds of waits of the cycle, in an order that does not depend on who came first. */
  readonly what: string;
  /** One line per wait, then everybody's state. */
  readonly text: string;
}

export function standstill(
  machine: Machine,
  kernel: Kernel,
  end: "blocked" | "stalled",
  contended: ReadonlyMap<Context, Contended>,
): Standstill {
  const headline = end === "blocked" ? "deadlock" : "no end under a fair order";
  const cycle = waitCycle(machine, kernel, contended);
  const kinds = [...new Set(cycle.map((wait) => wait.what))].sort();
  const lines = [
    `${headline}${cycle.length === 0 ? "" : ":"}`,
    ...cycle.map((wait) => wait.text),
    ...machine.cores.map((core) => coreText(core, kernel)),
  ];
  for (const task of kernel.sched.tasks()) {
    if (!task.queued) lines.push(`pid ${task.pid} sleeps; ${locksText(task.context)}`);
  }
  const { pendingCallbacks } = kernel.rcu;
  if (pendingCallbacks > 0) lines.push(`${pendingCallbacks} callbacks wait for a grace period`);
  return { what: kinds.length === 0 ? headline : `${headline}: ${kinds.join(", ")}`, text: lines.join("\n") };
}

/** Follows the waits from each core in turn until one comes back to where it was; else the longest chain. */
function waitCycle(
  machine: Machine,
  kernel: Kernel,
  contended: ReadonlyMap<Context, Contended>,
): readonly Wait[] {
  let longest: Wait[] = [];
  for (const core of machine.cores) {
    const seen = new Map<Context, number>();
    const chain: Wait[] = [];
    for (let at: Context | null = kernel.current[core.id]!; at !== null; ) {
      const first = seen.get(at);
      if (first !== undefined) return chain.slice(first);
      seen.set(at, chain.length);
      const wait = waitOf(at, machine, kernel, contended.get(at) ?? null);
      if (wait === null) break;
      chain.push(wait);
      at = wait.on;
    }
    if (chain.length > longest.length) longest = chain;
  }
  return longest;
}

function waitOf(k: Context, machine: Machine, kernel: Kernel, contended: Contended | null): Wait | null {
  const name = contextName(k, kernel);
  const core = machine.cores[k.cpu.id]!;
  const isRunning = kernel.current[core.id] === k;
  if (isRunning && core.waiting) return spinWait(k, core, name, kernel);
  if (contended === null) return null;
  const owner = ownerOf(contended.at, kernel, k);
  const by = owner === null ? "nobody" : contextName(owner, kernel);
  return {
    what: `sleeps for ${contended.cls.name}`,
    text: `${name} sleeps for ${contended.cls.name}@${contended.at.toString(16)}, held by ${by}`,
    on: owner,
  };
}

function spinWait(k: Context, core: Core, name: string, kernel: Kernel): Wait {
  if (core.atBarrier) return barrierWait(core, name, kernel);
  const word = core.waitAddress;
  for (let target = 0; target < kernel.platform.cpus.length; target++) {
    const record = kernel.crossCalls.record(core.id, target);
    if (word < record || word >= record + 32) continue;
    const other = kernel.current[target]!;
    const masked = other.cpu.interruptsEnabled() ? "" : ", which has interrupts masked";
    return {
      what:
        masked === ""
          ? "waits for an acknowledgement"
          : "waits for an acknowledgement of a core with interrupts masked",
      text: `${name} waits for the acknowledgement of core ${target}${masked}`,
      on: other,
    };
  }
  const owner = ownerOf(word as KPtr, kernel, k);
  const cls = owner === null ? null : classOf(owner, word);
  const lock = cls === null ? `the word at 0x${word.toString(16)}` : `${cls}@${word.toString(16)}`;
  return {
    what: `spins for ${cls ?? "a word"}`,
    text: `${name} spins for ${lock}, held by ${owner === null ? "nobody" : contextName(owner, kernel)}`,
    on: owner,
  };
}

/** A core that does not carry out what was broadcast to it, or is inside an access that it began before. */
function barrierWait(core: Core, name: string, kernel: Kernel): Wait {
  const target = core.broadcasts!.awaited;
  return {
    what: "waits for the effect of a broadcast",
    text: `${name} waits until core ${target} has carried out what it broadcast`,
    on: kernel.current[target] ?? null,
  };
}

/** The context that holds a lock: of those that announced it, the one that does not wait for it. */
function ownerOf(at: KPtr, kernel: Kernel, except: Context): Context | null {
  for (const k of contexts(kernel)) if (k !== except && classOf(k, at) !== null) return k;
  return null;
}

function* contexts(kernel: Kernel): Generator<Context> {
  for (const k of kernel.current) yield k;
  for (const task of kernel.sched.tasks()) yield task.context;
}

/** Name of the class under which a context holds the lock at an address; null: it does not. */
function classOf(k: Context, at: number): string | null {
  for (let slot = 0; slot < k.held.count; slot++) {
    if (k.held.at[slot]! >>> 0 === at) return k.held.classes[slot]!.name;
  }
  return null;
}

function contextName(k: Context, kernel: Kernel): string {
  const who = k.task === null ? "no task" : k.task.idle ? "idle" : `pid ${k.task.pid}`;
  return kernel.current[k.cpu.id] === k ? `core ${k.cpu.id} (${who})` : who;
}

function coreText(core: Core, kernel: Kernel): string {
  const k = kernel.current[core.id]!;
  const state = core.waiting ? waitText(core) : core.phase;
  const masked = core.interruptsEnabled() ? "" : ", interrupts masked";
  const pending =
    core.interrupts.nextMessageTime < Number.POSITIVE_INFINITY ? ", a message is in flight" : "";
  return `${contextName(k, kernel)}: ${state}${masked}${pending}; ${locksText(k)}`;
}

function waitText(core: Core): string {
  if (core.atBarrier) return `waits for core ${core.broadcasts!.awaited} at a barrier`;
  return `waits for the word at 0x${core.waitAddress.toString(16)}`;
}

function locksText(k: Context): string {
  return heldLocksText(k).replaceAll("\n", "");
}
