/**
 * Translation hardware of an AArch64 core, stage 1 of the EL1&0 regime in the Non-secure state without EL2: first-level
 * data and instruction TLBs, a second level, walk caches, the walker, the fast TLB, and the operations that change or
 * invalidate them. Arm ARM DDI 0487 chapter D8 "The AArch64 Virtual Memory System Architecture".
 *
 * Choices where the manual leaves one: a permission fault by a TLB entry is taken without a new walk and leaves the entry
 * where it is, so it recurs until an invalidation; a store through a writable and clean entry walks again; an access that
 * misses the first level and hits the second copies the entry; two entries that match one address are a TLB conflict abort
 * at the access that finds them.
 *
 * Simplifications: system register writes take effect at once (registers.ts); accesses by tagged addresses are never
 * translated by the fast TLB; NSTable and NS have no effect, as in the Non-secure state.
 */
import { FastKeeper } from "../fast-keeper.ts";
import { type LateStoreBus, LateStores } from "../late-stores.ts";
import type { CoherenceLedger } from "../ledger.ts";
import type { MaySets } from "../may-sets.ts";
import type { PhysicalMemory } from "../memory.ts";
import { seedRandom } from "../random.ts";
import { ENTRY_ATTRIBUTES, ENTRY_FRAME_HI, ENTRY_FRAME_LO, fold } from "../set-array.ts";
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
import { AArch64Adversary } from "./adversary.ts";
import { type AArch64CachedEntry, AArch64Caches, ALL_SIZES, CONFLICT } from "./caches.ts";
import { isInRange } from "./controls.ts";
import { lookupShift } from "./descriptors.ts";
import { type AArch64TranslationFault, describeFault, faultStatusCode } from "./fault.ts";
import { Invalidation } from "./invalidation.ts";
import {
  ATTRIBUTE_DIRTY,
  ATTRIBUTE_GP,
  ATTRIBUTE_INDEX_SHIFT,
  ATTRIBUTE_LEVEL_SHIFT,
  ATTRIBUTE_SH_SHIFT,
  PHASE_ACCESS,
  PHASE_FAULT,
  PHASE_FILL,
  PHASE_IDLE,
  PHASE_UPDATE,
  R_GRANULE,
  R_NO_EL0,
  R_TBI_DATA,
  R_TBI_FETCH,
  RANGE_WORDS,
  S_ASID,
  S_LATE,
  S_MAIR_HI,
  S_MAIR_LO,
  S_OCCUPIED,
  S_ON,
  S_PAN,
  S_PREFETCH,
  S_RANDOM,
  S_RANGES,
  S_STALL,
  S_TCR_LO,
  S_TTBR0_LO,
  S_TTBR1_LO,
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
  W_TAGGED_HI,
} from "./layout.ts";
import { AArch64MayFormat } from "./may-format.ts";
import { probeTables } from "./probe.ts";
import { type AArch64TranslationProfile, profileArrays } from "./profiles.ts";
import { TranslationRegisters } from "./registers.ts";
import { isPermitted } from "./rights.ts";
import type { TlbiOperation } from "./tlbi.ts";
import { Walker } from "./walker.ts";

/** A DSB by its shareability domain and, with "st", for stores alone. */
export type DsbOption = "ish" | "ishst" | "nsh" | "nshst";

export interface AArch64TranslationOptions {
  readonly core: number;
  readonly profile: AArch64TranslationProfile;
  /** AArch64TranslationUnit.stateWords(profile) words, all 0. */
  readonly state: Int32Array;
  readonly ram: PhysicalMemory;
  readonly budget: EventBudget;
  /** The profile's sizes first-in first-out, or seeded choice with prefetches (adversary.ts). */
  readonly policy: "typical" | "adversarial";
  readonly seed: number;
  readonly observer: TranslationObserver | null;
  readonly ledger: CoherenceLedger | null;
  /** Page-table stores may reach walkers late; null: they do not (also with FEAT_ETS2). */
  readonly lateStores: LateStoreBus | null;
}

export class AArch64TranslationUnit implements TranslationUnit {
  /** Words of state that a core with this profile needs. */
  static stateWords(profile: AArch64TranslationProfile): number {
    return stateWords(profile);
  }

  readonly core: number;
  readonly fast: Int32Array;
  pa = 0;
  readonly fault: AArch64TranslationFault = {
    cause: "none",
    lo: 0,
    hi: 0,
    kind: READ,
    privilege: USER,
    level: 0,
    lookupLevel: 0,
    statusCode: 0,
    iss: 0,
    isReadFault: true,
  };
  /** Page-table stores of this core that walkers do not see yet. */
  readonly lateStores: LateStores | null;
  /** Names of the structures by the number that observers get. */
  readonly structureNames: readonly string[];
  /** Of the last translate() that returned DONE: the entry's attributes; -1: stage 1 was off. */
  #attributes = 0;
  readonly #words: Int32Array;
  readonly #ram: PhysicalMemory;
  readonly #profile: AArch64TranslationProfile;
  readonly #budget: EventBudget;
  readonly #ledger: CoherenceLedger | null;
  readonly #maySets: MaySets | null;
  /** May-sets that check every use, or null. */
  readonly #selfCheck: MaySets | null;
  readonly #keeper: FastKeeper;
  readonly #admission: Admission;
  readonly #invalidation: Invalidation;
  readonly #registers: TranslationRegisters;
  readonly #caches: AArch64Caches;
  readonly #walker: Walker;
  readonly #adversary: AArch64Adversary;
  readonly #isAdversarial: boolean;

  constructor(options: AArch64TranslationOptions) {
    const { core, profile, state, ram, observer, ledger } = options;
    if (state.length < stateWords(profile)) throw new RangeError("translation state is too short");
    this.core = core;
    this.#words = state;
    this.#ram = ram;
    this.#profile = profile;
    this.#budget = options.budget;
    this.#ledger = ledger;
    this.#maySets = ledger === null ? null : ledger.maySets;
    const formats = [new AArch64MayFormat(state, 0, profile), new AArch64MayFormat(state, 1, profile)];
    this.#maySets?.attach(core, formats);
    this.#selfCheck = this.#maySets?.checksUses === true ? this.#maySets : null;
    this.#isAdversarial = options.policy === "adversarial";
    this.#keeper = new FastKeeper(state, 0);
    this.fast = this.#keeper.fast;
    this.#keeper.reset();
    seedRandom(state, S_RANDOM, options.seed);
    const geometries = profileArrays(profile);
    this.structureNames = geometries.map((geometry) => geometry.name);
    const entries = geometries.reduce((sum, geometry) => sum + geometry.sets * geometry.ways, 0);
    const holdings = ledger === null ? 0 : ledger.attach(core, entries, this);
    const random = this.#isAdversarial ? S_RANDOM : -1;
    this.#caches = new AArch64Caches(
      { core, words: state, occupied: S_OCCUPIED, random, observer, ledger, holdings },
      profile,
      this.#keeper,
    );
    this.lateStores = options.lateStores === null ? null : new LateStores(options.lateStores, state, S_LATE);
    const late = this.lateStores;
    const { budget } = options;
    const parts = { core, words: state, ram, profile, ledger, caches: this.#caches.walkCaches, late, budget };
    this.#walker = new Walker(parts, S_WALK);
    this.#adversary = new AArch64Adversary(state, ram, this.#caches, new Walker(parts, S_PREFETCH));
    this.#admission = new Admission(state, ram, options.budget, this.#keeper);
    this.#invalidation = new Invalidation({
      core,
      words: state,
      asidBits: profile.asidBits,
      caches: this.#caches,
      observer,
      adversary: this.#isAdversarial ? this.#adversary : null,
    });
    this.#registers = new TranslationRegisters({
      core,
      words: state,
      keeper: this.#keeper,
      ledger,
      profile,
      late,
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
    const r = S_RANGES + ((hi >>> 23) & 1) * RANGE_WORDS;
    const va = words[r + (kind === FETCH ? R_TBI_FETCH : R_TBI_DATA)] !== 0 ? (hi << 8) >> 8 : hi;
    if (words[S_ON] === 0) return this.#flat(lo, va, hi, kind, privilege);
    const isDenied = privilege === USER && words[r + R_NO_EL0] !== 0;
    if (isDenied || !isInRange(words, r, lo, va)) {
      if (!this.#budget.take()) return SUSPENDED;
      return this.#raise(isDenied ? "not-present" : "not-canonical", 0, lo, hi, kind, privilege);
    }
    const caches = this.#caches;
    const at = caches.find(caches.firstFor(kind), lo, va, words[S_ASID]);
    if (at >= 0) return this.#hit(at, lo, va, hi, kind, privilege);
    return this.#firstLevelMiss(at, lo, va, hi, kind, privilege);
  }

  /**
   * An address out of range is a translation or address size fault of level 0: D8 "Prioritization of synchronous aborts from
   * a single stage of address translation" has it behind the alignment faults that the memory type does not cause.
   */
  isAddress(_hi: number): boolean {
    return true;
  }

  /** Forgets the walk in progress. */
  abandon(): void {
    this.#words[S_WALK + W_PHASE] = PHASE_IDLE;
  }

  /** Where the tables in memory map an address, whatever is cached and whatever the permissions. */
  probe(lo: number, hi: number): number {
    return probeTables(this.#words, this.#ram, this.#profile.physicalBits, lo, hi);
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
    const hash = this.#caches.hash(fold(seed, this.#words[S_RANDOM]));
    return this.lateStores === null ? hash : this.lateStores.hash(hash);
  }

  /** The same of TLBs and walk caches alone. */
  hashEntries(seed: number): number {
    return this.#caches.hash(seed);
  }

  /** Every modelled entry, for debuggers and tests. */
  cachedEntries(): AArch64CachedEntry[] {
    return this.#caches.list();
  }

  get isWalking(): boolean {
    return this.#words[S_WALK + W_PHASE] !== PHASE_IDLE;
  }

  // What the last translate() that returned DONE found, for whoever checks alignment, BTI and exclusives

  /** The byte of MAIR_EL1; with stage 1 off 0, Device-nGnRnE, which holds for data. Bits 7:4 are 0 for Device memory. */
  get memoryAttribute(): number {
    if (this.#attributes < 0) return 0;
    return this.#mairByte(this.#attributes);
  }

  /** Device memory: an unaligned access is an alignment fault. */
  get requiresAlignment(): boolean {
    return (this.memoryAttribute & 0xf0) === 0;
  }

  /** SH: 0 Non-shareable, 2 Outer, 3 Inner Shareable; with stage 1 off 2. */
  get shareability(): number {
    return this.#attributes < 0 ? 2 : (this.#attributes >>> ATTRIBUTE_SH_SHIFT) & 3;
  }

  /** It permits an access, whatever it was translated for. */
  permits(kind: AccessKind, privilege: Privilege): boolean {
    return this.#attributes < 0 || isPermitted(this.#words, this.#attributes, kind, privilege);
  }

  /** DFSC of a permission fault by it. */
  get permissionStatusCode(): number {
    return faultStatusCode("protection", (this.#attributes >>> ATTRIBUTE_LEVEL_SHIFT) & 3);
  }

  /** Branch targets on the page are guarded (FEAT_BTI). */
  get isGuarded(): boolean {
    return this.#attributes >= 0 && (this.#attributes & ATTRIBUTE_GP) !== 0;
  }

  /** The core found an unaligned access that must be aligned: describes the fault. */
  raiseAlignment(lo: number, hi: number, kind: AccessKind, privilege: Privilege): void {
    this.#raise("alignment", 0, lo, hi, kind, privilege);
  }

  // Registers

  /** SCTLR_EL1, as far as translation is concerned: M, A, WXN, EPAN. */
  writeSctlr(lo: number, hi: number): void {
    this.#registers.writeSctlr(lo, hi);
  }

  writeTcr(lo: number, hi: number): void {
    this.#registers.write(S_TCR_LO, lo, hi);
  }

  writeTtbr0(lo: number, hi: number): void {
    this.#registers.write(S_TTBR0_LO, lo, hi);
  }

  writeTtbr1(lo: number, hi: number): void {
    this.#registers.write(S_TTBR1_LO, lo, hi);
  }

  writeMair(lo: number, hi: number): void {
    this.#registers.write(S_MAIR_LO, lo, hi);
  }

  /** PSTATE.PAN: MSR, exception entry and return. */
  setPan(pan: 0 | 1): void {
    this.#registers.setPan(pan);
  }

  get pan(): 0 | 1 {
    return this.#words[S_PAN] === 0 ? 0 : 1;
  }

  /** Current ASID. */
  get asid(): number {
    return this.#words[S_ASID];
  }

  // Invalidation

  /**
   * A TLBI in one: it is issued, acts on this core and is complete, which is what a core without neighbours can tell of
   * TLBI and DSB together. Returns how many entries went.
   */
  invalidate(operation: TlbiOperation): number {
    const invalidation = this.#maySets === null ? null : this.#invalidation.describe(operation);
    if (invalidation !== null) this.#maySets!.invalidate(this.core, invalidation);
    return this.#invalidation.drop(operation);
  }

  /**
   * This core executes a TLBI: may-sets hear of it, nothing is dropped. Then every core that it names, this one among
   * them, drops() at its own moment, and a DSB of this core completes it: until then what it names may be used.
   */
  issue(operation: TlbiOperation): void {
    this.lateStores?.completeSynchronised();
    if (this.#maySets === null) return;
    const invalidation = this.#invalidation.describe(operation);
    if (invalidation === null) return;
    const reach = operation.shareability === "local" ? "local" : "everywhere";
    this.#maySets.invalidationIssued(this.core, invalidation, reach);
  }

  /** A TLBI that some core issued acts on this one; returns how many entries went. */
  drop(operation: TlbiOperation): number {
    return this.#invalidation.drop(operation);
  }

  /**
   * A DSB of this core is complete. Those for stores alone order them before a TLBI that follows, but complete no TLBI;
   * SY and OSH are like ISH here, and the forms for loads do neither.
   */
  barrierCompleted(option: DsbOption): void {
    const reach = option === "ish" || option === "ishst" ? "everywhere" : "local";
    const waitsFor = option === "ishst" || option === "nshst" ? "stores" : "all";
    this.#maySets?.barrierCompleted(this.core, reach, waitsFor);
    if (reach === "everywhere") this.lateStores?.completeAll();
    else this.lateStores?.synchroniseAll();
  }

  /** A context synchronization event. Walks from here on see what others stored before, and if it was no ISB own stores. */
  synchronise(event: "isb" | "exception"): void {
    if (event === "isb") this.lateStores?.synchronise();
    else this.lateStores?.synchroniseAll();
  }

  // Speculation

  /** Prefetches the translation of an address for data or, by FETCH, for instructions; no permissions are checked. */
  speculate(lo: number, hi: number, kind: AccessKind = READ): void {
    this.#adversary.speculate(lo, hi, kind);
  }

  /**
   * The TLB entries of any size that translate an address under the current ASID are replaced, as hardware may do at any
   * moment. A walk in progress goes on. For explorers of TLB content.
   */
  evictPage(lo: number, hi: number): void {
    this.#caches.dropPage(lo, hi, this.#words[S_ASID], ALL_SIZES);
  }

  /** The same for the walk-cache entry of a lookup level (0, 1, 2) that an address uses. */
  evictTable(lo: number, hi: number, level: number): void {
    const words = this.#words;
    const granule = words[S_RANGES + (hi < 0 ? RANGE_WORDS : 0) + R_GRANULE];
    this.#caches.walkCaches[level]?.dropAddress(lo, hi, lookupShift(granule, level), words[S_ASID], 0);
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
  #hit(
    at: number,
    lo: number,
    va: number,
    hi: number,
    kind: AccessKind,
    privilege: Privilege,
  ): TranslationStatus {
    const words = this.#words;
    const attributes = words[at + ENTRY_ATTRIBUTES];
    const permitted = isPermitted(words, attributes, kind, privilege);
    if (permitted && kind === WRITE && (attributes & ATTRIBUTE_DIRTY) === 0) {
      return this.#startWalk(lo, va, hi, kind, privilege);
    }
    // A fetch that hits is no event; one that goes on to the second level is.
    if (kind !== FETCH && !this.#budget.take()) return SUSPENDED;
    if (this.#ledger !== null) this.#ledger.use(this.#caches.holdingOf(at), lo, va);
    if (!permitted) return this.#deny(at, lo, hi, kind, privilege);
    this.#arrive(at, lo, va, kind, privilege, at);
    return DONE;
  }

  /** The second level, then a walk. @hot */
  #firstLevelMiss(
    found: number,
    lo: number,
    va: number,
    hi: number,
    kind: AccessKind,
    privilege: Privilege,
  ): TranslationStatus {
    const words = this.#words;
    const caches = this.#caches;
    const at = found === CONFLICT ? CONFLICT : caches.find(caches.l2, lo, va, words[S_ASID]);
    if (at === CONFLICT) {
      return this.#budget.take() ? this.#raise("tlb-conflict", 0, lo, hi, kind, privilege) : SUSPENDED;
    }
    if (at < 0) return this.#startWalk(lo, va, hi, kind, privilege);
    const attributes = words[at + ENTRY_ATTRIBUTES];
    const permitted = isPermitted(words, attributes, kind, privilege);
    if (permitted && kind === WRITE && (attributes & ATTRIBUTE_DIRTY) === 0) {
      return this.#startWalk(lo, va, hi, kind, privilege);
    }
    if (!this.#budget.take()) return SUSPENDED;
    if (this.#ledger !== null) this.#ledger.use(caches.holdingOf(at), lo, va);
    words[S_STALL] += this.#profile.l2HitCycles;
    if (!permitted) return this.#deny(at, lo, hi, kind, privilege);
    this.#arrive(at, lo, va, kind, privilege, caches.fill(caches.firstFor(kind), at));
    return DONE;
  }

  /** SCTLR_EL1.M = 0: the address without its tag is the physical address. */
  #flat(lo: number, va: number, hi: number, kind: AccessKind, privilege: Privilege): TranslationStatus {
    if (!this.#budget.take()) return SUSPENDED;
    if (va >>> 0 >= 2 ** (this.#profile.physicalBits - 32)) {
      return this.#raise("address-size", 0, lo, hi, kind, privilege);
    }
    this.pa = (lo >>> 0) + va * 0x1_0000_0000;
    this.#attributes = -1;
    this.#budget.observer?.used(this.pa, kind, lo, va);
    return DONE;
  }

  /** @hot */
  #startWalk(lo: number, va: number, hi: number, kind: AccessKind, privilege: Privilege): TranslationStatus {
    if (this.#walker.start(lo, va, hi, kind, privilege) !== PHASE_FAULT) return this.#walk();
    if (this.#budget.take()) return this.#walkFault();
    this.#words[S_WALK + W_PHASE] = PHASE_IDLE;
    return SUSPENDED;
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
        this.#arrive(
          S_WALK + W_IMAGE,
          words[S_WALK + W_LO],
          words[S_WALK + W_HI],
          words[S_WALK + W_KIND],
          words[S_WALK + W_PRIVILEGE],
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
    const caches = this.#caches;
    if (this.#isAdversarial) this.#adversary.splitSome();
    caches.fill(caches.l2, image);
    words[S_WALK + W_FIRST_LEVEL] = caches.fill(caches.firstFor(words[S_WALK + W_KIND]), image);
    if (this.#isAdversarial) this.#adversary.dropSome();
  }

  /**
   * The access may go ahead: sets `pa`, and lets the page into the fast TLB if its first-level entry `first` exists.
   * `at` is any copy of the entry. @hot
   */
  #arrive(at: number, lo: number, va: number, kind: number, privilege: number, first: number): void {
    const words = this.#words;
    const attributes = words[at + ENTRY_ATTRIBUTES];
    const pages = (words[at] & 0x3f) - 12;
    const inside = pages < 32 ? (1 << pages) - 1 : -1;
    const frame = (words[at + ENTRY_FRAME_LO] | (((lo >>> 12) | (va << 20)) & inside)) >>> 0;
    const above = pages > 32 ? (va >>> 12) & ((1 << (pages - 32)) - 1) : 0;
    const frameHi = words[at + ENTRY_FRAME_HI] | above;
    this.#attributes = attributes & 0x7fff_ffff;
    this.pa = (frame + frameHi * 0x1_0000_0000) * 4096 + (lo & 0xfff);
    const { observer } = this.#budget;
    if (observer !== null) observer.used(this.pa, kind as AccessKind, lo, va);
    if (this.#selfCheck !== null) {
      this.#selfCheck.used(this.core, words[S_ASID], lo, va, attributes, frame + frameHi * 0x1_0000_0000);
    }
    // May-sets hear of every store: no data page is written past translate().
    if (this.#maySets !== null && kind !== FETCH) return;
    if (first < 0 || frameHi !== 0) return;
    const isDevice = (this.#mairByte(attributes) & 0xf0) === 0 ? 1 : 0;
    this.#admission.admit(first, lo, va, kind, privilege, frame, isDevice);
  }

  /** @hot */
  #mairByte(attributes: number): number {
    const index = (attributes >>> ATTRIBUTE_INDEX_SHIFT) & 7;
    return (this.#words[index < 4 ? S_MAIR_LO : S_MAIR_HI] >>> ((index & 3) << 3)) & 0xff;
  }

  /** A TLB entry rules the access out; the entry stays. */
  #deny(at: number, lo: number, hi: number, kind: AccessKind, privilege: Privilege): TranslationStatus {
    const attributes = this.#words[at + ENTRY_ATTRIBUTES];
    return this.#denied(attributes, (attributes >>> ATTRIBUTE_LEVEL_SHIFT) & 3, lo, hi, kind, privilege);
  }

  #walkFault(): TranslationStatus {
    const words = this.#words;
    words[S_WALK + W_PHASE] = PHASE_IDLE;
    const lo = words[S_WALK + W_LO];
    const hi = words[S_WALK + W_TAGGED_HI];
    const kind = words[S_WALK + W_KIND] as AccessKind;
    const privilege = words[S_WALK + W_PRIVILEGE] as Privilege;
    const { cause, level } = this.#walker;
    if (cause !== "protection") return this.#raise(cause, level, lo, hi, kind, privilege);
    return this.#denied(this.#walker.permissions, level, lo, hi, kind, privilege);
  }

  #denied(
    attributes: number,
    level: number,
    lo: number,
    hi: number,
    kind: AccessKind,
    privilege: Privilege,
  ): TranslationStatus {
    this.#raise("protection", level, lo, hi, kind, privilege);
    this.fault.isReadFault = !isPermitted(this.#words, attributes, READ, privilege);
    return FAULT;
  }

  #raise(
    cause: TranslationCause,
    level: number,
    lo: number,
    hi: number,
    kind: AccessKind,
    privilege: Privilege,
  ): TranslationStatus {
    describeFault(this.fault, cause, level, lo, hi, kind, privilege);
    return FAULT;
  }
}
