/**
 * Where GNU's Intel dialect departs from the SDM's instruction column: mnemonics that carry no size, explicit
 * operands of string and monitor instructions, the order of x87 operands.
 */
import type { Instruction } from "../decode/instruction.ts";
import type { OperandSpec, Row } from "../table/index.ts";

const MNEMONICS: Readonly<Record<string, string>> = {
  XLATB: "xlat",
  LOOPE: "loope",
  WAIT: "fwait",
  IRETD: "iret",
  IRET: "iretw",
  PUSHF: "pushfw",
  PUSHFQ: "pushf",
  POPF: "popfw",
  POPFQ: "popf",
  SYSRET: "sysretd",
  SYSEXIT: "sysexitd",
};

/** Predicates of CMPccPS and its kin, by immediate. SDM Vol. 2 "CMPPD", tables 3-1 and 3-2 (VEX: all 32). */
const PREDICATES = (
  "eq lt le unord neq nlt nle ord eq_uq nge ngt false neq_oq ge gt true " +
  "eq_os lt_oq le_oq unord_s neq_us nlt_uq nle_uq ord_s eq_us nge_uq ngt_uq false_os neq_os ge_oq gt_oq true_us"
).split(" ");

/** The predicate that stands in the mnemonic instead of the immediate, or null. */
export function comparePredicate(instruction: Instruction, row: Row): string | null {
  if (!/^V?CMP[PS][SD]$/.test(row.mnemonic) || row.opcode !== 0xc2) return null;
  return instruction.immediate < (row.vex ? 32 : 8) ? PREDICATES[instruction.immediate]! : null;
}

export function mnemonicOf(instruction: Instruction, row: Row): string {
  const name = row.mnemonic;
  const bits = row.operandBits;
  if (row.group === "string" || row.group === "io") {
    const stem = /^(MOVS|CMPS|SCAS|LODS|STOS|INS|OUTS)[BWDQ]$/.exec(name)?.[1];
    if (stem) return stem.toLowerCase();
  }
  if (name === "JRCXZ" && instruction.addressBits === 32) return "jecxz";
  if (bits === 16 && /^(PUSH (imm|.S)|POP .S|ENTER|LEAVE)/.test(row.instructionText))
    return `${name.toLowerCase()}w`;
  if (name === "NOP" && row.opcode === 0x90 && instruction.operandSizePrefix && (instruction.rex & 8) === 0)
    return "xchg ax,ax";
  if (name === "RETF") return bits === 16 ? "retfw" : bits === 64 ? "retfq" : "retf";
  if (name === "MOV" && row.immediateBytes[0] === 8) return "movabs";
  if (name === "MOV" && row.instructionText.includes("moffs"))
    return instruction.addressBits === 64 ? "movabs" : "mov";
  if (row.group === "x87" && instruction.operandSizePrefix && /^F(LDENV|NSTENV|NSAVE|RSTOR)$/.test(name)) {
    return `${name.toLowerCase()}w`;
  }
  if (/^V?PCMPESTR[IM]$/.test(name) && instruction.rex & 8) return `${name.toLowerCase()}q`;
  const predicate = comparePredicate(instruction, row);
  if (predicate !== null) return name.toLowerCase().replace("cmp", `cmp${predicate}`);
  return MNEMONICS[name] ?? name.toLowerCase();
}

/** Operands of string instructions and XLAT, which the table leaves implicit; null for others. */
export function stringOperands(instruction: Instruction): string[] | null {
  const row = instruction.row!;
  const wide = instruction.addressBits === 64 ? "r" : "e";
  const segment = instruction.segment < 0 ? "ds" : instruction.segment === 4 ? "fs" : "gs";
  if (row.mnemonic === "XLATB") return [`BYTE PTR ${segment}:[${wide}bx]`];
  if (row.group !== "string" && row.group !== "io") return null;
  const match = /^(MOVS|CMPS|SCAS|LODS|STOS|INS|OUTS)([BWDQ])$/.exec(row.mnemonic);
  if (!match) return null;
  const size = { B: "BYTE", W: "WORD", D: "DWORD", Q: "QWORD" }[match[2] as "B" | "W" | "D" | "Q"];
  const accumulator = { B: "al", W: "ax", D: "eax", Q: "rax" }[match[2] as "B" | "W" | "D" | "Q"];
  const source = `${size} PTR ${segment}:[${wide}si]`;
  const destination = `${size} PTR es:[${wide}di]`;
  switch (match[1]) {
    case "MOVS":
      return [destination, source];
    case "CMPS":
      return [source, destination];
    case "SCAS":
      return [accumulator, destination];
    case "LODS":
      return [accumulator, source];
    case "STOS":
      return [destination, accumulator];
    case "INS":
      return [destination, "dx"];
    default:
      return ["dx", source];
  }
}

/** Operands as printed: XCHG with the accumulator is turned round, FCOM's ST and a predicate are left out. */
export function printedOperands(instruction: Instruction, row: Row): readonly OperandSpec[] {
  if (row.opcode === 0x90 && row.plusRegister) return row.operands.toReversed();
  if (/^FCOMP? ST\(0\)/.test(row.instructionText)) return row.operands.slice(1);
  if (comparePredicate(instruction, row) !== null) return row.operands.slice(0, -1);
  return row.operands;
}

/** Width of a general register as printed. */
export function registerBits(instruction: Instruction, spec: OperandSpec): number {
  const row = instruction.row!;
  if (spec.place === "rm" && spec.registerBits === 16) return selectorRegisterBits(instruction, spec);
  if (row.mnemonic.startsWith("VMOVMSKP") && instruction.rex & 8 && spec.file === "gpr") return 64;
  return spec.registerBits;
}

const WITHOUT_SIZE = /^(INVPCID|V?LDDQU|WRSS[DQ])$/;
const OCTOWORD = /^(CMPXCHG16B|INVEPT|INVVPID)$/;

/** `none`: no size is printed; `oword`: OWORD instead of XMMWORD; `fword`: binutils prints m16:64 so. */
export function memorySizeStyle(spec: OperandSpec, row: Row): "none" | "oword" | "fword" | "plain" {
  if (spec.place === "moffs" || spec.text === "m80" || WITHOUT_SIZE.test(row.mnemonic)) return "none";
  if (spec.text === "m16:64") return "fword";
  return OCTOWORD.test(row.mnemonic) ? "oword" : "plain";
}

/** Selector sources are printed as registers of the operand size, or of 32 bits for MOV to a segment register. */
function selectorRegisterBits(instruction: Instruction, spec: OperandSpec): number {
  const row = instruction.row!;
  if (row.mnemonic === "LAR" || row.mnemonic === "LSL") return row.operandBits;
  if (row.mnemonic === "MOV" && row.operands[0]?.text === "Sreg")
    return instruction.rex & 8 ? 64 : instruction.operandSizePrefix ? 16 : 32;
  return spec.registerBits;
}
