/** The public face of stress/world. */
export { type Judgement, ORACLE_PARTS } from "./judge.ts";
export * from "./world.ts";
