/** Flags that the SDM (Vol. 2, "Flags Affected") leaves undefined after an instruction; they are not compared. */
import type { Instruction } from "../../../../emu/frontends/x86-64/index.ts";
import { FLAG_A, FLAG_C, FLAG_O, FLAG_P, FLAG_S, FLAG_Z, FLAGS_ALL } from "../../../../emu/ir/index.ts";
import type { Inputs } from "./results.ts";

const UNDEFINED: readonly (readonly [mnemonics: string, flags: number])[] = [
  ["AND OR XOR TEST", FLAG_A],
  ["MUL IMUL", FLAG_S | FLAG_Z | FLAG_A | FLAG_P],
  ["DIV IDIV", FLAGS_ALL],
  ["BT BTS BTR BTC", FLAG_O | FLAG_S | FLAG_A | FLAG_P],
  ["BSF BSR", FLAGS_ALL & ~FLAG_Z],
  ["TZCNT LZCNT", FLAG_O | FLAG_S | FLAG_A | FLAG_P],
  ["ANDN BLSI BLSMSK BLSR BZHI", FLAG_A | FLAG_P],
  ["BEXTR", FLAG_A | FLAG_S | FLAG_P],
];

/** The flags that an instruction leaves undefined with these inputs. */
export function undefinedFlagsOf(instruction: Instruction, inputs: Inputs): number {
  const { row, immediate } = instruction;
  const source = row!.operands.at(-1);
  let count = 1;
  if (source?.place === "immediate") count = immediate;
  else if (source?.text === "CL") count = Number(inputs.registers[1]! & 0xffn);
  const width = row!.operandBits;
  return undefinedFlags(row!.mnemonic, count & (width === 64 ? 63 : 31), width);
}

/** An outcome's text with the undefined flags cleared. */
export function definedOutcome(text: string, undefinedMask: number): string {
  return text.replace(/f=([0-9a-f]+)/, (_, flags: string) => {
    return `f=${(Number.parseInt(flags, 16) & ~undefinedMask).toString(16)}`;
  });
}

/** @param count masked count of a shift or rotate, else 0 @param width operand size */
function undefinedFlags(mnemonic: string, count: number, width: number): number {
  if (/^(SHL|SHR|SAR)$/.test(mnemonic)) {
    if (count === 0) return 0;
    return FLAG_A | (count === 1 ? 0 : FLAG_O) | (count >= width && mnemonic !== "SAR" ? FLAG_C : 0);
  }
  if (/^(ROL|ROR|RCL|RCR)$/.test(mnemonic)) return count > 1 ? FLAG_O : 0;
  if (/^SH[LR]D$/.test(mnemonic)) {
    if (count === 0) return 0;
    return count > width ? FLAGS_ALL : FLAG_A | (count === 1 ? 0 : FLAG_O);
  }
  for (const [mnemonics, flags] of UNDEFINED) if (mnemonics.split(" ").includes(mnemonic)) return flags;
  return 0;
}
