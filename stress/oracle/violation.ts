/** What an oracle reports: the invariant that does not hold and the two events that show it. */
import { type Context, heldLocksText, type Invariant } from "../../kernel/index.ts";

export type { Invariant };

/** One of the two events: where, when, who, what, and under which locks. */
export interface Site {
  readonly core: number;
  /** Virtual time of that core, in cycles. */
  readonly time: number;
  /** What happened, the same words in every run: signatures are made of it. No addresses. */
  readonly what: string;
  readonly pid: number;
  /** The address it is about, in hex, or null. */
  readonly va: string | null;
  /** Locks held, as lockdep prints them. */
  readonly locks: string;
}

export interface Violation {
  readonly invariant: Invariant;
  readonly text: string;
  readonly earlier: Site | null;
  readonly later: Site;
}

export type Report = (violation: Violation) => void;

/** Address of a page in hex. */
export function vaOfPage(page: number): string {
  return `0x${(BigInt(page) << 12n).toString(16)}`;
}

/** A site of kernel code, now. */
export function siteOf(k: Context, what: string, va: string | null = null): Site {
  return {
    core: k.cpu.id,
    time: k.cpu.clock,
    what,
    pid: k.task?.pid ?? 0,
    va,
    locks: heldLocksText(k).replaceAll("\n", ""),
  };
}

/** A violation in two or three lines. */
export function violationText(violation: Violation): string {
  const lines = [`${violation.invariant}: ${violation.text}`];
  if (violation.earlier !== null) lines.push(`  earlier: ${siteText(violation.earlier)}`);
  lines.push(`  later:   ${siteText(violation.later)}`);
  return lines.join("\n");
}

function siteText(site: Site): string {
  const at = site.va === null ? "" : ` at ${site.va}`;
  return `core ${site.core} pid ${site.pid} time ${site.time}: ${site.what}${at} (${site.locks})`;
}
