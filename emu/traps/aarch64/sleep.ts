/**
 * Why a core is halted. Arm ARM DDI 0487, D1.6 "Mechanisms for entering a low-power state". A core in WFI goes on when an
 * interrupt is pending, masked by PSTATE or not. The kernel's idle state is WFI with interrupts unmasked, left by taking
 * one. (A core in WFE is not halted: it waits for the event register, or takes an interrupt.)
 */
export const SLEEP_IDLE = 0;
export const SLEEP_WFI = 1;
