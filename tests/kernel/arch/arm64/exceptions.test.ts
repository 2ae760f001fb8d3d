import { describe, expect, test } from "vitest";
import { processOf } from "../../../../kernel/tasks/process-state.ts";
import {
  addImmediate,
  br,
  brk,
  call,
  hvc,
  ldr,
  ldxr,
  mov64,
  movz,
  mrs,
  msrDaifSet,
  NOP,
  str,
  svc,
  UDF,
  WFE,
  WFI,
  type Word,
} from "./support/a64.ts";
import { CODE, DATA, ProgramRun, xOf } from "./support/program.ts";

const MARK = 1000;
const EXIT = call(94, 0n);

interface Case {
  readonly name: string;
  /** The last instruction is the one that takes the exception. */
  readonly code: readonly Word[];
  readonly signo: number;
  readonly siCode: number;
  /** Absent: the address of that instruction. */
  readonly address?: bigint;
  /** What the signal frame's syndrome record would hold; 0: it has none. */
  readonly esr: number;
  readonly text: string;
}

const SIGILL = { signo: 4, siCode: 1, esr: 0, text: "undefined instruction" };
const SP_PC = { signo: 7, siCode: 1, text: "SP/PC alignment exception" };

const CASES: readonly Case[] = [
  { ...SIGILL, name: "UDF", code: [UDF] },
  { ...SIGILL, name: "HVC", code: [hvc(0)] },
  { ...SIGILL, name: "MRS of a register of EL1", code: [mrs(0, 3, 0, 2, 0, 0)] },
  { ...SIGILL, name: "MRS of a counter that CNTKCTL_EL1 keeps", code: [mrs(0, 3, 3, 14, 0, 1)] },
  { ...SIGILL, name: "MSR DAIFSet", code: [msrDaifSet(2)] },
  { ...SIGILL, name: "a floating-point instruction", code: [0x1e604000] },
  {
    name: "BRK",
    code: [NOP, brk(0x42)],
    signo: 5,
    siCode: 1,
    esr: 0,
    text: "User debug trap",
  },
  {
    ...SP_PC,
    name: "a load through a misaligned SP",
    code: [...mov64(0, DATA + 8n), addImmediate(31, 0, 0), ldr(1, 31)],
    address: DATA + 8n,
    esr: 0x9a00_0000,
  },
  {
    ...SP_PC,
    name: "a misaligned PC",
    code: [...mov64(0, CODE + 2n), br(0)],
    address: CODE + 2n,
    esr: 0x8a00_0000,
  },
  {
    name: "an exclusive load that is not aligned",
    code: [...mov64(0, DATA + 4n), ldxr(1, 0)],
    signo: 7,
    siCode: 1,
    address: DATA + 4n,
    esr: 0x9200_0021,
    text: "alignment fault",
  },
  {
    name: "a load where nothing is",
    code: [...mov64(1, 0x18n), ldr(0, 1)],
    signo: 11,
    siCode: 1,
    address: 0x18n,
    esr: 0x9200_0006,
    text: "level 2 translation fault",
  },
  {
    name: "a store through a tagged pointer where nothing is",
    code: [...mov64(1, 0x5a00_0000_0000_0018n), str(0, 1)],
    signo: 11,
    siCode: 1,
    address: 0x18n,
    esr: 0x9200_0046,
    text: "level 2 translation fault",
  },
  {
    name: "a store to code",
    code: [...mov64(1, CODE), str(0, 1)],
    signo: 11,
    siCode: 2,
    address: CODE,
    esr: 0x9200_004f,
    text: "level 3 permission fault",
  },
  {
    name: "a jump to data",
    code: [...mov64(1, DATA), ldr(0, 1), br(1)],
    signo: 11,
    siCode: 2,
    address: DATA,
    esr: 0x8200_000f,
    text: "level 3 permission fault",
  },
  {
    name: "a store to the kernel's half, of which user code is told nothing",
    code: [...mov64(1, 0xffff_0000_0010_0000n), str(0, 1)],
    signo: 11,
    siCode: 1,
    address: 0xffff_0000_0010_0000n,
    esr: 0x9200_0044,
    text: "level 0 translation fault",
  },
];

describe("exceptions from user mode become signals", () => {
  test.each(CASES)("$name", ({ code, signo, siCode, address, esr, text }) => {
    const run = new ProgramRun(code);
    expect(run.run()).toBe(128 + signo);
    expect(run.signals).toHaveLength(1);
    const signal = run.signals[0]!;
    const at = address ?? CODE + BigInt((code.length - 1) * 4);
    expect([signal.signo, signal.code]).toEqual([signo, siCode]);
    expect(BigInt.asUintN(64, (BigInt(signal.hi) << 32n) | BigInt(signal.lo >>> 0))).toBe(at);
    expect(signal.error >>> 0).toBe(esr);
    expect(signal.frame.bytes.getInt32(0x118, true)).toBe(-1);
    const line = run.log.find((each) => each.includes("unhandled exception"))!;
    expect(line).toMatch(/^program\[1\]: unhandled exception: /);
    expect(line).toContain(text);
    const syndrome = `ESR 0x${esr.toString(16).padStart(16, "0")}`;
    expect(line.includes(syndrome)).toBe(esr !== 0);
    expect(run.log).toContain(`pc : ${pcOf(run)}`);
  });
});

function pcOf(run: ProgramRun): string {
  return run.signals[0]!.frame.bytes.getBigUint64(0x100, true).toString(16).padStart(16, "0");
}

test("the report of a fatal fault has the form of arm64: one line, registers in threes", () => {
  const run = new ProgramRun([...mov64(29, 0x1234n), ...mov64(1, CODE), str(0, 1)]);
  run.run();
  const at = run.log.findIndex((line) => line.includes("unhandled exception"));
  const report = run.log.slice(at, at + 16);
  expect(report[0]).toBe(
    "program[1]: unhandled exception: DABT (lower EL), ESR 0x000000009200004f, level 3 permission fault" +
      " in program[1020,400000+1000]",
  );
  expect(report[1]).toBe("CPU: 0 PID: 1 Comm: program Not tainted");
  expect(report[2]).toBe("pc : 0000000000400020");
  expect(report[3]).toBe("lr : 0000000000000000");
  expect(report[4]).toBe("pstate: 00001000 (nzcv daif -PAN -UAO -TCO -DIT +SSBS BTYPE=--)");
  expect(report[5]).toMatch(/^sp : 0000ffff[0-9a-f]{8}$/);
  expect(report[6]).toBe("x29: 0000000000001234 x28: 0000000000000000 x27: 0000000000000000");
  expect(report[15]).toBe("x2 : 0000000000000000 x1 : 0000000000400000 x0 : 0000000000000000");
});

test("a breakpoint leaves the record of the last fault alone, an undefined instruction empties it", () => {
  // SIGSEGV is blocked and ignored by nobody: the handler steps over the load, then BRK, then UDF.
  const run = new ProgramRun([UDF]);
  const records: [number, number][] = [];
  const { process } = run.kernel;
  const force = process.forceSignal.bind(process);
  process.forceSignal = (k, signal) => {
    const { fault } = processOf(k.task!);
    fault.error = 77;
    fault.addressLo = 99;
    force(k, { ...signal, addressKind: "unrecorded" });
    records.push([fault.error, fault.addressLo]);
    force(k, { ...signal, addressKind: "none", error: 0 });
    records.push([fault.error, fault.addressLo]);
  };
  run.run();
  expect(records).toEqual([
    [77, 99],
    [0, 0],
  ]);
});

test("instructions that the kernel does for user code: WFI, WFE and the identification registers", () => {
  const run = new ProgramRun([
    WFI,
    WFE,
    mrs(1, 3, 0, 0, 0, 0),
    mrs(2, 3, 0, 0, 0, 5),
    mrs(3, 3, 0, 0, 0, 6),
    mrs(4, 3, 0, 0, 4, 0),
    mrs(5, 3, 0, 0, 6, 0),
    mrs(6, 3, 0, 0, 7, 0),
    mrs(7, 3, 0, 0, 4, 4),
    mrs(31, 3, 0, 0, 4, 0),
    movz(8, MARK),
    svc(0),
    ...EXIT,
  ]);
  expect(run.run()).toBe(0);
  expect(run.signals).toEqual([]);
  const frame = run.frameOf(MARK);
  expect(xOf(frame, 1)).toBe(0x000f_fa00n);
  expect(xOf(frame, 2)).toBe(0x8000_0000n);
  expect(xOf(frame, 3)).toBe(0n);
  // EL0, EL1: AArch64; FP and AdvSIMD: none; DIT. The GIC and what protects from speculation are hidden.
  expect(xOf(frame, 4)).toBe(0x0001_0000_00ff_0011n);
  // Atomic, CRC32; TS. TLB is hidden.
  expect(xOf(frame, 5)).toBe(0x0020_0000_0021_0000n);
  expect(xOf(frame, 6)).toBe(0xff00_0000n);
  expect(xOf(frame, 7)).toBe(0n);
});

test("a tagged pointer is good for loads, stores and calls about mappings, and for no call that accesses memory", () => {
  const tag = 0x5a00_0000_0000_0000n;
  const calls: [number, Word[], bigint][] = [
    [MARK + 1, call(64, 1n, DATA + tag, 8n), -14n],
    [MARK + 2, call(226, DATA + tag, 4096n, 3n), 0n],
    [MARK + 3, call(233, DATA + 4096n + tag, 4096n, 4n), 0n],
    [MARK + 4, call(222, DATA + tag, 4096n, 3n, 0x32n, 0xffff_ffff_ffff_ffffn, 0n), -12n],
    [MARK + 5, call(215, DATA + 4096n + tag, 4096n), 0n],
  ];
  const run = new ProgramRun([
    ...mov64(1, DATA + tag),
    ...mov64(2, 0x1122_3344_5566_7788n),
    str(2, 1),
    ...mov64(3, DATA),
    ldr(4, 3),
    movz(8, MARK),
    svc(0),
    ...calls.flatMap(([mark, words]) => [...words, movz(8, mark), svc(0)]),
    ...EXIT,
  ]);
  expect(run.run()).toBe(0);
  expect(xOf(run.frameOf(MARK), 4)).toBe(0x1122_3344_5566_7788n);
  for (const [mark, , result] of calls) {
    expect(BigInt.asIntN(64, xOf(run.frameOf(mark), 0))).toBe(result);
  }
});
