/**
 * The trace hash and event counts of a run. Every event is mixed into two 32-bit lanes in the order in which it
 * happened; two runs with the same program, machine and seed have the same hash. A sink, if there is one, gets the
 * events themselves.
 */
export interface TraceSink {
  event(core: number, clock: number, name: string, a: number, b: number): void;
}

export class Trace {
  #laneA = 0x811c_9dc5 | 0;
  #laneB = 0x1234_5678 | 0;
  /** Numbers of names, in order of first appearance. */
  readonly #ids: Map<string, number> = new Map();
  readonly #names: string[] = [];
  readonly #counts: number[] = [];
  sink: TraceSink | null = null;

  /** Notes an event; a and b are taken modulo 2^32. */
  event(core: number, clock: number, name: string, a: number, b: number): void {
    const id = this.#ids.get(name) ?? this.#add(name, 0);
    this.#counts[id]!++;
    this.mix(id * 4096 + core, a);
    this.mix(b, clock % 0x1_0000_0000);
    if (this.sink !== null) this.sink.event(core, clock, name, a, b);
  }

  /** Folds two words into the hash. @hot */
  mix(a: number, b: number): void {
    const x = Math.imul(this.#laneA ^ a, 0x0100_0193);
    this.#laneA = (x ^ (x >>> 15)) | 0;
    const y = Math.imul((this.#laneB ^ b) + this.#laneA, 0x85eb_ca6b);
    this.#laneB = (y ^ (y >>> 13)) | 0;
  }

  /** Events of a name so far. */
  count(name: string): number {
    const id = this.#ids.get(name);
    return id === undefined ? 0 : this.#counts[id]!;
  }

  /** Counts by name, in order of first appearance. */
  get counts(): ReadonlyMap<string, number> {
    return new Map(this.#names.map((name, id) => [name, this.#counts[id]!]));
  }

  /** 16 hex digits. */
  get hash(): string {
    return hex(this.#laneA) + hex(this.#laneB);
  }

  save(): unknown {
    const state: SavedTrace = {
      a: this.#laneA,
      b: this.#laneB,
      names: [...this.#names],
      counts: [...this.#counts],
    };
    return state;
  }

  restore(saved: unknown): void {
    const { a, b, names, counts } = saved as SavedTrace;
    this.#laneA = a;
    this.#laneB = b;
    // Going back to a state of this run, the names that were new since then are all that differs.
    let known = 0;
    while (known < names.length && this.#names[known] === names[known]) known++;
    while (this.#names.length > known) this.#ids.delete(this.#names.pop()!);
    this.#counts.length = known;
    for (let id = 0; id < known; id++) this.#counts[id] = counts[id]!;
    for (let id = known; id < names.length; id++) this.#add(names[id]!, counts[id]!);
  }

  #add(name: string, count: number): number {
    const id = this.#names.push(name) - 1;
    this.#ids.set(name, id);
    this.#counts.push(count);
    return id;
  }
}

interface SavedTrace {
  readonly a: number;
  readonly b: number;
  readonly names: readonly string[];
  readonly counts: readonly number[];
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}
