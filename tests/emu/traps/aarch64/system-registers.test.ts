/** MRS and MSR: who may access what, what is trapped, which bits exist. Arm ARM D24, the register of that name. */
import { describe, expect, test } from "vitest";
import { SYSTEM_REGISTERS, type SystemRegister } from "../../../../emu/frontends/aarch64/index.ts";
import {
  a64,
  DAIF,
  EL0,
  EL1H,
  EL1T,
  KERNEL_STACK,
  Rig,
  register,
  SCTLR_NO_EL0,
  SCTLR_ON,
  setRegister,
  setX,
  syndrome,
  USER_STACK,
  VECTORS,
  x,
} from "./rig.ts";

const CNTKCTL_ALL = 0x303n;
const SCTLR_UMA = 1n << 9n;

/**
 * Read and write each: d is done, u UNDEFINED, t trapped with class 0x18. At EL0 with SCTLR_EL1 and CNTKCTL_EL1 letting
 * nothing in, at EL0 with everything let in, at EL1.
 */
const EXPECTED: Readonly<Record<SystemRegister, readonly [string, string, string]>> = {
  ...each("uu uu dd", [
    "MDSCR_EL1",
    "OSDLR_EL1",
    "SCTLR_EL1",
    "ACTLR_EL1",
    "CPACR_EL1",
    "TTBR0_EL1",
    "TTBR1_EL1",
    "TCR_EL1",
    "SPSR_EL1",
    "ELR_EL1",
    "SP_EL0",
    "SPSel",
    "PAN",
    "ICC_PMR_EL1",
    "AFSR0_EL1",
    "AFSR1_EL1",
    "ESR_EL1",
    "FAR_EL1",
    "PAR_EL1",
    "MAIR_EL1",
    "AMAIR_EL1",
    "VBAR_EL1",
    "ICC_AP1R0_EL1",
    "ICC_BPR1_EL1",
    "ICC_CTLR_EL1",
    "ICC_SRE_EL1",
    "ICC_IGRPEN1_EL1",
    "CONTEXTIDR_EL1",
    "TPIDR_EL1",
    "CNTKCTL_EL1",
    "CSSELR_EL1",
  ]),
  ...each("uu uu du", [
    "OSLSR_EL1",
    "MIDR_EL1",
    "MPIDR_EL1",
    "REVIDR_EL1",
    "ID_AA64PFR0_EL1",
    "ID_AA64PFR1_EL1",
    "ID_AA64DFR0_EL1",
    "ID_AA64DFR1_EL1",
    "ID_AA64ISAR0_EL1",
    "ID_AA64ISAR1_EL1",
    "ID_AA64MMFR0_EL1",
    "ID_AA64MMFR1_EL1",
    "ID_AA64MMFR2_EL1",
    "CurrentEL",
    "ISR_EL1",
    "ICC_RPR_EL1",
    "ICC_IAR1_EL1",
    "ICC_HPPIR1_EL1",
    "CCSIDR_EL1",
    "CLIDR_EL1",
    "AIDR_EL1",
  ]),
  ...each("uu uu ud", [
    "OSLAR_EL1",
    "ICC_DIR_EL1",
    "ICC_SGI1R_EL1",
    "ICC_ASGI1R_EL1",
    "ICC_SGI0R_EL1",
    "ICC_EOIR1_EL1",
  ]),
  // Group 0 is firmware's; UAO and floating point are absent.
  ...each("uu uu uu", [
    "ICC_IAR0_EL1",
    "ICC_EOIR0_EL1",
    "ICC_HPPIR0_EL1",
    "ICC_BPR0_EL1",
    "ICC_AP0R0_EL1",
    "ICC_IGRPEN0_EL1",
    "UAO",
    "FPCR",
    "FPSR",
  ]),
  ...each("dd dd dd", ["NZCV", "DIT", "SSBS", "TPIDR_EL0"]),
  ...each("tt dd dd", [
    "DAIF",
    "CNTP_TVAL_EL0",
    "CNTP_CTL_EL0",
    "CNTP_CVAL_EL0",
    "CNTV_TVAL_EL0",
    "CNTV_CTL_EL0",
    "CNTV_CVAL_EL0",
  ]),
  ...each("tu du du", ["CTR_EL0", "CNTFRQ_EL0", "CNTPCT_EL0", "CNTVCT_EL0"]),
  ...each("du du du", ["DCZID_EL0"]),
  ...each("du du dd", ["TPIDRRO_EL0"]),
} as Record<SystemRegister, readonly [string, string, string]>;

function each(
  answers: string,
  names: readonly SystemRegister[],
): Partial<Record<SystemRegister, readonly [string, string, string]>> {
  const [shut, open, el1] = answers.split(" ") as [string, string, string];
  return Object.fromEntries(names.map((name) => [name, [shut, open, el1] as const]));
}

/** C6.2 "MRS", "MSR (register)": Rt is 3. */
function moves(encoding: string): { mrs: number; msr: number } {
  const [op0, op1, CRn, CRm, op2] = encoding.split(":").map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const fields = ((op0 - 2) << 19) | (op1 << 16) | (CRn << 12) | (CRm << 8) | (op2 << 5) | 3;
  return { mrs: 0xd530_0000 | fields, msr: 0xd510_0000 | fields };
}

/** The value that MSR writes: one that lets the machine go on. */
const WRITTEN: Readonly<Partial<Record<SystemRegister, bigint>>> = {
  SCTLR_EL1: SCTLR_NO_EL0,
  VBAR_EL1: BigInt(VECTORS),
};

function attempt(word: number, from: number, controls: "shut" | "open", written = 0n): string {
  const rig = new Rig();
  const isOpen = controls === "open";
  setRegister(rig.core, "SCTLR_EL1", isOpen ? SCTLR_ON | SCTLR_UMA : SCTLR_NO_EL0);
  setRegister(rig.core, "CNTKCTL_EL1", isOpen ? CNTKCTL_ALL : 0n);
  setX(rig.core, 3, written);
  const after = a64("svc #0x1234")[0]!;
  // Translation is off, so that tables may change.
  setRegister(rig.core, "SCTLR_EL1", register(rig.core, "SCTLR_EL1") & ~1n);
  rig.start(rig.core, from, [word, after]);
  rig.run();
  const { ec, iss } = syndrome(rig.entries.length === 0 ? rig.core.esr : rig.entries[0]!.esr);
  if (ec === 0x15 && iss === 0x1234) return "d";
  if (ec === 0) return "u";
  return ec === 0x18 ? "t" : `class ${ec}`;
}

describe("access", () => {
  test("every register is judged", () => {
    expect(Object.keys(EXPECTED).sort()).toEqual(SYSTEM_REGISTERS.map(([name]) => name).sort());
  });

  test.each(SYSTEM_REGISTERS.map(([name, encoding]) => [name, encoding] as const))("%s", (name, encoding) => {
    const { mrs, msr } = moves(encoding);
    const both = (from: number, controls: "shut" | "open"): string =>
      attempt(mrs, from, controls) + attempt(msr, from, controls, WRITTEN[name]);
    expect([both(EL0, "shut"), both(EL0, "open"), both(EL1H | DAIF, "open")]).toEqual(EXPECTED[name]);
  });

  test.each([
    ["mrs x5, ctr_el0", 0x32_c0a1],
    ["mrs x5, cntvct_el0", 0x34_f8a1],
    ["mrs x5, daif", 0x32_d0a5],
    ["msr daif, x5", 0x32_d0a4],
    ["msr daifset, #2", 0x0c_d3e4],
    ["msr daifclr, #15", 0x0e_d3fe],
  ])("%s at EL0, trapped, has the syndrome of its encoding", (text, iss) => {
    const rig = new Rig();
    setRegister(rig.core, "SCTLR_EL1", SCTLR_NO_EL0);
    rig.start(rig.core, EL0, a64(text));
    rig.run();
    expect(syndrome(rig.entries[0]!.esr)).toEqual({ ec: 0x18, il: 1, iss });
  });

  test.each([
    ["ID_PFR0_EL1, of AArch32", 1, 0],
    ["ID_AA64ZFR0_EL1", 4, 4],
    ["ID_AA64ISAR2_EL1", 6, 2],
    ["the last one", 7, 7],
  ])(
    "an identification register of no feature reads as zero at EL1, and is UNDEFINED at EL0: %s",
    (_, CRm, op2) => {
      const { mrs, msr } = moves(`3:0:0:${CRm}:${op2}`);
      expect([attempt(mrs, EL0, "open"), attempt(msr, EL1H | DAIF, "open")]).toEqual(["u", "u"]);
      const rig = new Rig();
      const [target] = a64("mrs x0, sp_el0");
      setX(rig.core, target! & 31, -1n);
      rig.start(rig.core, EL1H, [(mrs & ~31) | (target! & 31), ...a64("svc #0")]);
      rig.run();
      expect([syndrome(rig.entries[0]!.esr).ec, x(rig.core, target! & 31)]).toEqual([0x15, 0n]);
    },
  );

  test("beyond the space of identification registers nothing reads as zero", () => {
    for (const encoding of ["3:0:0:8:0", "3:0:0:0:3", "3:0:1:1:0"]) {
      expect(attempt(moves(encoding).mrs, EL1H | DAIF, "open")).toBe("u");
    }
  });

  test("SP_EL0 is no register while it is SP", () => {
    const rig = new Rig();
    rig.start(rig.core, EL1T, a64("mrs x0, sp_el0"));
    rig.run();
    expect(syndrome(rig.entries[0]!.esr).ec).toBe(0);
    rig.machine.stopReason = null;
    rig.start(rig.core, EL1H, a64("mrs x0, sp_el0", "mov x1, sp", "svc #0"));
    rig.run();
    expect([x(rig.core, 0), x(rig.core, 1)]).toEqual([BigInt(USER_STACK), BigInt(KERNEL_STACK)]);
  });
});

describe("values", () => {
  const ONES = (1n << 64n) - 1n;

  test.each([
    ["SCTLR_EL1", 0x0000_1000_34dd_db9fn],
    ["TCR_EL1", 0x0180_07f7_ffff_ffbfn],
    ["TTBR0_EL1", ONES - 1n],
    ["TTBR1_EL1", ONES - 1n],
    ["MAIR_EL1", ONES],
    ["VBAR_EL1", ONES - 0x7ffn],
    ["SPSR_EL1", 0xf170_13dfn],
    ["ELR_EL1", ONES],
    ["FAR_EL1", ONES],
    ["ESR_EL1", ONES],
    ["TPIDR_EL0", ONES],
    ["TPIDRRO_EL0", ONES],
    ["TPIDR_EL1", ONES],
    ["CONTEXTIDR_EL1", 0xffff_ffffn],
    ["CNTKCTL_EL1", 0x3ffn],
    ["CPACR_EL1", 0x30_0000n],
    ["ACTLR_EL1", 0n],
    ["DAIF", 0x3c0n],
    ["DIT", 0x100_0000n],
    ["SSBS", 0x1000n],
    ["PAN", 0x40_0000n],
  ] as const)("%s keeps the bits that exist", (name, value) => {
    const rig = new Rig();
    setRegister(rig.core, "SCTLR_EL1", 0n);
    setRegister(rig.core, name, ONES);
    expect(register(rig.core, name)).toBe(value);
  });

  test("RES1 bits of SCTLR_EL1 are 1 whatever is written, and reset leaves translation off", () => {
    const rig = new Rig();
    setRegister(rig.core, "SCTLR_EL1", 0n);
    expect(register(rig.core, "SCTLR_EL1")).toBe(0x3050_0980n);
    expect(register(new Rig({ cpus: 2 }).cores[1]!, "SCTLR_EL1") & 1n).toBe(1n);
  });

  /** Golden: the fields of D24.2, for the features of a core without FP, EL2, EL3, AArch32, UAO, VHE, RAS, PAuth. */
  test.each([
    ["MPIDR_EL1", 0x8000_0000n],
    ["ID_AA64PFR0_EL1", 0x1101_0000_01ff_0011n],
    ["ID_AA64PFR1_EL1", 0x20n],
    ["ID_AA64DFR0_EL1", 0xf0_0000_0006n],
    ["ID_AA64ISAR0_EL1", 0x0220_0000_0021_0000n],
    ["ID_AA64ISAR1_EL1", 0x10_0020_0001n],
    ["ID_AA64MMFR0_EL1", 0x10_0025n],
    ["ID_AA64MMFR1_EL1", 0x20_1002n],
    ["ID_AA64MMFR2_EL1", 0x1001_0000_0000_0000n],
    ["CTR_EL0", 0xb444_c004n],
    ["DCZID_EL0", 4n],
    ["CLIDR_EL1", 0n],
    ["CNTFRQ_EL0", 1_000_000_000n],
    ["OSLSR_EL1", 0xan],
  ] as const)("%s", (name, value) => {
    expect(register(new Rig().core, name)).toBe(value);
  });

  test("cores are told apart by Aff0 up to 16, then by Aff1", () => {
    const rig = new Rig({ cpus: 18 });
    const mpidrs = rig.cores.map((core) => register(core, "MPIDR_EL1"));
    expect(mpidrs[15]).toBe(0x8000_000fn);
    expect(mpidrs[16]).toBe(0x8000_0100n);
    expect(mpidrs[17]).toBe(0x8000_0101n);
    expect(new Set(mpidrs).size).toBe(18);
  });

  test("DCZID_EL0.DZP follows SCTLR_EL1.DZE at EL0 only", () => {
    const rig = new Rig();
    setRegister(rig.core, "SCTLR_EL1", SCTLR_NO_EL0);
    expect(register(rig.core, "DCZID_EL0")).toBe(4n);
    rig.start(rig.core, EL0, a64("mrs x0, dczid_el0", "svc #0"));
    rig.run();
    expect(x(rig.core, 0)).toBe(0x14n);
  });

  test("the OS Lock is set at reset and follows OSLAR_EL1", () => {
    const { core } = new Rig();
    setRegister(core, "OSLAR_EL1", 0n);
    expect(register(core, "OSLSR_EL1")).toBe(8n);
    setRegister(core, "OSLAR_EL1", 1n);
    expect(register(core, "OSLSR_EL1")).toBe(0xan);
  });
});

describe("MSR (immediate)", () => {
  test("DAIFSet and DAIFClr change the named masks", () => {
    const rig = new Rig();
    const code = a64("msr daifset, #5", "mrs x0, daif", "msr daifclr, #4", "mrs x1, daif", "svc #0");
    rig.start(rig.core, EL1H, code);
    rig.run();
    expect([x(rig.core, 0), x(rig.core, 1)]).toEqual([0x140n, 0x40n]);
  });

  test("DAIFSet at EL0 works under SCTLR_EL1.UMA", () => {
    const rig = new Rig();
    setRegister(rig.core, "SCTLR_EL1", SCTLR_ON | SCTLR_UMA);
    rig.start(rig.core, EL0, a64("msr daifset, #2", "mrs x0, daif", "svc #0"));
    rig.run();
    expect(x(rig.core, 0)).toBe(0x80n);
    expect(rig.entries[0]!.spsr & DAIF).toBe(0x80);
  });

  test.each([
    ["msr spsel, #0", "u"],
    ["msr pan, #1", "u"],
    ["msr uao, #1", "u"],
    ["msr dit, #1", "d"],
    ["msr ssbs, #1", "d"],
  ])("%s at EL0", (text, answer) => {
    expect(attempt(a64(text)[0]!, EL0, "open")).toBe(answer);
  });

  test("PAN, DIT and SSBS at EL1", () => {
    const rig = new Rig();
    const code = a64(
      "msr pan, #1",
      "mrs x0, pan",
      "msr pan, #0",
      "mrs x1, pan",
      "msr dit, #1",
      "mrs x2, dit",
    );
    rig.start(rig.core, EL1H, [...code, ...a64("msr ssbs, #1", "mrs x3, ssbs", "svc #0")]);
    rig.run();
    expect([0, 1, 2, 3].map((n) => x(rig.core, n))).toEqual([0x40_0000n, 0n, 0x100_0000n, 0x1000n]);
  });
});
