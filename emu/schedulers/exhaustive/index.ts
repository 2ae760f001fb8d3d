/** The public face of emu/schedulers/exhaustive. */
export * from "./exhaustive.ts";
export { MAX_CORES } from "./point.ts";
