/**
 * What is remembered of each word of RAM (32 bits): when each core last read and wrote it, plainly and marked, and what
 * the last marked write released. A word gets a record when it is first touched in a run; a new run forgets all records.
 *
 *     record:  word | discipline | owner | released[cores] | last access of each kind [kinds][cores] | its note [kinds][cores]
 *
 * Most words are touched by one core only, and then nothing can conflict and there is nothing to learn: such a word has
 * an owner until another core comes.
 */
import type { Clocks } from "./clocks.ts";

/** Kinds of access. */
export const PLAIN_WRITE = 0;
export const MARKED_WRITE = 1;
export const PLAIN_READ = 2;
export const MARKED_READ = 3;
/** A marked read of a copy that a sequence count will judge. */
export const COPY_READ = 4;
const KINDS = 5;
export type AccessKind = 0 | 1 | 2 | 3 | 4;
export const ACCESS_NAMES: readonly string[] = [
  "plain write",
  "marked write",
  "plain read",
  "marked read",
  "read of a copy",
];

/** For each kind the kinds that it must be ordered with, as bits: at least one of two writes, at least one is plain. */
const CONFLICTS: readonly number[] = [
  (1 << PLAIN_WRITE) | (1 << MARKED_WRITE) | (1 << PLAIN_READ) | (1 << MARKED_READ) | (1 << COPY_READ),
  (1 << PLAIN_WRITE) | (1 << PLAIN_READ),
  (1 << PLAIN_WRITE) | (1 << MARKED_WRITE),
  1 << PLAIN_WRITE,
  1 << PLAIN_WRITE,
];

/** Disciplines of words. */
export const CHECKED = 0;
/** Declared atomic: every access is one atomic operation, marked wherever it stands. */
export const ATOMIC = 1;
/** A lock, judged by its owners; or private to what the core executes. */
export const IGNORED = 2;
/** Declared for lockless use: one access of a step to such a word is the marked one, wherever in the step it stands. */
export const LOCKLESS = 3;
export type Discipline = 0 | 1 | 2 | 3;

/** Steps whose marked access is remembered. */
const STEPS = 4096;
const NOT_CLAIMED = -1;
/** Note of an access that is a step by itself: a walk of the hardware. */
export const ALONE = 0;

const WORD = 0;
const DISCIPLINE = 1;
/** The only core so far, plus 1; 0: none. */
const OWNER = 2;
const SHARED = -1;
const RELEASED = 3;

/** Nothing conflicts. */
export const NO_CONFLICT = -1;

export class Shadow {
  /** The access that the last one conflicts with: its kind, time on its core, and note. */
  conflictKind: AccessKind = PLAIN_WRITE;
  conflictTime = 0;
  conflictNote = 0;
  readonly #clocks: Clocks;
  readonly #cores: number;
  readonly #strideWords: number;
  readonly #lastAt: number;
  readonly #noteAt: number;
  readonly #disciplineOf: (word: number) => Discipline;
  /** Per word: its record, or 0. */
  readonly #recordOf: Int32Array;
  #records: Int32Array;
  #end: number;
  /** End of the records of locks that every run begins with. */
  #keptEnd: number;
  /** By note: the 8 bytes that the step's marked access among lockless words was to. */
  readonly #claims: Int32Array = new Int32Array(STEPS);
  #lastNote = 0;

  /** @param disciplineOf asked once per record */
  constructor(words: number, clocks: Clocks, disciplineOf: (word: number) => Discipline) {
    const { cores } = clocks;
    this.#clocks = clocks;
    this.#cores = cores;
    this.#lastAt = RELEASED + cores;
    this.#noteAt = this.#lastAt + KINDS * cores;
    this.#strideWords = this.#noteAt + KINDS * cores;
    this.#disciplineOf = disciplineOf;
    this.#recordOf = new Int32Array(words);
    this.#records = new Int32Array(this.#strideWords * 1024);
    this.#end = this.#keptEnd = this.#strideWords;
  }

  /** Forgets every word but that these are locks, in this run and every later one. */
  keepLocks(words: Iterable<number>): void {
    this.#keptEnd = this.#strideWords;
    this.clear();
    for (const word of words) this.makeLock(word);
    this.#keptEnd = this.#end;
  }

  /** Forgets every word. Costs what was touched. */
  clear(): void {
    const records = this.#records;
    for (let at = this.#keptEnd; at < this.#end; at += this.#strideWords) {
      this.#recordOf[records[at + WORD]!] = 0;
    }
    for (let at = this.#strideWords; at < this.#keptEnd; at += this.#strideWords) {
      records.fill(0, at + OWNER, at + this.#strideWords);
      this.#recordOf[records[at + WORD]!] = at;
    }
    records.fill(0, this.#keptEnd, this.#end);
    this.#end = this.#keptEnd;
    this.#lastNote = 0;
  }

  /** A step begins: what it accesses has this note. @hot */
  beginStep(note: number): void {
    this.#lastNote = note;
    this.#claims[note % STEPS] = NOT_CLAIMED;
  }

  /** Forgets words first … end-1: they are something new. */
  forget(first: number, end: number): void {
    for (let word = first; word < end; word++) this.#recordOf[word] = 0;
  }

  /** The word is a lock from now on: only lockAcquired() and lockReleased() know of it. */
  makeLock(word: number): void {
    const at = this.#record(word);
    if (this.#records[at + DISCIPLINE] === IGNORED) return;
    this.#records[at + DISCIPLINE] = IGNORED;
    this.#records.fill(0, at + RELEASED, at + this.#strideWords);
  }

  /** A lock is taken: what writers released, and for a writer what readers did. */
  lockAcquired(core: number, word: number, mode: "exclusive" | "shared"): void {
    this.makeLock(word);
    const at = this.#record(word);
    this.#clocks.acquire(core, this.#records, at + RELEASED);
    if (mode === "exclusive") this.#clocks.acquire(core, this.#records, at + this.#lastAt);
  }

  /**
   * What a reader did is known to the next writer, not to the next reader. What the core does in the rest of the step is
   * done before anybody else takes the lock: the caller ticks when the step ends.
   */
  lockReleased(core: number, word: number, mode: "exclusive" | "shared"): void {
    this.makeLock(word);
    const at = this.#record(word);
    this.#clocks.release(core, this.#records, at + (mode === "exclusive" ? RELEASED : this.#lastAt));
  }

  /**
   * One access of a core.
   * @param asked what it is, if the word does not decide
   * @param note who and where, for a report
   * @returns the core whose access is not ordered with it, or NO_CONFLICT @hot
   */
  access(core: number, word: number, asked: AccessKind, note: number): number {
    const at = this.#record(word);
    const records = this.#records;
    const discipline = records[at + DISCIPLINE]!;
    let kind = asked;
    if (discipline !== CHECKED) {
      if (discipline === IGNORED) return NO_CONFLICT;
      if (discipline === LOCKLESS) {
        if (this.#isAlone(core, at)) {
          this.#store(core, at, asked <= MARKED_WRITE ? PLAIN_WRITE : PLAIN_READ, note);
          if (asked <= MARKED_WRITE) this.#publish(core, at);
          return NO_CONFLICT;
        }
        return this.#lockless(core, at, word >>> 1, asked <= MARKED_WRITE, note);
      }
      kind = asked === PLAIN_WRITE ? MARKED_WRITE : asked === PLAIN_READ ? MARKED_READ : asked;
    }
    const cores = this.#cores;
    const own = this.#clocks.now[core * cores + core]!;
    const isPlain = kind === PLAIN_WRITE || kind === PLAIN_READ;
    if (isPlain && records[at + this.#lastAt + kind * cores + core] === own) return NO_CONFLICT;
    const conflict = this.#isAlone(core, at) ? NO_CONFLICT : this.#conflict(core, at, kind);
    this.#store(core, at, kind, note);
    if (kind === MARKED_WRITE) this.#publish(core, at);
    return conflict;
  }

  /** Nobody else has touched the word. @hot */
  #isAlone(core: number, at: number): boolean {
    const records = this.#records;
    const owner = records[at + OWNER]!;
    if (owner === core + 1) return true;
    if (owner !== 0) {
      records[at + OWNER] = SHARED;
      return false;
    }
    records[at + OWNER] = core + 1;
    return true;
  }

  /** @hot */
  #store(core: number, at: number, kind: AccessKind, note: number): void {
    const cores = this.#cores;
    const place = at + this.#lastAt + kind * cores + core;
    this.#records[place] = this.#clocks.now[core * cores + core]!;
    this.#records[place + KINDS * cores] = note;
  }

  /** A marked write: who reads it marked learns what the core knows. @hot */
  #publish(core: number, at: number): void {
    this.#clocks.replace(core, this.#records, at + RELEASED);
    this.#clocks.tick(core);
  }

  /** Learns from others if it may, and finds the access that is not ordered with this one. @hot */
  #conflict(core: number, at: number, kind: AccessKind): number {
    const records = this.#records;
    const last = at + this.#lastAt;
    const cores = this.#cores;
    const { now } = this.#clocks;
    const row = core * cores;
    if (kind >= MARKED_READ) this.#clocks.acquire(core, records, at + RELEASED);
    let conflict = NO_CONFLICT;
    const against = CONFLICTS[kind]!;
    for (let other = 0; other < cores; other++) {
      if (other === core) continue;
      const known = now[row + other]!;
      for (let each = 0; each < KINDS; each++) {
        if ((against & (1 << each)) === 0 || records[last + each * cores + other]! <= known) continue;
        if (conflict !== NO_CONFLICT && each === COPY_READ) continue;
        conflict = other;
        this.conflictKind = each as AccessKind;
        this.conflictTime = records[last + each * cores + other]!;
        this.conflictNote = records[at + this.#noteAt + each * cores + other]!;
        break;
      }
    }
    return conflict;
  }

  /**
   * Of accesses that conflict each takes the mark of its step. What reads is then ordered after what it reads; a step
   * that needs its mark twice has a race. @hot
   */
  #lockless(core: number, at: number, unit: number, writes: boolean, note: number): number {
    const records = this.#records;
    const cores = this.#cores;
    const { now } = this.#clocks;
    const row = core * cores;
    const last = at + this.#lastAt;
    const notes = at + this.#noteAt;
    let conflict = NO_CONFLICT;
    let learns = false;
    for (let other = 0; other < cores; other++) {
      if (other === core) continue;
      const known = now[row + other]!;
      for (let each: number = PLAIN_WRITE; each <= (writes ? PLAIN_READ : PLAIN_WRITE); each += PLAIN_READ) {
        const time = records[last + each * cores + other]!;
        if (time <= known) continue;
        const before = records[notes + each * cores + other]!;
        if (this.#claim(note, unit) && this.#claim(before, unit)) {
          if (each === PLAIN_WRITE && !writes) learns = true;
          continue;
        }
        conflict = other;
        this.conflictKind = each as AccessKind;
        this.conflictTime = time;
        this.conflictNote = before;
      }
    }
    if (learns) this.#clocks.acquire(core, records, at + RELEASED);
    this.#store(core, at, writes ? PLAIN_WRITE : PLAIN_READ, note);
    if (writes) this.#publish(core, at);
    return conflict;
  }

  /** A walk of the hardware on a core reads an entry: a step of its own, from which kernel code learns nothing. @hot */
  walked(core: number, word: number): number {
    const at = this.#record(word);
    if (this.#isAlone(core, at)) {
      this.#store(core, at, PLAIN_READ, ALONE);
      return NO_CONFLICT;
    }
    const records = this.#records;
    const cores = this.#cores;
    const { now } = this.#clocks;
    const last = at + this.#lastAt;
    let conflict = NO_CONFLICT;
    for (let other = 0; other < cores; other++) {
      if (other === core || records[last + PLAIN_WRITE * cores + other]! <= now[core * cores + other]!)
        continue;
      const before = records[at + this.#noteAt + PLAIN_WRITE * cores + other]!;
      if (this.#claim(before, word >>> 1)) continue;
      conflict = other;
      this.conflictKind = PLAIN_WRITE;
      this.conflictNote = before;
    }
    this.#store(core, at, PLAIN_READ, ALONE);
    return conflict;
  }

  /** The step's mark goes to these 8 bytes; false: it is spent. @hot */
  #claim(note: number, unit: number): boolean {
    if (note === ALONE || this.#lastNote - note >= STEPS) return true;
    const claimed = this.#claims[note % STEPS]!;
    if (claimed === NOT_CLAIMED) this.#claims[note % STEPS] = unit;
    return claimed === NOT_CLAIMED || claimed === unit;
  }

  /** @hot */
  #record(word: number): number {
    const at = this.#recordOf[word]!;
    return at === 0 ? this.#create(word) : at;
  }

  #create(word: number): number {
    const at = this.#end;
    this.#end += this.#strideWords;
    if (this.#end > this.#records.length) {
      const grown = new Int32Array(this.#records.length * 2);
      grown.set(this.#records);
      this.#records = grown;
    }
    this.#recordOf[word] = at;
    this.#records[at + WORD] = word;
    this.#records[at + DISCIPLINE] = this.#disciplineOf(word);
    return at;
  }
}
