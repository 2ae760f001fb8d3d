/**
 * The machine of x86-64 litmus tests: cores of the real kind with small TLBs, so that their content is quickly saved and
 * compared. Sizes are such that no test fills a set: what is replaced is the explorer's choice alone.
 */
import { X2ApicBus } from "../../../emu/interrupts/index.ts";
import { MACHINE_MODELS, type MachineModel } from "../../../emu/machines/index.ts";
import { X86_DEFAULT_PROFILE, X86Core, type X86Profile } from "../../../emu/traps/x86-64/index.ts";
import { SKYLAKE, type X86TranslationProfile } from "../../../mmu/index.ts";

const TRANSLATION: X86TranslationProfile = {
  ...SKYLAKE,
  name: "litmus",
  source: "small enough to be enumerated",
  l1d4k: { name: "L1D 4K", sets: 16, ways: 4 },
  l1d2m: { name: "L1D 2M", sets: 4, ways: 2 },
  l1d1g: { name: "L1D 1G", sets: 1, ways: 1 },
  l1i4k: { name: "L1I 4K", sets: 16, ways: 2 },
  l1i2m: { name: "L1I 2M", sets: 1, ways: 2 },
  stlb: { name: "STLB", sets: 16, ways: 4 },
  stlb1g: { name: "STLB 1G", sets: 1, ways: 1 },
  pml5e: { name: "PML5E", sets: 1, ways: 1 },
  pml4e: { name: "PML4E", sets: 1, ways: 8 },
  pdpte: { name: "PDPTE", sets: 1, ways: 8 },
  pde: { name: "PDE", sets: 1, ways: 16 },
};

const PROFILE: X86Profile = { ...X86_DEFAULT_PROFILE, name: "litmus", translation: TRANSLATION };
const REGION_BYTES: number = X86Core.stateWords(PROFILE) * 4;

export const LITMUS_MODEL: MachineModel = {
  ...MACHINE_MODELS.find((model) => model.name === "x86-64")!,
  name: "x86-64-litmus",
  description: "bare cores with small TLBs",
  coreStateBytes: REGION_BYTES,
  createCores: (ram, count, options) => {
    const bus = new X2ApicBus(PROFILE.ipiLatencyCycles);
    return Array.from(
      { length: count },
      (_, id) =>
        new X86Core(id, ram, id * REGION_BYTES, {
          profile: PROFILE,
          cores: count,
          bus,
          policy: options.policy,
          seed: options.seed,
          observer: null,
          ledger: options.ledger,
          isKernelText: options.isKernelText,
        }),
    );
  },
};
