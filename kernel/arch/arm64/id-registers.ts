/**
 * The identification registers as user code sees them: MRS of one is UNDEFINED in user mode, and the kernel answers in its
 * place (HWCAP_CPUID; Documentation/arch/arm64/cpu-feature-registers.rst, do_emulate_mrs() and the ftr_id_* tables of
 * arch/arm64/kernel/cpufeature.c, Linux 6.6). Fields that user code has no use for read as the value that is safe to assume.
 */
import type { Aarch64Cpu } from "../../../emu/hardware.ts";
import type { PhysicalMemory } from "../../../mmu/index.ts";
import type { Context, Work } from "../../context.ts";
import type { KPtr } from "../../struct.ts";
import { getUser32 } from "../../user-access.ts";
import { REGS_PC, REGS_PSTATE, regsOfX } from "./pt-regs.ts";
import { PSR_BTYPE_MASK } from "./registers.ts";

/** MRS <Xt>, <register>: bits 31:20; op0 … op2 are in bits 20:5. */
const MRS_MASK = 0xfff0_0000 | 0;
const MRS = 0xd530_0000 | 0;
const RT_ZERO = 31;
const INSTRUCTION_BYTES = 4;
/** Registers with op0 3, op1 0, CRn 0 and these CRm: the others stay undefined. */
const EMULATED_CRM: readonly number[] = [0, 2, 3, 4, 5, 6, 7];
/** SYS_MPIDR_SAFE_VAL. */
const MPIDR_SAFE = 0x8000_0000 | 0;

type IdRegister = Extract<Parameters<Aarch64Cpu["mrsLo"]>[0], `ID_${string}`>;

/** Visible fields of a register (masks of its halves), and what stands in the others. */
interface UserView {
  readonly name: IdRegister;
  readonly visibleLo: number;
  readonly visibleHi: number;
  readonly safeLo: number;
}

/** By CRm << 3 | op2. */
const VIEWS: ReadonlyMap<number, UserView> = new Map([
  // FP, AdvSIMD; SVE, DIT. EL0 and EL1 are AArch64 only.
  [0x20, { name: "ID_AA64PFR0_EL1", visibleLo: 0x00ff_0000, visibleHi: 0x000f_000f, safeLo: 0x11 }],
  // SSBS.
  [0x21, { name: "ID_AA64PFR1_EL1", visibleLo: 0x0000_00f0, visibleHi: 0, safeLo: 0 }],
  // Armv8 debug.
  [0x28, { name: "ID_AA64DFR0_EL1", visibleLo: 0, visibleHi: 0, safeLo: 0x6 }],
  // AES, SHA1, SHA2, CRC32, Atomic, RDM; SHA3, SM3, SM4, DP, FHM, TS, RNDR.
  [0x30, { name: "ID_AA64ISAR0_EL1", visibleLo: 0xf0ff_fff0 | 0, visibleHi: 0xf0ff_ffff | 0, safeLo: 0 }],
  // DPB, JSCVT, FCMA, LRCPC; FRINTTS, SB, SPECRES, BF16, DGH, I8MM.
  [0x31, { name: "ID_AA64ISAR1_EL1", visibleLo: 0x00ff_f00f, visibleHi: 0x00ff_ffff, safeLo: 0 }],
  // TGran4 and TGran64: not implemented.
  [0x38, { name: "ID_AA64MMFR0_EL1", visibleLo: 0, visibleHi: 0, safeLo: 0xff00_0000 | 0 }],
  // AFP.
  [0x39, { name: "ID_AA64MMFR1_EL1", visibleLo: 0, visibleHi: 0x0000_f000, safeLo: 0 }],
  // AT.
  [0x3a, { name: "ID_AA64MMFR2_EL1", visibleLo: 0, visibleHi: 0x0000_000f, safeLo: 0 }],
]);

/** try_emulate_mrs(): if the instruction at the frame's PC reads an identification register, does it; false: it does not. */
export function* emulateIdRegister(k: Context, frame: KPtr): Work<boolean> {
  const { ram } = k;
  if ((yield* getUser32(k, ram.read32(frame + REGS_PC), ram.read32(frame + REGS_PC + 4))) !== 0) return false;
  const instruction = k.userValue;
  if ((instruction & MRS_MASK) !== MRS) return false;
  const op1 = (instruction >>> 16) & 7;
  const crn = (instruction >>> 12) & 15;
  const crm = (instruction >>> 8) & 15;
  const op2 = (instruction >>> 5) & 7;
  if (op1 !== 0 || crn !== 0 || !EMULATED_CRM.includes(crm)) return false;
  const value = idRegisterValue(k.cpu as Aarch64Cpu, crm, op2);
  if (value === null) return false;
  const rt = instruction & 31;
  if (rt !== RT_ZERO) ram.write64(frame + regsOfX(rt), value[0], value[1]);
  stepOver(ram, frame);
  return true;
}

/** emulate_sys_reg(): halves; null: undefined all the same. Reserved and implementation-defined registers are 0. */
function idRegisterValue(cpu: Aarch64Cpu, crm: number, op2: number): readonly [number, number] | null {
  if (crm === 0) {
    if (op2 === 0) return [cpu.mrsLo("MIDR_EL1"), cpu.mrsHi("MIDR_EL1")];
    if (op2 === 5) return [MPIDR_SAFE, 0];
    return op2 === 6 ? [0, 0] : null;
  }
  const view = VIEWS.get((crm << 3) | op2);
  if (view === undefined) return [0, 0];
  return [(cpu.mrsLo(view.name) & view.visibleLo) | view.safeLo, cpu.mrsHi(view.name) & view.visibleHi];
}

/** arm64_skip_faulting_instruction(). */
export function stepOver(ram: PhysicalMemory, frame: KPtr): void {
  const lo = ram.read32(frame + REGS_PC) + INSTRUCTION_BYTES;
  const carry = lo >>> 0 < INSTRUCTION_BYTES ? 1 : 0;
  ram.write64(frame + REGS_PC, lo | 0, (ram.read32(frame + REGS_PC + 4) + carry) | 0);
  ram.write32(frame + REGS_PSTATE, ram.read32(frame + REGS_PSTATE) & ~PSR_BTYPE_MASK);
}
