/**
 * The identification registers: what this core has, and nothing else. Arm ARM DDI 0487, D24.2 "General system control
 * registers", the register of that name. Halves as int32.
 *
 * Present: FEAT_LSE, CRC32, LRCPC2, FlagM2, SB, DIT, SSBS2, PAN2, HPDS, TTL, E0PD, TLBIRANGE with TLBIOS, GICv3, and what
 * the translation profile says (HAFDBS, granules, ASID size, FEAT_TTST). Absent and said to be: floating point and Advanced
 * SIMD, SVE, PAuth, BTI, MTE, RAS, EL2, EL3, AArch32, mixed endianness, UAO, VHE, CnP, PMU, RNG. Absent although every
 * implementation has them: breakpoints and watchpoints; ID_AA64DFR0_EL1 has 0 in their fields.
 */
import type { SystemRegister } from "../../frontends/aarch64/index.ts";
import { affinityOf } from "../../interrupts/index.ts";
import type { Aarch64Profile } from "./profile.ts";

/** Log2 of words of 4 bytes in a cache line of 64. */
const LINE_LOG2_WORDS = 4;
/** DCZID_EL0.BS: log2 of words that DC ZVA clears. */
export const DCZID_BLOCK = 4;
export const DC_ZVA_BYTES: number = 4 << DCZID_BLOCK;

const MPIDR_RES1 = 1 << 31;

const PARANGE_BITS = [32, 36, 40, 42, 44, 48, 52];

export type IdRegisters = ReadonlyMap<SystemRegister, readonly [lo: number, hi: number]>;

/** MPIDR_EL1, low half: affinities, and U = 0 as in a machine of several cores. */
export function mpidrOf(core: number): number {
  return MPIDR_RES1 | affinityOf(core);
}

/** The core of an affinity in MPIDR layout, other bits 0; -1: no core can have it. */
export function coreOfAffinity(lo: number, hi: number): number {
  const core = (((lo >>> 8) & 0xff) << 4) | (lo & 15);
  return hi === 0 && affinityOf(core) === lo ? core : -1;
}

/** @param core number of the core */
export function idRegisters(core: number, profile: Aarch64Profile): IdRegisters {
  const { translation } = profile;
  const wide = translation.inputBits === 52 ? 1 : 0;
  const hafdbs =
    translation.hardwareUpdates === "none" ? 0 : translation.hardwareUpdates === "access flag" ? 1 : 2;
  const pan = translation.pan3 === "present" ? 3 : 2;
  const mmfr0 =
    PARANGE_BITS.indexOf(translation.physicalBits) | ((translation.asidBits === 16 ? 2 : 0) << 4) | (1 << 20);
  const mmfr1 = hafdbs | (1 << 12) | (pan << 20);
  const mmfr2 = (wide << 16) | ((translation.smallTables === "present" ? 1 : 0) << 28);
  return new Map<SystemRegister, readonly [number, number]>([
    // Implementer 0, reserved for software; architecture by ID registers.
    ["MIDR_EL1", [0x000f_fa00, 0]],
    ["MPIDR_EL1", [mpidrOf(core), 0]],
    ["REVIDR_EL1", [0, 0]],
    ["AIDR_EL1", [0, 0]],
    // EL0 and EL1 AArch64 only; FP and AdvSIMD absent; GICv3. Upper half: DIT, CSV2, CSV3.
    ["ID_AA64PFR0_EL1", [0x01ff_0011, 0x1101_0000]],
    ["ID_AA64PFR1_EL1", [0x20, 0]],
    // Armv8 debug; DoubleLock absent.
    ["ID_AA64DFR0_EL1", [0x6, 0xf0]],
    ["ID_AA64DFR1_EL1", [0, 0]],
    // CRC32, Atomic; upper half: TS (FlagM2), TLB (ranges).
    ["ID_AA64ISAR0_EL1", [0x0021_0000, 0x0220_0000]],
    // DPB, LRCPC2; upper half: SB.
    ["ID_AA64ISAR1_EL1", [0x0020_0001, 0x10]],
    ["ID_AA64MMFR0_EL1", [mmfr0, 0]],
    // Upper half: ETS.
    ["ID_AA64MMFR1_EL1", [mmfr1, (profile.ets2 === "present" ? 2 : 0) << 4]],
    // Upper half: TTL, E0PD.
    ["ID_AA64MMFR2_EL1", [mmfr2, 0x1001_0000]],
    // IDC and DIC: data and instruction caches are coherent. L1Ip PIPT, lines and granules of 64 bytes.
    [
      "CTR_EL0",
      [
        0x8000_c000 |
          0x3000_0000 |
          (LINE_LOG2_WORDS << 24) |
          (LINE_LOG2_WORDS << 20) |
          (LINE_LOG2_WORDS << 16) |
          LINE_LOG2_WORDS,
        0,
      ],
    ],
    // No caches.
    ["CLIDR_EL1", [0, 0]],
    ["CCSIDR_EL1", [0, 0]],
  ]);
}
