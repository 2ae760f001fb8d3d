/**
 * The story of a run: a column per core that has a part in it, one event a line, in the order in which things happened; each core's own clock on
 * the left. The two events that conflict are marked. Where the columns would be too narrow there is one for all.
 *
 *     cycles    core 0                                          | core 1
 *     144163    write fault at 0x40001000                       |
 *     146046                                                    | munmap: mmap_lock for writing [mmap:w]
 *     148017 >> doAnonymousPage: pte 40001000: none -> #295 rw D [ptl]
 */
import type { Judgement } from "../world/judge.ts";
import { type Chosen, chooseLines, type Line, type Recording } from "./choose.ts";
import type { StoryEvent } from "./event.ts";

export interface StoryOptions {
  /** Lines in all, the heading and the last line included; at least 4. */
  readonly maxLines: number;
  /** Characters in a line. */
  readonly columns: number;
  readonly judgement: Judgement | null;
}

/** A column is never wider; below the least width there is one column for all cores. */
const WIDEST = 62;
const NARROWEST = 42;
const MARKS = { earlier: ">1", later: ">2" } as const;
const BETWEEN = " | ";

/** Characters that a story of so many cores likes to have. */
export function likedColumns(cores: number): number {
  return cores <= 2 ? 130 : 200;
}

export function storyLines(recording: Recording, options: StoryOptions): string[] {
  const { maxLines, columns, judgement } = options;
  const chosen = chooseLines(recording, judgement, Math.max(2, maxLines - 2));
  const cores = [...new Set(chosen.lines.map(({ event }) => event.core))].sort((a, b) => a - b);
  const timeWidth = Math.max(6, ...chosen.lines.map(({ event }) => String(event.time).length));
  const room = columns - timeWidth - 4;
  const width = Math.min(WIDEST, Math.floor((room - (cores.length - 1) * BETWEEN.length) / cores.length));
  const told =
    width >= NARROWEST ? inColumns(chosen, cores, timeWidth, width) : inOne(chosen, timeWidth, room);
  if (chosen.left > 0) told.push(`${chosen.left} events are left out; --full tells them`);
  return told;
}

function inColumns({ lines }: Chosen, cores: readonly number[], timeWidth: number, width: number): string[] {
  const heading = cores.map((core) => `core ${core}`.padEnd(width)).join(BETWEEN);
  const rows = lines.map((line) => {
    const cells = cores.map((core) => (core === line.event.core ? cell(line, width) : "").padEnd(width));
    return `${start(line, timeWidth)} ${cells.join(BETWEEN)}`.trimEnd();
  });
  return [`${"cycles".padStart(timeWidth)}    ${heading}`.trimEnd(), ...rows];
}

/** One column: the core before what it did. */
function inOne({ lines }: Chosen, timeWidth: number, room: number): string[] {
  const rows = lines.map((line) => {
    const name = `c${line.event.core}`.padEnd(4);
    return `${start(line, timeWidth)} ${name}${cell(line, Math.max(20, room - name.length))}`.trimEnd();
  });
  return [`${"cycles".padStart(timeWidth)}    core`, ...rows];
}

function start({ event, mark }: Line, timeWidth: number): string {
  return `${String(event.time).padStart(timeWidth)} ${mark === null ? "  " : MARKS[mark]}`;
}

/** Function, what happens, locks. Where room is short the function goes first, then all locks but the outermost. */
function cell({ event, what }: Line, width: number): string {
  const full = `${prefix(event)}${what}`;
  const locks = locksText(event, "all");
  if (full.length + locks.length <= width) return full + locks;
  if (what.length + locks.length <= width) return withName(event.where, what, width - locks.length) + locks;
  const fewer = locksText(event, "outermost");
  if (what.length + fewer.length <= width) return withName(event.where, what, width - fewer.length) + fewer;
  return cut(what, width);
}

function locksText({ locks }: StoryEvent, which: "all" | "outermost"): string {
  if (locks === "") return "";
  const names = locks.split(" ");
  if (which === "all" || names.length === 1) return ` [${locks}]`;
  return ` [${names[0]} +${names.length - 1}]`;
}

/** As much of the function's name as there is room for. */
function withName(where: string, what: string, room: number): string {
  const left = room - what.length - 3;
  return left < 4 ? what : `${where.slice(0, left)}…: ${what}`;
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

function prefix({ where }: StoryEvent): string {
  return where === "" ? "" : `${where}: `;
}
