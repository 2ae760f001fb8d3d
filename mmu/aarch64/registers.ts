/**
 * Writes to the registers that decide about translation. None invalidates anything: Arm ARM D8 "General TLB maintenance
 * requirements" leaves that to software. Simplification: a write takes effect at once; the manual lets it wait until a
 * context synchronization event, and a core that models the wait keeps the value until then.
 */
import type { FastKeeper } from "../fast-keeper.ts";
import type { LateStores } from "../late-stores.ts";
import type { CoherenceLedger } from "../ledger.ts";
import { deriveControls } from "./controls.ts";
import { SCTLR_A, SCTLR_HI_EPAN, SCTLR_M, SCTLR_WXN } from "./descriptors.ts";
import {
  PHASE_IDLE,
  R_BASE_FAULT,
  R_BASE_HI,
  R_BASE_LO,
  R_INPUT_BITS,
  R_NO_WALK,
  RANGE_WORDS,
  S_ASID,
  S_ON,
  S_PAN,
  S_RANGES,
  S_SCTLR_LO,
  S_WALK,
  W_PHASE,
} from "./layout.ts";
import type { AArch64TranslationProfile } from "./profiles.ts";
import { deriveRights } from "./rights.ts";

export interface RegisterParts {
  readonly core: number;
  readonly words: Int32Array;
  readonly keeper: FastKeeper;
  readonly ledger: CoherenceLedger | null;
  readonly profile: AArch64TranslationProfile;
  readonly late: LateStores | null;
}

export class TranslationRegisters {
  readonly #core: number;
  readonly #words: Int32Array;
  readonly #keeper: FastKeeper;
  readonly #ledger: CoherenceLedger | null;
  readonly #profile: AArch64TranslationProfile;
  readonly #late: LateStores | null;

  constructor(parts: RegisterParts) {
    this.#core = parts.core;
    this.#words = parts.words;
    this.#keeper = parts.keeper;
    this.#ledger = parts.ledger;
    this.#profile = parts.profile;
    this.#late = parts.late;
    deriveControls(parts.words, parts.profile);
  }

  /** SCTLR_EL1; bits that do not decide about translation are not kept. */
  writeSctlr(lo: number, hi: number): void {
    const epan = this.#profile.pan3 === "present" ? hi & SCTLR_HI_EPAN : 0;
    this.#write(S_SCTLR_LO, lo & (SCTLR_M | SCTLR_A | SCTLR_WXN), epan);
  }

  /** Another register of two words: TCR_EL1, MAIR_EL1, TTBR0_EL1, TTBR1_EL1. */
  write(at: number, lo: number, hi: number): void {
    this.#write(at, lo, hi);
  }

  setPan(pan: 0 | 1): void {
    const words = this.#words;
    if (words[S_PAN] === pan) return;
    words[S_PAN] = pan;
    deriveRights(words);
    if (pan === 1) this.#keeper.dropMarked();
  }

  #write(at: number, lo: number, hi: number): void {
    const words = this.#words;
    if (words[at] === lo && words[at + 1] === hi) return;
    words[at] = lo;
    words[at + 1] = hi;
    deriveControls(words, this.#profile);
    this.#keeper.empty();
    words[S_WALK + W_PHASE] = PHASE_IDLE;
    // Under a root that was not loaded no walk comes before this write.
    this.#late?.synchroniseAll();
    if (this.#ledger !== null) this.#reportRoots(this.#ledger);
  }

  /** Roots and their tag; a half whose walks are off has none. Nothing is invalidated. */
  #reportRoots(ledger: CoherenceLedger): void {
    const words = this.#words;
    const { maySets } = ledger;
    const asid = words[S_ASID];
    if (words[S_ON] === 0) ledger.rootUnloaded(this.#core);
    for (let half = 0; half < 2; half++) {
      const r = S_RANGES + half * RANGE_WORDS;
      const isWalked = words[S_ON] !== 0 && words[r + R_INPUT_BITS] !== 0;
      if (!isWalked || words[r + R_NO_WALK] !== 0 || words[r + R_BASE_FAULT] !== 0) {
        maySets?.rootUnloaded(this.#core, half, "keep");
        continue;
      }
      const base = (words[r + R_BASE_LO] >>> 0) + words[r + R_BASE_HI] * 2 ** 32;
      maySets?.rootLoaded(this.#core, half, asid, base, "keep");
      const frame = Math.floor(base / 4096);
      if (half === 0) ledger.rootLoaded(this.#core, asid, frame);
      else ledger.upperRootLoaded(this.#core, asid, frame);
    }
  }
}
