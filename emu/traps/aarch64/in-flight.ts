/**
 * What is under way at a core and takes effect at a moment of its own: invalidations that others broadcast to it, and its
 * own page-table stores that walkers do not see yet. In exploring runs one agent grants both; an invalidation goes first,
 * so that it may overtake a store, which the scheduler prevents by granting the store before.
 */
import type { LateStores } from "../../../mmu/index.ts";
import type { BroadcastSource } from "../../cores/index.ts";
import type { Broadcasts } from "../../interrupts/index.ts";

export class InFlight implements BroadcastSource {
  readonly #broadcasts: Broadcasts;
  readonly #lateStores: LateStores | null;

  constructor(broadcasts: Broadcasts, lateStores: LateStores | null) {
    this.#broadcasts = broadcasts;
    this.#lateStores = lateStores;
  }

  /** @hot */
  get count(): number {
    return this.#broadcasts.count + (this.#lateStores === null ? 0 : this.#lateStores.count);
  }

  /** @hot */
  get nextTime(): number {
    return this.#broadcasts.nextTime;
  }

  /** @hot */
  advance(clock: number): void {
    this.#broadcasts.advance(clock);
  }

  applyFirst(): void {
    if (this.#broadcasts.count > 0) this.#broadcasts.applyFirst();
    else this.#lateStores?.completeFirst();
  }

  settle(): void {
    this.#broadcasts.settle();
  }

  complete(): boolean {
    return this.#broadcasts.complete();
  }

  get completionTime(): number {
    return this.#broadcasts.completionTime;
  }

  get awaited(): number {
    return this.#broadcasts.awaited;
  }

  /** Operations of this core that another one has not carried out yet. */
  get outstanding(): number {
    return this.#broadcasts.outstanding;
  }

  /** Sends an operation to every other core. */
  send(code: number, lo: number, hi: number): void {
    this.#broadcasts.send(code, lo, hi);
  }

  hash(seed: number): number {
    return this.#broadcasts.hash(seed);
  }
}
