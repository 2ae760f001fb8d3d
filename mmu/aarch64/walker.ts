/**
 * The stage 1 walker of the EL1&0 regime: Arm ARM D8 "Address translation", "Translation table walk", "Hardware
 * management of the Access flag and dirty state". A step function over an explicit walk record in the core's words
 * (layout.ts): one step is one descriptor read or one atomic update, so that a scheduler can let other cores change the
 * tables in between. The fill and the access are steps of the translation unit.
 *
 * Steps of a walk (the order of AArch64.S1Translate and AArch64.S1Walk in the manual's pseudocode):
 * 1. TCR_EL1.EPDn = 1: translation fault, level 0. Otherwise start at the deepest walk-cache entry that matches the
 *    address and the ASID, else at TTBRn_EL1, whose address above the output size is an address size fault, level 0.
 * 2. Read the descriptor of the level's table, or what it held before a store that is late (late-stores.ts); outside RAM: External abort on the walk.
 * 3. Bit 0 clear, a block at a level that has none, or bits 1:0 = 01 at level 3: translation fault.
 * 4. A table: its address above the output size is an address size fault of this level. Join APTable, UXNTable and
 *    PXNTable to the limits unless TCR_EL1.HPDn, enter it into the walk cache, go on with step 2 a level down.
 * 5. A block or page: an address above the output size is an address size fault; AF = 0 without TCR_EL1.HA is an access
 *    flag fault. Then the permissions of the whole walk decide, where DBM with TCR_EL1.HD counts as writable.
 * 6. Set AF, and for a store clear AP[2] of a writable and clean descriptor, by one compare-and-swap; a descriptor that
 *    changed meanwhile goes back to step 3 with its new value.
 * 7. The translation may be cached, since AF is 1.
 *
 * Nothing is cached of descriptors that fault. Choices that the manual leaves open: AF is not set when the permissions
 * deny the access; a store that lacks only AP[2]'s update walks again instead of updating through the TLB entry; an
 * instruction fetch from Device memory is one from Normal Non-cacheable memory. Tables are little-endian (SCTLR_EL1.EE = 0).
 * Bits 15:12 of a 64 KiB descriptor are address bits with 52 bits of physical address only, otherwise ignored.
 */
import type { LateStores } from "../late-stores.ts";
import type { CoherenceLedger } from "../ledger.ts";
import type { PhysicalMemory } from "../memory.ts";
import {
  ATTRIBUTE_GLOBAL,
  ENTRY_ATTRIBUTES,
  ENTRY_CONTEXT,
  ENTRY_FRAME_HI,
  ENTRY_FRAME_LO,
  ENTRY_KEY_HI,
  ENTRY_KEY_LO,
  ENTRY_ROOT,
  ENTRY_SLOT,
  keyHi,
  keyLo,
} from "../set-array.ts";
import { type EventBudget, type TranslationCause, WRITE } from "../translation.ts";
import type { WalkCache } from "../walk-cache.ts";
import { outputBits } from "./controls.ts";
import {
  contiguousShift,
  isBlockLevel,
  lookupIndex,
  lookupShift,
  TTD_AF,
  TTD_AP_RO,
  TTD_ATTR_SHIFT,
  TTD_HI_CONTIGUOUS,
  TTD_HI_DBM,
  TTD_HI_GP,
  TTD_NG,
  TTD_SH_SHIFT,
  TTD_TABLE,
  TTD_VALID,
} from "./descriptors.ts";
import {
  ATTRIBUTE_CONTIGUOUS,
  ATTRIBUTE_DIRTY,
  ATTRIBUTE_EL0,
  ATTRIBUTE_GP,
  ATTRIBUTE_INDEX_SHIFT,
  ATTRIBUTE_LEVEL_SHIFT,
  ATTRIBUTE_SH_SHIFT,
  PHASE_FAULT,
  PHASE_FILL,
  PHASE_READ,
  PHASE_UPDATE,
  R_BASE_FAULT,
  R_BASE_HI,
  R_BASE_LO,
  R_FLAT,
  R_GRANULE,
  R_NO_WALK,
  R_START_LEVEL,
  R_START_MASK,
  RANGE_WORDS,
  S_ASID,
  S_HA,
  S_HD,
  S_OCCUPIED,
  S_RANGES,
  S_STALL,
  W_ENTRY_HI,
  W_ENTRY_LO,
  W_HI,
  W_IMAGE,
  W_INDEX_MASK,
  W_KIND,
  W_LEVEL,
  W_LO,
  W_PHASE,
  W_PRIVILEGE,
  W_RANGE,
  W_RIGHTS,
  W_SLOT,
  W_TABLE_HI,
  W_TABLE_LO,
  W_TAGGED_HI,
  W_UPDATED_LO,
} from "./layout.ts";
import type { AArch64TranslationProfile } from "./profiles.ts";
import { isPermitted, leafRights, limitRights } from "./rights.ts";

/** Privilege of a speculative walk: no permissions are checked, AP[2] stays as it is. */
export const SPECULATIVE = 3;

export interface WalkerParts {
  readonly core: number;
  readonly words: Int32Array;
  readonly ram: PhysicalMemory;
  readonly profile: AArch64TranslationProfile;
  readonly ledger: CoherenceLedger | null;
  /** Walk caches by the level of the descriptors that they hold, 0 … 2. */
  readonly caches: readonly WalkCache[];
  readonly late: LateStores | null;
  readonly budget: EventBudget;
}

export class Walker {
  /** Why the last walk that ended in PHASE_FAULT did, and its lookup level. Not saved: read at once. */
  cause: TranslationCause = "none";
  level = 0;
  /** The permissions that denied the access, if the cause is "protection". */
  permissions = 0;
  readonly #core: number;
  readonly #words: Int32Array;
  readonly #record: number;
  readonly #ram: PhysicalMemory;
  readonly #i32: Int32Array;
  readonly #ledger: CoherenceLedger | null;
  readonly #late: LateStores | null;
  readonly #budget: EventBudget;
  readonly #caches: readonly WalkCache[];
  readonly #physicalBits: number;
  readonly #groups: boolean;
  readonly #readCycles: number;
  readonly #updateCycles: number;

  /** @param record word index of the walk record */
  constructor(parts: WalkerParts, record: number) {
    this.#core = parts.core;
    this.#words = parts.words;
    this.#record = record;
    this.#ram = parts.ram;
    this.#i32 = parts.ram.i32;
    this.#ledger = parts.ledger;
    this.#caches = parts.caches;
    this.#late = parts.late;
    this.#budget = parts.budget;
    this.#physicalBits = parts.profile.physicalBits;
    this.#groups = parts.profile.contiguous === "group";
    this.#readCycles = parts.profile.walkReadCycles;
    this.#updateCycles = parts.profile.updateCycles;
  }

  /** Step 1. The address, without its tag byte, is in range and translation is on. Returns the phase after it. @hot */
  start(lo: number, hi: number, taggedHi: number, kind: number, privilege: number): number {
    const words = this.#words;
    const r = this.#record;
    const range = S_RANGES + (hi < 0 ? RANGE_WORDS : 0);
    words[r + W_LO] = lo;
    words[r + W_HI] = hi;
    words[r + W_TAGGED_HI] = taggedHi;
    words[r + W_KIND] = kind;
    words[r + W_PRIVILEGE] = privilege;
    words[r + W_RANGE] = range;
    words[r + W_SLOT] = -1;
    words[r + W_LEVEL] = 0;
    if (words[range + R_NO_WALK] !== 0) return this.#fail("not-present");
    const granule = words[range + R_GRANULE];
    const top = words[range + R_START_LEVEL];
    const occupied = words[S_OCCUPIED];
    for (let level = 2; level >= top; level--) {
      const cache = this.#caches[level];
      if ((occupied & cache.bit) === 0) continue;
      const at = cache.find(lo, hi, lookupShift(granule, level), words[S_ASID]);
      if (at < 0) continue;
      if (this.#ledger !== null) this.#use(this.#ledger, cache, at, level, lo, hi);
      words[r + W_LEVEL] = level + 1;
      words[r + W_TABLE_LO] = words[at + ENTRY_FRAME_LO] << 12;
      words[r + W_TABLE_HI] = (words[at + ENTRY_FRAME_LO] >>> 20) | (words[at + ENTRY_FRAME_HI] << 12);
      words[r + W_INDEX_MASK] = (1 << (granule - 3)) - 1;
      words[r + W_RIGHTS] = words[at + ENTRY_ATTRIBUTES];
      return (words[r + W_PHASE] = PHASE_READ);
    }
    if (words[range + R_BASE_FAULT] !== 0) return this.#fail("address-size");
    words[r + W_LEVEL] = top;
    words[r + W_TABLE_LO] = words[range + R_BASE_LO];
    words[r + W_TABLE_HI] = words[range + R_BASE_HI];
    words[r + W_INDEX_MASK] = words[range + R_START_MASK];
    words[r + W_RIGHTS] = ATTRIBUTE_EL0;
    return (words[r + W_PHASE] = PHASE_READ);
  }

  /** The walk starts at a walk-cache entry of a level. */
  #use(ledger: CoherenceLedger, cache: WalkCache, at: number, level: number, lo: number, hi: number): void {
    ledger.use(cache.holdingOf(at), lo, hi);
    const { maySets } = ledger;
    if (maySets === null || !maySets.checksUses) return;
    const words = this.#words;
    const frame = (words[at + ENTRY_FRAME_LO] >>> 0) + words[at + ENTRY_FRAME_HI] * 0x1_0000_0000;
    maySets.walkUsed(this.#core, words[S_ASID], lo, hi, 4 - level, words[at + ENTRY_ATTRIBUTES], frame);
  }

  /** The record is that of a walk for this access. */
  isFor(lo: number, taggedHi: number, kind: number, privilege: number): boolean {
    const words = this.#words;
    const r = this.#record;
    return (
      words[r + W_LO] === lo &&
      words[r + W_TAGGED_HI] === taggedHi &&
      words[r + W_KIND] === kind &&
      words[r + W_PRIVILEGE] === privilege
    );
  }

  /** One step in PHASE_READ or PHASE_UPDATE; returns the phase after it. @hot */
  step(): number {
    return this.#words[this.#record + W_PHASE] === PHASE_READ ? this.#read() : this.#update();
  }

  /** All steps up to the fill or a fault, for timed runs: nobody acts in between. @hot */
  run(): number {
    let phase = this.#words[this.#record + W_PHASE];
    while (phase < PHASE_FILL) phase = phase === PHASE_READ ? this.#read() : this.#update();
    return phase;
  }

  /** Step 2. @hot */
  #read(): number {
    const words = this.#words;
    const r = this.#record;
    words[S_STALL] += this.#readCycles;
    const level = words[r + W_LEVEL];
    const granule = words[words[r + W_RANGE] + R_GRANULE];
    const index = lookupIndex(words[r + W_LO], words[r + W_HI], granule, level) & words[r + W_INDEX_MASK];
    const slot = (words[r + W_TABLE_LO] >>> 2) + index * 2;
    if (words[r + W_TABLE_HI] !== 0 || slot >= this.#i32.length) {
      words[r + W_SLOT] = -1;
      return this.#fail("bus");
    }
    if (this.#ledger !== null) this.#ledger.tableRead(slot >>> 10, words[r + W_LO], words[r + W_HI]);
    words[r + W_SLOT] = slot;
    const late = this.#late;
    if (late !== null && this.#budget.exploring && late.read(slot))
      return this.#judge(level, granule, late.lo, late.hi);
    return this.#judge(level, granule, this.#i32[slot], this.#i32[slot + 1]);
  }

  /** Step 6: atomic, on the descriptor as it was judged or not at all. @hot */
  #update(): number {
    const words = this.#words;
    const r = this.#record;
    words[S_STALL] += this.#updateCycles;
    const slot = words[r + W_SLOT];
    const level = words[r + W_LEVEL];
    const granule = words[words[r + W_RANGE] + R_GRANULE];
    if (this.#late !== null && this.#budget.exploring) this.#late.completeSlot(slot);
    const lo = this.#i32[slot];
    const hi = this.#i32[slot + 1];
    if (lo !== words[r + W_ENTRY_LO] || hi !== words[r + W_ENTRY_HI]) {
      return this.#judge(level, granule, lo, hi);
    }
    this.#ram.updateEntry32((slot << 2) >>> 0, words[r + W_UPDATED_LO]);
    if (this.#late !== null && this.#budget.exploring) this.#late.completeSlot(slot);
    return this.#finish(level, granule, words[r + W_UPDATED_LO], hi);
  }

  /** Steps 3 to 5 on a descriptor, as far as they go without touching memory. @hot */
  #judge(level: number, granule: number, lo: number, hi: number): number {
    const words = this.#words;
    const r = this.#record;
    if ((lo & TTD_VALID) === 0) return this.#fail("not-present");
    if ((lo & TTD_TABLE) !== 0) {
      if (level < 3) return this.#descend(level, granule, lo, hi);
    } else if (level === 3 || !isBlockLevel(granule, level, this.#physicalBits)) {
      return this.#fail("not-present");
    }
    if (this.#addressHi(granule, lo, hi) >>> (outputBits(words, granule) - 32) !== 0) {
      return this.#fail("address-size");
    }
    if ((lo & TTD_AF) === 0 && words[S_HA] === 0) return this.#fail("access-flag");
    const kind = words[r + W_KIND];
    const privilege = words[r + W_PRIVILEGE];
    const isClean = (lo & TTD_AP_RO) !== 0 && (hi & TTD_HI_DBM) !== 0 && words[S_HD] !== 0;
    let updated = lo | TTD_AF;
    if (privilege !== SPECULATIVE) {
      const ro = isClean ? 0 : (lo >>> 7) & 1;
      const rights = leafRights(words[r + W_RIGHTS], ro, lo, hi);
      if (!isPermitted(words, rights, kind, privilege)) {
        this.permissions = rights;
        return this.#fail("protection");
      }
      if (isClean && kind === WRITE) updated &= ~TTD_AP_RO;
    }
    if (updated === lo) return this.#finish(level, granule, lo, hi);
    words[r + W_ENTRY_LO] = lo;
    words[r + W_ENTRY_HI] = hi;
    words[r + W_UPDATED_LO] = updated;
    words[r + W_LEVEL] = level;
    return (words[r + W_PHASE] = PHASE_UPDATE);
  }

  /** Step 4. @hot */
  #descend(level: number, granule: number, lo: number, hi: number): number {
    const words = this.#words;
    const r = this.#record;
    const range = words[r + W_RANGE];
    const addressHi = this.#addressHi(granule, lo, hi);
    if (addressHi >>> (outputBits(words, granule) - 32) !== 0) return this.#fail("address-size");
    const addressLo = lo & (-1 << granule);
    const above = words[r + W_RIGHTS];
    const rights = words[range + R_FLAT] !== 0 ? above : limitRights(above, hi);
    const cache = this.#caches[level];
    const at = cache.claim(words[r + W_LO], words[r + W_HI], lookupShift(granule, level), words[S_ASID]);
    words[at + ENTRY_ATTRIBUTES] = rights;
    words[at + ENTRY_FRAME_LO] = (addressLo >>> 12) | (addressHi << 20);
    words[at + ENTRY_FRAME_HI] = addressHi >>> 12;
    words[at + ENTRY_SLOT] = words[r + W_SLOT];
    words[at + ENTRY_ROOT] = (words[range + R_BASE_LO] >>> 12) | (words[range + R_BASE_HI] << 20);
    cache.settle(at);
    words[r + W_TABLE_LO] = addressLo;
    words[r + W_TABLE_HI] = addressHi;
    words[r + W_INDEX_MASK] = (1 << (granule - 3)) - 1;
    words[r + W_RIGHTS] = rights;
    words[r + W_LEVEL] = level + 1;
    return (words[r + W_PHASE] = PHASE_READ);
  }

  /** Step 7: makes the image of the translation. @hot */
  #finish(level: number, granule: number, lo: number, hi: number): number {
    const words = this.#words;
    const r = this.#record;
    const image = r + W_IMAGE;
    const range = words[r + W_RANGE];
    const isClean = (lo & TTD_AP_RO) !== 0 && (hi & TTD_HI_DBM) !== 0 && words[S_HD] !== 0;
    let attributes =
      leafRights(words[r + W_RIGHTS], isClean ? 0 : (lo >>> 7) & 1, lo, hi) |
      (((lo >>> TTD_ATTR_SHIFT) & 7) << ATTRIBUTE_INDEX_SHIFT) |
      (((lo >>> TTD_SH_SHIFT) & 3) << ATTRIBUTE_SH_SHIFT) |
      (level << ATTRIBUTE_LEVEL_SHIFT);
    if (!isClean) attributes |= ATTRIBUTE_DIRTY;
    if ((lo & TTD_NG) === 0) attributes |= ATTRIBUTE_GLOBAL;
    if ((hi & TTD_HI_GP) !== 0) attributes |= ATTRIBUTE_GP;
    let shift = lookupShift(granule, level);
    if ((hi & TTD_HI_CONTIGUOUS) !== 0) {
      attributes |= ATTRIBUTE_CONTIGUOUS;
      if (this.#groups) shift += contiguousShift(granule, level);
    }
    const addressHi = this.#addressHi(granule, lo, hi);
    words[image + ENTRY_KEY_LO] = keyLo(words[r + W_LO], shift);
    words[image + ENTRY_KEY_HI] = keyHi(words[r + W_HI], shift);
    words[image + ENTRY_CONTEXT] = words[S_ASID];
    words[image + ENTRY_ATTRIBUTES] = attributes;
    // The address's bits below the size come from the virtual address, within a contiguous group as well.
    words[image + ENTRY_FRAME_LO] = frameBits((lo >>> 12) | (addressHi << 20), shift);
    words[image + ENTRY_FRAME_HI] = shift > 44 ? (addressHi >>> 12) & (-1 << (shift - 44)) : addressHi >>> 12;
    words[image + ENTRY_SLOT] = words[r + W_SLOT];
    words[image + ENTRY_ROOT] = (words[range + R_BASE_LO] >>> 12) | (words[range + R_BASE_HI] << 20);
    return (words[r + W_PHASE] = PHASE_FILL);
  }

  /** Bits 51:32 of the address in a descriptor. @hot */
  #addressHi(granule: number, lo: number, hi: number): number {
    const high = granule === 16 && this.#physicalBits === 52 ? ((lo >>> 12) & 15) << 16 : 0;
    return (hi & 0xffff) | high;
  }

  #fail(cause: TranslationCause): number {
    const words = this.#words;
    this.cause = cause;
    this.level = words[this.#record + W_LEVEL];
    return (words[this.#record + W_PHASE] = PHASE_FAULT);
  }
}

/** Bits 31:0 of the first frame of a page of 2^shift bytes. @hot */
function frameBits(frame: number, shift: number): number {
  return shift < 44 ? frame & (-1 << (shift - 12)) : 0;
}
