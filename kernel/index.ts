/** The public face of the kernel: one kernel put together for one machine. */
import type { Platform } from "../emu/hardware.ts";
import { UserError } from "../emu/user-error.ts";
import { ARCHITECTURES } from "./arch/index.ts";
import { selectDesign } from "./broken/index.ts";
import { Kernel, type KernelOptions } from "./kernel.ts";
import { DESIGNS } from "./mm/designs/index.ts";
import { Gather } from "./mm/gather.ts";
import { Memory } from "./mm/memory.ts";
import { MmSteps } from "./mm/mm-steps.ts";
import { TableBatches } from "./mm/table-batch.ts";
import { loadInit } from "./tasks/exec.ts";
import { Processes } from "./tasks/processes.ts";

export { ASSERTIONS, type AssertionId, assertionIds } from "./assertions.ts";
export {
  BROKEN,
  type BrokenListing,
  type BrokenVariant,
  type Invariant,
  listBroken,
  MUTATIONS,
  type Mutation,
  ORDER_ONLY,
  selectDesign,
  WAITING,
} from "./broken/index.ts";
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
 * @throws UserError if there is no such design or variant, or if the init program cannot be loaded
 * @throws Error if the architecture does not exist (the command line has checked it)
 */
export function createKernel(platform: Platform, arch: string, options: KernelOptions): Kernel {
  const port = ARCHITECTURES.get(arch);
  if (port === undefined) throw new Error(`createKernel: no ${arch}`);
  const { design, variant } = selectDesign(options.design, "--mm", arch);
  const classes = variant?.overrides ?? {};
  const designClass = classes.spfMm ?? classes.design?.(design.designClass) ?? design.designClass;
  const kernel = new Kernel(platform, port(platform, classes), options);
  kernel.memory = new Memory(kernel, {
    design: new designClass(),
    steps: new (classes.steps ?? MmSteps)(),
    gatherClass: classes.gather ?? Gather,
    tableBatchesClass: classes.tableBatches ?? TableBatches,
  });
  kernel.process = new Processes(kernel);
  const init = loadInit(kernel);
  if (init instanceof UserError) throw init;
  return kernel;
}
