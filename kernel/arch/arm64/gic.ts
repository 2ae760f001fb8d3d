/**
 * The GICv3 CPU interface as the kernel uses it, through system registers (drivers/irqchip/irq-gic-v3.c; IHI 0069,
 * chapter 12). Without EL2 an end of interrupt deactivates as well (EOImode 0). The affinity of a core, which SGIs are
 * addressed by, is its MPIDR_EL1: what the device tree says.
 */
import type { Aarch64Cpu } from "../../../emu/hardware.ts";

/** The generic timer's virtual interrupt, a PPI. */
export const INTID_VIRTUAL_TIMER = 27;
/** enum ipi_msg_type (arch/arm64/kernel/smp.c): SGIs by number. */
export const IPI_RESCHEDULE = 0;
export const IPI_CALL_FUNC = 1;
/** INTIDs from here on are answers that name no interrupt (spurious, other security states). */
const INTID_SPECIAL = 1020;
/** GICv3 interrupt IDs have 24 bits at most. */
const INTID_MASK = 0xff_ffff;

const SRE_SRE = 1;
/** DEFAULT_PMR_VALUE: everything that is not of the lowest priority. */
const PMR_UNMASKED = 0xf0;

/** Redistributor registers, from RD_base: the second frame is that of SGIs and PPIs. */
const GICR_ISENABLER0 = 0x1_0100;
const GICR_ICENABLER0 = 0x1_0180;
const GICR_ICACTIVER0 = 0x1_0380;
const GICR_IPRIORITYR0 = 0x1_0400;
/** GICD_INT_DEF_PRI_X4. */
const DEFAULT_PRIORITIES: number = 0xa0a0_a0a0 | 0;
const PRIVATE_INTERRUPTS = 32;
/** MAX_IPI: SGIs that are taken from the start. */
const IPIS = 8;

/**
 * gic_cpu_init(): private interrupts inactive, of one priority, the inter-processor ones and the timer's enabled; and
 * gic_cpu_sys_reg_init(): system registers on, all priorities accepted, no preemption among them, group 1 on.
 */
export function setUpGic(cpu: Aarch64Cpu): void {
  cpu.writeRedistributor(GICR_ICACTIVER0, -1);
  cpu.writeRedistributor(GICR_ICENABLER0, -1);
  for (let intid = 0; intid < PRIVATE_INTERRUPTS; intid += 4) {
    cpu.writeRedistributor(GICR_IPRIORITYR0 + intid, DEFAULT_PRIORITIES);
  }
  cpu.writeRedistributor(GICR_ISENABLER0, ((1 << IPIS) - 1) | (1 << INTID_VIRTUAL_TIMER));
  cpu.msr("ICC_SRE_EL1", SRE_SRE, 0);
  cpu.isb();
  cpu.msr("ICC_PMR_EL1", PMR_UNMASKED, 0);
  cpu.msr("ICC_BPR1_EL1", 0, 0);
  cpu.msr("ICC_CTLR_EL1", 0, 0);
  cpu.isb();
  cpu.msr("ICC_AP1R0_EL1", 0, 0);
  cpu.isb();
  cpu.msr("ICC_IGRPEN1_EL1", 1, 0);
  cpu.isb();
}

/** gic_read_iar(): acknowledges the interrupt of the highest priority; its INTID, or -1 if there is none after all. @hot */
export function acknowledge(cpu: Aarch64Cpu): number {
  const intid = cpu.mrsLo("ICC_IAR1_EL1") & INTID_MASK;
  return intid >= INTID_SPECIAL && intid < INTID_SPECIAL + 4 ? -1 : intid;
}

/** gic_eoi_irq(). @hot */
export function endOfInterrupt(cpu: Aarch64Cpu, intid: number): void {
  cpu.msr("ICC_EOIR1_EL1", intid, 0);
  cpu.isb();
}

/**
 * gic_send_sgi() to one core: Aff3.Aff2.Aff1 of its MPIDR name the cluster, range selector and a bit of the target list its
 * Aff0. The DSB ISHST before it makes stores visible to the receiver, those to page tables to its walker.
 */
export function sendSgi(cpu: Aarch64Cpu, target: Aarch64Cpu, number: number): void {
  cpu.dsb("ishst");
  const mpidr = target.mrsLo("MPIDR_EL1");
  const aff0 = mpidr & 0xff;
  const lo = (number << 24) | (((mpidr >>> 8) & 0xff) << 16) | (1 << (aff0 & 15));
  const aff3 = target.mrsHi("MPIDR_EL1") & 0xff;
  const hi = (aff3 << 16) | ((aff0 >>> 4) << 12) | ((mpidr >>> 16) & 0xff);
  cpu.msr("ICC_SGI1R_EL1", lo, hi);
  cpu.isb();
}
