/**
 * Data accesses that the inline fast path of the interpreter does not take: fast-TLB misses, accesses that cross a page,
 * are locked, big-endian or must be aligned. Every method returns the translation's status; SUSPENDED and FAULT have
 * read and written nothing, and what a suspended access has done so far is in the core's state.
 */
import {
  DONE,
  FAST_ADDEND,
  FAST_READ,
  FAST_WRITE,
  FAULT,
  FRAME_DIRTY,
  fastIndex,
  type PhysicalMemory,
  READ,
  type TranslationStatus,
  USER,
  WRITE,
} from "../../../mmu/index.ts";
import type { Core } from "../../cores/index.ts";
import {
  STATE_ACCESS_FIRST_PA,
  STATE_ACCESS_PHASE,
  STATE_EXCLUSIVE_DATA,
  STATE_LOCKED,
  STATE_MONITOR,
} from "../../ir/index.ts";

const ACCESS_PHASE = STATE_ACCESS_PHASE >> 2;
const ACCESS_FIRST_PA = STATE_ACCESS_FIRST_PA >> 2;
const LOCKED = STATE_LOCKED >> 2;
const MONITOR = STATE_MONITOR >> 2;
const EXCLUSIVE_DATA = STATE_EXCLUSIVE_DATA >> 2;
/** Exclusives reservation granule in bytes: a cache line, as CTR_EL0.ERG of most cores says. */
export const GRANULE_BYTES = 64;

/** memAttr() bits. */
const BIG_ENDIAN = 1;
const ORDER_MASK = 0xe;
const ORDER_EXCLUSIVE = 3 << 1;
const ORDER_LOCKED = 4 << 1;
const ORDER_UNLOCK = 5 << 1;
const ORDER_MODIFY = 6 << 1;
const ALIGN_NATURAL = 1 << 4;
const ALIGN_CHECKED = 2 << 4;
const ALIGN_MASK = 3 << 4;
const ALIGN_PAIR = 3 << 4;
const USER_PRIVILEGE = 128;

export class SlowAccess {
  /** Value of the last load. */
  lo = 0;
  hi = 0;
  /** A core's monitor was set: the frame is marked, and other cores store to it the slow way. */
  onReservation: (core: Core, frame: number) => void = () => {};
  /** The core whose instruction writes at the moment; null: whoever writes to RAM, it is no instruction. */
  writer: Core | null = null;
  readonly #ram: PhysicalMemory;
  #firstPa = 0;
  /** Bytes of the access on its first page. */
  #firstBytes = 0;

  constructor(ram: PhysicalMemory) {
    this.#ram = ram;
  }

  /** Loads through the modelled TLBs; on DONE the value is in `lo`, `hi`. */
  load(core: Core, lo: number, hi: number, sizeBytes: number, attr: number): TranslationStatus {
    const status = this.#translateData(core, lo, hi, sizeBytes, READ, attr);
    if (status === DONE) this.#read(core, sizeBytes);
    return status;
  }

  store(
    core: Core,
    lo: number,
    hi: number,
    sizeBytes: number,
    attr: number,
    valueLo: number,
    valueHi: number,
  ): TranslationStatus {
    const status = this.#translateData(core, lo, hi, sizeBytes, WRITE, attr);
    if (status === DONE) this.#write(core, sizeBytes, valueLo, valueHi);
    return status;
  }

  /**
   * Translates an access of which the halves may lie in two pages, both before either is used. The physical address
   * of the first byte is in #firstPa, of the first byte on the second page in mmu.pa.
   *
   * Order of faults: a byte that has no address (x86: #GP or #SS, SDM vol. 3A 6.9, APM vol. 2 8.5), then alignment, then
   * the pages in ascending order; x86-64 hardware (AMD family 25) answers in this order.
   */
  #translateData(
    core: Core,
    lo: number,
    hi: number,
    sizeBytes: number,
    kind: typeof READ | typeof WRITE,
    attr: number,
  ): TranslationStatus {
    const mmu = core.mmu;
    const S = core.state;
    const alignment = attr & ALIGN_MASK;
    const misaligned = (lo & (alignmentUnit(alignment, sizeBytes) - 1)) !== 0;
    const regime = attr & USER_PRIVILEGE ? USER : core.regime;
    if (misaligned && S[ACCESS_PHASE] === 0) {
      const lastLo = (lo + sizeBytes - 1) | 0;
      const lastHi = (hi + (lastLo >>> 0 < lo >>> 0 ? 1 : 0)) | 0;
      if (!mmu.isAddress(hi)) return mmu.translate(lo, hi, kind, regime);
      if (!mmu.isAddress(lastHi)) return mmu.translate(lastLo, lastHi, kind, regime);
    }
    if (misaligned && (alignment === ALIGN_CHECKED ? core.alignmentChecked : alignment !== 0)) {
      return this.#misaligned(core, lo, hi, kind);
    }
    const first = Math.min(sizeBytes, 4096 - (lo & 0xfff));
    this.#firstBytes = first;
    if (S[ACCESS_PHASE] === 0) {
      const status = mmu.translate(lo, hi, kind, regime);
      if (status !== DONE) return status;
      this.#firstPa = mmu.pa;
      if (misaligned && mmu.requiresAlignment === true) return this.#misaligned(core, lo, hi, kind);
      if (first === sizeBytes) {
        if (core.alignmentChecked) mmu.emptyFast();
        return DONE;
      }
      S[ACCESS_PHASE] = 1;
      S[ACCESS_FIRST_PA] = mmu.pa | 0;
    }
    const nextLo = (lo + first) | 0;
    const status = mmu.translate(nextLo, (hi + (nextLo === 0 ? 1 : 0)) | 0, kind, regime);
    if (status === DONE) {
      this.#firstPa = S[ACCESS_FIRST_PA]! >>> 0;
      S[ACCESS_PHASE] = 0;
      if (mmu.requiresAlignment === true) return this.#misaligned(core, lo, hi, kind);
    }
    return status;
  }

  #misaligned(core: Core, lo: number, hi: number, kind: typeof READ | typeof WRITE): TranslationStatus {
    const { fault } = core.mmu;
    fault.cause = "alignment";
    fault.lo = lo;
    fault.hi = hi;
    fault.kind = kind;
    return FAULT;
  }

  #read(core: Core, sizeBytes: number): void {
    const ram = this.#ram;
    const pa = this.#firstPa;
    this.hi = 0;
    if (this.#firstBytes === sizeBytes && pa + sizeBytes <= ram.sizeBytes) {
      if (sizeBytes === 1) this.lo = ram.u8[pa]!;
      else if (sizeBytes === 2) this.lo = ram.view.getUint16(pa, true);
      else this.lo = ram.view.getInt32(pa, true);
      if (sizeBytes === 8) this.hi = ram.view.getInt32(pa + 4, true);
      return;
    }
    this.lo = 0;
    for (let i = 0; i < sizeBytes; i++) {
      const at = i < this.#firstBytes ? pa + i : core.mmu.pa + i - this.#firstBytes;
      const byte = at < ram.sizeBytes ? ram.u8[at]! : 0xff;
      if (i < 4) this.lo |= byte << (i * 8);
      else this.hi |= byte << ((i - 4) * 8);
    }
  }

  #write(core: Core, sizeBytes: number, valueLo: number, valueHi: number): void {
    const ram = this.#ram;
    const pa = this.#firstPa;
    if (this.#firstBytes === sizeBytes && pa + sizeBytes <= ram.sizeBytes) {
      if (ram.frameFlags[pa >>> 12] !== FRAME_DIRTY) {
        this.writer = core;
        ram.beforeWrite(pa, sizeBytes);
        this.writer = null;
      }
      if (sizeBytes === 1) ram.u8[pa] = valueLo;
      else if (sizeBytes === 2) ram.view.setInt16(pa, valueLo, true);
      else ram.view.setInt32(pa, valueLo, true);
      if (sizeBytes === 8) ram.view.setInt32(pa + 4, valueHi, true);
      return;
    }
    this.writer = core;
    for (let i = 0; i < sizeBytes; i++) {
      const at = i < this.#firstBytes ? this.#firstPa + i : core.mmu.pa + i - this.#firstBytes;
      const value = i < 4 ? valueLo >>> (i * 8) : valueHi >>> ((i - 4) * 8);
      if (at < ram.sizeBytes) ram.write8(at, value & 0xff);
    }
    this.writer = null;
  }

  /** Accesses that are big-endian, locked, exclusive or must be aligned (layout: PACKED.ACCESS). */
  access(core: Core, code: Int32Array, at: number): TranslationStatus {
    const S = core.state;
    const sizeBytes = 1 << (code[at + 1]! & 0xff);
    const store = (code[at + 1]! & 256) !== 0;
    const cell = code[at + 2]!;
    const base = code[at + 3]!;
    const displacement = code[at + 4]!;
    const attr = code[at + 5]!;
    const lo = (S[base]! + displacement) | 0;
    const hi = (S[base + 1]! + (displacement >> 31) + (lo >>> 0 < S[base]! >>> 0 ? 1 : 0)) | 0;
    const order = attr & ORDER_MASK;
    const swaps = (attr & BIG_ENDIAN) !== 0;
    const kind = store || order === ORDER_LOCKED || order === ORDER_MODIFY ? WRITE : READ;
    const F = core.mmu.fast;
    const regime = attr & USER_PRIVILEGE ? USER : core.regime;
    const entry = fastIndex(lo, regime) + (kind === WRITE ? FAST_WRITE : FAST_READ);
    const unit = alignmentUnit(attr & ALIGN_MASK, sizeBytes);
    const aligned = (attr & ALIGN_NATURAL) === 0 || (lo & (unit - 1)) === 0;
    if (aligned && F[entry] === ((lo + sizeBytes - 1) & -4096) && F[entry + 1] === hi) {
      this.#firstPa = (lo + F[fastIndex(lo, regime) + FAST_ADDEND]!) >>> 0;
      this.#firstBytes = sizeBytes;
    } else {
      const status = this.#translateData(core, lo, hi, sizeBytes, kind, attr);
      if (status !== DONE) return status;
    }
    if (order === ORDER_LOCKED) this.setLocked(core, 1);
    if (order === ORDER_UNLOCK) this.setLocked(core, 0);
    if (order === ORDER_EXCLUSIVE) {
      if (store) {
        this.#storeExclusive(core, cell, sizeBytes, swaps ? "swap" : "keep");
        return DONE;
      }
      S[MONITOR] = (this.#firstPa & -GRANULE_BYTES) | 1;
      this.onReservation(core, this.#firstPa >>> 12);
    }
    if (store) {
      if (swaps) this.#swap(sizeBytes, S[cell]!, S[cell + 1]!);
      this.#write(core, sizeBytes, swaps ? this.lo : S[cell]!, swaps ? this.hi : S[cell + 1]!);
      return DONE;
    }
    this.#read(core, sizeBytes);
    if (swaps) this.#swap(sizeBytes, this.lo, this.hi);
    S[cell] = this.lo;
    S[cell + 1] = this.hi;
    return DONE;
  }

  /**
   * Stores if the monitor holds the granule, and opens it; the result, 0 for stored, goes to the neutral head. DDI 0487,
   * B2.10 and J1 "AArch64.ExclusiveMonitorsPass".
   */
  #storeExclusive(core: Core, cell: number, sizeBytes: number, bytes: "swap" | "keep"): void {
    const S = core.state;
    const holds = S[MONITOR] === ((this.#firstPa & -GRANULE_BYTES) | 1);
    S[MONITOR] = 0;
    if (holds) {
      const half = Math.min(sizeBytes, 8);
      // Of 16 bytes in big-endian order the high doubleword comes first.
      const first = bytes === "swap" && sizeBytes === 16 ? cell + 2 : cell;
      this.#writeHalf(core, half, S[first]!, S[first + 1]!, bytes);
      if (sizeBytes === 16) {
        const second = first === cell ? cell + 2 : cell;
        this.#firstPa += 8;
        this.#writeHalf(core, half, S[second]!, S[second + 1]!, bytes);
      }
    }
    S[EXCLUSIVE_DATA] = holds ? 0 : 1;
  }

  #writeHalf(core: Core, sizeBytes: number, lo: number, hi: number, bytes: "swap" | "keep"): void {
    this.#firstBytes = sizeBytes;
    if (bytes === "keep") return this.#write(core, sizeBytes, lo, hi);
    this.#swap(sizeBytes, lo, hi);
    this.#write(core, sizeBytes, this.lo, this.hi);
  }

  /** Opens or closes a bus-locked sequence; what lies between is one event. */
  setLocked(core: Core, locked: 0 | 1): void {
    core.state[LOCKED] = locked;
    core.budget.locked = locked === 1;
  }

  /** Reverses the bytes of a value of a size into `lo`, `hi`. */
  #swap(sizeBytes: number, lo: number, hi: number): void {
    const low = (lo << 24) | ((lo & 0xff00) << 8) | ((lo >>> 8) & 0xff00) | (lo >>> 24);
    const high = (hi << 24) | ((hi & 0xff00) << 8) | ((hi >>> 8) & 0xff00) | (hi >>> 24);
    this.hi = sizeBytes === 8 ? low : 0;
    this.lo = sizeBytes === 8 ? high : sizeBytes === 4 ? low : sizeBytes === 2 ? low >>> 16 : lo & 0xff;
  }
}

/** What an aligned address is a multiple of: `pair` counts the other half, which an access of 16 bytes contains. */
function alignmentUnit(alignment: number, sizeBytes: number): number {
  return alignment === ALIGN_PAIR && sizeBytes < 16 ? 2 * sizeBytes : sizeBytes;
}
