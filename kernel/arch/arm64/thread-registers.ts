/** Registers that only user code uses (Task.userRegisters): TPIDR_EL0 as an int32 pair. TPIDRRO_EL0 is always 0. */
import type { Aarch64Cpu } from "../../../emu/hardware.ts";

export const THREAD_TPIDR = 0;

/** Copies them from the core that runs their task. */
export function saveThreadRegisters(cpu: Aarch64Cpu, saved: Int32Array): void {
  saved[THREAD_TPIDR] = cpu.mrsLo("TPIDR_EL0");
  saved[THREAD_TPIDR + 1] = cpu.mrsHi("TPIDR_EL0");
}

/** tls_thread_switch(): puts them on the core that is to run their task. */
export function loadThreadRegisters(cpu: Aarch64Cpu, saved: Int32Array): void {
  cpu.msr("TPIDRRO_EL0", 0, 0);
  cpu.msr("TPIDR_EL0", saved[THREAD_TPIDR]!, saved[THREAD_TPIDR + 1]!);
}
