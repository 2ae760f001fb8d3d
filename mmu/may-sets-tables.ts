/**
 * The page-table pages that some core's walker may be led to: linked when a root is loaded or an entry above is written,
 * and followed until the page is freed. For each, which slots lead to it and when each of its slots last changed in a
 * way that walkers can tell. RAM marks their frames FRAME_WATCHED, so that every write to them is heard of.
 *
 * Addresses that the option isPermanent names (the kernel's half) are left out with everything below them.
 */
import { LEAF, type MayFormat, TABLE } from "./may-sets-format.ts";
import { FRAME_WATCHED, type PhysicalMemory } from "./memory.ts";
import { ATTRIBUTE_GLOBAL } from "./set-array.ts";

/** Entries of a table page. */
export const SLOTS = 512;

/** A slot's number: frame of its table * SLOTS + index. */
export function slotFrame(slot: number): number {
  return Math.floor(slot / SLOTS);
}

export class LinkedTable {
  readonly frame: number;
  /** Bit per level at which it serves; usually one. */
  levels = 0;
  /** Slots that lead here. */
  parents: number[] = [];
  /** By index: sequence number of the last change; null: none since it was linked. */
  lastChange: Float64Array | null = null;
  /** Since the base: linked; touched, with what it was. */
  isNew = false;
  isTouched = false;
  baseLevels = 0;
  /** null: the same as now. */
  baseParents: number[] | null = null;
  /** Pairs of index and former lastChange; so many words. */
  readonly changes: number[] = [];
  changesWords = 0;

  constructor(frame: number) {
    this.frame = frame;
  }

  changedAt(index: number): number {
    return this.lastChange === null ? 0 : this.lastChange[index]!;
  }
}

/** Saved tables; opaque. */
export interface TablesState {
  readonly tables: readonly {
    frame: number;
    levels: number;
    parents: readonly number[];
    lastChange: Float64Array | null;
  }[];
  readonly globals: readonly number[];
}

export class LinkedTables {
  /**
   * Per frame: slots of linked tables that map it, as the first frame of a page of any size; more than there are if a
   * table serves at several levels. 0: no need to search.
   */
  readonly mapped: Int32Array;
  /** Slots that hold a global leaf. */
  readonly globals: Set<number> = new Set();
  /** Some leaf is larger than a page of the leaf table. */
  hasLarge = false;
  readonly #ram: PhysicalMemory;
  readonly #isPermanent: (lo: number, hi: number) => boolean;
  readonly #of: (LinkedTable | undefined)[];
  /** That of the first core: set before the first root is loaded. */
  #format!: MayFormat;
  /** How to go back to the base. */
  readonly #touched: LinkedTable[] = [];
  readonly #removed: LinkedTable[] = [];
  readonly #mappedLog: number[] = [];
  #mappedWords = 0;
  /** Without a base nothing is kept of how to go back. */
  #hasBase = false;
  #baseGlobals: readonly number[] = [];
  #globalsTouched = false;

  constructor(ram: PhysicalMemory, isPermanent: (lo: number, hi: number) => boolean) {
    this.#ram = ram;
    this.#isPermanent = isPermanent;
    this.mapped = new Int32Array(ram.frames);
    this.#of = new Array<LinkedTable | undefined>(ram.frames).fill(undefined);
  }

  /** How entries are read. */
  setFormat(format: MayFormat): void {
    this.#format = format;
  }

  get(frame: number): LinkedTable | undefined {
    return this.#of[frame];
  }

  /** All, in ascending order of frames; for rare searches. */
  all(): LinkedTable[] {
    return this.#of.filter((table) => table !== undefined);
  }

  /** A value in a table maps a page whose first frame is this one. */
  maps(table: LinkedTable, lo: number, hi: number, frame: number): boolean {
    const format = this.#format;
    if (!format.isCacheable(lo, hi)) return false;
    for (let level = 1; table.levels >>> level !== 0; level++) {
      if ((table.levels & (1 << level)) === 0 || format.meaning(lo, hi, level) !== LEAF) continue;
      if (format.frame(lo, hi, level) === frame) return true;
    }
    return false;
  }

  /** A table page serves at a level from now on; what is below it is linked too. */
  link(frame: number, level: number): void {
    if (frame >= this.#ram.frames) return;
    let table = this.#of[frame];
    if (table === undefined) {
      table = new LinkedTable(frame);
      if (this.#hasBase) {
        table.isNew = table.isTouched = true;
        this.#touched.push(table);
      }
      this.#place(table);
    }
    if ((table.levels & (1 << level)) !== 0) return;
    this.#touch(table);
    table.levels |= 1 << level;
    const { i32 } = this.#ram;
    for (let index = 0; index < SLOTS; index++) {
      const at = frame * 1024 + index * 2;
      const lo = i32[at]!;
      const hi = i32[at + 1]!;
      if (this.#format.isCacheable(lo, hi)) this.#note(table, index, lo, hi);
    }
  }

  /** A table page is freed: nothing that it holds counts any more. */
  unlink(frame: number): void {
    const table = this.#of[frame];
    if (table === undefined) return;
    const { i32 } = this.#ram;
    for (let index = 0; index < SLOTS; index++) {
      const at = frame * 1024 + index * 2;
      if (this.#format.isCacheable(i32[at]!, i32[at + 1]!)) {
        this.#forget(table, index, i32[at]!, i32[at + 1]!);
      }
    }
    this.#of[frame] = undefined;
    this.#ram.frameFlags[frame]! &= ~FRAME_WATCHED;
    if (!table.isNew && this.#hasBase) this.#removed.push(table);
  }

  /** A slot changed from one value to another, which RAM holds now. */
  change(table: LinkedTable, index: number, oldLo: number, oldHi: number, sequence: number): void {
    this.#touch(table);
    table.lastChange ??= new Float64Array(SLOTS);
    if (this.#hasBase) {
      table.changes[table.changesWords++] = index;
      table.changes[table.changesWords++] = table.lastChange[index]!;
    }
    table.lastChange[index] = sequence;
    if (this.#format.isCacheable(oldLo, oldHi)) this.#forget(table, index, oldLo, oldHi);
    const at = table.frame * 1024 + index * 2;
    const { i32 } = this.#ram;
    if (this.#format.isCacheable(i32[at]!, i32[at + 1]!)) this.#note(table, index, i32[at]!, i32[at + 1]!);
  }

  save(): TablesState {
    return {
      tables: this.all().map(({ frame, levels, parents, lastChange }) => ({
        frame,
        levels,
        parents: [...parents],
        lastChange: lastChange === null ? null : lastChange.slice(),
      })),
      globals: [...this.globals],
    };
  }

  /** What is now is what rewind() goes back to. */
  setBase(): void {
    this.#hasBase = true;
    for (const table of this.#touched) {
      table.isNew = table.isTouched = false;
      table.changesWords = 0;
    }
    this.#touched.length = 0;
    this.#removed.length = 0;
    this.#mappedWords = 0;
    this.#baseGlobals = [...this.globals];
    this.#globalsTouched = false;
  }

  /** Goes back to the base, in time for what changed since. RAM may hold anything by now. */
  rewind(): void {
    for (const table of this.#touched) {
      if (table.isNew) {
        if (this.#of[table.frame] === table) this.#remove(table.frame);
        continue;
      }
      table.levels = table.baseLevels;
      if (table.baseParents !== null) table.parents = table.baseParents;
      for (let i = table.changesWords - 2; i >= 0; i -= 2) {
        table.lastChange![table.changes[i]!] = table.changes[i + 1]!;
      }
      table.changesWords = 0;
      table.isTouched = false;
    }
    this.#touched.length = 0;
    for (const table of this.#removed) this.#place(table);
    this.#removed.length = 0;
    for (let i = 0; i < this.#mappedWords; i += 2) {
      this.mapped[this.#mappedLog[i]!]! -= this.#mappedLog[i + 1]!;
    }
    this.#mappedWords = 0;
    if (this.#globalsTouched) this.#setGlobals(this.#baseGlobals);
  }

  /** Makes everything anew; RAM holds what it held when the state was saved. */
  restore(state: TablesState): void {
    for (let frame = 0; frame < this.#of.length; frame++) {
      if (this.#of[frame] !== undefined) this.#remove(frame);
    }
    this.mapped.fill(0);
    for (const saved of state.tables) {
      const table = new LinkedTable(saved.frame);
      table.levels = saved.levels;
      table.parents = [...saved.parents];
      table.lastChange = saved.lastChange === null ? null : saved.lastChange.slice();
      this.#place(table);
      this.#countLeaves(table);
    }
    this.#setGlobals(state.globals);
    this.setBase();
  }

  #place(table: LinkedTable): void {
    this.#of[table.frame] = table;
    this.#ram.frameFlags[table.frame]! |= FRAME_WATCHED;
  }

  #remove(frame: number): void {
    this.#of[frame] = undefined;
    this.#ram.frameFlags[frame]! &= ~FRAME_WATCHED;
  }

  #touch(table: LinkedTable): void {
    if (table.isTouched || !this.#hasBase) return;
    table.isTouched = true;
    table.baseLevels = table.levels;
    table.baseParents = null;
    this.#touched.push(table);
  }

  /** Its list of parents is about to change. */
  #touchParents(table: LinkedTable): void {
    this.#touch(table);
    if (table.baseParents !== null || !this.#hasBase) return;
    table.baseParents = table.parents;
    table.parents = [...table.parents];
  }

  /** An entry counts: the table that it leads to is linked, the frame that it maps is mapped. */
  #note(table: LinkedTable, index: number, lo: number, hi: number): void {
    let isLeaf = false;
    for (let level = 1; table.levels >>> level !== 0; level++) {
      if ((table.levels & (1 << level)) === 0) continue;
      const meaning = this.#format.meaning(lo, hi, level);
      if (meaning === LEAF && !isLeaf) {
        isLeaf = true;
        this.#count(this.#format.frame(lo, hi, level), 1);
        if (level > 1) this.hasLarge = true;
        if ((this.#format.leafAttributes(this.#format.rootRights, lo, hi) & ATTRIBUTE_GLOBAL) !== 0) {
          this.globals.add(table.frame * SLOTS + index);
          this.#globalsTouched = true;
        }
      } else if (meaning === TABLE && !this.#leadsToPermanent(index, level)) {
        const frame = this.#format.frame(lo, hi, level);
        this.link(frame, level - 1);
        const child = this.#of[frame];
        const slot = table.frame * SLOTS + index;
        if (child !== undefined && !child.parents.includes(slot)) {
          this.#touchParents(child);
          child.parents.push(slot);
        }
      }
    }
  }

  /** An entry counts no more. */
  #forget(table: LinkedTable, index: number, lo: number, hi: number): void {
    let isLeaf = false;
    for (let level = 1; table.levels >>> level !== 0; level++) {
      if ((table.levels & (1 << level)) === 0) continue;
      const meaning = this.#format.meaning(lo, hi, level);
      const slot = table.frame * SLOTS + index;
      if (meaning === LEAF && !isLeaf) {
        isLeaf = true;
        this.#count(this.#format.frame(lo, hi, level), -1);
        if (this.globals.delete(slot)) this.#globalsTouched = true;
      } else if (meaning === TABLE) {
        const child = this.#of[this.#format.frame(lo, hi, level)];
        const at = child === undefined ? -1 : child.parents.indexOf(slot);
        if (at < 0) continue;
        this.#touchParents(child!);
        child!.parents.splice(at, 1);
      }
    }
  }

  #leadsToPermanent(index: number, level: number): boolean {
    return level === this.#format.levels && this.#isPermanent(0, this.#format.baseHi(index, level));
  }

  #count(frame: number, change: number): void {
    if (frame >= this.mapped.length) return;
    this.mapped[frame]! += change;
    if (!this.#hasBase) return;
    this.#mappedLog[this.#mappedWords++] = frame;
    this.#mappedLog[this.#mappedWords++] = change;
  }

  #countLeaves(table: LinkedTable): void {
    const { i32 } = this.#ram;
    for (let index = 0; index < SLOTS; index++) {
      const lo = i32[table.frame * 1024 + index * 2]!;
      const hi = i32[table.frame * 1024 + index * 2 + 1]!;
      for (let level = 1; table.levels >>> level !== 0; level++) {
        if ((table.levels & (1 << level)) === 0 || this.#format.meaning(lo, hi, level) !== LEAF) continue;
        this.#count(this.#format.frame(lo, hi, level), 1);
        break;
      }
    }
  }

  #setGlobals(slots: readonly number[]): void {
    this.globals.clear();
    for (const slot of slots) this.globals.add(slot);
    this.#globalsTouched = false;
  }
}
