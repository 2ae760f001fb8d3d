/** Tables for terminals: columns as wide as their content, numbers right-aligned with thousands separators. */

export type Cell = string | number;

export interface Column {
  /** One line, or several of a header as tall. */
  readonly title: string | readonly string[];
  readonly align: "left" | "right";
}

export function formatNumber(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Lines of a table with a header and a rule. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly Cell[])[]): string[] {
  const text = rows.map((row) => row.map((cell) => (typeof cell === "number" ? formatNumber(cell) : cell)));
  const titles = columns.map(({ title }) => (typeof title === "string" ? [title] : title));
  const height = Math.max(...titles.map((title) => title.length));
  const header = Array.from({ length: height }, (_, at) => titles.map((title) => title[at] ?? ""));
  const widths = columns.map((_, i) => Math.max(...[...header, ...text].map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (columns[i]!.align === "right" ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd();
  return [...header.map(line), widths.map((width) => "-".repeat(width)).join("  "), ...text.map(line)];
}
