/**
 * Cross calls: a core makes others run a function (kernel/smp.c). Every core has a queue of call records in guest RAM;
 * a record (call_single_data) belongs to a pair of cores, is locked by the sender and unlocked by the receiver: after
 * the function if the sender waits for it, before it otherwise.
 */
import type { Context, Work } from "./context.ts";
import { COST_ACCESS, COST_ATOMIC } from "./costs.ts";
import { CpuSet } from "./cpu-set.ts";
import { PERCPU, percpuOf } from "./percpu.ts";
import { type I32Field, type KPtr, kptrOf, NULL, type PtrField, StructLayout } from "./struct.ts";

declare const callKind: unique symbol;
/** Registered function of cross calls; a number, so that a record in guest RAM can hold it. */
export type CallKind = number & { readonly [callKind]: true };
/** Runs on the target in its interrupt handler, interrupts off. */
export type CallFunction = (k: Context, arg: KPtr) => Work;

const CSD = new StructLayout("call_single_data");
const csdNext: PtrField = CSD.ptr("llist.next", "queue");
const csdFlags: I32Field = CSD.i32("flags", "marked");
const csdKind: I32Field = CSD.i32("func", "flags");
const csdArg: PtrField = CSD.ptr("info", "flags");
const CSD_BYTES = 32;

const CSD_LOCK = 1;
/** The sender waits: unlock after the function. */
const CSD_SYNC = 0x10;

/** The newest record of the core's queue (call_single_queue). */
const queueHead: PtrField = PERCPU.ptr("call_single_queue", "atomic");

/** How long a sender waits: until the targets have finished, or not at all. */
export interface CallOptions {
  readonly wait: "wait" | "no-wait";
}

export interface SendOptions extends CallOptions {
  /** A core is called only if this holds when its turn comes (on_each_cpu_cond_mask). Preceded by a point. */
  readonly condition?: (k: Context, cpu: number) => boolean;
}

export class CrossCalls {
  readonly #functions: CallFunction[] = [];
  readonly #names: string[] = [];
  /** By sender: cores to interrupt (cpumask_ipi), filled anew by each call. */
  readonly #toInterrupt: CpuSet[] = [];
  #base = 0;
  #cores = 0;

  /** Registers a function; at start-up, in a fixed order. */
  register(name: string, fn: CallFunction): CallKind {
    this.#functions.push(fn);
    this.#names.push(name);
    return (this.#functions.length - 1) as CallKind;
  }

  /** Bytes of all records of a machine. */
  static bytes(cores: number): number {
    return cores * cores * CSD_BYTES;
  }

  /** @param base zeroed memory of CrossCalls.bytes() */
  initialize(base: number, cores: number): void {
    this.#base = base;
    this.#cores = cores;
    for (let core = 0; core < cores; core++) this.#toInterrupt.push(new CpuSet());
  }

  /** A sender's scratch set. Own core, preemption off. @hot */
  toInterrupt(from: number): CpuSet {
    return this.#toInterrupt[from]!;
  }

  /** The record for calls from one core to another. @hot */
  record(from: number, to: number): KPtr {
    return kptrOf(this.#base + (from * this.#cores + to) * CSD_BYTES);
  }

  functionOf(kind: number): CallFunction {
    return this.#functions[kind]!;
  }

  nameOf(kind: number): string {
    return this.#names[kind] ?? `kind ${kind}`;
  }
}

/**
 * smp_call_function_many(): runs `kind` with `arg` on every core of `cpus` but this one. Interrupts must be on: the
 * targets may be waiting for us with theirs on, or we for a target whose call is for us.
 */
export function* smpCallFunctionMany(
  k: Context,
  cpus: CpuSet,
  kind: CallKind,
  arg: KPtr,
  options: CallOptions,
): Work {
  k.atomicDepth++;
  yield* sendCalls(k, cpus, kind, arg, options);
  if (options.wait === "wait") yield* waitForCalls(k, cpus);
  k.atomicDepth--;
}

/**
 * The first half of smp_call_function_many(): every record is queued, then the cores whose queue was empty are
 * interrupted. What the sender does itself comes between the halves (SCF_RUN_LOCAL). Preemption off.
 * @param cpus cores that fail the condition of `options` are taken out
 */
export function* sendCalls(k: Context, cpus: CpuSet, kind: CallKind, arg: KPtr, options: SendOptions): Work {
  const self = k.cpu.id;
  if (!k.cpu.interruptsEnabled()) {
    k.kernel.assertionFailed(
      k,
      "call-interrupts-off",
      "WARNING: smp_call_function_many with interrupts off can deadlock",
    );
  }
  const condition = options.condition ?? null;
  const toInterrupt = k.kernel.crossCalls.toInterrupt(self);
  toInterrupt.clear();
  let interrupts = 0;
  for (let cpu = nextTarget(cpus, 0, self); cpu >= 0; cpu = nextTarget(cpus, cpu + 1, self)) {
    if (condition !== null) {
      if (k.point(COST_ACCESS)) yield;
      if (!condition(k, cpu)) {
        cpus.delete(cpu);
        continue;
      }
    }
    const record = k.kernel.crossCalls.record(self, cpu);
    if (k.point(COST_ACCESS)) yield;
    while (isLocked(k, record)) yield;
    fillRecord(k, record, kind, arg, options);
    if (k.point(COST_ATOMIC)) yield;
    if (!addToQueue(k, cpu, record)) continue;
    toInterrupt.add(cpu);
    interrupts++;
  }
  const vector = interrupts === 1 ? "single" : "many";
  for (let cpu = toInterrupt.next(0); cpu >= 0; cpu = toInterrupt.next(cpu + 1)) {
    if (k.point(COST_ACCESS)) yield;
    k.kernel.arch.entry.sendCallFunction(k, cpu, vector);
  }
}

/** The second half: waits until every core of `cpus` but this one has run the function. */
export function* waitForCalls(k: Context, cpus: CpuSet): Work {
  const self = k.cpu.id;
  for (let cpu = nextTarget(cpus, 0, self); cpu >= 0; cpu = nextTarget(cpus, cpu + 1, self)) {
    const record = k.kernel.crossCalls.record(self, cpu);
    if (k.point(COST_ACCESS)) yield;
    while (isLocked(k, record)) yield;
  }
}

/** smp_call_function_single() to another core. */
export function* smpCallFunctionSingle(
  k: Context,
  cpu: number,
  kind: CallKind,
  arg: KPtr,
  options: CallOptions,
): Work {
  const record = k.kernel.crossCalls.record(k.cpu.id, cpu);
  k.atomicDepth++;
  if (k.point(COST_ACCESS)) yield;
  while (isLocked(k, record)) yield;
  fillRecord(k, record, kind, arg, options);
  if (k.point(COST_ATOMIC)) yield;
  if (addToQueue(k, cpu, record)) k.kernel.arch.entry.sendCallFunction(k, cpu, "single");
  if (options.wait === "wait") {
    if (k.point(COST_ACCESS)) yield;
    while (isLocked(k, record)) yield;
  }
  k.atomicDepth--;
}

/** flush_smp_call_function_queue(): runs what others have queued for this core. In the interrupt handler. */
export function* flushCallQueue(k: Context): Work {
  const { kernel, ram } = k;
  const here = percpuOf(kernel, k.cpu.id);
  if (k.point(COST_ATOMIC)) yield;
  let record = reversed(k, queueHead.get(ram, here));
  queueHead.set(ram, here, NULL);
  while (record !== NULL) {
    const next = csdNext.get(ram, record);
    const fn = kernel.crossCalls.functionOf(csdKind.get(ram, record));
    const arg = csdArg.get(ram, record);
    const waits = (csdFlags.get(ram, record) & CSD_SYNC) !== 0;
    if (waits) yield* fn(k, arg);
    if (k.point(COST_ACCESS)) yield;
    csdFlags.set(ram, record, 0);
    if (!waits) yield* fn(k, arg);
    record = next;
  }
}

/** csd_lock() of a record that is free, and what it is to say. */
function fillRecord(k: Context, record: KPtr, kind: CallKind, arg: KPtr, options: CallOptions): void {
  const { ram } = k;
  csdFlags.set(ram, record, options.wait === "wait" ? CSD_LOCK | CSD_SYNC : CSD_LOCK);
  csdKind.set(ram, record, kind);
  csdArg.set(ram, record, arg);
}

/** llist_add() to a core's queue; true: it was empty, so the core must be interrupted. Preceded by a point. */
function addToQueue(k: Context, cpu: number, record: KPtr): boolean {
  const { ram } = k;
  const target = percpuOf(k.kernel, cpu);
  const head = queueHead.get(ram, target);
  csdNext.set(ram, record, head);
  queueHead.set(ram, target, record);
  return head === NULL;
}

/** csd_lock_wait(): true: not unlocked yet, the core waits for the word from its next yield on. Preceded by a point. */
function isLocked(k: Context, record: KPtr): boolean {
  if ((csdFlags.get(k.ram, record) & CSD_LOCK) === 0) return false;
  k.cpu.waitForWord(csdFlags.at(record));
  return true;
}

/** llist_reverse_order(): oldest first. */
function reversed(k: Context, newest: KPtr): KPtr {
  let oldest: KPtr = NULL;
  for (let record = newest; record !== NULL; ) {
    const next = csdNext.get(k.ram, record);
    csdNext.set(k.ram, record, oldest);
    oldest = record;
    record = next;
  }
  return oldest;
}

function nextTarget(cpus: CpuSet, from: number, self: number): number {
  const cpu = cpus.next(from);
  return cpu === self ? cpus.next(cpu + 1) : cpu;
}
