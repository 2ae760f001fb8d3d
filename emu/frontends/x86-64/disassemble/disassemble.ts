/**
 * Text of an instruction in Intel syntax, as `objdump -d -M intel` of GNU binutils prints it (one space after the
 * mnemonic, no symbol comments). Prefixes without effect are not printed.
 */
import { BASE_RIP, type Instruction } from "../decode/instruction.ts";
import type { OperandSpec, Row } from "../table/index.ts";
import { memorySizeStyle, mnemonicOf, printedOperands, registerBits, stringOperands } from "./dialect.ts";
import { registerName } from "./registers.ts";

/**
 * @param instruction decoded with status `ok` (or `undefined` with a row)
 * @param address of the instruction: the base of relative targets
 */
export function disassemble(instruction: Instruction, address: bigint): string {
  const row = instruction.row;
  if (row === null || row.kind === "invalid") return "(bad)";
  const operands =
    stringOperands(instruction) ??
    printedOperands(instruction, row).map((spec) => operandText(instruction, spec, address));
  const prefix = prefixText(instruction, row);
  const mnemonic = mnemonicOf(instruction, row);
  return operands.length === 0 ? prefix + mnemonic : `${prefix}${mnemonic} ${operands.join(",")}`;
}

/** A memory operand without its size: `fs:[rax+rcx*4+0x10]`. */
export function memoryText(instruction: Instruction): string {
  const segment = instruction.segment < 0 ? "" : instruction.segment === 4 ? "fs:" : "gs:";
  const bits = instruction.addressBits;
  const parts: string[] = [];
  if (instruction.base === BASE_RIP) parts.push(bits === 64 ? "rip" : "eip");
  else if (instruction.base >= 0) parts.push(registerName("gpr", instruction.base, bits, true));
  if (instruction.index >= 0)
    parts.push(`${registerName("gpr", instruction.index, bits, true)}*${1 << instruction.scale}`);
  else if (instruction.sib && hasVisibleNoIndex(instruction))
    parts.push(`${bits === 64 ? "riz" : "eiz"}*${1 << instruction.scale}`);
  const displacement = instruction.displacement;
  if (parts.length === 0) {
    const value = bits === 64 ? BigInt.asUintN(64, BigInt(displacement)) : BigInt(displacement >>> 0);
    return `${segment === "" ? "ds:" : segment}0x${value.toString(16)}`;
  }
  let text = parts.join("+");
  if (instruction.base === BASE_RIP) {
    text += `+0x${BigInt.asUintN(64, BigInt(displacement)).toString(16)}`;
  } else if (instruction.base < 0 && instruction.index < 0 && bits === 32) {
    text += `+0x${(displacement >>> 0).toString(16)}`;
  } else if (instruction.mod !== 0 || instruction.base < 0) {
    text += displacement < 0 ? `-0x${(-displacement).toString(16)}` : `+0x${displacement.toString(16)}`;
  }
  return `${segment}[${text}]`;
}

/** A SIB byte without an index where none was needed to name the base. */
function hasVisibleNoIndex(instruction: Instruction): boolean {
  if (instruction.base >= 0) return (instruction.base & 7) !== 4 || instruction.scale !== 0;
  return instruction.scale !== 0;
}

function operandText(instruction: Instruction, spec: OperandSpec, address: bigint): string {
  if (instruction.isMemory(spec)) {
    return (
      memorySize(spec, instruction.row!) +
      (spec.place === "moffs" ? moffsText(instruction) : memoryText(instruction))
    );
  }
  switch (spec.place) {
    case "immediate":
      return immediateText(instruction, spec);
    case "relative": {
      const target = address + BigInt(instruction.lengthBytes) + BigInt(instruction.immediate);
      return `0x${BigInt.asUintN(64, target).toString(16)}`;
    }
    case "fixed":
      if (spec.file === null) return String(spec.value);
      return registerName(spec.file, spec.value, spec.registerBits, true);
    default:
      if (spec.text === "ST(i)") return `st(${instruction.rm & 7})`;
      return registerName(
        spec.file!,
        instruction.registerOf(spec),
        registerBits(instruction, spec),
        instruction.hasRex,
      );
  }
}

function immediateText(instruction: Instruction, spec: OperandSpec): string {
  const row = instruction.row!;
  if (row.immediateBytes.length > 1 && spec === row.operands.at(-1))
    return `0x${instruction.immediate2.toString(16)}`;
  const bytes = row.immediateBytes[0]!;
  const value = (BigInt(instruction.immediateHi) << 32n) | BigInt(instruction.immediate >>> 0);
  const extended = row.immediateSigned || bytes === 4 || bytes === 8;
  const bits = extended ? row.operandBits : bytes * 8;
  return `0x${BigInt.asUintN(bits, value).toString(16)}`;
}

function moffsText(instruction: Instruction): string {
  const segment = instruction.segment < 0 ? "ds:" : instruction.segment === 4 ? "fs:" : "gs:";
  const hi = instruction.addressBits === 64 ? instruction.displacementHi >>> 0 : 0;
  return `${segment}0x${((BigInt(hi) << 32n) | BigInt(instruction.displacement >>> 0)).toString(16)}`;
}

const SIZE_NAMES: Readonly<Record<number, string>> = {
  8: "BYTE PTR ",
  16: "WORD PTR ",
  32: "DWORD PTR ",
  48: "FWORD PTR ",
  64: "QWORD PTR ",
  80: "TBYTE PTR ",
  128: "XMMWORD PTR ",
  256: "YMMWORD PTR ",
};

function memorySize(spec: OperandSpec, row: Row): string {
  const style = memorySizeStyle(spec, row);
  if (style === "none") return "";
  if (style === "fword") return "FWORD PTR ";
  return style === "oword" ? "OWORD PTR " : (SIZE_NAMES[spec.memoryBits] ?? "");
}

function prefixText(instruction: Instruction, row: Row): string {
  let text = instruction.lock ? "lock " : "";
  if (instruction.repeat !== 0) {
    if (row.repeat === "rep") text += instruction.repeat === 0xf3 ? "rep " : "repnz ";
    else if (row.repeat === "repe") text += instruction.repeat === 0xf3 ? "repz " : "repnz ";
  }
  return text;
}
