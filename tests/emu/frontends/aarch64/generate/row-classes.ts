/**
 * The classes of C4 "A64 Instruction Set Encoding", which the comments of the table's files name: vectors are recorded by
 * class, so many of each.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Row } from "../../../../../emu/frontends/aarch64/index.ts";

/** Vectors of each class at least. */
export const PER_CLASS = 200;

const TABLE = fileURLToPath(new URL("../../../../../emu/frontends/aarch64/table/", import.meta.url));
const FILES = ["data-processing-immediate", "branches-system", "loads-stores", "data-processing-register"];
/** A class's name, or a row's pattern with its name. */
const LINE = /^ {2}\/\/ (.*)$|"[01A-Za-z-]{32}",\s*"([^"]+)"/gm;

/** Class by the name of the row. */
export const CLASS_OF: ReadonlyMap<string, string> = new Map(FILES.flatMap(classesIn));

/** How many vectors of a row make the class complete. @param rows all that have some @param least of each row */
export function vectorsOf(row: Row, rows: readonly Row[], least: number): number {
  const name = CLASS_OF.get(row.name);
  const size = rows.filter((each) => CLASS_OF.get(each.name) === name).length;
  return name === undefined ? least : Math.max(least, Math.ceil(PER_CLASS / size));
}

/** Classes that have some vectors of their rows, but not enough. */
export function incompleteClasses(vectors: readonly (Row | null)[]): string[] {
  const counts = new Map<string, number>();
  for (const row of vectors) {
    const name = row === null ? undefined : CLASS_OF.get(row.name);
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].filter(([, count]) => count < PER_CLASS).map(([name, count]) => `${name}: ${count}`);
}

function classesIn(file: string): [string, string][] {
  const found: [string, string][] = [];
  let current = "";
  for (const [, name, row] of readFileSync(`${TABLE}${file}.ts`, "utf8").matchAll(LINE)) {
    if (row === undefined) current = `${file}, ${name}`;
    else found.push([row, current]);
  }
  return found;
}
