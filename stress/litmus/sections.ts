/**
 * The frame that every litmus file has: a line with architecture and name, lines `Key=Value`, the initial state between
 * braces, the columns, and the question.
 *
 *     X86_64 invlpg-then-load
 *     Row=6
 *     Source="Intel SDM vol. 3A 4.10.4.1: INVLPG drops the entries of the page"
 *     { x=7; }
 *      P0                       ;
 *      MOV [PTE(x)],(P:0)       ;
 *      ? INVLPG [x]             ;
 *      L0: MOV RBX,[x]          ;
 *     ~exists (0:RBX=7 /\ ~fault(P0:L0,x))
 */
import { unreadable } from "./cursor.ts";

export interface Cell {
  readonly text: string;
  readonly line: number;
}

export interface Sections {
  /** As the first line has it. */
  readonly architecture: string;
  readonly name: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly initial: Cell;
  /** Titles of the columns, and the cells below each, empty ones left out. */
  readonly columns: readonly { readonly title: string; readonly cells: readonly Cell[] }[];
  readonly quantifier: "exists" | "~exists" | "forall";
  readonly question: Cell;
  /** What follows `permitted`, one text for each permitted final state. */
  readonly permitted: readonly Cell[];
}

const QUANTIFIER = /^\s*(exists|~\s*exists|forall)\b/m;
/** Nothing here is as long as this. */
const MAX_CHARACTERS = 100_000;

/** Cuts a file into its sections. @throws UserError what is wrong, and in which line */
export function readSections(file: string, source: string): Sections {
  if (source.length > MAX_CHARACTERS) {
    throw unreadable(file, 1, `is longer than ${MAX_CHARACTERS} characters`);
  }
  const text = withoutComments(source);
  const open = text.indexOf("{");
  const close = text.indexOf("}", open);
  if (open < 0 || close < 0) throw unreadable(file, 1, "has no initial state between { and }");
  const head = text.slice(0, open).split("\n");
  const first = head.findIndex((line) => line.trim() !== "");
  const title = /^(\S+)\s+(\S+)\s*$/.exec((head[first] ?? "").trim());
  if (title === null) throw unreadable(file, first + 1, "does not begin with an architecture and a name");
  const quantified = QUANTIFIER.exec(text.slice(close));
  if (quantified === null) throw unreadable(file, lineOf(text, text.length), "asks no question");
  const asked = close + quantified.index;
  const after = asked + quantified[0].length;
  const [question, ...permitted] = text.slice(after).split(/^\s*permitted\b/m);
  let at = after + question!.length;
  return {
    architecture: title[1]!,
    name: title[2]!,
    settings: readSettings(file, head, first + 1),
    initial: { text: text.slice(open + 1, close), line: lineOf(text, open) },
    columns: readColumns(file, text.slice(close + 1, asked), lineOf(text, close)),
    quantifier: quantified[1]!.replace(/\s/g, "") as Sections["quantifier"],
    question: { text: question!, line: lineOf(text, after) },
    permitted: permitted.map((each) => {
      const cell = { text: each, line: lineOf(text, at) };
      at += each.length;
      return cell;
    }),
  };
}

/** Blanks instead of `(* … *)`, so that lines keep their numbers. */
function withoutComments(text: string): string {
  return text.replace(/\(\*[\s\S]*?\*\)/g, (comment) => comment.replace(/[^\n]/g, " "));
}

function lineOf(text: string, at: number): number {
  return text.slice(0, at).split("\n").length;
}

function readSettings(file: string, lines: readonly string[], from: number): Record<string, string> {
  const settings: Record<string, string> = {};
  for (let i = from; i < lines.length; i++) {
    const line = lines[i]!.trim();
    // herd's files may have a quoted remark of their own.
    if (line === "" || /^"[^"]*"$/.test(line)) continue;
    const match = /^(\w+)=(?:"([^"]*)"|(.*))$/.exec(line);
    if (match === null) throw unreadable(file, i + 1, "expected a line Key=Value");
    settings[match[1]!] = match[2] ?? match[3]!;
  }
  return settings;
}

function readColumns(file: string, text: string, firstLine: number): Sections["columns"] {
  let titles: string[] | null = null;
  const cells: Cell[][] = [];
  text.split("\n").forEach((raw, i) => {
    const line = raw.trim();
    if (line === "") return;
    const number = firstLine + i;
    if (!line.endsWith(";")) throw unreadable(file, number, 'a line of the columns does not end with ";"');
    const row = line.slice(0, -1).split("|");
    if (titles === null) {
      titles = row.map((title) => title.trim());
      for (const _ of titles) cells.push([]);
      return;
    }
    if (row.length > titles.length) throw unreadable(file, number, "has more cells than there are columns");
    row.forEach((cell, column) => {
      if (cell.trim() !== "") cells[column]!.push({ text: cell.trim(), line: number });
    });
  });
  if (titles === null) throw unreadable(file, firstLine, "has no columns");
  return (titles as string[]).map((title, i) => ({ title, cells: cells[i]! }));
}
