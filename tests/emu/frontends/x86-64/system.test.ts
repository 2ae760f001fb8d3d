/** System instructions: what is checked in IR, and what the helpers are handed. Expectations: Intel SDM Vol. 2. */
import { expect, test } from "vitest";
import { evaluate, type Outcome } from "../../../../emu/backends/reference/index.ts";
import {
  CR4_FSGSBASE,
  CR4_LA57,
  CR4_PKE,
  CR4_UMIP,
  createX86Frontend,
  RFLAGS_AC,
  RFLAGS_DF,
  RFLAGS_IF,
  RFLAGS_IOPL,
  RFLAGS_TF,
  STATE_CPL,
  STATE_CR0,
  STATE_CR3,
  STATE_CR4,
  STATE_EFER,
  STATE_FS_BASE,
  STATE_GS_BASE,
  STATE_IDTR,
  STATE_INTERRUPT_SHADOW,
  STATE_KERNEL_GS_BASE,
  STATE_PKRU,
  STATE_SYSTEM_FLAGS,
  STATE_TSC_AUX,
  systemHelperName,
  TABLE_LIMIT,
  trapVector,
  x86Frontend,
} from "../../../../emu/frontends/x86-64/index.ts";
import { FlatMachine } from "./flat-machine.ts";
import { fromHex } from "./hex.ts";
import { DATA, inputsOf } from "./results.ts";

const PC = { lo: 0x40_1000, hi: 0 };
const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RSP = 4;
const R11 = 11;
const HERE = DATA + 64n;
const STACK = DATA + 0x100n;

/** A machine with pointers in RBX and RSP, zero elsewhere. @param cpl 0 or 3 */
function machineAt(cpl: number, registers: Readonly<Record<number, bigint>> = {}): FlatMachine {
  const all = new Map<number, bigint>(Array.from({ length: 16 }, (_, number) => [number, 0n]));
  all.set(RBX, HERE).set(RSP, STACK);
  for (const [number, value] of Object.entries(registers)) all.set(Number(number), value);
  const machine = new FlatMachine({ ...inputsOf(1, all), flags: 0 });
  machine.state.setInt32(STATE_CPL, cpl, true);
  machine.state.setInt32(STATE_SYSTEM_FLAGS, 2 | RFLAGS_IF, true);
  machine.state.setBigUint64(STATE_CR4, 0n, true);
  return machine;
}

function execute(machine: FlatMachine, hex: string, frontend: typeof x86Frontend = x86Frontend): Outcome {
  const bytes = fromHex(hex);
  return evaluate(
    frontend.lift(PC, bytes, 0, bytes.length, { kernelText: false, maxInstructions: 1 })!,
    machine,
  );
}

/** `NAME a b`, `#vector`, or how the block ended. */
function describe(outcome: Outcome): string {
  if (outcome.kind === "helper") {
    return `${systemHelperName(outcome.helper)} ${outcome.a.toString(16)} ${outcome.b.toString(16)}`;
  }
  return outcome.kind === "trap" ? `#${trapVector(outcome.trap)}` : outcome.kind;
}

const r = (number: number, value: bigint): Record<number, bigint> => ({ [number]: value });

const HELPERS: readonly (readonly [
  what: string,
  hex: string,
  registers: Record<number, bigint>,
  expected: string,
])[] = [
  ["hlt", "f4", {}, "HLT 0 0"],
  ["mov cr3,rax", "0f22d8", r(RAX, 0x5000n), "WRITE_CR 5000 3"],
  ["mov cr8,rax", "440f22c0", r(RAX, 3n), "WRITE_CR 3 8"],
  ["mov dr7,rcx", "0f23f9", r(RCX, 0x400n), "WRITE_DR 400 7"],
  ["mov rcx,dr6", "0f21f1", {}, "READ_DR 106 0"],
  ["invlpg [rbx+8]", "0f017b08", {}, `INVLPG ${(HERE + 8n).toString(16)} 0`],
  ["rdmsr", "0f32", {}, "RDMSR 0 0"],
  ["wrmsr", "0f30", {}, "WRMSR 0 0"],
  ["ltr ax", "0f00d8", r(RAX, 0x1_0040n), "LTR 40 0"],
  ["lldt ax", "0f00d0", r(RAX, 0x48n), "LLDT 48 0"],
  ["lmsw ax", "0f01f0", r(RAX, 0xffn), "LMSW ff 0"],
  ["iretq", "48cf", {}, "IRET 40 0"],
  ["sysretq", "480f07", {}, "SYSRET 40 0"],
  ["sysret", "0f07", {}, "SYSRET 20 0"],
];

test.each(HELPERS)("%s at CPL 0 calls its helper", (_what, hex, registers, expected) => {
  expect(describe(execute(machineAt(0, registers), hex))).toBe(expected);
});

const FOR_ALL: readonly (readonly [
  what: string,
  hex: string,
  registers: Record<number, bigint>,
  expected: string,
])[] = [
  ["int 0x80", "cd80", {}, "SOFTWARE_INTERRUPT 80 0"],
  ["int3", "cc", {}, "SOFTWARE_INTERRUPT 3 0"],
  ["cpuid", "0fa2", {}, "CPUID 0 0"],
  ["rdtsc", "0f31", {}, "RDTSC 0 0"],
  ["pause", "f390", {}, "PAUSE 0 0"],
  ["mov ds,ax", "8ed8", r(RAX, 0x2bn), "LOAD_SEGMENT 3 2b"],
  ["mov ss,ax", "8ed0", r(RAX, 0x2bn), "LOAD_SEGMENT 2 2b"],
  ["pop fs", "0fa1", {}, "POP_SEGMENT 804 0"],
  ["lar rax,cx", "480f02c1", r(RCX, 0x33n), "LAR 33 4000"],
  ["verr cx", "0f00e1", r(RCX, 0x33n), "VERR 33 0"],
  ["in al,dx", "ec", r(RDX, 0x3f8n), "IN 3f8 8"],
  ["out 0x80,eax", "e780", r(RAX, 7n), "OUT 200080 7"],
  ["rep outsb", "f36e", {}, "STRING_IO 400108 1"],
  ["retf 8", "ca0800", {}, "FAR_RETURN 20 8"],
];

test.each(FOR_ALL)("%s calls its helper at any CPL", (_what, hex, registers, expected) => {
  expect(describe(execute(machineAt(3, registers), hex))).toBe(expected);
});

const PRIVILEGED =
  "f4 0f22d8 0f20d8 0f23f9 0f21f1 0f017b08 0f32 0f30 0f00d8 0f00d0 0f01f0 0f06 0f01f8 0f0113 0f011b 0f08 0f09";

test.each(PRIVILEGED.split(" "))("%s is #GP(0) at CPL 3 and changes nothing", (hex) => {
  const machine = machineAt(3);
  const before = machine.bytes.slice(64, 512);
  expect(describe(execute(machine, hex))).toBe("#13");
  expect(machine.bytes.slice(64, 512)).toEqual(before);
});

test("STAC and CLAC are #UD outside CPL 0 and change AC there", () => {
  expect(describe(execute(machineAt(3), "0f01cb"))).toBe("#6");
  const machine = machineAt(0);
  expect(describe(execute(machine, "0f01cb"))).toBe("FLAGS_CHANGED 0 0");
  expect(machine.flags & RFLAGS_AC).toBe(RFLAGS_AC);
  execute(machine, "0f01ca");
  expect(machine.flags & RFLAGS_AC).toBe(0);
});

test.each([
  [3, 0, "#13", RFLAGS_IF],
  [3, 3, "jump", 0],
  [0, 0, "jump", 0],
])("CLI at CPL %i with IOPL %i: %s", (cpl, iopl, expected, left) => {
  const machine = machineAt(cpl);
  machine.state.setInt32(STATE_SYSTEM_FLAGS, 2 | RFLAGS_IF | (iopl << 12), true);
  expect(describe(execute(machine, "fa"))).toBe(expected);
  expect(machine.flags & RFLAGS_IF).toBe(left);
});

test("STI opens the interrupt shadow only if IF was clear", () => {
  for (const wasSet of [0, RFLAGS_IF]) {
    const machine = machineAt(0);
    machine.state.setInt32(STATE_SYSTEM_FLAGS, 2 | wasSet, true);
    machine.state.setInt32(STATE_INTERRUPT_SHADOW, 0, true);
    expect(describe(execute(machine, "fb"))).toBe("FLAGS_CHANGED 0 0");
    expect(machine.flags & RFLAGS_IF).toBe(RFLAGS_IF);
    expect(machine.state.getInt32(STATE_INTERRUPT_SHADOW, true)).toBe(wasSet === 0 ? 1 : 0);
  }
});

/** [CPL, IOPL, what POPFQ may change besides the status flags] */
const POPF: readonly (readonly [number, number, number])[] = [
  [0, 0, RFLAGS_IF | RFLAGS_IOPL],
  [3, 0, 0],
  [3, 3, RFLAGS_IF],
];

test.each(POPF)("POPFQ at CPL %i with IOPL %i changes what the manual lets it", (cpl, iopl, allowed) => {
  const always = RFLAGS_TF | RFLAGS_DF | RFLAGS_AC | 0x4000 | 0x20_0000;
  const before = 2 | (iopl << 12);
  for (const image of [0, 0xff_ffff]) {
    const machine = machineAt(cpl);
    machine.state.setInt32(STATE_SYSTEM_FLAGS, before, true);
    machine.data[0x100] = image & 0xff;
    machine.data[0x101] = (image >> 8) & 0xff;
    machine.data[0x102] = (image >> 16) & 0xff;
    expect(describe(execute(machine, "9d"))).toBe("FLAGS_CHANGED 0 0");
    const mask = always | allowed | 0x8d5;
    expect(machine.flags >>> 0).toBe(((before & ~mask) | (image & mask)) >>> 0);
    expect(machine.register(RSP)).toBe(STACK + 8n);
  }
});

test("SYSCALL saves RIP and RFLAGS, and is #UD without EFER.SCE", () => {
  const machine = machineAt(3);
  expect(describe(execute(machine, "0f05"))).toBe("SYSCALL 0 0");
  expect(machine.register(RCX)).toBe(0x40_1002n);
  expect(machine.register(R11)).toBe(0x202n);
  machine.state.setBigUint64(STATE_EFER, 0n, true);
  expect(describe(execute(machine, "0f05"))).toBe("#6");
});

test("SWAPGS exchanges the GS bases", () => {
  const machine = machineAt(0);
  machine.state.setBigUint64(STATE_GS_BASE, 1n, true);
  machine.state.setBigUint64(STATE_KERNEL_GS_BASE, 2n, true);
  expect(execute(machine, "0f01f8").kind).toBe("jump");
  expect(machine.state.getBigUint64(STATE_GS_BASE, true)).toBe(2n);
  expect(machine.state.getBigUint64(STATE_KERNEL_GS_BASE, true)).toBe(1n);
});

test("MOV from a control register reads its slot", () => {
  const machine = machineAt(0);
  machine.state.setBigUint64(STATE_CR3, 0x1234_5000n, true);
  expect(execute(machine, "0f20d8").kind).toBe("jump");
  expect(machine.register(RAX)).toBe(0x1234_5000n);
});

test("control registers that do not exist are #UD", () => {
  for (const hex of ["0f20c8", "0f22e8", "440f20c8", "440f21c0"])
    expect(describe(execute(machineAt(0), hex))).toBe("#6");
});

test("LGDT and SIDT move a 16-bit limit and a 64-bit base", () => {
  const machine = machineAt(0);
  machine.data.set([0x7f, 0, 1, 2, 3, 4, 5, 6, 7, 8], 64);
  expect(describe(execute(machine, "0f0113"))).toBe("LGDT 7f 807060504030201");
  machine.state.setBigUint64(STATE_IDTR, 0xffff_8000_0000_0000n, true);
  machine.state.setInt32(STATE_IDTR + TABLE_LIMIT, 0xfff, true);
  expect(execute(machine, "0f010b").kind).toBe("jump");
  expect([...machine.data.slice(64, 74)]).toEqual([0xff, 0x0f, 0, 0, 0, 0, 0, 0x80, 0xff, 0xff]);
});

test("SGDT, SIDT, SLDT, SMSW and STR are #GP outside CPL 0 with CR4.UMIP", () => {
  for (const hex of ["0f0103", "0f010b", "0f0003", "0f0123", "0f000b"]) {
    expect(execute(machineAt(3), hex).kind).toBe("jump");
    const machine = machineAt(3);
    machine.state.setBigUint64(STATE_CR4, BigInt(CR4_UMIP), true);
    expect(describe(execute(machine, hex))).toBe("#13");
    machine.state.setInt32(STATE_CPL, 0, true);
    expect(execute(machine, hex).kind).toBe("jump");
  }
});

test("INVPCID checks type and reserved bits", () => {
  const machine = machineAt(0, { [RAX]: 1n });
  machine.data.set([0x05, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x10], 64);
  expect(describe(execute(machine, "660f388203"))).toBe("INVPCID 1000 1005");
  machine.data[65] = 0x10;
  expect(describe(execute(machine, "660f388203"))).toBe("#13");
  expect(describe(execute(machineAt(0, { [RAX]: 4n }), "660f388203"))).toBe("#13");
  expect(describe(execute(machineAt(3, { [RAX]: 1n }), "660f388203"))).toBe("#13");
});

test("RDPKRU and WRPKRU need CR4.PKE and zero in ECX, WRPKRU in EDX too", () => {
  const rdpkru = "0f01ee";
  const wrpkru = "0f01ef";
  expect(describe(execute(machineAt(3), rdpkru))).toBe("#6");
  const enabled = (registers: Record<number, bigint>): FlatMachine => {
    const machine = machineAt(3, registers);
    machine.state.setBigUint64(STATE_CR4, BigInt(CR4_PKE), true);
    machine.state.setInt32(STATE_PKRU, 0x5555_5554, true);
    return machine;
  };
  const machine = enabled({ [RDX]: 9n });
  expect(execute(machine, rdpkru).kind).toBe("jump");
  expect([machine.register(RAX), machine.register(RDX)]).toEqual([0x5555_5554n, 0n]);
  expect(describe(execute(enabled({ [RCX]: 1n }), rdpkru))).toBe("#13");
  expect(describe(execute(enabled({ [RAX]: 0xcn }), wrpkru))).toBe("WRPKRU c 0");
  expect(describe(execute(enabled({ [RDX]: 1n }), wrpkru))).toBe("#13");
});

test("RDFSBASE and WRFSBASE need CR4.FSGSBASE", () => {
  expect(describe(execute(machineAt(3), "f3480faec0"))).toBe("#6");
  const machine = machineAt(3, { [RCX]: 0x1234n });
  machine.state.setBigUint64(STATE_CR4, BigInt(CR4_FSGSBASE), true);
  machine.state.setBigUint64(STATE_FS_BASE, 0x7fff_1234_5678n, true);
  expect(execute(machine, "f3480faec0").kind).toBe("jump");
  expect(machine.register(RAX)).toBe(0x7fff_1234_5678n);
  expect(describe(execute(machine, "f3480faed1"))).toBe("WRITE_BASE 1234 4");
});

test("RDPID reads TSC_AUX", () => {
  const machine = machineAt(3);
  machine.state.setInt32(STATE_TSC_AUX, 5, true);
  execute(machine, "f30fc7f8");
  expect(machine.register(RAX)).toBe(5n);
});

test("an FS override adds the base after the address is truncated", () => {
  const machine = machineAt(3, { [RCX]: 0x1_0000_0000n });
  machine.state.setBigUint64(STATE_FS_BASE, HERE, true);
  machine.data.set([1, 2, 3, 4], 64);
  execute(machine, "64678b01");
  expect(machine.register(RAX)).toBe(0x0403_0201n);
});

test("an indirect branch tests its target against 48 or 57 bits, as CR4.LA57 or the machine says", () => {
  const target = 1n << 50n;
  const jump = "ffe0";
  const la57 = machineAt(3, { [RAX]: target });
  la57.state.setBigUint64(STATE_CR4, BigInt(CR4_LA57), true);
  expect(execute(la57, jump)).toMatchObject({ kind: "indirect", pc: target });
  expect(describe(execute(machineAt(3, { [RAX]: target }), jump))).toBe("#13");
  expect(describe(execute(machineAt(3, { [RAX]: target }), jump, createX86Frontend(48)))).toBe("#13");
  expect(execute(machineAt(3, { [RAX]: target }), jump, createX86Frontend(57)).kind).toBe("indirect");
  for (const edge of [(1n << 47n) - 1n, (1n << 64n) - (1n << 47n)]) {
    expect(execute(machineAt(3, { [RAX]: edge }), jump).kind).toBe("indirect");
  }
  for (const edge of [1n << 47n, (1n << 64n) - (1n << 47n) - 1n]) {
    expect(describe(execute(machineAt(3, { [RAX]: edge }), jump))).toBe("#13");
  }
});

test("CLTS and WAIT: #NM with TS and MP only", () => {
  const machine = machineAt(0);
  machine.state.setBigUint64(STATE_CR0, 0x8000_000an, true);
  expect(describe(execute(machine, "9b"))).toBe("#7");
  execute(machine, "0f06");
  expect(machine.state.getBigUint64(STATE_CR0, true)).toBe(0x8000_0002n);
  expect(execute(machine, "9b").kind).toBe("jump");
});
