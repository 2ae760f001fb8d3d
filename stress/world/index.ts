/** The public face of stress/world. */
export type { Judgement } from "./judge.ts";
export * from "./world.ts";
