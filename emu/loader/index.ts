/** The public face of emu/loader: program files. */
export * from "./elf.ts";
export type { ElfLimits } from "./elf-header.ts";
export * from "./symbols.ts";
