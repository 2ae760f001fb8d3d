/**
 * Stale translations: what a core may still hold although a walk that starts now would not make it. Columns of plain
 * typed arrays; a record is in the list of its holder (a core's tag) and in that of the frame or table page that it
 * leads to. The number of records has a bound: past it a record is counted as lost and not kept, which can hide a
 * violation but never invent one.
 */
import { EventColumn, type EventContext, LIVE, NOWHERE, REPORTED } from "./ledger-store.ts";
import type { MayFormat } from "./may-sets-format.ts";

/** Records kept at once, unless MaySetsOptions.capacity says otherwise. */
export const MAX_STALE_RECORDS = 16384;

/** Verdict of a record that is not in use. */
const UNUSED = 255;

/** Whose records a list holds: a core's tag. */
export interface RecordOwner {
  /** Number by which records name it. */
  readonly id: number;
  /** First record, or NOWHERE. */
  first: number;
}

/** A saved pool; opaque. */
export interface RecordsState {
  readonly columns: readonly ArrayLike<number>[];
  readonly high: number;
  readonly unused: number;
  readonly lost: number;
}

export class StaleRecords {
  readonly capacity: number;
  readonly next: Int32Array;
  readonly previous: Int32Array;
  /** RecordOwner.id. */
  readonly owner: Int32Array;
  /** 1: leads to a table, 0: to a frame. */
  readonly isTable: Uint8Array;
  /** Level of the entry that it was made from. */
  readonly level: Uint8Array;
  /** Base address of what it covers. */
  readonly lo: Int32Array;
  readonly hi: Int32Array;
  readonly frame: Int32Array;
  /** Attributes of a leaf; rights of a table. */
  readonly attributes: Int32Array;
  readonly verdict: Uint8Array;
  /** What condemned it: an index of CONDEMNERS. */
  readonly condemner: Uint8Array;
  /** The store that made it stale. */
  readonly changed: EventColumn;
  /** Event after which no walker can make it again; 1: that was no store. Set by gone(). */
  readonly goneAt: Float64Array;
  readonly wasUnloaded: Uint8Array;
  /** The free or return that condemned it. */
  readonly condemned: EventColumn;
  /** Records that found no place. */
  lost = 0;
  readonly #nextOfFrame: Int32Array;
  readonly #previousOfFrame: Int32Array;
  readonly #leafHeads: Int32Array;
  readonly #tableHeads: Int32Array;
  /** Records from here on were never used. */
  #high = 0;
  /** First record of the list of unused ones, linked by `next`. */
  #unused = NOWHERE;
  readonly #columns: readonly (Float64Array | Int32Array | Uint8Array)[];

  constructor(frames: number, capacity: number) {
    this.capacity = capacity;
    this.next = new Int32Array(capacity);
    this.previous = new Int32Array(capacity);
    this.owner = new Int32Array(capacity);
    this.isTable = new Uint8Array(capacity);
    this.level = new Uint8Array(capacity);
    this.lo = new Int32Array(capacity);
    this.hi = new Int32Array(capacity);
    this.frame = new Int32Array(capacity);
    this.attributes = new Int32Array(capacity);
    this.verdict = new Uint8Array(capacity);
    this.condemner = new Uint8Array(capacity);
    this.changed = new EventColumn(capacity);
    this.goneAt = new Float64Array(capacity);
    this.wasUnloaded = new Uint8Array(capacity);
    this.condemned = new EventColumn(capacity);
    this.#nextOfFrame = new Int32Array(capacity);
    this.#previousOfFrame = new Int32Array(capacity);
    this.#leafHeads = new Int32Array(frames).fill(NOWHERE);
    this.#tableHeads = new Int32Array(frames).fill(NOWHERE);
    this.#columns = [
      this.next,
      this.previous,
      this.owner,
      this.isTable,
      this.level,
      this.lo,
      this.hi,
      this.frame,
      this.attributes,
      this.verdict,
      this.condemner,
      ...this.changed.arrays(),
      this.goneAt,
      this.wasUnloaded,
      ...this.condemned.arrays(),
      this.#nextOfFrame,
      this.#previousOfFrame,
    ];
  }

  /** A record covers an address. */
  covers(format: MayFormat, record: number, lo: number, hi: number): boolean {
    const shift = format.shift(this.level[record]!);
    return isInside(this.lo[record]!, this.hi[record]!, shift, lo, hi);
  }

  /** A record covers one of the pages start … end - 1. */
  overlaps(format: MayFormat, record: number, start: number, end: number): boolean {
    const first = this.page(record);
    return first < end && start < first + 2 ** (format.shift(this.level[record]!) - 12);
  }

  /** Number of the first page that a record covers. */
  page(record: number): number {
    return (this.lo[record]! >>> 12) + (this.hi[record]! >>> 0) * 0x10_0000;
  }

  /** First record of the list of a frame. */
  firstLeaf(frame: number): number {
    return this.#leafHeads[frame]!;
  }

  firstTable(frame: number): number {
    return this.#tableHeads[frame]!;
  }

  nextOfFrame(record: number): number {
    return this.#nextOfFrame[record]!;
  }

  /**
   * Adds a record, unless the owner has the same one already. The frame lies in RAM.
   * @param source the record that led to it, whose store is its own; NOWHERE: the store is given
   * @returns its index, that of the one it has, or NOWHERE if there is no place
   */
  add(
    owner: RecordOwner,
    isTable: 0 | 1,
    level: number,
    lo: number,
    hi: number,
    frame: number,
    attributes: number,
    source: number,
    sequence: number,
    context: EventContext,
  ): number {
    const heads = isTable === 1 ? this.#tableHeads : this.#leafHeads;
    const head = heads[frame]!;
    for (let at = head; at !== NOWHERE; at = this.#nextOfFrame[at]!) {
      if (
        this.owner[at] === owner.id &&
        this.lo[at] === lo &&
        this.hi[at] === hi &&
        this.attributes[at] === attributes &&
        this.level[at] === level
      )
        return at;
    }
    let record = this.#unused;
    if (record !== NOWHERE) this.#unused = this.next[record]!;
    else if (this.#high < this.capacity) record = this.#high++;
    else {
      this.lost++;
      return NOWHERE;
    }
    this.owner[record] = owner.id;
    this.isTable[record] = isTable;
    this.level[record] = level;
    this.lo[record] = lo;
    this.hi[record] = hi;
    this.frame[record] = frame;
    this.attributes[record] = attributes;
    this.verdict[record] = LIVE;
    if (source === NOWHERE) this.changed.put(record, sequence, context);
    else this.changed.copy(record, this.changed, source);
    this.goneAt[record] = -1;
    this.#nextOfFrame[record] = head;
    this.#previousOfFrame[record] = NOWHERE;
    if (head !== NOWHERE) this.#previousOfFrame[head] = record;
    heads[frame] = record;
    this.next[record] = owner.first;
    this.previous[record] = NOWHERE;
    if (owner.first !== NOWHERE) this.previous[owner.first] = record;
    owner.first = record;
    return record;
  }

  /** No walker can make a record again after an event, if it was no later one: a store, or (1) no store. */
  gone(record: number, sequence: number, wasUnloaded: 0 | 1): void {
    if (sequence < this.goneAt[record]!) return;
    this.goneAt[record] = sequence;
    this.wasUnloaded[record] = wasUnloaded;
  }

  /** Takes a record out of both lists; its `next` must have been read before. */
  remove(owner: RecordOwner, record: number): void {
    const next = this.next[record]!;
    const previous = this.previous[record]!;
    if (next !== NOWHERE) this.previous[next] = previous;
    if (previous !== NOWHERE) this.next[previous] = next;
    else owner.first = next;
    const nextOfFrame = this.#nextOfFrame[record]!;
    const previousOfFrame = this.#previousOfFrame[record]!;
    if (nextOfFrame !== NOWHERE) this.#previousOfFrame[nextOfFrame] = previousOfFrame;
    if (previousOfFrame !== NOWHERE) this.#nextOfFrame[previousOfFrame] = nextOfFrame;
    else this.#headsOf(record)[this.frame[record]!] = nextOfFrame;
    this.verdict[record] = UNUSED;
    this.next[record] = this.#unused;
    this.#unused = record;
  }

  /** One report is enough for a record. */
  silence(record: number): void {
    this.verdict[record] = REPORTED;
  }

  save(): RecordsState {
    return {
      columns: this.#columns.map((column) => column.slice(0, this.#high)),
      high: this.#high,
      unused: this.#unused,
      lost: this.lost,
    };
  }

  /** Takes time in the records of now and of then. */
  restore(state: RecordsState): void {
    for (let record = 0; record < this.#high; record++) {
      if (this.verdict[record] !== UNUSED) this.#headsOf(record)[this.frame[record]!] = NOWHERE;
    }
    const columns = this.#columns;
    for (let i = 0; i < columns.length; i++) columns[i]!.set(state.columns[i]!);
    this.#high = state.high;
    this.#unused = state.unused;
    this.lost = state.lost;
    for (let record = 0; record < this.#high; record++) {
      if (this.verdict[record] === UNUSED || this.#previousOfFrame[record] !== NOWHERE) continue;
      this.#headsOf(record)[this.frame[record]!] = record;
    }
  }

  #headsOf(record: number): Int32Array {
    return this.isTable[record] === 1 ? this.#tableHeads : this.#leafHeads;
  }
}

/** An address lies in the 2^shift bytes from a base. */
export function isInside(baseLo: number, baseHi: number, shift: number, lo: number, hi: number): boolean {
  if (shift < 32) return hi === baseHi && ((lo ^ baseLo) & (-1 << shift)) === 0;
  return ((hi ^ baseHi) & (-1 << (shift - 32))) === 0;
}
