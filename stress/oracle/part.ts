/**
 * A part of the oracle, and how the parts of one world hear of the run. A part is told of kernel events by the methods of
 * KernelObserver that it has; the fan calls, for each event, only the parts that listen to it.
 */
import type { Kernel, KernelObserver, Memory } from "../../kernel/index.ts";
import type { AccessSink, ObservedMemory } from "../../mmu/index.ts";
import type { Report } from "./violation.ts";

/** What a part judges. */
export interface OracleWorld {
  readonly kernel: Kernel;
  readonly memory: Memory;
  readonly report: Report;
}

export interface OraclePart {
  readonly name: string;
  /** The kernel events that it listens to. */
  readonly events: Partial<KernelObserver>;
  /** The start state is reached: what is known now is where every run begins. */
  mark(): void;
  /** The machine was restored to the start state. Costs what was touched since. */
  start(): void;
  /**
   * The run is over.
   * @param state "parked": every task is in user mode; "off": the machine has powered off; "stopped": anything else
   */
  atEnd?(state: EndState): void;
}

export type EndState = "parked" | "off" | "stopped";

type Method = (...args: unknown[]) => void;

const METHODS = [
  "syscallEnter",
  "syscallExit",
  "trapEnd",
  "faultBegin",
  "userCopyFailed",
  "signalForced",
  "mmWriteLocked",
  "mmWriteUnlock",
  "mmWriteDowngrade",
  "mmReadLocked",
  "mmReadUnlock",
  "mmCreated",
  "mmForked",
  "mmExit",
  "pteSet",
  "tableLinked",
  "tableFreed",
  "flushBegin",
  "flushEnd",
  "barrierWaits",
  "barrierDone",
  "lockAcquired",
  "lockContended",
  "lockGranted",
  "lockReleased",
  "slabGrown",
  "objectAllocated",
  "objectFreed",
  "allocatorBegin",
  "allocatorEnd",
  "frameAllocated",
  "frameFreed",
  "rcuReadLock",
  "rcuReadUnlock",
  "rcuQueued",
  "rcuCallback",
  "rcuPolled",
  "rcuQuiescent",
  "gracePeriodEnd",
  "seqReadBegin",
  "seqReadRetry",
  "taskWoken",
  "contextSwitch",
  "assertionFailed",
] as const satisfies readonly (keyof KernelObserver)[];

/** Every event is forwarded: a name that is missing above does not compile. */
type Missing = Exclude<keyof KernelObserver, (typeof METHODS)[number]>;
const complete: Missing extends never ? true : never = true;

/** One observer for several parts, called in their order; an event that nobody listens to costs an empty call. */
export function observerOf(listeners: readonly Partial<KernelObserver>[]): KernelObserver {
  const methods: Record<string, Method> = {};
  for (const name of METHODS) {
    const called: Method[] = [];
    for (const listener of listeners) {
      const method = listener[name] as Method | undefined;
      if (method !== undefined) called.push(method.bind(listener));
    }
    methods[name] = together(called);
  }
  if (!complete) throw new Error("observerOf: an event is not forwarded");
  return methods as unknown as KernelObserver;
}

/** Listeners whose own looks at memory are no accesses of kernel code: nobody hears of them. */
export function quietly(ram: ObservedMemory, events: Partial<KernelObserver>): Partial<KernelObserver> {
  const methods: Record<string, Method> = {};
  for (const name of METHODS) {
    const method = (events[name] as Method | undefined)?.bind(events);
    if (method === undefined) continue;
    methods[name] = (a, b, c, d, e, f, g, h) => {
      const { sink } = ram;
      ram.sink = null;
      method(a, b, c, d, e, f, g, h);
      ram.sink = sink;
    };
  }
  return methods as Partial<KernelObserver>;
}

/** What kernel code accesses, for every part that listens to it; null: none does. */
export function sinkOf(parts: readonly OraclePart[]): AccessSink | null {
  const sinks = parts.filter((part): part is OraclePart & AccessSink => "range" in part);
  const [first, second] = sinks;
  if (first === undefined) return null;
  if (second === undefined) return first;
  if (sinks.length > 2) throw new Error("sinkOf: more than two parts listen to accesses");
  return {
    access: (pa, bytes, kind) => {
      first.access(pa, bytes, kind);
      second.access(pa, bytes, kind);
    },
    range: (pa, bytes, kind) => {
      first.range(pa, bytes, kind);
      second.range(pa, bytes, kind);
    },
  };
}

/** The longest event has eight arguments; passing them by name allocates nothing. */
function together(called: readonly Method[]): Method {
  const [first, second] = called;
  if (called.length === 0) return () => {};
  if (called.length === 1) return first!;
  if (called.length === 2) {
    return (a, b, c, d, e, f, g, h) => {
      first!(a, b, c, d, e, f, g, h);
      second!(a, b, c, d, e, f, g, h);
    };
  }
  return (a, b, c, d, e, f, g, h) => {
    for (let index = 0; index < called.length; index++) called[index]!(a, b, c, d, e, f, g, h);
  };
}
