import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { decode, disassemble, Instruction, ROWS } from "../../../../emu/frontends/x86-64/index.ts";
import { fromHex } from "./hex.ts";
import { normalise, readGoldens } from "./objdump.ts";

const GOLDENS = readGoldens(readFileSync(new URL("golden/encodings.txt", import.meta.url), "utf8"));

/** Where binutils 2.40 and this table disagree, and why the table is right. An entry that matches nothing fails. */
const DISAGREEMENTS: readonly (readonly [mnemonic: RegExp, objdump: RegExp, reason: string])[] = [
  [/^NOP$/, /bnd/, "MPX, which this processor does not have: NOPs"],
  [/^MFENCE$/, /\(bad\)/, "the r/m field is ignored (SDM Vol. 2 LFENCE, Appendix A)"],
  [/^SFENCE$/, /\(bad\)/, "the r/m field is ignored (SDM Vol. 2 LFENCE, Appendix A)"],
  [/^WAIT$/, /rex/, "REX before FWAIT is printed as an instruction of its own"],
  [/^(JMP|LFS)$/, /DWORD/, "REX.W wins over 66 (SDM Vol. 2 §2.2.1.2)"],
  [/^UD1$/, / r\d+w,/, "operands have no size"],
  [/PCLMULQDQ$/, /pclmul[lh]q[lh]qdq/, "named by its immediate"],
];

const instruction = new Instruction();

function decodeGolden(hex: string): void {
  const bytes = fromHex(hex);
  expect(decode(bytes, 0, bytes.length, instruction), hex).toBe("ok");
}

function disagreement(mnemonic: string, text: string): number {
  return DISAGREEMENTS.findIndex(([name, pattern]) => name.test(mnemonic) && pattern.test(text));
}

test("every row has recorded encodings", () => {
  const seen = new Set<number>();
  for (const golden of GOLDENS) {
    decodeGolden(golden.bytes);
    seen.add(instruction.row!.id);
  }
  const missing = ROWS.filter((row) => row.kind !== "invalid" && !seen.has(row.id));
  expect(missing.map((row) => `${row.opcodeText} ${row.instructionText}`)).toEqual([]);
});

test("lengths and texts are objdump's, but for listed disagreements", () => {
  const used = new Set<number>();
  const wrong: string[] = [];
  for (const [index, golden] of GOLDENS.entries()) {
    decodeGolden(golden.bytes);
    const text = disassemble(instruction, BigInt(index * 32));
    if (text === normalise(golden.text) && instruction.lengthBytes === golden.lengthBytes) continue;
    const known = disagreement(instruction.row!.mnemonic, golden.text);
    if (known < 0) wrong.push(`${golden.bytes}: ${text} | ${golden.text}`);
    else used.add(known);
  }
  expect(wrong).toEqual([]);
  expect(DISAGREEMENTS.filter((_, index) => !used.has(index))).toEqual([]);
});
