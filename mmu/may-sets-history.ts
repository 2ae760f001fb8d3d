/**
 * How stale records come and go: a store that takes a value away makes them, an invalidation that covers them removes
 * them. A record of an upper entry that goes leaves behind what it could have led to.
 */
import { CONDEMNED, LIVE, NOWHERE } from "./ledger-store.ts";
import type { Derivation } from "./may-sets-derivation.ts";
import { groupBase, LEAF, type MayFormat, NOTHING, pageFrames, TABLE } from "./may-sets-format.ts";
import type { MayHolder } from "./may-sets-holders.ts";
import type { MayLog } from "./may-sets-log.ts";
import { isInside, type StaleRecords } from "./may-sets-records.ts";
import { type LinkedTables, SLOTS, slotFrame } from "./may-sets-tables.ts";

/** What stays of what a walk-cache entry could have led to when it goes: leaves, and with TABLES upper entries. */
export const KEEP_LEAVES = 1;
export const KEEP_TABLES = 2;
/** Of leaves, the global ones alone. */
export const KEEP_GLOBALS = 4;

/** Addresses that an invalidation names. */
export interface NamedAddresses {
  readonly lo: number;
  readonly hi: number;
  /** Pages of 4 KiB from there on. */
  readonly pages: number;
  /** Bit per level: leaves of it go, and walk-cache entries of it. */
  readonly leaves: number;
  readonly walks: number;
  /** Its global translations go as well. */
  readonly takesGlobals: boolean;
}

/**
 * Which events an invalidation is ordered behind. It may have come before others: a walker may have read again since
 * what a later store took away, so that stays.
 */
export interface InvalidationOrder {
  /** Stores up to this event. */
  readonly stores: number;
  /** Unloadings of tags and roots up to this event. */
  readonly issued: number;
}

/** Behind everything so far. */
export const AT_ONCE: InvalidationOrder = {
  stores: Number.POSITIVE_INFINITY,
  issued: Number.POSITIVE_INFINITY,
};

export interface HistoryParts {
  readonly frames: number;
  readonly isPermanent: (lo: number, hi: number) => boolean;
  readonly tables: LinkedTables;
  readonly records: StaleRecords;
  readonly derivation: Derivation;
  readonly log: MayLog;
}

export class MayHistory {
  readonly #frames: number;
  readonly #isPermanent: (lo: number, hi: number) => boolean;
  readonly #tables: LinkedTables;
  readonly #records: StaleRecords;
  readonly #derivation: Derivation;
  readonly #log: MayLog;
  /** The record that what is recorded now was led to by; NOWHERE: the store in hand. */
  #source: number = NOWHERE;
  /** The invalidation in hand, if it names addresses. */
  #named: NamedAddresses | null = null;
  /** What the invalidation in hand is ordered behind. */
  #order: InvalidationOrder = AT_ONCE;
  /** What is recorded now was not taken away by a store: the walker can be led to it no more. */
  #isKeeping = false;

  constructor(parts: HistoryParts) {
    this.#frames = parts.frames;
    this.#isPermanent = parts.isPermanent;
    this.#tables = parts.tables;
    this.#records = parts.records;
    this.#derivation = parts.derivation;
    this.#log = parts.log;
  }

  // What becomes stale

  /** Records, for everyone who may be led to a slot, the value that a store takes away; RAM has the new one. */
  outdate(slot: number, oldLo: number, oldHi: number, newLo: number, newHi: number): void {
    const derivation = this.#derivation;
    derivation.former(slot, oldLo, oldHi);
    derivation.collect(slot);
    for (let i = 0; i < derivation.count; i++) {
      const { holder, level, table, lo, hi, rights } = derivation.ways[i]!;
      if (!derivation.sees(holder, slot, level)) continue;
      const { format } = holder;
      const meaning = format.meaning(oldLo, oldHi, level);
      if (meaning === NOTHING) continue;
      const index = slot - table;
      const baseLo = lo | format.baseLo(index, level);
      const baseHi = hi | format.baseHi(index, level);
      if (this.#isPermanent(baseLo, baseHi)) continue;
      const frame = format.frame(oldLo, oldHi, level);
      const staysSame =
        derivation.seesStores(holder, level) &&
        format.meaning(newLo, newHi, level) === meaning &&
        format.frame(newLo, newHi, level) === frame;
      if (meaning === TABLE) {
        const below = format.combine(rights, oldLo, oldHi);
        if (staysSame && format.combine(rights, newLo, newHi) === below) continue;
        this.#add(holder, 1, level, baseLo, baseHi, frame, below);
      } else {
        const attributes = format.leafAttributes(rights, oldLo, oldHi);
        if (staysSame && format.covers(format.leafAttributes(rights, newLo, newHi), attributes)) continue;
        this.#addLeaf(holder, level, baseLo, baseHi, frame, attributes);
        if (this.#tables.hasGroups) this.#addGroup(holder, level, index, lo, hi, oldLo, oldHi, attributes);
      }
    }
    derivation.present();
  }

  /** Slots that map a frame as their first count as records from now on, though memory still holds them. */
  recordMappings(frame: number): void {
    for (const table of this.#tables.all()) {
      for (let index = table.from; index < table.to; index++) {
        const slot = table.frame * SLOTS + index;
        const lo = this.#derivation.entryLo(slot);
        const hi = this.#derivation.entryHi(slot);
        if (this.#tables.maps(table, lo, hi, frame)) this.#recordLeaves(slot, frame, null);
      }
    }
  }

  /** The ways to a table, by its first frame, through entries that memory still holds become records. */
  recordWays(frame: number): void {
    const derivation = this.#derivation;
    derivation.collect(frame * SLOTS);
    for (let i = 0; i < derivation.count; i++) {
      const { holder, level, table, lo, hi, rights } = derivation.ways[i]!;
      if (table !== frame * SLOTS) continue;
      if (level < holder.format.levels) this.#add(holder, 1, level + 1, lo, hi, frame, rights);
    }
  }

  /** Leaves of some pages that stale upper entries lead to become records of their own. */
  recordLeavesBelow(holder: MayHolder, start: number, end: number): void {
    const records = this.#records;
    const { format } = holder;
    const ways: number[] = [];
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.isTable[at] === 0 || records.verdict[at] !== LIVE) continue;
      if (records.overlaps(format, at, start, end)) ways.push(at);
    }
    for (const at of ways) this.#keepBelowRecord(holder, at, KEEP_LEAVES);
  }

  /** Global leaves that a loaded holder may be led to outlive its tag. */
  keepGlobals(holder: MayHolder): void {
    this.#isKeeping = true;
    for (const slot of this.#tables.globals) this.#recordLeaves(slot, -1, holder);
    this.#isKeeping = false;
  }

  /** What a holder may hold through its root becomes records, and the root leads nowhere any more. */
  materialise(holder: MayHolder): void {
    const { levels, rootRights } = holder.format;
    const { rootSlot } = holder;
    holder.root = -1;
    this.#isKeeping = true;
    this.#keepBelow(holder, rootSlot, levels, 0, 0, rootRights, KEEP_LEAVES | KEEP_TABLES);
    this.#isKeeping = false;
  }

  // What goes

  /** The invalidation in hand is ordered so; until the next call. */
  orderedBy(order: InvalidationOrder): void {
    this.#order = order;
  }

  /** Everything that a holder may hold goes, but what is global; a root that is not loaded as well. */
  empty(holder: MayHolder): void {
    if (this.#tables.globals.size > 0 && holder.isLoaded) {
      if (!holder.hasRoot && holder.root >= 0) this.keepGlobals(holder);
      this.#dropAllWalks(holder, KEEP_GLOBALS);
    }
    this.removeAll(holder);
    if (!holder.hasRoot && unloadedAt(holder) <= this.#order.issued) holder.root = -1;
  }

  removeAll(holder: MayHolder): void {
    for (let at = holder.first; at !== NOWHERE; ) {
      const next = this.#records.next[at]!;
      if (this.#goes(at)) this.#remove(holder, at);
      at = next;
    }
  }

  /** The leaves of one address go. */
  dropLeaves(holder: MayHolder, lo: number, hi: number): void {
    const records = this.#records;
    const { format } = holder;
    for (let at = holder.first; at !== NOWHERE; ) {
      const next = records.next[at]!;
      if (records.isTable[at] === 0 && records.covers(format, at, lo, hi) && this.#goes(at)) {
        this.#remove(holder, at);
      }
      at = next;
    }
  }

  /** Walk-cache entries go with an invalidation of one address: all, or those that a walk for it would use. */
  dropWalksOf(
    holder: MayHolder,
    lo: number,
    hi: number,
    globals: "globals" | "tagged",
    which: "all walks" | "address",
  ): void {
    this.#named = { lo, hi, pages: 1, leaves: -1, walks: -1, takesGlobals: globals === "globals" };
    if (which === "all walks") this.#dropAllWalks(holder, KEEP_LEAVES);
    else this.#dropWalks(holder, lo, hi);
    this.#named = null;
  }

  /** What a holder may hold for some addresses goes: leaves and walk-cache entries of the levels that are named. */
  dropNamed(holder: MayHolder, named: NamedAddresses): void {
    this.#named = named;
    if (this.#isRootLost(holder, named)) this.materialise(holder);
    if (!holder.isLoaded) this.#makeExplicit(holder);
    const records = this.#records;
    const going: number[] = [];
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (this.#isNamed(holder.format, at, named) && this.#goes(at)) going.push(at);
    }
    for (const at of going) {
      const keeps = records.isTable[at] === 1 && records.verdict[at] === LIVE;
      if (keeps) this.#keepBelowRecord(holder, at, KEEP_LEAVES | KEEP_TABLES);
    }
    for (const at of going) this.#remove(holder, at);
    this.#named = null;
  }

  /** Nothing is filled under a tag that is not loaded: what its upper entries could have led to is kept in their stead. */
  #makeExplicit(holder: MayHolder): void {
    if (holder.isExplicit || holder.frozenAt > this.#order.issued) return;
    const records = this.#records;
    const ways: number[] = [];
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.isTable[at] === 1 && records.verdict[at] === LIVE) ways.push(at);
    }
    for (const at of ways) this.#keepBelowRecord(holder, at, KEEP_LEAVES | KEEP_TABLES);
    holder.isExplicit = true;
  }

  /** A root that is not loaded can give up no single address: it is read no more, so what it could have led to is kept. */
  #isRootLost(holder: MayHolder, named: NamedAddresses): boolean {
    if (holder.hasRoot || holder.root < 0 || unloadedAt(holder) > this.#order.issued) return false;
    return !holder.isLoaded || named.walks !== 0;
  }

  #isNamed(format: MayFormat, record: number, named: NamedAddresses): boolean {
    const records = this.#records;
    const levels = records.isTable[record] === 1 ? named.walks : named.leaves;
    if ((levels & (1 << records.level[record]!)) === 0) return false;
    if (named.pages === 1) return records.covers(format, record, named.lo, named.hi);
    const start = pageNumber(named.lo, named.hi);
    return records.overlaps(format, record, start, start + named.pages);
  }

  /** The invalidation in hand is ordered behind what made a record stale. */
  #goes(record: number): boolean {
    const { stores, issued } = this.#order;
    const { goneAt, wasUnloaded } = this.#records;
    return goneAt[record]! <= (wasUnloaded[record] === 1 ? issued : stores);
  }

  #dropWalks(holder: MayHolder, lo: number, hi: number): void {
    const records = this.#records;
    const { format } = holder;
    let going: number[] | null = null;
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.isTable[at] === 0 || !records.covers(format, at, lo, hi)) continue;
      if (going === null) going = [at];
      else going.push(at);
    }
    if (going !== null) this.#removeWalks(holder, going, KEEP_LEAVES | KEEP_TABLES);
  }

  #dropAllWalks(holder: MayHolder, keep: number): void {
    const records = this.#records;
    let going: number[] | null = null;
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.isTable[at] === 0 || !this.#goes(at)) continue;
      if (going === null) going = [at];
      else going.push(at);
    }
    if (going !== null) this.#removeWalks(holder, going, keep);
  }

  #removeWalks(holder: MayHolder, going: readonly number[], keep: number): void {
    const records = this.#records;
    for (const at of going) if (records.verdict[at] === LIVE) this.#keepBelowRecord(holder, at, keep);
    for (const at of going) this.#remove(holder, at);
  }

  #remove(holder: MayHolder, record: number): void {
    if (this.#records.verdict[record] === CONDEMNED) holder.condemned--;
    this.#records.remove(holder, record);
  }

  // What stays

  /** Records what a stale upper entry permits. */
  #keepBelowRecord(holder: MayHolder, at: number, keep: number): void {
    const { frame, level, lo, hi, attributes } = this.#records;
    this.#source = at;
    this.#isKeeping = true;
    this.#keepBelow(holder, frame[at]! * SLOTS, level[at]! - 1, lo[at]!, hi[at]!, attributes[at]!, keep);
    this.#source = NOWHERE;
    this.#isKeeping = false;
  }

  /** Records what a table permits, by its first slot, and the tables below it. */
  #keepBelow(
    holder: MayHolder,
    table: number,
    level: number,
    lo: number,
    hi: number,
    rights: number,
    keep: number,
  ): void {
    if (this.#tables.get(slotFrame(table)) === undefined) return;
    const { format } = holder;
    const derivation = this.#derivation;
    const entries = level === format.levels ? format.rootEntries : format.tableFrames * SLOTS;
    for (let index = 0; index < entries; index++) {
      const slot = table + index;
      const entryLo = derivation.entryLo(slot);
      const entryHi = derivation.entryHi(slot);
      const meaning = format.meaning(entryLo, entryHi, level);
      if (meaning === NOTHING || !derivation.sees(holder, slot, level)) continue;
      const baseLo = lo | format.baseLo(index, level);
      const baseHi = hi | format.baseHi(index, level);
      if (this.#isPermanent(baseLo, baseHi)) continue;
      const leadsTo = format.frame(entryLo, entryHi, level);
      if (meaning === LEAF) {
        const attributes = format.leafAttributes(rights, entryLo, entryHi);
        const isGlobal = format.isGlobal(attributes);
        if ((keep & KEEP_GLOBALS) !== 0 && !isGlobal) continue;
        if (this.#tables.hasGroups)
          this.#addGroup(holder, level, index, lo, hi, entryLo, entryHi, attributes);
        if (this.#takes(format, level, baseLo, baseHi, attributes)) continue;
        this.#keepLeaf(holder, level, baseLo, baseHi, leadsTo, attributes);
      } else {
        const below = format.combine(rights, entryLo, entryHi);
        if ((keep & KEEP_TABLES) !== 0 && !this.#names(format, level, baseLo, baseHi, "table")) {
          this.#add(holder, 1, level, baseLo, baseHi, leadsTo, below);
        }
        this.#keepBelow(holder, leadsTo * SLOTS, level - 1, baseLo, baseHi, below, keep);
      }
    }
  }

  /** The invalidation in hand takes a leaf of a level at an address. */
  #takes(format: MayFormat, level: number, lo: number, hi: number, attributes: number): boolean {
    if (!this.#names(format, level, lo, hi, "leaf")) return false;
    return this.#named!.takesGlobals || !format.isGlobal(attributes);
  }

  /** The invalidation in hand names an entry of a level that covers what is from this address on. */
  #names(format: MayFormat, level: number, lo: number, hi: number, what: "leaf" | "table"): boolean {
    const named = this.#named;
    if (named === null) return false;
    if (((what === "leaf" ? named.leaves : named.walks) & (1 << level)) === 0) return false;
    const shift = format.shift(level);
    if (named.pages === 1) return isInside(lo, hi, shift, named.lo, named.hi);
    const first = pageNumber(lo, hi);
    const start = pageNumber(named.lo, named.hi);
    return first < start + named.pages && start < first + 2 ** (shift - 12);
  }

  /** A leaf that memory still gives the holder needs no record. */
  #keepLeaf(
    holder: MayHolder,
    level: number,
    lo: number,
    hi: number,
    frame: number,
    attributes: number,
  ): void {
    const derivation = this.#derivation;
    const { levels, rootRights } = holder.format;
    if (
      holder.root >= 0 &&
      derivation.walk(holder, holder.rootSlot, levels, rootRights, lo, hi, 0) &&
      derivation.level === level &&
      derivation.frame === frame &&
      derivation.attributes === attributes
    )
      return;
    this.#addLeaf(holder, level, lo, hi, frame, attributes);
  }

  /**
   * Records the leaf that a slot holds, by every way that leads to it: if it maps this frame (perhaps as one of its
   * group), or if it is global and the way is of this holder.
   */
  #recordLeaves(slot: number, frame: number, globalsOf: MayHolder | null): void {
    const derivation = this.#derivation;
    const lo = derivation.entryLo(slot);
    const hi = derivation.entryHi(slot);
    derivation.collect(slot);
    for (let i = 0; i < derivation.count; i++) {
      const { holder, level, table, lo: wayLo, hi: wayHi, rights } = derivation.ways[i]!;
      const { format } = holder;
      if (globalsOf !== null && holder !== globalsOf) continue;
      if (format.meaning(lo, hi, level) !== LEAF || !derivation.sees(holder, slot, level)) continue;
      const leadsTo = format.frame(lo, hi, level);
      const attributes = format.leafAttributes(rights, lo, hi);
      if (globalsOf !== null && !format.isGlobal(attributes)) continue;
      if (globalsOf !== null && this.#tables.hasGroups) {
        this.#addGroup(holder, level, slot - table, wayLo, wayHi, lo, hi, attributes);
      }
      const index = slot - table + (globalsOf === null ? (frame - leadsTo) / pageFrames(format, level) : 0);
      const baseLo = wayLo | format.baseLo(index, level);
      const baseHi = wayHi | format.baseHi(index, level);
      if (this.#isPermanent(baseLo, baseHi)) continue;
      this.#addLeaf(holder, level, baseLo, baseHi, globalsOf === null ? frame : leadsTo, attributes);
    }
  }

  /**
   * The pages of the group that an entry stands for, if any, but for what the invalidation in hand takes; the table begins
   * at an address.
   */
  #addGroup(
    holder: MayHolder,
    level: number,
    index: number,
    lo: number,
    hi: number,
    entryLo: number,
    entryHi: number,
    attributes: number,
  ): void {
    const { format } = holder;
    const group = format.groupShift(entryLo, entryHi, level);
    if (group === 0) return;
    const firstFrame = groupBase(format, entryLo, entryHi, level, group);
    const first = index - (index % 2 ** group);
    for (let other = first; other < first + 2 ** group; other++) {
      const frame = firstFrame + (other - first) * pageFrames(format, level);
      const baseLo = lo | format.baseLo(other, level);
      const baseHi = hi | format.baseHi(other, level);
      if (this.#takes(format, level, baseLo, baseHi, attributes)) continue;
      this.#addLeaf(holder, level, baseLo, baseHi, frame, attributes);
    }
  }

  /** A leaf that a holder may keep; a global one belongs to the core. Frozen holders gave theirs away before. */
  #addLeaf(
    holder: MayHolder,
    level: number,
    lo: number,
    hi: number,
    frame: number,
    attributes: number,
  ): void {
    if (!holder.format.isGlobal(attributes)) this.#add(holder, 0, level, lo, hi, frame, attributes);
    else if (holder.isLoaded)
      this.#add(holder.core.globals[holder.space]!, 0, level, lo, hi, frame, attributes);
  }

  #add(
    holder: MayHolder,
    isTable: 0 | 1,
    level: number,
    lo: number,
    hi: number,
    frame: number,
    attributes: number,
  ): void {
    if (frame >= this.#frames) return;
    const { sequence, writer } = this.#log;
    const source = this.#source;
    const record = this.#records.add(
      holder,
      isTable,
      level,
      lo,
      hi,
      frame,
      attributes,
      source,
      sequence,
      writer,
    );
    if (record === NOWHERE) return;
    if (!this.#isKeeping) this.#records.gone(record, sequence, 0);
    else this.#records.gone(record, holder.isLoaded ? sequence : holder.frozenAt, 1);
  }
}

/** When the walker last stopped reading the holder's root. */
function unloadedAt(holder: MayHolder): number {
  return holder.isLoaded ? holder.rootFrozenAt : holder.frozenAt;
}

/** Bits 63:12 of an address. */
function pageNumber(lo: number, hi: number): number {
  return (lo >>> 12) + (hi >>> 0) * 0x10_0000;
}
