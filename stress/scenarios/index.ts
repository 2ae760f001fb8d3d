/** The public face of stress/scenarios: which scenarios there are, and their files. */
export * from "./manifest.ts";
