/**
 * System registers by encoding, for MRS and MSR (register) and for the disassembler. DDI 0487 D19 "AArch64 System Register
 * Descriptions". What is here exists on the modelled cores; any other encoding is UNDEFINED and counted.
 *
 * Columns: name, op0:op1:CRn:CRm:op2, who may access it: the lowest Exception level that reads and writes it, `ro` and
 * `wo` where only one direction exists. EL0 access may be trapped by controls; the core's helper decides.
 */
export type SystemRegisterAccess = "EL0" | "EL0 ro" | "EL0 wo" | "EL0 ro, EL1" | "EL1" | "EL1 ro" | "EL1 wo";

export const SYSTEM_REGISTERS = [
  ["MDSCR_EL1", "2:0:0:2:2", "EL1"],
  ["OSLAR_EL1", "2:0:1:0:4", "EL1 wo"],
  ["OSLSR_EL1", "2:0:1:1:4", "EL1 ro"],
  ["OSDLR_EL1", "2:0:1:3:4", "EL1"],
  ["MIDR_EL1", "3:0:0:0:0", "EL1 ro"],
  ["MPIDR_EL1", "3:0:0:0:5", "EL1 ro"],
  ["REVIDR_EL1", "3:0:0:0:6", "EL1 ro"],
  ["ID_AA64PFR0_EL1", "3:0:0:4:0", "EL1 ro"],
  ["ID_AA64PFR1_EL1", "3:0:0:4:1", "EL1 ro"],
  ["ID_AA64DFR0_EL1", "3:0:0:5:0", "EL1 ro"],
  ["ID_AA64DFR1_EL1", "3:0:0:5:1", "EL1 ro"],
  ["ID_AA64ISAR0_EL1", "3:0:0:6:0", "EL1 ro"],
  ["ID_AA64ISAR1_EL1", "3:0:0:6:1", "EL1 ro"],
  ["ID_AA64MMFR0_EL1", "3:0:0:7:0", "EL1 ro"],
  ["ID_AA64MMFR1_EL1", "3:0:0:7:1", "EL1 ro"],
  ["ID_AA64MMFR2_EL1", "3:0:0:7:2", "EL1 ro"],
  ["SCTLR_EL1", "3:0:1:0:0", "EL1"],
  ["ACTLR_EL1", "3:0:1:0:1", "EL1"],
  ["CPACR_EL1", "3:0:1:0:2", "EL1"],
  ["TTBR0_EL1", "3:0:2:0:0", "EL1"],
  ["TTBR1_EL1", "3:0:2:0:1", "EL1"],
  ["TCR_EL1", "3:0:2:0:2", "EL1"],
  ["SPSR_EL1", "3:0:4:0:0", "EL1"],
  ["ELR_EL1", "3:0:4:0:1", "EL1"],
  ["SP_EL0", "3:0:4:1:0", "EL1"],
  ["SPSel", "3:0:4:2:0", "EL1"],
  ["CurrentEL", "3:0:4:2:2", "EL1 ro"],
  ["PAN", "3:0:4:2:3", "EL1"],
  ["UAO", "3:0:4:2:4", "EL1"],
  ["ICC_PMR_EL1", "3:0:4:6:0", "EL1"],
  ["AFSR0_EL1", "3:0:5:1:0", "EL1"],
  ["AFSR1_EL1", "3:0:5:1:1", "EL1"],
  ["ESR_EL1", "3:0:5:2:0", "EL1"],
  ["FAR_EL1", "3:0:6:0:0", "EL1"],
  ["PAR_EL1", "3:0:7:4:0", "EL1"],
  ["MAIR_EL1", "3:0:10:2:0", "EL1"],
  ["AMAIR_EL1", "3:0:10:3:0", "EL1"],
  ["VBAR_EL1", "3:0:12:0:0", "EL1"],
  ["ISR_EL1", "3:0:12:1:0", "EL1 ro"],
  ["ICC_IAR0_EL1", "3:0:12:8:0", "EL1 ro"],
  ["ICC_EOIR0_EL1", "3:0:12:8:1", "EL1 wo"],
  ["ICC_HPPIR0_EL1", "3:0:12:8:2", "EL1 ro"],
  ["ICC_BPR0_EL1", "3:0:12:8:3", "EL1"],
  ["ICC_AP0R0_EL1", "3:0:12:8:4", "EL1"],
  ["ICC_AP1R0_EL1", "3:0:12:9:0", "EL1"],
  ["ICC_DIR_EL1", "3:0:12:11:1", "EL1 wo"],
  ["ICC_RPR_EL1", "3:0:12:11:3", "EL1 ro"],
  ["ICC_SGI1R_EL1", "3:0:12:11:5", "EL1 wo"],
  ["ICC_ASGI1R_EL1", "3:0:12:11:6", "EL1 wo"],
  ["ICC_SGI0R_EL1", "3:0:12:11:7", "EL1 wo"],
  ["ICC_IAR1_EL1", "3:0:12:12:0", "EL1 ro"],
  ["ICC_EOIR1_EL1", "3:0:12:12:1", "EL1 wo"],
  ["ICC_HPPIR1_EL1", "3:0:12:12:2", "EL1 ro"],
  ["ICC_BPR1_EL1", "3:0:12:12:3", "EL1"],
  ["ICC_CTLR_EL1", "3:0:12:12:4", "EL1"],
  ["ICC_SRE_EL1", "3:0:12:12:5", "EL1"],
  ["ICC_IGRPEN0_EL1", "3:0:12:12:6", "EL1"],
  ["ICC_IGRPEN1_EL1", "3:0:12:12:7", "EL1"],
  ["CONTEXTIDR_EL1", "3:0:13:0:1", "EL1"],
  ["TPIDR_EL1", "3:0:13:0:4", "EL1"],
  ["CNTKCTL_EL1", "3:0:14:1:0", "EL1"],
  ["CSSELR_EL1", "3:2:0:0:0", "EL1"],
  ["CCSIDR_EL1", "3:1:0:0:0", "EL1 ro"],
  ["CLIDR_EL1", "3:1:0:0:1", "EL1 ro"],
  ["AIDR_EL1", "3:1:0:0:7", "EL1 ro"],
  ["CTR_EL0", "3:3:0:0:1", "EL0 ro"],
  ["DCZID_EL0", "3:3:0:0:7", "EL0 ro"],
  ["NZCV", "3:3:4:2:0", "EL0"],
  ["DAIF", "3:3:4:2:1", "EL0"],
  ["DIT", "3:3:4:2:5", "EL0"],
  ["SSBS", "3:3:4:2:6", "EL0"],
  ["FPCR", "3:3:4:4:0", "EL0"],
  ["FPSR", "3:3:4:4:1", "EL0"],
  ["TPIDR_EL0", "3:3:13:0:2", "EL0"],
  ["TPIDRRO_EL0", "3:3:13:0:3", "EL0 ro, EL1"],
  ["CNTFRQ_EL0", "3:3:14:0:0", "EL0 ro, EL1"],
  ["CNTPCT_EL0", "3:3:14:0:1", "EL0 ro"],
  ["CNTVCT_EL0", "3:3:14:0:2", "EL0 ro"],
  ["CNTP_TVAL_EL0", "3:3:14:2:0", "EL0"],
  ["CNTP_CTL_EL0", "3:3:14:2:1", "EL0"],
  ["CNTP_CVAL_EL0", "3:3:14:2:2", "EL0"],
  ["CNTV_TVAL_EL0", "3:3:14:3:0", "EL0"],
  ["CNTV_CTL_EL0", "3:3:14:3:1", "EL0"],
  ["CNTV_CVAL_EL0", "3:3:14:3:2", "EL0"],
] as const;

export type SystemRegister = (typeof SYSTEM_REGISTERS)[number][0];

/** op0:op1:CRn:CRm:op2 as 16 bits, as in instruction bits 20:5 with op0's upper bit added. */
export function systemRegisterId(op0: number, op1: number, CRn: number, CRm: number, op2: number): number {
  return (op0 << 14) | (op1 << 11) | (CRn << 7) | (CRm << 3) | op2;
}

const BY_ID: ReadonlyMap<number, readonly [SystemRegister, SystemRegisterAccess]> = new Map(
  SYSTEM_REGISTERS.map(([name, encoding, access]) => {
    const [op0, op1, CRn, CRm, op2] = encoding.split(":").map(Number) as [
      number,
      number,
      number,
      number,
      number,
    ];
    return [systemRegisterId(op0, op1, CRn, CRm, op2), [name, access]];
  }),
);

/** The register of an id and its access, or null if the modelled cores have none. */
export function systemRegister(id: number): readonly [SystemRegister, SystemRegisterAccess] | null {
  return BY_ID.get(id) ?? null;
}

/**
 * A read of the space of identification registers for which no feature has a register: it reads as zero at EL1. D24.1
 * "About the AArch64 System registers", op0 = 3, op1 = 0, CRn = 0, CRm = 1 … 7 (AArch32's among them: there is none).
 */
export function isReservedIdentification(id: number): boolean {
  return id >= systemRegisterId(3, 0, 0, 1, 0) && id <= systemRegisterId(3, 0, 0, 7, 7);
}

/** Name for the disassembler. @param o0 instruction bit 19; op0 is 2 + o0 */
export function systemRegisterName(o0: number, op1: number, CRn: number, CRm: number, op2: number): string {
  const known = systemRegister(systemRegisterId(2 + o0, op1, CRn, CRm, op2));
  return known === null ? `s${2 + o0}_${op1}_c${CRn}_c${CRm}_${op2}` : known[0].toLowerCase();
}
