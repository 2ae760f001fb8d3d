/** When and by whom, for the may-sets: the order of events, and the violations with their two events each. */
import type { LedgerEvent, LedgerEventKind } from "./ledger-report.ts";
import { EventColumn, type EventContext } from "./ledger-store.ts";
import type { MayHolder } from "./may-sets-holders.ts";
import type { StaleRecords } from "./may-sets-records.ts";
import type { MayRule, MayViolation } from "./may-sets-report.ts";

/** Violations kept; further ones are counted. */
export const MAX_MAY_VIOLATIONS = 1000;

export class MayLog {
  /** The first MAX_MAY_VIOLATIONS violations, in order. */
  readonly violations: MayViolation[] = [];
  /** All violations. */
  total = 0;
  /** Number of the last event. */
  sequence = 0;
  /** Who makes the stores that are taken in next. */
  readonly writer: EventContext = { core: -1, pcLo: -1, pcHi: -1, timeCycles: 0 };
  /** The event in hand, as a column of one row. */
  readonly now: EventColumn = new EventColumn(1);
  readonly #eventContext: (into: EventContext) => void;
  readonly #records: StaleRecords;
  readonly #context: EventContext = { core: -1, pcLo: -1, pcHi: -1, timeCycles: 0 };

  constructor(eventContext: (into: EventContext) => void, records: StaleRecords) {
    this.#eventContext = eventContext;
    this.#records = records;
  }

  /** A store is announced. */
  writerIsNow(): void {
    this.#eventContext(this.writer);
  }

  /** Any other event begins; what is recorded from now on is recorded by it. */
  stamp(): void {
    this.sequence++;
    this.#eventContext(this.#context);
    this.now.put(0, this.sequence, this.#context);
    const { writer } = this;
    writer.core = this.#context.core;
    writer.pcLo = this.#context.pcLo;
    writer.pcHi = this.#context.pcHi;
    writer.timeCycles = this.#context.timeCycles;
  }

  report(rule: MayRule, holder: MayHolder, frame: number, earlier: LedgerEvent, later: LedgerEvent): void {
    this.total++;
    if (this.violations.length === MAX_MAY_VIOLATIONS) return;
    const invariant = invariantOf(rule, earlier.kind, later.kind);
    this.violations.push({ rule, invariant, holder: holder.core.id, tag: holder.tag, frame, earlier, later });
  }

  /** A record of which the event `later` says that it must not be; no more of it is reported. */
  reportRecord(rule: MayRule, holder: MayHolder, record: number, later: LedgerEvent): void {
    const records = this.#records;
    records.silence(record);
    const level = holder.format.levelNumber(records.level[record]!);
    const text = `stores to the level-${level} entry; ${this.what(holder, record)}`;
    this.report(
      rule,
      holder,
      records.frame[record]!,
      this.eventOf(records.changed, record, "store", text),
      later,
    );
  }

  /** The store in hand changes something of a live leaf of a level that it must not change at once. */
  reportReplacement(
    holder: MayHolder,
    level: number,
    lo: number,
    hi: number,
    oldLo: number,
    oldHi: number,
    what: string,
  ): void {
    const { format } = holder;
    const { core, pcLo, pcHi, timeCycles } = this.writer;
    const frame = format.frame(oldLo, oldHi, level);
    const pc = hexPc(pcLo, pcHi);
    const address = hexAddress(lo, hi);
    const at = { core, pc, address, timeCycles, sequence: this.sequence };
    const entry = `level-${format.levelNumber(level)} entry`;
    const held = `${this.who(holder)} may hold the ${entry} that leads to 0x${frame.toString(16)}`;
    const earlier = { ...at, kind: "fill" as const, core: holder.core.id, pc: "", text: held };
    const later = {
      ...at,
      kind: "store" as const,
      text: `changes ${what} of the live ${entry} in one store`,
    };
    this.report("break-before-make", holder, frame, earlier, later);
  }

  /** The event in hand. */
  event(kind: LedgerEventKind, text: string, address = ""): LedgerEvent {
    const { core, pcLo, pcHi, timeCycles } = this.#context;
    return { kind, core, pc: hexPc(pcLo, pcHi), address, timeCycles, sequence: this.sequence, text };
  }

  /** An event of a record. */
  eventOf(column: EventColumn, record: number, kind: LedgerEventKind, text: string): LedgerEvent {
    return {
      kind,
      core: column.core[record]!,
      pc: hexPc(column.pcLo[record]!, column.pcHi[record]!),
      address: hexAddress(this.#records.lo[record]!, this.#records.hi[record]!),
      timeCycles: column.time[record]!,
      sequence: column.sequence[record]!,
      text,
    };
  }

  who(holder: MayHolder): string {
    const lazy = holder.core.isLazy ? ", lazy," : "";
    return `core ${holder.core.id}${lazy} ${holder.isGlobal ? "(global)" : `under tag ${holder.tag}`}`;
  }

  /** What a record says. */
  what(holder: MayHolder, record: number): string {
    const records = this.#records;
    const leadsTo = `0x${records.frame[record]!.toString(16)}`;
    if (records.isTable[record] === 1) {
      return `${this.who(holder)} may still be led to table page ${leadsTo}`;
    }
    const { write, execute } = holder.format.rights(records.attributes[record]!);
    return `${this.who(holder)} may still hold frame ${leadsTo} r${write ? "w" : "-"}${execute ? "x" : "-"}`;
  }
}

/** What the events that condemn are called in reports. */
export function describe(kind: LedgerEventKind): string {
  switch (kind) {
    case "free-frame":
      return "frees the frame";
    case "free-table":
      return "frees the table page";
    case "call-return":
    case "fault-return":
      return "returns";
    default:
      return kind;
  }
}

export function hexAddress(lo: number, hi: number): string {
  return (hi >>> 0).toString(16).padStart(8, "0") + (lo >>> 0).toString(16).padStart(8, "0");
}

function hexPc(lo: number, hi: number): string {
  return lo === -1 && hi === -1 ? "" : hexAddress(lo, hi);
}

/** The invariant of what was condemned, by what condemned it. */
const CONDEMNED_BY: { readonly [kind in LedgerEventKind]?: MayViolation["invariant"] } = {
  "free-frame": "I3",
  "free-table": "I2",
  "fault-return": "I7",
};

function invariantOf(
  rule: MayRule,
  earlier: LedgerEventKind,
  later: LedgerEventKind,
): MayViolation["invariant"] {
  switch (rule) {
    case "frame-reachable":
      return "I3";
    case "table-reachable":
    case "root-reachable":
      return "I2";
    case "stale-after-return":
      return later === "fault-return" ? "I7" : "I4";
    case "break-before-make":
      return "I7";
    case "outside-may":
      return "emulator";
    default:
      return CONDEMNED_BY[earlier] ?? "I4";
  }
}
