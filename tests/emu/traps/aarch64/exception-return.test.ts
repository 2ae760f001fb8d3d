/** ERET: legal and illegal returns, the Illegal Execution state. Arm ARM D1.4.4 to D1.4.6. */
import { describe, expect, test } from "vitest";
import {
  a64,
  DAIF,
  EL0,
  EL1H,
  EL1T,
  KERNEL_CODE,
  KERNEL_STACK,
  PSTATE_PAN,
  Rig,
  SCTLR_ON,
  setRegister,
  setX,
  sp,
  syndrome,
  USER_CODE,
  USER_STACK,
  x,
} from "./rig.ts";

const IL = 0x10_0000;
const NZCV = 0xa000_0000;
const SSBS = 0x1000;
const DIT = 0x100_0000;
const FROM = KERNEL_CODE + 0x100;

/** Executes ERET at EL1h with the given SPSR and ELR, after which SVC tells what the state is. */
function eret(spsr: number, elr: number, setUp: (rig: Rig) => void = () => {}): Rig {
  const rig = new Rig();
  rig.put(USER_CODE, a64("svc #1"));
  rig.put(KERNEL_CODE, a64("svc #2"));
  setUp(rig);
  rig.start(rig.core, EL1H | DAIF, a64("eret"), FROM);
  rig.core.writeSpsr(spsr);
  rig.core.writeElr(elr, 0);
  expect(rig.run()).toBe("stopped");
  return rig;
}

describe("returns that are legal", () => {
  test.each([
    ["EL0", EL0, USER_CODE, 0x400, 1],
    ["EL1 with SP_EL0", EL1T, KERNEL_CODE, 0x000, 2],
    ["EL1 with SP_EL1", EL1H, KERNEL_CODE, 0x200, 2],
  ] as const)("to %s", (_, mode, target, vector, svc) => {
    const kept = NZCV | SSBS | DIT | PSTATE_PAN | 0x240;
    const rig = eret(mode | kept, target);
    const entry = rig.entries[0]!;
    expect([entry.vector, syndrome(entry.esr)]).toEqual([vector, { ec: 0x15, il: 1, iss: svc }]);
    expect(entry.spsr).toBe((mode | kept) >>> 0);
  });

  test("the stack pointer of the mode is selected, and each keeps its value", () => {
    const rig = new Rig();
    rig.start(rig.core, EL0, a64("add sp, sp, #0x10", "svc #0"));
    rig.run();
    expect([sp(rig.core, 0), sp(rig.core, 1)]).toEqual([BigInt(USER_STACK + 16), BigInt(KERNEL_STACK)]);
    rig.machine.stopReason = null;
    rig.start(
      rig.core,
      EL1T,
      a64("mov x1, sp", "add sp, sp, #0x10", "msr spsel, #1", "mov x2, sp", "svc #0"),
    );
    rig.run();
    expect([x(rig.core, 1), x(rig.core, 2)]).toEqual([BigInt(USER_STACK + 16), BigInt(KERNEL_STACK)]);
    expect([sp(rig.core, 0), sp(rig.core, 1)]).toEqual([BigInt(USER_STACK + 32), BigInt(KERNEL_STACK)]);
  });

  test("reserved bits of an SPSR are no state: UAO, BTYPE, TCO", () => {
    const rig = eret(EL0, USER_CODE);
    rig.core.writeSpsr(0xffff_ffff | 0);
    expect(rig.core.spsr >>> 0).toBe(0xf170_13df);
  });

  test("a tag in the return address goes where TCR_EL1.TBI says that there are tags", () => {
    const rig = new Rig();
    rig.put(USER_CODE, a64("svc #1"));
    setRegister(rig.core, "TCR_EL1", 0x35_b510_3510n);
    rig.start(rig.core, EL1H | DAIF, a64("eret"), FROM);
    rig.core.writeSpsr(EL0);
    rig.core.writeElr(USER_CODE, 0x5a00_0000);
    rig.run();
    expect(rig.entries[0]!.elr).toBe(BigInt(USER_CODE + 4));
  });
});

describe("a branch to an address with a tag", () => {
  test.each([
    ["svc #1", { ec: 0x15, elr: BigInt(USER_CODE + 0x104), far: 0n }],
    ["br x1", { ec: 0x22, elr: BigInt(USER_CODE + 0x202), far: BigInt(USER_CODE + 0x202) }],
    ["br x2", { ec: 0x20, elr: 0x9000n, far: 0x9000n }],
  ] as const)("leaves none in PC where TCR_EL1.TBI0 says that there are tags: %s", (text, expected) => {
    const rig = new Rig();
    setRegister(rig.core, "TCR_EL1", 0x35_b510_3510n);
    rig.put(USER_CODE + 0x100, a64(text));
    setX(rig.core, 0, 0x5a00_0000_0000_0000n + BigInt(USER_CODE + 0x100));
    setX(rig.core, 1, 0x7f00_0000_0000_0000n + BigInt(USER_CODE + 0x202));
    setX(rig.core, 2, 0xff00_0000_0000_9000n);
    rig.unmap(0x9000);
    rig.start(rig.core, EL0, a64("br x0"));
    rig.run();
    const { esr, elr, far } = rig.entries[0]!;
    expect({ ec: syndrome(esr).ec, elr, far: syndrome(esr).ec === 0x15 ? 0n : far }).toEqual(expected);
  });

  test("is a fault where there are none", () => {
    const rig = new Rig();
    setX(rig.core, 0, 0x5a00_0000_0000_0000n + BigInt(USER_CODE));
    rig.start(rig.core, EL0, a64("br x0"));
    rig.run();
    const { esr, elr, far } = rig.entries[0]!;
    const there = 0x5a00_0000_0000_0000n + BigInt(USER_CODE);
    expect([syndrome(esr).ec, elr, far]).toEqual([0x20, there, there]);
  });
});

describe("returns that are illegal", () => {
  test.each([
    ["EL0 with SP_EL1", 0x1],
    ["M[1] set", 0x2],
    ["M[1] set at EL1", 0x6],
    ["EL2 with SP_EL0", 0x8],
    ["EL2", 0x9],
    ["EL3", 0xd],
    ["AArch32 User", 0x10],
    ["AArch32 Supervisor", 0x13],
  ] as const)(
    "to %s: PC, NZCV and DAIF change, EL and SP do not, and the next instruction is refused",
    (_, mode) => {
      const rig = eret(mode | NZCV | SSBS | 0x40, KERNEL_CODE);
      const entry = rig.entries[0]!;
      expect(syndrome(entry.esr)).toEqual({ ec: 0x0e, il: 1, iss: 0 });
      expect(entry.elr).toBe(BigInt(KERNEL_CODE));
      expect(entry.vector).toBe(0x200);
      expect(entry.spsr).toBe((NZCV | SSBS | IL | 0x40 | EL1H) >>> 0);
      // An entry clears PSTATE.IL: the handler executes.
      expect(rig.core.mrsLo("DAIF")).toBe(DAIF);
    },
  );

  test("SPSR_EL1.IL makes the state illegal at any level, and a return from the exception restores it", () => {
    const rig = new Rig();
    rig.handler = () => (rig.entries.length < 3 ? "return" : "stop");
    rig.put(USER_CODE, a64("svc #1"));
    rig.start(rig.core, EL0 | IL, [], USER_CODE);
    rig.run();
    for (const entry of rig.entries) {
      expect([entry.vector, entry.elr, syndrome(entry.esr).ec]).toEqual([0x400, BigInt(USER_CODE), 0x0e]);
      expect(entry.spsr).toBe(EL0 | IL);
    }
    expect(rig.entries).toHaveLength(3);
  });

  test("PC alignment and Instruction Abort come first", () => {
    const misaligned = eret(0x9, KERNEL_CODE + 2).entries[0]!;
    expect([syndrome(misaligned.esr).ec, misaligned.far, misaligned.spsr & IL]).toEqual([
      0x22,
      BigInt(KERNEL_CODE + 2),
      IL,
    ]);
    const unmapped = eret(0x9, KERNEL_CODE, (rig) => rig.unmap(KERNEL_CODE + 0x1000)).entries[0]!;
    expect(syndrome(unmapped.esr).ec).toBe(0x0e);
    const abort = eret(0x9, KERNEL_CODE + 0x1000, (rig) => rig.unmap(KERNEL_CODE + 0x1000)).entries[0]!;
    expect([syndrome(abort.esr), abort.far, abort.spsr & IL]).toEqual([
      { ec: 0x21, il: 1, iss: 7 },
      BigInt(KERNEL_CODE + 0x1000),
      IL,
    ]);
  });
});

describe("what a return does besides", () => {
  test("it clears the local monitor; an exception entry alone does not", () => {
    const exclusive = a64("ldxr x1, [x0]", "svc #0", "stxr w2, x3, [x0]", "svc #1");
    const rig = new Rig();
    rig.handler = (core, entry) => {
      if ((entry.esr & 1) === 1) return "stop";
      expect(core.state[11]! & 1).toBe(1);
      return "return";
    };
    rig.core.gpr[0] = 0x3_0000;
    rig.start(rig.core, EL0, exclusive);
    rig.run();
    expect(x(rig.core, 2)).toBe(1n);
  });

  test.each([
    ["clrex", 1n],
    ["isb", 0n],
  ])("%s between the exclusives: the store's status is %d", (text, status) => {
    const rig = new Rig();
    setX(rig.core, 0, 0x3_0000);
    rig.start(rig.core, EL0, a64("ldxr x1, [x0]", text, "stxr w2, x3, [x0]", "svc #1"));
    rig.run();
    expect(x(rig.core, 2)).toBe(status);
  });

  test("it sets the event register", () => {
    const rig = new Rig();
    rig.start(rig.core, EL0, a64("wfe", "svc #0"));
    expect(rig.run()).toBe("stopped");
  });

  test("PSTATE.PAN of the SPSR decides about the next access", () => {
    const rig = new Rig();
    setRegister(rig.core, "SCTLR_EL1", SCTLR_ON);
    rig.core.gpr[0] = 0x3_0000;
    rig.start(rig.core, EL1H | PSTATE_PAN, a64("ldr x1, [x0]"));
    rig.run();
    expect(syndrome(rig.entries[0]!.esr)).toEqual({ ec: 0x25, il: 1, iss: 0x0f });
  });
});
