/** Exceptions from EL0 and EL1: what the registers hold afterwards. Arm ARM D1.3, D24.2.40 "ESR_EL1". */
import { describe, expect, test } from "vitest";
import {
  a64,
  DAIF,
  DEVICE_PAGE,
  EL0,
  EL1H,
  EL1T,
  KERNEL_CODE,
  KERNEL_DATA,
  PSTATE_PAN,
  Rig,
  SCTLR_NO_EL0,
  SCTLR_ON,
  setRegister,
  setX,
  syndrome,
  USER_CODE,
  USER_DATA,
  USER_PAGE,
  USER_READ_ONLY,
  USER_STACK,
  VECTORS,
} from "./rig.ts";

const UNMAPPED = 0x10_0000;

interface Case {
  readonly name: string;
  /** SPSR of the state that executes the code. */
  readonly from: number;
  readonly code: readonly number[];
  readonly setUp?: (rig: Rig) => void;
  readonly ec: number;
  readonly iss: number;
  /** Offset of the preferred return address in the code. */
  readonly elr?: number;
  readonly far?: number | bigint;
}

const x0 =
  (value: number | bigint) =>
  (rig: Rig): void =>
    setX(rig.core, 0, value);

const TRANSLATION_L3 = 0x07;
const PERMISSION_L3 = 0x0f;
const ACCESS_FLAG_L3 = 0x0b;
const ALIGNMENT = 0x21;
const WNR = 0x40;

const CASES: readonly Case[] = [
  // From EL0
  { name: "SVC", from: EL0, code: a64("svc #0x1234"), ec: 0x15, iss: 0x1234, elr: 4 },
  { name: "BRK", from: EL0, code: a64("brk #0x7"), ec: 0x3c, iss: 7 },
  { name: "UDF", from: EL0, code: [0], ec: 0, iss: 0 },
  { name: "an unallocated encoding", from: EL0, code: [0xffff_ffff], ec: 0, iss: 0 },
  { name: "HVC", from: EL0, code: a64("hvc #0"), ec: 0, iss: 0 },
  { name: "SMC", from: EL0, code: a64("smc #0"), ec: 0, iss: 0 },
  { name: "HLT", from: EL0, code: a64("hlt #0"), ec: 0, iss: 0 },
  { name: "ERET", from: EL0, code: a64("eret"), ec: 0, iss: 0 },
  { name: "floating point", from: EL0, code: a64("fadd d0, d0, d0"), ec: 0, iss: 0 },
  {
    name: "a load of an unmapped page",
    from: EL0,
    code: a64("nop", "ldr x1, [x0]"),
    setUp: (rig) => {
      rig.unmap(UNMAPPED);
      setX(rig.core, 0, UNMAPPED + 8);
    },
    ec: 0x24,
    iss: TRANSLATION_L3,
    elr: 4,
    far: UNMAPPED + 8,
  },
  {
    name: "a store to an unmapped page",
    from: EL0,
    code: a64("str x1, [x0]"),
    setUp: (rig) => {
      rig.unmap(UNMAPPED);
      setX(rig.core, 0, UNMAPPED);
    },
    ec: 0x24,
    iss: TRANSLATION_L3 | WNR,
    far: UNMAPPED,
  },
  {
    name: "a load past level 2",
    from: EL0,
    code: a64("ldr x1, [x0]"),
    setUp: x0(0x4000_0000),
    ec: 0x24,
    iss: 0x05,
    far: 0x4000_0000,
  },
  {
    name: "a load past level 0",
    from: EL0,
    code: a64("ldr x1, [x0]"),
    setUp: x0(0x80_0000_0000),
    ec: 0x24,
    iss: 0x04,
    far: 0x80_0000_0000,
  },
  {
    name: "a load between the halves",
    from: EL0,
    code: a64("ldr x1, [x0]"),
    setUp: x0(0x1_0000_0000_0000n),
    ec: 0x24,
    iss: 0x04,
    far: 0x1_0000_0000_0000n,
  },
  {
    name: "a load of a kernel page",
    from: EL0,
    code: a64("ldr x1, [x0]"),
    setUp: x0(KERNEL_DATA),
    ec: 0x24,
    iss: PERMISSION_L3,
    far: KERNEL_DATA,
  },
  {
    name: "a store to a read-only page",
    from: EL0,
    code: a64("str x1, [x0]"),
    setUp: (rig) => {
      rig.map(USER_DATA, USER_READ_ONLY);
      setX(rig.core, 0, USER_DATA);
    },
    ec: 0x24,
    iss: PERMISSION_L3 | WNR,
    far: USER_DATA,
  },
  {
    name: "an atomic addition to a read-only page is a store's fault",
    from: EL0,
    code: a64("ldadd x1, x2, [x0]"),
    setUp: (rig) => {
      rig.map(USER_DATA, USER_READ_ONLY);
      setX(rig.core, 0, USER_DATA);
    },
    ec: 0x24,
    iss: PERMISSION_L3 | WNR,
    far: USER_DATA,
  },
  {
    name: "an atomic addition to a page without a right is a load's fault",
    from: EL0,
    code: a64("ldadd x1, x2, [x0]"),
    setUp: x0(KERNEL_DATA),
    ec: 0x24,
    iss: PERMISSION_L3,
    far: KERNEL_DATA,
  },
  {
    name: "an access flag that is 0",
    from: EL0,
    code: a64("ldr x1, [x0]"),
    setUp: (rig) => {
      rig.map(USER_DATA, USER_PAGE & ~0x400n);
      setX(rig.core, 0, USER_DATA);
    },
    ec: 0x24,
    iss: ACCESS_FLAG_L3,
    far: USER_DATA,
  },
  {
    name: "the second page of a load that crosses pages",
    from: EL0,
    code: a64("ldr x1, [x0]"),
    setUp: x0(USER_DATA + 0x2000 - 4),
    ec: 0x24,
    iss: PERMISSION_L3,
    far: USER_DATA + 0x2000,
  },
  {
    name: "an unaligned exclusive load",
    from: EL0,
    code: a64("ldxr x1, [x0]"),
    setUp: x0(USER_DATA + 4),
    ec: 0x24,
    iss: ALIGNMENT,
    far: USER_DATA + 4,
  },
  {
    name: "an unaligned exclusive load between the halves",
    from: EL0,
    code: a64("ldxr x1, [x0]"),
    setUp: x0(0x1_0000_0000_0001n),
    ec: 0x24,
    iss: ALIGNMENT,
    far: 0x1_0000_0000_0001n,
  },
  {
    name: "an unaligned exclusive load of an unmapped page",
    from: EL0,
    code: a64("ldxr x1, [x0]"),
    setUp: x0(0x4000_0002),
    ec: 0x24,
    iss: ALIGNMENT,
    far: 0x4000_0002,
  },
  {
    name: "a load across the end of the lower half",
    from: EL0,
    code: a64("ldr x1, [x0]"),
    setUp: x0(0xffff_ffff_fffcn),
    ec: 0x24,
    iss: 0x04,
    far: 0xffff_ffff_fffcn,
  },
  {
    name: "an unaligned store-release",
    from: EL0,
    code: a64("stlr x1, [x0]"),
    setUp: x0(USER_DATA + 1),
    ec: 0x24,
    iss: ALIGNMENT | WNR,
    far: USER_DATA + 1,
  },
  {
    name: "an unaligned load under SCTLR_EL1.A",
    from: EL0,
    code: a64("ldr x1, [x0]"),
    setUp: (rig) => {
      setRegister(rig.core, "SCTLR_EL1", SCTLR_ON | 2n);
      setX(rig.core, 0, USER_DATA + 2);
    },
    ec: 0x24,
    iss: ALIGNMENT,
    far: USER_DATA + 2,
  },
  {
    name: "a fetch from a page that is not mapped",
    from: EL0,
    code: a64("br x0"),
    setUp: (rig) => {
      rig.unmap(UNMAPPED);
      setX(rig.core, 0, UNMAPPED);
    },
    ec: 0x20,
    iss: TRANSLATION_L3,
    elr: UNMAPPED - USER_CODE,
    far: UNMAPPED,
  },
  {
    name: "a fetch from a page that EL0 may not execute",
    from: EL0,
    code: a64("br x0"),
    setUp: x0(KERNEL_CODE),
    ec: 0x20,
    iss: PERMISSION_L3,
    elr: KERNEL_CODE - USER_CODE,
    far: KERNEL_CODE,
  },
  {
    name: "a branch to an address that is no multiple of 4",
    from: EL0,
    code: a64("br x0"),
    setUp: x0(USER_CODE + 6),
    ec: 0x22,
    iss: 0,
    elr: 6,
    far: USER_CODE + 6,
  },
  {
    name: "a misaligned PC on an unmapped page is no Instruction Abort",
    from: EL0,
    code: a64("br x0"),
    setUp: (rig) => {
      rig.unmap(UNMAPPED);
      setX(rig.core, 0, UNMAPPED + 1);
    },
    ec: 0x22,
    iss: 0,
    elr: UNMAPPED + 1 - USER_CODE,
    far: UNMAPPED + 1,
  },
  {
    name: "a load by a misaligned SP",
    from: EL0,
    code: a64("ldr x1, [sp]"),
    setUp: (rig) => rig.core.writeSp(0, USER_STACK - 8, 0),
    ec: 0x26,
    iss: 0,
  },
  {
    name: "WFI that is not allowed",
    from: EL0,
    code: a64("wfi"),
    setUp: (rig) => setRegister(rig.core, "SCTLR_EL1", SCTLR_NO_EL0),
    ec: 0x01,
    iss: 0x1e0_0000,
  },
  {
    name: "WFE that is not allowed, with the event register clear",
    from: EL0,
    code: a64("wfe", "wfe"),
    setUp: (rig) => setRegister(rig.core, "SCTLR_EL1", SCTLR_NO_EL0),
    ec: 0x01,
    iss: 0x1e0_0001,
    // ERET sets the event register, which the first WFE clears.
    elr: 4,
  },
  // From EL1
  { name: "SVC", from: EL1H, code: a64("svc #0x1234"), ec: 0x15, iss: 0x1234, elr: 4 },
  { name: "SVC", from: EL1T, code: a64("svc #0x1234"), ec: 0x15, iss: 0x1234, elr: 4 },
  { name: "BRK", from: EL1H, code: a64("brk #0x7"), ec: 0x3c, iss: 7 },
  { name: "UDF outside kernel text", from: EL1H, code: [0], ec: 0, iss: 0 },
  {
    name: "a load of an unmapped page",
    from: EL1H,
    code: a64("ldr x1, [x0]"),
    setUp: (rig) => {
      rig.unmap(UNMAPPED);
      setX(rig.core, 0, UNMAPPED);
    },
    ec: 0x25,
    iss: TRANSLATION_L3,
    far: UNMAPPED,
  },
  {
    name: "a load of a user page under PSTATE.PAN",
    from: EL1H | PSTATE_PAN,
    code: a64("ldr x1, [x0]"),
    setUp: x0(USER_DATA),
    ec: 0x25,
    iss: PERMISSION_L3,
    far: USER_DATA,
  },
  {
    name: "an unprivileged load of a kernel page",
    from: EL1H,
    code: a64("ldtr x1, [x0]"),
    setUp: x0(KERNEL_DATA),
    ec: 0x25,
    iss: PERMISSION_L3,
    far: KERNEL_DATA,
  },
  {
    name: "an unaligned load of Device memory",
    from: EL1H,
    code: a64("ldr x1, [x0]"),
    setUp: (rig) => {
      rig.map(KERNEL_DATA, DEVICE_PAGE);
      setX(rig.core, 0, KERNEL_DATA + 4);
    },
    ec: 0x25,
    iss: ALIGNMENT,
    far: KERNEL_DATA + 4,
  },
  {
    name: "a fetch from a page that EL0 may write",
    from: EL1H,
    code: a64("br x0"),
    setUp: x0(USER_CODE),
    ec: 0x21,
    iss: PERMISSION_L3,
    elr: USER_CODE - KERNEL_CODE,
    far: USER_CODE,
  },
  {
    name: "a load by a misaligned SP",
    from: EL1H,
    code: a64("ldr x1, [sp]"),
    setUp: (rig) => rig.core.writeSp(1, USER_STACK - 8, 0),
    ec: 0x26,
    iss: 0,
  },
  {
    name: "a store with translation off past the physical address size",
    from: EL1H,
    code: a64("str x1, [x0]"),
    setUp: (rig) => {
      setRegister(rig.core, "SCTLR_EL1", 0n);
      setX(rig.core, 0, 1n << 48n);
    },
    ec: 0x25,
    iss: WNR,
    far: 1n << 48n,
  },
];

const OFFSETS: Readonly<Record<number, number>> = { [EL0]: 0x400, [EL1T]: 0, [EL1H]: 0x200 };
const NAMES: Readonly<Record<number, string>> = { [EL0]: "EL0", [EL1T]: "EL1t", [EL1H]: "EL1h" };

describe("synchronous exceptions", () => {
  test.each(CASES.map((each) => [NAMES[each.from & 0xf]!, each.name, each] as const))(
    "%s: %s",
    (_, __, each) => {
      const rig = new Rig();
      each.setUp?.(rig);
      const base = (each.from & 0xf) === EL0 ? USER_CODE : KERNEL_CODE;
      rig.start(rig.core, each.from | 0x6000_0000, each.code);
      expect(rig.run()).toBe("stopped");
      const entry = rig.entries[0]!;
      expect(syndrome(entry.esr)).toEqual({ ec: each.ec, il: 1, iss: each.iss });
      expect(entry.vector).toBe(OFFSETS[each.from & 0xf]);
      expect(entry.elr).toBe(BigInt(base + (each.elr ?? 0)));
      if (each.far !== undefined) expect(entry.far).toBe(BigInt(each.far));
      // NZCV as it was; the rest of PSTATE is what the manual says of an entry.
      expect(entry.spsr).toBe(each.from | 0x6000_0000);
      expect([entry.currentEl, entry.spsel, entry.daif]).toEqual([1, 1, DAIF]);
    },
  );

  test("PSTATE.PAN is set by an entry if SCTLR_EL1.SPAN is 0, and stays as it is otherwise", () => {
    for (const [span, before, after] of [
      [0, 0, PSTATE_PAN],
      [1, 0, 0],
      [1, PSTATE_PAN, PSTATE_PAN],
    ] as const) {
      const rig = new Rig();
      setRegister(rig.core, "SCTLR_EL1", span === 1 ? SCTLR_ON : SCTLR_ON & ~(1n << 23n));
      rig.start(rig.core, EL1H | before, a64("svc #0"));
      rig.run();
      expect(rig.entries[0]!.pan).toBe(after);
      expect(rig.entries[0]!.spsr & PSTATE_PAN).toBe(before);
      // And it decides about the next access.
      setX(rig.core, 0, USER_DATA);
      expect(rig.core.mmu.pan).toBe(after === 0 ? 0 : 1);
    }
  });

  test("SSBS follows SCTLR_EL1.DSSBS, DIT stays", () => {
    const rig = new Rig();
    const ssbs = 0x1000;
    const dit = 0x100_0000;
    rig.start(rig.core, EL0 | ssbs | dit, a64("svc #0"));
    rig.run();
    expect(rig.entries[0]!.spsr).toBe(ssbs | dit);
    expect(rig.core.mrsLo("SSBS")).toBe(0);
    expect(rig.core.mrsLo("DIT")).toBe(dit);
    setRegister(rig.core, "SCTLR_EL1", SCTLR_ON | (1n << 44n));
    rig.machine.stopReason = null;
    rig.start(rig.core, EL0, a64("svc #0"));
    rig.run();
    expect(rig.core.mrsLo("SSBS")).toBe(ssbs);
  });

  test("an exception in the handler is taken from EL1 with SP_EL1", () => {
    const rig = new Rig();
    rig.handler = (core, entry) => {
      if (rig.entries.length > 1) return "stop";
      expect(entry.vector).toBe(0x400);
      rig.put(KERNEL_CODE, a64("svc #2"));
      core.setKernelPc(KERNEL_CODE, 0);
      core.phase = "execute";
      return "leave";
    };
    rig.start(rig.core, EL0, a64("svc #1"));
    expect(rig.run()).toBe("stopped");
    expect(rig.entries.map((entry) => [entry.vector, entry.esr & 0xffff, entry.spsr])).toEqual([
      [0x400, 1, EL0],
      [0x200, 2, EL1H | DAIF],
    ]);
  });

  test("undefined instructions are counted by mnemonic", () => {
    const rig = new Rig();
    rig.start(rig.core, EL0, a64("fadd d0, d0, d0"));
    rig.run();
    const { frontend } = rig.machine.model;
    const names = [...rig.core.undefinedCounts].map(([trap, times]) => [
      frontend.undefinedMnemonic(trap),
      times,
    ]);
    expect(names).toEqual([["FADD", 1]]);
  });

  test("a system register that does not exist is UNDEFINED, and counted by its encoding", () => {
    const rig = new Rig();
    rig.start(rig.core, EL1H, a64("mrs x0, s3_0_c15_c2_0"));
    rig.run();
    expect(syndrome(rig.entries[0]!.esr)).toEqual({ ec: 0, il: 1, iss: 0 });
    expect([...rig.core.unknownRegisterCounts]).toEqual([[0xc790, 1]]);
  });

  test("a stub of kernel text enters the kernel at EL1 only", () => {
    const rig = new Rig();
    // Executable at both levels: PXN is 0.
    rig.map(VECTORS, USER_READ_ONLY & ~(1n << 53n));
    rig.start(rig.core, EL0, [], VECTORS + 0x800);
    rig.run();
    expect(syndrome(rig.entries[0]!.esr)).toEqual({ ec: 0, il: 1, iss: 0 });
    expect(rig.entries[0]!.elr).toBe(BigInt(VECTORS + 0x800));
  });

  test("a vector that is not mapped stops the machine with the registers", () => {
    const rig = new Rig();
    setRegister(rig.core, "VBAR_EL1", BigInt(UNMAPPED));
    rig.unmap(UNMAPPED);
    rig.start(rig.core, EL0, a64("svc #0"));
    expect(rig.run(50)).toMatch(
      /^core 0 takes an exception for ever at its vector 0x100200\ncore 0, clock \d+\nPC: 0000000000100200/,
    );
    expect(rig.machine.stopReason!.kind).toBe("triple-fault");
    expect(rig.entries).toEqual([]);
    expect(rig.core.farLo).toBe(UNMAPPED + 0x200);
  });
});
