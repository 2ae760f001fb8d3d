/**
 * Writes to the registers that decide about translation, and what they invalidate: Intel SDM vol. 3A 4.10.4.1. Which
 * values are #GP and what follows from them is in controls.ts.
 */
import type { FastKeeper } from "../fast-keeper.ts";
import type { CoherenceLedger } from "../ledger.ts";
import { ANY_CONTEXT } from "../set-array.ts";
import { areControlsLegal, deriveControls } from "./controls.ts";
import type { Invalidation } from "./invalidation.ts";
import {
  PHASE_IDLE,
  S_AC,
  S_CR0,
  S_CR3_HI,
  S_CR3_LO,
  S_CR4,
  S_EFER,
  S_LEVELS,
  S_PCID,
  S_PKRU,
  S_WALK,
  W_PHASE,
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
} from "./paging.ts";

export interface RegisterParts {
  readonly core: number;
  readonly words: Int32Array;
  readonly keeper: FastKeeper;
  readonly invalidation: Invalidation;
  readonly ledger: CoherenceLedger | null;
  readonly maxPhysBits: number;
}

export class TranslationRegisters {
  readonly #core: number;
  readonly #words: Int32Array;
  readonly #keeper: FastKeeper;
  readonly #invalidation: Invalidation;
  readonly #ledger: CoherenceLedger | null;
  readonly #maxPhysBits: number;

  constructor(parts: RegisterParts) {
    this.#core = parts.core;
    this.#words = parts.words;
    this.#keeper = parts.keeper;
    this.#invalidation = parts.invalidation;
    this.#ledger = parts.ledger;
    this.#maxPhysBits = parts.maxPhysBits;
    deriveControls(parts.words, parts.maxPhysBits);
  }

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
    if (wasPaging && !paging) this.#invalidation.context("CR0.PG", ANY_CONTEXT, 1);
    else if ((cr4Changed & CR4_PGE) !== 0) this.#invalidation.context("CR4.PGE", ANY_CONTEXT, 1);
    else if ((cr4Changed & ~cr4 & CR4_PCIDE) !== 0) this.#invalidation.context("CR4.PCIDE", ANY_CONTEXT, 1);
    else if ((cr4Changed & cr4 & CR4_SMEP) !== 0) this.#invalidation.context("CR4.SMEP", oldPcid, 1);
    deriveControls(words, this.#maxPhysBits);
    this.#keeper.empty();
    words[S_WALK + W_PHASE] = PHASE_IDLE;
    // Clearing CR4.PCIDE makes the loaded tag 0.
    const isNewTag = paging !== wasPaging || words[S_PCID] !== oldPcid;
    if (this.#ledger !== null && isNewTag) this.#reportRoot(this.#ledger);
    return true;
  }

  writeCr3(lo: number, hi: number): boolean {
    const words = this.#words;
    const pcide = (words[S_CR4] & CR4_PCIDE) !== 0;
    const address = hi & ~(pcide ? CR3_HI_NO_FLUSH : 0);
    if ((address & ~(2 ** (this.#maxPhysBits - 32) - 1)) !== 0) return false;
    words[S_CR3_LO] = lo;
    words[S_CR3_HI] = address;
    words[S_PCID] = pcide ? lo & CR3_PCID_MASK : 0;
    const flushes = !pcide || (hi & CR3_HI_NO_FLUSH) === 0;
    this.#loadMaySets(flushes ? "flush" : "keep");
    if (flushes) this.#invalidation.context("CR3", words[S_PCID], 0);
    this.#keeper.empty();
    words[S_WALK + W_PHASE] = PHASE_IDLE;
    if (this.#ledger !== null && words[S_LEVELS] !== 0) this.#reportRoot(this.#ledger);
    return true;
  }

  setAc(ac: 0 | 1): void {
    const words = this.#words;
    if (words[S_AC] === ac) return;
    words[S_AC] = ac;
    deriveControls(words, this.#maxPhysBits);
    if ((words[S_CR0] & CR0_AM) !== 0) this.#keeper.empty();
    else if (ac === 0) this.#keeper.dropMarked();
  }

  setPkru(value: number): void {
    const words = this.#words;
    if (words[S_PKRU] === value) return;
    words[S_PKRU] = value;
    if ((words[S_CR4] & CR4_PKE) !== 0) this.#keeper.empty();
  }

  /** Before what the load invalidates goes: it is invalidated under the new root. */
  #loadMaySets(flush: "keep" | "flush"): void {
    const maySets = this.#ledger === null ? null : this.#ledger.maySets;
    if (maySets === null) return;
    const words = this.#words;
    const root = entryFrame(words[S_CR3_LO], words[S_CR3_HI]) * 4096;
    if (words[S_LEVELS] === 0) maySets.rootUnloaded(this.#core, 0, "flush");
    else maySets.rootLoaded(this.#core, 0, words[S_PCID], root, flush);
  }

  #reportRoot(ledger: CoherenceLedger): void {
    const words = this.#words;
    if (words[S_LEVELS] === 0) ledger.rootUnloaded(this.#core);
    else ledger.rootLoaded(this.#core, words[S_PCID], entryFrame(words[S_CR3_LO], words[S_CR3_HI]));
  }
}
