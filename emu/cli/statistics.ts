/** What a run did, in numbers: for `--stat`, `--json` and the demo's table. Nothing here depends on the host. */
import { eventCounts } from "../../kernel/index.ts";
import type { Session } from "./session.ts";
import { formatNumber } from "./table.ts";

export interface Statistics {
  /** Instructions retired by all cores, guest kernel stubs included. */
  readonly instructions: number;
  /** Largest virtual clock of the cores. */
  readonly cycles: number;
  /** The same in seconds. */
  readonly virtualSeconds: number;
  readonly faults: number;
  /** Faults that were tried without mmap_lock. */
  readonly speculativeAttempts: number;
  readonly handledSpeculatively: number;
  /** By published reason; reasons that did not occur read 0. */
  readonly aborts: Readonly<Record<string, number>>;
  readonly mmapLockRead: number;
  readonly mmapLockWrite: number;
  readonly ipisSent: number;
  /** Invalidations that other cores carry out without an interrupt (TLBI of the inner-shareable forms). */
  readonly broadcastsSent: number;
  readonly entriesInvalidated: number;
  /** Undefined or unimplemented instructions that were executed, by mnemonic. */
  readonly undefinedInstructions: Readonly<Record<string, number>>;
  /** Every counter of the kernel. */
  readonly counters: Readonly<Record<string, number>>;
  /** Events of the machine's trace, by name. */
  readonly events: Readonly<Record<string, number>>;
  /** null: the run kept no ledger. */
  readonly ledgerViolations: number | null;
  readonly kernelAssertions: number;
  readonly traceHash: string;
}

const ABORT_REASON = /^SPF_ABORT_/;

export function collectStatistics(session: Session): Statistics {
  const { machine, kernel } = session;
  const counters = eventCounts(kernel);
  const events = machine.events.counts;
  const cycles = machine.clock;
  return {
    instructions: machine.retired,
    cycles,
    virtualSeconds: cycles / machine.cyclesPerSecond,
    faults: counters.get("pgfault") ?? 0,
    speculativeAttempts: counters.get("spf_attempt") ?? 0,
    handledSpeculatively: counters.get("spf_handled") ?? 0,
    aborts: select(counters, ABORT_REASON),
    mmapLockRead: counters.get("mmap_lock_read") ?? 0,
    mmapLockWrite: counters.get("mmap_lock_write") ?? 0,
    ipisSent: events.get("ipi") ?? 0,
    broadcastsSent: events.get("broadcast") ?? 0,
    entriesInvalidated: machine.entriesInvalidated,
    undefinedInstructions: undefinedInstructions(session),
    counters: Object.fromEntries(counters),
    events: Object.fromEntries(events),
    ledgerViolations: machine.ledger?.total ?? null,
    kernelAssertions: kernel.assertions,
    traceHash: machine.events.hash,
  };
}

/** Lines in the manner of `perf stat`: counts that are not 0, then the virtual time. */
export function statLines(command: string, statistics: Statistics): string[] {
  const rows: [number, string][] = [
    [statistics.instructions, "instructions"],
    [statistics.cycles, "cycles"],
    [statistics.ipisSent, "IPIs sent"],
    [statistics.broadcastsSent, "TLB invalidations broadcast"],
    [statistics.entriesInvalidated, "TLB entries invalidated"],
    ...Object.entries(statistics.undefinedInstructions).map(([name, count]): [number, string] => [
      count,
      `undefined instruction: ${name}`,
    ]),
    ...Object.entries(statistics.counters).map(([name, count]): [number, string] => [count, name]),
  ];
  const numbers = rows.map(([count]) => formatNumber(count));
  const width = Math.max(20, ...numbers.map((number) => number.length));
  return [
    "",
    ` Performance counter stats for '${command}':`,
    "",
    ...rows.flatMap(([count, name], i) =>
      count === 0 ? [] : [`${numbers[i]!.padStart(width)}      ${name}`],
    ),
    "",
    `${statistics.virtualSeconds.toFixed(9).padStart(width)} seconds of virtual time`,
    "",
  ];
}

function undefinedInstructions({ machine }: Session): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const core of machine.cores) {
    for (const [trap, count] of core.undefinedCounts) {
      const mnemonic = machine.model.frontend.undefinedMnemonic(trap) ?? "no instruction";
      counts[mnemonic] = (counts[mnemonic] ?? 0) + count;
    }
  }
  return counts;
}

function select(counts: ReadonlyMap<string, number>, pattern: RegExp): Record<string, number> {
  return Object.fromEntries([...counts].filter(([name]) => pattern.test(name)));
}
