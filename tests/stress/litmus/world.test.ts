import { describe, expect, it } from "vitest";
import { UserError } from "../../../emu/user-error.ts";
import { type LitmusTest, readLitmusTest, runLitmusTest } from "../../../stress/litmus/index.ts";
import { Assembler } from "../../../stress/litmus/x86-64/assembler.ts";
import { X86LitmusWorld } from "../../../stress/litmus/x86-64/world.ts";
import { litmusTests } from "./files.ts";
import { walk } from "./walk.ts";

/** Tests with interrupts in the middle of walks, faults, A/D updates, upper levels, roots and fetches. */
const NAMES = [
  "frame-reuse-write",
  "clean-shootdown",
  "locked-add-with-updates",
  "table-reuse",
  "software-walk-interrupts-off",
  "invalidation-with-a-stale-pcid",
  "no-execute-no-invalidation",
  "global-pge-toggle",
];
const cases = litmusTests("x86-64")
  .filter(({ name }) => NAMES.includes(name))
  .map((test): [string, LitmusTest] => [test.name, test]);

const PATHS = 8;

describe("going back in a litmus machine", () => {
  it.each(cases)("changes nothing in what follows: %s", (_, test) => {
    for (let seed = 1; seed <= PATHS; seed++) {
      expect(walk(new X86LitmusWorld(test), seed, "back and forth")).toEqual(
        walk(new X86LitmusWorld(test), seed, "straight"),
      );
    }
  });
});

describe("a test that the machine cannot run", () => {
  const head = "X86_64 t\n{ x=1; y=0; }\n";
  it.each([
    [
      "a fifth thread",
      `${head} P0|P1|P2|P3|P4 ;\n CLI|CLI|CLI|CLI|MOV RBX,[x] ;\nexists (4:RBX=1)\n`,
      /5 threads/,
    ],
    [
      "an exception without a handler",
      `${head} P0 ;\n INVPCID 1,pcid:3 ;\n MOV RBX,[x] ;\nexists (0:RBX=1)\n`,
      /shuts down/,
    ],
    [
      "an unknown field",
      `${head} P0 ;\n MOV [PTE(x)],(Q:1) ;\n MOV RBX,[x] ;\nexists (0:RBX=1)\n`,
      /an entry field Q/,
    ],
    [
      "too many operations",
      `${head} P0 ;\n${" CLI ;\n".repeat(40)} MOV RBX,[x] ;\nexists (0:RBX=1)\n`,
      /more than \d+ operations/,
    ],
    [
      "too many accesses",
      `${head} P0 ;\n${" MOV RBX,[x] ;\n".repeat(9)}exists (0:RBX=1)\n`,
      /more than 8 accesses/,
    ],
    ["a far region", `X86_64 t\n{ x@9=1; }\n P0 ;\n MOV RBX,[x] ;\nexists (0:RBX=1)\n`, /region 9 of x/],
  ])("is a user's error: %s", (_, text, says) => {
    const run = (): unknown => runLitmusTest(readLitmusTest("f", text), { vacuity: "unchecked" });
    expect(run).toThrow(UserError);
    expect(run).toThrow(says);
  });
});

describe("the assembler", () => {
  // Bytes as GNU objdump 2.40 reads them, Intel syntax.
  it.each([
    [
      "movabs r15,0x123456789a",
      (asm: Assembler) => asm.moveImmediate(15, 0x12_3456_789an),
      "49 bf 9a 78 56 34 12 00 00 00",
    ],
    ["mov r12,rbx", (asm: Assembler) => asm.move(12, 3), "49 89 dc"],
    ["mov rbx,r12", (asm: Assembler) => asm.move(3, 12), "4c 89 e3"],
    ["mov r9,QWORD PTR [r11]", (asm: Assembler) => asm.memory([0x8b], 9, 11), "4d 8b 0b"],
    ["mov QWORD PTR [r11],rax", (asm: Assembler) => asm.memory([0x89], 0, 11), "49 89 03"],
    ["xchg QWORD PTR [r11],rbx", (asm: Assembler) => asm.memory([0x87], 3, 11), "49 87 1b"],
    [
      "lock xadd QWORD PTR [r11],rbx",
      (asm: Assembler) => asm.memory([0x0f, 0xc1], 3, 11, [0xf0]),
      "f0 49 0f c1 1b",
    ],
    ["cmp rax,0x1", (asm: Assembler) => asm.compare(0, 1), "48 81 f8 01 00 00 00"],
    ["jmp 0xf80 (from 0x1000)", (asm: Assembler) => asm.jump(0xf80n), "e9 7b ff ff ff"],
    ["jmp r12", (asm: Assembler) => asm.jumpTo(12), "41 ff e4"],
  ])("encodes %s", (_, write, bytes) => {
    const asm = new Assembler(0x1000n);
    write(asm);
    expect(asm.bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ")).toBe(bytes);
  });
});
