/**
 * What the events of a run touched, so that the earlier events that an event conflicts with are found by following a
 * chain. Places are numbers below a bound (words of memory, and whatever else two events can disagree on); two events
 * conflict if both touched a place and one of them changed it.
 *
 * It is a stack: the entries of the last events go when a search goes back.
 *
 *     place -> last entry -> the entry before it …        (every touch)
 *     place -> last change -> the change before it …      (changes alone: what a look conflicts with)
 */
const NONE = -1;
const FIRST_CAPACITY = 4096;

export class ConflictIndex {
  /** Entries. */
  count = 0;
  readonly #last: Int32Array;
  readonly #lastChange: Int32Array;
  #place: Int32Array = new Int32Array(FIRST_CAPACITY);
  #event: Int32Array = new Int32Array(FIRST_CAPACITY);
  #changes: Uint8Array = new Uint8Array(FIRST_CAPACITY);
  #unseen: Uint8Array = new Uint8Array(FIRST_CAPACITY);
  #before: Int32Array = new Int32Array(FIRST_CAPACITY);
  #changeBefore: Int32Array = new Int32Array(FIRST_CAPACITY);

  /** @param places exclusive bound of the places */
  constructor(places: number) {
    this.#last = new Int32Array(places).fill(NONE);
    this.#lastChange = new Int32Array(places).fill(NONE);
  }

  /** The present event, the youngest of all, touched a place; 1 in `unseen`: nobody has seen so far what it did. @hot */
  touch(event: number, place: number, changes: 0 | 1, unseen: 0 | 1): void {
    const last = this.#last[place]!;
    if (last !== NONE && this.#event[last] === event) {
      this.#unseen[last]! &= unseen;
      if (changes === 1 && this.#changes[last] === 0) {
        this.#changes[last] = 1;
        this.#lastChange[place] = last;
      }
      return;
    }
    const at = this.count++;
    if (at === this.#place.length) this.#grow();
    this.#place[at] = place;
    this.#event[at] = event;
    this.#changes[at] = changes;
    this.#unseen[at] = unseen;
    this.#before[at] = last;
    this.#changeBefore[at] = this.#lastChange[place]!;
    this.#last[place] = at;
    if (changes === 1) this.#lastChange[place] = at;
  }

  /** The present event's look at a place does not count for events after it. */
  forget(event: number, place: number): void {
    const last = this.#last[place]!;
    if (last === NONE || this.#event[last] !== event || this.#changes[last] === 1) return;
    this.#last[place] = this.#before[last]!;
  }

  /** Forgets the entries from `count` on. */
  truncate(count: number): void {
    while (this.count > count) {
      const at = --this.count;
      const place = this.#place[at]!;
      this.#last[place] = this.#before[at]!;
      if (this.#lastChange[place] === at) this.#lastChange[place] = this.#changeBefore[at]!;
    }
  }

  /** The youngest older entry that an entry conflicts with, or -1. @hot */
  conflictOf(entry: number): number {
    return this.#changes[entry] === 1 ? this.#before[entry]! : this.#changeBefore[entry]!;
  }

  /** The next older entry that `entry` conflicts with, behind `found`, which conflictOf() or this gave. @hot */
  conflictBefore(entry: number, found: number): number {
    return this.#changes[entry] === 1 ? this.#before[found]! : this.#changeBefore[found]!;
  }

  eventOf(entry: number): number {
    return this.#event[entry]!;
  }

  placeOf(entry: number): number {
    return this.#place[entry]!;
  }

  /** 1: the place was changed. */
  changeOf(entry: number): 0 | 1 {
    return this.#changes[entry] as 0 | 1;
  }

  isUnseen(entry: number): boolean {
    return this.#unseen[entry] === 1;
  }

  #grow(): void {
    const grown = <Kind extends Int32Array | Uint8Array>(old: Kind, array: Kind): Kind => {
      array.set(old);
      return array;
    };
    const capacity = this.#place.length * 2;
    this.#place = grown(this.#place, new Int32Array(capacity));
    this.#event = grown(this.#event, new Int32Array(capacity));
    this.#before = grown(this.#before, new Int32Array(capacity));
    this.#changeBefore = grown(this.#changeBefore, new Int32Array(capacity));
    this.#changes = grown(this.#changes, new Uint8Array(capacity));
    this.#unseen = grown(this.#unseen, new Uint8Array(capacity));
  }
}
