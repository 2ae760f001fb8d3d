/** What the may-sets report. Text for people is made here and nowhere else. */
import { formatEvent, type LedgerEvent } from "./ledger-report.ts";

/**
 * - frame-reachable: a frame was freed while a core that is not lazy may still hold a usable translation to it.
 * - table-reachable: a table page was freed while a walker, of a lazy core too, may still be led to it.
 * - root-reachable: a table page was freed while it is a core's loaded root.
 * - condemned-loaded: a core loaded a tag under which it may still hold a translation condemned by a free or by the
 *   return of a call, with no invalidation between.
 * - condemned-not-lazy: a core left lazy mode while it may still hold such a translation.
 * - stale-after-return: a call or fault returned while a core may still hold the right or frame that it took away.
 * - break-before-make: a store gave a live entry another frame, size or memory type, where the architecture wants it
 *   broken first.
 * - outside-may: a core used a translation that the architecture does not permit: a defect of the emulator.
 */
export type MayRule =
  | "frame-reachable"
  | "table-reachable"
  | "root-reachable"
  | "condemned-loaded"
  | "condemned-not-lazy"
  | "stale-after-return"
  | "break-before-make"
  | "outside-may";

export interface MayViolation {
  readonly rule: MayRule;
  /** The catalogue's number; "emulator" for outside-may. */
  readonly invariant: "I2" | "I3" | "I4" | "I7" | "emulator";
  /** Core that may hold the translation, and its tag; ANY_CONTEXT: global. */
  readonly holder: number;
  readonly tag: number;
  /** Frame number of the frame or table page. */
  readonly frame: number;
  /** The store (or load of a root) after which the translation was stale. */
  readonly earlier: LedgerEvent;
  readonly later: LedgerEvent;
}

/** Several lines: the rule, then the two events. */
export function formatMayViolation(violation: MayViolation): string {
  const { rule, invariant, frame } = violation;
  return [
    `may-sets: ${invariant} ${rule}, frame 0x${frame.toString(16)}`,
    "  " + formatEvent(violation.earlier),
    "  " + formatEvent(violation.later),
  ].join("\n");
}
