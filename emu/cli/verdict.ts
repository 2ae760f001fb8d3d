/** What a run comes to: its exit status, and what is to be said about it. */
import { showState } from "../../kernel/index.ts";
import { formatViolation } from "../../mmu/index.ts";
import type { RunEnd } from "./host.ts";
import type { Session } from "./session.ts";

/** Bad usage or input, or output that could not be written. */
export const STATUS_USAGE = 2;
/** A violation was found: the kernel's assertions, the coherence ledger, a machine that can't go on. */
export const STATUS_VIOLATION = 125;

/** Violations printed in full. */
const SHOWN_VIOLATIONS = 5;

export interface Verdict {
  /** Exit status of the command. */
  readonly status: number;
  /** The guest's own end; false: Faultline or the user ended it. */
  readonly ended: boolean;
  /** Lines for standard error; empty after a clean run. */
  readonly lines: readonly string[];
}

export function judge(session: Session, end: RunEnd): Verdict {
  const { reason, signalStatus } = end;
  const ended = reason.kind === "power-off";
  const lines: string[] = [];
  if (signalStatus !== null) {
    lines.push("faultline: interrupted");
  } else if (reason.kind === "limit") {
    lines.push(`faultline: stopped: ${reason.text}; a larger --max-instructions or --timeout lets it go on`);
  } else if (reason.kind === "bad-program") {
    lines.push(`faultline: ${reason.text}`);
  } else if (!ended) {
    lines.push(`faultline: ${reason.kind}: ${reason.text}`);
  }
  if (reason.kind === "deadlock") lines.push(...showState(session.kernel).split("\n"));
  const violations = violationLines(session);
  lines.push(...violations);
  const violated = violations.length > 0 || reason.kind === "deadlock" || reason.kind === "panic";
  const status = violated ? STATUS_VIOLATION : (signalStatus ?? reason.status);
  return { status, ended, lines };
}

/** What the kernel's assertions and the ledger have reported. */
export function violationLines(session: Session): string[] {
  const { kernel, machine } = session;
  const lines: string[] = [];
  if (kernel.assertions > 0) {
    lines.push(`faultline: ${count(kernel.assertions, "kernel assertion")} fired`);
    for (const report of kernel.reports.slice(0, SHOWN_VIOLATIONS)) lines.push(...report.split("\n"));
  }
  const ledger = machine.ledger;
  if (ledger !== null && ledger.total > 0) {
    lines.push(`faultline: the ledger found ${count(ledger.total, "violation")}`);
    for (const violation of ledger.violations.slice(0, SHOWN_VIOLATIONS))
      lines.push(...formatViolation(violation).split("\n"));
  }
  return lines;
}

/** "1 violation", "3 violations". */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
