/** The local APIC as the kernel uses it: x2APIC mode, through MSRs. SDM vol. 3A chapter 10.12. */
import type { X86Cpu } from "../../../emu/hardware.ts";
import {
  MSR_IA32_APIC_BASE,
  MSR_IA32_TSC_DEADLINE,
  MSR_X2APIC_EOI,
  MSR_X2APIC_ICR,
  MSR_X2APIC_LVT_TIMER,
  MSR_X2APIC_SVR,
  MSR_X2APIC_TPR,
} from "./registers.ts";
import { LOCAL_TIMER_VECTOR, SPURIOUS_APIC_VECTOR } from "./vectors.ts";

const APIC_BASE_ADDRESS = 0xfee0_0000 | 0;
const APIC_BASE_BSP: number = 1 << 8;
const APIC_BASE_X2APIC: number = 1 << 10;
const APIC_BASE_ENABLE: number = 1 << 11;
const SVR_ENABLE: number = 1 << 8;
/** LVT timer in TSC-deadline mode. */
const TIMER_TSC_DEADLINE: number = 2 << 17;
/** ICR: delivery modes INIT and start-up, level assert. */
const ICR_INIT = 0x500;
const ICR_STARTUP = 0x600;
const ICR_ASSERT: number = 1 << 14;

const TWO_32 = 0x1_0000_0000;

/** setup_local_APIC(): x2APIC on, everything accepted, timer in TSC-deadline mode. */
export function setUpApic(cpu: X86Cpu): void {
  const bsp = cpu.id === 0 ? APIC_BASE_BSP : 0;
  cpu.wrmsr(MSR_IA32_APIC_BASE, APIC_BASE_ADDRESS | APIC_BASE_ENABLE | APIC_BASE_X2APIC | bsp, 0);
  cpu.wrmsr(MSR_X2APIC_TPR, 0, 0);
  cpu.wrmsr(MSR_X2APIC_SVR, SVR_ENABLE | SPURIOUS_APIC_VECTOR, 0);
  cpu.wrmsr(MSR_X2APIC_LVT_TIMER, TIMER_TSC_DEADLINE | LOCAL_TIMER_VECTOR, 0);
}

/** End of interrupt. @hot */
export function acknowledge(cpu: X86Cpu): void {
  cpu.wrmsr(MSR_X2APIC_EOI, 0, 0);
}

/** A fixed interrupt to one core. The x2APIC ID is the core's number. @hot */
export function sendFixed(cpu: X86Cpu, target: number, vector: number): void {
  cpu.wrmsr(MSR_X2APIC_ICR, vector, target);
}

export function sendInit(cpu: X86Cpu, target: number): void {
  cpu.wrmsr(MSR_X2APIC_ICR, ICR_INIT | ICR_ASSERT, target);
}

/** @param page number of the 4 KiB page below 1 MiB that holds the trampoline */
export function sendStartup(cpu: X86Cpu, target: number, page: number): void {
  cpu.wrmsr(MSR_X2APIC_ICR, ICR_STARTUP | ICR_ASSERT | page, target);
}

/** The timer interrupts when the time-stamp counter reaches a value; Infinity: never. */
export function armDeadline(cpu: X86Cpu, atCycles: number): void {
  const at = atCycles === Infinity ? 0 : Math.max(1, Math.ceil(atCycles));
  cpu.wrmsr(MSR_IA32_TSC_DEADLINE, (at % TWO_32) | 0, Math.floor(at / TWO_32) | 0);
}
