/** The public face of stress/story. */
export * from "./recorder.ts";
export * from "./story.ts";
