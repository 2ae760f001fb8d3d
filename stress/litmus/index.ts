/** Virtual-memory litmus tests: reading, running, judging. */
export { type Bounds, DEFAULT_BOUNDS } from "./explore.ts";
export { readLitmusTest } from "./read.ts";
export {
  type FinalState,
  type LitmusOutcome,
  type LitmusResult,
  NO_MACHINE,
  type Vacuity,
} from "./result.ts";
export { type AbsentRow, readAbsentRows } from "./rows.ts";
export { type LitmusOptions, runLitmusTest } from "./run.ts";
export type { Enumeration } from "./speculation.ts";
export {
  essentials,
  type LitmusTest,
  type LitmusVariant,
  type Verdict,
  verdictOf,
  without,
} from "./test.ts";
