/**
 * What walks make of the page tables, in both directions: from a root down to an address, and from an entry up to
 * every holder whose walker may be led to it, with the address and the rights that it arrives with. A frozen holder
 * sees a slot only if the slot has not changed since; under a loaded tag that holds for the entries of a root that is
 * not loaded.
 *
 * A slot is a physical address / 8; a table is named by its first slot.
 */
import { LIVE, NOWHERE } from "./ledger-store.ts";
import { groupBase, LEAF, type MayFormat, pageFrames, TABLE } from "./may-sets-format.ts";
import type { MayHolder, MayHolders } from "./may-sets-holders.ts";
import type { StaleRecords } from "./may-sets-records.ts";
import { type LinkedTables, SLOTS, slotFrame } from "./may-sets-tables.ts";
import type { PhysicalMemory } from "./memory.ts";

/** No walk has more levels. */
const MAX_LEVELS = 5;
/** Ways that lead to one table; there is one per core that has the address space loaded. */
const MAX_WAYS = 65536;

/** One way in which a walker may be led to an entry. */
export interface Way {
  holder: MayHolder;
  /** Level at which its table serves. */
  level: number;
  /** First slot of the table. */
  table: number;
  /** Address of the table's first byte. */
  lo: number;
  hi: number;
  /** Rights that the entries above leave. */
  rights: number;
}

export class Derivation {
  /** The ways that collect() found: ways[0] … ways[count - 1]. */
  readonly ways: Way[] = [];
  count = 0;
  /** Result of walk(): level, attributes or rights, and frame of the entry in which it ended. */
  level = 0;
  attributes = 0;
  frame = 0;
  /** Result of nextOfGroup(): the slot to go on with. */
  #groupSlot = 0;
  #groupEnd = 0;
  #groupRights = 0;
  readonly #i32: Int32Array;
  readonly #tables: LinkedTables;
  readonly #records: StaleRecords;
  readonly #holders: MayHolders;
  /** Slot that counts as what it was before the store in hand. */
  #formerSlot = -1;
  #formerLo = 0;
  #formerHi = 0;

  constructor(ram: PhysicalMemory, tables: LinkedTables, records: StaleRecords, holders: MayHolders) {
    this.#i32 = ram.i32;
    this.#tables = tables;
    this.#records = records;
    this.#holders = holders;
  }

  /** A slot counts as having another value than RAM has now, until present(). */
  former(slot: number, lo: number, hi: number): void {
    this.#formerSlot = slot;
    this.#formerLo = lo;
    this.#formerHi = hi;
  }

  present(): void {
    this.#formerSlot = -1;
  }

  entryLo(slot: number): number {
    return slot === this.#formerSlot ? this.#formerLo : this.#i32[slot * 2]!;
  }

  entryHi(slot: number): number {
    return slot === this.#formerSlot ? this.#formerHi : this.#i32[slot * 2 + 1]!;
  }

  /** The slot, an entry of a level, holds for a holder what it holds now. */
  sees(holder: MayHolder, slot: number, level: number): boolean {
    if (holder.hasRoot) return true;
    if (holder.isExplicit) return false;
    const isOfRoot = level === holder.format.levels;
    if (holder.isLoaded && !isOfRoot) return true;
    const table = this.#tables.get(slotFrame(slot));
    if (table === undefined) return false;
    return table.changedAt(slot % SLOTS) <= (isOfRoot ? holder.rootFrozenAt : holder.frozenAt);
  }

  /** The holder's walker reads entries of a level under it: it sees every store to them. */
  seesStores(holder: MayHolder, level: number): boolean {
    return holder.hasRoot || (holder.isLoaded && level < holder.format.levels);
  }

  /** Finds every way to an entry. */
  collect(slot: number): void {
    this.count = 0;
    this.#collect(slot, MAX_LEVELS);
  }

  /**
   * Walks down for an address from a table of a level, until a leaf or, if `stop` > 0, an entry of that level that
   * refers to a table. Global leaves of a frozen holder are not its own: they were recorded when it was unloaded.
   * @returns false: nothing is derived (but perhaps by nextOfGroup())
   */
  walk(
    holder: MayHolder,
    from: number,
    level: number,
    rights: number,
    lo: number,
    hi: number,
    stop: number,
  ): boolean {
    const { format } = holder;
    let table = from;
    let above = rights;
    this.#groupSlot = this.#groupEnd = 0;
    for (let at = level; at >= 1; at--) {
      const slot = table + format.index(lo, hi, at);
      if (slot * 2 >= this.#i32.length) return false;
      const entryLo = this.entryLo(slot);
      const entryHi = this.entryHi(slot);
      const isSeen = this.sees(holder, slot, at);
      const meaning = format.meaning(entryLo, entryHi, at);
      this.level = at;
      if (meaning !== TABLE && stop === 0 && this.#tables.hasGroups) this.#openGroup(slot, at, above, format);
      if (!isSeen) return false;
      this.frame = format.frame(entryLo, entryHi, at);
      if (meaning === LEAF) {
        this.attributes = format.leafAttributes(above, entryLo, entryHi);
        return stop === 0 && (holder.isLoaded || !format.isGlobal(this.attributes));
      }
      if (meaning !== TABLE) return false;
      above = format.combine(above, entryLo, entryHi);
      this.attributes = above;
      if (at === stop) return true;
      table = this.frame * SLOTS;
    }
    return false;
  }

  /**
   * After walk(): another entry of the group that the address's entry is in, from which the address's own translation
   * may have been made as well; `level`, `frame` (of the address's page) and `attributes` describe it.
   * @returns false: there is none
   */
  nextOfGroup(holder: MayHolder, lo: number, hi: number): boolean {
    const { format } = holder;
    const { level } = this;
    while (this.#groupSlot < this.#groupEnd) {
      const slot = this.#groupSlot++;
      const entryLo = this.entryLo(slot);
      const entryHi = this.entryHi(slot);
      if (format.meaning(entryLo, entryHi, level) !== LEAF || !this.sees(holder, slot, level)) continue;
      const group = format.groupShift(entryLo, entryHi, level);
      if (group === 0) continue;
      const within = format.index(lo, hi, level) & (2 ** group - 1);
      this.attributes = format.leafAttributes(this.#groupRights, entryLo, entryHi);
      if (!holder.isLoaded && format.isGlobal(this.attributes)) continue;
      this.frame = groupBase(format, entryLo, entryHi, level, group) + within * pageFrames(format, level);
      return true;
    }
    return false;
  }

  /** The entries beside one that may be of one group with it. */
  #openGroup(slot: number, level: number, rights: number, format: MayFormat): void {
    for (let other = slot - (slot % SLOTS); other < slot - (slot % SLOTS) + SLOTS; other++) {
      const entryLo = this.entryLo(other);
      const entryHi = this.entryHi(other);
      if (format.meaning(entryLo, entryHi, level) !== LEAF) continue;
      const group = format.groupShift(entryLo, entryHi, level);
      if (group === 0 || Math.floor(other / 2 ** group) !== Math.floor(slot / 2 ** group)) continue;
      this.#groupSlot = slot - (slot % 2 ** group);
      this.#groupEnd = this.#groupSlot + 2 ** group;
      this.#groupRights = rights;
      return;
    }
  }

  #collect(slot: number, depth: number): void {
    const { all } = this.#holders;
    const frame = slotFrame(slot);
    if (this.#holders.mayBeRoot(frame)) {
      for (let i = 0; i < all.length; i++) {
        const holder = all[i]!;
        const { format, rootSlot } = holder;
        if (holder.root < 0 || slot < rootSlot || slot >= holder.rootEnd) continue;
        this.#add(holder, format.levels, rootSlot, 0, 0, format.rootRights);
      }
    }
    const sizes = this.#tables.tableSizes;
    for (let i = 0; i < sizes.length; i++) this.#collectRecords(frame - (frame % sizes[i]!), sizes[i]!);
    const table = this.#tables.get(frame);
    if (table === undefined || depth === 0) return;
    for (let i = 0; i < table.parents.length; i++) this.#collectThrough(slot, table.parents[i]!, depth - 1);
  }

  /** The ways through stale upper entries to the table whose first frame this is. */
  #collectRecords(frame: number, tableFrames: number): void {
    const records = this.#records;
    for (let at = records.firstTable(frame); at !== NOWHERE; at = records.nextOfFrame(at)) {
      if (records.verdict[at] !== LIVE) continue;
      const holder = this.#holders.all[records.owner[at]!]!;
      if (holder.format.tableFrames !== tableFrames) continue;
      const level = records.level[at]! - 1;
      this.#add(holder, level, frame * SLOTS, records.lo[at]!, records.hi[at]!, records.attributes[at]!);
    }
  }

  /** The ways to a slot through one above. */
  #collectThrough(below: number, slot: number, depth: number): void {
    const first = this.count;
    this.#collect(slot, depth);
    const lo = this.entryLo(slot);
    const hi = this.entryHi(slot);
    let kept = first;
    for (let i = first; i < this.count; i++) {
      const way = this.ways[i]!;
      const { holder, level } = way;
      const { format } = holder;
      if (level < 2 || format.meaning(lo, hi, level) !== TABLE || !this.sees(holder, slot, level)) continue;
      const table = format.frame(lo, hi, level) * SLOTS;
      if (below < table || below >= table + format.tableFrames * SLOTS) continue;
      const index = slot - way.table;
      const to = this.ways[kept++]!;
      to.lo = way.lo | format.baseLo(index, level);
      to.hi = way.hi | format.baseHi(index, level);
      to.rights = format.combine(way.rights, lo, hi);
      to.holder = holder;
      to.level = level - 1;
      to.table = table;
    }
    this.count = kept;
  }

  #add(holder: MayHolder, level: number, table: number, lo: number, hi: number, rights: number): void {
    if (this.count === MAX_WAYS) throw new Error("may-sets: a table page is linked too often");
    let way = this.ways[this.count];
    if (way === undefined) {
      way = { holder, level, table, lo, hi, rights };
      this.ways.push(way);
    } else {
      way.holder = holder;
      way.level = level;
      way.table = table;
      way.lo = lo;
      way.hi = hi;
      way.rights = rights;
    }
    this.count++;
  }
}
