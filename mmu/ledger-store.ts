/** The columns in which the coherence ledger keeps what it knows: plain typed arrays, saved and restored whole. */

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

/** What is known of each holding. */
export class Holdings {
  readonly next: Int32Array;
  readonly previous: Int32Array;
  /** Index into the heads, NOWHERE: not followed. */
  readonly list: Int32Array;
  readonly lo: Int32Array;
  readonly hi: Int32Array;
  readonly shift: Uint8Array;
  readonly isTable: Uint8Array;
  /** Tag, or ANY_CONTEXT if global. */
  readonly context: Int32Array;
  readonly frame: Int32Array;
  readonly core: Int32Array;
  readonly verdict: Uint8Array;
  readonly filled: EventColumn;
  /** The free that condemned it. */
  readonly freed: EventColumn;

  constructor(length: number) {
    this.next = new Int32Array(length).fill(NOWHERE);
    this.previous = new Int32Array(length).fill(NOWHERE);
    this.list = new Int32Array(length).fill(NOWHERE);
    this.lo = new Int32Array(length);
    this.hi = new Int32Array(length);
    this.shift = new Uint8Array(length);
    this.isTable = new Uint8Array(length);
    this.context = new Int32Array(length);
    this.frame = new Int32Array(length);
    this.core = new Int32Array(length);
    this.verdict = new Uint8Array(length);
    this.filled = new EventColumn(length);
    this.freed = new EventColumn(length);
  }

  arrays(): (Float64Array | Int32Array | Uint8Array)[] {
    return [
      this.next,
      this.previous,
      this.list,
      this.lo,
      this.hi,
      this.shift,
      this.isTable,
      this.context,
      this.frame,
      this.core,
      this.verdict,
      ...this.filled.arrays(),
      ...this.freed.arrays(),
    ];
  }
}
