/**
 * Geometry and latency of the translation hardware of x86-64 cores. Sizes of TLBs are the vendor's; Intel publishes
 * none for its paging-structure caches, so those are the split 2/4/32 that simulation studies use (A. Bhattacharjee,
 * "Large-Reach Memory Management Unit Caches", MICRO 2013). Cycles per walk read are a model parameter: a walk's reads
 * mostly hit the first- and second-level data caches.
 */
import type { ArrayGeometry } from "../set-array.ts";

export interface X86TranslationProfile {
  readonly name: string;
  /** Where the sizes come from. */
  readonly source: string;
  /** First-level data TLBs for 4 KiB, 2 MiB and 1 GiB pages. */
  readonly l1d4k: ArrayGeometry;
  readonly l1d2m: ArrayGeometry;
  readonly l1d1g: ArrayGeometry;
  /** First-level instruction TLBs; a 1 GiB page is held as 2 MiB fragments. */
  readonly l1i4k: ArrayGeometry;
  readonly l1i2m: ArrayGeometry;
  /** Second level, shared by 4 KiB and 2 MiB pages, and its part for 1 GiB pages. */
  readonly stlb: ArrayGeometry;
  readonly stlb1g: ArrayGeometry;
  /** Paging-structure caches. */
  readonly pml5e: ArrayGeometry;
  readonly pml4e: ArrayGeometry;
  readonly pdpte: ArrayGeometry;
  readonly pde: ArrayGeometry;
  /** Extra cycles of an access that misses the first level and hits the second. */
  readonly stlbHitCycles: number;
  /** Cycles of one table read of a walk. */
  readonly walkReadCycles: number;
  /** Cycles of one accessed or dirty update: a locked read-modify-write in microcode. */
  readonly updateCycles: number;
}

/** Intel Skylake client core. */
export const SKYLAKE: X86TranslationProfile = {
  name: "skylake",
  source:
    "Intel 64 and IA-32 Architectures Optimization Reference Manual (248966), TLB parameters of the Skylake client " +
    "microarchitecture; STLB hit cost: Intel's top-down metric Mem_STLB_Hit_Cost",
  l1d4k: { name: "L1D 4K", sets: 16, ways: 4 },
  l1d2m: { name: "L1D 2M", sets: 8, ways: 4 },
  l1d1g: { name: "L1D 1G", sets: 1, ways: 4 },
  l1i4k: { name: "L1I 4K", sets: 16, ways: 8 },
  l1i2m: { name: "L1I 2M", sets: 1, ways: 8 },
  stlb: { name: "STLB", sets: 128, ways: 12 },
  stlb1g: { name: "STLB 1G", sets: 4, ways: 4 },
  pml5e: { name: "PML5E", sets: 1, ways: 2 },
  pml4e: { name: "PML4E", sets: 1, ways: 2 },
  pdpte: { name: "PDPTE", sets: 1, ways: 4 },
  pde: { name: "PDE", sets: 8, ways: 4 },
  stlbHitCycles: 9,
  walkReadCycles: 8,
  updateCycles: 20,
};

/** No processor: so small that entries are evicted all the time, and that a core's state is copied quickly. */
export const MINIATURE: X86TranslationProfile = {
  ...SKYLAKE,
  name: "miniature",
  source: "made up, for the exploration of schedules",
  l1d4k: { name: "L1D 4K", sets: 4, ways: 4 },
  l1d2m: { name: "L1D 2M", sets: 2, ways: 2 },
  l1d1g: { name: "L1D 1G", sets: 1, ways: 2 },
  l1i4k: { name: "L1I 4K", sets: 4, ways: 4 },
  l1i2m: { name: "L1I 2M", sets: 1, ways: 4 },
  stlb: { name: "STLB", sets: 16, ways: 4 },
  stlb1g: { name: "STLB 1G", sets: 1, ways: 2 },
  pde: { name: "PDE", sets: 2, ways: 4 },
};

/** The arrays of a profile in the order of their structure numbers. */
export function profileArrays(profile: X86TranslationProfile): readonly ArrayGeometry[] {
  return [
    profile.l1d4k,
    profile.l1d2m,
    profile.l1d1g,
    profile.l1i4k,
    profile.l1i2m,
    profile.stlb,
    profile.stlb1g,
    profile.pml5e,
    profile.pml4e,
    profile.pdpte,
    profile.pde,
  ];
}
