import { describe, expect, test } from "vitest";
import { SIGNAL_FRAME_BYTES } from "../../../../kernel/arch/arm64/signal-frame.ts";
import { addImmediate, call, mov64, movz, ret, str, svc, type Word } from "./support/a64.ts";
import { fact } from "./support/facts.ts";
import { CODE, DATA, ProgramRun, xOf } from "./support/program.ts";

const SYS_EXIT_GROUP = 94;
const SYS_KILL = 129;
const SYS_RT_SIGACTION = 134;
const SYS_RT_SIGRETURN = 139;
const SIGUSR1 = 10n;
const SA_SIGINFO = 4n;
const SA_RESTORER = 0x0400_0000n;
const MARK = 1000;
const EXIT = call(SYS_EXIT_GROUP, 0n);

const CONTEXT = BigInt(fact("rt_sigframe.uc") + fact("ucontext.uc_mcontext"));
const PC_AT = CONTEXT + BigInt(fact("sigcontext.pc"));
const PSTATE_AT = CONTEXT + BigInt(fact("sigcontext.pstate"));
const RESERVED_AT = CONTEXT + BigInt(fact("sigcontext.__reserved"));

/** Stores a constant. Uses X9 and X10. */
function store(address: bigint, value: bigint): Word[] {
  return [...mov64(9, address), ...mov64(10, value), str(10, 9)];
}

/** rt_sigreturn with SP at an address. */
function sigreturnAt(sp: bigint): Word[] {
  return [...mov64(9, sp), addImmediate(31, 9, 0), movz(8, SYS_RT_SIGRETURN), svc(0)];
}

/** A program that raises SIGUSR1, whose handler marks the place with a call and returns. */
function handled(flags: bigint, restorer: bigint): Word[] {
  const handlerAt = CODE + 8n;
  const prologue = [movz(7, 0), 0x1400_0000 | 4, movz(8, MARK), svc(0), ret()];
  return [
    ...prologue,
    ...store(DATA, handlerAt),
    ...store(DATA + 8n, flags),
    ...store(DATA + 16n, restorer),
    ...call(SYS_RT_SIGACTION, SIGUSR1, DATA, 0n, 8n),
    ...mov64(29, 0x2929n),
    ...mov64(30, 0x3030n),
    ...call(SYS_KILL, 1n, SIGUSR1),
    movz(8, MARK + 1),
    svc(0),
    ...EXIT,
  ];
}

describe("a handler", () => {
  test("without SA_RESTORER returns through the vDSO's trampoline, and everything is as it was", () => {
    const run = new ProgramRun(handled(SA_SIGINFO, 0n));
    expect(run.run()).toBe(0);
    const inside = run.frameOf(MARK);
    const after = run.frameOf(MARK + 1);
    const sp = inside.bytes.getBigUint64(0xf8, true);
    const before = after.bytes.getBigUint64(0xf8, true);
    expect(sp % 16n).toBe(0n);
    expect(sp).toBe(((before - 16n) & ~15n) - BigInt(SIGNAL_FRAME_BYTES));
    expect(xOf(inside, 0)).toBe(SIGUSR1);
    expect(xOf(inside, 1)).toBe(sp);
    expect(xOf(inside, 2)).toBe(sp + BigInt(fact("rt_sigframe.uc")));
    expect(xOf(inside, 29)).toBe(sp + BigInt(SIGNAL_FRAME_BYTES));
    const trampoline = xOf(inside, 30);
    expect(trampoline % 4096n).toBe(0n);
    expect(run.frameOf(SYS_RT_SIGRETURN).bytes.getBigUint64(0x100, true)).toBe(trampoline + 8n);
    expect(xOf(after, 0)).toBe(0n);
    expect([xOf(after, 29), xOf(after, 30)]).toEqual([0x2929n, 0x3030n]);
    expect(run.signals).toEqual([]);
    expect(run.kernel.reports).toEqual([]);
  });

  test("with SA_RESTORER returns to the restorer, and without SA_SIGINFO has its number alone", () => {
    const run = new ProgramRun(handled(SA_RESTORER, 0x1234_5678n));
    run.run();
    const inside = run.frameOf(MARK);
    expect(xOf(inside, 30)).toBe(0x1234_5678n);
    expect([xOf(inside, 0), xOf(inside, 1), xOf(inside, 2)]).toEqual([SIGUSR1, SIGUSR1, 0n]);
  });
});

describe("rt_sigreturn", () => {
  /** Where a good frame leads. */
  const code = (frame: readonly Word[]): Word[] => [
    movz(7, 0),
    0x1400_0000 | (1 + 2 + EXIT.length),
    movz(8, MARK),
    svc(0),
    ...EXIT,
    ...frame,
  ];
  const target = CODE + 8n;
  const good = [...store(DATA + PC_AT, target), ...store(DATA + CONTEXT + 8n + 5n * 8n, 0x5555n)];

  test("takes registers from any frame that is well-formed", () => {
    const run = new ProgramRun(code([...good, ...sigreturnAt(DATA)]));
    expect(run.run()).toBe(0);
    expect(xOf(run.frameOf(MARK), 5)).toBe(0x5555n);
    expect(run.signals).toEqual([]);
  });

  test("drops bits of PSTATE that mean nothing to user mode, and keeps flags and SSBS", () => {
    const pstate = 0xffff_ffff_0000_0000n | 0x9000_1000n | 0x00f0_0000n | 0x0c0f_e020n;
    const run = new ProgramRun(code([...good, ...store(DATA + PSTATE_AT, pstate), ...sigreturnAt(DATA)]));
    expect(run.run()).toBe(0);
    expect(run.frameOf(MARK).bytes.getBigUint64(0x108, true)).toBe(0x9000_1000n);
  });

  test("passes over a syndrome and ends at the terminator", () => {
    const record = store(DATA + RESERVED_AT, (16n << 32n) | BigInt(fact("ESR_MAGIC")));
    const run = new ProgramRun(code([...good, ...record, ...sigreturnAt(DATA)]));
    expect(run.run()).toBe(0);
    expect(run.signals).toEqual([]);
  });

  const record = (magic: bigint, size: bigint): Word[] => store(DATA + RESERVED_AT, (size << 32n) | magic);
  const BAD: readonly [name: string, words: Word[], sp: bigint][] = [
    ["EL1", store(DATA + PSTATE_AT, 5n), DATA],
    ["AArch32", store(DATA + PSTATE_AT, 0x10n), DATA],
    ["interrupts masked", store(DATA + PSTATE_AT, 0x80n), DATA],
    ["debug exceptions masked", store(DATA + PSTATE_AT, 0x200n), DATA],
    ["a stack pointer that is not aligned", [], DATA + 8n],
    ["a frame whose registers lie past its mapping", [], DATA + 0x1f00n],
    ["a terminator with a size", record(0n, 16n), DATA],
    ["floating-point registers, which there are none", record(BigInt(fact("FPSIMD_MAGIC")), 528n), DATA],
    ["a record that nobody knows", record(0x1234n, 16n), DATA],
    ["a record longer than the area", record(BigInt(fact("ESR_MAGIC")), 4112n), DATA],
    ["a record of no length", record(BigInt(fact("ESR_MAGIC")), 0n), DATA],
    ["a record whose end is not aligned", record(BigInt(fact("ESR_MAGIC")), 24n), DATA],
    ["an extension that is too short", record(BigInt(fact("EXTRA_MAGIC")), 16n), DATA],
    ["an extension that leads elsewhere", record(BigInt(fact("EXTRA_MAGIC")), 32n), DATA],
  ];

  test.each(BAD)("refuses %s: SIGSEGV at the stack pointer", (_name, words, sp) => {
    const run = new ProgramRun(code([...good, ...words, ...sigreturnAt(sp)]));
    expect(run.run()).toBe(128 + 11);
    const signal = run.signals.at(-1)!;
    expect([signal.signo, signal.code, signal.error]).toEqual([11, 2, 0]);
    expect(run.log.some((line) => line.includes("unhandled exception: illegal memory access"))).toBe(true);
    expect(run.kernel.reports).toEqual([]);
  });

  test("takes an extension that follows its terminator, with a terminator of its own", () => {
    const at = DATA + RESERVED_AT;
    const extra = [
      ...store(at, (32n << 32n) | BigInt(fact("EXTRA_MAGIC"))),
      ...store(at + BigInt(fact("extra_context.datap")), at + 48n),
      ...store(at + BigInt(fact("extra_context.size")), 16n),
    ];
    const run = new ProgramRun(code([...good, ...extra, ...sigreturnAt(DATA)]));
    expect(run.run()).toBe(0);
    expect(run.signals).toEqual([]);
  });
});
