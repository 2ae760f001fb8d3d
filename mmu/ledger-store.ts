/** What the coherence ledger's columns are made of: plain typed arrays, and notes of the rows that changed. */

/** Who is acting: filled in by the callback at each event. */
export interface EventContext {
  core: number;
  /** PC, or -1 in both halves if unknown. */
  pcLo: number;
  pcHi: number;
  timeCycles: number;
}

/** End of a list; not in any list. */
export const NOWHERE = -1;
/** Verdicts on a holding. */
export const LIVE = 0;
export const CONDEMNED = 1;
export const REPORTED = 2;

/** Rows written since the last saved or restored state, each once. */
export class RowJournal {
  readonly #isNoted: Uint8Array;
  readonly rows: Int32Array;
  count = 0;

  constructor(length: number) {
    this.#isNoted = new Uint8Array(length);
    this.rows = new Int32Array(length);
  }

  /** @hot */
  note(row: number): void {
    if (this.#isNoted[row] !== 0) return;
    this.#isNoted[row] = 1;
    this.rows[this.count++] = row;
  }

  clear(): void {
    for (let at = 0; at < this.count; at++) this.#isNoted[this.rows[at]] = 0;
    this.count = 0;
  }
}

/** Events by index: when and by whom. */
export class EventColumn {
  readonly sequence: Float64Array;
  readonly time: Float64Array;
  readonly core: Int32Array;
  readonly pcLo: Int32Array;
  readonly pcHi: Int32Array;

  constructor(length: number) {
    this.sequence = new Float64Array(length);
    this.time = new Float64Array(length);
    this.core = new Int32Array(length);
    this.pcLo = new Int32Array(length);
    this.pcHi = new Int32Array(length);
  }

  arrays(): (Float64Array | Int32Array)[] {
    return [this.sequence, this.time, this.core, this.pcLo, this.pcHi];
  }

  set(from: EventColumn): void {
    this.sequence.set(from.sequence);
    this.time.set(from.time);
    this.core.set(from.core);
    this.pcLo.set(from.pcLo);
    this.pcHi.set(from.pcHi);
  }

  put(at: number, sequence: number, context: EventContext): void {
    this.sequence[at] = sequence;
    this.time[at] = context.timeCycles;
    this.core[at] = context.core;
    this.pcLo[at] = context.pcLo;
    this.pcHi[at] = context.pcHi;
  }

  copy(at: number, from: EventColumn, source: number): void {
    this.sequence[at] = from.sequence[source];
    this.time[at] = from.time[source];
    this.core[at] = from.core[source];
    this.pcLo[at] = from.pcLo[source];
    this.pcHi[at] = from.pcHi[source];
  }
}
