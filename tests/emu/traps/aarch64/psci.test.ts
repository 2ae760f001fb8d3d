/** PSCI behind HVC and SMC. Arm DEN 0022, section 5; return codes 5.2.2. */
import { describe, expect, test } from "vitest";
import {
  a64,
  DAIF,
  EL0,
  EL1H,
  KERNEL_CODE,
  KERNEL_DATA,
  pc,
  Rig,
  register,
  setX,
  syndrome,
  VECTORS,
  x,
} from "./rig.ts";

const CPU_ON = 0xc400_0003;
const CPU_ON_32 = 0x8400_0003;
const CPU_OFF = 0x8400_0002;
const AFFINITY_INFO = 0xc400_0004;
const SYSTEM_OFF = 0x8400_0008;
const SYSTEM_RESET = 0x8400_0009;
const FEATURES = 0x8400_000a;
const SECOND = KERNEL_CODE + 0x100;

/** Calls with HVC or SMC on core 0, then stops; X0 afterwards. */
function call(rig: Rig, text: string, f: number, ...args: readonly (number | bigint)[]): bigint {
  setX(rig.core, 0, f);
  for (const [index, arg] of args.entries()) setX(rig.core, index + 1, arg);
  rig.machine.stopReason = null;
  rig.start(rig.core, EL1H | DAIF, a64(text, "svc #0"));
  rig.run();
  return BigInt.asIntN(64, x(rig.core, 0));
}

describe.each(["hvc #0", "smc #0"])("%s", (conduit) => {
  test.each([
    ["PSCI_VERSION", 0x8400_0000, [], 0x1_0001n],
    ["SMCCC_VERSION", 0x8000_0000, [], 0x1_0001n],
    ["MIGRATE_INFO_TYPE: no Trusted OS", 0x8400_0006, [], 2n],
    ["PSCI_FEATURES of CPU_ON", FEATURES, [CPU_ON], 0n],
    ["PSCI_FEATURES of CPU_SUSPEND: the original format of power states", FEATURES, [0xc400_0001], 0n],
    ["PSCI_FEATURES of CPU_FREEZE", FEATURES, [0x8400_000b], -1n],
    ["SMCCC_ARCH_FEATURES of SMCCC_VERSION", 0x8000_0001, [0x8000_0000], 0n],
    ["SMCCC_ARCH_FEATURES of SMCCC_ARCH_WORKAROUND_1", 0x8000_0001, [0x8000_8000], -1n],
    ["CPU_SUSPEND with reserved bits of the power state set", 0xc400_0001, [0x2_0000, 0, 0], -2n],
    ["a function that does not exist", 0x8400_0099, [], -1n],
    ["AFFINITY_INFO of the caller", AFFINITY_INFO, [0, 0], 0n],
    ["AFFINITY_INFO of a core that is off", AFFINITY_INFO, [1, 0], 1n],
    ["AFFINITY_INFO of no core", AFFINITY_INFO, [2, 0], -2n],
    ["AFFINITY_INFO above level 0", AFFINITY_INFO, [1, 1], -2n],
    ["CPU_ON of the caller", CPU_ON, [0, SECOND, 0], -4n],
    ["CPU_ON of no core", CPU_ON, [2, SECOND, 0], -2n],
    ["CPU_ON of no cluster", CPU_ON, [0x100, SECOND, 0], -2n],
    ["CPU_ON with RES0 bits of the affinity set", CPU_ON, [0x8000_0001n, SECOND, 0], -2n],
    ["CPU_ON at an address that is no instruction's", CPU_ON, [1, SECOND + 2, 0], -9n],
    ["CPU_ON outside memory", CPU_ON, [1, 0x1_0000_0000n, 0], -9n],
  ] as const)("%s", (_, f, args, answer) => {
    expect(call(new Rig({ cpus: 2 }), conduit, f, ...args)).toBe(answer);
  });

  test("is UNDEFINED at EL0", () => {
    const rig = new Rig();
    rig.start(rig.core, EL0, a64(conduit));
    rig.run();
    expect(syndrome(rig.entries[0]!.esr)).toEqual({ ec: 0, il: 1, iss: 0 });
  });
});

describe("CPU_ON", () => {
  /** The second core stores what it is called with and a mark, and stops the machine. */
  const CODE = [
    ...a64("mrs x1, mpidr_el1", "mrs x2, daif", "mrs x3, currentel", "mrs x4, sctlr_el1", "mrs x5, spsel"),
    ...a64("movz x6, #6, lsl #16", "msr vbar_el1, x6", "svc #7"),
  ];

  test("brings a core up at EL1h, with translation off, DAIF masked and the context in X0", () => {
    const rig = new Rig({ cpus: 2 });
    rig.handler = (core) => (core.id === 1 ? "stop" : "leave");
    rig.put(SECOND, CODE);
    const second = rig.cores[1]!;
    expect(second.isOn).toBe(false);
    setX(rig.core, 0, CPU_ON);
    setX(rig.core, 1, 1);
    setX(rig.core, 2, SECOND);
    setX(rig.core, 3, 0x1234_5678_9abcn);
    rig.start(rig.core, EL1H | DAIF, a64("hvc #0", "b ."));
    expect(rig.run(10_000)).toBe("stopped");
    expect(x(rig.core, 0)).toBe(0n);
    expect([0, 1, 2, 3, 4, 5].map((n) => x(second, n))).toEqual([
      0x1234_5678_9abcn,
      0x8000_0001n,
      0x3c0n,
      4n,
      0x30d0_0980n,
      1n,
    ]);
    const entry = rig.entries.at(-1)!;
    expect([entry.core, entry.vector, entry.elr]).toEqual([1, 0x200, BigInt(SECOND + CODE.length * 4)]);
    // It starts after the message has reached it.
    expect(second.clock).toBeGreaterThan(800);
  });

  test("of 32 bits takes the low halves", () => {
    const rig = new Rig({ cpus: 2 });
    expect(call(rig, "hvc #0", CPU_ON_32, 0xf_0000_0001n, 0xf_0000_0000n + BigInt(SECOND), -1n)).toBe(0n);
    expect(pc(rig.cores[1]!)).toBe(BigInt(SECOND));
    expect(x(rig.cores[1]!, 0)).toBe(0xffff_ffffn);
  });

  test("a core that is on already is refused, until it has turned itself off; then it starts afresh", () => {
    const rig = new Rig({ cpus: 2 });
    rig.handler = () => "stop";
    // Stays on.
    rig.put(SECOND, a64("b ."));
    expect(call(rig, "hvc #0", CPU_ON, 1, SECOND, 0)).toBe(0n);
    expect(call(rig, "hvc #0", CPU_ON, 1, SECOND, 0)).toBe(-4n);
    expect(call(rig, "hvc #0", AFFINITY_INFO, 1, 0)).toBe(0n);
    const second = rig.cores[1]!;
    setX(second, 20, 5);
    second.psci(CPU_OFF, [], []);
    expect([second.phase, second.isOn]).toEqual(["parked", false]);
    expect(call(rig, "hvc #0", AFFINITY_INFO, 1, 0)).toBe(1n);
    expect(call(rig, "hvc #0", CPU_ON, 1, SECOND, 9)).toBe(0n);
    expect([x(second, 0), x(second, 20), second.mrsLo("SCTLR_EL1") & 1]).toEqual([9n, 0n, 0]);
  });

  test("CPU_OFF does not return, and the machine goes on without the core", () => {
    const rig = new Rig({ cpus: 2 });
    rig.handler = (core) => (core.id === 0 ? "stop" : "leave");
    const second = rig.cores[1]!;
    setX(second, 0, CPU_OFF);
    rig.start(second, EL1H | DAIF, a64("hvc #0", "brk #0x7"), SECOND);
    setX(rig.core, 2, 3000);
    rig.start(rig.core, EL0, a64("sub x2, x2, #1", "cbnz x2, .-4", "svc #0"));
    expect(rig.run(100_000)).toBe("stopped");
    expect([second.isOn, second.retired]).toEqual([false, 1]);
    expect(rig.entries.map((entry) => entry.core)).toEqual([0]);
  });
});

describe("the whole machine", () => {
  test.each([
    [SYSTEM_OFF, "system off"],
    [SYSTEM_RESET, "system reset"],
  ] as const)("%i stops it", (f, text) => {
    const rig = new Rig();
    setX(rig.core, 0, f);
    rig.start(rig.core, EL1H | DAIF, a64("hvc #0", "b ."));
    expect(rig.run(10_000)).toBe(text);
    expect(rig.machine.stopReason).toMatchObject({ kind: "power-off", status: 0 });
  });

  test("a core that has been started keeps its own redistributor, and its entry code reaches its own registers", () => {
    const rig = new Rig({ cpus: 2 });
    rig.put(SECOND, a64("str x0, [x0]", "b ."));
    expect(call(rig, "hvc #0", CPU_ON, 1, SECOND, KERNEL_DATA)).toBe(0n);
    rig.machine.stopReason = null;
    rig.start(rig.core, EL1H | DAIF, a64("b ."));
    rig.run(5000);
    expect(rig.read64(KERNEL_DATA)).toBe(BigInt(KERNEL_DATA));
    expect(register(rig.core, "VBAR_EL1")).toBe(BigInt(VECTORS));
    expect(register(rig.cores[1]!, "VBAR_EL1")).toBe(0n);
  });
});

describe("CPU_SUSPEND", () => {
  test.each(["standby", "power-down"])(
    "sleeps until an interrupt is pending, and comes back with success: %s",
    (state) => {
      const rig = new Rig();
      setX(rig.core, 0, 0xc400_0001);
      setX(rig.core, 1, state === "standby" ? 0 : 0x1_0000);
      setX(rig.core, 2, SECOND);
      rig.core.writeRedistributor(0x1_0100, -1);
      rig.core.msr("ICC_IGRPEN1_EL1", 1, 0);
      rig.core.msr("CNTV_CVAL_EL0", 5000, 0);
      rig.core.msr("CNTV_CTL_EL0", 1, 0);
      rig.start(rig.core, EL1H | DAIF, a64("hvc #0", "svc #0"));
      rig.run();
      expect(rig.entries.map(({ esr }) => syndrome(esr).ec)).toEqual([0x15]);
      expect(x(rig.core, 0)).toBe(0n);
      expect(rig.core.clock).toBeGreaterThanOrEqual(15_000);
    },
  );
});
