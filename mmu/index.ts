/** The public face of mmu/: memory and translation. */
export * from "./aarch64/index.ts";
export * from "./address.ts";
export * from "./fast-tlb.ts";
export * from "./late-stores.ts";
export * from "./ledger.ts";
export * from "./ledger-report.ts";
export * from "./may-sets.ts";
export type { MayRights } from "./may-sets-format.ts";
export { MAX_STALE_RECORDS } from "./may-sets-records.ts";
export * from "./may-sets-report.ts";
export * from "./memory.ts";
export * from "./observed-memory.ts";
export * from "./translation.ts";
export type { CachedEntry } from "./x86-64/caches.ts";
export type { X86TranslationFault } from "./x86-64/fault.ts";
export {
  INVPCID_ADDRESS,
  INVPCID_ALL,
  INVPCID_ALL_BUT_GLOBAL,
  INVPCID_SINGLE_CONTEXT,
} from "./x86-64/invalidation.ts";
export * from "./x86-64/paging.ts";
export { MINIATURE, SKYLAKE, type X86TranslationProfile } from "./x86-64/profiles.ts";
export * from "./x86-64/translation-unit.ts";
