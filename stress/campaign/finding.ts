/** Findings: violations that show the same thing are one, by their signature. */
import type { Judgement } from "../world/judge.ts";
import type { Schedule } from "./schedule-file.ts";

/** What makes two violations the same: the invariant, who found it, and the two sites. */
export function signatureOf(judgement: Judgement): string {
  const earlier = judgement.earlier === null ? "" : `${judgement.earlier.what} / `;
  return `${judgement.invariant} ${judgement.foundBy}: ${earlier}${judgement.later.what}`.replaceAll(
    "\n",
    "; ",
  );
}

export interface Finding {
  readonly signature: string;
  readonly invariant: string;
  /** The first violation's text. */
  text: string;
  /** Violations with this signature. */
  count: number;
  /** Run of the campaign, from 1, that showed it first, and that run's seed. */
  firstRun: number;
  firstSeed: number;
  /** The first run's schedule, shrunk if asked for. */
  schedule: Schedule;
  /** A known defect of the published design (docs/FINDINGS.md), or null. */
  known: string | null;
}
