/** What the may-sets find wrong: at a free, at a call's return, when a tag is loaded and when a core leaves lazy mode. */
import type { LedgerEventKind } from "./ledger-report.ts";
import { CONDEMNED, LIVE, NOWHERE } from "./ledger-store.ts";
import type { MayAnswers, MayTranslation } from "./may-sets-answers.ts";
import type { Derivation } from "./may-sets-derivation.ts";
import { type MayFormat, NOTHING, pageFrames, TABLE } from "./may-sets-format.ts";
import type { MayHistory } from "./may-sets-history.ts";
import type { MayCore, MayHolder, MayHolders } from "./may-sets-holders.ts";
import { describe, hexAddress, type MayLog } from "./may-sets-log.ts";
import type { StaleRecords } from "./may-sets-records.ts";
import type { MayRule } from "./may-sets-report.ts";
import type { LinkedTables } from "./may-sets-tables.ts";
import type { PhysicalMemory } from "./memory.ts";

/** What a call that returns has taken away. */
export interface ReturnJudgement {
  /** Frame of the address space's root table. */
  readonly root: number;
  /** Pages start … end - 1. */
  readonly start: number;
  readonly end: number;
  /** "call-return": I4; "fault-return", of a fault that changed a mapping: I7. */
  readonly kind: "call-return" | "fault-return";
  /** For a page: `sequence` of the call's store to it. What became stale later is somebody else's. */
  readonly staleBefore: (page: number) => number;
  /** True: a core may go on holding this one for this page. */
  readonly allows: (translation: MayTranslation, page: number) => boolean;
  /** The call, for the report. */
  readonly text: string;
}

export interface JudgeParts {
  readonly ram: PhysicalMemory;
  readonly isPermanent: (lo: number, hi: number) => boolean;
  readonly tables: LinkedTables;
  readonly records: StaleRecords;
  readonly holders: MayHolders;
  readonly derivation: Derivation;
  readonly history: MayHistory;
  readonly answers: MayAnswers;
  readonly log: MayLog;
}

const CONDEMNERS: readonly LedgerEventKind[] = ["free-frame", "free-table", "call-return", "fault-return"];
const BY_FREE_FRAME = 0;
const BY_FREE_TABLE = 1;
const BY_CALL = 2;
const BY_FAULT = 3;

export class MayJudge {
  readonly #ram: PhysicalMemory;
  readonly #isPermanent: (lo: number, hi: number) => boolean;
  readonly #derivation: Derivation;
  readonly #tables: LinkedTables;
  readonly #records: StaleRecords;
  readonly #holders: MayHolders;
  readonly #history: MayHistory;
  readonly #answers: MayAnswers;
  readonly #log: MayLog;

  constructor(parts: JudgeParts) {
    this.#ram = parts.ram;
    this.#isPermanent = parts.isPermanent;
    this.#derivation = parts.derivation;
    this.#tables = parts.tables;
    this.#records = parts.records;
    this.#holders = parts.holders;
    this.#history = parts.history;
    this.#answers = parts.answers;
    this.#log = parts.log;
  }

  frameFreed(frame: number): void {
    this.#log.stamp();
    this.#freeLeaves(frame, frame);
    if (!this.#tables.hasLarge) return;
    for (const frames of this.#largePages()) {
      if (frame % frames !== 0) this.#freeLeaves(frame - (frame % frames), frame);
    }
  }

  tableFreed(frame: number): void {
    const log = this.#log;
    const records = this.#records;
    log.stamp();
    this.#history.recordWays(frame);
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
        log.reportRecord("table-reachable", holder, at, log.event("free-table", describe("free-table")));
      }
    }
    for (const holder of this.#holders.ofRoot(frame)) this.#rootFreed(holder, frame);
  }

  /**
   * A store replaced an entry that could be cached. Where the architecture wants a live entry broken, by an invalid one
   * and an invalidation, before another frame, size or memory type is put in its place, that is reported for the first
   * core that may hold it.
   */
  replaced(slot: number, oldLo: number, oldHi: number, newLo: number, newHi: number): void {
    if (this.#holders.cores[0]!.formats[0]!.replacement === null) return;
    const derivation = this.#derivation;
    derivation.collect(slot);
    for (let i = 0; i < derivation.count; i++) {
      const { holder, level, table, lo, hi, rights } = derivation.ways[i]!;
      const { format } = holder;
      const baseLo = lo | format.baseLo(slot - table, level);
      const baseHi = hi | format.baseHi(slot - table, level);
      if (this.#isPermanent(baseLo, baseHi) || !derivation.seesStores(holder, level)) continue;
      const what = this.#excludes(format, level, rights, oldLo, oldHi, newLo, newHi);
      if (what !== "") this.#log.reportReplacement(holder, level, baseLo, baseHi, oldLo, oldHi, what);
      return;
    }
  }

  /** What a live entry must not change at once; "": nothing of it changes. */
  #excludes(
    format: MayFormat,
    level: number,
    rights: number,
    oldLo: number,
    oldHi: number,
    newLo: number,
    newHi: number,
  ): string {
    const rule = format.replacement!;
    const was = format.meaning(oldLo, oldHi, level);
    const is = format.meaning(newLo, newHi, level);
    if (was === NOTHING || is === NOTHING || (was === TABLE && is === TABLE)) return "";
    if (was !== is) return rule.toleratesSizes ? "" : "the size";
    const isRegrouped = format.groupShift(oldLo, oldHi, level) !== format.groupShift(newLo, newHi, level);
    if (isRegrouped && !rule.toleratesSizes) return "the size";
    const older = format.leafAttributes(rights, oldLo, oldHi);
    const newer = format.leafAttributes(rights, newLo, newHi);
    if (rule.excludes(older, newer)) return "the memory type or the reach";
    const from = format.frame(oldLo, oldHi, level);
    const to = format.frame(newLo, newHi, level);
    if (from === to) return "";
    const isCopy = rule.areReadOnly(older, newer) && this.#holdSame(from, to, pageFrames(format, level));
    return isCopy ? "" : "the frame";
  }

  /** So many frames from two on hold the same. */
  #holdSame(a: number, b: number, frames: number): boolean {
    const { i32 } = this.#ram;
    if ((Math.max(a, b) + frames) * 1024 > i32.length) return false;
    for (let word = 0; word < frames * 1024; word++) {
      if (i32[a * 1024 + word] !== i32[b * 1024 + word]) return false;
    }
    return true;
  }

  callReturned(judgement: ReturnJudgement): void {
    this.#log.stamp();
    const judged = new Set<MayHolder>();
    for (const holder of this.#holders.ofRoot(judgement.root)) {
      this.#history.recordLeavesBelow(holder, judgement.start, judgement.end);
      judged.add(holder);
      judged.add(holder.core.globals[holder.space]!);
    }
    for (const holder of judged) this.#judgeReturn(holder, judgement);
  }

  #judgeReturn(holder: MayHolder, { start, end, kind, staleBefore, allows, text }: ReturnJudgement): void {
    const records = this.#records;
    const { format } = holder;
    const { isLazy } = holder.core;
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.isTable[at] === 1 || records.verdict[at] !== LIVE) continue;
      if (!records.overlaps(format, at, start, end)) continue;
      const page = Math.max(start, records.page(at));
      if (records.changed.sequence[at]! > staleBefore(page)) continue;
      if (allows(this.#answers.translation(holder, at), page)) continue;
      if (!holder.isLoaded || isLazy) this.#condemn(holder, at, kind === "call-return" ? BY_CALL : BY_FAULT);
      else this.#log.reportRecord("stale-after-return", holder, at, this.#log.event(kind, text));
    }
  }

  /** The core of a holder may use its condemned records from now on. */
  reportCondemned(holder: MayHolder, rule: MayRule, kind: LedgerEventKind): void {
    if (holder.condemned === 0) return;
    const records = this.#records;
    const log = this.#log;
    log.stamp();
    for (let at = holder.first; at !== NOWHERE; at = records.next[at]!) {
      if (records.verdict[at] !== CONDEMNED || (holder.core.isLazy && records.isTable[at] === 0)) continue;
      holder.condemned--;
      records.silence(at);
      const condemner = CONDEMNERS[records.condemner[at]!]!;
      const text = `${describe(condemner)}, which condemned ${log.what(holder, at)}`;
      const earlier = log.eventOf(records.condemned, at, condemner, text);
      const later = log.event(kind, kind === "leave-lazy" ? "leaves lazy mode" : `loads tag ${holder.tag}`);
      log.report(rule, holder, records.frame[at]!, earlier, later);
    }
  }

  reportUse(holder: MayHolder, frame: number, lo: number, hi: number, what: string): void {
    this.#log.stamp();
    const event = this.#log.event("use", `uses a ${what} that it cannot hold`, hexAddress(lo, hi));
    this.#log.report("outside-may", holder, frame, event, event);
  }

  #rootFreed(holder: MayHolder, frame: number): void {
    const log = this.#log;
    if (!holder.hasRoot) {
      this.#history.materialise(holder);
      return;
    }
    const earlier = {
      kind: "load-root" as const,
      core: holder.core.id,
      pc: "",
      address: "",
      timeCycles: 0,
      sequence: 0,
      text: `${log.who(holder)} has it loaded as root`,
    };
    log.report("root-reachable", holder, frame, earlier, log.event("free-table", describe("free-table")));
  }

  /** Frames of the pages that are larger than one, ascending. */
  #largePages(): Set<number> {
    const frames = new Set<number>();
    for (const { leafShifts } of this.#holders.cores[0]!.formats) {
      for (const shift of leafShifts) if (shift > 12) frames.add(2 ** (shift - 12));
    }
    return frames;
  }

  /** Leaves whose first frame is `head`, one of whose frames is freed. */
  #freeLeaves(head: number, freed: number): void {
    const records = this.#records;
    const log = this.#log;
    if (this.#tables.mapped[head]! > 0) this.#history.recordMappings(head);
    for (let at = records.firstLeaf(head); at !== NOWHERE; at = records.nextOfFrame(at)) {
      if (records.verdict[at] !== LIVE) continue;
      const holder = this.#holders.all[records.owner[at]!]!;
      const pages = 2 ** (holder.format.shift(records.level[at]!) - 12);
      if (freed >= head + pages) continue;
      if (!holder.isLoaded || holder.core.isLazy) this.#condemn(holder, at, BY_FREE_FRAME);
      else log.reportRecord("frame-reachable", holder, at, log.event("free-frame", describe("free-frame")));
    }
  }

  #condemn(holder: MayHolder, record: number, condemner: number): void {
    const records = this.#records;
    records.verdict[record] = CONDEMNED;
    records.condemner[record] = condemner;
    records.condemned.copy(record, this.#log.now, 0);
    holder.condemned++;
  }
}
