/**
 * Virtual time as user code sees it. The machine's clocks are the cores' cycle counters; they start at 0 together and
 * a core may lead another by a quantum, so the kernel's clock takes the largest value that it has given out, as Linux
 * guards a clock source that is read on several cores (Documentation/timers/timekeeping.rst).
 */
import type { Context } from "./context.ts";
import type { Kernel } from "./kernel.ts";

export const NS_PER_SECOND = 1_000_000_000;
/** CLOCK_REALTIME at power-on: 2026-01-01 00:00:00 UTC. A constant, because the host's clock must not enter a result. */
export const BOOT_EPOCH_SECONDS = 1_767_225_600;

export interface TimeSpec {
  /** Whole seconds; may be negative only where a caller checks for it. */
  readonly seconds: number;
  /** 0 … 999,999,999 if valid. */
  readonly nanoseconds: number;
}

/** The kernel's clock. */
export class Clock {
  readonly #cyclesPerSecond: number;
  #last = 0;

  constructor(kernel: Kernel) {
    this.#cyclesPerSecond = kernel.platform.cyclesPerSecond;
  }

  /** Cycles since power-on; never goes back, whichever core asks. */
  cycles(k: Context): number {
    if (k.cpu.clock > this.#last) this.#last = k.cpu.clock;
    return this.#last;
  }

  /** CLOCK_MONOTONIC. */
  now(k: Context): TimeSpec {
    return this.toTimeSpec(this.cycles(k));
  }

  toTimeSpec(cycles: number): TimeSpec {
    const seconds = Math.floor(cycles / this.#cyclesPerSecond);
    const rest = cycles - seconds * this.#cyclesPerSecond;
    return { seconds, nanoseconds: Math.floor((rest * NS_PER_SECOND) / this.#cyclesPerSecond) };
  }

  /** Cycles of a span, rounded up, so that a sleep is never short. */
  toCycles(span: TimeSpec): number {
    const whole = span.seconds * this.#cyclesPerSecond;
    return whole + Math.ceil((span.nanoseconds * this.#cyclesPerSecond) / NS_PER_SECOND);
  }

  save(): unknown {
    return { last: this.#last };
  }

  restore(state: unknown): void {
    this.#last = (state as { last: number }).last;
  }
}

/** A timespec that a call accepts (timespec64_valid). */
export function isValidTime(time: TimeSpec): boolean {
  return time.seconds >= 0 && time.nanoseconds >= 0 && time.nanoseconds < NS_PER_SECOND;
}
