/**
 * The story of a run: a column per core, one event a line, virtual time on the left. The two events that conflict are
 * marked. A story that would be longer than asked for leaves out how the kernel got somewhere before what it changed,
 * and what it changed before what the threads did; how many events are left out is said.
 */
import type { Judgement } from "../world/judge.ts";
import type { StoryEvent, Weight } from "./recorder.ts";

export interface StoryOptions {
  readonly cores: number;
  /** Lines of events. */
  readonly maxLines: number;
  readonly judgement: Judgement | null;
}

const COLUMN = 58;
const MARK = ">>";

export function storyLines(events: readonly StoryEvent[], options: StoryOptions): string[] {
  const { cores, maxLines, judgement } = options;
  const marked = new Set<StoryEvent>();
  for (const site of [judgement?.earlier ?? null, judgement?.later ?? null]) {
    if (site === null) continue;
    const event = nearest(events, site.core, site.time);
    if (event !== null) marked.add(event);
  }
  const shown = choose(events, marked, maxLines);
  const timeWidth = Math.max(6, ...shown.map((event) => String(event.time).length));
  const header = Array.from({ length: cores }, (_, core) => `core ${core}`.padEnd(COLUMN)).join(" | ");
  const lines = [`${"cycles".padStart(timeWidth)}    ${header}`.trimEnd()];
  for (const event of shown) {
    const mark = marked.has(event) ? MARK : "  ";
    const cells = Array.from({ length: cores }, (_, core) =>
      (core === event.core ? cellText(event) : "").padEnd(COLUMN).slice(0, Math.max(COLUMN, 0)),
    );
    lines.push(`${String(event.time).padStart(timeWidth)} ${mark} ${cells.join(" | ")}`.trimEnd());
  }
  const left = events.length - shown.length;
  if (left > 0) lines.push(`${left} more events; --full shows them`);
  return lines;
}

function cellText(event: StoryEvent): string {
  const where = event.where === "" ? "" : `${event.where}: `;
  const locks = event.locks === "" ? "" : ` [${event.locks}]`;
  return cutTo(`${where}${event.what}`, locks);
}

/** The lock state stays; the rest is cut if it must be. */
function cutTo(text: string, locks: string): string {
  const room = COLUMN - locks.length;
  if (text.length <= room) return text + locks;
  if (room < 30) return `${text.slice(0, COLUMN - 1)}…`;
  return `${text.slice(0, room - 1)}…${locks}`;
}

/** The heaviest weights that fit, marked events always; of the lightest that fits in part, the latest. */
function choose(
  events: readonly StoryEvent[],
  marked: ReadonlySet<StoryEvent>,
  maxLines: number,
): StoryEvent[] {
  if (events.length <= maxLines) return [...events];
  const chosen = new Set<StoryEvent>(marked);
  for (const weight of [1, 2, 3] as const satisfies readonly Weight[]) {
    for (let at = events.length - 1; at >= 0 && chosen.size < maxLines; at--) {
      if (events[at]!.weight === weight) chosen.add(events[at]!);
    }
  }
  return events.filter((event) => chosen.has(event));
}

/** The event of a core at a time, or the last one before. */
function nearest(events: readonly StoryEvent[], core: number, time: number): StoryEvent | null {
  let best: StoryEvent | null = null;
  for (const event of events) if (event.core === core && event.time <= time) best = event;
  return best;
}
