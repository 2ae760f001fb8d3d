/** DC, IC, AT and TLBI: who may execute them, what they do, how they fault. Arm ARM C5.3 to C5.5, D24.2.133 "PAR_EL1". */
import { describe, expect, test } from "vitest";
import {
  a64,
  DAIF,
  DEVICE_PAGE,
  EL0,
  EL1H,
  KERNEL_CODE,
  KERNEL_DATA,
  KERNEL_PAGE,
  PSTATE_PAN,
  Rig,
  register,
  SCTLR_NO_EL0,
  SCTLR_ON,
  setRegister,
  setX,
  syndrome,
  TABLE_3,
  USER_CODE,
  USER_DATA,
  USER_PAGE,
  USER_READ_ONLY,
} from "./rig.ts";

const UNMAPPED = 0x10_0000;
const CM = 0x100;
const WNR = 0x40;

/** Executes one instruction with an address in X0, then SVC: "done", or the class and ISS of the exception. */
function execute(text: string, from: number, address: number | bigint, setUp: (rig: Rig) => void = () => {}) {
  const rig = new Rig();
  setUp(rig);
  setX(rig.core, 0, address);
  rig.start(rig.core, from, a64(text, "svc #0x1234"));
  expect(rig.run()).toBe("stopped");
  const entry = rig.entries[0]!;
  const { ec, iss } = syndrome(entry.esr);
  return {
    rig,
    entry,
    answer: ec === 0x15 && iss === 0x1234 ? "done" : `${ec.toString(16)}:${iss.toString(16)}`,
  };
}

const shut = (rig: Rig): void => setRegister(rig.core, "SCTLR_EL1", SCTLR_NO_EL0);

describe("who may execute what", () => {
  /** At EL1; at EL0 with SCTLR_EL1.UCI and DZE; at EL0 without, where 18:… is a trap with the encoding's syndrome. */
  test.each([
    ["ic iallu", "done", "0:0", "0:0"],
    ["ic ialluis", "done", "0:0", "0:0"],
    ["ic ivau, x0", "done", "done", "18:12dc0a"],
    ["dc ivac, x0", "done", "0:0", "0:0"],
    ["dc isw, x0", "done", "0:0", "0:0"],
    ["dc csw, x0", "done", "0:0", "0:0"],
    ["dc cisw, x0", "done", "0:0", "0:0"],
    ["dc zva, x0", "done", "done", "18:12dc08"],
    ["dc cvac, x0", "done", "done", "18:12dc14"],
    ["dc cvau, x0", "done", "done", "18:12dc16"],
    ["dc cvap, x0", "done", "done", "18:12dc18"],
    ["dc civac, x0", "done", "done", "18:12dc1c"],
    ["at s1e1r, x0", "done", "0:0", "0:0"],
    ["at s1e0w, x0", "done", "0:0", "0:0"],
    ["tlbi vmalle1", "done", "0:0", "0:0"],
    ["tlbi vae1is, x0", "done", "0:0", "0:0"],
    ["tlbi rvae1is, x0", "done", "0:0", "0:0"],
    ["tlbi aside1os, x0", "done", "0:0", "0:0"],
    // Of EL2 and EL3, and of features that are absent.
    ["tlbi alle1", "0:0", "0:0", "0:0"],
    ["tlbi vae2is, x0", "0:0", "0:0", "0:0"],
    ["at s12e1r, x0", "0:0", "0:0", "0:0"],
    ["sys #3, c7, c3, #4, x0", "0:0", "0:0", "0:0"],
    ["sysl x0, #3, c7, c3, #4", "0:0", "0:0", "0:0"],
  ])("%s", (text, el1, open, closed) => {
    expect(execute(text, EL1H | DAIF, USER_DATA).answer).toBe(el1);
    expect(execute(text, EL0, USER_DATA).answer).toBe(open);
    expect(execute(text, EL0, USER_DATA, shut).answer).toBe(closed);
  });
});

describe("cache maintenance by address", () => {
  test("an unmapped address is a Data Abort with CM and WnR, whatever the instruction", () => {
    for (const text of ["dc cvac, x0", "dc civac, x0", "dc ivac, x0", "ic ivau, x0"]) {
      const { entry, answer } = execute(text, EL1H, UNMAPPED + 5, (rig) => rig.unmap(UNMAPPED));
      expect(answer).toBe(`25:${(CM | WNR | 7).toString(16)}`);
      expect([entry.far, entry.elr]).toEqual([BigInt(UNMAPPED + 5), BigInt(KERNEL_CODE)]);
    }
  });

  test("at EL0 it needs the right to read", () => {
    expect(execute("dc cvac, x0", EL0, KERNEL_DATA).answer).toBe(`24:${(CM | WNR | 0xf).toString(16)}`);
    expect(execute("dc cvac, x0", EL0, USER_DATA, (rig) => rig.map(USER_DATA, USER_READ_ONLY)).answer).toBe(
      "done",
    );
  });

  test("at EL1 PSTATE.PAN has no say, and DC IVAC needs the right to write", () => {
    expect(execute("dc cvac, x0", EL1H | PSTATE_PAN, USER_DATA).answer).toBe("done");
    expect(execute("dc ivac, x0", EL1H, KERNEL_CODE).answer).toBe(`25:${(CM | WNR | 0xf).toString(16)}`);
    expect(execute("dc cvac, x0", EL1H, KERNEL_CODE).answer).toBe("done");
  });
});

describe("DC ZVA", () => {
  test("clears the block of 64 bytes that holds the address", () => {
    const rig = new Rig();
    for (let at = 0; at < 256; at += 8) rig.write64(USER_DATA + at, -1n);
    setX(rig.core, 0, USER_DATA + 0x7d);
    rig.start(rig.core, EL0, a64("dc zva, x0", "svc #0"));
    rig.run();
    const words = Array.from({ length: 32 }, (_, i) => rig.read64(USER_DATA + i * 8) === 0n);
    expect(words.flatMap((isClear, i) => (isClear ? [i * 8] : []))).toEqual([
      64, 72, 80, 88, 96, 104, 112, 120,
    ]);
  });

  test("faults as a store, with the register as fault address", () => {
    const readOnly = execute("dc zva, x0", EL0, USER_DATA + 0x7d, (rig) =>
      rig.map(USER_DATA, USER_READ_ONLY),
    );
    expect(readOnly.answer).toBe(`24:${(WNR | 0xf).toString(16)}`);
    expect(readOnly.entry.far).toBe(BigInt(USER_DATA + 0x7d));
    const device = execute("dc zva, x0", EL1H, KERNEL_DATA, (rig) => rig.map(KERNEL_DATA, DEVICE_PAGE));
    expect(device.answer).toBe(`25:${(WNR | 0x21).toString(16)}`);
  });

  test("opens another core's exclusive monitor on the block", () => {
    const rig = new Rig({ cpus: 2 });
    const [first, second] = rig.cores as [(typeof rig.cores)[0], (typeof rig.cores)[0]];
    rig.handler = (core) => (core.id === 1 ? "stop" : "leave");
    for (const core of rig.cores) setX(core, 0, USER_DATA);
    setX(second, 3, 7);
    rig.start(
      second,
      EL0,
      a64("ldxr x1, [x0]", "wfe", "wfe", "stxr w2, x3, [x0]", "svc #0"),
      USER_CODE + 0x100,
    );
    first.charge(5000);
    rig.start(first, EL0, a64("dc zva, x0", "b ."));
    expect(rig.run(100_000)).toBe("stopped");
    expect(second.gpr[4]).toBe(1);
  });
});

describe("AT", () => {
  const ATTRIBUTES = 0xff00_0000_0000_0980n;

  test.each([
    ["at s1e1r, x0", KERNEL_DATA, KERNEL_PAGE, "ok"],
    ["at s1e1w, x0", KERNEL_DATA, KERNEL_PAGE, "ok"],
    ["at s1e1w, x0", KERNEL_DATA, KERNEL_PAGE | 0x80n, 0xf],
    ["at s1e0r, x0", KERNEL_DATA, KERNEL_PAGE, 0xf],
    ["at s1e0r, x0", KERNEL_DATA, USER_READ_ONLY, "ok"],
    ["at s1e0w, x0", KERNEL_DATA, USER_READ_ONLY, 0xf],
    ["at s1e0w, x0", KERNEL_DATA, USER_PAGE, "ok"],
    ["at s1e1r, x0", KERNEL_DATA, 0n, 7],
    ["at s1e1r, x0", KERNEL_DATA, KERNEL_PAGE & ~0x400n, 0xb],
  ] as const)("%s: PAR_EL1 of case %#", (text, address, flags, answer) => {
    const { rig, answer: how } = execute(text, EL1H | DAIF, address + 0x123, (rig) => {
      if (flags === 0n) rig.unmap(address);
      else rig.map(address, flags, 0x5_0000);
    });
    expect(how).toBe("done");
    const par = register(rig.core, "PAR_EL1");
    if (answer === "ok") expect(par).toBe(ATTRIBUTES | 0x5_0000n);
    else expect(par).toBe(BigInt(0x801 | (answer << 1)));
  });

  test("PSTATE.PAN decides about S1E1RP, not about S1E1R", () => {
    const par = (text: string): bigint =>
      register(execute(text, EL1H | PSTATE_PAN | DAIF, USER_DATA).rig.core, "PAR_EL1") & 1n;
    expect([par("at s1e1r, x0"), par("at s1e1rp, x0"), par("at s1e1wp, x0")]).toEqual([0n, 1n, 1n]);
  });

  test("a write's translation leaves the dirty state as it is", () => {
    // DBM set, AP[2] set: writable and clean, under TCR_EL1.HA and HD.
    const clean = KERNEL_PAGE | 0x80n | (1n << 51n);
    const { rig } = execute("at s1e1w, x0", EL1H, KERNEL_DATA, (rig) => {
      setRegister(rig.core, "TCR_EL1", 0x195_b510_3510n);
      rig.map(KERNEL_DATA, clean);
    });
    expect(register(rig.core, "PAR_EL1") & 1n).toBe(0n);
    expect(rig.read64(TABLE_3 + (KERNEL_DATA >>> 12) * 8)).toBe(BigInt(KERNEL_DATA) | clean);
  });

  test("Device memory is reported as Outer Shareable", () => {
    const { rig } = execute("at s1e1r, x0", EL1H, KERNEL_DATA, (rig) => rig.map(KERNEL_DATA, DEVICE_PAGE));
    expect(register(rig.core, "PAR_EL1")).toBe(BigInt(KERNEL_DATA) | 0x900n);
  });

  test("with stage 1 off an address is itself, Device-nGnRnE", () => {
    const { rig } = execute("at s1e1r, x0", EL1H, 0x1_2345_6789n, (rig) =>
      setRegister(rig.core, "SCTLR_EL1", SCTLR_ON & ~1n),
    );
    expect(register(rig.core, "PAR_EL1")).toBe(0x1_2345_6900n);
  });
});

describe("TLBI and barriers of one core", () => {
  /** Loads, changes the descriptor in memory, then does what is given, and loads again. */
  function afterChange(between: readonly string[]): bigint {
    const rig = new Rig();
    rig.write64(0x5_0000, 0x0ddn);
    rig.write64(KERNEL_DATA, 0x01dn);
    setX(rig.core, 0, KERNEL_DATA);
    setX(rig.core, 1, TABLE_3 + (KERNEL_DATA >>> 12) * 8);
    setX(rig.core, 2, BigInt(0x5_0000) | KERNEL_PAGE);
    setX(rig.core, 3, KERNEL_DATA >>> 12);
    rig.start(rig.core, EL1H | DAIF, [
      ...a64("ldr x4, [x0]", "str x2, [x1]", "dsb ishst"),
      ...a64(...between),
      ...a64("ldr x5, [x0]", "svc #0"),
    ]);
    rig.run();
    expect(rig.core.gpr[8]).toBe(0x01d);
    return BigInt(rig.core.gpr[10]!);
  }

  test.each([
    [["tlbi vae1is, x3", "dsb ish", "isb"], 0xddn],
    [["tlbi vale1, x3", "dsb nsh", "isb"], 0xddn],
    [["tlbi vaae1, x3", "dsb nsh", "isb"], 0xddn],
    [["tlbi vmalle1", "dsb nsh", "isb"], 0xddn],
    [["tlbi vmalle1is", "dsb ish", "isb"], 0xddn],
    // The entry is global, and another page's invalidation is not its own.
    [["tlbi aside1, xzr", "dsb nsh", "isb"], 0x1dn],
    [["tlbi vae1, xzr", "dsb nsh", "isb"], 0x1dn],
    [["nop", "isb"], 0x1dn],
  ] as const)("after %s", (between, value) => {
    expect(afterChange(between)).toBe(value);
  });
});
