/**
 * The coherence ledger, may-sets half: for every core and tag, which translations the architecture still permits, so
 * that one schedule judges every TLB and walk-cache content that hardware could have had. Rules O1-O18 and O23 of the
 * project's TLB oracle; for x86-64 Intel SDM vol. 3A 4.10, for AArch64 Arm ARM chapter D8 "Translation Lookaside Buffers",
 * "TLB maintenance".
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
 * Where an invalidation is complete at a barrier only (AArch64), it removes what it names then, on all cores that it
 * names, whenever each of them has carried it out, and of that only what a barrier of the issuing core had ordered before
 * it: a walker may have read again what a later store took away (may-sets-barriers.ts). A walker that sees a store late
 * (late-stores.ts) thus finds nothing that is not permitted, for what orders a store makes it visible as well.
 *
 * Writes to linked tables are heard of before they happen (FRAME_WATCHED, PhysicalMemory.onWatchedWrite) and taken in at
 * the next event of any kind: nothing observes the state in between.
 *
 * Simplifications: control registers that give entries their meaning (NXE, PGE, MAXPHYADDR, levels) are the same on all
 * cores and do not change while translations made under another setting are held; where the manual says otherwise the
 * change invalidates everything. Stores to a table between the store that links it and the next event are taken for what
 * the table holds when it is linked.
 */
import type { EventContext } from "./ledger-store.ts";
import { MayAnswers, type MayTable, type MayTranslation } from "./may-sets-answers.ts";
import { type BarriersState, MayBarriers, type MayInvalidation, type MayReach } from "./may-sets-barriers.ts";
import { Derivation } from "./may-sets-derivation.ts";
import type { MayFormat } from "./may-sets-format.ts";
import { AT_ONCE, MayHistory } from "./may-sets-history.ts";
import { type HoldersState, type MayCore, MayHolders } from "./may-sets-holders.ts";
import { MayJudge, type ReturnJudgement } from "./may-sets-judge.ts";
import { MayLog } from "./may-sets-log.ts";
import { MAX_STALE_RECORDS, type RecordsState, StaleRecords } from "./may-sets-records.ts";
import type { MayViolation } from "./may-sets-report.ts";
import { LinkedTables, SLOTS, slotFrame, type TablesState } from "./may-sets-tables.ts";
import type { PhysicalMemory } from "./memory.ts";
import { ANY_CONTEXT } from "./set-array.ts";

export type { MayTable, MayTranslation } from "./may-sets-answers.ts";
export type { MayInvalidation, MayReach } from "./may-sets-barriers.ts";
export type { ReturnJudgement } from "./may-sets-judge.ts";
export { MAX_MAY_VIOLATIONS } from "./may-sets-log.ts";

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

/** Who may hold translations of an address space. */
export interface MayUser {
  readonly core: number;
  readonly tag: number;
  /** lazy: loaded on a core that is in lazy mode; frozen: not loaded, and not flushed since it was. */
  readonly use: "loaded" | "lazy" | "frozen";
}

/** Saved may-sets; opaque. */
export interface MaySetsState {
  readonly tables: TablesState;
  readonly records: RecordsState;
  readonly holders: HoldersState;
  readonly barriers: BarriersState;
  readonly sequence: number;
  readonly total: number;
  readonly violations: readonly MayViolation[];
}

export class MaySets {
  readonly #options: MaySetsOptions;
  readonly #ram: PhysicalMemory;
  readonly #tables: LinkedTables;
  readonly #records: StaleRecords;
  readonly #holders: MayHolders;
  readonly #answers: MayAnswers;
  readonly #history: MayHistory;
  readonly #judge: MayJudge;
  readonly #barriers: MayBarriers = new MayBarriers();
  readonly #log: MayLog;
  /** Slots about to be written, and what they held: slot, low and high half; so many words. */
  readonly #pending: number[] = [];
  #pendingWords = 0;
  #base: MaySetsState | null = null;

  constructor(options: MaySetsOptions) {
    const { ram, isPermanent, eventContext } = options;
    this.#options = options;
    this.#ram = ram;
    this.#tables = new LinkedTables(ram, isPermanent);
    const tables = this.#tables;
    this.#records = new StaleRecords(ram.frames, options.capacity ?? MAX_STALE_RECORDS);
    const records = this.#records;
    this.#holders = new MayHolders(ram.frames);
    const holders = this.#holders;
    const derivation = new Derivation(ram, tables, records, holders);
    this.#log = new MayLog(eventContext, records);
    const log = this.#log;
    this.#answers = new MayAnswers(records, derivation);
    const answers = this.#answers;
    this.#history = new MayHistory({ frames: ram.frames, isPermanent, tables, records, derivation, log });
    this.#judge = new MayJudge({
      ram,
      isPermanent,
      tables,
      records,
      holders,
      derivation,
      history: this.#history,
      answers,
      log,
    });
    ram.onWatchedWrite = (pa, lengthBytes) => this.#beforeWrite(pa, lengthBytes);
  }

  /** The first MAX_MAY_VIOLATIONS violations, in order. */
  get violations(): readonly MayViolation[] {
    return this.#log.violations;
  }

  /** All violations. */
  get total(): number {
    return this.#log.total;
  }

  /** Records that found no place, so that what they say is not judged: 0 in a sound run. */
  get lost(): number {
    this.sync();
    return this.#records.lost;
  }

  /** Number of the last event; later ones have larger numbers. */
  get sequence(): number {
    this.sync();
    return this.#log.sequence;
  }

  get checksUses(): boolean {
    return this.#options.selfCheck === "every use";
  }

  // For translation units

  /** A core joins, in order, before anything runs, with the format of each space. */
  attach(core: number, formats: readonly MayFormat[]): void {
    this.#holders.addCore(core, formats);
    if (core === 0) this.#tables.setFormats(formats);
  }

  /**
   * A core loads the root table at a physical address for a space under a tag, and keeps or flushes what it holds under
   * that tag (not global translations).
   */
  rootLoaded(core: number, space: number, tag: number, rootPa: number, flush: "keep" | "flush"): void {
    this.sync();
    const at = this.#holders.cores[core]!;
    const rootSlot = rootPa / 8;
    const before = at.loaded[space]!;
    if (before !== null && before.tag === tag && before.rootSlot === rootSlot) {
      if (flush === "flush") this.#emptyTag(at, tag, space);
      return;
    }
    if (before !== null) this.#unload(at, space);
    if (flush === "flush") this.#emptyTag(at, tag, space);
    if (before !== null && before.tag !== tag) this.#freeze(at, space);
    const holder = this.#holders.findOrAdd(core, tag, space, rootSlot);
    this.#tables.linkRoot(rootSlot, space, holder.format);
    this.#holders.load(holder, rootSlot);
    for (const each of at.tags) {
      if (each.tag !== tag || each.space !== space) continue;
      each.isLoaded = true;
      each.isExplicit = false;
      this.#judge.reportCondemned(each, "condemned-loaded", "load-tag");
    }
  }

  /** A core translates a space no more: "flush": which invalidates what it holds under the tag. */
  rootUnloaded(core: number, space: number, flush: "keep" | "flush"): void {
    this.sync();
    const at = this.#holders.cores[core]!;
    const before = at.loaded[space]!;
    if (before === null) return;
    if (flush === "flush") {
      before.isLoaded = before.hasRoot = false;
      this.#history.empty(before);
    } else {
      this.#unload(at, space);
      this.#freeze(at, space);
    }
    at.loaded[space] = null;
  }

  /**
   * A core drops the translations of one address under a tag (ANY_CONTEXT: under all), `globals` its global ones too; and
   * of its walk caches under the tag all entries, or those that a walk for the address would use.
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
    const history = this.#history;
    const at = this.#holders.cores[core]!;
    const space = at.spaceOf(hi);
    if (globals === "globals") history.dropLeaves(at.globals[space]!, lo, hi);
    for (const holder of at.tags) {
      if ((tag !== ANY_CONTEXT && holder.tag !== tag) || holder.space !== space) continue;
      if (!holder.hasRoot && holder.root >= 0) history.materialise(holder);
      history.dropLeaves(holder, lo, hi);
      history.dropWalksOf(holder, lo, hi, globals, walks);
    }
  }

  /** A core drops everything under a tag, ANY_CONTEXT: under all; `globals` its global translations too. */
  invalidateContext(core: number, tag: number, globals: "globals" | "tagged"): void {
    this.sync();
    const at = this.#holders.cores[core]!;
    for (const holder of at.tags) {
      if (tag === ANY_CONTEXT || holder.tag === tag) this.#history.empty(holder);
    }
    if (globals === "globals") for (const holder of at.globals) this.#history.removeAll(holder);
  }

  /** A core drops what an invalidation names, here and now. */
  invalidate(core: number, invalidation: MayInvalidation): void {
    this.sync();
    this.#apply(core, invalidation);
  }

  // Where an invalidation is complete at a barrier only

  /**
   * A core issues an invalidation, for itself or for all cores. It acts at some moment from here on, for each core its
   * own, and at the latest when a barrier of the issuing core completes it; until then what it names may be held and used.
   * It may act before stores that no barrier of that core has ordered before it.
   */
  invalidationIssued(core: number, invalidation: MayInvalidation, reach: MayReach): void {
    this.sync();
    this.#barriers.issued(core, invalidation, reach, this.#log.sequence);
    // What is unloaded from here on is unloaded later.
    this.#log.sequence++;
  }

  /**
   * A barrier of a core is complete: stores so far are ordered before what follows it, for the walkers that it reaches;
   * "all": and the invalidations that the core issued are done.
   */
  barrierCompleted(core: number, reach: MayReach, waitsFor: "stores" | "all"): void {
    this.sync();
    this.#barriers.completed(core, reach, this.#log.sequence);
    if (waitsFor === "stores") return;
    for (const each of this.#barriers.take(core, reach)) {
      const cores = each.reach === "local" ? [core] : this.#holders.cores.map(({ id }) => id);
      for (const other of cores) {
        const stores = other === core ? each.orderedHere : each.orderedEverywhere;
        this.#history.orderedBy({ stores, issued: each.sequence });
        this.#apply(other, each.invalidation);
      }
    }
    this.#history.orderedBy(AT_ONCE);
  }

  #apply(core: number, invalidation: MayInvalidation): void {
    const { scope, tag, takesGlobals } = invalidation;
    const history = this.#history;
    const at = this.#holders.cores[core]!;
    if (scope === "context") {
      for (const holder of at.tags) if (tag === ANY_CONTEXT || holder.tag === tag) history.empty(holder);
      if (takesGlobals) for (const holder of at.globals) history.removeAll(holder);
      return;
    }
    const space = at.spaceOf(invalidation.hi);
    if (takesGlobals) history.dropNamed(at.globals[space]!, invalidation);
    for (const holder of at.tags) {
      if ((tag === ANY_CONTEXT || holder.tag === tag) && holder.space === space) {
        history.dropNamed(holder, invalidation);
      }
    }
  }

  /**
   * Self-check: an access to (lo, hi) uses a translation with these attributes that leads to this 4 KiB frame. One that
   * is not permitted is reported and is a defect of the emulator.
   */
  used(core: number, tag: number, lo: number, hi: number, attributes: number, frame: number): void {
    if (this.#options.isPermanent(lo, hi)) return;
    this.sync();
    const at = this.#holders.cores[core]!;
    const space = at.spaceOf(hi);
    const global = at.globals[space]!;
    for (const holder of at.tags) {
      if (holder.tag !== tag || holder.space !== space) continue;
      if (this.#answers.permitsUse(holder, lo, hi, attributes, frame)) return;
    }
    if (this.#answers.permitsStaleUse(global, lo, hi, attributes, frame)) return;
    this.#judge.reportUse(at.loaded[space] ?? global, frame, lo, hi, "translation");
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
    const space = at.spaceOf(hi);
    for (const holder of at.tags) {
      if (holder.tag !== tag || holder.space !== space) continue;
      if (this.#answers.permitsWalk(holder, lo, hi, level, rights, frame)) return;
    }
    this.#judge.reportUse(at.loaded[space] ?? at.globals[space]!, frame, lo, hi, "walk-cache entry");
  }

  // For the kernel, through the ledger

  /** A data frame goes back to the allocator. */
  frameFreed(frame: number): void {
    this.sync();
    this.#judge.frameFreed(frame);
  }

  /** A page-table page goes back to the allocator. */
  tableFreed(frame: number): void {
    this.sync();
    this.#judge.tableFreed(frame);
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
    for (const holder of at.tags) {
      if (holder.isLoaded) this.#judge.reportCondemned(holder, "condemned-not-lazy", "leave-lazy");
    }
    for (const holder of at.globals) this.#judge.reportCondemned(holder, "condemned-not-lazy", "leave-lazy");
  }

  /**
   * A call returns. A core that may use a stale translation of its range which `allows` refuses is reported (I4); on a
   * lazy core and under a tag that is not loaded such a translation is condemned.
   */
  callReturned(judgement: ReturnJudgement): void {
    this.sync();
    this.#judge.callReturned(judgement);
  }

  // Questions

  /** What a core may hold for an address under a tag, globals included; each translation once. */
  permits(core: number, tag: number, lo: number, hi: number): MayTranslation[] {
    this.sync();
    const at = this.#holders.cores[core]!;
    const space = at.spaceOf(hi);
    const found: MayTranslation[] = [];
    for (const holder of at.tags) {
      if (holder.space !== space) continue;
      if (holder.tag === tag) {
        this.#answers.addWalks(found, holder, lo, hi, "all");
        this.#answers.addStale(found, holder, lo, hi);
      } else if (holder.isLoaded) {
        // What is global and found under the loaded tag serves under every tag.
        this.#answers.addWalks(found, holder, lo, hi, "globals");
      }
    }
    this.#answers.addStale(found, at.globals[space]!, lo, hi);
    return found;
  }

  /** Table pages to which a core's walker may be led for an address under a tag, from the root down. */
  walkPermits(core: number, tag: number, lo: number, hi: number): MayTable[] {
    this.sync();
    const at = this.#holders.cores[core]!;
    const space = at.spaceOf(hi);
    const found: MayTable[] = [];
    for (let level = at.formats[space]!.levels; level >= 2; level--) {
      for (const holder of at.tags) {
        if (holder.tag !== tag || holder.space !== space) continue;
        this.#answers.addTables(found, holder, lo, hi, level);
      }
    }
    return found;
  }

  /** Stale translations to pages start … end - 1 that cores may hold under a root, lazy and frozen ones too. */
  stale(root: number, start: number, end: number): MayTranslation[] {
    this.sync();
    const found: MayTranslation[] = [];
    for (const holder of this.#holders.ofRoot(root)) {
      this.#history.recordLeavesBelow(holder, start, end);
      this.#answers.addStaleOf(found, holder, start, end);
    }
    return found;
  }

  /** Cores and tags that have a root loaded, or had and were not flushed since. */
  holdersOf(root: number): MayUser[] {
    this.sync();
    return this.#holders.ofRoot(root).map(({ core, tag, hasRoot }) => ({
      core: core.id,
      tag,
      use: !hasRoot ? "frozen" : core.isLazy ? "lazy" : "loaded",
    }));
  }

  // Stores

  /** Takes in the stores that were announced. Every entry of this class begins with it. */
  sync(): void {
    const words = this.#pendingWords;
    if (words === 0) return;
    this.#pendingWords = 0;
    const pending = this.#pending;
    for (let i = 0; i < words; i += 3) this.#store(pending[i]!, pending[i + 1]!, pending[i + 2]!);
  }

  #beforeWrite(pa: number, lengthBytes: number): void {
    this.sync();
    const { i32 } = this.#ram;
    const pending = this.#pending;
    const last = Math.floor((pa + lengthBytes - 1) / 8);
    for (let slot = Math.floor(pa / 8); slot <= last; slot++) {
      if (this.#tables.get(slotFrame(slot)) === undefined) {
        slot |= SLOTS - 1;
        continue;
      }
      pending[this.#pendingWords] = slot;
      pending[this.#pendingWords + 1] = i32[slot * 2]!;
      pending[this.#pendingWords + 2] = i32[slot * 2 + 1]!;
      this.#pendingWords += 3;
    }
    if (this.#pendingWords > 0) this.#log.writerIsNow();
  }

  #store(slot: number, oldLo: number, oldHi: number): void {
    const lo = this.#ram.i32[slot * 2]!;
    const hi = this.#ram.i32[slot * 2 + 1]!;
    const table = this.#tables.get(slotFrame(slot));
    if (table === undefined) return;
    const index = slot % SLOTS;
    if (index < table.from || index >= table.to) return;
    if (this.#tables.isSame(table, oldLo, oldHi, lo, hi)) return;
    const wasCacheable = this.#tables.isCacheable(table, oldLo, oldHi);
    if (!wasCacheable && !this.#tables.isCacheable(table, lo, hi)) return;
    this.#log.sequence++;
    if (wasCacheable) {
      this.#history.outdate(slot, oldLo, oldHi, lo, hi);
      this.#judge.replaced(slot, oldLo, oldHi, lo, hi);
    }
    this.#tables.change(table, index, oldLo, oldHi, this.#log.sequence);
  }

  /** The root of a space is about to be read no more. */
  #unload(at: MayCore, space: number): void {
    for (const holder of at.tags)
      if (holder.space === space && holder.isLoaded) this.#history.keepGlobals(holder);
    const before = at.loaded[space]!;
    before.hasRoot = false;
    before.rootFrozenAt = this.#log.sequence;
  }

  /** The tag of a space is loaded no more; its global leaves have been recorded. */
  #freeze(at: MayCore, space: number): void {
    this.#log.sequence++;
    for (const holder of at.tags) {
      if (holder.space !== space || !holder.isLoaded) continue;
      holder.isLoaded = false;
      holder.frozenAt = this.#log.sequence;
      if (holder === at.loaded[space]) holder.rootFrozenAt = this.#log.sequence;
    }
  }

  #emptyTag(at: MayCore, tag: number, space: number): void {
    for (const holder of at.tags) {
      if (holder.tag === tag && holder.space === space) this.#history.empty(holder);
    }
  }

  // State

  /** A copy of everything mutable; restore() of the last one takes time in what changed since. */
  save(): MaySetsState {
    this.sync();
    this.#base = {
      tables: this.#tables.save(),
      records: this.#records.save(),
      holders: this.#holders.save(),
      barriers: this.#barriers.save(),
      sequence: this.#log.sequence,
      total: this.#log.total,
      violations: [...this.#log.violations],
    };
    this.#tables.setBase();
    return this.#base;
  }

  /** RAM holds what it held at save(), or will before anything happens; its marks FRAME_WATCHED are set here. */
  restore(state: MaySetsState): void {
    this.#pendingWords = 0;
    if (state === this.#base) this.#tables.rewind();
    else this.#tables.restore(state.tables);
    this.#base = state;
    this.#records.restore(state.records);
    this.#holders.restore(state.holders);
    this.#barriers.restore(state.barriers);
    const log = this.#log;
    log.sequence = state.sequence;
    log.total = state.total;
    log.violations.length = 0;
    for (const violation of state.violations) log.violations.push(violation);
  }
}
