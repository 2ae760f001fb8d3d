import { expect, test } from "vitest";
import type { Aarch64Cpu } from "../../../../emu/hardware.ts";
import { hwcapOf, supportsFpsimd, supportsSsbs } from "../../../../kernel/arch/arm64/cpu-features.ts";
import { fact } from "./support/facts.ts";
import { ProgramRun } from "./support/program.ts";

type Halves = readonly [number, number];

function coreWith(registers: Readonly<Record<string, Halves>>): Aarch64Cpu {
  return {
    mrsLo: (name: string) => registers[name]?.[0] ?? 0,
    mrsHi: (name: string) => registers[name]?.[1] ?? 0,
  } as unknown as Aarch64Cpu;
}

const CASES: readonly [capability: string, word: 1 | 2, register: string, value: Halves][] = [
  ["HWCAP_AES", 1, "ID_AA64ISAR0_EL1", [1 << 4, 0]],
  ["HWCAP_PMULL", 1, "ID_AA64ISAR0_EL1", [2 << 4, 0]],
  ["HWCAP_SHA1", 1, "ID_AA64ISAR0_EL1", [1 << 8, 0]],
  ["HWCAP_SHA2", 1, "ID_AA64ISAR0_EL1", [1 << 12, 0]],
  ["HWCAP_CRC32", 1, "ID_AA64ISAR0_EL1", [1 << 16, 0]],
  ["HWCAP_ATOMICS", 1, "ID_AA64ISAR0_EL1", [2 << 20, 0]],
  ["HWCAP_FLAGM", 1, "ID_AA64ISAR0_EL1", [0, 1 << 20]],
  ["HWCAP2_FLAGM2", 2, "ID_AA64ISAR0_EL1", [0, 2 << 20]],
  ["HWCAP2_RNG", 2, "ID_AA64ISAR0_EL1", [0, 1 << 28]],
  ["HWCAP_DCPOP", 1, "ID_AA64ISAR1_EL1", [1, 0]],
  ["HWCAP2_DCPODP", 2, "ID_AA64ISAR1_EL1", [2, 0]],
  ["HWCAP_LRCPC", 1, "ID_AA64ISAR1_EL1", [1 << 20, 0]],
  ["HWCAP_ILRCPC", 1, "ID_AA64ISAR1_EL1", [2 << 20, 0]],
  ["HWCAP_SB", 1, "ID_AA64ISAR1_EL1", [0, 1 << 4]],
  ["HWCAP_DIT", 1, "ID_AA64PFR0_EL1", [0, 1 << 16]],
  ["HWCAP_SSBS", 1, "ID_AA64PFR1_EL1", [2 << 4, 0]],
  ["HWCAP_USCAT", 1, "ID_AA64MMFR2_EL1", [0, 1]],
];

test.each(CASES)("%s follows from the identification register", (capability, word, register, value) => {
  const bit = fact(capability);
  expect(hwcapOf(coreWith({}), word) & bit).toBe(0);
  expect((hwcapOf(coreWith({ [register]: value }), word) & bit) >>> 0).toBe(bit);
});

test("the machine's programs are told of what it has: no floating point, but the integer extensions", () => {
  const { kernel } = new ProgramRun([]);
  const { hwcap, hwcap2 } = kernel.arch.process;
  const expected = ["CRC32", "ATOMICS", "CPUID", "LRCPC", "ILRCPC", "DCPOP", "DIT", "FLAGM", "SSBS", "SB"];
  expect(hwcap).toBe(expected.reduce((bits, name) => bits + fact(`HWCAP_${name}`), 0));
  expect(hwcap2).toBe(fact("HWCAP2_FLAGM2"));
  const core = kernel.platform.cpus[0] as Aarch64Cpu;
  expect(supportsFpsimd(core)).toBe(false);
  expect(supportsSsbs(core)).toBe(true);
});
