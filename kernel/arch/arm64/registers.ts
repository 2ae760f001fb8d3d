/** Bits of system registers and of PSTATE that the kernel uses, named as the kernel names them (asm/sysreg.h, asm/ptrace.h). */

/** PSTATE as SPSR_EL1 holds it. */
export const PSR_MODE_MASK = 0xf;
export const PSR_MODE_EL0t = 0x0;
export const PSR_MODE_EL1h = 0x5;
export const PSR_MODE32_BIT = 0x10;
export const PSR_F_BIT = 0x40;
export const PSR_I_BIT = 0x80;
export const PSR_A_BIT = 0x100;
export const PSR_D_BIT = 0x200;
export const PSR_BTYPE_MASK = 0xc00;
export const PSR_BTYPE_SHIFT = 10;
export const PSR_SSBS_BIT = 0x1000;
export const PSR_SS_BIT = 0x20_0000;
export const PSR_PAN_BIT = 0x40_0000;
export const PSR_UAO_BIT = 0x80_0000;
export const PSR_DIT_BIT = 0x100_0000;
export const PSR_TCO_BIT = 0x200_0000;
export const PSR_V_BIT = 0x1000_0000;
export const PSR_C_BIT = 0x2000_0000;
export const PSR_Z_BIT = 0x4000_0000;
export const PSR_N_BIT: number = 0x8000_0000 | 0;

/** SCTLR_EL1. */
export const SCTLR_M = 0x1;
export const SCTLR_C = 0x4;
export const SCTLR_SA = 0x8;
export const SCTLR_SA0 = 0x10;
export const SCTLR_SED = 0x100;
export const SCTLR_EOS = 0x800;
export const SCTLR_I = 0x1000;
export const SCTLR_DZE = 0x4000;
export const SCTLR_UCT = 0x8000;
export const SCTLR_nTWE = 0x4_0000;
export const SCTLR_TSCXT = 0x10_0000;
export const SCTLR_EIS = 0x40_0000;
export const SCTLR_UCI = 0x400_0000;
export const SCTLR_nTLSMD = 0x1000_0000;
export const SCTLR_LSMAOE = 0x2000_0000;

/** CNTV_CTL_EL0. */
export const CNT_CTL_ENABLE = 1;
export const CNT_CTL_IMASK = 2;
/** CNTKCTL_EL1: EL0 reads CNTVCT_EL0 and CNTFRQ_EL0. */
export const CNTKCTL_EL0VCTEN = 2;
