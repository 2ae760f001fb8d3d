/**
 * Memory accesses that the CPU makes itself: descriptor tables, TSS, stack frames. Each is one scheduling event per
 * page it touches; an access that crosses a page translates both halves first and keeps the first in the core's state.
 * Physical addresses past RAM read as all ones and ignore writes.
 */
import {
  type AccessKind,
  DONE,
  type EventBudget,
  FAST_ADDEND,
  FAST_READ,
  FAST_WRITE,
  fastIndex,
  IMPLICIT,
  type PhysicalMemory,
  type Privilege,
  READ,
  SUPERVISOR,
  SUSPENDED,
  type TranslationStatus,
  type TranslationUnit,
  WRITE,
} from "../../../mmu/index.ts";
import { RFLAGS_AC } from "../../frontends/x86-64/state.ts";
import { M_CROSSING, M_CROSSING_PA, SYSTEM_FLAGS } from "./words.ts";

/** Bytes of an access. */
export type AccessBytes = 1 | 2 | 4 | 8;

export class SystemAccess {
  /** Halves of what the last load read; valid until the next access. */
  lo = 0;
  hi = 0;
  readonly #words: Int32Array;
  readonly #mmu: TranslationUnit;
  readonly #ram: PhysicalMemory;
  readonly #budget: EventBudget;
  readonly #fast: Int32Array;

  constructor(words: Int32Array, mmu: TranslationUnit, ram: PhysicalMemory, budget: EventBudget) {
    this.#words = words;
    this.#mmu = mmu;
    this.#ram = ram;
    this.#budget = budget;
    this.#fast = mmu.fast;
  }

  /** Reads 8 bytes. @hot */
  load64(lo: number, hi: number, privilege: Privilege): TranslationStatus {
    if ((lo & 3) !== 0 || (lo & 0xfff) > 0xff8) return this.load(lo, hi, 8, privilege);
    const regime = this.#regimeOf(privilege);
    let pa = this.#fastAddress(lo, hi, regime, FAST_READ);
    if (pa < 0) {
      const status = this.#mmu.translate(lo, hi, READ, regime);
      if (status !== DONE) return status;
      pa = this.#mmu.pa;
    }
    const inside = pa < this.#ram.sizeBytes;
    this.lo = inside ? this.#ram.i32[pa >>> 2] : -1;
    this.hi = inside ? this.#ram.i32[(pa >>> 2) + 1] : -1;
    return DONE;
  }

  /** Writes 8 bytes. @hot */
  store64(lo: number, hi: number, privilege: Privilege, valueLo: number, valueHi: number): TranslationStatus {
    if ((lo & 3) !== 0 || (lo & 0xfff) > 0xff8) return this.store(lo, hi, 8, privilege, valueLo, valueHi);
    const regime = this.#regimeOf(privilege);
    const pa = this.#fastAddress(lo, hi, regime, FAST_WRITE);
    if (pa >= 0) {
      this.#ram.i32[pa >>> 2] = valueLo;
      this.#ram.i32[(pa >>> 2) + 1] = valueHi;
      return DONE;
    }
    const status = this.#mmu.translate(lo, hi, WRITE, regime);
    if (status !== DONE) return status;
    if (this.#mmu.pa < this.#ram.sizeBytes) this.#ram.write64(this.#mmu.pa, valueLo, valueHi);
    return DONE;
  }

  /**
   * Physical address of `bytes` at an 8-byte aligned address if supervisor accesses to all of them need no translation
   * and events are not counted, so that they can be made as one; else -1. @hot
   */
  wholeFrame(lo: number, hi: number, bytes: number, kind: typeof READ | typeof WRITE): number {
    if ((lo & 7) !== 0 || (lo & 0xfff) + bytes > 4096) return -1;
    return this.#fastAddress(lo, hi, SUPERVISOR, kind === READ ? FAST_READ : FAST_WRITE);
  }

  /** Reads 1, 2, 4 or 8 bytes, zero-extended, at any alignment. */
  load(lo: number, hi: number, bytes: AccessBytes, privilege: Privilege): TranslationStatus {
    const status = this.#translate(lo, hi, bytes, READ, this.#regimeOf(privilege));
    if (status !== DONE) return status;
    const first = this.#bytesInPage(lo, bytes);
    const firstPa = this.#words[M_CROSSING_PA] >>> 0;
    let low = 0;
    let high = 0;
    for (let i = 0; i < bytes; i++) {
      const byte = this.#readByte(i < first ? firstPa + i : this.#mmu.pa + i - first);
      if (i < 4) low |= byte << (i * 8);
      else high |= byte << (i * 8 - 32);
    }
    this.lo = low;
    this.hi = high;
    return DONE;
  }

  /** Writes 1, 2, 4 or 8 bytes at any alignment. */
  store(
    lo: number,
    hi: number,
    bytes: AccessBytes,
    privilege: Privilege,
    valueLo: number,
    valueHi: number,
  ): TranslationStatus {
    const status = this.#translate(lo, hi, bytes, WRITE, this.#regimeOf(privilege));
    if (status !== DONE) return status;
    const first = this.#bytesInPage(lo, bytes);
    const firstPa = this.#words[M_CROSSING_PA] >>> 0;
    for (let i = 0; i < bytes; i++) {
      const pa = i < first ? firstPa + i : this.#mmu.pa + i - first;
      const byte = i < 4 ? valueLo >>> (i * 8) : valueHi >>> (i * 8 - 32);
      if (pa < this.#ram.sizeBytes) this.#ram.write8(pa, byte);
    }
    return DONE;
  }

  /** Sets bits in one byte with a locked read-modify-write: the accessed bit and the busy bit of descriptors. */
  setBits(lo: number, hi: number, bits: number): TranslationStatus {
    const status = this.#mmu.translate(lo, hi, WRITE, this.#regimeOf(IMPLICIT));
    if (status !== DONE) return status;
    const pa = this.#mmu.pa;
    if (pa < this.#ram.sizeBytes) this.#ram.write8(pa, this.#ram.read8(pa) | bits);
    return DONE;
  }

  /**
   * Implicit accesses differ from explicit supervisor ones while RFLAGS.AC is set only (SMAP); otherwise they are made
   * as those, which the fast TLB knows. @hot
   */
  #regimeOf(privilege: Privilege): Privilege {
    if (privilege !== IMPLICIT || (this.#words[SYSTEM_FLAGS] & RFLAGS_AC) !== 0) return privilege;
    return SUPERVISOR;
  }

  /** Physical address by the fast TLB of the supervisor regime, or -1. @hot */
  #fastAddress(lo: number, hi: number, regime: Privilege, tag: number): number {
    const fast = this.#fast;
    const at = fastIndex(lo, SUPERVISOR);
    if (fast[at + tag] !== (lo & ~0xfff) || fast[at + tag + 1] !== hi) return -1;
    if (regime !== SUPERVISOR || this.#budget.exploring) return -1;
    return (lo + fast[at + FAST_ADDEND]) >>> 0;
  }

  /** Leaves the physical address of the last part in mmu.pa and that of the first part in M_CROSSING_PA. */
  #translate(
    lo: number,
    hi: number,
    bytes: AccessBytes,
    kind: AccessKind,
    privilege: Privilege,
  ): TranslationStatus {
    const words = this.#words;
    if (this.#bytesInPage(lo, bytes) === 0) return this.#mmu.translate(lo, hi, kind, privilege);
    const nextLo = ((lo | 0xfff) + 1) | 0;
    const nextHi = nextLo === 0 ? (hi + 1) | 0 : hi;
    if (words[M_CROSSING] === 0) {
      // A byte without an address comes before any page fault.
      if (!this.#mmu.isAddress(nextHi)) return this.#mmu.translate(nextLo, nextHi, kind, privilege);
      const status = this.#mmu.translate(lo, hi, kind, privilege);
      if (status !== DONE) return status;
      words[M_CROSSING] = 1;
      words[M_CROSSING_PA] = Math.min(this.#mmu.pa, 0xffff_ffff);
    }
    const status = this.#mmu.translate(nextLo, nextHi, kind, privilege);
    if (status !== SUSPENDED) words[M_CROSSING] = 0;
    return status;
  }

  /** Bytes before the page boundary if the access crosses it, else 0. */
  #bytesInPage(lo: number, bytes: number): number {
    const left = 4096 - (lo & 0xfff);
    return left < bytes ? left : 0;
  }

  #readByte(pa: number): number {
    return pa < this.#ram.sizeBytes ? this.#ram.read8(pa) : 0xff;
  }
}
