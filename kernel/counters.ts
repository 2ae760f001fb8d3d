/** Event counters under their published names (`pgfault`, `SPF_ATTEMPT`), as /proc/vmstat prints them. */
declare const counter: unique symbol;
export type CounterId = number & { readonly [counter]: true };

export class Counters {
  readonly #names: string[] = [];
  readonly #ids = new Map<string, CounterId>();
  readonly #values: number[] = [];

  /** The counter of this name, created at 0; names keep the order of their creation. */
  register(name: string): CounterId {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = this.#names.length as CounterId;
    this.#names.push(name);
    this.#values.push(0);
    this.#ids.set(name, id);
    return id;
  }

  /** @hot */
  add(id: CounterId, amount: number): void {
    this.#values[id]! += amount;
  }

  /** Counts one event by name; for rare events. */
  count(name: string): void {
    this.#values[this.register(name)]!++;
  }

  /** Value of a counter; 0 if it does not exist. */
  get(name: string): number {
    const id = this.#ids.get(name);
    return id === undefined ? 0 : this.#values[id]!;
  }

  entries(): [string, number][] {
    return this.#names.map((name, id) => [name, this.#values[id]!]);
  }

  save(): [string, number][] {
    return this.entries();
  }

  restore(state: unknown): void {
    const saved = state as readonly (readonly [string, number])[];
    this.#values.fill(0);
    for (let id = 0; id < saved.length; id++) {
      const [name, value] = saved[id]!;
      this.#values[this.#names[id] === name ? id : this.register(name)] = value;
    }
  }
}
