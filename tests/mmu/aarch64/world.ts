/** A small machine for tests of AArch64 translation: RAM, a frame allocator, a table builder, and units over it. */

import { AARCH64_LEAF_SHIFTS } from "../../../mmu/aarch64/descriptors.ts";
import {
  type AArch64TranslationProfile,
  AArch64TranslationUnit,
  descriptorHi,
  descriptorLo,
  type GranuleShift,
  lookupIndex,
  lookupShift,
  NEOVERSE_N1,
  SCTLR_M,
  startLevel,
  TCR_HI_AS,
  TCR_HI_HA,
  TCR_HI_HD,
  TCR_T1SZ_SHIFT,
  TCR_TG0_SHIFT,
  TCR_TG1_SHIFT,
  TTD_AF,
  TTD_AP_EL0,
  TTD_NG,
  TTD_TABLE,
  TTD_VALID,
} from "../../../mmu/aarch64/index.ts";
import {
  CoherenceLedger,
  EventBudget,
  LateStoreBus,
  type LedgerOptions,
  MaySets,
  type MaySetsOptions,
  PhysicalMemory,
  type TranslationObserver,
} from "../../../mmu/index.ts";

/** A leaf of a user page that anyone may read and write and that has been accessed. */
export const USER_PAGE: number = TTD_AF | TTD_AP_EL0 | TTD_NG;
/** A leaf of a global kernel page. */
export const KERNEL_PAGE: number = TTD_AF;

export interface WorldOptions {
  granule?: GranuleShift;
  /** 64 - TnSZ of both halves. */
  inputBits?: number;
  policy?: "typical" | "adversarial";
  profile?: Partial<AArch64TranslationProfile>;
  observer?: TranslationObserver | null;
  ledger?: Partial<LedgerOptions> | null;
  /** Given: the ledger keeps may-sets as well. */
  maySets?: Partial<MaySetsOptions>;
  seed?: number;
  cores?: number;
  ramBytes?: number;
  /** More bits of the high word of TCR_EL1. */
  tcrHi?: number;
  tcrLo?: number;
  /** Page-table stores may be late, while the budget is exploring. */
  lateStores?: true;
}

export class World {
  readonly ram: PhysicalMemory;
  readonly granule: GranuleShift;
  readonly inputBits: number;
  readonly budget: EventBudget = new EventBudget();
  readonly late: LateStoreBus | null;
  readonly ledger: CoherenceLedger | null;
  readonly maySets: MaySets | null;
  readonly states: Int32Array[] = [];
  readonly units: AArch64TranslationUnit[] = [];
  readonly profile: AArch64TranslationProfile;
  /** Frames of the first tables of the halves. */
  readonly roots: [number, number];
  readonly tcrLo: number;
  readonly tcrHi: number;
  readonly context = { core: 0, pcLo: 0x1000, pcHi: 0, timeCycles: 0 };
  #next = 16;

  constructor(options: WorldOptions = {}) {
    this.granule = options.granule ?? 12;
    this.inputBits = options.inputBits ?? 48;
    this.profile = { ...NEOVERSE_N1, ...options.profile };
    this.ram = new PhysicalMemory(options.ramBytes ?? 0x200_0000, 0x10000);
    this.maySets = options.maySets
      ? new MaySets({
          ram: this.ram,
          eventContext: (into) => Object.assign(into, this.context),
          isPermanent: (_lo, hi) => hi < 0,
          selfCheck: "every use",
          ...options.maySets,
        })
      : null;
    const ledger = options.ledger ?? (options.maySets ? {} : null);
    this.ledger = ledger
      ? new CoherenceLedger({
          frames: this.ram.frames,
          leafShifts: AARCH64_LEAF_SHIFTS,
          eventContext: (into) => Object.assign(into, this.context),
          isPermanent: (_lo, hi) => hi < 0,
          allocations: "unknown",
          maySets: this.maySets,
          ...ledger,
        })
      : null;
    this.late = options.lateStores
      ? new LateStoreBus(this.ram, () => (this.budget.exploring ? this.context.core : -1))
      : null;
    for (let core = 0; core < (options.cores ?? 1); core++) {
      const state = new Int32Array(AArch64TranslationUnit.stateWords(this.profile));
      this.states.push(state);
      this.units.push(
        new AArch64TranslationUnit({
          core,
          profile: this.profile,
          state,
          ram: this.ram,
          budget: this.budget,
          policy: options.policy ?? "typical",
          seed: options.seed ?? 1,
          observer: options.observer ?? null,
          ledger: this.ledger,
          lateStores: this.late,
        }),
      );
    }
    this.roots = [this.frame(), this.frame()];
    const size = 64 - this.inputBits;
    const tg0 = { 12: 0, 14: 2, 16: 1 }[this.granule];
    const tg1 = { 12: 2, 14: 1, 16: 3 }[this.granule];
    this.tcrLo =
      size |
      (size << TCR_T1SZ_SHIFT) |
      (tg0 << TCR_TG0_SHIFT) |
      (tg1 << TCR_TG1_SHIFT) |
      (options.tcrLo ?? 0);
    const ips = { 32: 0, 36: 1, 40: 2, 42: 3, 44: 4, 48: 5, 52: 6 }[this.profile.physicalBits] ?? 5;
    this.tcrHi = options.tcrHi ?? ips | TCR_HI_AS | TCR_HI_HA | TCR_HI_HD;
    for (const unit of this.units) {
      // AttrIndx 0: Normal Write-Back; 1: Device-nGnRE.
      unit.writeMair(0x04ff, 0);
      unit.writeTcr(this.tcrLo, this.tcrHi);
      this.load(1, unit);
      unit.writeTtbr1(descriptorLo(this.roots[1], 0), descriptorHi(this.roots[1]));
      unit.writeSctlr(SCTLR_M, 0);
    }
  }

  get unit(): AArch64TranslationUnit {
    return this.units[0];
  }

  /** TTBR0_EL1: a root under an ASID. */
  load(asid: number, unit: AArch64TranslationUnit = this.unit, root: number = this.roots[0]): void {
    unit.writeTtbr0(descriptorLo(root, 0), descriptorHi(root) | (asid << 16));
  }

  get start(): number {
    return startLevel(this.granule, this.inputBits);
  }

  /** The first 4 KiB frame of a fresh granule, zeroed. */
  frame(): number {
    const pages = 1 << (this.granule - 12);
    this.#next = Math.ceil(this.#next / pages) * pages;
    const frame = this.#next;
    this.#next += pages;
    return frame;
  }

  /** Physical address of the descriptor of a level for an address; missing tables are created, without limits. */
  slot(lo: number, hi: number, level: number, root: number = this.roots[hi < 0 ? 1 : 0]): number {
    let table = root;
    for (let at = this.start; ; at++) {
      const bits = Math.min(this.granule - 3, this.inputBits - lookupShift(this.granule, at));
      const index = lookupIndex(lo, hi, this.granule, at) & ((1 << bits) - 1);
      const pa = table * 4096 + index * 8;
      if (at === level) return pa;
      if ((this.ram.read32(pa) & TTD_VALID) === 0) this.write(pa, this.frame(), TTD_VALID | TTD_TABLE);
      table = (this.ram.read32(pa) >>> this.granule) * (1 << (this.granule - 12));
    }
  }

  write(pa: number, frame: number, flags: number, flagsHi = 0): void {
    this.ram.write64(pa, descriptorLo(frame, flags), descriptorHi(frame, flagsHi));
  }

  /** Maps the page or block of a level; returns the slot's physical address. */
  map(
    lo: number,
    hi: number,
    frame: number,
    flags: number,
    flagsHi = 0,
    level = 3,
    root: number = this.roots[hi < 0 ? 1 : 0],
  ): number {
    const pa = this.slot(lo, hi, level, root);
    this.write(pa, frame, flags | TTD_VALID | (level === 3 ? TTD_TABLE : 0), flagsHi);
    return pa;
  }
}
