/** Memory management of x86-64 for neutral code: kernel tables, TLB, access checks, memory keys. */
import type { X86Cpu } from "../../../emu/hardware.ts";
import { PF_ID, PF_P, PF_PK, PF_WR, type PhysicalMemory } from "../../../mmu/index.ts";
import { type Context, NOTHING, type Work } from "../../context.ts";
import type { Kernel } from "../../kernel.ts";
import { irqRestore, irqSave } from "../../locking/spinlock.ts";
import type { BootMemory } from "../../mm/boot-memory.ts";
import type { FaultState } from "../../mm/fault-state.ts";
import { mmCtxId, mmPgd, mmTlbGen } from "../../mm/mm-struct.ts";
import { setPteAt } from "../../mm/page-table.ts";
import { VM_ACCESS_FLAGS, VM_PKEY_MASK_HI, VM_WRITE, vmFlags, vmFlagsHi } from "../../mm/vma.ts";
import { type KPtr, StructLayout, type U64Field } from "../../struct.ts";
import type { ArchMmu } from "../mmu-port.ts";
import { buildKernelTables, mapKernelPage, X86PageTableFormat } from "./pgtable.ts";
import { TEXT_FRAMES, TEXT_HI, TEXT_LO, TEXT_PA } from "./stubs.ts";
import { TLB_NR_DYN_ASIDS, X86Tlb, type X86TlbClass } from "./tlb.ts";

/** Entries of a top table from here on are the kernel's. */
const KERNEL_PGD_BOUNDARY = 256;
/** One page below the end of the canonical half, so that no access crosses it (TASK_SIZE_MAX). */
const TASK_PAGES_4: number = 2 ** 35 - 1;
const TASK_PAGES_5: number = 2 ** 44 - 1;
const PKEYS = 16;

export interface X86MmuOptions {
  readonly levels: 4 | 5;
  readonly pcid: "pcid" | "no-pcid";
  readonly pkeys: "pkeys" | "no-pkeys";
  /** Context slots per core; default and at most TLB_NR_DYN_ASIDS. */
  readonly contextSlots?: number;
  /** How address spaces are switched and flushed; default: X86Tlb. */
  readonly tlbClass?: X86TlbClass;
}

export class X86Mmu implements ArchMmu {
  readonly format: X86PageTableFormat;
  readonly taskSize: number = TASK_PAGES_4;
  readonly taskSizeMax: number;
  readonly pkeys: number;
  readonly contextWord = { name: "tlb_gen", form: "number" } as const;
  readonly tablesWaitFor = "flush";
  readonly #options: X86MmuOptions;
  #ram!: PhysicalMemory;
  #boot: BootMemory | null = null;
  #tlb!: X86Tlb;
  #topTable = 0;
  /** last_mm_ctx_id: in boot memory, as cores race on it. */
  #lastCtxId!: KPtr;

  constructor(options: X86MmuOptions) {
    this.#options = options;
    this.format = new X86PageTableFormat(options.levels);
    this.taskSizeMax = options.levels === 5 ? TASK_PAGES_5 : TASK_PAGES_4;
    this.pkeys = options.pkeys === "pkeys" ? PKEYS : 0;
  }

  boot(kernel: Kernel, memory: BootMemory, initMm: KPtr): number {
    this.#ram = kernel.ram;
    this.#boot = memory;
    this.#lastCtxId = memory.place(CONTEXT_IDS, 64) as KPtr;
    ctxIdWord.set(kernel.ram, this.#lastCtxId, 1);
    const tables = buildKernelTables(kernel.ram, this.#options.levels, () => memory.take(4096, 4096));
    this.#topTable = tables.topTable;
    mmPgd.set(kernel.ram, initMm, tables.topTable as KPtr);
    mmCtxId.set(kernel.ram, initMm, 1);
    mmTlbGen.set(kernel.ram, initMm, 1);
    for (let frame = 0; frame < TEXT_FRAMES; frame++) {
      this.mapKernelPage(TEXT_LO + frame * 4096, TEXT_HI, TEXT_PA / 4096 + frame, "text");
    }
    this.#tlb = new (this.#options.tlbClass ?? X86Tlb)(
      kernel,
      initMm,
      this.#options.pcid,
      this.#options.contextSlots ?? TLB_NR_DYN_ASIDS,
    );
    return tables.topTable;
  }

  /** Maps one page of the kernel at an address (halves). While boot memory lasts, before the first mm is made. */
  mapKernelPage(lo: number, hi: number, frame: number, rights: "text" | "data"): void {
    const boot = this.#boot!;
    const page = { lo, hi, frame, rights };
    mapKernelPage(this.#ram, this.#options.levels, this.#topTable, page, () => boot.take(4096, 4096));
  }

  /** Physical address of init_mm's top table. */
  get topTable(): number {
    return this.#topTable;
  }

  /** Loads init_mm on a starting core whose CR4 is set up. */
  loadInitial(cpu: X86Cpu): void {
    this.#tlb.loadInitial(cpu);
  }

  initTopTable(tablePa: number): void {
    for (let entry = KERNEL_PGD_BOUNDARY; entry < 512; entry++) {
      const from = this.#topTable + entry * 8;
      this.#ram.write64(tablePa + entry * 8, this.#ram.read32(from), this.#ram.read32(from + 4));
    }
  }

  initContext(mm: KPtr): void {
    mmCtxId.set(this.#ram, mm, ctxIdWord.add(this.#ram, this.#lastCtxId, 1));
    mmTlbGen.set(this.#ram, mm, 0);
  }

  switchMm(k: Context, _prev: KPtr, next: KPtr): Work {
    return this.#tlb.switchMm(k, next);
  }

  enterLazyTlb(k: Context, _mm: KPtr): void {
    this.#tlb.enterLazy(k);
  }

  /** leave_mm(): the core stops walking tables that it has only borrowed. Interrupts off. */
  leaveMm(k: Context): Work {
    return this.#tlb.leaveMm(k);
  }

  flushRange(
    k: Context,
    mm: KPtr,
    start: number,
    end: number,
    strideLevel: number,
    tables: "tables-freed" | "tables-kept",
  ): Work {
    return this.#tlb.flushRange(k, mm, start, end, this.format.spanPages(strideLevel), tables);
  }

  /** The store alone: who still has the old entry faults once more, and that drops it (SDM vol. 3A 4.10.4.3). */
  setAccessFlags(
    k: Context,
    mm: KPtr,
    page: number,
    slot: number,
    lo: number,
    hi: number,
    access: "read" | "write",
  ): Work {
    if (access === "write") setPteAt(k, mm, page, slot, lo, hi);
    return NOTHING;
  }

  /** Stores are seen in order: nothing to do. */
  publishTable(_k: Context): Work {
    return NOTHING;
  }

  /** Who frees tables waits for every core's answer to its flush. @hot */
  speculativeWalkBegin(k: Context): boolean {
    return irqSave(k);
  }

  /** @hot */
  speculativeWalkEnd(k: Context, begun: boolean): void {
    irqRestore(k, begun);
  }

  /** A #PF drops the entries of its address in the core that took it (SDM vol. 3A 4.10.4.1): nothing to do. */
  flushSpuriousFault(_k: Context, _page: number): void {}

  /** An entry that was not present is never cached: nothing to do. */
  updateMmuTlb(_k: Context, _page: number): void {}

  /** access_error(), arch/x86/mm/fault.c. */
  accessError(k: Context, f: FaultState): boolean {
    const error = f.archError;
    if ((error & PF_PK) !== 0) return true;
    const flags = vmFlags.get(k.ram, f.vma);
    const write = (error & PF_WR) !== 0;
    const key = vmFlagsHi.get(k.ram, f.vma) & VM_PKEY_MASK_HI;
    if ((error & PF_ID) === 0 && !this.keyPermits(k, key, write ? "write" : "read")) return true;
    if (write) return (flags & VM_WRITE) === 0;
    if ((error & PF_P) !== 0) return true;
    return (flags & VM_ACCESS_FLAGS) === 0;
  }

  /** PKRU: two bits per key, access disable and write disable. */
  keyPermits(k: Context, key: number, kind: "read" | "write"): boolean {
    if (this.pkeys === 0) return true;
    const rights = (k.cpu as X86Cpu).readPkru() >>> (key * 2);
    return (rights & 1) === 0 && (kind === "read" || (rights & 2) === 0);
  }

  setKeyRights(k: Context, key: number, rights: number): void {
    const cpu = k.cpu as X86Cpu;
    const shift = key * 2;
    cpu.writePkru((cpu.readPkru() & ~(3 << shift)) | (rights << shift));
  }
}

const CONTEXT_IDS: StructLayout = new StructLayout("context_ids");
const ctxIdWord: U64Field = CONTEXT_IDS.u64("last_mm_ctx_id", "atomic");
