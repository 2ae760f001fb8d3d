/** A small machine for tests of x86-64 translation: RAM, a frame allocator, a table builder, and units over it. */
import {
  CoherenceLedger,
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR4_LA57,
  CR4_PAE,
  CR4_PGE,
  EFER_LMA,
  EFER_LME,
  EFER_NXE,
  EventBudget,
  entryFrame,
  entryHi,
  entryLo,
  type LedgerOptions,
  levelShift,
  MaySets,
  type MaySetsOptions,
  PhysicalMemory,
  PTE_P,
  PTE_PS,
  PTE_RW,
  PTE_US,
  SKYLAKE,
  type TlbPolicy,
  type TranslationObserver,
  tableIndex,
  type X86TranslationProfile,
  X86TranslationUnit,
} from "../../../mmu/index.ts";

export const CR0_DEFAULT: number = CR0_PE | CR0_PG | CR0_WP;
export const CR4_DEFAULT: number = CR4_PAE | CR4_PGE;
export const EFER_DEFAULT: number = EFER_LME | EFER_LMA | EFER_NXE;
/** Flags of an upper entry that limits nothing. */
export const OPEN: number = PTE_P | PTE_RW | PTE_US;

export interface WorldOptions {
  levels?: 4 | 5;
  policy?: TlbPolicy;
  profile?: X86TranslationProfile;
  observer?: TranslationObserver | null;
  ledger?: Partial<LedgerOptions> | null;
  /** Given: the ledger keeps may-sets as well. */
  maySets?: Partial<MaySetsOptions>;
  maxPhysBits?: number;
  seed?: number;
  cores?: number;
  ramBytes?: number;
}

export class World {
  readonly ram: PhysicalMemory;
  readonly levels: 4 | 5;
  readonly budget: EventBudget = new EventBudget();
  readonly ledger: CoherenceLedger | null;
  readonly maySets: MaySets | null;
  readonly states: Int32Array[] = [];
  readonly units: X86TranslationUnit[] = [];
  readonly root: number;
  /** What the ledger's context callback says. */
  readonly context = { core: 0, pcLo: 0x1000, pcHi: 0, timeCycles: 0 };
  #next = 1;

  constructor(options: WorldOptions = {}) {
    this.levels = options.levels ?? 4;
    this.ram = new PhysicalMemory(options.ramBytes ?? 0x100_0000, 0x10000);
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
          leafShifts: [12, 21, 30],
          eventContext: (into) => Object.assign(into, this.context),
          isPermanent: (_lo, hi) => hi < 0,
          allocations: "unknown",
          maySets: this.maySets,
          ...ledger,
        })
      : null;
    const profile = options.profile ?? SKYLAKE;
    for (let core = 0; core < (options.cores ?? 1); core++) {
      const state = new Int32Array(X86TranslationUnit.stateWords(profile));
      this.states.push(state);
      this.units.push(
        new X86TranslationUnit({
          core,
          profile,
          state,
          ram: this.ram,
          budget: this.budget,
          policy: options.policy ?? "typical",
          seed: options.seed ?? 1,
          observer: options.observer ?? null,
          ledger: this.ledger,
          maxPhysBits: options.maxPhysBits ?? 46,
        }),
      );
    }
    this.root = this.frame();
    for (const unit of this.units) {
      unit.writeCr3(entryLo(this.root, 0), entryHi(this.root));
      if (!unit.setControls(CR0_DEFAULT, this.cr4(), EFER_DEFAULT)) throw new Error("controls refused");
    }
  }

  get unit(): X86TranslationUnit {
    return this.units[0];
  }

  /** CR4 for this world with further bits. */
  cr4(more = 0): number {
    return CR4_DEFAULT | (this.levels === 5 ? CR4_LA57 : 0) | more;
  }

  /** A fresh frame, zeroed. */
  frame(): number {
    return this.#next++;
  }

  /** Physical address of the slot of a level for an address; missing tables are created, open. */
  slot(lo: number, hi: number, level: number, root: number = this.root): number {
    let table = root;
    for (let at = this.levels; ; at--) {
      const pa = table * 4096 + tableIndex(lo, hi, at) * 8;
      if (at === level) return pa;
      if ((this.ram.read32(pa) & PTE_P) === 0) this.write(pa, this.frame(), OPEN);
      table = entryFrame(this.ram.read32(pa), this.ram.read32(pa + 4));
    }
  }

  write(pa: number, frame: number, flags: number, flagsHi = 0): void {
    this.ram.write64(pa, entryLo(frame, flags), entryHi(frame, flagsHi));
  }

  /** Maps a page of 2^shift bytes; returns the slot's physical address. */
  map(
    lo: number,
    hi: number,
    frame: number,
    flags: number,
    flagsHi = 0,
    shift = 12,
    root: number = this.root,
  ): number {
    const level = (shift - 3) / 9;
    if (levelShift(level) !== shift) throw new Error(`no level of 2^${shift}`);
    const pa = this.slot(lo, hi, level, root);
    this.write(pa, frame, shift === 12 ? flags : flags | PTE_PS, flagsHi);
    return pa;
  }
}
