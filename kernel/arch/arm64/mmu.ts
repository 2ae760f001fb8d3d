/** Memory management of arm64 for neutral code: kernel tables, translation registers, TLB, access checks. */
import type { Aarch64Cpu } from "../../../emu/hardware.ts";
import {
  type PhysicalMemory,
  TCR_A1,
  TCR_HI_AS,
  TCR_HI_HA,
  TCR_HI_HD,
  TCR_HI_TBI0,
  TCR_T1SZ_SHIFT,
  TCR_TG1_SHIFT,
} from "../../../mmu/index.ts";
import type { Context, Work } from "../../context.ts";
import type { Kernel } from "../../kernel.ts";
import type { BootMemory } from "../../mm/boot-memory.ts";
import type { FaultState } from "../../mm/fault-state.ts";
import { mmPgd } from "../../mm/mm-struct.ts";
import { setPteAt } from "../../mm/page-table.ts";
import { VM_EXEC, VM_READ, VM_WRITE, vmFlags } from "../../mm/vma.ts";
import { rcuReadLock, rcuReadUnlock } from "../../rcu.ts";
import type { KPtr } from "../../struct.ts";
import type { ArchMmu } from "../mmu-port.ts";
import { isInstructionAbort, isWriteAbort } from "./abort.ts";
import { Asids, type AsidsClass, mmContextId } from "./asid.ts";
import { arm64, dsb } from "./barrier.ts";
import { Arm64PageTableFormat, buildKernelTables, type KernelPage, mapKernelPage } from "./pgtable.ts";
import { Arm64Tlb, type Arm64TlbClass, type TlbiFeatures } from "./tlb.ts";

/** TASK_SIZE_64 of 48-bit addresses. */
const TASK_PAGES: number = 2 ** 36;
/** 64 minus the bits of an address. */
const TSZ_48 = 16;
/** Inner and outer write-back, inner shareable walks, in both halves (TCR_IRGN_WBWA and its kin). */
const TCR_WALKS: number = 0x3500 | (0x35 << 24);
/** TG1: 4 KiB. (TG0's value for it is 0.) */
const TG1_4K = 2;
/** MAIR_EL1 as Linux has it: normal, normal tagged (no MTE: normal), non-cacheable, device nGnRnE, device nGnRE. */
const MAIR_LO = 0x0044_ffff;
const MAIR_HI = 0x04;

/** What the ID registers of the boot core say. */
interface Features {
  readonly tlbi: TlbiFeatures;
  readonly asidBits: 8 | 16;
  /** TCR_EL1.IPS. */
  readonly physicalRange: number;
  /** ID_AA64MMFR1_EL1.HAFDBS: 0 none, 1 access flag, 2 dirty state as well. */
  readonly hardwareUpdates: number;
}

export interface Arm64MmuOptions {
  /** Pages to map in the kernel's half beside the linear map, such as its text. */
  readonly kernelPages: readonly KernelPage[];
  /** ASIDs are so many bits wide for the kernel, if that is fewer than the machine has; absent: as wide as it has them. */
  readonly asidBits?: number;
  /** How address spaces are flushed and switched, and get their ASIDs. */
  readonly tlbClass?: Arm64TlbClass;
  readonly asidsClass?: AsidsClass;
}

export class Arm64Mmu implements ArchMmu {
  readonly format: Arm64PageTableFormat = new Arm64PageTableFormat();
  readonly taskSize: number = TASK_PAGES;
  readonly taskSizeMax: number = TASK_PAGES;
  readonly pkeys = 0;
  readonly contextWord = { name: "context.id", form: "hex" } as const;
  readonly tablesWaitFor = "grace-period";
  readonly #options: Arm64MmuOptions;
  #ram!: PhysicalMemory;
  #features!: Features;
  #tlb!: Arm64Tlb;
  #swapper = 0;
  #reserved = 0;

  constructor(options: Arm64MmuOptions) {
    this.#options = options;
  }

  boot(kernel: Kernel, memory: BootMemory, initMm: KPtr): number {
    const { ram } = kernel;
    const takeFrame = (): number => memory.take(4096, 4096);
    this.#ram = ram;
    this.#features = readFeatures(kernel.platform.cpus[0] as Aarch64Cpu);
    this.#swapper = buildKernelTables(ram, takeFrame);
    this.#reserved = takeFrame();
    for (const page of this.#options.kernelPages) {
      mapKernelPage(ram, this.format, this.#swapper, page, takeFrame);
    }
    mmPgd.set(ram, initMm, this.#swapper as KPtr);
    const asids = new (this.#options.asidsClass ?? Asids)(kernel, memory, this.#asidCount(kernel));
    const tlbClass = this.#options.tlbClass ?? Arm64Tlb;
    this.#tlb = new tlbClass(kernel, initMm, asids, this.#features.tlbi, this.#reserved);
    return this.#swapper;
  }

  /** As few as the machine was told to be content with, but enough for every core to keep one through a rollover. */
  #asidCount(kernel: Kernel): number {
    const most = this.#features.asidBits;
    const wanted = this.#options.asidBits ?? most;
    if (wanted > most) throw new RangeError(`ASIDs of ${wanted} bits on a machine that has ${most}`);
    return Math.max(2 ** wanted, kernel.platform.cpus.length + 2);
  }

  /** Physical addresses of swapper_pg_dir (TTBR1_EL1) and reserved_pg_dir (TTBR0_EL1 of init_mm). */
  get swapperTable(): number {
    return this.#swapper;
  }
  get reservedTable(): number {
    return this.#reserved;
  }

  /**
   * __cpu_setup(), the part that is about translation: MAIR_EL1, TCR_EL1 and both table registers of a starting core, and
   * an empty TLB. SCTLR_EL1.M is the caller's.
   */
  setUpCore(cpu: Aarch64Cpu): void {
    const { physicalRange, hardwareUpdates, asidBits } = this.#features;
    const tcrHi =
      physicalRange |
      (asidBits === 16 ? TCR_HI_AS : 0) |
      TCR_HI_TBI0 |
      (hardwareUpdates >= 1 ? TCR_HI_HA : 0) |
      (hardwareUpdates >= 2 ? TCR_HI_HD : 0);
    const tcrLo = TSZ_48 | (TSZ_48 << TCR_T1SZ_SHIFT) | TCR_WALKS | TCR_A1 | (TG1_4K << TCR_TG1_SHIFT);
    cpu.msr("MAIR_EL1", MAIR_LO, MAIR_HI);
    cpu.msr("TCR_EL1", tcrLo, tcrHi);
    cpu.msr("TTBR0_EL1", this.#reserved | 0, 0);
    cpu.msr("TTBR1_EL1", this.#swapper | 0, 0);
    cpu.tlbi("vmalle1", 0, 0);
    cpu.dsb("nsh");
    cpu.isb();
  }

  /** User tables have no kernel half: that is TTBR1_EL1's. */
  initTopTable(_tablePa: number): void {}

  initContext(mm: KPtr): void {
    mmContextId.set(this.#ram, mm, 0);
  }

  switchMm(k: Context, prev: KPtr, next: KPtr): Work {
    return this.#tlb.switchMm(k, prev, next);
  }

  enterLazyTlb(k: Context, mm: KPtr): void {
    this.#tlb.enterLazy(k, mm);
  }

  flushRange(
    k: Context,
    mm: KPtr,
    start: number,
    end: number,
    strideLevel: number,
    tables: "tables-freed" | "tables-kept",
  ): Work {
    return this.#tlb.flushRange(k, mm, start, end, this.format.spanPages(strideLevel), strideLevel, tables);
  }

  /**
   * One exchange, as walkers set the accessed flag and the dirty state of the entry meanwhile; only ever more is granted.
   * A write that was denied must not be denied again by what a core remembers, so the page is flushed everywhere:
   * nothing but a TLBI ever drops an entry here, and the fault could repeat for ever.
   */
  *setAccessFlags(
    k: Context,
    mm: KPtr,
    page: number,
    slot: number,
    lo: number,
    hi: number,
    access: "read" | "write",
  ): Work {
    const { format } = this;
    format.allowAccess(k.ram.read32(slot), k.ram.read32(slot + 4), lo, hi);
    setPteAt(k, mm, page, slot, format.lo, format.hi);
    if (access === "write") yield* this.flushRange(k, mm, page, page + 1, 1, "tables-kept");
  }

  /** set_pmd() and its kin: DSB ISHST, ISB. */
  *publishTable(k: Context): Work {
    yield* dsb(k, "ishst");
    arm64(k).isb();
  }

  /** No flush interrupts anybody: only RCU keeps tables. @hot */
  speculativeWalkBegin(k: Context): boolean {
    rcuReadLock(k);
    return true;
  }

  /** @hot */
  speculativeWalkEnd(k: Context, begun: boolean): void {
    if (begun) rcuReadUnlock(k);
  }

  /** Whoever made the entry permit the access has broadcast that (ptep_set_access_flags()): nothing to do. */
  flushSpuriousFault(_k: Context, _page: number): void {}

  /** An entry that was not valid is never cached: nothing to do. */
  updateMmuTlb(_k: Context, _page: number): void {}

  /** The vm_flags that do_page_fault() makes of the syndrome. Write implies read, and so does exec without FEAT_PAN3. */
  accessError(k: Context, f: FaultState): boolean {
    const esr = f.archError;
    let needed = VM_READ | VM_WRITE | VM_EXEC;
    if (isInstructionAbort(esr)) needed = VM_EXEC;
    else if (isWriteAbort(esr)) needed = VM_WRITE;
    return (vmFlags.get(k.ram, f.vma) & needed) === 0;
  }

  /** There are no memory keys. */
  keyPermits(_k: Context, _key: number, _kind: "read" | "write"): boolean {
    return true;
  }

  setKeyRights(_k: Context, _key: number, _rights: number): void {}
}

function readFeatures(cpu: Aarch64Cpu): Features {
  const mmfr0 = cpu.mrsLo("ID_AA64MMFR0_EL1");
  return {
    tlbi: {
      range: ((cpu.mrsHi("ID_AA64ISAR0_EL1") >>> 24) & 15) >= 2 ? "present" : "absent",
      levelHint: ((cpu.mrsHi("ID_AA64MMFR2_EL1") >>> 16) & 15) !== 0 ? "present" : "absent",
    },
    asidBits: ((mmfr0 >>> 4) & 15) === 2 ? 16 : 8,
    physicalRange: mmfr0 & 7,
    hardwareUpdates: cpu.mrsLo("ID_AA64MMFR1_EL1") & 15,
  };
}
