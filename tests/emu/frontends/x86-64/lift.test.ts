import { expect, test } from "vitest";
import {
  decode,
  Instruction,
  ROWS,
  randomBytes,
  randomInstruction,
  x86Frontend,
} from "../../../../emu/frontends/x86-64/index.ts";
import { verify } from "../../../../emu/ir/index.ts";
import { toHex } from "./hex.ts";
import { seeded } from "./random.ts";

const PC = { lo: 0x1000, hi: 0 };
const LIFTED = ROWS.filter((row) => row.kind === "lifted");
const ONE = { kernelText: false, maxInstructions: 1 };

test("every row lifts to a valid block of one instruction, whatever its operands", () => {
  const random = seeded(1);
  const problems: string[] = [];
  for (const row of LIFTED) {
    for (let i = 0; i < 12; i++) {
      const bytes = randomInstruction(row, random);
      const block = x86Frontend.lift(PC, bytes, 0, bytes.length, ONE)!;
      expect(block.length, toHex(bytes)).toBe(1);
      problems.push(...verify(block).map((problem) => `${toHex(bytes)} ${row.instructionText}: ${problem}`));
    }
  }
  expect(problems).toEqual([]);
});

test("random bytes lift to valid blocks or ask for more bytes", () => {
  const random = seeded(2);
  for (let i = 0; i < 20_000; i++) {
    const bytes = randomBytes(random, 1 + (random() % 40));
    const block = x86Frontend.lift(PC, bytes, 0, bytes.length, { kernelText: false, maxInstructions: 100 });
    if (block !== null) expect(verify(block), toHex(bytes)).toEqual([]);
    else expect(bytes.length).toBeLessThan(15);
  }
});

test("a gap, an invalid opcode and an unknown one trap as #UD under their mnemonic", () => {
  const mnemonicOf = (...bytes: number[]): string | null => {
    const block = x86Frontend.lift(PC, Uint8Array.from(bytes), 0, bytes.length, ONE)!;
    const exit = block.instructions.at(-1)!;
    expect(exit.opcode).toBe("exit.trap");
    expect(exit.immediates.slice(1)).toEqual([PC.lo, PC.hi]);
    return x86Frontend.undefinedMnemonic(exit.immediates[0]!);
  };
  expect(mnemonicOf(0x0f, 0x58, 0xc1)).toBe("ADDPS");
  expect(mnemonicOf(0xd9, 0xe8)).toBe("FLD1");
  expect(mnemonicOf(0xc5, 0xf8, 0x77)).toBe("VZEROUPPER");
  expect(mnemonicOf(0x27)).toBe("DAA");
  expect(mnemonicOf(0x0f, 0x0b)).toBe("UD2");
  expect(mnemonicOf(0x0f, 0x04)).toBe("(unknown)");
  expect(mnemonicOf(0xf0, 0x01, 0xc0)).toBe("ADD");
  expect(mnemonicOf(0xf0, 0x8b, 0x00)).toBe("MOV");
});

test("every gap mnemonic decodes and is not lifted", () => {
  const gaps = x86Frontend.gaps();
  expect(gaps).toContain("ADDPS");
  expect(gaps).not.toContain("ADD");
});

test("an instruction longer than 15 bytes raises #GP, one cut off asks for more", () => {
  const long = Uint8Array.from([...new Array<number>(15).fill(0x66), 0x90]);
  const block = x86Frontend.lift(PC, long, 0, long.length, ONE)!;
  expect(block.instructions.at(-1)!.immediates[0]).toBe(13);
  const fifteen = Uint8Array.from([...new Array<number>(14).fill(0x66), 0x90]);
  expect(decode(fifteen, 0, 15, new Instruction())).toBe("ok");
  expect(x86Frontend.lift(PC, fifteen, 0, 14, ONE)).toBeNull();
});

test("a block ends at a transfer, before a repeated string instruction and before an instruction cut off", () => {
  const many = { kernelText: false, maxInstructions: 100 };
  const lift = (...bytes: number[]): [number, string] => {
    const block = x86Frontend.lift(PC, Uint8Array.from(bytes), 0, bytes.length, many)!;
    expect(verify(block)).toEqual([]);
    return [block.length, block.instructions.at(-1)!.opcode];
  };
  expect(lift(0x90, 0x90, 0xc3, 0x90)).toEqual([3, "exit.indirect"]);
  expect(lift(0x90, 0xf3, 0xa4)).toEqual([1, "exit.jump"]);
  expect(lift(0xf3, 0xa4, 0x90)).toEqual([1, "exit.branch"]);
  expect(lift(0xa4, 0x90, 0xeb, 0xfe)).toEqual([3, "exit.jump"]);
  expect(lift(0x90, 0xe9, 0x00)).toEqual([1, "exit.jump"]);
  expect(lift(0x90, 0x0f, 0x05)).toEqual([2, "exit.helper"]);
});

test("UD2 enters the kernel in kernel text only", () => {
  const bytes = Uint8Array.from([0x0f, 0x0b]);
  const exitOf = (kernelText: boolean): string =>
    x86Frontend.lift(PC, bytes, 0, 2, { kernelText, maxInstructions: 1 })!.instructions.at(-1)!.opcode;
  expect(exitOf(true)).toBe("exit.helper");
  expect(exitOf(false)).toBe("exit.trap");
});
