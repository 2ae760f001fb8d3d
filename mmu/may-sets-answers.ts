/** Questions about the may-sets: which translations, and which table pages, a core may hold for an address. */
import { LIVE, NOWHERE } from "./ledger-store.ts";
import type { Derivation } from "./may-sets-derivation.ts";
import type { MayFormat, MayRights } from "./may-sets-format.ts";
import type { MayHolder } from "./may-sets-holders.ts";
import type { StaleRecords } from "./may-sets-records.ts";
import { SLOTS } from "./may-sets-tables.ts";
import { ANY_CONTEXT } from "./set-array.ts";

/** A translation that a core may hold. */
export interface MayTranslation {
  readonly core: number;
  /** Its tag; ANY_CONTEXT: global. */
  readonly tag: number;
  /** Base address and log2 of the bytes that it covers. */
  readonly lo: number;
  readonly hi: number;
  readonly shift: number;
  /** Its first frame. */
  readonly frame: number;
  readonly rights: MayRights;
  /** As the architecture packs them. */
  readonly attributes: number;
  /** Sequence number of the store that made it stale; 0: memory holds it. */
  readonly staleSince: number;
}

/** A table page to which a core's walker may be led by an entry of a level. */
export interface MayTable {
  readonly level: number;
  readonly frame: number;
  /** Rights below the entry. */
  readonly rights: number;
}

export class MayAnswers {
  readonly #records: StaleRecords;
  readonly #derivation: Derivation;

  constructor(records: StaleRecords, derivation: Derivation) {
    this.#records = records;
    this.#derivation = derivation;
  }

  /** Adds what walks under a holder's tag would find now, from its root and from stale upper entries. */
  addWalks(
    found: MayTranslation[],
    holder: MayHolder,
    lo: number,
    hi: number,
    which: "all" | "globals",
  ): void {
    const { format } = holder;
    const derivation = this.#derivation;
    this.#eachStart(holder, lo, hi, 1, (table, level, rights, staleSince) => {
      let derives = derivation.walk(holder, table, level, rights, lo, hi, 0);
      if (!derives) derives = derivation.nextOfGroup(holder, lo, hi);
      for (; derives; derives = derivation.nextOfGroup(holder, lo, hi)) {
        const { attributes } = derivation;
        if (which === "globals" && !format.isGlobal(attributes)) continue;
        this.#add(found, holder, derivation.level, lo, hi, derivation.frame, attributes, staleSince);
      }
      return false;
    });
  }

  /** Adds the stale leaves of a holder. */
  addStale(found: MayTranslation[], holder: MayHolder, lo: number, hi: number): void {
    const { level, frame, attributes, changed, next, isTable } = this.#records;
    for (let at = holder.first; at !== NOWHERE; at = next[at]!) {
      if (isTable[at] === 1 || !this.#records.covers(holder.format, at, lo, hi)) continue;
      this.#add(found, holder, level[at]!, lo, hi, frame[at]!, attributes[at]!, changed.sequence[at]!);
    }
  }

  /** Stale leaves of a holder to pages start … end - 1. */
  addStaleOf(found: MayTranslation[], holder: MayHolder, start: number, end: number): void {
    const records = this.#records;
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.isTable[at] === 1 || !records.overlaps(holder.format, at, start, end)) continue;
      found.push(this.translation(holder, at));
    }
  }

  /** Adds the table pages to which entries of a level lead. */
  addTables(found: MayTable[], holder: MayHolder, lo: number, hi: number, level: number): void {
    this.#eachTable(holder, lo, hi, level, (frame, rights) => {
      const isKnown = found.some(
        (way) => way.level === level && way.frame === frame && way.rights === rights,
      );
      if (!isKnown) found.push({ level, frame, rights });
      return false;
    });
  }

  /** The holder may hold a translation of an address to a 4 KiB frame with at least these attributes. */
  permitsUse(holder: MayHolder, lo: number, hi: number, attributes: number, frame: number): boolean {
    const derivation = this.#derivation;
    const { format } = holder;
    const walked = this.#eachStart(holder, lo, hi, 1, (table, level, rights) => {
      let derives = derivation.walk(holder, table, level, rights, lo, hi, 0);
      if (!derives) derives = derivation.nextOfGroup(holder, lo, hi);
      for (; derives; derives = derivation.nextOfGroup(holder, lo, hi)) {
        const leadsTo = derivation.frame + offsetPages(format.shift(derivation.level), lo, hi);
        if (leadsTo === frame && format.covers(derivation.attributes, attributes)) return true;
      }
      return false;
    });
    return walked || this.permitsStaleUse(holder, lo, hi, attributes, frame);
  }

  /** The same, by a stale leaf. */
  permitsStaleUse(holder: MayHolder, lo: number, hi: number, attributes: number, frame: number): boolean {
    const { format } = holder;
    const records = this.#records;
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.isTable[at] === 1 || !records.covers(format, at, lo, hi)) continue;
      if (records.frame[at]! + offsetPages(format.shift(records.level[at]!), lo, hi) !== frame) continue;
      if (format.covers(records.attributes[at]!, attributes)) return true;
    }
    return false;
  }

  /** The holder's walker may start at an entry of a level that leads to this table with these rights. */
  permitsWalk(
    holder: MayHolder,
    lo: number,
    hi: number,
    level: number,
    rights: number,
    frame: number,
  ): boolean {
    return this.#eachTable(holder, lo, hi, level, (table, above) => table === frame && above === rights);
  }

  translation(holder: MayHolder, record: number): MayTranslation {
    const records = this.#records;
    const { format } = holder;
    return {
      core: holder.core.id,
      tag: holder.tag,
      lo: records.lo[record]!,
      hi: records.hi[record]!,
      shift: format.shift(records.level[record]!),
      frame: records.frame[record]!,
      rights: format.rights(records.attributes[record]!),
      attributes: records.attributes[record]!,
      staleSince: records.changed.sequence[record]!,
    };
  }

  /** Tables, by first slot, at which a walk for an address may start, down to a level, until `ends` says true. */
  #eachStart(
    holder: MayHolder,
    lo: number,
    hi: number,
    lowest: number,
    ends: (table: number, level: number, rights: number, staleSince: number) => boolean,
  ): boolean {
    const { format } = holder;
    if (holder.root >= 0 && ends(holder.rootSlot, format.levels, format.rootRights, 0)) return true;
    const { frame, level, attributes, changed, next, isTable, verdict } = this.#records;
    for (let at = holder.first; at !== NOWHERE; at = next[at]!) {
      if (isTable[at] === 0 || verdict[at] !== LIVE || level[at]! <= lowest) continue;
      if (!this.#records.covers(format, at, lo, hi)) continue;
      if (ends(frame[at]! * SLOTS, level[at]! - 1, attributes[at]!, changed.sequence[at]!)) return true;
    }
    return false;
  }

  /** First frames of tables to which entries of a level lead for an address, until `ends` says true. */
  #eachTable(
    holder: MayHolder,
    lo: number,
    hi: number,
    level: number,
    ends: (frame: number, rights: number) => boolean,
  ): boolean {
    const derivation = this.#derivation;
    const walked = this.#eachStart(holder, lo, hi, level, (table, from, rights) => {
      if (!derivation.walk(holder, table, from, rights, lo, hi, level)) return false;
      return ends(derivation.frame, derivation.attributes);
    });
    if (walked) return true;
    const records = this.#records;
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.isTable[at] === 0 || records.level[at] !== level) continue;
      if (!records.covers(holder.format, at, lo, hi)) continue;
      if (ends(records.frame[at]!, records.attributes[at]!)) return true;
    }
    return false;
  }

  #add(
    found: MayTranslation[],
    holder: MayHolder,
    level: number,
    lo: number,
    hi: number,
    frame: number,
    attributes: number,
    staleSince: number,
  ): void {
    const { format } = holder;
    const { id } = holder.core;
    const shift = format.shift(level);
    const isKnown = found.some(
      (each) => each.shift === shift && each.frame === frame && each.attributes === attributes,
    );
    if (isKnown) return;
    found.push({
      core: id,
      tag: format.isGlobal(attributes) ? ANY_CONTEXT : holder.tag,
      lo: baseOf(format, level, lo),
      hi: shift > 32 ? hi & (-1 << (shift - 32)) : hi,
      shift,
      frame,
      rights: format.rights(attributes),
      attributes,
      staleSince,
    });
  }
}

/** Low half of the base of a page. */
function baseOf(format: MayFormat, level: number, lo: number): number {
  const shift = format.shift(level);
  return shift < 32 ? lo & (-1 << shift) : 0;
}

/** Pages between the base of a page of 2^shift bytes and an address in it. */
function offsetPages(shift: number, lo: number, hi: number): number {
  if (shift < 32) return (lo & ~(-1 << shift)) >>> 12;
  return (lo >>> 12) + (shift > 32 ? hi & ~(-1 << (shift - 32)) : 0) * 0x10_0000;
}
