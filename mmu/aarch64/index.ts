/** The public face of mmu/aarch64: translation hardware of AArch64 cores. */
export type { AArch64CachedEntry } from "./caches.ts";
export * from "./descriptors.ts";
export * from "./fault.ts";
export { type AArch64TranslationProfile, NEOVERSE_N1, NEOVERSE_N1_MINIATURE } from "./profiles.ts";
export * from "./tlbi.ts";
export {
  type AArch64TranslationOptions,
  AArch64TranslationUnit,
  type DsbOption,
} from "./translation-unit.ts";
