/**
 * Geometry and latency of the translation hardware of AArch64 cores. Arm publishes the sizes of TLBs and of some walk
 * caches; where a core keeps partial walks in its second-level TLB, their number is a model parameter. Cycles per walk
 * read are one as well: a walk's reads mostly hit the first- and second-level data caches.
 *
 * Simplifications: fully associative TLBs of 48 entries are two sets of 24 ways; every TLB holds every size of page, block
 * and contiguous group.
 */
import type { ArrayGeometry } from "../set-array.ts";

export interface AArch64TranslationProfile {
  readonly name: string;
  /** Where the sizes come from. */
  readonly source: string;
  /** First-level data and instruction TLBs. */
  readonly l1d: ArrayGeometry;
  readonly l1i: ArrayGeometry;
  /** Second level. */
  readonly l2: ArrayGeometry;
  /** Walk caches by the level of the table descriptors that they hold. */
  readonly level0: ArrayGeometry;
  readonly level1: ArrayGeometry;
  readonly level2: ArrayGeometry;
  /** A contiguous group is cached as one entry, or each page or block by itself. */
  readonly contiguous: "group" | "single";
  /** ID_AA64MMFR0_EL1.PARange: 32, 36, 40, 42, 44, 48 or (FEAT_LPA) 52. */
  readonly physicalBits: number;
  /** ID_AA64MMFR0_EL1.ASIDBits. */
  readonly asidBits: 8 | 16;
  /** ID_AA64MMFR2_EL1.VARange: 52 (FEAT_LVA) with the 64 KiB granule only. */
  readonly inputBits: 48 | 52;
  /** ID_AA64MMFR2_EL1.ST (FEAT_TTST): TnSZ up to 48, 47 with 64 KiB; otherwise 39. */
  readonly smallTables: "present" | "absent";
  /** ID_AA64MMFR1_EL1.HAFDBS: what hardware sets by itself; bits of TCR_EL1 that are absent are RES0. */
  readonly hardwareUpdates: "none" | "access flag" | "access flag and dirty state";
  /** ID_AA64MMFR2_EL1.BBM (FEAT_BBM): whether a live entry's size may change at once. */
  readonly bbmLevel: 0 | 1 | 2;
  /** ID_AA64MMFR1_EL1.PAN ≥ 3: SCTLR_EL1.EPAN exists. */
  readonly pan3: "present" | "absent";
  /** Extra cycles of an access that misses the first level and hits the second. */
  readonly l2HitCycles: number;
  /** Cycles of one table read of a walk. */
  readonly walkReadCycles: number;
  /** Cycles of one atomic update of a descriptor. */
  readonly updateCycles: number;
}

/** Arm Neoverse N1, with the sizes of its MMU and the features of its ID registers; FEAT_LPA and FEAT_LVA are absent. */
export const NEOVERSE_N1: AArch64TranslationProfile = {
  name: "neoverse-n1",
  source:
    "Arm Neoverse N1 Core Technical Reference Manual (100616), Memory Management Unit, TLB organization; the second level " +
    "keeps partial walks among its entries, here they have arrays of their own",
  l1d: { name: "L1D", sets: 2, ways: 24 },
  l1i: { name: "L1I", sets: 2, ways: 24 },
  l2: { name: "L2", sets: 256, ways: 5 },
  level0: { name: "walk 0", sets: 1, ways: 4 },
  level1: { name: "walk 1", sets: 2, ways: 4 },
  level2: { name: "walk 2", sets: 16, ways: 4 },
  contiguous: "group",
  physicalBits: 48,
  asidBits: 16,
  inputBits: 48,
  smallTables: "absent",
  hardwareUpdates: "access flag and dirty state",
  bbmLevel: 0,
  pan3: "absent",
  l2HitCycles: 3,
  walkReadCycles: 8,
  updateCycles: 20,
};

/** No processor: so small that entries are evicted all the time, and that a core's state is copied quickly. */
export const NEOVERSE_N1_MINIATURE: AArch64TranslationProfile = {
  ...NEOVERSE_N1,
  name: "miniature",
  source: "made up, for the exploration of schedules",
  l1d: { name: "L1D", sets: 4, ways: 4 },
  l1i: { name: "L1I", sets: 4, ways: 4 },
  l2: { name: "L2", sets: 16, ways: 4 },
  level2: { name: "walk 2", sets: 2, ways: 4 },
};

/** The arrays of a profile in the order of their structure numbers. */
export function profileArrays(profile: AArch64TranslationProfile): readonly ArrayGeometry[] {
  return [profile.l1d, profile.l1i, profile.l2, profile.level0, profile.level1, profile.level2];
}
