/**
 * The adversarial policy's events, whatever the architecture: at each slice start any entry may be evicted, an address that
 * was used or invalidated lately may be prefetched again, or any address at all under the loaded tables. How an address is
 * prefetched, and how one is found by a descent through the tables, is the architecture's.
 *
 * State, in the core's words: the random numbers' at `random`, and RECENT_WORDS from `recent` on, addresses and the next
 * place among them.
 */
import { randomBelow } from "./random.ts";
import type { SetArray } from "./set-array.ts";

/** Addresses that are remembered. */
const RECENT_LENGTH = 8;
export const RECENT_WORDS: number = RECENT_LENGTH * 2 + 1;

export interface AdversaryState {
  readonly words: Int32Array;
  readonly random: number;
  readonly recent: number;
}

export abstract class Adversary {
  protected readonly words: Int32Array;
  readonly #random: number;
  readonly #recent: number;
  readonly #arrays: readonly SetArray[];

  /** @param arrays everything that entries can be evicted from */
  constructor(state: AdversaryState, arrays: readonly SetArray[]) {
    this.words = state.words;
    this.#random = state.random;
    this.#recent = state.recent;
    this.#arrays = arrays;
  }

  /** One event, or none, by seeded choice. */
  perturb(): void {
    const choice = this.choose(16);
    if (choice < 4) this.#evictAny();
    else if (choice < 8) this.#prefetchRecent();
    else if (choice < 10) this.prefetchAny();
  }

  /** Notes an address that may be worth prefetching again. */
  remember(lo: number, hi: number): void {
    const words = this.words;
    const nextAt = this.#recent + RECENT_LENGTH * 2;
    const at = this.#recent + words[nextAt] * 2;
    words[at] = lo & ~0xfff;
    words[at + 1] = hi;
    words[nextAt] = (words[nextAt] + 1) % RECENT_LENGTH;
  }

  /** Prefetches the translation of a remembered address, if there is one under the loaded tables. */
  protected abstract prefetch(lo: number, hi: number): void;

  /** Prefetches an address that is found by a random descent through the tables in memory. */
  protected abstract prefetchAny(): void;

  /** 0 … bound-1. */
  protected choose(bound: number): number {
    return randomBelow(this.words, this.#random, bound);
  }

  #evictAny(): void {
    const array = this.#arrays[this.choose(this.#arrays.length)];
    array.evictAt(array.entryAt(this.choose(array.entries)));
  }

  #prefetchRecent(): void {
    const at = this.#recent + this.choose(RECENT_LENGTH) * 2;
    this.prefetch(this.words[at], this.words[at + 1]);
  }
}
