/**
 * The machines of AArch64 litmus tests: cores of the real kind with TLBs so large that no test fills a set: what is
 * replaced is the explorer's choice alone. With and without FEAT_ETS2, which makes walks see page-table stores in order.
 */
import { aarch64Machine, type MachineModel } from "../../../emu/machines/index.ts";
import { AARCH64_SMALL_PROFILE } from "../../../emu/traps/aarch64/index.ts";

const TRANSLATION = {
  ...AARCH64_SMALL_PROFILE.translation,
  name: "litmus",
  source: "small enough to be enumerated",
  l1d: { name: "L1D", sets: 16, ways: 4 },
  l1i: { name: "L1I", sets: 4, ways: 4 },
  l2: { name: "L2", sets: 16, ways: 4 },
  level0: { name: "walk 0", sets: 1, ways: 8 },
  level1: { name: "walk 1", sets: 1, ways: 8 },
  level2: { name: "walk 2", sets: 1, ways: 16 },
};

function model(name: string, ets2: "present" | "absent"): MachineModel {
  const profile = { ...AARCH64_SMALL_PROFILE, name, translation: TRANSLATION, ets2 };
  return aarch64Machine({ name, description: "bare cores with small TLBs", profile, asidBits: 16 });
}

export const LITMUS_MODELS: Readonly<Record<"base" | "ETS2", MachineModel>> = {
  base: model("aarch64-litmus", "absent"),
  ETS2: model("aarch64-litmus-ets2", "present"),
};
