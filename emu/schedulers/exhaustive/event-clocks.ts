/**
 * Vector clocks of the events of a run: of every line of events that come one after the other, the last one that an event
 * comes after in all schedules that differ from this one in the order of independent events only (Mattern, "Virtual Time
 * and Global States of Distributed Systems", 1989).
 */
const NONE = -1;
const FIRST_EVENTS = 512;

export class EventClocks {
  readonly #lines: number;
  #clocks: Int32Array;

  constructor(lines: number) {
    this.#lines = lines;
    this.#clocks = new Int32Array(FIRST_EVENTS * lines);
  }

  /** An event of a line; it comes after nothing yet. */
  begin(event: number, line: number): void {
    const base = event * this.#lines;
    if (base + this.#lines > this.#clocks.length) this.#grow();
    this.#clocks.fill(NONE, base, base + this.#lines);
    this.#clocks[base + line] = event;
  }

  /** It comes after another one, and after what that comes after. @param earlier -1: after nothing @hot */
  join(event: number, earlier: number): void {
    if (earlier < 0) return;
    const lines = this.#lines;
    const clocks = this.#clocks;
    const to = event * lines;
    const from = earlier * lines;
    for (let line = 0; line < lines; line++) {
      if (clocks[from + line]! > clocks[to + line]!) clocks[to + line] = clocks[from + line]!;
    }
  }

  /** An event of a line is another one, or comes before it. @param later may be -1, the beginning @hot */
  isBefore(event: number, line: number, later: number): boolean {
    return later >= 0 && this.#clocks[later * this.#lines + line]! >= event;
  }

  /** The last event of a line that is another event or comes before it, or -1. */
  lastBefore(line: number, later: number): number {
    return later < 0 ? NONE : this.#clocks[later * this.#lines + line]!;
  }

  #grow(): void {
    const grown = new Int32Array(this.#clocks.length * 2);
    grown.set(this.#clocks);
    this.#clocks = grown;
  }
}
