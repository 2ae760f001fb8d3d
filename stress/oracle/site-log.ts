/**
 * Sites of events that may turn out to be the earlier half of a violation. Noting one allocates nothing: the records are
 * a ring of preallocated words, and only a report makes an object and text of one.
 */
import type { Context, LockClass } from "../../kernel/index.ts";
import { type Site, vaOfPage } from "./violation.ts";

/** Events remembered, and locks of each. */
const RECORDS = 4096;
const LOCKS = 6;

/** A noted event; NO_SITE: none. */
export type SiteNote = number;
export const NO_SITE: SiteNote = 0;

export class SiteLog {
  /** Notes so far, plus one; a note is its number. */
  #next = 1;
  readonly #core = new Int32Array(RECORDS);
  readonly #pid = new Int32Array(RECORDS);
  readonly #time = new Float64Array(RECORDS);
  readonly #page = new Float64Array(RECORDS);
  readonly #what: string[] = new Array<string>(RECORDS).fill("");
  readonly #locks = new Uint8Array(RECORDS);
  readonly #lockClass: (LockClass | null)[] = new Array<LockClass | null>(RECORDS * LOCKS).fill(null);
  readonly #lockAt = new Int32Array(RECORDS * LOCKS);

  /** Forgets everything. */
  clear(): void {
    this.#next = 1;
  }

  /** @param what constant words @param page page that it is about, or -1 @hot */
  note(k: Context, what: string, page: number): SiteNote {
    const note = this.#next++;
    const at = note % RECORDS;
    this.#core[at] = k.cpu.id;
    this.#pid[at] = k.task === null ? 0 : k.task.pid;
    this.#time[at] = k.cpu.clock;
    this.#page[at] = page;
    this.#what[at] = what;
    const held = k.held;
    const locks = held.count < LOCKS ? held.count : LOCKS;
    this.#locks[at] = locks;
    for (let index = 0; index < locks; index++) {
      this.#lockClass[at * LOCKS + index] = held.classes[index]!;
      this.#lockAt[at * LOCKS + index] = held.at[index]!;
    }
    return note;
  }

  /** The same for what a core did in user mode. */
  noteUser(core: number, pid: number, time: number, what: string, page: number): SiteNote {
    const note = this.#next++;
    const at = note % RECORDS;
    this.#core[at] = core;
    this.#pid[at] = pid;
    this.#time[at] = time;
    this.#page[at] = page;
    this.#what[at] = what;
    this.#locks[at] = 0;
    return note;
  }

  /** The site of a note; null: there is none, or it is too long ago. */
  site(note: SiteNote): Site | null {
    if (note === NO_SITE || note >= this.#next || this.#next - note > RECORDS) return null;
    const at = note % RECORDS;
    const count = this.#locks[at]!;
    let locks = count === 0 ? "no locks held" : `${count} lock${count === 1 ? "" : "s"} held:`;
    for (let index = 0; index < count; index++) {
      const cls = this.#lockClass[at * LOCKS + index]!;
      locks += ` #${index}: ${cls.name}@${(this.#lockAt[at * LOCKS + index]! >>> 0).toString(16)}`;
    }
    const page = this.#page[at]!;
    return {
      core: this.#core[at]!,
      time: this.#time[at]!,
      what: this.#what[at]!,
      pid: this.#pid[at]!,
      va: page < 0 ? null : vaOfPage(page),
      locks,
    };
  }
}
