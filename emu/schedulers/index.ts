export * from "./exploring.ts";
export * from "./pct.ts";
export * from "./random.ts";
export * from "./random-numbers.ts";
export * from "./random-walk.ts";
export * from "./replay.ts";
export * from "./scheduler.ts";
export * from "./timed.ts";
