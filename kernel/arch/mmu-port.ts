/** Memory management as neutral code asks it of an architecture. */
import type { Context, Work } from "../context.ts";
import type { Kernel } from "../kernel.ts";
import type { BootMemory } from "../mm/boot-memory.ts";
import type { FaultState } from "../mm/fault-state.ts";
import type { KPtr } from "../struct.ts";

/**
 * Page-table entries of an architecture. An entry is two int32 halves as they lie in memory. Functions that make or
 * change an entry leave the result in `lo` and `hi`, to be read before the next scheduling point. Levels count from
 * the leaf table, 1, to the top table, `levels`.
 */
export interface PageTableFormat {
  readonly levels: number;
  /** Pages that one entry of a level covers; 1 at level 1. */
  spanPages(level: number): number;
  /** Index of an address (halves) in a table of a level. */
  index(lo: number, hi: number, level: number): number;
  /** Result of the last make or change. */
  lo: number;
  hi: number;

  isNone(lo: number, hi: number): boolean;
  /** Present to software: mapped, even if the hardware may not use it (PROT_NONE). */
  isPresent(lo: number, hi: number): boolean;
  isProtNone(lo: number, hi: number): boolean;
  isWritable(lo: number, hi: number): boolean;
  isExecutable(lo: number, hi: number): boolean;
  isDirty(lo: number, hi: number): boolean;
  isYoung(lo: number, hi: number): boolean;
  /** No struct page is accounted for this mapping (zero page). */
  isSpecial(lo: number, hi: number): boolean;
  frame(lo: number, hi: number): number;

  /** Entry of an upper level: leads to a table. */
  isTable(lo: number, hi: number): boolean;
  /** Physical address of the table that an upper entry leads to. */
  tableAddress(lo: number, hi: number): number;
  makeTable(frame: number): void;

  /** vm_get_page_prot(): what VM_* bits become in an entry. */
  protection(vmFlags: number, vmFlagsHi: number): void;
  /** A leaf for a frame with a VMA's protection. */
  make(frame: number, protLo: number, protHi: number): void;
  /** Loads an entry, to be changed by the functions below. */
  load(lo: number, hi: number): void;
  mkWrite(): void;
  mkDirty(): void;
  mkYoung(): void;
  mkSpecial(): void;
  wrprotect(): void;
  mkOld(): void;
  mkClean(): void;
  /** pte_modify(): other rights, same frame, accessed and dirty kept. */
  modify(protLo: number, protHi: number): void;
}

export interface ArchMmu {
  readonly format: PageTableFormat;
  /** End of user space (first page that is not), without a hint and with one above the default window. */
  readonly taskSize: number;
  readonly taskSizeMax: number;
  /** Memory keys that pkey_alloc() can hand out; 0: none. */
  readonly pkeys: number;
  /** For reports: what mm_struct's word of the architecture is called there, and how it is read. */
  readonly contextWord: { readonly name: string; readonly form: "number" | "hex" };

  /**
   * Builds the kernel's own tables and the per-core state of address-space switching: every core starts on `initMm`.
   * @returns physical address of init_mm's top table
   */
  boot(kernel: Kernel, memory: BootMemory, initMm: KPtr): number;
  /** Fills the kernel's part of a new top table (pgd_ctor). */
  initTopTable(tablePa: number): void;
  /** init_new_context(): context.* of a new mm. */
  initContext(mm: KPtr): void;

  /**
   * switch_mm_irqs_off(): loads the tables of `next` on this core; `prev` is what was loaded (lazily or not). Called on
   * the incoming task's side with interrupts off.
   */
  switchMm(k: Context, prev: KPtr, next: KPtr): Work;
  /** enter_lazy_tlb(): the core goes on with `mm` loaded for a task that has no address space of its own. Interrupts off. */
  enterLazyTlb(k: Context, mm: KPtr): void;

  /**
   * flush_tlb_mm_range(): no core uses an old translation of pages start … end-1 after the return, nor, if tables were
   * freed, an old path through them. Interrupts on.
   * @param end 0 stands for the whole address space
   * @param strideLevel level of the entries that were changed
   */
  flushRange(
    k: Context,
    mm: KPtr,
    start: number,
    end: number,
    strideLevel: number,
    tables: "tables-freed" | "tables-kept",
  ): Work;
  /**
   * ptep_set_access_flags(): a present entry that a fault has read becomes `lo`, `hi`, which grant more than it did:
   * accessed, dirty, writable. Whether a core may go on with what it remembers is the architecture's. Preceded by a
   * point. Locks: the table's.
   */
  setAccessFlags(
    k: Context,
    mm: KPtr,
    page: number,
    slot: number,
    lo: number,
    hi: number,
    access: "read" | "write",
  ): Work;
  /** After a table was linked (pmd_populate() and its kin): walkers see it before anything that follows. */
  publishTable(k: Context): Work;
  /** A fault whose entry permits the access already: drops what this core remembers of the page. */
  flushSpuriousFault(k: Context, page: number): void;
  /** update_mmu_tlb(): a core that lost the race for an entry must see the winner's. */
  updateMmuTlb(k: Context, page: number): void;

  /**
   * What an unlinked table waits for, after the flush, before it is freed: "flush": nothing more, who walks without
   * locks has interrupts off and so holds up the flush; "grace-period": RCU (MMU_GATHER_RCU_TABLE_FREE).
   */
  readonly tablesWaitFor: "flush" | "grace-period";
  /**
   * speculative_page_walk_begin(): what was linked is not freed before the end. Preceded by a point. @hot
   * @returns what speculativeWalkEnd() is given; false: it has nothing to undo
   */
  speculativeWalkBegin(k: Context): boolean;
  /** Followed by a point. @hot */
  speculativeWalkEnd(k: Context, begun: boolean): void;

  /** access_error(): the VMA (or copy) of the fault forbids the access that the hardware reported. */
  accessError(k: Context, f: FaultState): boolean;
  /** True if the current rights of the key allow the access (arch_vma_access_permitted). */
  keyPermits(k: Context, key: number, kind: "read" | "write"): boolean;
  /** Sets a key's rights in the running task's register (PKEY_DISABLE_ACCESS 1, PKEY_DISABLE_WRITE 2). */
  setKeyRights(k: Context, key: number, rights: number): void;
}
