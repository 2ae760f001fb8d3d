/**
 * Random histories of two cores: no unit may use what its may-set does not permit. Granules, halves, contiguous groups,
 * TLBI that act at random moments before their DSB, and late page-table stores.
 */
import { expect, test } from "vitest";
import {
  type AArch64TranslationProfile,
  type AccessKind,
  type DsbOption,
  decodeTlbi,
  type GranuleShift,
  lookupShift,
  type Privilege,
  type TlbiName,
  type TlbiOperation,
  TTD_AF,
  TTD_AP_EL0,
  TTD_AP_RO,
  TTD_HI_CONTIGUOUS,
  TTD_HI_DBM,
  TTD_HI_UXN,
  TTD_NG,
  TTD_TABLE,
  TTD_VALID,
} from "../../../mmu/index.ts";
import { World } from "./world.ts";

const TINY: Partial<AArch64TranslationProfile> = {
  l1d: { name: "L1D", sets: 1, ways: 3 },
  l1i: { name: "L1I", sets: 1, ways: 3 },
  l2: { name: "L2", sets: 2, ways: 4 },
};
const NAMES: readonly TlbiName[] = [
  "VAE1",
  "VALE1",
  "VAAE1",
  "VAALE1",
  "ASIDE1",
  "VMALLE1",
  "RVAE1",
  "RVALE1",
];
const OPTIONS: readonly DsbOption[] = ["ish", "ishst", "nsh", "nshst"];
const TG: { readonly [granule: number]: number } = { 12: 1, 14: 2, 16: 3 };

interface Case {
  readonly granule: GranuleShift;
  readonly inputBits: number;
  readonly half: 0 | 1;
  readonly policy: "typical" | "adversarial";
  readonly contiguous: "group" | "single";
  readonly late: boolean;
  readonly seed: number;
}

const KINDS: readonly Omit<Case, "late" | "seed">[] = [
  { granule: 12, inputBits: 48, half: 0, policy: "typical", contiguous: "group" },
  { granule: 12, inputBits: 39, half: 1, policy: "adversarial", contiguous: "single" },
  { granule: 14, inputBits: 48, half: 0, policy: "adversarial", contiguous: "group" },
  { granule: 14, inputBits: 36, half: 1, policy: "typical", contiguous: "single" },
  { granule: 16, inputBits: 42, half: 0, policy: "adversarial", contiguous: "group" },
  { granule: 16, inputBits: 48, half: 1, policy: "typical", contiguous: "single" },
];
/** Seeds that found something while the may-sets were being written are among them. */
const SEEDS: readonly (readonly [number, boolean])[] = [
  [1, true],
  [51, false],
  [124, true],
];
const CASES: readonly Case[] = KINDS.flatMap((kind, k) =>
  SEEDS.map(([seed, late]) => ({ ...kind, seed: seed + k * 7, late })),
);

test.each(CASES)("granule 2^$granule, $inputBits bits, half $half, $policy, seed $seed", (options) => {
  const { granule, half, late } = options;
  let state = (options.seed * 0x9e37_79b1) | 1;
  const below = (bound: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
  const world = new World({
    granule,
    inputBits: options.inputBits,
    policy: options.policy,
    seed: options.seed,
    profile: { ...TINY, contiguous: options.contiguous },
    maySets: { isPermanent: () => false },
    cores: 2,
    ramBytes: 0x200_0000,
    ...(late ? { lateStores: true as const } : {}),
  });
  world.budget.left = Number.POSITIVE_INFINITY;
  world.budget.exploring = late;
  const page = 2 ** granule;
  const hi = half === 0 ? 0 : -1;
  const start = half === 0 ? 2 ** lookupShift(granule, 2) : 0x8000_0000;
  const block = 2 ** lookupShift(granule, 2);
  const addresses = [0, page, 2 * page, 16 * page, block % 0x4000_0000].map((at) => (start + at) | 0);
  const roots = [world.roots[half], world.frame()] as const;
  const frame = (): number => 0x1000 + below(16) * (page / 4096);
  const underWay: { operation: TlbiOperation; waiting: Set<number> }[] = [];
  const tlbi = (core: number, lo: number): void => {
    const name = NAMES[below(NAMES.length)]!;
    const ranged = name.startsWith("R") ? (TG[granule]! << 14) | (below(2) << 7) : 0;
    const operand = name.startsWith("R") ? lo >>> granule : lo >>> 12;
    const upper = name.startsWith("R") ? (hi << (32 - granule)) | operand : (hi << 20) | operand;
    const high = ((1 + below(2)) << 16) | ranged | (name.startsWith("R") ? hi & 31 : hi & 0xfff);
    const operation = decodeTlbi(name, below(4) === 0 ? "local" : "inner", upper, high)!;
    world.units[core]!.issue(operation);
    world.units[core]!.drop(operation);
    const others = operation.shareability === "local" ? [] : [1 - core];
    underWay.push({ operation, waiting: new Set(others) });
  };
  /** Every TLBI acts before the DSB that completes it. */
  const dsb = (core: number): void => {
    const option = OPTIONS[below(OPTIONS.length)]!;
    if (option === "ish") {
      for (const { operation, waiting } of underWay.splice(0)) {
        for (const other of waiting) world.units[other]!.drop(operation);
      }
    }
    world.units[core]!.barrierCompleted(option);
  };
  for (let i = 0; i < 3000; i++) {
    const core = below(2);
    const unit = world.units[core]!;
    const lo = addresses[below(addresses.length)]!;
    world.context.core = core;
    const choice = below(40);
    if (choice < 8) {
      const flags =
        (below(8) ? TTD_NG : 0) |
        (below(5) ? TTD_AF : 0) |
        (below(4) ? TTD_AP_EL0 : 0) |
        (below(2) ? TTD_AP_RO : 0);
      const flagsHi =
        (below(2) ? TTD_HI_DBM : 0) | (below(2) ? TTD_HI_UXN : 0) | (below(3) ? 0 : TTD_HI_CONTIGUOUS);
      const slot = world.map(lo, hi, frame(), flags, flagsHi, 3, roots[below(2)]);
      if (below(3) === 0) world.ram.write64(slot, 0, 0);
    } else if (choice === 8) {
      const slot = world.slot(lo, hi, 2, roots[0]);
      if (below(2) === 0) world.ram.write64(slot, 0, 0);
      else world.write(slot, world.frame(), TTD_VALID | TTD_TABLE);
    } else if (choice < 12) {
      const root = roots[below(2)]!;
      if (half === 0) world.load(1 + below(2), unit, root);
      else unit.writeTtbr1(root << 12, 0);
    } else if (choice < 18) tlbi(core, lo);
    else if (choice < 22) dsb(core);
    else if (choice === 22) unit.perturb();
    else if (choice === 23) unit.synchronise("exception");
    else if (choice === 24) unit.lateStores?.completeFirst();
    else if (choice < 28 && underWay.length > 0) {
      const { operation, waiting } = underWay[below(underWay.length)]!;
      for (const other of waiting) world.units[other]!.drop(operation);
      waiting.clear();
    }
    unit.translate(lo, hi, below(3) as AccessKind, below(3) as Privilege);
  }
  const wrong = world.maySets!.violations.filter(({ rule }) => rule === "outside-may");
  expect(wrong).toEqual([]);
  expect(world.maySets!.lost).toBe(0);
});
