/** What a measurement gives, and the helpers that take it. */
import { eventCounts } from "../../kernel/index.ts";
import { Guest, type GuestOptions } from "../matrix/guest.ts";

export interface Row {
  /** Name for `--only`. */
  readonly name: string;
  readonly what: string;
  readonly unit: string;
  readonly measured: number;
  /** Every single measurement; `measured` is their median. */
  readonly samples: readonly number[];
  /** What the project asks of a two-core machine; null: for information. */
  readonly asked: number | null;
  /** What would be good; null: the same. */
  readonly goal: number | null;
  readonly better: "more" | "less";
}

export interface Measurement {
  readonly name: string;
  readonly what: string;
  readonly unit: string;
  readonly asked: number | null;
  readonly goal: number | null;
  readonly better: "more" | "less";
  /** Takes one sample. */
  sample(): number | Promise<number>;
  /** Samples to take. */
  readonly samples: number;
}

export async function take(measurement: Measurement): Promise<Row> {
  const { sample, ...row } = measurement;
  const samples: number[] = [];
  for (let i = 0; i < measurement.samples; i++) samples.push(await sample());
  return { ...row, samples, measured: median(samples) };
}

export function isMet(row: Row): boolean {
  if (row.asked === null) return true;
  return row.better === "more" ? row.measured >= row.asked : row.measured <= row.asked;
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Part of a run, in instructions, that is left out at its start: boot, and the host's compiler. */
const WARM_UP_INSTRUCTIONS = 2_000_000;

/**
 * Runs a guest to its end and gives the growth of a count per second of host time, after a warm-up.
 * @throws Error if the guest did not end well
 */
export function rate(options: GuestOptions, count: (guest: Guest) => number): number {
  const guest = new Guest(options);
  const { machine } = guest.session;
  let reason = machine.advance(Number.MAX_SAFE_INTEGER);
  while (reason === null && machine.retired < WARM_UP_INSTRUCTIONS) {
    reason = machine.advance(Number.MAX_SAFE_INTEGER);
  }
  const before = count(guest);
  const from = process.hrtime.bigint();
  while (reason === null) reason = machine.advance(Number.MAX_SAFE_INTEGER);
  const seconds = Number(process.hrtime.bigint() - from) / 1e9;
  if (reason.status !== 0) throw new Error(`${String(options.program)}: ${reason.text} (${reason.status})`);
  return (count(guest) - before) / seconds;
}

/** A counter of the guest's kernel. */
export function counter(name: string): (guest: Guest) => number {
  return (guest) => eventCounts(guest.session.kernel).get(name) ?? 0;
}
