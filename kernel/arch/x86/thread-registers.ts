/** Registers that only user code uses (Task.userRegisters): FS base, GS base as int32 pairs, then PKRU. */
import type { X86Cpu } from "../../../emu/hardware.ts";
import { MSR_FS_BASE, MSR_GS_BASE } from "./registers.ts";

export const THREAD_FS_BASE = 0;
export const THREAD_GS_BASE = 2;
export const THREAD_PKRU = 4;

/** Copies them from the core that runs their task. */
export function saveThreadRegisters(cpu: X86Cpu, saved: Int32Array): void {
  saved[THREAD_FS_BASE] = cpu.rdmsrLo(MSR_FS_BASE);
  saved[THREAD_FS_BASE + 1] = cpu.rdmsrHi(MSR_FS_BASE);
  saved[THREAD_GS_BASE] = cpu.rdmsrLo(MSR_GS_BASE);
  saved[THREAD_GS_BASE + 1] = cpu.rdmsrHi(MSR_GS_BASE);
  saved[THREAD_PKRU] = cpu.readPkru();
}

/** Puts them on the core that is to run their task. */
export function loadThreadRegisters(cpu: X86Cpu, saved: Int32Array): void {
  cpu.wrmsr(MSR_FS_BASE, saved[THREAD_FS_BASE]!, saved[THREAD_FS_BASE + 1]!);
  cpu.wrmsr(MSR_GS_BASE, saved[THREAD_GS_BASE]!, saved[THREAD_GS_BASE + 1]!);
  cpu.writePkru(saved[THREAD_PKRU]!);
}
