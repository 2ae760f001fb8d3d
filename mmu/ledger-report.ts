/** What the coherence ledger reports: violations as values, and their text. */

/**
 * Rules of the holdings half.
 * - leaf-reachable: a frame was freed while a core that is not lazy holds a reachable translation to it.
 * - table-reachable: a table page was freed while a core, lazy or not, holds a reachable walk-cache entry to it.
 * - root-loaded: a table page was freed while it is a core's loaded root, or a freed one was loaded as a root.
 * - condemned-used: a core used an entry that leads to a frame or table freed since the entry was filled.
 * - condemned-loaded: a core loaded the tag of a condemned entry without an invalidation that covers it.
 * - condemned-not-lazy: a core left lazy mode while a condemned entry was reachable.
 * - free-frame-cached: a walk filled a translation to a frame that is free.
 * - free-table-read: a walk read a table page that is free.
 */
export type LedgerRule =
  | "leaf-reachable"
  | "table-reachable"
  | "root-loaded"
  | "condemned-used"
  | "condemned-loaded"
  | "condemned-not-lazy"
  | "free-frame-cached"
  | "free-table-read";

export type LedgerEventKind =
  | "call-return"
  | "fault-return"
  | "fill"
  | "free-frame"
  | "free-table"
  | "load-root"
  | "load-tag"
  | "leave-lazy"
  | "store"
  | "use"
  | "walk";

/** One of the two events of a violation. */
export interface LedgerEvent {
  readonly kind: LedgerEventKind;
  readonly core: number;
  /** Instruction, as 16 hex digits; "" if unknown. */
  readonly pc: string;
  /** Virtual address concerned, as 16 hex digits; "" if there is none. */
  readonly address: string;
  /** Virtual time in cycles of that core. */
  readonly timeCycles: number;
  /** Position in the order of ledger events. */
  readonly sequence: number;
  readonly text: string;
}

export interface LedgerViolation {
  readonly rule: LedgerRule;
  /** Frame number of the frame or table page. */
  readonly frame: number;
  readonly earlier: LedgerEvent;
  readonly later: LedgerEvent;
}

/** Several lines: the rule, then the two events. */
export function formatViolation(violation: LedgerViolation): string {
  const frame = "0x" + violation.frame.toString(16);
  return [
    `ledger: ${violation.rule}, frame ${frame}`,
    "  " + formatEvent(violation.earlier),
    "  " + formatEvent(violation.later),
  ].join("\n");
}

export function formatEvent(event: LedgerEvent): string {
  const pc = event.pc === "" ? "" : ` pc 0x${event.pc}`;
  const address = event.address === "" ? "" : ` address 0x${event.address}`;
  return `#${event.sequence} core ${event.core} t=${event.timeCycles}${pc}${address}: ${event.text}`;
}
