/** Page tables and slab objects that were freed and not handed out since. */
import { frameText } from "./text.ts";

interface FreedObject {
  readonly at: number;
  readonly cache: string;
}

const WORD_BYTES = 8;

export class FreedMemory {
  readonly #tables: Set<number> = new Set();
  /** By the address of each of its words. */
  readonly #objects: Map<number, FreedObject> = new Map();

  /** A frame that was a page table. */
  addFrame(frame: number): void {
    this.#tables.add(frame);
  }

  removeFrame(frame: number): void {
    this.#tables.delete(frame);
  }

  addObject(at: number, bytes: number, cache: string): void {
    const object = { at, cache };
    for (let word = at; word < at + bytes; word += WORD_BYTES) this.#objects.set(word, object);
  }

  removeObject(at: number, bytes: number): void {
    for (let word = at; word < at + bytes; word += WORD_BYTES) this.#objects.delete(word);
  }

  /** What an address belongs to; null: to nothing that was freed. */
  nameAt(pa: number): string | null {
    const frame = Math.floor(pa / 4096);
    if (this.#tables.has(frame)) return `table ${frameText(frame)}`;
    const object = this.#objects.get(pa - (pa % WORD_BYTES));
    return object === undefined ? null : `${object.cache} ${object.at.toString(16)}+${pa - object.at}`;
  }
}
