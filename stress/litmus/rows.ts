/**
 * The rows of a table of litmus tests for which a folder has no file, and why: lines `row<TAB>status<TAB>reason`, status
 * `inapplicable` (the architecture has no such question) or `inexpressible` (the machine's memory model lacks what the
 * outcome needs). Lines that begin with # are remarks.
 */
import { unreadable } from "./cursor.ts";

export interface AbsentRow {
  readonly row: string;
  readonly status: "inapplicable" | "inexpressible";
  readonly reason: string;
}

/** @throws UserError naming the line that is malformed */
export function readAbsentRows(file: string, text: string): AbsentRow[] {
  const rows: AbsentRow[] = [];
  text.split("\n").forEach((line, i) => {
    if (line.trim() === "" || line.startsWith("#")) return;
    const [row, status, reason] = line.split("\t");
    if (row === undefined || reason === undefined || !isStatus(status)) {
      throw unreadable(file, i + 1, "expected row, status and reason between tabs");
    }
    rows.push({ row, status, reason });
  });
  return rows;
}

function isStatus(text: string | undefined): text is AbsentRow["status"] {
  return text === "inapplicable" || text === "inexpressible";
}
