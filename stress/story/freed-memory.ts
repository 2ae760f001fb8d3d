/** Page tables and slab objects that were freed: who uses one afterwards, or kept it over the moment, has lost a race. */
import { frameText } from "./text.ts";

interface FreedObject {
  readonly at: number;
  readonly cache: string;
  /** Events recorded before it was freed. */
  readonly when: number;
  /** It was handed out again. */
  reused: boolean;
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

  /** @param when events recorded so far */
  addObject(at: number, bytes: number, cache: string, when: number): void {
    const object = { at, cache, when, reused: false };
    for (let word = at; word < at + bytes; word += WORD_BYTES) this.#objects.set(word, object);
  }

  /** It is somebody else's now. */
  reuseObject(at: number, bytes: number): void {
    for (let word = at; word < at + bytes; word += WORD_BYTES) {
      const object = this.#objects.get(word);
      if (object !== undefined) object.reused = true;
    }
  }

  /**
   * What an address belongs to; null: to nothing that was freed, or to what was handed out again since.
   * @param section events recorded when the reader's RCU section began: what was freed since is not to be reused in it
   */
  nameAt(pa: number, section: number | null): string | null {
    const frame = Math.floor(pa / 4096);
    if (this.#tables.has(frame)) return `table ${frameText(frame)}`;
    const word = pa - (pa % WORD_BYTES);
    const object = this.#objects.get(word);
    if (object === undefined) return null;
    const { at, cache, when, reused } = object;
    if (reused && (section === null || when < section)) return null;
    return `${cache} ${at.toString(16)}+${word - at}${reused ? ", reused" : ""}`;
  }
}
