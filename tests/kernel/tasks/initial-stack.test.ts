import { expect, test } from "vitest";
import { type ElfImage, parseElf } from "../../../emu/loader/index.ts";
import { UserError } from "../../../emu/user-error.ts";
import { X86Process } from "../../../kernel/arch/x86/process.ts";
import type { Context } from "../../../kernel/context.ts";
import { buildStack } from "../../../kernel/tasks/initial-stack.ts";
import { soundFile, writeElf } from "../../emu/loader/elf-writer.ts";
import { x86Limits } from "../../emu/loader/limits.ts";

const TOP = 0x7fff_ffff_f000n;
const K = { kernel: { arch: { process: new X86Process() } } } as unknown as Context;

function image(): ElfImage {
  const parsed = parseElf(writeElf(soundFile()), "program", x86Limits(1 << 28));
  if (parsed instanceof UserError) throw parsed;
  return parsed;
}

/** The stack as start-up code reads it. */
class Stack {
  readonly sp: bigint;
  readonly #view: DataView;

  constructor(argv: readonly string[], envp: readonly string[], baseVpn = 0) {
    const random = Uint8Array.from({ length: 16 }, (_, index) => index + 1);
    const { sp, bytes } = buildStack(K, image(), {
      path: "/bin/program",
      argv,
      envp,
      random,
      baseVpn,
      top: TOP,
    });
    expect(sp + BigInt(bytes.length)).toBe(TOP);
    this.sp = sp;
    this.#view = new DataView(bytes.buffer);
  }

  word(at: bigint): bigint {
    return this.#view.getBigUint64(Number(at - this.sp), true);
  }

  text(at: bigint): string {
    let length = 0;
    while (this.#view.getUint8(Number(at - this.sp) + length) !== 0) length++;
    return new TextDecoder().decode(new Uint8Array(this.#view.buffer, Number(at - this.sp), length));
  }

  pointers(from: bigint): bigint[] {
    const found: bigint[] = [];
    for (let at = from; this.word(at) !== 0n; at += 8n) found.push(this.word(at));
    return found;
  }

  auxv(from: bigint): Map<number, bigint> {
    const found = new Map<number, bigint>();
    for (let at = from; this.word(at) !== 0n; at += 16n) found.set(Number(this.word(at)), this.word(at + 8n));
    return found;
  }
}

const CASES: readonly (readonly [readonly string[], readonly string[]])[] = [
  [["/bin/program"], []],
  [
    ["program", "a", "", "two words"],
    ["PATH=/bin", "X="],
  ],
  [Array.from({ length: 100 }, (_, index) => "x".repeat(index)), ["A=1", "B=2", "C=3"]],
  [[], []],
];

test.each(CASES)("argc, argv, envp and auxv lie as the ABI has them: %j %j", (argv, envp) => {
  const stack = new Stack(argv, envp);
  expect(stack.sp % 16n).toBe(0n);
  expect(stack.word(stack.sp)).toBe(BigInt(argv.length));
  const argvAt = stack.sp + 8n;
  const arguments_ = stack.pointers(argvAt);
  expect(arguments_.map((at) => stack.text(at))).toEqual(argv);
  const envpAt = argvAt + BigInt(8 * (argv.length + 1));
  const environment = stack.pointers(envpAt);
  expect(environment.map((at) => stack.text(at))).toEqual(envp);
  const ascending = [...arguments_, ...environment];
  expect(ascending).toEqual([...ascending].sort((a, b) => (a < b ? -1 : 1)));
  expect(stack.word(TOP - 8n)).toBe(0n);
});

test("the auxiliary vector describes the program and the machine (getauxval(3))", () => {
  const stack = new Stack(["program"], ["E=1"]);
  const auxv = stack.auxv(stack.sp + 8n * 5n);
  const numbers = [3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 17, 23, 51].map((key) => [key, auxv.get(key)]);
  expect(numbers).toEqual([
    [3, 0x400040n],
    [4, 56n],
    [5, 4n],
    [6, 4096n],
    [7, 0n],
    [8, 0n],
    [9, 0x401000n],
    [11, 0n],
    [12, 0n],
    [13, 0n],
    [14, 0n],
    [17, 100n],
    [23, 0n],
    [51, 2048n],
  ]);
  expect(stack.text(auxv.get(15)!)).toBe("x86_64");
  expect(stack.text(auxv.get(31)!)).toBe("/bin/program");
  expect([stack.word(auxv.get(25)!), stack.word(auxv.get(25)! + 8n)]).toEqual([
    0x0807_0605_0403_0201n,
    0x100f_0e0d_0c0b_0a09n,
  ]);
});

test("a position-independent program's addresses in the vector are where it was loaded", () => {
  const stack = new Stack(["p"], [], 0x5_5555_5554);
  const auxv = stack.auxv(stack.sp + 8n * 4n);
  expect([auxv.get(3), auxv.get(9)]).toEqual([0x5555_5595_4040n, 0x5555_5595_5000n]);
});
