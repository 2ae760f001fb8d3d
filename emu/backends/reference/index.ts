/** The reference evaluator: what a block of IR means, for tests. */
export * from "./condition-bits.ts";
export * from "./evaluator.ts";
