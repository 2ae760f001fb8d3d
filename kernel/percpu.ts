/**
 * Per-core variables in guest RAM. A module declares its variables once with PERCPU; every core has one copy at
 * `percpuOf(kernel, cpu)`. The area is allocated, zeroed, when the kernel boots, with one copy per core, each aligned
 * to a cache line so that false sharing is between the cores' own variables only where a real kernel has it too.
 */
import type { Context } from "./context.ts";
import type { Kernel } from "./kernel.ts";
import { type KPtr, StructLayout } from "./struct.ts";

/** The declarations of all modules. Declare at module level only. */
export const PERCPU: StructLayout = new StructLayout("percpu");

const LINE_BYTES = 64;

/** Distance between the copies of two cores. */
export function percpuStride(): number {
  return (PERCPU.sizeBytes + LINE_BYTES - 1) & -LINE_BYTES;
}

/** The copy of a core. @hot */
export function percpuOf(kernel: Kernel, cpu: number): KPtr {
  return (kernel.percpuBase + cpu * kernel.percpuStride) as KPtr;
}

/** The copy of the core that runs this context; valid until it may migrate. @hot */
export function thisCpu(k: Context): KPtr {
  return (k.kernel.percpuBase + k.cpu.id * k.kernel.percpuStride) as KPtr;
}
