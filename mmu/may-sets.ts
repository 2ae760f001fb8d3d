/**
 * The coherence ledger, may-sets half: for every core and tag, which translations the architecture still permits, so
 * that one schedule judges every TLB and walk-cache content that hardware could have had. Rules O1-O18 and O23 of the
 * project's TLB oracle; for x86-64 Intel SDM vol. 3A 4.10.
 *
 * Hardware may at any moment walk any address under the loaded root and keep what it read, upper entries (walk caches)
 * and leaves alike, until an invalidation that covers it. So what a core may hold is
 *
 *     what a walk under a loaded tag would make of memory now
 *   + stale records: what it would have made before a store took a value away, and no invalidation has covered since.
 *
 * A stale record is made at the store, for every way in which a walker may be led to the slot: through entries above as
 * they are, or through a stale record of an upper entry, which goes on leading walks into its table, whose slots are
 * read when the walk comes by. Rights are those of each way. An invalidation removes the records that it covers; a
 * record of an upper entry that goes leaves behind the leaves that it could have led to. This is the history of the
 * slots since each core's floor, kept as what it permits: a store costs the number of ways to its table, and a slot that
 * nobody holds an old value of has no history.
 *
 * A tag that is not loaded is frozen: nothing new is derived under it (may-sets-holders.ts). Records have a bound
 * (may-sets-records.ts): `lost` counts those past it.
 *
 * Writes to linked tables are heard of before they happen (FRAME_WATCHED, PhysicalMemory.onWatchedWrite) and taken in at
 * the next event of any kind: nothing observes the state in between.
 *
 * Simplifications: control registers that give entries their meaning (NXE, PGE, MAXPHYADDR, levels) are the same on all
 * cores and do not change while translations made under another setting are held; where the manual says otherwise the
 * change invalidates everything.
 */
import type { LedgerEvent, LedgerEventKind } from "./ledger-report.ts";
import { CONDEMNED, EventColumn, type EventContext, LIVE, NOWHERE } from "./ledger-store.ts";
import { Derivation } from "./may-sets-derivation.ts";
import { LEAF, type MayFormat, type MayRights, NOTHING, TABLE } from "./may-sets-format.ts";
import { type HoldersState, type MayCore, type MayHolder, MayHolders } from "./may-sets-holders.ts";
import { MAX_STALE_RECORDS, type RecordsState, StaleRecords } from "./may-sets-records.ts";
import type { MayRule, MayViolation } from "./may-sets-report.ts";
import { LinkedTables, SLOTS, slotFrame, type TablesState } from "./may-sets-tables.ts";
import type { PhysicalMemory } from "./memory.ts";
import { ANY_CONTEXT } from "./set-array.ts";

export interface MaySetsOptions {
  readonly ram: PhysicalMemory;
  readonly eventContext: (into: EventContext) => void;
  /** Addresses that are left out: their translations outlive the frames that they lead to (direct map). */
  readonly isPermanent: (lo: number, hi: number) => boolean;
  /** Stale records kept; default MAX_STALE_RECORDS. */
  readonly capacity?: number;
  /** "every use": each access is checked to use a permitted translation, which proves the emulator, not the kernel. */
  readonly selfCheck: "every use" | "none";
}

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

/** What a call that returns has taken away. */
export interface ReturnJudgement {
  /** Frame of the address space's root table. */
  readonly root: number;
  /** Pages start … end - 1. */
  readonly start: number;
  readonly end: number;
  /** Translations that became stale later belong to somebody else: `sequence` when the call had made its last store. */
  readonly staleBefore: number;
  /** True: a core may go on holding this one. */
  readonly allows: (translation: MayTranslation) => boolean;
  /** The call, for the report. */
  readonly text: string;
}

/** Saved may-sets; opaque. */
export interface MaySetsState {
  readonly tables: TablesState;
  readonly records: RecordsState;
  readonly holders: HoldersState;
  readonly sequence: number;
  readonly total: number;
  readonly violations: readonly MayViolation[];
}

/** Violations kept; further ones are counted. */
export const MAX_MAY_VIOLATIONS = 1000;

const CONDEMNERS: readonly LedgerEventKind[] = ["free-frame", "free-table", "call-return"];
const BY_FREE_FRAME = 0;
const BY_FREE_TABLE = 1;
const BY_RETURN = 2;

/** What becomes of what a walk-cache entry could have led to when it goes. */
const KEEP_LEAVES = 1;
const KEEP_TABLES = 2;
/** Of leaves, the global ones alone. */
const KEEP_GLOBALS = 4;

export class MaySets {
  /** The first MAX_MAY_VIOLATIONS violations, in order. */
  readonly violations: MayViolation[] = [];
  /** All violations. */
  total = 0;
  readonly #options: MaySetsOptions;
  readonly #ram: PhysicalMemory;
  readonly #tables: LinkedTables;
  readonly #records: StaleRecords;
  readonly #holders: MayHolders = new MayHolders();
  readonly #derivation: Derivation;
  #sequence = 0;
  readonly #context: EventContext = { core: -1, pcLo: -1, pcHi: -1, timeCycles: 0 };
  /** Who makes the pending stores. */
  readonly #writer: EventContext = { core: -1, pcLo: -1, pcHi: -1, timeCycles: 0 };
  /** Slots about to be written, and what they held: slot, low and high half. */
  readonly #pending: number[] = [];
  /** Frees of the event in hand, as a one-row column. */
  readonly #now: EventColumn = new EventColumn(1);
  /** The address that an invalidation names, while it runs; page number, or -1. */
  #exceptLo = 0;
  #exceptHi = 0;
  #hasException = false;
  /** The record that what is recorded now was led to by; NOWHERE: the store in hand. */
  #source: number = NOWHERE;
  #base: MaySetsState | null = null;

  constructor(options: MaySetsOptions) {
    const { ram } = options;
    this.#options = options;
    this.#ram = ram;
    this.#tables = new LinkedTables(ram, options.isPermanent);
    this.#records = new StaleRecords(ram.frames, options.capacity ?? MAX_STALE_RECORDS);
    this.#derivation = new Derivation(ram, this.#tables, this.#records, this.#holders);
    ram.onWatchedWrite = (pa, lengthBytes) => this.#beforeWrite(pa, lengthBytes);
  }

  /** Translations that found no place and are not judged: 0 in a sound run. */
  get lost(): number {
    this.sync();
    return this.#records.lost;
  }

  /** Number of the last event; later ones have larger numbers. */
  get sequence(): number {
    this.sync();
    return this.#sequence;
  }

  get checksUses(): boolean {
    return this.#options.selfCheck === "every use";
  }

  // For translation units

  /** A core joins, in order, before anything runs. */
  attach(core: number, format: MayFormat): void {
    this.#holders.addCore(core, format);
    if (core === 0) this.#tables.setFormat(format);
  }

  /** A core loads a root under a tag, and keeps or flushes what it holds under that tag (not global translations). */
  rootLoaded(core: number, tag: number, root: number, flush: "keep" | "flush"): void {
    this.sync();
    const at = this.#holders.cores[core]!;
    const before = at.loaded;
    if (before !== null && before.tag === tag && before.root === root) {
      if (flush === "flush") this.#empty(before);
      return;
    }
    if (before !== null) this.#keepGlobals(before);
    const holder = this.#holders.findOrAdd(core, tag);
    if (flush === "flush") this.#empty(holder);
    else if (holder.root >= 0 && holder.root !== root) this.#materialise(holder, KEEP_LEAVES | KEEP_TABLES);
    if (before !== null && before !== holder) this.#freeze(before);
    this.#tables.link(root, at.format.levels);
    holder.root = root;
    holder.isLoaded = true;
    at.loaded = holder;
    if (holder.condemned > 0) this.#reportCondemned(holder, "condemned-loaded", "load-tag");
  }

  /** A core switches translation off, which invalidates everything. */
  rootUnloaded(core: number): void {
    this.sync();
    const at = this.#holders.cores[core]!;
    if (at.loaded === null) return;
    at.loaded.isLoaded = false;
    this.#empty(at.loaded);
    at.loaded = null;
  }

  /**
   * A core drops the translations of one address under a tag, `globals` its global ones too; and of its walk caches
   * under the tag all entries, or those that a walk for the address would use.
   */
  invalidatePage(
    core: number,
    tag: number,
    lo: number,
    hi: number,
    globals: "globals" | "tagged",
    walks: "all walks" | "address",
  ): void {
    this.sync();
    const at = this.#holders.cores[core]!;
    if (globals === "globals") this.#dropLeaves(at.global, lo, hi);
    const holder = this.#holders.find(core, tag);
    if (holder === null) return;
    if (!holder.isLoaded && holder.root >= 0) this.#materialise(holder, KEEP_LEAVES | KEEP_TABLES);
    this.#dropLeaves(holder, lo, hi);
    this.#exceptLo = lo;
    this.#exceptHi = hi;
    this.#hasException = true;
    const exceptGlobals = globals === "globals";
    if (walks === "all walks") this.#dropWalks(holder, "all", KEEP_LEAVES, exceptGlobals);
    else this.#dropWalks(holder, "address", KEEP_LEAVES | KEEP_TABLES, exceptGlobals);
    this.#hasException = false;
  }

  /** A core drops everything under a tag, ANY_CONTEXT: under all; `globals` its global translations too. */
  invalidateContext(core: number, tag: number, globals: "globals" | "tagged"): void {
    this.sync();
    const at = this.#holders.cores[core]!;
    for (const holder of at.tags) if (tag === ANY_CONTEXT || holder.tag === tag) this.#empty(holder);
    if (globals === "globals") this.#removeAll(at.global);
  }

  /**
   * Self-check: an access to (lo, hi) uses a translation with these attributes that leads to this 4 KiB frame. One that
   * is not permitted is reported and is a defect of the emulator.
   */
  used(core: number, tag: number, lo: number, hi: number, attributes: number, frame: number): void {
    if (this.#options.isPermanent(lo, hi)) return;
    this.sync();
    const at = this.#holders.cores[core]!;
    const holder = this.#holders.find(core, tag);
    if (holder !== null && this.#permitsUse(holder, lo, hi, attributes, frame)) return;
    if (this.#hasLeaf(at.global, lo, hi, attributes, frame)) return;
    this.#reportUse(at, tag, frame, lo, hi, "translation");
  }

  /** Self-check: a walk for (lo, hi) starts at a walk-cache entry of a level, which leads to this table. */
  walkUsed(
    core: number,
    tag: number,
    lo: number,
    hi: number,
    level: number,
    rights: number,
    frame: number,
  ): void {
    if (this.#options.isPermanent(lo, hi)) return;
    this.sync();
    const at = this.#holders.cores[core]!;
    const holder = this.#holders.find(core, tag);
    if (holder !== null && this.#permitsWalk(holder, lo, hi, level, rights, frame)) return;
    this.#reportUse(at, tag, frame, lo, hi, "walk-cache entry");
  }

  // For the kernel, through the ledger

  /** A data frame goes back to the allocator. */
  frameFreed(frame: number): void {
    this.sync();
    this.#stamp();
    const hasLarge = this.#tables.hasLarge;
    this.#freeLeaves(frame, frame);
    if (hasLarge && frame % 512 !== 0) this.#freeLeaves(frame - (frame % 512), frame);
    if (hasLarge && frame % 0x4_0000 !== 0) this.#freeLeaves(frame - (frame % 0x4_0000), frame);
  }

  /** A page-table page goes back to the allocator. */
  tableFreed(frame: number): void {
    this.sync();
    this.#stamp();
    this.#freeTable(frame);
    for (const holder of this.#holders.ofRoot(frame)) {
      if (holder.isLoaded) {
        const earlier = this.#plainEvent(
          "load-root",
          holder.core.id,
          `${this.#who(holder)} has it loaded as root`,
        );
        this.#report("root-reachable", holder, frame, earlier, this.#freeEvent("free-table"));
      } else {
        this.#materialise(holder, KEEP_LEAVES | KEEP_TABLES);
      }
    }
    this.#tables.unlink(frame);
  }

  /** From here on the core uses no user translation until leaveLazy; its walker may go on. */
  enterLazy(core: number): void {
    this.sync();
    this.#holders.cores[core]!.isLazy = true;
  }

  /** The core may use user translations again; the invalidations that it owed are done. */
  leaveLazy(core: number): void {
    this.sync();
    const at = this.#holders.cores[core]!;
    if (!at.isLazy) return;
    at.isLazy = false;
    if (at.loaded !== null && at.loaded.condemned > 0) {
      this.#reportCondemned(at.loaded, "condemned-not-lazy", "leave-lazy");
    }
    if (at.global.condemned > 0) this.#reportCondemned(at.global, "condemned-not-lazy", "leave-lazy");
  }

  /**
   * A call returns. A core that may use a stale translation of its range which `allows` refuses is reported (I4); on a
   * lazy core and under a tag that is not loaded such a translation is condemned.
   */
  callReturned(judgement: ReturnJudgement): void {
    this.sync();
    this.#stamp();
    const { root, start, end, staleBefore, allows, text } = judgement;
    const judged = new Set<MayCore>();
    for (const holder of this.#holders.ofRoot(root)) {
      judged.add(holder.core);
      this.#materialiseStaleWays(holder, start, end);
      this.#judgeReturn(holder, start, end, staleBefore, allows, text);
    }
    for (const core of judged) this.#judgeReturn(core.global, start, end, staleBefore, allows, text);
  }

  // Questions

  /** What a core may hold for an address under a tag, globals included; for each translation once. */
  permits(core: number, tag: number, lo: number, hi: number): MayTranslation[] {
    this.sync();
    const at = this.#holders.cores[core]!;
    const found: MayTranslation[] = [];
    const holder = this.#holders.find(core, tag);
    if (holder !== null) {
      this.#addWalks(found, holder, lo, hi, "all");
      this.#addRecords(found, holder, lo, hi);
    }
    // What is global and found under the loaded tag serves under every tag.
    if (at.loaded !== null && at.loaded !== holder) this.#addWalks(found, at.loaded, lo, hi, "globals");
    this.#addRecords(found, at.global, lo, hi);
    return found;
  }

  /** Table pages to which a core's walker may be led for an address under a tag, from the root down. */
  walkPermits(
    core: number,
    tag: number,
    lo: number,
    hi: number,
  ): { level: number; frame: number; rights: number }[] {
    this.sync();
    const at = this.#holders.cores[core]!;
    const holder = this.#holders.find(core, tag);
    const found: { level: number; frame: number; rights: number }[] = [];
    if (holder === null) return found;
    for (let level = at.format.levels; level >= 2; level--) {
      const seen = (frame: number, rights: number): void => {
        if (found.some((way) => way.level === level && way.frame === frame && way.rights === rights)) return;
        found.push({ level, frame, rights });
      };
      this.#eachTable(holder, lo, hi, level, seen);
    }
    return found;
  }

  /** Cores and tags under which a root is or was loaded with no flush since: who may hold its translations. */
  holdersOf(root: number): { core: number; tag: number; use: "loaded" | "lazy" | "frozen" }[] {
    this.sync();
    return this.#holders.ofRoot(root).map((holder) => ({
      core: holder.core.id,
      tag: holder.tag,
      use: !holder.isLoaded ? "frozen" : holder.core.isLazy ? "lazy" : "loaded",
    }));
  }

  /**
   * Stale translations to pages start … end - 1 that cores may hold under a root, of lazy cores and frozen tags too.
   */
  stale(root: number, start: number, end: number): MayTranslation[] {
    this.sync();
    const found: MayTranslation[] = [];
    const records = this.#records;
    for (const holder of this.#holders.ofRoot(root)) {
      this.#materialiseStaleWays(holder, start, end);
      for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
        if (records.isTable[at] === 0 && this.#overlaps(holder.core, at, start, end))
          found.push(this.#translation(holder, at));
      }
    }
    return found;
  }

  /** Takes in the stores that were announced. Every entry of this class begins with it. */
  sync(): void {
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    for (let i = 0; i < pending.length; i += 3) this.#store(pending[i]!, pending[i + 1]!, pending[i + 2]!);
    pending.length = 0;
  }

  // State

  /** A copy of everything mutable; restore() of it takes time in what changed since. */
  save(): MaySetsState {
    this.sync();
    this.#base = {
      tables: this.#tables.save(),
      records: this.#records.save(),
      holders: this.#holders.save(),
      sequence: this.#sequence,
      total: this.total,
      violations: [...this.violations],
    };
    this.#tables.setBase();
    return this.#base;
  }

  /** RAM holds what it held at save(), or will before anything happens; its marks FRAME_WATCHED are set here. */
  restore(state: MaySetsState): void {
    this.#pending.length = 0;
    if (state === this.#base) this.#tables.rewind();
    else this.#tables.restore(state.tables);
    this.#base = state;
    this.#records.restore(state.records);
    this.#holders.restore(state.holders);
    this.#sequence = state.sequence;
    this.total = state.total;
    this.violations.splice(0, this.violations.length, ...state.violations);
  }

  // Stores

  #beforeWrite(pa: number, lengthBytes: number): void {
    this.sync();
    const { i32 } = this.#ram;
    const last = Math.floor((pa + lengthBytes - 1) / 8);
    for (let slot = Math.floor(pa / 8); slot <= last; slot++) {
      if (this.#tables.get(slotFrame(slot)) === undefined) {
        slot |= SLOTS - 1;
        continue;
      }
      this.#pending.push(slot, i32[slot * 2]!, i32[slot * 2 + 1]!);
    }
    if (this.#pending.length > 0) this.#options.eventContext(this.#writer);
  }

  #store(slot: number, oldLo: number, oldHi: number): void {
    const { format } = this.#holders.cores[0]!;
    const lo = this.#ram.i32[slot * 2]!;
    const hi = this.#ram.i32[slot * 2 + 1]!;
    if (format.isSame(oldLo, oldHi, lo, hi)) return;
    const wasCacheable = format.isCacheable(oldLo, oldHi);
    if (!wasCacheable && !format.isCacheable(lo, hi)) return;
    const table = this.#tables.get(slotFrame(slot));
    if (table === undefined) return;
    this.#sequence++;
    if (wasCacheable) this.#outdate(slot, oldLo, oldHi, lo, hi);
    this.#tables.change(table, slot % SLOTS, oldLo, oldHi, this.#sequence);
  }

  /** Records, for everyone who may be led to a slot, the value that a store takes away. */
  #outdate(slot: number, oldLo: number, oldHi: number, newLo: number, newHi: number): void {
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
      if (this.#options.isPermanent(baseLo, baseHi)) continue;
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
    if (frame >= this.#ram.frames) return;
    this.#records.add(
      holder,
      isTable,
      level,
      lo,
      hi,
      frame,
      attributes,
      this.#source,
      this.#sequence,
      this.#writer,
    );
  }

  // Holders

  /** A tag is loaded no more; its global leaves have been recorded. */
  #freeze(holder: MayHolder): void {
    holder.isLoaded = false;
    this.#sequence++;
    holder.frozenAt = this.#sequence;
  }

  /** Global leaves that a loaded holder may be led to outlive its tag. */
  #keepGlobals(holder: MayHolder): void {
    for (const slot of this.#tables.globals) {
      const derivation = this.#derivation;
      derivation.collect(slotFrame(slot));
      for (let i = 0; i < derivation.count; i++) {
        const way = derivation.ways[i]!;
        if (way.holder !== holder) continue;
        const { format } = holder.core;
        const { level, rights } = way;
        const lo = derivation.entryLo(slot);
        const hi = derivation.entryHi(slot);
        if (format.meaning(lo, hi, level) !== LEAF) continue;
        const index = slot % SLOTS;
        const attributes = format.leafAttributes(rights, lo, hi);
        const baseLo = way.lo | format.baseLo(index, level);
        const baseHi = way.hi | format.baseHi(index, level);
        if (!format.isGlobal(attributes) || this.#options.isPermanent(baseLo, baseHi)) continue;
        this.#addLeaf(holder, level, baseLo, baseHi, format.frame(lo, hi, level), attributes);
      }
    }
  }

  /** Everything that a holder may hold, globals excepted, goes. */
  #empty(holder: MayHolder): void {
    if (this.#tables.globals.size > 0 && holder.isLoaded) this.#dropWalks(holder, "all", KEEP_GLOBALS, true);
    this.#removeAll(holder);
    if (!holder.isLoaded) holder.root = -1;
  }

  /** What a holder may hold through its root becomes records, and the root leads nowhere any more. */
  #materialise(holder: MayHolder, keep: number): void {
    const { levels, rootRights } = holder.core.format;
    const { root } = holder;
    holder.root = -1;
    this.#keepBelow(holder, root, levels, 0, 0, rootRights, keep, true);
  }

  // Records

  #remove(holder: MayHolder, record: number): void {
    if (this.#records.verdict[record] === CONDEMNED) holder.condemned--;
    this.#records.remove(holder, record);
  }

  #removeAll(holder: MayHolder): void {
    while (holder.first !== NOWHERE) this.#remove(holder, holder.first);
  }

  #dropLeaves(holder: MayHolder, lo: number, hi: number): void {
    const records = this.#records;
    for (let at = holder.first; at !== NOWHERE; ) {
      const next = records.next[at]!;
      if (records.isTable[at] === 0 && this.#isCovered(holder.core, at, lo, hi)) this.#remove(holder, at);
      at = next;
    }
  }

  /**
   * Walk-cache entries of a holder go: all of them, or those that the address of the invalidation uses. What they
   * could have led to stays, as `keep` says, but for that address.
   */
  #dropWalks(holder: MayHolder, which: "all" | "address", keep: number, exceptGlobals: boolean): void {
    const records = this.#records;
    const going: number[] = [];
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.isTable[at] === 0) continue;
      if (which === "all" || this.#isCovered(holder.core, at, this.#exceptLo, this.#exceptHi)) going.push(at);
    }
    for (const at of going)
      if (records.verdict[at] === LIVE) this.#keepBelowRecord(holder, at, keep, exceptGlobals);
    for (const at of going) this.#remove(holder, at);
  }

  /** Records what a stale upper entry permits. */
  #keepBelowRecord(holder: MayHolder, at: number, keep: number, exceptGlobals: boolean): void {
    const { frame, level, lo, hi, attributes } = this.#records;
    this.#source = at;
    this.#keepBelow(
      holder,
      frame[at]!,
      level[at]! - 1,
      lo[at]!,
      hi[at]!,
      attributes[at]!,
      keep,
      exceptGlobals,
    );
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
    exceptGlobals: boolean,
  ): void {
    if (this.#tables.get(frame) === undefined) return;
    const { format } = holder.core;
    const derivation = this.#derivation;
    const first = frame * SLOTS;
    for (let index = 0; index < SLOTS; index++) {
      const entryLo = derivation.entryLo(first + index);
      const entryHi = derivation.entryHi(first + index);
      const meaning = format.meaning(entryLo, entryHi, level);
      if (meaning === NOTHING || !derivation.sees(holder, first + index)) continue;
      const baseLo = lo | format.baseLo(index, level);
      const baseHi = hi | format.baseHi(index, level);
      if (this.#options.isPermanent(baseLo, baseHi)) continue;
      const isExcepted =
        this.#hasException && isInside(baseLo, baseHi, format.shift(level), this.#exceptLo, this.#exceptHi);
      const leadsTo = format.frame(entryLo, entryHi, level);
      if (meaning === LEAF) {
        const attributes = format.leafAttributes(rights, entryLo, entryHi);
        const isGlobal = format.isGlobal(attributes);
        if (isExcepted && (exceptGlobals || !isGlobal)) continue;
        if ((keep & KEEP_GLOBALS) !== 0 && !isGlobal) continue;
        this.#keepLeaf(holder, level, baseLo, baseHi, leadsTo, attributes);
      } else {
        const below = format.combine(rights, entryLo, entryHi);
        if ((keep & KEEP_TABLES) !== 0 && !isExcepted) {
          this.#add(holder, 1, level, baseLo, baseHi, leadsTo, below);
        }
        this.#keepBelow(holder, leadsTo, level - 1, baseLo, baseHi, below, keep, exceptGlobals);
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
    if (holder.root >= 0) {
      const { levels, rootRights } = holder.core.format;
      const derivation = this.#derivation;
      if (
        derivation.walk(holder, holder.root, levels, rootRights, lo, hi, 0) &&
        derivation.level === level &&
        derivation.frame === frame &&
        derivation.attributes === attributes
      )
        return;
    }
    this.#addLeaf(holder, level, lo, hi, frame, attributes);
  }

  #isCovered(core: MayCore, record: number, lo: number, hi: number): boolean {
    const records = this.#records;
    return isInside(
      records.lo[record]!,
      records.hi[record]!,
      core.format.shift(records.level[record]!),
      lo,
      hi,
    );
  }

  /** A record covers one of the pages start … end - 1. */
  #overlaps(core: MayCore, record: number, start: number, end: number): boolean {
    const records = this.#records;
    const first = pageOf(records.lo[record]!, records.hi[record]!);
    return first < end && start < first + 2 ** (core.format.shift(records.level[record]!) - 12);
  }

  // Uses

  #permitsUse(holder: MayHolder, lo: number, hi: number, attributes: number, frame: number): boolean {
    const { format } = holder.core;
    const derivation = this.#derivation;
    if (
      holder.root >= 0 &&
      derivation.walk(holder, holder.root, format.levels, format.rootRights, lo, hi, 0) &&
      this.#leadsTo(format, lo, hi, attributes, frame)
    )
      return true;
    const records = this.#records;
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.isTable[at] === 0 || !this.#isCovered(holder.core, at, lo, hi)) continue;
      const from = records.level[at]! - 1;
      if (
        derivation.walk(holder, records.frame[at]!, from, records.attributes[at]!, lo, hi, 0) &&
        this.#leadsTo(format, lo, hi, attributes, frame)
      )
        return true;
    }
    return this.#hasLeaf(holder, lo, hi, attributes, frame);
  }

  #hasLeaf(holder: MayHolder, lo: number, hi: number, attributes: number, frame: number): boolean {
    const { format } = holder.core;
    const records = this.#records;
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.isTable[at] === 1 || !this.#isCovered(holder.core, at, lo, hi)) continue;
      const offset = offsetPages(format.shift(records.level[at]!), lo, hi);
      if (records.frame[at]! + offset === frame && format.covers(records.attributes[at]!, attributes))
        return true;
    }
    return false;
  }

  /** The walk that has just ended in a leaf leads an address to a 4 KiB frame with at least these attributes. */
  #leadsTo(format: MayFormat, lo: number, hi: number, attributes: number, frame: number): boolean {
    const derivation = this.#derivation;
    if (derivation.frame + offsetPages(format.shift(derivation.level), lo, hi) !== frame) return false;
    return format.covers(derivation.attributes, attributes);
  }

  #permitsWalk(
    holder: MayHolder,
    lo: number,
    hi: number,
    level: number,
    rights: number,
    frame: number,
  ): boolean {
    let found = false;
    this.#eachTable(holder, lo, hi, level, (table, above) => {
      if (table === frame && above === rights) found = true;
    });
    return found;
  }

  #eachTable(
    holder: MayHolder,
    lo: number,
    hi: number,
    level: number,
    seen: (frame: number, rights: number) => void,
  ): void {
    const { format } = holder.core;
    const derivation = this.#derivation;
    if (
      holder.root >= 0 &&
      derivation.walk(holder, holder.root, format.levels, format.rootRights, lo, hi, level)
    )
      seen(derivation.frame, derivation.attributes);
    const records = this.#records;
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.isTable[at] === 0 || !this.#isCovered(holder.core, at, lo, hi)) continue;
      const from = records.level[at]!;
      if (from === level) seen(records.frame[at]!, records.attributes[at]!);
      else if (
        from > level &&
        derivation.walk(holder, records.frame[at]!, from - 1, records.attributes[at]!, lo, hi, level)
      )
        seen(derivation.frame, derivation.attributes);
    }
  }

  // Frees

  /** Leaves whose first frame is `head`, one of whose frames is freed. */
  #freeLeaves(head: number, freed: number): void {
    const records = this.#records;
    if (this.#tables.mapped[head]! > 0) this.#recordMappings(head);
    for (let at = records.firstLeaf(head); at !== NOWHERE; at = records.nextOfFrame(at)) {
      if (records.verdict[at] !== LIVE) continue;
      const holder = this.#holders.all[records.owner[at]!]!;
      const pages = 2 ** (holder.core.format.shift(records.level[at]!) - 12);
      if (freed >= head + pages) continue;
      if (!holder.isLoaded || holder.core.isLazy) this.#condemn(holder, at, BY_FREE_FRAME);
      else this.#reportRecord("frame-reachable", holder, at, this.#freeEvent("free-frame"));
    }
  }

  /** Slots that map a frame which is freed count as records from now on, though memory still holds them. */
  #recordMappings(head: number): void {
    this.#takeContext();
    const { i32 } = this.#ram;
    for (const table of this.#tables.all()) {
      for (let index = 0; index < SLOTS; index++) {
        const slot = table.frame * SLOTS + index;
        if (this.#tables.maps(table, i32[slot * 2]!, i32[slot * 2 + 1]!, head))
          this.#recordMapping(slot, head);
      }
    }
  }

  #recordMapping(slot: number, head: number): void {
    const derivation = this.#derivation;
    const lo = derivation.entryLo(slot);
    const hi = derivation.entryHi(slot);
    const index = slot % SLOTS;
    derivation.collect(slotFrame(slot));
    for (let i = 0; i < derivation.count; i++) {
      const way = derivation.ways[i]!;
      const { holder, level } = way;
      const { format } = holder.core;
      if (format.meaning(lo, hi, level) !== LEAF || format.frame(lo, hi, level) !== head) continue;
      if (!derivation.sees(holder, slot)) continue;
      const baseLo = way.lo | format.baseLo(index, level);
      const baseHi = way.hi | format.baseHi(index, level);
      if (this.#options.isPermanent(baseLo, baseHi)) continue;
      this.#addLeaf(holder, level, baseLo, baseHi, head, format.leafAttributes(way.rights, lo, hi));
    }
  }

  /** Everyone who may be led to a table page that is freed. */
  #freeTable(frame: number): void {
    const derivation = this.#derivation;
    const records = this.#records;
    this.#takeContext();
    // Ways through entries that memory still holds become records.
    derivation.collect(frame);
    for (let i = 0; i < derivation.count; i++) {
      const { holder, level, lo, hi, rights } = derivation.ways[i]!;
      if (level < holder.core.format.levels) this.#add(holder, 1, level + 1, lo, hi, frame, rights);
    }
    const reported = new Set<MayCore>();
    for (let at = records.firstTable(frame); at !== NOWHERE; at = records.nextOfFrame(at)) {
      if (records.verdict[at] !== LIVE) continue;
      const holder = this.#holders.all[records.owner[at]!]!;
      if (!holder.isLoaded) {
        this.#condemn(holder, at, BY_FREE_TABLE);
      } else if (reported.has(holder.core)) {
        records.silence(at);
      } else {
        reported.add(holder.core);
        this.#reportRecord("table-reachable", holder, at, this.#freeEvent("free-table"));
      }
    }
  }

  // Returns

  /** Leaves that stale upper entries lead to are recorded, so that they can be judged one by one. */
  #materialiseStaleWays(holder: MayHolder, start: number, end: number): void {
    const records = this.#records;
    const ways: number[] = [];
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (
        records.isTable[at] === 1 &&
        records.verdict[at] === LIVE &&
        this.#overlaps(holder.core, at, start, end)
      )
        ways.push(at);
    }
    for (const at of ways) this.#keepBelowRecord(holder, at, KEEP_LEAVES, true);
  }

  #judgeReturn(
    holder: MayHolder,
    start: number,
    end: number,
    staleBefore: number,
    allows: (translation: MayTranslation) => boolean,
    text: string,
  ): void {
    const records = this.#records;
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.isTable[at] === 1 || records.verdict[at] !== LIVE) continue;
      if (records.changed.sequence[at]! > staleBefore || !this.#overlaps(holder.core, at, start, end))
        continue;
      if (allows(this.#translation(holder, at))) continue;
      if (!holder.isLoaded || holder.core.isLazy) this.#condemn(holder, at, BY_RETURN);
      else this.#reportRecord("stale-after-return", holder, at, this.#event("call-return", text));
    }
  }

  // Reports

  #condemn(holder: MayHolder, record: number, condemner: number): void {
    this.#records.verdict[record] = CONDEMNED;
    this.#records.condemner[record] = condemner;
    this.#records.condemned.copy(record, this.#now, 0);
    holder.condemned++;
  }

  /** The condemned records of a holder that its core may use from now on. */
  #reportCondemned(holder: MayHolder, rule: MayRule, kind: LedgerEventKind): void {
    const records = this.#records;
    const { core } = holder;
    this.#stamp();
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.verdict[at] !== CONDEMNED || (core.isLazy && records.isTable[at] === 0)) continue;
      holder.condemned--;
      records.silence(at);
      const condemner = CONDEMNERS[records.condemner[at]!]!;
      const earlier = this.#eventOf(
        records.condemned,
        at,
        condemner,
        records.lo[at]!,
        records.hi[at]!,
        `${describe(condemner)}, which condemned ${this.#what(holder, at)}`,
      );
      const later = this.#event(kind, kind === "leave-lazy" ? "leaves lazy mode" : `loads tag ${holder.tag}`);
      this.#report(rule, holder, records.frame[at]!, earlier, later);
    }
  }

  #reportRecord(rule: MayRule, holder: MayHolder, record: number, later: LedgerEvent): void {
    const records = this.#records;
    records.silence(record);
    const earlier = this.#eventOf(
      records.changed,
      record,
      "store",
      records.lo[record]!,
      records.hi[record]!,
      `stores to the level-${records.level[record]} entry; ${this.#what(holder, record)}`,
    );
    this.#report(rule, holder, records.frame[record]!, earlier, later);
  }

  #reportUse(core: MayCore, tag: number, frame: number, lo: number, hi: number, what: string): void {
    this.#stamp();
    const event = this.#event("use", `uses a ${what} that it cannot hold`, hex(lo, hi));
    const holder = this.#holders.find(core.id, tag) ?? core.global;
    this.#report("outside-may", holder, frame, event, event);
  }

  #report(rule: MayRule, holder: MayHolder, frame: number, earlier: LedgerEvent, later: LedgerEvent): void {
    this.total++;
    if (this.violations.length === MAX_MAY_VIOLATIONS) return;
    const invariant = this.#invariant(rule, earlier.kind);
    this.violations.push({ rule, invariant, holder: holder.core.id, tag: holder.tag, frame, earlier, later });
  }

  #invariant(rule: MayRule, earlier: LedgerEventKind): MayViolation["invariant"] {
    switch (rule) {
      case "frame-reachable":
        return "I3";
      case "table-reachable":
      case "root-reachable":
        return "I2";
      case "stale-after-return":
        return "I4";
      case "outside-may":
        return "emulator";
      default:
        return earlier === "free-table" ? "I2" : earlier === "free-frame" ? "I3" : "I4";
    }
  }

  #stamp(): void {
    this.#sequence++;
    this.#options.eventContext(this.#context);
    this.#now.put(0, this.#sequence, this.#context);
  }

  /** What is recorded from now on is recorded by the event in hand. */
  #takeContext(): void {
    Object.assign(this.#writer, this.#context);
  }

  #freeEvent(kind: "free-frame" | "free-table"): LedgerEvent {
    return this.#event(kind, describe(kind));
  }

  #event(kind: LedgerEventKind, text: string, address = ""): LedgerEvent {
    const { core, pcLo, pcHi, timeCycles } = this.#context;
    return { kind, core, pc: hexPc(pcLo, pcHi), address, timeCycles, sequence: this.#sequence, text };
  }

  #plainEvent(kind: LedgerEventKind, core: number, text: string): LedgerEvent {
    return { kind, core, pc: "", address: "", timeCycles: 0, sequence: 0, text };
  }

  #eventOf(
    column: EventColumn,
    at: number,
    kind: LedgerEventKind,
    lo: number,
    hi: number,
    text: string,
  ): LedgerEvent {
    return {
      kind,
      core: column.core[at]!,
      pc: hexPc(column.pcLo[at]!, column.pcHi[at]!),
      address: hex(lo, hi),
      timeCycles: column.time[at]!,
      sequence: column.sequence[at]!,
      text,
    };
  }

  #who(holder: MayHolder): string {
    const lazy = holder.core.isLazy ? ", lazy," : "";
    return `core ${holder.core.id}${lazy} ${holder.isGlobal ? "(global)" : `under tag ${holder.tag}`}`;
  }

  /** What a record says, for messages. */
  #what(holder: MayHolder, record: number): string {
    const records = this.#records;
    const { format } = holder.core;
    const leadsTo = `0x${records.frame[record]!.toString(16)}`;
    if (records.isTable[record] === 1) {
      return `${this.#who(holder)} may still be led to table page ${leadsTo}`;
    }
    const { write, execute } = format.rights(records.attributes[record]!);
    const rights = `r${write ? "w" : "-"}${execute ? "x" : "-"}`;
    return `${this.#who(holder)} may still hold frame ${leadsTo} ${rights}`;
  }

  // Answers

  /** What walks under a holder's tag would find now, from its root and from stale upper entries. */
  #addWalks(
    found: MayTranslation[],
    holder: MayHolder,
    lo: number,
    hi: number,
    which: "all" | "globals",
  ): void {
    const { format } = holder.core;
    const records = this.#records;
    const derivation = this.#derivation;
    const add = (frame: number, level: number, rights: number, staleSince: number): void => {
      if (!derivation.walk(holder, frame, level, rights, lo, hi, 0)) return;
      const { attributes } = derivation;
      if (which === "globals" && !format.isGlobal(attributes)) return;
      this.#addFound(found, holder, derivation.level, lo, hi, derivation.frame, attributes, staleSince);
    };
    if (holder.root >= 0) add(holder.root, format.levels, format.rootRights, 0);
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.isTable[at] === 0 || records.verdict[at] !== LIVE) continue;
      if (!this.#isCovered(holder.core, at, lo, hi)) continue;
      const { frame, level, attributes, changed } = records;
      add(frame[at]!, level[at]! - 1, attributes[at]!, changed.sequence[at]!);
    }
  }

  #addRecords(found: MayTranslation[], holder: MayHolder, lo: number, hi: number): void {
    const records = this.#records;
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.isTable[at] === 1 || !this.#isCovered(holder.core, at, lo, hi)) continue;
      this.#addFound(
        found,
        holder,
        records.level[at]!,
        lo,
        hi,
        records.frame[at]!,
        records.attributes[at]!,
        records.changed.sequence[at]!,
      );
    }
  }

  #addFound(
    found: MayTranslation[],
    holder: MayHolder,
    level: number,
    lo: number,
    hi: number,
    frame: number,
    attributes: number,
    staleSince: number,
  ): void {
    const { core } = holder;
    const shift = core.format.shift(level);
    const isKnown = found.some(
      (each) => each.shift === shift && each.frame === frame && each.attributes === attributes,
    );
    if (isKnown) return;
    const tag = core.format.isGlobal(attributes) ? ANY_CONTEXT : holder.tag;
    const base = {
      lo: lo & (shift >= 32 ? 0 : -1 << shift),
      hi: shift > 32 ? hi & (-1 << (shift - 32)) : hi,
    };
    const rights = core.format.rights(attributes);
    found.push({ core: core.id, tag, ...base, shift, frame, rights, attributes, staleSince });
  }

  #translation(holder: MayHolder, record: number): MayTranslation {
    const records = this.#records;
    const { format } = holder.core;
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
}

/** An address lies in the 2^shift bytes from a base. */
function isInside(baseLo: number, baseHi: number, shift: number, lo: number, hi: number): boolean {
  if (shift < 32) return hi === baseHi && ((lo ^ baseLo) & (-1 << shift)) === 0;
  return ((hi ^ baseHi) & (-1 << (shift - 32))) === 0;
}

/** Pages between the base of a page of 2^shift bytes and an address in it; shift ≤ 30. */
function offsetPages(shift: number, lo: number, _hi: number): number {
  return (lo & ~(-1 << shift)) >>> 12;
}

function pageOf(lo: number, hi: number): number {
  return (lo >>> 12) + (hi >>> 0) * 0x10_0000;
}

function describe(kind: LedgerEventKind): string {
  switch (kind) {
    case "free-frame":
      return "frees the frame";
    case "free-table":
      return "frees the table page";
    case "call-return":
      return "returns";
    default:
      return kind;
  }
}

function hex(lo: number, hi: number): string {
  return (hi >>> 0).toString(16).padStart(8, "0") + (lo >>> 0).toString(16).padStart(8, "0");
}

function hexPc(lo: number, hi: number): string {
  return lo === -1 && hi === -1 ? "" : hex(lo, hi);
}
