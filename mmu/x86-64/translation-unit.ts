/**
 * Translation hardware of an x86-64 core: first-level data and instruction TLBs, a second level, paging-structure
 * caches, the walker, the fast TLB, and the operations that change or invalidate them. Intel SDM vol. 3A chapter
 * "Paging", above all 4.10 (caching translation information).
 *
 * Choices where the manual leaves one: a rights violation found in a TLB entry faults without a new walk (the entry
 * goes with the fault, 4.10.4.1); a write through an entry with D = 0 walks again; an access that misses the first
 * level and hits the second copies the entry; a 1 GiB page enters the instruction TLB in 2 MiB fragments.
 *
 * Simplification: paging is 4-level or 5-level or off (identity); 32-bit and PAE paging do not exist, nor do PCIDs'
 * extensions (LAM), supervisor keys (PKS) and shadow stacks.
 */
import { FastKeeper } from "../fast-keeper.ts";
import type { CoherenceLedger } from "../ledger.ts";
import type { MaySets } from "../may-sets.ts";
import type { PhysicalMemory } from "../memory.ts";
import { seedRandom } from "../random.ts";
import { ENTRY_ATTRIBUTES, ENTRY_FRAME_HI, ENTRY_FRAME_LO, fold } from "../set-array.ts";
import type { Tlb } from "../tlb.ts";
import {
  type AccessKind,
  DONE,
  type EventBudget,
  type EventObserver,
  FAULT,
  FETCH,
  type Privilege,
  READ,
  SUSPENDED,
  type TranslationCause,
  type TranslationObserver,
  type TranslationStatus,
  type TranslationUnit,
  USER,
  WRITE,
} from "../translation.ts";
import { Admission } from "./admission.ts";
import { X86Adversary } from "./adversary.ts";
import { type CachedEntry, X86Caches } from "./caches.ts";
import { describeFault, type X86TranslationFault } from "./fault.ts";
import { Invalidation } from "./invalidation.ts";
import {
  ATTRIBUTE_D,
  PHASE_ACCESS,
  PHASE_FAULT,
  PHASE_FILL,
  PHASE_IDLE,
  PHASE_UPDATE,
  regionBit,
  S_CR3_HI,
  S_CR3_LO,
  S_LARGE,
  S_LEVELS,
  S_OCCUPIED,
  S_PCID,
  S_PKRU,
  S_PREFETCH,
  S_RANDOM,
  S_STALL,
  S_WALK,
  stateWords,
  W_FIRST_LEVEL,
  W_HI,
  W_IMAGE,
  W_KIND,
  W_LO,
  W_PHASE,
  W_PRIVILEGE,
  W_SLOT,
} from "./layout.ts";
import { X86MayFormat } from "./may-format.ts";
import { isCanonical, levelShift } from "./paging.ts";
import { probeTables } from "./probe.ts";
import { profileArrays, type X86TranslationProfile } from "./profiles.ts";
import { TranslationRegisters } from "./registers.ts";
import { isPermitted, keyDenies } from "./rights.ts";
import { Walker } from "./walker.ts";
import { WHOLE_LEFT, WholeWalk } from "./whole-walk.ts";

/** What the TLBs keep: the profile's sizes first-in first-out, or seeded choice with prefetches (adversary.ts). */
export type TlbPolicy = "typical" | "adversarial";

export interface X86TranslationOptions {
  readonly core: number;
  readonly profile: X86TranslationProfile;
  /** X86TranslationUnit.stateWords(profile) words, all 0. */
  readonly state: Int32Array;
  readonly ram: PhysicalMemory;
  readonly budget: EventBudget;
  readonly policy: TlbPolicy;
  readonly seed: number;
  readonly observer: TranslationObserver | null;
  readonly ledger: CoherenceLedger | null;
  /** MAXPHYADDR, 36 … 52. */
  readonly maxPhysBits: number;
}

export class X86TranslationUnit implements TranslationUnit {
  /** Words of state that a core with this profile needs. */
  static stateWords(profile: X86TranslationProfile): number {
    return stateWords(profile);
  }

  readonly core: number;
  readonly fast: Int32Array;
  pa = 0;
  readonly fault: X86TranslationFault = {
    cause: "none",
    lo: 0,
    hi: 0,
    kind: READ,
    privilege: USER,
    level: 0,
    errorCode: 0,
  };
  /** Names of the structures by the number that observers get. */
  readonly structureNames: readonly string[];
  readonly #words: Int32Array;
  readonly #ram: PhysicalMemory;
  readonly #budget: EventBudget;
  readonly #observer: TranslationObserver | null;
  readonly #ledger: CoherenceLedger | null;
  readonly #maySets: MaySets | null;
  /** May-sets that check every use, or null. */
  readonly #selfCheck: MaySets | null;
  readonly #keeper: FastKeeper;
  readonly #admission: Admission;
  readonly #invalidation: Invalidation;
  readonly #registers: TranslationRegisters;
  readonly #caches: X86Caches;
  readonly #l1d: Tlb;
  readonly #l1i: Tlb;
  readonly #stlb: Tlb;
  readonly #walker: Walker;
  readonly #whole: WholeWalk;
  /** Walks of timed runs are taken in one go: neither a ledger nor the policy follows their steps. */
  readonly #takesWhole: boolean;
  readonly #adversary: X86Adversary;
  readonly #isAdversarial: boolean;
  readonly #stlbHitCycles: number;

  constructor(options: X86TranslationOptions) {
    const { core, profile, state, ram, observer, ledger, maxPhysBits } = options;
    if (maxPhysBits < 36 || maxPhysBits > 52) throw new RangeError(`MAXPHYADDR of ${maxPhysBits}`);
    if (state.length < stateWords(profile)) throw new RangeError("translation state is too short");
    this.core = core;
    this.#words = state;
    this.#ram = ram;
    this.#budget = options.budget;
    this.#observer = observer;
    this.#ledger = ledger;
    this.#maySets = ledger === null ? null : ledger.maySets;
    this.#maySets?.attach(core, [new X86MayFormat(state)]);
    this.#selfCheck = this.#maySets?.checksUses === true ? this.#maySets : null;
    this.#isAdversarial = options.policy === "adversarial";
    this.#stlbHitCycles = profile.stlbHitCycles;
    this.#keeper = new FastKeeper(state, 0);
    this.fast = this.#keeper.fast;
    this.#keeper.reset();
    seedRandom(state, S_RANDOM, options.seed);
    const geometries = profileArrays(profile);
    this.structureNames = geometries.map((geometry) => geometry.name);
    const entries = geometries.reduce((sum, geometry) => sum + geometry.sets * geometry.ways, 0);
    const holdings = ledger === null ? 0 : ledger.attach(core, entries, this);
    const random = this.#isAdversarial ? S_RANDOM : -1;
    this.#caches = new X86Caches(
      { core, words: state, occupied: S_OCCUPIED, random, observer, ledger, holdings },
      profile,
      this.#keeper,
    );
    this.#l1d = this.#caches.l1d4k;
    this.#l1i = this.#caches.l1i4k;
    this.#stlb = this.#caches.stlb;
    const parts = { core, words: state, ram, profile, ledger, caches: this.#caches.walkCaches };
    this.#walker = new Walker(parts, S_WALK);
    this.#whole = new WholeWalk(state, ram, profile, this.#caches);
    this.#takesWhole = ledger === null && !this.#isAdversarial;
    this.#adversary = new X86Adversary(state, ram, this.#caches, new Walker(parts, S_PREFETCH));
    const adversary = this.#isAdversarial ? this.#adversary : null;
    this.#admission = new Admission(state, ram, options.budget, this.#keeper);
    this.#invalidation = new Invalidation({
      core,
      words: state,
      caches: this.#caches,
      observer,
      adversary,
      maySets: this.#maySets,
    });
    this.#registers = new TranslationRegisters({
      core,
      words: state,
      keeper: this.#keeper,
      invalidation: this.#invalidation,
      ledger,
      maxPhysBits,
    });
  }

  get stallCycles(): number {
    return this.#words[S_STALL];
  }

  set stallCycles(cycles: number) {
    this.#words[S_STALL] = cycles;
  }

  // Translation

  /** @hot */
  translate(lo: number, hi: number, kind: AccessKind, privilege: Privilege): TranslationStatus {
    const words = this.#words;
    if (words[S_WALK + W_PHASE] !== PHASE_IDLE) return this.#resume(lo, hi, kind, privilege);
    const tlb = kind === FETCH ? this.#l1i : this.#l1d;
    const at = tlb.findPage(lo, hi, words[S_PCID]);
    if (at >= 0) return this.#hit(at, lo, hi, kind, privilege);
    return this.#firstLevelMiss(lo, hi, kind, privilege);
  }

  isAddress(hi: number): boolean {
    const levels = this.#words[S_LEVELS];
    return levels === 0 ? hi === 0 : isCanonical(hi, levels === 5 ? 5 : 4);
  }

  /** Forgets the walk in progress. */
  abandon(): void {
    this.#words[S_WALK + W_PHASE] = PHASE_IDLE;
  }

  /** Where the tables in memory map an address, whatever is cached and whatever the rights. */
  probe(lo: number, hi: number): number {
    return probeTables(this.#words, this.#ram, lo, hi);
  }

  emptyFast(): void {
    this.#keeper.empty();
  }

  /** Removes the fast tags of one page of 2^shift bytes; the ledger asks for it when an entry is condemned. */
  dropFast(lo: number, hi: number, shift: number): void {
    this.#keeper.dropData(lo, hi, shift);
    this.#keeper.dropExec(lo, hi, shift);
  }

  hash(seed: number): number {
    return this.#caches.hash(fold(seed, this.#words[S_RANDOM]));
  }

  /** Every modelled entry, for debuggers and tests. */
  cachedEntries(): CachedEntry[] {
    return this.#caches.list();
  }

  // Registers

  get isWalking(): boolean {
    return this.#words[S_WALK + W_PHASE] !== PHASE_IDLE;
  }

  get cr3Lo(): number {
    return this.#words[S_CR3_LO];
  }

  get cr3Hi(): number {
    return this.#words[S_CR3_HI];
  }

  /** Current PCID, 0 with CR4.PCIDE = 0. */
  get pcid(): number {
    return this.#words[S_PCID];
  }

  /**
   * MOV to CR0 and CR4 and WRMSR of EFER, as far as translation is concerned. False: the change is #GP and nothing
   * happened: paging without PE, PAE and LME; LA57 or LME changed under paging; PCIDE set with CR3[11:0] ≠ 0 or without
   * paging; paging switched off under PCIDE. Other reserved bits are the instruction's business.
   */
  setControls(cr0: number, cr4: number, efer: number): boolean {
    return this.#registers.setControls(cr0, cr4, efer);
  }

  /**
   * MOV to CR3. With CR4.PCIDE = 0 it invalidates all but global entries of PCID 0; with PCIDE = 1 those of the new
   * PCID, unless bit 63 is set (SDM 4.10.4.1). False: a reserved bit is set, #GP, nothing happened.
   */
  writeCr3(lo: number, hi: number): boolean {
    return this.#registers.writeCr3(lo, hi);
  }

  /** EFLAGS.AC: STAC, CLAC, POPF, IRET, interrupts. */
  setAc(ac: 0 | 1): void {
    this.#registers.setAc(ac);
  }

  /** WRPKRU, XRSTOR. */
  setPkru(value: number): void {
    this.#registers.setPkru(value);
  }

  get pkru(): number {
    return this.#words[S_PKRU];
  }

  // Invalidation

  /**
   * INVLPG: the address's entries of the current PCID, its global ones, and all paging-structure entries of the
   * current PCID. A non-canonical address is no operation.
   */
  invlpg(lo: number, hi: number): void {
    this.#invalidation.invlpg(lo, hi);
  }

  /**
   * INVPCID. Type 0 drops what would translate the address under the PCID, globals excepted; type 1 all of the PCID but
   * globals; type 2 everything; type 3 everything but globals. False: #GP: an undefined type, a PCID above 12 bits or
   * (types 0 and 1) other than 0 with CR4.PCIDE = 0, or (type 0) a non-canonical address.
   */
  invpcid(type: number, pcid: number, lo: number, hi: number): boolean {
    return this.#invalidation.invpcid(type, pcid, lo, hi);
  }

  // Speculation

  /** Prefetches the translation of an address under the loaded root, with its A bits; no rights are checked. */
  speculate(lo: number, hi: number): void {
    this.#adversary.speculate(lo, hi);
  }

  /**
   * The TLB entries of any size that translate an address under the current PCID are replaced, globals included, as
   * hardware may do at any moment (SDM vol. 3A 4.10.2.2). A walk in progress goes on. For explorers of TLB content.
   */
  evictPage(lo: number, hi: number): void {
    this.#caches.dropPage(lo, hi, this.#words[S_PCID], 1);
  }

  /** The same for the paging-structure-cache entry of a level (2 PDE … 5 PML5E) that an address uses. */
  evictTable(lo: number, hi: number, level: number): void {
    this.#caches.walkCaches[level]?.dropAddress(lo, hi, levelShift(level), this.#words[S_PCID], 0);
  }

  /** Folds the walk in progress into a hash; without one the hash stays as it is. */
  foldWalk(seed: number): number {
    if (!this.isWalking) return seed;
    let hash = seed;
    for (let at = S_WALK; at < S_PREFETCH; at++) hash = fold(hash, this.#words[at]);
    return hash;
  }

  /** The policy's chance to act; the core calls it at slice starts, lazy or in kernel mode as well. */
  perturb(): void {
    if (this.#isAdversarial) this.#adversary.perturb();
  }

  /** An entry of the first level translates the access. @hot */
  #hit(at: number, lo: number, hi: number, kind: AccessKind, privilege: Privilege): TranslationStatus {
    const words = this.#words;
    const attributes = words[at + ENTRY_ATTRIBUTES];
    const permitted = isPermitted(words, attributes, kind, privilege);
    if (permitted && kind === WRITE && (attributes & ATTRIBUTE_D) === 0) {
      this.#walker.start(lo, hi, kind, privilege);
      return this.#walk();
    }
    // A fetch that hits is no event; one that goes on to the second level is.
    if (kind !== FETCH && !this.#budget.take()) return SUSPENDED;
    if (this.#ledger !== null) this.#ledger.use(this.#caches.holdingOf(at), lo, hi);
    if (this.#selfCheck !== null) this.#checkUse(at, lo, hi);
    if (!permitted) return this.#deny(at, lo, hi, kind, privilege);
    this.#arrive(at, lo, kind, privilege, hi, at);
    return DONE;
  }

  /** Large pages in the first level, then the second level, then a walk. @hot */
  #firstLevelMiss(lo: number, hi: number, kind: AccessKind, privilege: Privilege): TranslationStatus {
    const words = this.#words;
    const pcid = words[S_PCID];
    const mayBeLarge = (words[S_LARGE] & regionBit(lo, hi)) !== 0;
    if (mayBeLarge) {
      const large = this.#caches.findLarge(lo, hi, kind, pcid);
      if (large >= 0) return this.#hit(large, lo, hi, kind, privilege);
    }
    let at = this.#stlb.findPage(lo, hi, pcid);
    if (at < 0 && mayBeLarge) at = this.#caches.findSecondLarge(lo, hi, pcid);
    if (at >= 0) return this.#secondLevelHit(at, lo, hi, kind, privilege);
    const levels = words[S_LEVELS];
    if (levels === 0) return this.#unpaged(lo, hi, kind, privilege);
    if (!isCanonical(hi, levels === 5 ? 5 : 4)) {
      return this.#budget.take() ? this.#raise("not-canonical", 0, lo, hi, kind, privilege) : SUSPENDED;
    }
    if (this.#takesWhole && !this.#budget.exploring) return this.#walkWhole(lo, hi, kind, privilege);
    this.#walker.start(lo, hi, kind, privilege);
    return this.#walk();
  }

  /** A walk that nobody and nothing watches step by step. @hot */
  #walkWhole(lo: number, hi: number, kind: AccessKind, privilege: Privilege): TranslationStatus {
    const first = this.#whole.walk(lo, hi, kind, privilege);
    if (first >= 0) {
      this.#arrive(first, lo, kind, privilege, hi, first);
      return DONE;
    }
    if (first === WHOLE_LEFT) return this.#walk();
    const { level } = this.#whole;
    describeFault(this.fault, this.#words, "not-present", level, lo, hi, kind, privilege);
    const pcid = this.#words[S_PCID];
    this.#reportPageFault(lo, hi, this.#caches.dropAfterMiss(lo, hi, kind, pcid, level + 1));
    return FAULT;
  }

  #secondLevelHit(
    at: number,
    lo: number,
    hi: number,
    kind: AccessKind,
    privilege: Privilege,
  ): TranslationStatus {
    const words = this.#words;
    const attributes = words[at + ENTRY_ATTRIBUTES];
    const permitted = isPermitted(words, attributes, kind, privilege);
    if (permitted && kind === WRITE && (attributes & ATTRIBUTE_D) === 0) {
      this.#walker.start(lo, hi, kind, privilege);
      return this.#walk();
    }
    if (!this.#budget.take()) return SUSPENDED;
    if (this.#ledger !== null) this.#ledger.use(this.#caches.holdingOf(at), lo, hi);
    if (this.#selfCheck !== null) this.#checkUse(at, lo, hi);
    words[S_STALL] += this.#stlbHitCycles;
    if (!permitted) return this.#deny(at, lo, hi, kind, privilege);
    this.#arrive(at, lo, kind, privilege, hi, this.#caches.fillFirst(at, lo, hi, kind));
    return DONE;
  }

  /** Paging is off: the address is physical. */
  #unpaged(lo: number, hi: number, kind: AccessKind, privilege: Privilege): TranslationStatus {
    if (!this.#budget.take()) return SUSPENDED;
    if (hi !== 0) return this.#raise("not-canonical", 0, lo, hi, kind, privilege);
    this.pa = lo >>> 0;
    return DONE;
  }

  #resume(lo: number, hi: number, kind: AccessKind, privilege: Privilege): TranslationStatus {
    if (!this.#walker.isFor(lo, hi, kind, privilege)) {
      throw new Error("translate: the walk of another access is in progress; abandon() comes first");
    }
    // The first-level entry may have been evicted meanwhile: no fast tag for this access.
    this.#words[S_WALK + W_FIRST_LEVEL] = -1;
    return this.#walk();
  }

  /** Steps the walk in progress until the access is done, faults, or the budget is used up. @hot */
  #walk(): TranslationStatus {
    const words = this.#words;
    const budget = this.#budget;
    for (;;) {
      if (!budget.take()) return SUSPENDED;
      const phase = words[S_WALK + W_PHASE];
      if (phase < PHASE_FILL) {
        const next = budget.exploring ? this.#walker.step() : this.#walker.run();
        if (budget.observer !== null)
          this.#tellWalked(budget.observer, phase === PHASE_UPDATE ? WRITE : READ);
        if (next === PHASE_FAULT) return this.#walkFault();
      } else if (phase === PHASE_FILL) {
        this.#fill();
        if (budget.observer !== null) this.#tellFilled(budget.observer);
        words[S_WALK + W_PHASE] = PHASE_ACCESS;
      } else {
        words[S_WALK + W_PHASE] = PHASE_IDLE;
        if (this.#selfCheck !== null) {
          this.#checkUse(S_WALK + W_IMAGE, words[S_WALK + W_LO], words[S_WALK + W_HI]);
        }
        this.#arrive(
          S_WALK + W_IMAGE,
          words[S_WALK + W_LO],
          words[S_WALK + W_KIND],
          words[S_WALK + W_PRIVILEGE],
          words[S_WALK + W_HI],
          words[S_WALK + W_FIRST_LEVEL],
        );
        return DONE;
      }
    }
  }

  #tellWalked(observer: EventObserver, kind: AccessKind): void {
    const words = this.#words;
    observer.walked(words[S_WALK + W_SLOT] * 4, kind, words[S_WALK + W_LO], words[S_WALK + W_HI]);
  }

  #tellFilled(observer: EventObserver): void {
    const words = this.#words;
    const frame = words[S_WALK + W_IMAGE + ENTRY_FRAME_LO] >>> 0;
    observer.filled(frame, words[S_WALK + W_LO], words[S_WALK + W_HI]);
  }

  /** The fill of a walk: second level and first. @hot */
  #fill(): void {
    const words = this.#words;
    const image = S_WALK + W_IMAGE;
    const lo = words[S_WALK + W_LO];
    const hi = words[S_WALK + W_HI];
    this.#caches.fillSecond(image);
    words[S_WALK + W_FIRST_LEVEL] = this.#caches.fillFirst(image, lo, hi, words[S_WALK + W_KIND]);
    if (this.#isAdversarial) this.#adversary.dropSome();
  }

  /**
   * The access may go ahead: sets `pa`, and lets the page into the fast TLB if its first-level entry `first` exists.
   * `at` is any copy of the entry. @hot
   */
  #arrive(at: number, lo: number, kind: number, privilege: number, hi: number, first: number): void {
    const words = this.#words;
    const frame = (words[at + ENTRY_FRAME_LO] | ((lo & ~(-1 << (words[at] & 0x3f))) >>> 12)) >>> 0;
    const frameHi = words[at + ENTRY_FRAME_HI];
    this.pa = (frame + frameHi * 0x1_0000_0000) * 4096 + (lo & 0xfff);
    const { observer } = this.#budget;
    if (observer !== null) observer.used(this.pa, kind as AccessKind, lo, hi);
    // May-sets hear of every store: no data page is written past translate().
    if (this.#maySets !== null && kind !== FETCH) return;
    if (first >= 0 && frameHi === 0) this.#admission.admit(first, lo, hi, kind, privilege, frame);
  }

  /** An access is about to use the entry at a word index, or a walk's image. */
  #checkUse(at: number, lo: number, hi: number): void {
    const words = this.#words;
    const frame = (words[at + ENTRY_FRAME_LO] | ((lo & ~(-1 << (words[at] & 0x3f))) >>> 12)) >>> 0;
    const attributes = words[at + ENTRY_ATTRIBUTES];
    const leadsTo = frame + words[at + ENTRY_FRAME_HI] * 0x1_0000_0000;
    this.#selfCheck!.used(this.core, words[S_PCID], lo, hi, attributes, leadsTo);
  }

  /** A TLB entry rules the access out. */
  #deny(at: number, lo: number, hi: number, kind: AccessKind, privilege: Privilege): TranslationStatus {
    const words = this.#words;
    const level = ((words[at] & 0x3f) - 3) / 9;
    const byKey = keyDenies(words, words[at + ENTRY_ATTRIBUTES], kind, privilege);
    return this.#raise(byKey ? "protection-key" : "protection", level, lo, hi, kind, privilege);
  }

  #walkFault(): TranslationStatus {
    const words = this.#words;
    words[S_WALK + W_PHASE] = PHASE_IDLE;
    return this.#raise(
      this.#walker.cause,
      this.#walker.level,
      words[S_WALK + W_LO],
      words[S_WALK + W_HI],
      words[S_WALK + W_KIND] as AccessKind,
      words[S_WALK + W_PRIVILEGE] as Privilege,
    );
  }

  /**
   * Reports a fault. A page fault drops the page's TLB entries and the paging-structure entries that its address uses
   * (SDM 4.10.4.1), so that it does not recur if the tables in memory permit the access.
   */
  #raise(
    cause: TranslationCause,
    level: number,
    lo: number,
    hi: number,
    kind: AccessKind,
    privilege: Privilege,
  ): TranslationStatus {
    describeFault(this.fault, this.#words, cause, level, lo, hi, kind, privilege);
    if (cause === "not-canonical") return FAULT;
    const pcid = this.#words[S_PCID];
    this.#maySets?.invalidatePage(this.core, pcid, lo, hi, "globals", "address");
    const entries = this.#caches.dropPage(lo, hi, pcid, 1);
    this.#reportPageFault(lo, hi, entries + this.#caches.dropWalk(lo, hi, pcid));
    return FAULT;
  }

  #reportPageFault(lo: number, hi: number, dropped: number): void {
    if (this.#observer !== null && dropped > 0) this.#observer.invalidate(this.core, "#PF", lo, hi, dropped);
  }
}
