/** What leaves the block: exceptions, helpers and their operands, alignment of PC and SP. */
import { expect, test } from "vitest";
import {
  aarch64Frontend,
  EC_BRK,
  EC_PC_ALIGNMENT,
  EC_SP_ALIGNMENT,
  EC_SVC,
  flagsOfNzcv,
  nzcvOfFlags,
  registerOffset,
  STATE_SP,
  STATE_SP_CHECK,
  STATE_TPIDR_EL0,
  SYSTEM_HELPERS,
  SYSTEM_REGISTERS,
  type SystemHelper,
  systemHelperName,
  systemRegister,
  systemRegisterId,
  trapClass,
  trapIss,
  trapNumber,
} from "../../../../emu/frontends/aarch64/index.ts";
import { STATE_FLAGS_A } from "../../../../emu/ir/index.ts";
import { REFERENCE } from "../../../exec/backend.ts";
import { emptyScene, mapPage, type Scene, viewOf } from "../../../exec/scene.ts";

const ENTRY = 0x40_0000;
const DATA = 0x50_0000n;
const X5 = 0x1234_5678_9abc_def0n;

function execute(
  words: readonly number[],
  setUp: (view: DataView) => void = () => {},
  options: { readonly pc?: number; readonly kernelText?: boolean } = {},
): { outcome: string; view: DataView } {
  const pc = options.pc ?? ENTRY;
  const code = new Uint8Array(words.length * 4);
  words.forEach((word, index) => {
    new DataView(code.buffer).setUint32(index * 4, word, true);
  });
  const liftOptions = { kernelText: options.kernelText ?? false, maxInstructions: 64 };
  const block = aarch64Frontend.lift({ lo: pc, hi: 0 }, code, 0, code.length, liftOptions)!;
  const scene: Scene = emptyScene(BigInt(pc));
  const view = viewOf(scene);
  view.setBigUint64(registerOffset(5), X5, true);
  view.setBigUint64(STATE_SP, DATA + 0x100n, true);
  view.setInt32(STATE_SP_CHECK, 15, true);
  mapPage(scene, DATA);
  setUp(view);
  const ending = REFERENCE.run(block, scene);
  return { outcome: ending.outcome.split(",")[0]!, view: viewOf(ending.scene) };
}

function helper(name: SystemHelper, a: bigint | number = 0, b: bigint | number = 0): string {
  return `helper 0x400004 ${SYSTEM_HELPERS[name]} 0x${a.toString(16)} 0x${b.toString(16)}`;
}

test.each([
  ["svc #5", 0xd400_00a1, `trap 0x400004 ${trapNumber(EC_SVC, 5)}`],
  ["brk #0x800", 0xd421_0000, `trap 0x400000 ${trapNumber(EC_BRK, 0x800)}`],
  ["hvc #1", 0xd400_0022, helper("HVC", 1)],
  ["smc #2", 0xd400_0043, helper("SMC", 2)],
  ["eret", 0xd69f_03e0, helper("ERET")],
  ["wfi", 0xd503_207f, helper("WFI")],
  ["wfe", 0xd503_205f, helper("WFE")],
  ["yield", 0xd503_203f, helper("YIELD")],
  ["dsb ish", 0xd503_3b9f, helper("DSB", 11)],
  ["isb", 0xd503_3fdf, helper("ISB")],
  ["clrex", 0xd503_3f5f, helper("CLREX")],
  ["msr daifset, #2", 0xd503_42df, helper("MSR_IMMEDIATE", 0o36, 2)],
  ["msr daifclr, #2", 0xd503_42ff, helper("MSR_IMMEDIATE", 0o37, 2)],
  ["msr spsel, #1", 0xd500_41bf, helper("MSR_IMMEDIATE", 0o05, 1)],
  ["msr pan, #1", 0xd500_419f, helper("MSR_IMMEDIATE", 0o04, 1)],
  ["msr ttbr0_el1, x5", 0xd518_2005, helper("MSR", systemRegisterId(3, 0, 2, 0, 0) | (5 << 16), X5)],
  ["mrs x5, esr_el1", 0xd538_5205, helper("MRS", systemRegisterId(3, 0, 5, 2, 0) | (5 << 16))],
  ["tlbi vae1is, x5", 0xd508_8325, helper("SYS", systemRegisterId(0, 0, 8, 3, 1) | (5 << 16), X5)],
  ["dc zva, x5", 0xd50b_7425, helper("SYS", systemRegisterId(0, 3, 7, 4, 1) | (5 << 16), X5)],
])("%s", (_, word, outcome) => {
  expect(execute([word]).outcome).toBe(outcome);
});

test("hints of absent features do not end a block", () => {
  // nop, paciasp, bti c, csdb, hint #127
  const hints = [0xd503_201f, 0xd503_233f, 0xd503_245f, 0xd503_229f, 0xd503_2fff];
  expect(execute(hints).outcome).toBe("jump 0x400014 next");
});

test("UDF enters the kernel in its text only", () => {
  expect(execute([0], undefined, { kernelText: true }).outcome).toBe(helper("KERNEL_ENTER"));
  const [kind, , trap] = execute([0]).outcome.split(" ");
  expect([kind, trapClass(Number(trap)), trapIss(Number(trap))]).toEqual(["trap", 0, 0]);
  expect(aarch64Frontend.undefinedMnemonic(Number(trap))).toBe("UDF");
});

test("an instruction at an address that is no multiple of 4 is a PC alignment fault", () => {
  const { outcome } = execute([0xd503_201f], undefined, { pc: ENTRY + 2 });
  expect(outcome).toBe(`trap 0x400002 ${trapNumber(EC_PC_ALIGNMENT, 0)}`);
});

test("SP as a base is checked if the control says so, and again after it has moved by less than 16", () => {
  const ldr = 0xf940_03e0;
  const misalign = (view: DataView): void => view.setBigUint64(STATE_SP, DATA + 0x108n, true);
  const fault = trapNumber(EC_SP_ALIGNMENT, 0);
  expect(execute([ldr], misalign).outcome).toBe(`trap 0x400000 ${fault}`);
  const unchecked = (view: DataView): void => {
    misalign(view);
    view.setInt32(STATE_SP_CHECK, 0, true);
  };
  expect(execute([ldr], unchecked).outcome).toBe("jump 0x400004 next");
  // add sp, sp, #8; add sp, sp, #16
  expect(execute([ldr, 0x9100_23ff, ldr]).outcome).toBe(`trap 0x400008 ${fault}`);
  expect(execute([ldr, 0x9100_43ff, ldr]).outcome).toBe("jump 0x40000c next");
  // ldr x0, [sp], #8
  expect(execute([0xf840_87e0, ldr]).outcome).toBe(`trap 0x400004 ${fault}`);
});

test("TPIDR_EL0 and NZCV are read and written in place", () => {
  const { view } = execute([0xd51b_d045, 0xd53b_d040]);
  expect(view.getBigUint64(STATE_TPIDR_EL0, true)).toBe(X5);
  expect(view.getBigUint64(registerOffset(0), true)).toBe(X5);
  // msr nzcv, x5; mrs x0, nzcv
  for (let nzcv = 0; nzcv < 16; nzcv++) {
    const set = (state: DataView): void =>
      state.setBigUint64(registerOffset(5), (BigInt(nzcv) << 28n) | 0xfff_ffffn, true);
    const after = execute([0xd51b_4205, 0xd53b_4200], set).view;
    expect(after.getBigUint64(registerOffset(0), true)).toBe(BigInt(nzcv) << 28n);
    expect(nzcvOfFlags(after.getInt32(STATE_FLAGS_A, true))).toBe(nzcv);
    expect(nzcvOfFlags(flagsOfNzcv(nzcv))).toBe(nzcv);
  }
});

test("system registers and helpers are listed once", () => {
  const ids = SYSTEM_REGISTERS.map(([, encoding]) => {
    const [op0, op1, CRn, CRm, op2] = encoding.split(":").map(Number);
    return systemRegisterId(op0!, op1!, CRn!, CRm!, op2!);
  });
  expect(new Set(ids).size).toBe(SYSTEM_REGISTERS.length);
  expect(systemRegister(ids[0]!)?.[0]).toBe(SYSTEM_REGISTERS[0][0]);
  expect(systemRegister(systemRegisterId(3, 7, 15, 15, 7))).toBeNull();
  for (const [name, number] of Object.entries(SYSTEM_HELPERS)) expect(systemHelperName(number)).toBe(name);
});
