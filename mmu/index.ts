/** The public face of mmu/: memory and translation. */
export * from "./address.ts";
export * from "./fast-tlb.ts";
export * from "./memory.ts";
export * from "./translation.ts";
