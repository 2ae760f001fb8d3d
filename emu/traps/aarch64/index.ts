/** The AArch64 core around the instructions: exceptions, system instructions, power. */
export { Aarch64Core } from "./core.ts";
export { CoreDomain } from "./domain.ts";
export { mpidrOf } from "./id-registers.ts";
export type { Aarch64CoreOptions } from "./processor.ts";
export { AARCH64_DEFAULT_PROFILE, AARCH64_SMALL_PROFILE, type Aarch64Profile } from "./profile.ts";
export * from "./psci.ts";
