/** The public face of stress/exhaustive. */
export * from "./search.ts";
