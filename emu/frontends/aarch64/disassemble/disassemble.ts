/** An instruction as text, as GNU objdump -M no-aliases prints it (a space where it has a tab). */
import { decode, fieldsOf } from "../decode/decoder.ts";
import { type AnyFields, ROWS, type Row } from "../table/index.ts";
import { tokenPrinter } from "./operands.ts";

type Part = string | ((f: AnyFields, address: bigint) => string);

/** Syntax of each row, split at its tokens. */
const PARTS: readonly (readonly Part[])[] = ROWS.map((row) =>
  row.syntax.split(/[<>]/).map((text, index) => (index % 2 === 1 ? tokenPrinter(text) : text)),
);

/** @param address of the instruction; `.inst` for an unallocated encoding */
export function disassemble(word: number, address: bigint): string {
  const row = decode(word);
  if (row === null) return `.inst 0x${(word >>> 0).toString(16).padStart(8, "0")}`;
  return disassembleRow(row, word, address);
}

function disassembleRow(row: Row, word: number, address: bigint): string {
  const fields = fieldsOf(row, word);
  return PARTS[row.id]!.map((part) => (typeof part === "string" ? part : part(fields, address))).join("");
}
