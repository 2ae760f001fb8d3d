import { expect, test } from "vitest";
import * as regs from "../../../../kernel/arch/arm64/pt-regs.ts";
import * as bits from "../../../../kernel/arch/arm64/registers.ts";
import { PhysicalMemory } from "../../../../mmu/index.ts";
import { fact, factsNamed } from "./support/facts.ts";

test("pt_regs begins with the user_pt_regs of the headers", () => {
  expect(regs.REGS_X0).toBe(fact("user_pt_regs.regs"));
  for (let number = 0; number <= 30; number++) {
    expect(regs.regsOfX(number)).toBe(fact("user_pt_regs.regs") + number * 8);
  }
  expect(regs.REGS_SP).toBe(fact("user_pt_regs.sp"));
  expect(regs.REGS_PC).toBe(fact("user_pt_regs.pc"));
  expect(regs.REGS_PSTATE).toBe(fact("user_pt_regs.pstate"));
  expect(regs.REGS_ORIG_X0).toBe(fact("sizeof user_pt_regs"));
});

test("what follows lies where Linux 6.6 has it, and the size is a multiple of 16", () => {
  expect(regs.REGS_ORIG_X0).toBe(0x110);
  expect(regs.REGS_SYSCALLNO).toBe(0x118);
  expect(regs.REGS_STACKFRAME).toBe(0x130);
  expect(regs.REGS_BYTES).toBe(0x150);
  expect(regs.REGS_BYTES % 16).toBe(0);
});

test.each(factsNamed("PSR_"))("PSR_%s is the header's", (name) => {
  const value = (bits as unknown as Record<string, number>)[`PSR_${name}`];
  expect(value! >>> 0).toBe(fact(`PSR_${name}`));
});

test("the general registers go to the frame and come back", () => {
  const ram = new PhysicalMemory(1 << 16, 0);
  const gpr = Int32Array.from({ length: 62 }, (_, index) => 0x1000_0000 + index * 0x101);
  regs.saveGeneral(ram, 0x2000, gpr);
  expect(regs.regsHex(ram, 0x2000, regs.regsOfX(30))).toBe(
    (gpr[61]! >>> 0).toString(16).padStart(8, "0") + (gpr[60]! >>> 0).toString(16).padStart(8, "0"),
  );
  expect(ram.read32(0x2000 + regs.REGS_SP)).toBe(0);
  const back = new Int32Array(62);
  regs.restoreGeneral(ram, 0x2000, back);
  expect(back).toEqual(gpr);
});

test("a frame is user mode's if its PSTATE says EL0", () => {
  const ram = new PhysicalMemory(1 << 16, 0);
  for (const [pstate, isUser] of [
    [0x6000_1000, true],
    [0x6000_0005, false],
    [0x3c5, false],
  ] as const) {
    ram.write64(regs.REGS_PSTATE, pstate, 0);
    expect(regs.userMode(ram, 0)).toBe(isUser);
  }
});
