/** Broken variants of the kernel: races on demand. */
export { MUTATIONS, type Mutation, ORDER_ONLY, type OrderOnlyStep, type StepKind } from "./mutations.ts";
export { type BrokenListing, type DesignSelection, listBroken, selectDesign } from "./selection.ts";
export type { BrokenVariant, Invariant, Need, Overrides, WaitingVariant } from "./variant.ts";
export { BROKEN } from "./variants/index.ts";
export { WAITING } from "./waiting.ts";
