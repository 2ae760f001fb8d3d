/** What a measurement gives, and the helpers that take it. */
import type { Machine } from "../../emu/machine.ts";
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
  /** After the last sample. */
  end?(): void;
}

export async function take(measurement: Measurement): Promise<Row> {
  const { name, what, unit, asked, goal, better } = measurement;
  const samples: number[] = [];
  for (let i = 0; i < measurement.samples; i++) samples.push(await measurement.sample());
  measurement.end?.();
  return { name, what, unit, asked, goal, better, samples, measured: median(samples) };
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

/** Host time that is left out at the start of a run: boot, and the host's compiler. */
const WARM_UP_SECONDS = 3;
/** Least host time of one sample. */
const SAMPLE_SECONDS = 0.7;

/**
 * The growth of a count per second of host time in one long run of a guest, whose program must not end meanwhile: each
 * sample is the next stretch of it.
 */
export class SteadyRate {
  readonly #options: GuestOptions;
  readonly #count: (guest: Guest) => number;
  #guest: Guest | null = null;

  constructor(options: GuestOptions, count: (guest: Guest) => number) {
    this.#options = options;
    this.#count = count;
  }

  /** @throws Error if the guest ended */
  sample(): number {
    let guest = this.#guest;
    if (guest === null) {
      guest = new Guest(this.#options);
      this.#guest = guest;
      this.#advance(guest, WARM_UP_SECONDS);
    }
    const before = this.#count(guest);
    const seconds = this.#advance(guest, SAMPLE_SECONDS);
    return (this.#count(guest) - before) / seconds;
  }

  /** Gives the guest's memory back. */
  end(): void {
    this.#guest = null;
  }

  #advance(guest: Guest, seconds: number): number {
    return advance(guest.session.machine, seconds, String(this.#options.program));
  }
}

/** The same for a machine without a kernel. */
export class MachineRate {
  readonly #start: () => Machine;
  readonly #count: (machine: Machine) => number;
  #machine: Machine | null = null;

  constructor(start: () => Machine, count: (machine: Machine) => number) {
    this.#start = start;
    this.#count = count;
  }

  /** @throws Error if the machine stopped */
  sample(): number {
    if (this.#machine === null) {
      this.#machine = this.#start();
      advance(this.#machine, WARM_UP_SECONDS, "the machine");
    }
    const machine = this.#machine;
    const before = this.#count(machine);
    const seconds = advance(machine, SAMPLE_SECONDS, "the machine");
    return (this.#count(machine) - before) / seconds;
  }

  /** Gives its memory back. */
  end(): void {
    this.#machine = null;
  }
}

/** @returns the host time that passed, at least `seconds` */
function advance(machine: Machine, seconds: number, name: string): number {
  const from = process.hrtime.bigint();
  let passed = 0;
  do {
    const reason = machine.advance(Number.MAX_SAFE_INTEGER);
    if (reason !== null) throw new Error(`${name} ended: ${reason.text}`);
    passed = Number(process.hrtime.bigint() - from) / 1e9;
  } while (passed < seconds);
  return passed;
}

/** A counter of the guest's kernel. */
export function counter(name: string): (guest: Guest) => number {
  return (guest) => eventCounts(guest.session.kernel).get(name) ?? 0;
}
