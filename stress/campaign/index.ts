/** The public face of stress/campaign. */
export * from "./campaign.ts";
export * from "./finding.ts";
export * from "./plan.ts";
export * from "./results.ts";
export * from "./schedule-file.ts";
export * from "./unit.ts";
