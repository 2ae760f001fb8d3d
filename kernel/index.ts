/** The public face of the kernel: one kernel put together for one machine. */
import type { Platform } from "../emu/hardware.ts";
import { UserError } from "../emu/user-error.ts";
import { ARCHITECTURES } from "./arch/index.ts";
import { Kernel, type KernelOptions } from "./kernel.ts";
import { DESIGNS } from "./mm/designs/index.ts";
import { Memory } from "./mm/memory.ts";
import { loadInit } from "./tasks/exec.ts";
import { Processes } from "./tasks/processes.ts";

export { eventCounts, unreachableEvents } from "./event-counts.ts";
export * from "./inspect.ts";
export type { Kernel, KernelOptions } from "./kernel.ts";
export { showState } from "./show-state.ts";
export { loadInit } from "./tasks/exec.ts";

/** The fault designs that can be chosen. */
export function listDesigns(): readonly { name: string; description: string }[] {
  return DESIGNS.map(({ name, description }) => ({ name, description }));
}

/**
 * @param arch name of the machine's architecture
 * @throws UserError if the init program cannot be loaded
 * @throws Error if the architecture or the design does not exist (the command line has checked both)
 */
export function createKernel(platform: Platform, arch: string, options: KernelOptions): Kernel {
  const port = ARCHITECTURES.get(arch);
  const design = DESIGNS.find((entry) => entry.name === options.design);
  if (port === undefined || design === undefined)
    throw new Error(`createKernel: no ${arch} or no ${options.design}`);
  const kernel = new Kernel(platform, port(platform), options);
  kernel.memory = new Memory(kernel, { design: design.create() });
  kernel.process = new Processes(kernel);
  const init = loadInit(kernel);
  if (init instanceof UserError) throw init;
  return kernel;
}
