/**
 * The generic timer (drivers/clocksource/arm_arch_timer.c; DDI 0487, D12). A kernel that was started at EL1 without EL2 uses
 * the virtual timer. CNTFRQ_EL0 says how fast the counter counts; virtual time counts core cycles, so a deadline is the
 * first count that is not before it.
 */
import type { Aarch64Cpu } from "../../../emu/hardware.ts";
import { CNT_CTL_ENABLE, CNT_CTL_IMASK, CNTKCTL_EL0VCTEN } from "./registers.ts";

const TWO_32 = 0x1_0000_0000;

/** Counts per second. */
export function counterFrequency(cpu: Aarch64Cpu): number {
  return cpu.mrsLo("CNTFRQ_EL0") >>> 0;
}

/** arch_timer_starting_cpu(): the timer off, the virtual counter open to user mode, no event stream. */
export function setUpTimer(cpu: Aarch64Cpu): void {
  cpu.msr("CNTV_CTL_EL0", 0, 0);
  cpu.msr("CNTKCTL_EL1", CNTKCTL_EL0VCTEN, 0);
  cpu.isb();
}

/** timer_handler(): the timer's condition stays true until it is programmed anew, so its interrupt is masked at the source. */
export function maskTimer(cpu: Aarch64Cpu): void {
  cpu.msr("CNTV_CTL_EL0", CNT_CTL_ENABLE | CNT_CTL_IMASK, 0);
}

/** The timer interrupts when the counter reaches what it counts at `atCycles` of virtual time; Infinity: never. */
export function armDeadline(cpu: Aarch64Cpu, atCycles: number, cyclesPerSecond: number): void {
  if (atCycles === Infinity) {
    cpu.msr("CNTV_CTL_EL0", 0, 0);
    return;
  }
  const count = Math.ceil((atCycles / cyclesPerSecond) * counterFrequency(cpu));
  cpu.msr("CNTV_CVAL_EL0", (count % TWO_32) | 0, Math.floor(count / TWO_32) | 0);
  cpu.msr("CNTV_CTL_EL0", CNT_CTL_ENABLE, 0);
  cpu.isb();
}
