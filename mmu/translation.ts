/**
 * The contract between a core and its translation hardware. One TranslationUnit per core holds the modelled
 * TLBs, paging-structure caches, the walk in progress and the fast TLB; every architecture implements it in its
 * own folder. All mutable state lies in the Int32Array it is given (part of the core's state), so saving the
 * core's memory saves the MMU.
 */
import type { LateStores } from "./late-stores.ts";

/** Kinds of access. */
export const READ = 0;
export const WRITE = 1;
export const FETCH = 2;
export type AccessKind = 0 | 1 | 2;

/** Regimes: index into the fast TLB. */
export const USER = 0;
export const SUPERVISOR = 1;
/** Supervisor privilege used by the CPU itself (descriptor tables, trap frames) whatever the current privilege. */
export const IMPLICIT = 2;
export type Privilege = 0 | 1 | 2;

/** Results of translate(). */
export const DONE = 0;
/** The manual's fault is in `fault`. */
export const FAULT = 1;
/** The event budget is used up; call again with the same arguments to go on. */
export const SUSPENDED = 2;
export type TranslationStatus = 0 | 1 | 2;

/** Causes, closed over all architectures; one function per architecture maps cause to vector and syndrome. */
export type TranslationCause =
  | "none"
  | "not-canonical"
  | "not-present"
  | "protection"
  | "protection-key"
  | "reserved-bit"
  | "access-flag"
  | "address-size"
  | "alignment"
  | "tlb-conflict"
  | "bus";

/** The fault of the last translate() that returned FAULT. Not part of the saved state. */
export interface TranslationFault {
  cause: TranslationCause;
  /** Faulting virtual address. */
  lo: number;
  hi: number;
  kind: AccessKind;
  privilege: Privilege;
  /** Translation-table level of the entry that faulted, 1 = leaf table. */
  level: number;
}

/**
 * Hears what the events of exploring runs touch where no accessor of ObservedMemory is used: through translations and
 * in walks. It changes nothing.
 */
export interface EventObserver {
  /** An access goes ahead; `pa` is its first byte. */
  used(pa: number, kind: AccessKind, lo: number, hi: number): void;
  /** A walk for an address looked at the entry at a physical address, or updated it (WRITE); negative: outside RAM. */
  walked(slotPa: number, kind: AccessKind, lo: number, hi: number): void;
  /** A translation of an address to this frame was cached. */
  filled(frame: number, lo: number, hi: number): void;
  /** A barrier of a core found that everything that the core has broadcast is done. */
  barrierDone?(core: number): void;
}

/**
 * Scheduling events. In timed runs a core takes as many as it likes; in exploring runs a scheduler grants them
 * one by one, and whatever needs one more suspends.
 */
export class EventBudget {
  exploring = false;
  left = 0;
  /** Inside a bus-locked sequence: everything belongs to the event that opened it. */
  locked = false;
  /** Exploring runs: who is told what the events touch. */
  observer: EventObserver | null = null;

  /** Takes one event; false: suspend. @hot */
  take(): boolean {
    if (!this.exploring || this.locked) return true;
    if (this.left <= 0) return false;
    this.left--;
    return true;
  }
}

/** What a modelled structure did; for the trace hash, statistics and the ledger. */
export interface TranslationObserver {
  /** A modelled entry was filled (`structure`: profile's index of the TLB or walk cache). */
  fill(core: number, structure: number, lo: number, hi: number, frame: number): void;
  evict(core: number, structure: number, lo: number, hi: number): void;
  /** An invalidation ran; `entries` modelled entries went. */
  invalidate(core: number, scope: string, lo: number, hi: number, entries: number): void;
}

export interface TranslationUnit {
  /** The fast TLB (layout: fast-tlb.ts). */
  readonly fast: Int32Array;
  /** Physical address of the last translate() that returned DONE. */
  pa: number;
  readonly fault: TranslationFault;
  /** Cycles that walks and second-level hits cost since the core last took (zeroed) them. */
  stallCycles: number;
  /**
   * Translates one access of at most a page and not crossing one. On DONE the access is permitted, A/D are as the
   * manual wants them, and the fast TLB holds the page if it may. In exploring runs DONE consumes the event that
   * the access itself is, unless it is a fetch that hits the first level; each walk read, A/D update and fill before
   * it consumed its own.
   */
  translate(lo: number, hi: number, kind: AccessKind, privilege: Privilege): TranslationStatus;
  /**
   * An address whose upper half is `hi` is one (x86: is canonical); what is not one faults whatever is mapped, before
   * alignment is looked at and before any page of the same access faults. Where translation reports it like any page
   * that is not mapped (Arm), everything is an address.
   */
  isAddress(hi: number): boolean;
  /** What the last translate() found must be accessed aligned, whatever the instruction (Arm: Device memory). */
  readonly requiresAlignment?: boolean;
  /** Page-table stores of this core that walkers do not see yet; null or absent: they see every store at once. */
  readonly lateStores?: LateStores | null;
  /** A read or permission probe without side effects (debugger, ledger): physical address or -1. */
  probe(lo: number, hi: number): number;
  /** A walk is in progress: the next event of the core is the MMU's. */
  readonly isWalking: boolean;
  /** Forgets the walk in progress (the instruction was abandoned, for example for an interrupt). */
  abandon(): void;
  /** The policy may evict and prefetch now, whatever the core is doing; called between slices. */
  perturb(): void;
  /** Empties the fast TLB; the modelled TLBs keep everything. */
  emptyFast(): void;
  /** Folds every modelled entry into a hash, in a fixed order. */
  hash(seed: number): number;
}
