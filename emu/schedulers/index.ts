export * from "./random.ts";
export * from "./random-numbers.ts";
export * from "./scheduler.ts";
export * from "./timed.ts";
