/** Operands of the instruction column, and where the encoding has them (the SDM's "Op/En" column, derived). */
import { ALL } from "./conditions.ts";
import type { OperandPlace, OperandSpec, RegisterFile, Row } from "./row.ts";

/** What the opcode column has already said. */
export type PartialRow = Pick<
  Row,
  "instructionText" | "opcodeText" | "opcode" | "vex" | "reg" | "mod" | "plusRegister" | "modIgnored"
>;

const FIXED: Readonly<Record<string, readonly [RegisterFile | null, number, number]>> = {
  AL: ["gpr", 8, 0],
  AX: ["gpr", 16, 0],
  EAX: ["gpr", 32, 0],
  RAX: ["gpr", 64, 0],
  CL: ["gpr", 8, 1],
  DX: ["gpr", 16, 2],
  ES: ["segment", 16, 0],
  CS: ["segment", 16, 1],
  SS: ["segment", 16, 2],
  DS: ["segment", 16, 3],
  FS: ["segment", 16, 4],
  GS: ["segment", 16, 5],
  "ST(0)": ["st", 80, 0],
  "<XMM0>": ["xmm", 128, 0],
  "1": [null, 0, 1],
};

/** Reads one operand of the instruction column and says where it is encoded. */
export function placeOperand(
  row: PartialRow,
  all: readonly string[],
  text: string,
  position: number,
): OperandSpec {
  const fixed = FIXED[text];
  if (fixed) return operand(text, "fixed", fixed[0], fixed[1], fixed[2]);
  if (/^imm\d+$/.test(text)) return operand(text, "immediate", null, 0, position);
  if (text.startsWith("rel")) return operand(text, "relative", null, 0, 0);
  if (text.startsWith("moffs"))
    return { ...operand(text, "moffs", null, 0, 0), memory: true, memoryBits: digits(text) };
  if (text === "Sreg") return operand(text, "reg", "segment", 16, 0);
  if (text.startsWith("CR0-")) return operand(text, "reg", "control", 64, 0);
  if (text.startsWith("DR0-")) return operand(text, "reg", "debug", 64, 0);
  if (text === "ST(i)") return operand(text, "rm", "st", 80, 0);
  const memory = /(?:^|\/)m(?!m)(\d*)(.*)$/.exec(text);
  const file = registerFileOf(text);
  if (memory) {
    const own = text.startsWith("r/m") ? digits(text) : registerBitsOf(text);
    return {
      text,
      place: "rm",
      file,
      registerBits: file === null ? 0 : own,
      memory: true,
      memoryBits: memoryBitsOf(memory[1]!, memory[2]!),
      value: 0,
    };
  }
  if (file === null) throw new Error(`x86-64 table: ${row.instructionText}: what is ${text}?`);
  return operand(text, registerPlace(row, all, text, position), file, registerBitsOf(text), 0);
}

/** Where a plain register operand is encoded (the SDM's "Op/En" column, derived). */
function registerPlace(
  row: PartialRow,
  all: readonly string[],
  text: string,
  position: number,
): OperandPlace {
  if (row.plusRegister) return "opcode";
  if (row.modIgnored) return "rm";
  if (row.vex) {
    if (text.endsWith("a")) return "reg";
    if (text.endsWith("b")) return "vvvv";
    if (row.opcodeText.includes("/is4") && position === all.length - 1) return "is4";
  }
  const hasRm = all.some((other) => /(?:^|\/)m(?!m)/.test(other) || other.startsWith("r/m"));
  const registers = all.filter(
    (other) => registerFileOf(other) !== null && !/\/m|^m\d/.test(other) && !FIXED[other],
  );
  const order = registers.indexOf(text);
  const regFree = row.reg === ALL;
  const places: OperandPlace[] = [];
  if (row.vex && regFree && registers.length === (hasRm ? 2 : 3) && isStoreOrder(row, all)) {
    places.push(...(hasRm ? STORE_ORDER.slice(1) : STORE_ORDER));
  } else if (row.vex && !regFree) places.push("vvvv");
  if (regFree) places.push("reg");
  if (row.vex && regFree && registers.length + (hasRm ? 1 : 0) > 2) places.push("vvvv");
  if (!hasRm) places.push("rm");
  const place = places[order];
  if (!place) throw new Error(`x86-64 table: ${row.instructionText}: no place for ${text}`);
  return place;
}

function operand(
  text: string,
  place: OperandPlace,
  file: RegisterFile | null,
  registerBits: number,
  value: number,
): OperandSpec {
  return { text, place, file, registerBits, memory: false, memoryBits: 0, value };
}

/** Op/En "MVR": the destination is in rm, the last source in reg. */
const STORE_ORDER: readonly OperandPlace[] = ["rm", "vvvv", "reg"];

function isStoreOrder(row: PartialRow, all: readonly string[]): boolean {
  return /^m\d/.test(all[0]!) || (row.mod === 2 && row.opcode === 0x11);
}

function registerFileOf(text: string): RegisterFile | null {
  if (/^xmm/.test(text)) return "xmm";
  if (/^ymm/.test(text)) return "ymm";
  if (/^mm/.test(text)) return "mm";
  if (/^r(\d|\/)/.test(text)) return "gpr";
  return null;
}

function registerBitsOf(text: string): number {
  const file = registerFileOf(text);
  if (file === "xmm") return 128;
  if (file === "ymm") return 256;
  if (file === "mm") return 64;
  return Number(/^r(\d+)/.exec(text)?.[1] ?? 0);
}

function memoryBitsOf(size: string, rest: string): number {
  if (size === "") return 0;
  if (rest === "byte") return Number(size) === 2 ? 16 : 0;
  if (rest.startsWith(":")) return 16 + Number(rest.slice(1));
  return Number(size);
}

function digits(text: string): number {
  return Number(/\d+/.exec(text)?.[0] ?? 0);
}
