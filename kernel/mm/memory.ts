/** Memory management of one machine: allocators, caches, the fault design, counters; and what boot sets up. */
import type { LedgerPort } from "../../emu/hardware.ts";
import type { PhysicalMemory } from "../../mmu/index.ts";
import type { ArchMmu, PageTableFormat } from "../arch/mmu-port.ts";
import type { Context, Work } from "../context.ts";
import { COST_ATOMIC } from "../costs.ts";
import type { Kernel } from "../kernel.ts";
import { percpuInitRwsem, percpuRwsemCounts, percpuRwsemCountsBytes } from "../locking/percpu-rwsem.ts";
import type { MemorySubsystem } from "../memory-port.ts";
import { percpuStride } from "../percpu.ts";
import type { RcuKind } from "../rcu.ts";
import { type I32Field, type KPtr, kptrOf, NULL, StructLayout, type U64Field } from "../struct.ts";
import { ANON_VMA_BYTES, ANON_VMA_CHAIN_BYTES } from "./anon-vma.ts";
import { BootMemory, type PlacedStructure } from "./boot-memory.ts";
import type { FaultDesign } from "./designs/design.ts";
import { FaultState } from "./fault-state.ts";
import { Frames } from "./frames.ts";
import { Gather, type GatherClass } from "./gather.ts";
import { GFP_KERNEL, GFP_ZERO } from "./gfp.ts";
import { MmSteps } from "./mm-steps.ts";
import { MM_BYTES, MM_NOTIFIER_LOCK, mmCount, mmPgd, mmPkeyMap, mmTaskSize, mmUsers } from "./mm-struct.ts";
import { PG_RESERVED, pageFlags, pageMapcount, pageRefcount, TABLE_TYPE } from "./page.ts";
import { SHMEM_BYTES } from "./shmem.ts";
import { Slab } from "./slab.ts";
import { TableBatches, type TableBatchesClass } from "./table-batch.ts";
import { PGFREE, VmEvents } from "./vm-events.ts";
import { VMA_BYTES } from "./vma.ts";

/** Below this the machine's start-up code, kernel text and firmware tables lie. */
export const KERNEL_IMAGE_END = 0x20_0000;
/** log2 of the frames of a kernel stack. */
const STACK_ORDER = 2;

/** Words that there are once per machine. */
const globals: StructLayout = new StructLayout("mm_globals");
/** Pages that accounted mappings may come to use (vm_committed_as). */
export const committedAs: U64Field = globals.u64("vm_committed_as", "atomic");
/** Lock word of the out-of-memory killer (oom_lock). */
export const oomLock: I32Field = globals.i32("oom_lock", "trylock");

export interface MemoryOptions {
  readonly design: FaultDesign;
  /** The steps of writers, and the class of gathers; default: the whole ones. */
  readonly steps?: MmSteps;
  readonly gatherClass?: GatherClass;
  readonly tableBatchesClass?: TableBatchesClass;
  /** Fill freed frames with a pattern; default: if the run keeps a ledger. */
  readonly poison?: boolean;
}

export class Memory implements MemorySubsystem {
  readonly kernel: Kernel;
  readonly ram: PhysicalMemory;
  readonly mmu: ArchMmu;
  readonly format: PageTableFormat;
  readonly design: FaultDesign;
  readonly steps: MmSteps;
  readonly gatherClass: GatherClass;
  readonly ledger: LedgerPort | null;
  readonly frames: Frames;
  readonly events: VmEvents;
  readonly globals: KPtr;
  readonly mmCache: Slab;
  readonly vmaCache: Slab;
  readonly anonVmaCache: Slab;
  readonly avcCache: Slab;
  readonly shmemCache: Slab;
  /** Counts of the notifier lock, one object per mm. */
  readonly countsCache: Slab;
  /** The page that anonymous reads map. */
  readonly zeroFrame: number;
  readonly initMm: KPtr;
  /** Structures in boot memory. */
  readonly placed: readonly PlacedStructure[];
  /** Frees a VMA after its grace period. */
  readonly vmaFreeKind: RcuKind;
  /** Tables that wait for a grace period; null: the flush is enough. */
  readonly tableBatches: TableBatches | null;
  /** What an operations pointer of shared anonymous mappings points to. */
  readonly shmemOps: KPtr;
  /** Soft limit of a resource of the running process in bytes; Infinity: none. The process half sets it. */
  resourceLimit: (k: Context, resource: number) => number = () => Number.POSITIVE_INFINITY;
  readonly #faults: FaultState[] = [];
  readonly #cores: number;

  /** Takes over RAM from KERNEL_IMAGE_END on; sets the kernel's per-core area. */
  constructor(kernel: Kernel, options: MemoryOptions) {
    const ram = kernel.ram;
    const cores = kernel.platform.cpus.length;
    this.kernel = kernel;
    this.ram = ram;
    this.mmu = kernel.arch.mmu;
    this.format = this.mmu.format;
    this.design = options.design;
    this.steps = options.steps ?? new MmSteps();
    this.gatherClass = options.gatherClass ?? Gather;
    this.ledger = kernel.platform.ledger;
    this.#cores = cores;
    const boot = new BootMemory(ram, KERNEL_IMAGE_END);
    kernel.arch.entry.takeBootMemory(kernel, boot);
    kernel.percpuStride = percpuStride();
    kernel.percpuBase = kptrOf(boot.take(percpuStride() * cores, 4096));
    kernel.arch.entry.takeBootMemory(kernel, boot);
    this.placed = boot.placed;
    this.events = new VmEvents(cores);
    this.frames = new Frames(ram, boot, {
      poison: options.poison ?? this.ledger !== null,
      ledger: this.ledger,
      events: this.events,
    });
    this.globals = kptrOf(boot.place(globals, 64));
    this.shmemOps = kptrOf(boot.take(64, 64));
    this.mmCache = this.#cache(boot, "mm_struct", MM_BYTES, 64);
    this.vmaCache = this.#cache(boot, "vm_area_struct", VMA_BYTES, 8);
    this.anonVmaCache = this.#cache(boot, "anon_vma", ANON_VMA_BYTES, 8);
    this.avcCache = this.#cache(boot, "anon_vma_chain", ANON_VMA_CHAIN_BYTES, 8);
    this.shmemCache = this.#cache(boot, "shmem_inode", SHMEM_BYTES, 8);
    this.countsCache = this.#cache(boot, "percpu_rwsem", percpuRwsemCountsBytes(cores), 8);
    this.zeroFrame = boot.take(4096, 4096) / 4096;
    this.initMm = kptrOf(boot.take(MM_BYTES, 64));
    const topTable = this.mmu.boot(kernel, boot, this.initMm);
    mmPgd.set(ram, this.initMm, kptrOf(topTable));
    mmUsers.set(ram, this.initMm, 2);
    mmCount.set(ram, this.initMm, 1);
    mmTaskSize.set(ram, this.initMm, this.mmu.taskSize);
    mmPkeyMap.set(ram, this.initMm, 1);
    this.frames.release(boot.firstFreeFrame);
    this.vmaFreeKind = kernel.rcu.register("vm_area_free", this.#vmaFreeRcu.bind(this));
    this.tableBatches =
      this.mmu.tablesWaitFor === "grace-period"
        ? new (options.tableBatchesClass ?? TableBatches)(kernel)
        : null;
    kernel.register("memory", this);
  }

  #cache(boot: BootMemory, name: string, objectBytes: number, alignBytes: number): Slab {
    return new Slab(this.frames, boot, this.#cores, { name, objectBytes, alignBytes });
  }

  // biome-ignore lint/correctness/useYield: a deferred function has the type of Work even if it never waits.
  *#vmaFreeRcu(k: Context, vma: KPtr): Work {
    this.vmaCache.free(k, vma);
  }

  /** The fault in progress of the running task. */
  faultState(k: Context): FaultState {
    const pid = k.task!.pid;
    let state = this.#faults[pid];
    if (state === undefined) {
      state = new FaultState();
      this.#faults[pid] = state;
    }
    return state;
  }

  /** Soft limit of a resource in pages. */
  limitPages(k: Context, resource: number): number {
    return Math.floor(this.resourceLimit(k, resource) / 4096);
  }

  /** get_page(). Atomic; preceded by a point. @hot */
  getPage(page: KPtr): void {
    pageRefcount.add(this.ram, page, 1);
  }

  /** put_page(): drops a reference, the last one frees. Atomic; preceded by a point where others have references. */
  putPage(k: Context, page: KPtr): void {
    const left = pageRefcount.add(this.ram, page, -1);
    if (left === 0) {
      if ((pageFlags.get(this.ram, page) & PG_RESERVED) !== 0) return;
      this.events.count(k.cpu.id, PGFREE);
      if (pageMapcount.get(this.ram, page) === TABLE_TYPE) {
        pageMapcount.set(this.ram, page, -1);
        this.ledger?.tableFreed(this.frames.map.pfn(page));
        k.kernel.observer?.tableFreed(k, this.frames.map.pfn(page));
      }
      this.frames.free(k, page);
    } else if (left < 0) {
      k.kernel.assertionFailed(
        k,
        "page-refcount",
        `BUG: refcount of frame ${this.frames.map.pfn(page)} fell below zero`,
      );
    }
  }

  grabMm(_k: Context, mm: KPtr): void {
    mmCount.add(this.ram, mm, 1);
  }

  *dropMm(k: Context, mm: KPtr): Work {
    if (k.point(COST_ATOMIC)) yield;
    const left = mmCount.add(this.ram, mm, -1);
    if (left < 0) k.kernel.assertionFailed(k, "mm-count", "BUG: mm_count fell below zero");
    if (left !== 0) return;
    const pgd = mmPgd.get(this.ram, mm);
    this.putPage(k, this.frames.map.page(pgd / 4096));
    this.countsCache.free(k, percpuRwsemCounts(k, kptrOf(mm + MM_NOTIFIER_LOCK)));
    this.mmCache.free(k, mm);
  }

  /** Gives a zeroed mm its notifier lock; false: no memory. */
  *initNotifierLock(k: Context, mm: KPtr): Work<boolean> {
    const counts = yield* this.countsCache.allocateZeroed(k, GFP_KERNEL);
    if (counts === NULL) return false;
    percpuInitRwsem(k, kptrOf(mm + MM_NOTIFIER_LOCK), counts);
    return true;
  }

  *allocStack(k: Context): Work<KPtr> {
    const page = yield* this.frames.allocateOrder(k, STACK_ORDER, GFP_KERNEL | GFP_ZERO);
    return page === NULL ? NULL : kptrOf(this.frames.physical(page));
  }

  *freeStack(k: Context, stack: KPtr): Work {
    yield* this.frames.freeOrder(k, this.frames.map.page(stack / 4096), STACK_ORDER);
  }

  save(): unknown {
    return {
      events: this.events.save(),
      inUse: this.#caches().map((cache) => cache.inUse),
    };
  }

  restore(state: unknown): void {
    const { events, inUse } = state as { events: number[]; inUse: number[] };
    this.events.restore(events);
    for (const [index, cache] of this.#caches().entries()) cache.inUse = inUse[index]!;
    this.#faults.length = 0;
    this.steps.reset();
  }

  #caches(): readonly Slab[] {
    return [this.mmCache, this.vmaCache, this.anonVmaCache, this.avcCache, this.shmemCache, this.countsCache];
  }
}

/** The memory management of the machine that a context runs on. @hot */
export function memoryOf(k: Context): Memory {
  return k.kernel.memory as Memory;
}
