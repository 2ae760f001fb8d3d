/**
 * What the coherence ledger knows of each holding (a TLB or walk-cache entry), in columns, and the lists of those that
 * lead to one frame or table page. Rows that change are noted, so that going back to the last saved state copies these
 * alone.
 */
import { EventColumn, NOWHERE, RowJournal } from "./ledger-store.ts";

/** What is known of each holding. */
export class Holdings {
  /** Heads of the lists. */
  readonly heads: Int32Array;
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
  /** What changed since `#base`, the state that was saved or restored last. */
  readonly #rows: RowJournal;
  readonly #lists: RowJournal;
  #base: Holdings | null = null;

  constructor(length: number, lists: number) {
    this.#rows = new RowJournal(length);
    this.#lists = new RowJournal(lists);
    this.heads = new Int32Array(lists).fill(NOWHERE);
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

  /** The holding is about to change. @hot */
  note(holding: number): void {
    this.#rows.note(holding);
  }

  /** Puts a holding at the head of a list. @hot */
  link(holding: number, list: number): void {
    const head = this.heads[list];
    this.list[holding] = list;
    this.next[holding] = head;
    this.previous[holding] = NOWHERE;
    this.#rows.note(holding);
    if (head !== NOWHERE) {
      this.previous[head] = holding;
      this.#rows.note(head);
    }
    this.heads[list] = holding;
    this.#lists.note(list);
  }

  /** Takes a holding out of its list. @hot */
  unlink(holding: number): void {
    const list = this.list[holding];
    const next = this.next[holding];
    const previous = this.previous[holding];
    this.#rows.note(holding);
    if (next !== NOWHERE) {
      this.previous[next] = previous;
      this.#rows.note(next);
    }
    if (previous !== NOWHERE) {
      this.next[previous] = next;
      this.#rows.note(previous);
    } else {
      this.heads[list] = next;
      this.#lists.note(list);
    }
    this.list[holding] = NOWHERE;
  }

  /** A copy; restore() of the last one takes time in what changed since. */
  save(): Holdings {
    const state = new Holdings(this.list.length, this.heads.length);
    state.#set(this);
    this.#setBase(state);
    return state;
  }

  restore(state: Holdings): void {
    if (state !== this.#base) this.#set(state);
    else {
      const lists = this.#lists;
      for (let at = 0; at < lists.count; at++) this.heads[lists.rows[at]] = state.heads[lists.rows[at]];
      const rows = this.#rows;
      for (let at = 0; at < rows.count; at++) this.#copy(rows.rows[at], state);
    }
    this.#setBase(state);
  }

  #setBase(state: Holdings): void {
    this.#base = state;
    this.#rows.clear();
    this.#lists.clear();
  }

  #set(from: Holdings): void {
    this.heads.set(from.heads);
    this.next.set(from.next);
    this.previous.set(from.previous);
    this.list.set(from.list);
    this.lo.set(from.lo);
    this.hi.set(from.hi);
    this.shift.set(from.shift);
    this.isTable.set(from.isTable);
    this.context.set(from.context);
    this.frame.set(from.frame);
    this.core.set(from.core);
    this.verdict.set(from.verdict);
    this.filled.set(from.filled);
    this.freed.set(from.freed);
  }

  /** One holding as it is there. @hot */
  #copy(at: number, from: Holdings): void {
    this.next[at] = from.next[at];
    this.previous[at] = from.previous[at];
    this.list[at] = from.list[at];
    this.lo[at] = from.lo[at];
    this.hi[at] = from.hi[at];
    this.shift[at] = from.shift[at];
    this.isTable[at] = from.isTable[at];
    this.context[at] = from.context[at];
    this.frame[at] = from.frame[at];
    this.verdict[at] = from.verdict[at];
    this.filled.copy(at, from.filled, at);
    this.freed.copy(at, from.freed, at);
  }
}
