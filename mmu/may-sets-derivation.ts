/**
 * What walks make of the page tables, in both directions: from a root down to an address, and from a table page up to
 * every holder whose walker may be led to it, with the address and the rights that it arrives with. A frozen holder
 * sees a slot only if the slot has not changed since.
 */
import { LIVE, NOWHERE } from "./ledger-store.ts";
import { LEAF, TABLE } from "./may-sets-format.ts";
import type { MayHolder, MayHolders } from "./may-sets-holders.ts";
import type { StaleRecords } from "./may-sets-records.ts";
import { type LinkedTables, SLOTS, slotFrame } from "./may-sets-tables.ts";
import type { PhysicalMemory } from "./memory.ts";

/** No walk has more levels. */
const MAX_LEVELS = 5;
/** Ways that lead to one table page; there is one per core that has the address space loaded. */
const MAX_WAYS = 65536;

/** One way in which a walker may be led to a table page. */
export interface Way {
  holder: MayHolder;
  /** Level at which the table serves. */
  level: number;
  /** Address of its first byte. */
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

  /** The slot holds for a holder what it holds now. */
  sees(holder: MayHolder, slot: number): boolean {
    if (holder.isLoaded) return true;
    const table = this.#tables.get(slotFrame(slot));
    return table !== undefined && table.changedAt(slot % SLOTS) <= holder.frozenAt;
  }

  /** Finds every way to a table page. */
  collect(frame: number): void {
    this.count = 0;
    this.#collect(frame, MAX_LEVELS);
  }

  /**
   * Walks down for an address from a table of a level, until a leaf or, if `stop` > 0, an entry of that level that
   * refers to a table. Global leaves of a frozen holder are not its own: they were recorded when it was unloaded.
   * @returns false: nothing is derived
   */
  walk(
    holder: MayHolder,
    frame: number,
    from: number,
    rights: number,
    lo: number,
    hi: number,
    stop: number,
  ): boolean {
    const { format } = holder.core;
    let table = frame;
    let above = rights;
    for (let level = from; level >= 1; level--) {
      if (table * 1024 >= this.#i32.length) return false;
      const slot = table * SLOTS + format.index(lo, hi, level);
      if (!this.sees(holder, slot)) return false;
      const entryLo = this.entryLo(slot);
      const entryHi = this.entryHi(slot);
      const meaning = format.meaning(entryLo, entryHi, level);
      this.level = level;
      this.frame = format.frame(entryLo, entryHi, level);
      if (meaning === LEAF) {
        this.attributes = format.leafAttributes(above, entryLo, entryHi);
        return stop === 0 && (holder.isLoaded || !format.isGlobal(this.attributes));
      }
      if (meaning !== TABLE) return false;
      above = format.combine(above, entryLo, entryHi);
      this.attributes = above;
      if (level === stop) return true;
      table = this.frame;
    }
    return false;
  }

  #collect(frame: number, depth: number): void {
    const { all } = this.#holders;
    if (this.#holders.mayBeRoot(frame)) {
      for (let i = 0; i < all.length; i++) {
        const holder = all[i]!;
        if (holder.root !== frame) continue;
        const { format } = holder.core;
        this.#add(holder, format.levels, 0, 0, format.rootRights);
      }
    }
    const records = this.#records;
    for (let at = records.firstTable(frame); at !== NOWHERE; at = records.nextOfFrame(at)) {
      if (records.verdict[at] !== LIVE) continue;
      const holder = all[records.owner[at]!]!;
      this.#add(holder, records.level[at]! - 1, records.lo[at]!, records.hi[at]!, records.attributes[at]!);
    }
    const table = this.#tables.get(frame);
    if (table === undefined || depth === 0) return;
    for (let i = 0; i < table.parents.length; i++) this.#collectThrough(table.parents[i]!, depth - 1);
  }

  /** The ways through one slot above. */
  #collectThrough(slot: number, depth: number): void {
    const first = this.count;
    this.#collect(slotFrame(slot), depth);
    const lo = this.entryLo(slot);
    const hi = this.entryHi(slot);
    const index = slot % SLOTS;
    let kept = first;
    for (let i = first; i < this.count; i++) {
      const way = this.ways[i]!;
      const { format } = way.holder.core;
      const { level } = way;
      if (level < 2 || format.meaning(lo, hi, level) !== TABLE || !this.sees(way.holder, slot)) continue;
      const to = this.ways[kept++]!;
      to.holder = way.holder;
      to.level = level - 1;
      to.lo = way.lo | format.baseLo(index, level);
      to.hi = way.hi | format.baseHi(index, level);
      to.rights = format.combine(way.rights, lo, hi);
    }
    this.count = kept;
  }

  #add(holder: MayHolder, level: number, lo: number, hi: number, rights: number): void {
    if (this.count === MAX_WAYS) throw new Error("may-sets: a table page is linked too often");
    let way = this.ways[this.count];
    if (way === undefined) {
      way = { holder, level, lo, hi, rights };
      this.ways.push(way);
    } else {
      way.holder = holder;
      way.level = level;
      way.lo = lo;
      way.hi = hi;
      way.rights = rights;
    }
    this.count++;
  }
}
