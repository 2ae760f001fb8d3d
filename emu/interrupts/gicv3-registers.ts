/**
 * Registers of a GICv3 as software in the Non-secure state sees them. Arm IHI 0069 "GIC Architecture Specification,
 * GICv3 and GICv4", chapters 12.2 (AArch64 System registers), 12.10 and 12.11 (Redistributor registers).
 */

/** System registers of the CPU interface, by the manual's names. */
export type IccRegister =
  | "ICC_PMR_EL1"
  | "ICC_IAR0_EL1"
  | "ICC_EOIR0_EL1"
  | "ICC_HPPIR0_EL1"
  | "ICC_BPR0_EL1"
  | "ICC_AP0R0_EL1"
  | "ICC_AP1R0_EL1"
  | "ICC_DIR_EL1"
  | "ICC_RPR_EL1"
  | "ICC_SGI1R_EL1"
  | "ICC_ASGI1R_EL1"
  | "ICC_SGI0R_EL1"
  | "ICC_IAR1_EL1"
  | "ICC_EOIR1_EL1"
  | "ICC_HPPIR1_EL1"
  | "ICC_BPR1_EL1"
  | "ICC_CTLR_EL1"
  | "ICC_SRE_EL1"
  | "ICC_IGRPEN0_EL1"
  | "ICC_IGRPEN1_EL1";

/** Redistributor: offsets from RD_base; the SGI frame is at 0x1_0000. */
export const GICR_CTLR = 0x0;
export const GICR_IIDR = 0x4;
export const GICR_TYPER = 0x8;
export const GICR_WAKER = 0x14;
export const GICR_IGROUPR0 = 0x1_0080;
export const GICR_ISENABLER0 = 0x1_0100;
export const GICR_ICENABLER0 = 0x1_0180;
export const GICR_ISPENDR0 = 0x1_0200;
export const GICR_ICPENDR0 = 0x1_0280;
export const GICR_ISACTIVER0 = 0x1_0300;
export const GICR_ICACTIVER0 = 0x1_0380;
/** Eight words, one byte per INTID. */
export const GICR_IPRIORITYR0 = 0x1_0400;
/** Two bits per INTID; the upper one set: edge-triggered. */
export const GICR_ICFGR0 = 0x1_0c00;
export const GICR_ICFGR1 = 0x1_0c04;

/** Implementer Arm, product and revision 0: a model. */
export const GICR_IIDR_VALUE = 0x43b;

/** No interrupt of sufficient priority. */
export const INTID_SPURIOUS = 1023;
/** SGIs are 0–15, PPIs 16–31. */
export const PRIVATE_INTERRUPTS = 32;
export const FIRST_PPI = 16;

/** Priority bits implemented, for masking and for preemption alike: the least with two Security states. */
export const PRIORITY_BITS = 5;
export const PRIORITY_MASK = 0xf8;
/** The running priority with nothing active. */
export const PRIORITY_IDLE = 0xff;
/** ICC_BPR1_EL1 of the Non-secure state: the smallest value, one more than that of BPR0. */
export const BPR1_MINIMUM: number = 8 - PRIORITY_BITS;

export const CTLR_CBPR = 1;
export const CTLR_EOIMODE = 2;
/** A3V, 16 bits of INTID, PRIbits. */
export const CTLR_READ_ONLY: number = 0x8000 | ((PRIORITY_BITS - 1) << 8);
/** SRE, DFB, DIB: no legacy interface, no bypass. */
export const SRE_VALUE = 7;
