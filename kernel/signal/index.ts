/** The public face of kernel/signal/. */
export * from "./delivery-record.ts";
export * from "./signal-action.ts";
export * from "./signal-info.ts";
export * from "./signal-numbers.ts";
export * from "./signal-set.ts";
