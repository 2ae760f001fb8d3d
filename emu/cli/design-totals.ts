/** Sums over the runs of one fault design on one machine, and the table that sets them side by side. */
import type { Statistics } from "./statistics.ts";
import { type Cell, formatTable } from "./table.ts";

export interface DesignTotals {
  readonly faults: number;
  readonly speculativeAttempts: number;
  readonly handledSpeculatively: number;
  readonly aborts: Readonly<Record<string, number>>;
  readonly mmapLockRead: number;
  readonly mmapLockWrite: number;
  readonly ipisSent: number;
  readonly broadcastsSent: number;
  readonly entriesInvalidated: number;
  readonly cycles: number;
  readonly instructions: number;
  readonly kernelAssertions: number;
  /** null: no ledger was kept. */
  readonly ledgerViolations: number | null;
}

export function totalsOf(runs: readonly Statistics[]): DesignTotals {
  const sum = (pick: (run: Statistics) => number): number =>
    runs.reduce((total, run) => total + pick(run), 0);
  const reasons = new Set(runs.flatMap((run) => Object.keys(run.aborts)));
  return {
    faults: sum((run) => run.faults),
    speculativeAttempts: sum((run) => run.speculativeAttempts),
    handledSpeculatively: sum((run) => run.handledSpeculatively),
    aborts: Object.fromEntries([...reasons].map((name) => [name, sum((run) => run.aborts[name] ?? 0)])),
    mmapLockRead: sum((run) => run.mmapLockRead),
    mmapLockWrite: sum((run) => run.mmapLockWrite),
    ipisSent: sum((run) => run.ipisSent),
    broadcastsSent: sum((run) => run.broadcastsSent),
    entriesInvalidated: sum((run) => run.entriesInvalidated),
    cycles: sum((run) => run.cycles),
    instructions: sum((run) => run.instructions),
    kernelAssertions: sum((run) => run.kernelAssertions),
    ledgerViolations: runs.some((run) => run.ledgerViolations === null)
      ? null
      : sum((run) => run.ledgerViolations!),
  };
}

/** What a column of the table is about. */
export interface ComparedRun {
  readonly arch: string;
  readonly design: string;
  readonly totals: DesignTotals;
}

/**
 * Lines of a table with a column for each architecture and design; abort reasons that occurred under none are left
 * out.
 */
export function compareDesigns(runs: readonly ComparedRun[]): string[] {
  const row = (title: string, pick: (totals: DesignTotals) => Cell): Cell[] => [
    title,
    ...runs.map((run) => pick(run.totals)),
  ];
  const reasons = [...new Set(runs.flatMap((run) => Object.keys(run.totals.aborts)))];
  const aborts = reasons
    .map((name) => row(`aborts: ${name}`, (totals) => totals.aborts[name] ?? 0))
    .filter((cells) => cells.slice(1).some((cell) => cell !== 0));
  return formatTable(
    [
      { title: "", align: "left" },
      ...runs.map(({ arch, design }) => ({ title: [arch, design], align: "right" as const })),
    ],
    [
      row("page faults", (totals) => totals.faults),
      row("speculative attempts", (totals) => totals.speculativeAttempts),
      row("handled speculatively", (totals) => totals.handledSpeculatively),
      ...(aborts.length > 0 ? aborts : [row("aborts", () => 0)]),
      row("mmap_lock acquisitions, read", (totals) => totals.mmapLockRead),
      row("mmap_lock acquisitions, write", (totals) => totals.mmapLockWrite),
      row("IPIs sent", (totals) => totals.ipisSent),
      row("TLB invalidations broadcast", (totals) => totals.broadcastsSent),
      row("TLB entries invalidated", (totals) => totals.entriesInvalidated),
      row("virtual cycles", (totals) => totals.cycles),
      row("instructions", (totals) => totals.instructions),
      row("ledger violations", (totals) => totals.ledgerViolations ?? "off"),
    ],
  );
}
