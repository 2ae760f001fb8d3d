/** The public face of stress/oracle/. */
export { Assertions } from "./assertions.ts";
export { Lifetime } from "./lifetime.ts";
export { type EndState, type OraclePart, type OracleWorld, observerOf } from "./part.ts";
export { Structure } from "./structure.ts";
export {
  type Invariant,
  type Report,
  type Site,
  siteOf,
  type Violation,
  violationText,
} from "./violation.ts";
export { Witness } from "./witness/witness.ts";
