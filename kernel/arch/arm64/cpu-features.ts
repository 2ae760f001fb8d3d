/**
 * What the kernel makes of the identification registers: AT_HWCAP and AT_HWCAP2 (arm64_elf_hwcaps[] of
 * arch/arm64/kernel/cpufeature.c, Linux 6.6; asm/hwcap.h). Features that the modelled cores have no field for are not in
 * the table; pointer authentication and branch targets are not, because the kernel does not switch them on.
 */
import type { Aarch64Cpu } from "../../../emu/hardware.ts";

type Register = Parameters<Aarch64Cpu["mrsLo"]>[0];

interface Capability {
  readonly register: Register;
  /** Lowest bit of the 4-bit field. */
  readonly shift: number;
  /** The field's least value that has the feature. */
  readonly minimum: number;
  readonly word: 1 | 2;
  readonly bit: number;
}

const HWCAP_CPUID = 11;
/** FP and AdvSIMD: this value says that there is none, lower ones that there is. */
const FIELD_ABSENT = 0xf;
const FP_SHIFT = 16;
const SSBS_SHIFT = 4;

const CAPABILITIES: readonly Capability[] = [
  { register: "ID_AA64ISAR0_EL1", shift: 4, minimum: 1, word: 1, bit: 3 }, // aes
  { register: "ID_AA64ISAR0_EL1", shift: 4, minimum: 2, word: 1, bit: 4 }, // pmull
  { register: "ID_AA64ISAR0_EL1", shift: 8, minimum: 1, word: 1, bit: 5 }, // sha1
  { register: "ID_AA64ISAR0_EL1", shift: 12, minimum: 1, word: 1, bit: 6 }, // sha2
  { register: "ID_AA64ISAR0_EL1", shift: 16, minimum: 1, word: 1, bit: 7 }, // crc32
  { register: "ID_AA64ISAR0_EL1", shift: 20, minimum: 2, word: 1, bit: 8 }, // atomics
  { register: "ID_AA64ISAR0_EL1", shift: 52, minimum: 1, word: 1, bit: 27 }, // flagm
  { register: "ID_AA64ISAR0_EL1", shift: 52, minimum: 2, word: 2, bit: 7 }, // flagm2
  { register: "ID_AA64ISAR0_EL1", shift: 60, minimum: 1, word: 2, bit: 16 }, // rng
  { register: "ID_AA64ISAR1_EL1", shift: 0, minimum: 1, word: 1, bit: 16 }, // dcpop
  { register: "ID_AA64ISAR1_EL1", shift: 0, minimum: 2, word: 2, bit: 0 }, // dcpodp
  { register: "ID_AA64ISAR1_EL1", shift: 20, minimum: 1, word: 1, bit: 15 }, // lrcpc
  { register: "ID_AA64ISAR1_EL1", shift: 20, minimum: 2, word: 1, bit: 26 }, // ilrcpc
  { register: "ID_AA64ISAR1_EL1", shift: 36, minimum: 1, word: 1, bit: 29 }, // sb
  { register: "ID_AA64PFR0_EL1", shift: 48, minimum: 1, word: 1, bit: 24 }, // dit
  { register: "ID_AA64PFR1_EL1", shift: SSBS_SHIFT, minimum: 2, word: 1, bit: 28 }, // ssbs
  { register: "ID_AA64MMFR2_EL1", shift: 32, minimum: 1, word: 1, bit: 25 }, // uscat
];

/** A 4-bit field of an identification register. */
export function idField(cpu: Aarch64Cpu, register: Register, shift: number): number {
  return shift < 32 ? (cpu.mrsLo(register) >>> shift) & 15 : (cpu.mrsHi(register) >>> (shift - 32)) & 15;
}

/** AT_HWCAP (word 1) or AT_HWCAP2 (word 2), unsigned. */
export function hwcapOf(cpu: Aarch64Cpu, word: 1 | 2): number {
  let bits = word === 1 ? 1 << HWCAP_CPUID : 0;
  for (const capability of CAPABILITIES) {
    if (capability.word !== word) continue;
    if (idField(cpu, capability.register, capability.shift) >= capability.minimum)
      bits |= 1 << capability.bit;
  }
  return bits >>> 0;
}

/** system_supports_fpsimd(). */
export function supportsFpsimd(cpu: Aarch64Cpu): boolean {
  return idField(cpu, "ID_AA64PFR0_EL1", FP_SHIFT) !== FIELD_ABSENT;
}

/** PSTATE.SSBS exists. */
export function supportsSsbs(cpu: Aarch64Cpu): boolean {
  return idField(cpu, "ID_AA64PFR1_EL1", SSBS_SHIFT) !== 0;
}
