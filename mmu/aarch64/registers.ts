/**
 * Writes to the registers that decide about translation. None invalidates anything: Arm ARM D8 "General TLB maintenance
 * requirements" leaves that to software. Simplification: a write takes effect at once; the manual lets it wait until a
 * context synchronization event, and a core that models the wait keeps the value until then.
 */
import type { FastKeeper } from "../fast-keeper.ts";
import type { CoherenceLedger } from "../ledger.ts";
import { deriveControls } from "./controls.ts";
import { SCTLR_A, SCTLR_HI_EPAN, SCTLR_M, SCTLR_WXN } from "./descriptors.ts";
import {
  PHASE_IDLE,
  R_BASE_HI,
  R_BASE_LO,
  S_ASID,
  S_ON,
  S_PAN,
  S_RANGES,
  S_SCTLR_LO,
  S_WALK,
  W_PHASE,
} from "./layout.ts";
import { isFollowed } from "./may-format.ts";
import type { AArch64TranslationProfile } from "./profiles.ts";
import { deriveRights } from "./rights.ts";

export interface RegisterParts {
  readonly core: number;
  readonly words: Int32Array;
  readonly keeper: FastKeeper;
  readonly ledger: CoherenceLedger | null;
  readonly profile: AArch64TranslationProfile;
}

export class TranslationRegisters {
  readonly #core: number;
  readonly #words: Int32Array;
  readonly #keeper: FastKeeper;
  readonly #ledger: CoherenceLedger | null;
  readonly #profile: AArch64TranslationProfile;

  constructor(parts: RegisterParts) {
    this.#core = parts.core;
    this.#words = parts.words;
    this.#keeper = parts.keeper;
    this.#ledger = parts.ledger;
    this.#profile = parts.profile;
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
    if (this.#ledger !== null) this.#reportRoot(this.#ledger);
  }

  /** The ledger and the may-sets follow one root, that of TTBR0_EL1: the kernel's own table is never freed. */
  #reportRoot(ledger: CoherenceLedger): void {
    const words = this.#words;
    const { maySets } = ledger;
    if (words[S_ON] === 0) {
      maySets?.rootUnloaded(this.#core);
      ledger.rootUnloaded(this.#core);
      return;
    }
    const base = (words[S_RANGES + R_BASE_LO] >>> 0) + words[S_RANGES + R_BASE_HI] * 2 ** 32;
    const frame = Math.floor(base / 4096);
    if (maySets !== null && !isFollowed(words)) {
      throw new Error("may-sets: TCR_EL1.T0SZ and TG0 give no 4 KiB tables that are full");
    }
    maySets?.rootLoaded(this.#core, words[S_ASID], frame, "keep");
    ledger.rootLoaded(this.#core, words[S_ASID], frame);
  }
}
