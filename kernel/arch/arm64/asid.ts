/**
 * The ASID allocator of arm64 Linux (arch/arm64/mm/context.c, 6.6; no KPTI, nothing pinned).
 *
 *     context.id = [ generation ][ ASID ]      ASID 0 belongs to the reserved table of TTBR0_EL1
 *
 * An address space keeps its ASID while its generation is the current one. When none is left, a rollover begins a new
 * generation: the map is emptied but for what cores run at that moment (active_asids, or reserved_asids of a core that
 * has been through a rollover and not switched since), and every core owes a flush of its own TLB, which it pays at its
 * next switch that takes the lock. A switch inside the current generation takes no lock: it exchanges the core's active
 * ASID, and a rollover that came in between has left 0 there.
 *
 * Each step that a variant replaces is a method. The map, cur_idx and the reserved ASIDs are touched under
 * cpu_asid_lock only; the generation, the active ASIDs and context.id are marked.
 */
import type { Context, Work } from "../../context.ts";
import { COST_ACCESS, COST_ATOMIC, COST_UNLOCK } from "../../costs.ts";
import { type CpuMaskField, cpuMask } from "../../cpu-set.ts";
import type { Kernel } from "../../kernel.ts";
import { type LockClass, lockClass } from "../../locking/lock-class.ts";
import { spinLock, spinUnlock } from "../../locking/spinlock.ts";
import type { BootMemory } from "../../mm/boot-memory.ts";
import { mmTlbGen } from "../../mm/mm-struct.ts";
import { type I32Field, type KPtr, kptrOf, StructLayout, U64Field } from "../../struct.ts";
import { arm64, dsb } from "./barrier.ts";

/** context.id of an address space; 0: it never ran. In the place of the generation of flushes, which arm64 has not. */
export const mmContextId: U64Field = new U64Field("context.id", mmTlbGen.offset, "atomic");

export const CPU_ASID_LOCK: LockClass = lockClass({
  name: "cpu_asid_lock",
  rank: 700,
  context: "irq-safe",
  kind: "spin",
  guards: "map of ASIDs, reserved ASIDs, generation",
});

const ALLOCATOR: StructLayout = new StructLayout("asid_allocator");
const asidLock: I32Field = ALLOCATOR.i32("cpu_asid_lock", "lock word");
/** The map's index at which the next search begins. */
const curIdx: I32Field = ALLOCATOR.i32("cur_idx", "cpu_asid_lock");
export const asidGeneration: U64Field = ALLOCATOR.u64("asid_generation", "atomic");
/** Cores that have not flushed since the last rollover. */
export const tlbFlushPending: CpuMaskField = cpuMask(ALLOCATOR, "tlb_flush_pending", "atomic");

const CORE: StructLayout = new StructLayout("asid_core");
/** What the core runs under; 0: a rollover has taken note of it. */
export const activeAsids: U64Field = CORE.u64("active_asids", "atomic");
/** What it ran under at the last rollover. */
export const reservedAsids: U64Field = CORE.u64("reserved_asids", "cpu_asid_lock");
const CORE_STRIDE = 64;

/** Asids, or a subclass of it. */
export type AsidsClass = new (kernel: Kernel, memory: BootMemory, count: number) => Asids;

export class Asids {
  readonly kernel: Kernel;
  /** How many ASIDs there are: a generation is so many ids (ASID_FIRST_VERSION). */
  readonly count: number;
  /** The allocator's structure and its map, and the cores' structures. */
  readonly at: KPtr;
  readonly map: number;
  readonly #cores: KPtr[] = [];

  /** @param count ASIDs to use, ASID 0 included: at least two more than there are cores */
  constructor(kernel: Kernel, memory: BootMemory, count: number) {
    const cores = kernel.platform.cpus.length;
    this.kernel = kernel;
    this.count = count;
    if (this.count - 1 <= cores) {
      throw new RangeError(
        `${this.count} ASIDs are too few for ${cores} cores: each may keep one through a rollover`,
      );
    }
    this.at = kptrOf(memory.place(ALLOCATOR, 64));
    this.map = memory.take(this.#mapBytes, 64);
    for (let cpu = 0; cpu < cores; cpu++) this.#cores.push(kptrOf(memory.place(CORE, CORE_STRIDE)));
    asidGeneration.set(kernel.ram, this.at, this.count);
    curIdx.set(kernel.ram, this.at, 1);
  }

  get #mapBytes(): number {
    return Math.ceil(this.count / 32) * 4;
  }

  /** How many cores there are. */
  get cores(): number {
    return this.#cores.length;
  }

  /** The structure of a core. */
  core(cpu: number): KPtr {
    return this.#cores[cpu]!;
  }

  /** ASID of an id. @hot */
  asidOf(id: number): number {
    return id % this.count;
  }

  /**
   * check_and_switch_context() without the switch: the core runs under an ASID of the current generation from here on.
   * Interrupts off. @returns the ASID
   */
  *activate(k: Context, mm: KPtr): Work<number> {
    const { ram } = k;
    const core = this.core(k.cpu.id);
    if (k.point(COST_ACCESS)) yield;
    const id = mmContextId.get(ram, mm);
    if (k.point(COST_ACCESS)) yield;
    const active = activeAsids.get(ram, core);
    if (k.point(COST_ACCESS)) yield;
    if (active !== 0 && this.isCurrent(k, id)) {
      if (k.point(COST_ATOMIC)) yield;
      if (this.exchangeActive(k, core, active, id)) return this.asidOf(id);
    }
    return yield* this.activateSlow(k, mm);
  }

  /** asid_gen_match(). Preceded by a point. */
  isCurrent(k: Context, id: number): boolean {
    return Math.floor(id / this.count) === Math.floor(asidGeneration.get(k.ram, this.at) / this.count);
  }

  /** The exchange that a rollover on another core makes fail. Preceded by a point. */
  exchangeActive(k: Context, core: KPtr, active: number, id: number): boolean {
    if (activeAsids.get(k.ram, core) !== active) return false;
    activeAsids.set(k.ram, core, id);
    return true;
  }

  /** The same under the lock: the address space gets an ASID of this generation, the core pays the flush that it owes. */
  *activateSlow(k: Context, mm: KPtr): Work<number> {
    const { ram } = k;
    const core = this.core(k.cpu.id);
    const lock = kptrOf(asidLock.at(this.at));
    yield* spinLock(k, lock, CPU_ASID_LOCK);
    if (k.point(COST_ACCESS)) yield;
    let id = mmContextId.get(ram, mm);
    if (!this.isOfGeneration(k, id)) {
      id = yield* this.newContext(k, id);
      if (k.point(COST_ACCESS)) yield;
      mmContextId.set(ram, mm, id);
    }
    if (k.point(COST_ATOMIC)) yield;
    if (this.takeFlushPending(k)) yield* this.flushLocal(k);
    if (k.point(COST_ACCESS)) yield;
    activeAsids.set(ram, core, id);
    if (k.point(COST_UNLOCK)) yield;
    spinUnlock(k, lock, CPU_ASID_LOCK);
    return this.asidOf(id);
  }

  /** The look at the generation under the lock. */
  isOfGeneration(k: Context, id: number): boolean {
    return Math.floor(id / this.count) === Math.floor(asidGeneration.get(k.ram, this.at) / this.count);
  }

  /** cpumask_test_and_clear_cpu(): the core has not flushed since a rollover. Preceded by a point. */
  takeFlushPending(k: Context): boolean {
    const isPending = tlbFlushPending.has(k.ram, this.at, k.cpu.id);
    if (isPending) tlbFlushPending.delete(k.ram, this.at, k.cpu.id);
    return isPending;
  }

  /** local_flush_tlb_all(). */
  *flushLocal(k: Context): Work {
    yield* dsb(k, "nshst");
    if (k.point(COST_ACCESS)) yield;
    arm64(k).tlbi("vmalle1", 0, 0);
    yield* dsb(k, "nsh");
    arm64(k).isb();
  }

  /** new_context(). Locks: cpu_asid_lock. @param id what the address space had, 0: nothing @returns its new id */
  *newContext(k: Context, id: number): Work<number> {
    const { ram } = k;
    const generation = asidGeneration.get(ram, this.at);
    if (id !== 0) {
      const asid = this.asidOf(id);
      if (this.updateReserved(k, id, generation + asid)) return generation + asid;
      // It had an ASID in an earlier generation, which may be free in this one.
      if (!this.#isTaken(asid)) {
        this.#take(asid);
        return generation + asid;
      }
    }
    let asid = this.#nextFree(curIdx.get(ram, this.at));
    let current = generation;
    if (asid === this.count) {
      if (k.point(COST_ATOMIC)) yield;
      current = asidGeneration.add(ram, this.at, this.count);
      yield* this.flushContext(k);
      // There are more ASIDs than cores.
      asid = this.#nextFree(1);
    }
    this.#take(asid);
    curIdx.set(ram, this.at, asid);
    return current + asid;
  }

  /** flush_context(): a rollover. What cores run under stays theirs; everything else is free. Locks: cpu_asid_lock. */
  *flushContext(k: Context): Work {
    const { ram } = k;
    const cores = this.#cores.length;
    for (let at = 0; at < this.#mapBytes; at += 4) ram.write32(this.map + at, 0);
    for (let cpu = 0; cpu < cores; cpu++) {
      const core = this.core(cpu);
      if (k.point(COST_ATOMIC)) yield;
      const active = activeAsids.get(ram, core);
      activeAsids.set(ram, core, 0);
      const id = this.keptAsid(k, core, active);
      this.#take(this.asidOf(id));
      reservedAsids.set(ram, core, id);
    }
    for (let cpu = 0; cpu < cores; cpu++) {
      if ((cpu & 31) === 0 && k.point(COST_ACCESS)) yield;
      tlbFlushPending.add(ram, this.at, cpu);
    }
    this.kernel.platform.trace(k.cpu.id, "asid-rollover", asidGeneration.get(ram, this.at) / this.count, 0);
  }

  /** A core that has been through a rollover and has not switched since runs under what that rollover reserved. */
  keptAsid(k: Context, core: KPtr, active: number): number {
    return active === 0 ? reservedAsids.get(k.ram, core) : active;
  }

  /** check_update_reserved_asid(): an ASID that cores run under stays the address space's; all copies get the new id. */
  updateReserved(k: Context, id: number, newId: number): boolean {
    let hit = false;
    for (const core of this.#cores) {
      if (reservedAsids.get(k.ram, core) !== id) continue;
      hit = true;
      reservedAsids.set(k.ram, core, newId);
    }
    return hit;
  }

  #isTaken(asid: number): boolean {
    return ((this.kernel.ram.read32(this.map + (asid >>> 5) * 4) >>> (asid & 31)) & 1) !== 0;
  }

  #take(asid: number): void {
    const at = this.map + (asid >>> 5) * 4;
    this.kernel.ram.write32(at, this.kernel.ram.read32(at) | (1 << (asid & 31)));
  }

  /** find_next_zero_bit(): the first free ASID from one on; `count`: there is none. */
  #nextFree(from: number): number {
    for (let asid = from; asid < this.count; ) {
      const free = ~this.kernel.ram.read32(this.map + (asid >>> 5) * 4) & (-1 << (asid & 31));
      if (free !== 0) return Math.min(this.count, (asid & ~31) + 31 - Math.clz32(free & -free));
      asid = (asid & ~31) + 32;
    }
    return this.count;
  }
}
