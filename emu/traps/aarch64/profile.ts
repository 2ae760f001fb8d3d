/**
 * What is measured in cycles or bits around an AArch64 core. The costs of exceptions and messages are parameters of the
 * model, of the order of what processors of the last years take; no vendor publishes them.
 */
import { type AArch64TranslationProfile, NEOVERSE_N1, NEOVERSE_N1_MINIATURE } from "../../../mmu/index.ts";

export interface Aarch64Profile {
  readonly name: string;
  readonly translation: AArch64TranslationProfile;
  /** Cycles per second of the core clock. */
  readonly cyclesPerSecond: number;
  /** Core cycles per tick of the system counter; CNTFRQ_EL0 is cyclesPerSecond / cyclesPerTick. */
  readonly cyclesPerTick: number;
  /** From the write of ICC_SGI1R_EL1, a SEV or CPU_ON to its arrival at another core. */
  readonly messageLatencyCycles: number;
  /** From a TLBI to its arrival at the other cores, and from its effect there to the acknowledgement. */
  readonly broadcastLatencyCycles: number;
  /** Of an exception entry alone. */
  readonly exceptionCycles: number;
  /** Of ERET. */
  readonly returnCycles: number;
  /** Of MSR to a register that has effects, and of ISB. */
  readonly systemRegisterCycles: number;
  /** YIELD. */
  readonly yieldCycles: number;
  /** "present": FEAT_ETS2, as the ID registers say. */
  readonly ets2: "present" | "absent";
}

/** A 3 GHz core with the translation hardware of a Neoverse N1 and a system counter of 1 GHz. */
export const AARCH64_DEFAULT_PROFILE: Aarch64Profile = {
  name: "fl-a1",
  translation: NEOVERSE_N1,
  cyclesPerSecond: 3_000_000_000,
  cyclesPerTick: 3,
  messageLatencyCycles: 800,
  broadcastLatencyCycles: 100,
  exceptionCycles: 60,
  returnCycles: 40,
  systemRegisterCycles: 30,
  yieldCycles: 20,
  ets2: "absent",
};

/** The same with TLBs in miniature. */
export const AARCH64_SMALL_PROFILE: Aarch64Profile = {
  ...AARCH64_DEFAULT_PROFILE,
  translation: NEOVERSE_N1_MINIATURE,
};
