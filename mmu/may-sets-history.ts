/**
 * How stale records come and go: a store that takes a value away makes them, an invalidation that covers them removes
 * them. A record of an upper entry that goes leaves behind what it could have led to.
 */
import { CONDEMNED, LIVE, NOWHERE } from "./ledger-store.ts";
import type { Derivation } from "./may-sets-derivation.ts";
import { LEAF, NOTHING, TABLE } from "./may-sets-format.ts";
import type { MayHolder } from "./may-sets-holders.ts";
import type { MayLog } from "./may-sets-log.ts";
import { isInside, type StaleRecords } from "./may-sets-records.ts";
import { type LinkedTables, SLOTS, slotFrame } from "./may-sets-tables.ts";

/** What stays of what a walk-cache entry could have led to when it goes: leaves, and with TABLES upper entries. */
export const KEEP_LEAVES = 1;
export const KEEP_TABLES = 2;
/** Of leaves, the global ones alone. */
export const KEEP_GLOBALS = 4;

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
  /** The address that the invalidation in hand names, and whether its global translations go as well. */
  #hasAddress = false;
  #lo = 0;
  #hi = 0;
  #takesGlobals = false;

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
    derivation.collect(slotFrame(slot));
    const index = slot % SLOTS;
    for (let i = 0; i < derivation.count; i++) {
      const { holder, level, lo, hi, rights } = derivation.ways[i]!;
      if (!derivation.sees(holder, slot)) continue;
      const { format } = holder.core;
      const meaning = format.meaning(oldLo, oldHi, level);
      if (meaning === NOTHING) continue;
      const baseLo = lo | format.baseLo(index, level);
      const baseHi = hi | format.baseHi(index, level);
      if (this.#isPermanent(baseLo, baseHi)) continue;
      const frame = format.frame(oldLo, oldHi, level);
      const staysSame =
        holder.isLoaded &&
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
      }
    }
    derivation.present();
  }

  /** Slots that map a frame as their first count as records from now on, though memory still holds them. */
  recordMappings(frame: number): void {
    for (const table of this.#tables.all()) {
      for (let index = 0; index < SLOTS; index++) {
        const slot = table.frame * SLOTS + index;
        const lo = this.#derivation.entryLo(slot);
        const hi = this.#derivation.entryHi(slot);
        if (this.#tables.maps(table, lo, hi, frame)) this.#recordLeaves(slot, frame, null);
      }
    }
  }

  /** The ways to a table page through entries that memory still holds become records. */
  recordWays(frame: number): void {
    const derivation = this.#derivation;
    derivation.collect(frame);
    for (let i = 0; i < derivation.count; i++) {
      const { holder, level, lo, hi, rights } = derivation.ways[i]!;
      if (level < holder.core.format.levels) this.#add(holder, 1, level + 1, lo, hi, frame, rights);
    }
  }

  /** Leaves of some pages that stale upper entries lead to become records of their own. */
  recordLeavesBelow(holder: MayHolder, start: number, end: number): void {
    const records = this.#records;
    const { format } = holder.core;
    const ways: number[] = [];
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.isTable[at] === 0 || records.verdict[at] !== LIVE) continue;
      if (records.overlaps(format, at, start, end)) ways.push(at);
    }
    for (const at of ways) this.#keepBelowRecord(holder, at, KEEP_LEAVES);
  }

  /** Global leaves that a loaded holder may be led to outlive its tag. */
  keepGlobals(holder: MayHolder): void {
    for (const slot of this.#tables.globals) this.#recordLeaves(slot, -1, holder);
  }

  /** What a holder may hold through its root becomes records, and the root leads nowhere any more. */
  materialise(holder: MayHolder): void {
    const { levels, rootRights } = holder.core.format;
    const { root } = holder;
    holder.root = -1;
    this.#keepBelow(holder, root, levels, 0, 0, rootRights, KEEP_LEAVES | KEEP_TABLES);
  }

  // What goes

  /** Everything that a holder may hold goes, but what is global; a root that is not loaded as well. */
  empty(holder: MayHolder): void {
    if (this.#tables.globals.size > 0 && holder.isLoaded) this.#dropWalks(holder, "all", KEEP_GLOBALS);
    this.removeAll(holder);
    if (!holder.isLoaded) holder.root = -1;
  }

  removeAll(holder: MayHolder): void {
    while (holder.first !== NOWHERE) this.#remove(holder, holder.first);
  }

  /** The leaves of one address go. */
  dropLeaves(holder: MayHolder, lo: number, hi: number): void {
    const records = this.#records;
    const { format } = holder.core;
    for (let at = holder.first; at !== NOWHERE; ) {
      const next = records.next[at]!;
      if (records.isTable[at] === 0 && records.covers(format, at, lo, hi)) this.#remove(holder, at);
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
    this.#hasAddress = true;
    this.#lo = lo;
    this.#hi = hi;
    this.#takesGlobals = globals === "globals";
    if (which === "all walks") this.#dropWalks(holder, "all", KEEP_LEAVES);
    else this.#dropWalks(holder, "address", KEEP_LEAVES | KEEP_TABLES);
    this.#hasAddress = false;
  }

  #dropWalks(holder: MayHolder, which: "all" | "address", keep: number): void {
    const records = this.#records;
    const { format } = holder.core;
    let going: number[] | null = null;
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.isTable[at] === 0) continue;
      if (which === "address" && !records.covers(format, at, this.#lo, this.#hi)) continue;
      if (going === null) going = [at];
      else going.push(at);
    }
    if (going === null) return;
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
    this.#keepBelow(holder, frame[at]!, level[at]! - 1, lo[at]!, hi[at]!, attributes[at]!, keep);
    this.#source = NOWHERE;
  }

  /** Records what a table page permits, and the tables below it. */
  #keepBelow(
    holder: MayHolder,
    frame: number,
    level: number,
    lo: number,
    hi: number,
    rights: number,
    keep: number,
  ): void {
    if (this.#tables.get(frame) === undefined) return;
    const { format } = holder.core;
    const derivation = this.#derivation;
    for (let slot = frame * SLOTS; slot < (frame + 1) * SLOTS; slot++) {
      const entryLo = derivation.entryLo(slot);
      const entryHi = derivation.entryHi(slot);
      const meaning = format.meaning(entryLo, entryHi, level);
      if (meaning === NOTHING || !derivation.sees(holder, slot)) continue;
      const baseLo = lo | format.baseLo(slot % SLOTS, level);
      const baseHi = hi | format.baseHi(slot % SLOTS, level);
      if (this.#isPermanent(baseLo, baseHi)) continue;
      const isNamed = this.#hasAddress && isInside(baseLo, baseHi, format.shift(level), this.#lo, this.#hi);
      const leadsTo = format.frame(entryLo, entryHi, level);
      if (meaning === LEAF) {
        const attributes = format.leafAttributes(rights, entryLo, entryHi);
        const isGlobal = format.isGlobal(attributes);
        if (isNamed && (this.#takesGlobals || !isGlobal)) continue;
        if ((keep & KEEP_GLOBALS) !== 0 && !isGlobal) continue;
        this.#keepLeaf(holder, level, baseLo, baseHi, leadsTo, attributes);
      } else {
        const below = format.combine(rights, entryLo, entryHi);
        if ((keep & KEEP_TABLES) !== 0 && !isNamed) {
          this.#add(holder, 1, level, baseLo, baseHi, leadsTo, below);
        }
        this.#keepBelow(holder, leadsTo, level - 1, baseLo, baseHi, below, keep);
      }
    }
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
    const { levels, rootRights } = holder.core.format;
    if (
      holder.root >= 0 &&
      derivation.walk(holder, holder.root, levels, rootRights, lo, hi, 0) &&
      derivation.level === level &&
      derivation.frame === frame &&
      derivation.attributes === attributes
    )
      return;
    this.#addLeaf(holder, level, lo, hi, frame, attributes);
  }

  /**
   * Records the leaf that a slot holds, by every way that leads to it: if it maps this frame, or if it is global and
   * the way is of this holder.
   */
  #recordLeaves(slot: number, frame: number, globalsOf: MayHolder | null): void {
    const derivation = this.#derivation;
    const lo = derivation.entryLo(slot);
    const hi = derivation.entryHi(slot);
    const index = slot % SLOTS;
    derivation.collect(slotFrame(slot));
    for (let i = 0; i < derivation.count; i++) {
      const { holder, level, lo: wayLo, hi: wayHi, rights } = derivation.ways[i]!;
      const { format } = holder.core;
      if (globalsOf !== null && holder !== globalsOf) continue;
      if (format.meaning(lo, hi, level) !== LEAF || !derivation.sees(holder, slot)) continue;
      const leadsTo = format.frame(lo, hi, level);
      const attributes = format.leafAttributes(rights, lo, hi);
      if (globalsOf === null ? leadsTo !== frame : !format.isGlobal(attributes)) continue;
      const baseLo = wayLo | format.baseLo(index, level);
      const baseHi = wayHi | format.baseHi(index, level);
      if (this.#isPermanent(baseLo, baseHi)) continue;
      this.#addLeaf(holder, level, baseLo, baseHi, leadsTo, attributes);
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
    if (!holder.core.format.isGlobal(attributes)) this.#add(holder, 0, level, lo, hi, frame, attributes);
    else if (holder.isLoaded) this.#add(holder.core.global, 0, level, lo, hi, frame, attributes);
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
    this.#records.add(holder, isTable, level, lo, hi, frame, attributes, this.#source, sequence, writer);
  }
}
