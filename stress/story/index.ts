/** The public face of stress/story. */
export type { Recording } from "./choose.ts";
export * from "./chrome-trace.ts";
export * from "./event.ts";
export * from "./recorder.ts";
export * from "./story.ts";
