/**
 * The page-table pages that some core's walker may be led to: linked when a root is loaded or an entry above is written,
 * and followed until the page is freed. For each, which slots lead to it and when each of its slots last changed in a
 * way that walkers can tell. RAM marks their frames FRAME_WATCHED, so that every write to them is heard of. A table of
 * several frames is several of them; of a frame that holds a first table of few entries only those count.
 *
 * A frame serves in a *use*: a level of a space's walks, 8 * space + level.
 *
 * Addresses that the option isPermanent names (the kernel's half) are left out with everything below them.
 */
import { groupBase, LEAF, type MayFormat, pageFrames, TABLE } from "./may-sets-format.ts";
import { FRAME_WATCHED, type PhysicalMemory } from "./memory.ts";
import { ATTRIBUTE_GLOBAL } from "./set-array.ts";

/** Entries of a frame. */
export const SLOTS = 512;
const USES_PER_SPACE = 8;

/** The frame of a slot, which is a physical address / 8. */
export function slotFrame(slot: number): number {
  return Math.floor(slot / SLOTS);
}

export function useOf(space: number, level: number): number {
  return space * USES_PER_SPACE + level;
}

export class LinkedTable {
  readonly frame: number;
  /** Bit per use; usually one. */
  uses = 0;
  /** Its entries: first index, and the one behind the last. */
  from: number = SLOTS;
  to = 0;
  /** Slots that lead here. */
  parents: number[] = [];
  /** By index: sequence number of the last change; null: none since it was linked. */
  lastChange: Float64Array | null = null;
  /** Since the base: linked; touched, with what it was. */
  isNew = false;
  isTouched = false;
  baseUses = 0;
  baseFrom = 0;
  baseTo = 0;
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
    uses: number;
    from: number;
    to: number;
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
  /** Some leaf is larger than a frame. */
  hasLarge = false;
  /** Some leaf may stand for the group that it is in. */
  hasGroups = false;
  /** Lengths that tables have, in frames. */
  tableSizes: readonly number[] = [1];
  readonly #ram: PhysicalMemory;
  readonly #isPermanent: (lo: number, hi: number) => boolean;
  readonly #of: (LinkedTable | undefined)[];
  /** By space, those of the first core: set before the first root is loaded. */
  #formats: readonly MayFormat[] = [];
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
  setFormats(formats: readonly MayFormat[]): void {
    this.#formats = formats;
  }

  get(frame: number): LinkedTable | undefined {
    return this.#of[frame];
  }

  /** All, in ascending order of frames; for rare searches. */
  all(): LinkedTable[] {
    return this.#of.filter((table) => table !== undefined);
  }

  /** Some use of the table gives the value a meaning. */
  isCacheable(table: LinkedTable, lo: number, hi: number): boolean {
    const formats = this.#formats;
    if (formats[0]!.isCacheable(lo, hi)) return true;
    return table.uses >>> USES_PER_SPACE !== 0 && formats[1]!.isCacheable(lo, hi);
  }

  /** No use of the table tells the values apart. */
  isSame(table: LinkedTable, oldLo: number, oldHi: number, lo: number, hi: number): boolean {
    const formats = this.#formats;
    if (!formats[0]!.isSame(oldLo, oldHi, lo, hi)) return false;
    return table.uses >>> USES_PER_SPACE === 0 || formats[1]!.isSame(oldLo, oldHi, lo, hi);
  }

  /** A value in a table maps a page whose first frame is this one, perhaps as one of its group. */
  maps(table: LinkedTable, lo: number, hi: number, frame: number): boolean {
    if (!this.isCacheable(table, lo, hi)) return false;
    for (let use = 1; table.uses >>> use !== 0; use++) {
      if ((table.uses & (1 << use)) === 0) continue;
      const format = this.#formats[use >> 3]!;
      const level = use & 7;
      if (format.meaning(lo, hi, level) !== LEAF) continue;
      if (format.frame(lo, hi, level) === frame) return true;
      const group = this.hasGroups ? format.groupShift(lo, hi, level) : 0;
      if (group === 0) continue;
      const behind = frame - groupBase(format, lo, hi, level, group);
      const pages = pageFrames(format, level);
      if (behind >= 0 && behind < pages * 2 ** group && behind % pages === 0) return true;
    }
    return false;
  }

  /** The table of a root serves from now on; what is below it is linked too. */
  linkRoot(rootSlot: number, space: number, format: MayFormat): void {
    const { levels, rootEntries, tableFrames } = format;
    if (!this.tableSizes.includes(tableFrames))
      this.tableSizes = [...this.tableSizes, tableFrames].sort(ascending);
    for (let at = rootSlot; at < rootSlot + rootEntries; at += SLOTS - (at % SLOTS)) {
      const from = at % SLOTS;
      this.#link(
        slotFrame(at),
        useOf(space, levels),
        from,
        Math.min(SLOTS, from + rootSlot + rootEntries - at),
      );
    }
  }

  /** A table page serves in a use from now on, with some of its entries; what is below it is linked too. */
  #link(frame: number, use: number, from: number, to: number): void {
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
    if ((table.uses & (1 << use)) !== 0 && table.from <= from && to <= table.to) return;
    this.#touch(table);
    table.uses |= 1 << use;
    if (from < table.from) table.from = from;
    if (to > table.to) table.to = to;
    const { i32 } = this.#ram;
    for (let index = table.from; index < table.to; index++) {
      const at = frame * 1024 + index * 2;
      const lo = i32[at]!;
      const hi = i32[at + 1]!;
      if (this.isCacheable(table, lo, hi)) this.#note(table, index, lo, hi);
    }
  }

  /** A table is freed, by its first frame: nothing that it holds counts any more. */
  unlink(first: number): void {
    for (let frame = first + this.#lengthOf(first) - 1; frame >= first; frame--) this.#unlink(frame);
  }

  #unlink(frame: number): void {
    const table = this.#of[frame];
    if (table === undefined) return;
    const { i32 } = this.#ram;
    for (let index = table.from; index < table.to; index++) {
      const at = frame * 1024 + index * 2;
      if (this.isCacheable(table, i32[at]!, i32[at + 1]!)) {
        this.#forget(table, index, i32[at]!, i32[at + 1]!);
      }
    }
    this.#of[frame] = undefined;
    this.#ram.frameFlags[frame]! &= ~FRAME_WATCHED;
    if (!table.isNew && this.#hasBase) this.#removed.push(table);
  }

  /** Frames of a table. */
  #lengthOf(first: number): number {
    const uses = this.#of[first]?.uses ?? 0;
    let frames = 1;
    for (let use = 1; uses >>> use !== 0; use++) {
      if ((uses & (1 << use)) === 0) continue;
      const { levels, rootEntries, tableFrames } = this.#formats[use >> 3]!;
      frames = Math.max(frames, (use & 7) === levels ? Math.ceil(rootEntries / SLOTS) : tableFrames);
    }
    return frames;
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
    if (this.isCacheable(table, oldLo, oldHi)) this.#forget(table, index, oldLo, oldHi);
    const at = table.frame * 1024 + index * 2;
    const { i32 } = this.#ram;
    if (this.isCacheable(table, i32[at]!, i32[at + 1]!)) this.#note(table, index, i32[at]!, i32[at + 1]!);
  }

  save(): TablesState {
    return {
      tables: this.all().map(({ frame, uses, from, to, parents, lastChange }) => ({
        frame,
        uses,
        from,
        to,
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
      table.uses = table.baseUses;
      table.from = table.baseFrom;
      table.to = table.baseTo;
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
      table.uses = saved.uses;
      table.from = saved.from;
      table.to = saved.to;
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
    table.baseUses = table.uses;
    table.baseFrom = table.from;
    table.baseTo = table.to;
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

  /** An entry counts: the table that it leads to is linked, the frames that it maps are mapped. */
  #note(table: LinkedTable, index: number, lo: number, hi: number): void {
    let isLeaf = false;
    const slot = table.frame * SLOTS + index;
    for (let use = 1; table.uses >>> use !== 0; use++) {
      if ((table.uses & (1 << use)) === 0) continue;
      const format = this.#formats[use >> 3]!;
      const level = use & 7;
      const meaning = format.meaning(lo, hi, level);
      if (meaning === LEAF && !isLeaf) {
        isLeaf = true;
        this.#countLeaf(format, level, lo, hi, 1);
        if (format.shift(level) > 12) this.hasLarge = true;
        if ((format.leafAttributes(format.rootRights, lo, hi) & ATTRIBUTE_GLOBAL) !== 0) {
          this.globals.add(slot);
          this.#globalsTouched = true;
        }
      } else if (meaning === TABLE && !this.#leadsToPermanent(format, index - table.from, level)) {
        const first = format.frame(lo, hi, level);
        for (let frame = first; frame < first + format.tableFrames; frame++) {
          this.#link(frame, use - 1, 0, SLOTS);
          const child = this.#of[frame];
          if (child !== undefined && !child.parents.includes(slot)) {
            this.#touchParents(child);
            child.parents.push(slot);
          }
        }
      }
    }
  }

  /** An entry counts no more. */
  #forget(table: LinkedTable, index: number, lo: number, hi: number): void {
    let isLeaf = false;
    const slot = table.frame * SLOTS + index;
    for (let use = 1; table.uses >>> use !== 0; use++) {
      if ((table.uses & (1 << use)) === 0) continue;
      const format = this.#formats[use >> 3]!;
      const level = use & 7;
      const meaning = format.meaning(lo, hi, level);
      if (meaning === LEAF && !isLeaf) {
        isLeaf = true;
        this.#countLeaf(format, level, lo, hi, -1);
        if (this.globals.delete(slot)) this.#globalsTouched = true;
      } else if (meaning === TABLE) {
        const first = format.frame(lo, hi, level);
        for (let frame = first; frame < first + format.tableFrames; frame++) {
          const child = this.#of[frame];
          const at = child === undefined ? -1 : child.parents.indexOf(slot);
          if (at < 0) continue;
          this.#touchParents(child!);
          child!.parents.splice(at, 1);
        }
      }
    }
  }

  #leadsToPermanent(format: MayFormat, index: number, level: number): boolean {
    return level === format.levels && this.#isPermanent(0, format.baseHi(index, level));
  }

  /** The first frame of a leaf's page, and of the others of its group, count. */
  #countLeaf(format: MayFormat, level: number, lo: number, hi: number, change: number): void {
    const group = format.groupShift(lo, hi, level);
    if (group === 0) {
      this.#count(format.frame(lo, hi, level), change);
      return;
    }
    this.hasGroups = true;
    const first = groupBase(format, lo, hi, level, group);
    const pages = pageFrames(format, level);
    for (let at = first; at < first + pages * 2 ** group; at += pages) this.#count(at, change);
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
    for (let index = table.from; index < table.to; index++) {
      const lo = i32[table.frame * 1024 + index * 2]!;
      const hi = i32[table.frame * 1024 + index * 2 + 1]!;
      for (let use = 1; table.uses >>> use !== 0; use++) {
        const format = this.#formats[use >> 3]!;
        if ((table.uses & (1 << use)) === 0 || format.meaning(lo, hi, use & 7) !== LEAF) continue;
        this.#countLeaf(format, use & 7, lo, hi, 1);
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

function ascending(a: number, b: number): number {
  return a - b;
}
