/** The public face of stress/exhaustive. */
export * from "./final-state.ts";
export * from "./search.ts";
