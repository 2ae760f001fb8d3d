/** The machines that can be built; a new architecture adds its list here. */
import { AARCH64_MACHINES } from "./aarch64.ts";
import type { MachineModel } from "./model.ts";
import { X86_MACHINES } from "./x86-64.ts";

export { type Aarch64Variant, aarch64Machine } from "./aarch64.ts";
export type { CoreOptions, MachineModel, TrapEvent } from "./model.ts";

/** The first machine of an architecture is its default; the first of all is everybody's. */
export const MACHINE_MODELS: readonly MachineModel[] = [...X86_MACHINES, ...AARCH64_MACHINES];
