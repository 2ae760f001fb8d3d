import { expect, test } from "vitest";
import type { Aarch64Cpu } from "../../../../emu/hardware.ts";
import type { Context, Work } from "../../../../kernel/context.ts";
import { READ } from "../../../../mmu/index.ts";
import { RealMachine } from "../../support/real-machine.ts";

/** What the log says when kernel code does this, from the first line that is not about the start. */
function oops(work: (k: Context) => Work): { kind: string; log: string[] } {
  const real = new RealMachine({ arch: "aarch64", cpus: 1, scheduler: "timed" }, [work]);
  const result = real.run();
  const log = real.lines
    .flatMap((text) => text.split("\n"))
    .map((line) => line.replace(/^\[ *[\d.]+\] /, ""));
  return {
    kind: result.split(":")[0]!,
    log: log.slice(log.findIndex((line) => line.startsWith("Run ")) + 1),
  };
}

/** An exception as the CPU takes it in kernel code, with a syndrome. */
function take(vector: number, esr: number): (k: Context) => Work {
  return function* (k) {
    const cpu = k.cpu as Aarch64Cpu;
    cpu.msr("ESR_EL1", esr, 0);
    cpu.writeElr(cpu.readPcLo(), cpu.readPcHi());
    cpu.writeSpsr(0x305);
    k.kernel.enter(cpu, vector * 8);
    yield;
  };
}

test("kernel code that touches what is not mapped ends the machine with arm64's report", () => {
  const { kind, log } = oops(function* (k) {
    while (k.cpu.access(0x1234_5678, 0x10, READ) === 2) yield;
    k.cpu.raiseAccessFault();
    yield;
  });
  expect(kind).toBe("panic");
  expect(log[0]).toBe("Unable to handle kernel paging request at virtual address 0000001012345678");
  expect(log.slice(1, 3)).toEqual(["Mem abort info:", "  ESR = 0x0000000096000004"]);
  expect(log).toContain("  EC = 0x25: DABT (current EL)");
  expect(log).toContain("Internal error: Oops: 0000000096000004 [#1] SMP");
  expect(log).toContain("pc : resume");
  expect(log.find((line) => line.startsWith("pstate:"))).toMatch(
    /\(nzcv DAif \+PAN -UAO -TCO -DIT -SSBS BTYPE=--\)$/,
  );
  expect(log.find((line) => line.startsWith("Code:"))).toBe(
    "Code: 00000000 d4202000 d4202000 d4202000 (00000000)",
  );
  expect(log).toContain("Kernel panic - not syncing: Oops: Fatal exception");
});

const ENDS: readonly [name: string, vector: number, esr: number, lines: readonly string[]][] = [
  [
    "an undefined instruction",
    4,
    0x0200_0000,
    ["Internal error: Oops - Undefined instruction: 0000000002000000 [#1] SMP"],
  ],
  [
    "BRK",
    4,
    0xf200_0800 | 0,
    ["Unexpected kernel BRK exception at EL1", "Internal error: aarch64 BRK: 00000000f2000800 [#1] SMP"],
  ],
  [
    "a misaligned PC",
    4,
    0x8a00_0000 | 0,
    ["Internal error: SP/PC alignment exception: 000000008a000000 [#1] SMP"],
  ],
  [
    "a misaligned SP",
    4,
    0x9a00_0000 | 0,
    ["Unhandled 64-bit el1h sync exception on CPU0, ESR 0x000000009a000000 -- SP Alignment"],
  ],
  ["FIQ", 6, 0, ["Kernel panic - not syncing: FIQ taken without a root FIQ handler"]],
  [
    "SError",
    7,
    0xbe00_0000 | 0,
    [
      "SError Interrupt on CPU0, code 0x00000000be000000 -- SError",
      "Kernel panic - not syncing: Asynchronous SError Interrupt",
    ],
  ],
  [
    "an exception on SP_EL0",
    1,
    0,
    ["Unhandled 64-bit el1t irq exception on CPU0, ESR 0x0000000000000000 -- Unknown/Uncategorized"],
  ],
];

test.each(ENDS)("%s in kernel code ends the machine", (_name, vector, esr, lines) => {
  const { kind, log } = oops(take(vector, esr));
  expect(kind).toBe("panic");
  for (const line of lines) expect(log).toContain(line);
});

test("a kernel stack that is full is noticed by the exception that would not fit", () => {
  const { kind, log } = oops(function* (k) {
    const cpu = k.cpu as Aarch64Cpu;
    cpu.writeSp(1, k.task!.at + 0x400, k.ram.directMapHi);
    yield* take(5, 0)(k);
  });
  expect(kind).toBe("panic");
  expect(log).toContain("Kernel panic - not syncing: kernel stack overflow");
});
