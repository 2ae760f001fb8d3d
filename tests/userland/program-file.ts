/** What tests ask of the committed ELF files: how they load, and which instructions they hold. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as aarch64 from "../../emu/frontends/aarch64/index.ts";
import {
  decode,
  disassemble,
  Instruction,
  type OperandSpec,
  type Row,
} from "../../emu/frontends/x86-64/index.ts";
import { type ElfImage, type ElfLimits, parseElf } from "../../emu/loader/index.ts";
import { UserError } from "../../emu/user-error.ts";
import { aarch64Limits, x86Limits } from "../emu/loader/limits.ts";

export type Arch = "x86-64" | "aarch64";

interface Expectation {
  /** Prefix of the names of compiler and linker. */
  readonly cross: string;
  readonly limits: (memoryBytes: number) => ElfLimits;
  /** Its instructions that the frontend does not execute or that touch vector registers, disassembled. */
  readonly wrong: (code: Uint8Array, va: bigint) => string[];
}

/** The architectures that the programs are built for. */
export const ARCHITECTURES: Readonly<Record<Arch, Expectation>> = {
  "x86-64": { cross: "", limits: x86Limits, wrong: wrongX86 },
  aarch64: { cross: "aarch64-linux-gnu-", limits: aarch64Limits, wrong: wrongAarch64 },
};

export const ARCH_NAMES: readonly Arch[] = ["x86-64", "aarch64"];

const BIN = fileURLToPath(new URL("../../userland/bin/", import.meta.url));
const VECTOR_FILES: ReadonlySet<OperandSpec["file"]> = new Set(["mm", "xmm", "ymm", "st"]);

/** @param file relative to userland/bin/<arch> */
export function programImage(arch: Arch, file: string): ElfImage {
  const limits = ARCHITECTURES[arch].limits(256 << 20);
  const parsed = parseElf(readFileSync(`${BIN}${arch}/${file}`), file, limits);
  if (parsed instanceof UserError) throw parsed;
  return parsed;
}

/** The instructions of a file that are not plain general-register ones of the frontend, disassembled. */
export function wrongInstructions(arch: Arch, file: string): string[] {
  const { bytes, segments } = programImage(arch, file);
  const code = segments.find((segment) => segment.executable)!;
  const text = bytes.subarray(code.fileOffset, code.fileOffset + code.fileBytes);
  return ARCHITECTURES[arch].wrong(text, code.va);
}

function wrongX86(code: Uint8Array, va: bigint): string[] {
  const wrong: string[] = [];
  for (const { text, row } of x86Instructions(code, va)) {
    const isVector = row.operands.some((operand) => VECTOR_FILES.has(operand.file));
    if (row.kind !== "lifted" || isVector) wrong.push(text);
  }
  return wrong;
}

function* x86Instructions(
  code: Uint8Array,
  va: bigint,
): Generator<{ readonly text: string; readonly row: Row }> {
  const found = new Instruction();
  for (let at = 0; at < code.length; at += found.lengthBytes) {
    const address = va + BigInt(at);
    const status = decode(code, at, code.length, found);
    if (status !== "ok") throw new Error(`${status} instruction at ${address.toString(16)}`);
    yield { text: disassemble(found, address), row: found.row! };
  }
}

/** Floating-point and vector rows are declared gaps of the table, so they are not `lifted`. */
function wrongAarch64(code: Uint8Array, va: bigint): string[] {
  const wrong: string[] = [];
  for (let at = 0; at + 4 <= code.length; at += 4) {
    const word = aarch64.wordAt(code, at);
    if (aarch64.decode(word)?.kind === "lifted") continue;
    const address = va + BigInt(at);
    wrong.push(`${address.toString(16)}: ${aarch64.disassemble(word, address)}`);
  }
  return wrong;
}
