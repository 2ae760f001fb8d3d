/** What tests ask of the committed ELF files: how they load, and which instructions they hold. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  decode,
  disassemble,
  Instruction,
  type OperandSpec,
  type Row,
} from "../../emu/frontends/x86-64/index.ts";
import { type ElfImage, parseElf } from "../../emu/loader/index.ts";
import { UserError } from "../../emu/user-error.ts";
import { x86Limits } from "../emu/loader/limits.ts";

const BIN = fileURLToPath(new URL("../../userland/bin/x86-64/", import.meta.url));
const VECTOR_FILES: ReadonlySet<OperandSpec["file"]> = new Set(["mm", "xmm", "ymm", "st"]);

/** @param file relative to userland/bin/x86-64 */
export function programImage(file: string): ElfImage {
  const parsed = parseElf(readFileSync(BIN + file), file, x86Limits(256 << 20));
  if (parsed instanceof UserError) throw parsed;
  return parsed;
}

/** The instructions of a file that are not plain general-register ones of the frontend, disassembled. */
export function wrongInstructions(file: string): string[] {
  const wrong: string[] = [];
  for (const { text, row } of instructions(file)) {
    const isVector = row.operands.some((operand) => VECTOR_FILES.has(operand.file));
    if (row.kind !== "lifted" || isVector) wrong.push(text);
  }
  return wrong;
}

/** Every instruction of the executable segment, in order. */
function* instructions(file: string): Generator<{ readonly text: string; readonly row: Row }> {
  const { bytes, segments } = programImage(file);
  const code = segments.find((segment) => segment.executable)!;
  const end = code.fileOffset + code.fileBytes;
  const found = new Instruction();
  for (let at = code.fileOffset; at < end; at += found.lengthBytes) {
    const address = code.va + BigInt(at - code.fileOffset);
    const status = decode(bytes, at, end, found);
    if (status !== "ok") throw new Error(`${file}: ${status} instruction at ${address.toString(16)}`);
    yield { text: disassemble(found, address), row: found.row! };
  }
}
