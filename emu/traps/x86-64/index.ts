/** The x86-64 core around the instructions: traps, system instructions, local APIC. */
export { X86Core } from "./core.ts";
export { FEATURES, type Feature } from "./cpuid.ts";
export type { X86CoreOptions } from "./processor.ts";
export { cyclesPerSecond, X86_DEFAULT_PROFILE, X86_SMALL_PROFILE, type X86Profile } from "./profile.ts";
