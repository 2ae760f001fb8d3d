/** What the may-sets find wrong: at a free, at a call's return, when a tag is loaded and when a core leaves lazy mode. */
import type { LedgerEventKind } from "./ledger-report.ts";
import { CONDEMNED, LIVE, NOWHERE } from "./ledger-store.ts";
import type { MayAnswers, MayTranslation } from "./may-sets-answers.ts";
import type { MayHistory } from "./may-sets-history.ts";
import type { MayCore, MayHolder, MayHolders } from "./may-sets-holders.ts";
import { describe, hexAddress, type MayLog } from "./may-sets-log.ts";
import type { StaleRecords } from "./may-sets-records.ts";
import type { MayRule } from "./may-sets-report.ts";
import type { LinkedTables } from "./may-sets-tables.ts";

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
  readonly tables: LinkedTables;
  readonly records: StaleRecords;
  readonly holders: MayHolders;
  readonly history: MayHistory;
  readonly answers: MayAnswers;
  readonly log: MayLog;
}

const CONDEMNERS: readonly LedgerEventKind[] = ["free-frame", "free-table", "call-return", "fault-return"];
const BY_FREE_FRAME = 0;
const BY_FREE_TABLE = 1;
const BY_CALL = 2;
const BY_FAULT = 3;
/** Frames of a 2 MiB and of a 1 GiB page. */
const LARGE_PAGES: readonly number[] = [2 ** 9, 2 ** 18];

export class MayJudge {
  readonly #tables: LinkedTables;
  readonly #records: StaleRecords;
  readonly #holders: MayHolders;
  readonly #history: MayHistory;
  readonly #answers: MayAnswers;
  readonly #log: MayLog;

  constructor(parts: JudgeParts) {
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
    for (const frames of LARGE_PAGES) {
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

  callReturned(judgement: ReturnJudgement): void {
    this.#log.stamp();
    const judged = new Set<MayHolder>();
    for (const holder of this.#holders.ofRoot(judgement.root)) {
      this.#history.recordLeavesBelow(holder, judgement.start, judgement.end);
      judged.add(holder);
      judged.add(holder.core.global);
    }
    for (const holder of judged) this.#judgeReturn(holder, judgement);
  }

  #judgeReturn(holder: MayHolder, { start, end, kind, staleBefore, allows, text }: ReturnJudgement): void {
    const records = this.#records;
    const { isLazy, format } = holder.core;
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
    if (!holder.isLoaded) {
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

  /** Leaves whose first frame is `head`, one of whose frames is freed. */
  #freeLeaves(head: number, freed: number): void {
    const records = this.#records;
    const log = this.#log;
    if (this.#tables.mapped[head]! > 0) this.#history.recordMappings(head);
    for (let at = records.firstLeaf(head); at !== NOWHERE; at = records.nextOfFrame(at)) {
      if (records.verdict[at] !== LIVE) continue;
      const holder = this.#holders.all[records.owner[at]!]!;
      const pages = 2 ** (holder.core.format.shift(records.level[at]!) - 12);
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
