/**
 * What of a run is told. The story ends with the event that shows the violation; both of its events are in it. Runs of
 * alike events of one core become one line. If more is left than there are lines, what is about the violation's page and
 * frames comes first, then what the threads did, what the kernel changed, and how it got there; of the last kind that
 * has room, the latest.
 */
import type { Site } from "../oracle/violation.ts";
import type { Judgement } from "../world/judge.ts";
import type { StoryEvent } from "./event.ts";

/** Recorded events, and where a core was in time. */
export interface Recording {
  readonly events: readonly StoryEvent[];
  placeOf(core: number, time: number): number;
}

export interface Line {
  readonly event: StoryEvent;
  readonly what: string;
  readonly mark: "earlier" | "later" | null;
}

export interface Chosen {
  readonly lines: readonly Line[];
  /** Events that no line tells of. */
  readonly left: number;
}

/** @param maxLines at least 2 */
export function chooseLines(recording: Recording, judgement: Judgement | null, maxLines: number): Chosen {
  const { events, earlier, later } = withSites(recording, judgement);
  const end = later === null ? events.length : events.indexOf(later) + 1;
  const told = events.slice(0, end);
  const lines = folded(told, earlier, later);
  if (maxLines === Number.POSITIVE_INFINITY) return { lines, left: 0 };
  const topic = topicOf(told, judgement);
  const first = beginning(told, earlier, later);
  const changed = changedWords(told);
  const chosen = new Set(lines.filter((line) => line.mark !== null));
  const ranks = lines.map(({ event }) => {
    const rank = isIdleRead(event, changed) ? LAST_RANK + 1 : rankOf(event, topic);
    return told.indexOf(event) < first ? rank + BEFORE : rank;
  });
  for (let rank = 0; rank <= LAST_RANK; rank++) {
    for (let at = lines.length - 1; at >= 0 && chosen.size < maxLines; at--) {
      if (ranks[at] === rank) chosen.add(lines[at]!);
    }
  }
  return { lines: lines.filter((line) => chosen.has(line)), left: lines.length - chosen.size };
}

/** Where what matters begins: with the calls, faults and interrupts in which the two events lie. */
function beginning(
  events: readonly StoryEvent[],
  earlier: StoryEvent | null,
  later: StoryEvent | null,
): number {
  // What shows at the end of a run only may have come from anything in it.
  if (earlier === null && later?.kind === "site") return 0;
  let first = events.length;
  for (const marked of [earlier, later]) {
    if (marked === null) continue;
    let at = events.indexOf(marked);
    const { core } = marked;
    while (at > 0 && !(events[at]!.core === core && BEGINNINGS.has(startOf(events[at]!)))) at--;
    first = Math.min(first, at);
  }
  // What the other cores were at by then belongs to it.
  const open = new Map<number, number>();
  for (let at = 0; at < first; at++) {
    const { phase, kind, span } = events[at]!;
    if (phase === "begin" && (kind === "syscall" || kind === "fault")) open.set(span, at);
    else if (phase === "end") open.delete(span);
  }
  return Math.min(first, ...open.values());
}

/** Names of watched words that somebody writes. */
function changedWords(events: readonly StoryEvent[]): ReadonlySet<string> {
  const names = events.filter(({ kind, what }) => kind === "word" && !what.startsWith("reads "));
  return new Set(names.map(({ what }) => what.slice(0, what.indexOf(":"))));
}

/** A read of what never changes; who is interrupted is worth knowing all the same. */
function isIdleRead({ kind, what }: StoryEvent, changed: ReadonlySet<string>): boolean {
  if (kind !== "word" || !what.startsWith("reads ")) return false;
  const name = what.slice("reads ".length, what.indexOf(":"));
  return name !== "mm_cpumask" && !changed.has(name);
}

const BEGINNINGS: ReadonlySet<string> = new Set(["syscall begin", "fault begin"]);

function startOf({ kind, phase }: StoryEvent): string {
  return `${kind} ${phase}`;
}

/** Ranks that are told only if all is; and by how much what comes before matters less. */
const LAST_RANK = 3;
const BEFORE = 2;

interface Topic {
  readonly pages: ReadonlySet<number>;
  readonly frames: ReadonlySet<number>;
}

/** 0: first choice. */
function rankOf(event: StoryEvent, { pages, frames }: Topic): number {
  const isRelated = pages.has(event.page) || frames.has(event.frame);
  if (!isRelated) return event.weight;
  return event.kind === "user" ? Math.min(event.weight, 2) - 1 : event.weight - 1;
}

/** The pages and frames that the violation is about: those that it names, and what is mapped there. */
function topicOf(events: readonly StoryEvent[], judgement: Judgement | null): Topic {
  const pages = new Set<number>();
  const frames = new Set<number>();
  for (const site of [judgement?.earlier ?? null, judgement?.later ?? null]) {
    if (site?.va != null) pages.add(pageOf(BigInt(site.va)));
  }
  const text = judgement?.text ?? "";
  for (const [, page] of text.matchAll(/\bpage ([0-9a-f]+)\b/g)) pages.add(Number.parseInt(page!, 16));
  for (const [, frame] of text.matchAll(/\bframe (?:0x|#)?([0-9a-f]+)\b/g))
    frames.add(Number.parseInt(frame!, 16));
  for (const [, address] of text.matchAll(/\baddress ([0-9a-f]+)\b/g)) {
    frames.add(Math.floor(Number.parseInt(address!, 16) / 4096));
  }
  if (pages.size === 0 && frames.size === 0) return shared(events);
  for (const { kind, page, frame } of events) {
    if (kind === "memory" && page >= 0 && frames.has(frame)) pages.add(page);
  }
  return { pages, frames };
}

/** Nothing is named: the pages on which more than one core worked. */
function shared(events: readonly StoryEvent[]): Topic {
  const cores = new Map<number, Set<number>>();
  for (const { page, core } of events) {
    if (page < 0) continue;
    if (!cores.has(page)) cores.set(page, new Set());
    cores.get(page)!.add(core);
  }
  const pages = new Set([...cores].filter(([, each]) => each.size > 1).map(([page]) => page));
  return { pages, frames: new Set() };
}

function pageOf(va: bigint): number {
  return Number((va & 0xffff_ffff_ffff_ffffn) >> 12n);
}

interface WithSites {
  readonly events: readonly StoryEvent[];
  readonly earlier: StoryEvent | null;
  readonly later: StoryEvent | null;
}

/** The events that the violation names; one that was not recorded as such is put where it happened. */
function withSites(recording: Recording, judgement: Judgement | null): WithSites {
  const events = [...recording.events];
  const { later: laterSite = null, earlier: earlierSite = null } = judgement ?? {};
  const later = laterSite === null ? null : eventOf(laterSite, events, recording);
  const earlier = earlierSite === null ? null : eventOf(earlierSite, events, recording);
  // A later event that was put in cannot come before the earlier one.
  if (earlier !== null && later !== null && events.indexOf(later) < events.indexOf(earlier)) {
    events.splice(events.indexOf(later), 1);
    events.splice(events.indexOf(earlier) + 1, 0, later);
  }
  return { events, earlier, later };
}

function eventOf(site: Site, events: StoryEvent[], recording: Recording): StoryEvent {
  let best: StoryEvent | null = null;
  let bestScore = 0;
  for (const event of events) {
    if (event.core !== site.core || event.time !== site.time) continue;
    const score = likeness(event, site);
    if (score >= bestScore && score > 0) {
      best = event;
      bestScore = score;
    }
  }
  if (best !== null) return best;
  const event: StoryEvent = {
    core: site.core,
    time: site.time,
    weight: 1,
    phase: "moment",
    span: 0,
    kind: "site",
    where: "",
    what: siteText(site),
    pid: site.pid,
    locks: "",
    peer: -1,
    flow: 0,
    page: site.va === null ? -1 : pageOf(BigInt(site.va)),
    frame: -1,
  };
  const place = recording.placeOf(site.core, site.time);
  const before = recording.events[place];
  events.splice(before === undefined ? events.length : events.indexOf(before), 0, event);
  return event;
}

/** The ledger and the may-sets name a rule and a kind of event; what happened is said in place of the locks. */
function siteText({ what, va, locks }: Site): string {
  const at = va === null ? "" : ` at ${va.replace(/^0x0+(?=.)/, "0x")}`;
  if (!/^[a-z-]+: [a-z-]+$/.test(what)) return what + at;
  return locks.split(";")[0]! + at;
}

/** Words of a site, and of an event that is the same; what the two are about must not differ. */
const ALIKE: readonly (readonly [RegExp, RegExp])[] = [
  [/\bentry\b|\binstall|\bstore$/, /^pte /],
  [/\bread of a freed\b|\bread of an object freed\b/, /^reads FREED /],
  [/\bwrite (?:of|to) an? .*freed\b/, /^writes FREED /],
  [/end of the writer's section/, /^mmap_lock: (?:writer|reader) leaves/],
  [/return$/, / = |done$|left$/],
  [/free/, /^frees /],
  [/fill/, /^TLB fill/],
  [/\bstore/, /^stores /],
  [/\bload\b|\bloads from/, /^loads /],
  [/fault/, /fault/],
  [/flush/, /^flush/],
];

function likeness(event: StoryEvent, site: Site): number {
  if (site.va !== null && event.page >= 0 && pageOf(BigInt(site.va)) !== event.page) return 0;
  if (event.kind === "assertion") return 3;
  return ALIKE.some(([words, what]) => words.test(site.what) && what.test(event.what)) ? 2 : 0;
}

/** Alike: the same words of one core, one after the other, about one thing each. */
function folded(events: readonly StoryEvent[], earlier: StoryEvent | null, later: StoryEvent | null): Line[] {
  const lines: Line[] = [];
  let run: StoryEvent[] = [];
  const close = (): void => {
    if (run.length > 0) lines.push({ event: run[0]!, what: foldedText(run), mark: null });
    run = [];
  };
  for (const event of events) {
    const mark = event === later ? "later" : event === earlier ? "earlier" : null;
    if (mark !== null) {
      close();
      lines.push({ event, what: event.what, mark });
      continue;
    }
    if (run.length > 0 && foldKey(run[0]!) !== foldKey(event)) close();
    if (foldKey(event) === null) lines.push({ event, what: event.what, mark });
    else run.push(event);
  }
  close();
  return lines;
}

/** null: a line of its own. */
function foldKey({ core, kind, what, where, locks }: StoryEvent): string | null {
  const match = /^(frees (?:frame|table)|gets frame|frees \w+) #?[0-9a-f]+$/.exec(what);
  return kind === "memory" && match !== null ? `${core} ${match[1]} ${where} ${locks}` : null;
}

function foldedText(run: readonly StoryEvent[]): string {
  const [first, ...more] = run;
  const names = more.map(({ what }) => what.slice(what.lastIndexOf(" ")));
  if (names.length <= 3) return first!.what + names.join("");
  return `${first!.what}${names.slice(0, 2).join("")} and ${names.length - 2} more`;
}
