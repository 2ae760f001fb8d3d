export * from "./core.ts";
export { stubAt } from "./kernel-text.ts";
