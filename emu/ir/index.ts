/** The public face of the IR: where frontends and backends meet. */
export * from "./block.ts";
export * from "./flags.ts";
export * from "./opcodes.ts";
export * from "./parser.ts";
export * from "./printer.ts";
export * from "./state.ts";
export * from "./verifier.ts";
