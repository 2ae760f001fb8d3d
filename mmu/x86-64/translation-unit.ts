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
import { FRAME_CODE, FRAME_DIRTY, FRAME_WATCHED, type PhysicalMemory } from "../memory.ts";
import { randomBelow, seedRandom } from "../random.ts";
import {
  ANY_CONTEXT,
  ATTRIBUTE_HELD_FAST,
  ENTRY_ATTRIBUTES,
  ENTRY_FRAME_HI,
  ENTRY_FRAME_LO,
  fold,
} from "../set-array.ts";
import type { Tlb } from "../tlb.ts";
import {
  type AccessKind,
  DONE,
  type EventBudget,
  FAULT,
  FETCH,
  IMPLICIT,
  type Privilege,
  READ,
  SUPERVISOR,
  SUSPENDED,
  type TranslationCause,
  type TranslationObserver,
  type TranslationStatus,
  type TranslationUnit,
  USER,
  WRITE,
} from "../translation.ts";
import { Adversary } from "./adversary.ts";
import { type CachedEntry, X86Caches } from "./caches.ts";
import { areControlsLegal, deriveControls } from "./controls.ts";
import { pageFaultErrorCode, type X86TranslationFault } from "./fault.ts";
import {
  ATTRIBUTE_D,
  ATTRIBUTE_US,
  PHASE_ACCESS,
  PHASE_FAULT,
  PHASE_FILL,
  PHASE_IDLE,
  regionBit,
  S_AC,
  S_CR0,
  S_CR3_HI,
  S_CR3_LO,
  S_CR4,
  S_EFER,
  S_LARGE,
  S_LEVELS,
  S_OCCUPIED,
  S_PCID,
  S_PKRU,
  S_PREFETCH,
  S_RANDOM,
  S_SLOW_USER,
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
} from "./layout.ts";
import {
  CR0_AM,
  CR0_PG,
  CR3_HI_NO_FLUSH,
  CR3_PCID_MASK,
  CR4_PCIDE,
  CR4_PGE,
  CR4_PKE,
  CR4_SMEP,
  entryFrame,
  isCanonical,
} from "./paging.ts";
import { probeTables } from "./probe.ts";
import { profileArrays, type X86TranslationProfile } from "./profiles.ts";
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

/** INVPCID types (SDM vol. 2, INVPCID). */
export const INVPCID_ADDRESS = 0;
export const INVPCID_SINGLE_CONTEXT = 1;
export const INVPCID_ALL = 2;
export const INVPCID_ALL_BUT_GLOBAL = 3;

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
  readonly #keeper: FastKeeper;
  readonly #caches: X86Caches;
  readonly #l1d: Tlb;
  readonly #l1i: Tlb;
  readonly #stlb: Tlb;
  readonly #walker: Walker;
  readonly #whole: WholeWalk;
  readonly #takesWhole: boolean;
  readonly #adversary: Adversary;
  readonly #isAdversarial: boolean;
  readonly #stlbHitCycles: number;
  readonly #maxPhysBits: number;

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
    this.#isAdversarial = options.policy === "adversarial";
    this.#stlbHitCycles = profile.stlbHitCycles;
    this.#maxPhysBits = maxPhysBits;
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
    const parts = { words: state, ram, profile, ledger, caches: this.#caches.walkCaches };
    this.#walker = new Walker(parts, S_WALK);
    this.#whole = new WholeWalk(state, ram, profile, this.#caches);
    this.#takesWhole = ledger === null && !this.#isAdversarial;
    this.#adversary = new Adversary(state, ram, this.#caches, new Walker(parts, S_PREFETCH));
    deriveControls(state, maxPhysBits);
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
    const words = this.#words;
    const cr0Changed = cr0 ^ words[S_CR0];
    const cr4Changed = cr4 ^ words[S_CR4];
    const eferChanged = efer ^ words[S_EFER];
    if ((cr0Changed | cr4Changed | eferChanged) === 0) return true;
    const paging = (cr0 & CR0_PG) !== 0;
    const wasPaging = (words[S_CR0] & CR0_PG) !== 0;
    if (!areControlsLegal(words, cr0, cr4, efer)) return false;
    const oldPcid = words[S_PCID];
    words[S_CR0] = cr0;
    words[S_CR4] = cr4;
    words[S_EFER] = efer;
    if (wasPaging && !paging) this.#invalidateContext("CR0.PG", ANY_CONTEXT, 1);
    else if ((cr4Changed & CR4_PGE) !== 0) this.#invalidateContext("CR4.PGE", ANY_CONTEXT, 1);
    else if ((cr4Changed & ~cr4 & CR4_PCIDE) !== 0) this.#invalidateContext("CR4.PCIDE", ANY_CONTEXT, 1);
    else if ((cr4Changed & cr4 & CR4_SMEP) !== 0) this.#invalidateContext("CR4.SMEP", oldPcid, 1);
    deriveControls(words, this.#maxPhysBits);
    this.#keeper.empty();
    this.abandon();
    if (this.#ledger !== null && paging !== wasPaging) this.#reportRoot(this.#ledger);
    return true;
  }

  /**
   * MOV to CR3. With CR4.PCIDE = 0 it invalidates all but global entries of PCID 0; with PCIDE = 1 those of the new
   * PCID, unless bit 63 is set (SDM 4.10.4.1). False: a reserved bit is set, #GP, nothing happened.
   */
  writeCr3(lo: number, hi: number): boolean {
    const words = this.#words;
    const pcide = (words[S_CR4] & CR4_PCIDE) !== 0;
    const address = hi & ~(pcide ? CR3_HI_NO_FLUSH : 0);
    if ((address & ~(2 ** (this.#maxPhysBits - 32) - 1)) !== 0) return false;
    words[S_CR3_LO] = lo;
    words[S_CR3_HI] = address;
    words[S_PCID] = pcide ? lo & CR3_PCID_MASK : 0;
    if (!pcide || (hi & CR3_HI_NO_FLUSH) === 0) this.#invalidateContext("CR3", words[S_PCID], 0);
    this.#keeper.empty();
    this.abandon();
    if (this.#ledger !== null && words[S_LEVELS] !== 0) this.#reportRoot(this.#ledger);
    return true;
  }

  /** EFLAGS.AC: STAC, CLAC, POPF, IRET, interrupts. */
  setAc(ac: 0 | 1): void {
    const words = this.#words;
    if (words[S_AC] === ac) return;
    words[S_AC] = ac;
    deriveControls(words, this.#maxPhysBits);
    if ((words[S_CR0] & CR0_AM) !== 0) this.#keeper.empty();
    else if (ac === 0) this.#keeper.dropMarked();
  }

  /** WRPKRU, XRSTOR. */
  setPkru(value: number): void {
    const words = this.#words;
    if (words[S_PKRU] === value) return;
    words[S_PKRU] = value;
    if ((words[S_CR4] & CR4_PKE) !== 0) this.#keeper.empty();
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
    const words = this.#words;
    if (words[S_LEVELS] !== 0 && !isCanonical(hi, words[S_LEVELS] === 5 ? 5 : 4)) return;
    const pcid = words[S_PCID];
    const dropped = this.#caches.dropPage(lo, hi, pcid, 1) + this.#caches.dropWalks(pcid);
    this.abandon();
    if (this.#isAdversarial) this.#adversary.remember(lo, hi);
    if (this.#observer !== null) this.#observer.invalidate(this.core, "INVLPG", lo, hi, dropped);
  }

  /**
   * INVPCID. Type 0 drops what would translate the address under the PCID, globals excepted; type 1 all of the PCID but
   * globals; type 2 everything; type 3 everything but globals. False: #GP: an undefined type, a PCID above 12 bits or
   * (types 0 and 1) other than 0 with CR4.PCIDE = 0, or (type 0) a non-canonical address.
   */
  invpcid(type: number, pcid: number, lo: number, hi: number): boolean {
    const words = this.#words;
    if (type >>> 0 > INVPCID_ALL_BUT_GLOBAL || pcid >>> 12 !== 0) return false;
    if (type < INVPCID_ALL && pcid !== 0 && (words[S_CR4] & CR4_PCIDE) === 0) return false;
    if (type === INVPCID_ADDRESS) {
      if (!isCanonical(hi, words[S_LEVELS] === 5 ? 5 : 4)) return false;
      const dropped = this.#caches.dropPage(lo, hi, pcid, 0) + this.#caches.dropWalk(lo, hi, pcid);
      this.abandon();
      if (this.#isAdversarial) this.#adversary.remember(lo, hi);
      if (this.#observer !== null) this.#observer.invalidate(this.core, "INVPCID 0", lo, hi, dropped);
    } else if (type === INVPCID_SINGLE_CONTEXT) {
      this.#invalidateContext("INVPCID 1", pcid, 0);
    } else if (type === INVPCID_ALL) {
      this.#invalidateContext("INVPCID 2", ANY_CONTEXT, 1);
    } else {
      this.#invalidateContext("INVPCID 3", ANY_CONTEXT, 0);
    }
    return true;
  }

  // Speculation

  /** Prefetches the translation of an address under the loaded root, with its A bits; no rights are checked. */
  speculate(lo: number, hi: number): void {
    this.#adversary.speculate(lo, hi);
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
    this.#describe("not-present", level, lo, hi, kind, privilege);
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
    const words = this.#words;
    const same =
      words[S_WALK + W_LO] === lo &&
      words[S_WALK + W_HI] === hi &&
      words[S_WALK + W_KIND] === kind &&
      words[S_WALK + W_PRIVILEGE] === privilege;
    if (!same) throw new Error("translate: the walk of another access is in progress; abandon() comes first");
    // The first-level entry may have been evicted meanwhile: no fast tag for this access.
    words[S_WALK + W_FIRST_LEVEL] = -1;
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
        if (next === PHASE_FAULT) return this.#walkFault();
      } else if (phase === PHASE_FILL) {
        this.#fill();
        words[S_WALK + W_PHASE] = PHASE_ACCESS;
      } else {
        words[S_WALK + W_PHASE] = PHASE_IDLE;
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

  /** The fill of a walk: second level and first. @hot */
  #fill(): void {
    const words = this.#words;
    const image = S_WALK + W_IMAGE;
    const kind = words[S_WALK + W_KIND];
    this.#caches.fillSecond(image);
    words[S_WALK + W_FIRST_LEVEL] = this.#caches.fillFirst(
      image,
      words[S_WALK + W_LO],
      words[S_WALK + W_HI],
      kind,
    );
    if (this.#isAdversarial) this.#dropSome();
  }

  /** The adversarial policy drops the entry just filled from either level, or both, by choice. */
  #dropSome(): void {
    const words = this.#words;
    const lo = words[S_WALK + W_LO];
    const hi = words[S_WALK + W_HI];
    const shift = words[S_WALK + W_IMAGE] & 0x3f;
    this.#adversary.remember(lo, hi);
    const choice = randomBelow(words, S_RANDOM, 8);
    if (choice === 0 || choice === 1) {
      const first = this.#caches.firstFor(shift, words[S_WALK + W_KIND]);
      first.evictAt(words[S_WALK + W_FIRST_LEVEL]);
      words[S_WALK + W_FIRST_LEVEL] = -1;
    }
    if (choice === 0 || choice === 2) {
      const second = this.#caches.secondFor(shift);
      second.evictAt(second.find(lo, hi, shift, words[S_PCID]));
    }
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
    if (first < 0 || frameHi !== 0 || frame >= this.#ram.frames) return;
    if (privilege === IMPLICIT || this.#budget.exploring) return;
    if (kind === FETCH) {
      words[first + ENTRY_ATTRIBUTES] |= ATTRIBUTE_HELD_FAST;
      this.#keeper.insertExec(lo, hi, privilege, frame << 12);
    } else {
      this.#admitData(first, lo, hi, kind, privilege, frame);
    }
  }

  /** @hot */
  #admitData(first: number, lo: number, hi: number, kind: number, privilege: number, frame: number): void {
    const words = this.#words;
    const flags = this.#ram.frameFlags[frame];
    if ((flags & FRAME_WATCHED) !== 0 || (privilege === USER && words[S_SLOW_USER] !== 0)) return;
    const attributes = words[first + ENTRY_ATTRIBUTES];
    let writable = 0;
    if (kind === WRITE) {
      this.#ram.frameFlags[frame] = flags | FRAME_DIRTY;
      writable = (flags & FRAME_CODE) === 0 ? 1 : 0;
    } else if (flags === FRAME_DIRTY && (attributes & ATTRIBUTE_D) !== 0) {
      writable = isPermitted(words, attributes, WRITE, privilege) ? 1 : 0;
    }
    words[first + ENTRY_ATTRIBUTES] = attributes | ATTRIBUTE_HELD_FAST;
    const marked = privilege === SUPERVISOR ? attributes & ATTRIBUTE_US : 0;
    this.#keeper.insertData(lo, hi, privilege, frame << 12, writable, marked);
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
    this.#describe(cause, level, lo, hi, kind, privilege);
    if (cause === "not-canonical") return FAULT;
    const pcid = this.#words[S_PCID];
    this.#reportPageFault(
      lo,
      hi,
      this.#caches.dropPage(lo, hi, pcid, 1) + this.#caches.dropWalk(lo, hi, pcid),
    );
    return FAULT;
  }

  #describe(
    cause: TranslationCause,
    level: number,
    lo: number,
    hi: number,
    kind: AccessKind,
    privilege: Privilege,
  ): void {
    const fault = this.fault;
    fault.cause = cause;
    fault.lo = lo;
    fault.hi = hi;
    fault.kind = kind;
    fault.privilege = privilege;
    fault.level = level;
    fault.errorCode = pageFaultErrorCode(this.#words, cause, kind, privilege);
  }

  #reportPageFault(lo: number, hi: number, dropped: number): void {
    if (this.#observer !== null && dropped > 0) this.#observer.invalidate(this.core, "#PF", lo, hi, dropped);
  }

  /** Drops a PCID's entries, or all (ANY_CONTEXT); observers get the PCID in place of an address. */
  #invalidateContext(scope: string, pcid: number, globals: 0 | 1): void {
    const dropped = this.#caches.dropContext(pcid, globals);
    this.abandon();
    if (this.#observer !== null) this.#observer.invalidate(this.core, scope, pcid, 0, dropped);
  }

  #reportRoot(ledger: CoherenceLedger): void {
    const words = this.#words;
    if (words[S_LEVELS] === 0) ledger.rootUnloaded(this.core);
    else ledger.rootLoaded(this.core, words[S_PCID], entryFrame(words[S_CR3_LO], words[S_CR3_HI]));
  }
}
