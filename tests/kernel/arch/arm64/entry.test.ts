import { expect, test } from "vitest";
import type { Aarch64Cpu } from "../../../../emu/hardware.ts";
import { DIRECT_MAP_HI } from "../../../../kernel/arch/arm64/boot.ts";
import { REGS_BYTES } from "../../../../kernel/arch/arm64/pt-regs.ts";
import { STUB_IDLE, stubLo, TEXT_HI } from "../../../../kernel/arch/arm64/stubs.ts";
import { call, cmpRegister, mov64, movRegister, movz, svc, type Word } from "./support/a64.ts";
import { CODE, DATA, ProgramRun, type SeenFrame, xOf } from "./support/program.ts";

const SYS_EXIT_GROUP = 94;
const SYS_NANOSLEEP = 101;
const SYS_GETPID = 172;
/** Calls that do not exist: -ENOSYS, and a frame that the test looks at. */
const MARK = 1000;
const SSBS = 0x1000n;

const EXIT = call(SYS_EXIT_GROUP, 0n);
const pattern = (number: number): bigint => 0xa1b2_0000_c3d4_0000n + BigInt(number) * 0x1_0001n;

/** X0 … X30 with patterns but for X8; then the call. */
function marked(number: number): Word[] {
  const words: Word[] = [];
  for (let register = 0; register <= 30; register++) {
    if (register !== 8) words.push(...mov64(register, pattern(register)));
  }
  return [...words, movz(8, number), svc(0)];
}

const word = (frame: SeenFrame, offset: number): bigint => frame.bytes.getBigUint64(offset, true);

test("a system call finds pt_regs at the top of the stack; it gets X0 and keeps every other register", () => {
  const first = [movz(0, 1), cmpRegister(0, 0), ...marked(MARK)];
  const run = new ProgramRun([...first, movz(8, MARK + 1), svc(0x123), ...EXIT]);
  expect(run.run()).toBe(0);
  const frame = run.frameOf(MARK);
  expect(frame.at).toBe(frame.stackTop - REGS_BYTES);
  for (let register = 0; register <= 30; register++) {
    expect(xOf(frame, register)).toBe(register === 8 ? BigInt(MARK) : pattern(register));
  }
  expect(word(frame, 0x100)).toBe(CODE + BigInt(first.length * 4));
  // Equal: Z and C.
  expect(word(frame, 0x108)).toBe(0x6000_0000n | SSBS);
  expect(word(frame, 0x110)).toBe(pattern(0));
  expect(frame.bytes.getInt32(0x118, true)).toBe(MARK);
  expect([word(frame, 0x130), word(frame, 0x138)]).toEqual([0n, 0n]);
  const second = run.frameOf(MARK + 1);
  expect(BigInt.asIntN(64, xOf(second, 0))).toBe(-38n);
  for (let register = 1; register <= 30; register++) {
    if (register !== 8) expect(xOf(second, register)).toBe(pattern(register));
  }
  for (const offset of [0xf8, 0x108]) expect(word(second, offset)).toBe(word(frame, offset));
  expect(run.kernel.reports).toEqual([]);
});

test("the number of a call is an int: the upper half of X8 does not count", () => {
  const run = new ProgramRun([
    ...mov64(8, 0x7_0000_0000n + BigInt(SYS_GETPID)),
    svc(0),
    movz(8, MARK),
    svc(0),
    ...EXIT,
  ]);
  expect(run.run()).toBe(0);
  expect(xOf(run.frameOf(MARK), 0)).toBe(1n);
});

test("a negative number of a call is no call", () => {
  const run = new ProgramRun([...mov64(8, 0xffff_ffff_ffff_fffen), svc(0), movz(8, MARK), svc(0), ...EXIT]);
  expect(run.run()).toBe(0);
  expect(BigInt.asIntN(64, xOf(run.frameOf(MARK), 0))).toBe(-38n);
});

test("a program starts with its stack pointer, its entry, no other register and no thread pointer", () => {
  // MRS X1, TPIDR_EL0 and X2, TPIDRRO_EL0, before anything else is changed but X8.
  const run = new ProgramRun([
    movz(8, MARK),
    svc(0),
    0xd53bd041,
    0xd53bd062,
    movz(8, MARK + 1),
    svc(0),
    ...EXIT,
  ]);
  expect(run.run()).toBe(0);
  const frame = run.frameOf(MARK);
  for (let register = 0; register <= 30; register++) {
    if (register !== 8) expect(xOf(frame, register)).toBe(0n);
  }
  const sp = word(frame, 0xf8);
  expect(sp % 16n).toBe(0n);
  expect(2n ** 48n - sp).toBeLessThan(4096n);
  expect(word(frame, 0x108)).toBe(SSBS);
  expect([xOf(run.frameOf(MARK + 1), 1), xOf(run.frameOf(MARK + 1), 2)]).toEqual([0n, 0n]);
});

test("an interrupt from kernel code is saved below the stack pointer, with a frame record that leads back", () => {
  const request = [...mov64(1, 0n), ...mov64(0, DATA), 0xf900_0001, ...mov64(1, 100_000n), 0xf900_0401];
  const run = new ProgramRun([...request, movRegister(1, 31), movz(8, SYS_NANOSLEEP), svc(0), ...EXIT]);
  const { kernel, machine } = run;
  const cpu = machine.cores[0] as unknown as Aarch64Cpu;
  const seen: bigint[][] = [];
  const enter = kernel.enter.bind(kernel);
  kernel.enter = (core, stub) => {
    const isIrq = stub === 5 * 8;
    const before = [cpu.spLo(1), cpu.spHi(1), cpu.gpr[58]!, cpu.gpr[59]!];
    enter(core, stub);
    if (!isIrq) return;
    const frame = kernel.current[0]!.frames.at(-1)!;
    const at = (offset: number): bigint => machine.ram.view.getBigUint64(frame + offset, true);
    const pair = (lo: number, hi: number): bigint =>
      BigInt.asUintN(64, (BigInt(hi) << 32n) | BigInt(lo >>> 0));
    expect(frame).toBe((before[0]! >>> 0) - REGS_BYTES);
    expect([cpu.spLo(1) >>> 0, cpu.spHi(1)]).toEqual([frame, DIRECT_MAP_HI]);
    expect(at(0xf8)).toBe(pair(before[0]!, before[1]!));
    expect(at(0x130)).toBe(pair(before[2]!, before[3]!));
    expect(at(0x138)).toBe(at(0x100));
    expect(pair(cpu.gpr[58]!, cpu.gpr[59]!)).toBe(pair(frame + 0x130, DIRECT_MAP_HI));
    seen.push([at(0x100), at(0x108) & 0xfn]);
  };
  expect(run.run()).toBe(0);
  const idle = BigInt.asUintN(64, (BigInt(TEXT_HI) << 32n) | BigInt(stubLo(STUB_IDLE) >>> 0));
  expect(seen).toContainEqual([idle, 5n]);
  expect(kernel.counters.get("arch_timer")).toBeGreaterThan(0);
  expect(kernel.reports).toEqual([]);
});

test("every design runs a program", () => {
  for (const design of ["classic", "spf-mm"]) {
    const run = new ProgramRun([...call(SYS_EXIT_GROUP, 7n)], { design, cpus: 3 });
    expect(run.run()).toBe(7);
    expect(run.kernel.reports).toEqual([]);
  }
});

test("the log tells of the start as Linux on arm64 does", () => {
  const run = new ProgramRun(EXIT, { cpus: 2 });
  run.run();
  expect(run.log.slice(0, -2)).toEqual([
    "Booting Faultline on physical CPU 0x0000000000 [0x000ffa00]",
    "Faultline kernel (aarch64) #1 SMP, fault design classic",
    "psci: PSCIv1.1 detected in firmware.",
    "Detected PIPT I-cache on CPU0",
    "Memory: 32768K RAM, 2 CPUs possible",
    "GICv3: CPU interface through system registers, EOImode 0",
    "arch_timer: cp15 timer(s) running at 1000.00MHz (virt).",
    "smp: Bringing up secondary CPUs ...",
    "Detected PIPT I-cache on CPU1",
    "CPU1: Booted secondary processor 0x0000000001 [0x000ffa00]",
    "smp: Brought up 1 node, 2 CPUs",
    "SMP: Total of 2 processors activated.",
    "CPU features: detected: CRC32 instructions",
    "CPU features: detected: Data independent timing control (DIT)",
    "CPU features: detected: LSE atomic instructions",
    "CPU features: detected: Speculative Store Bypassing Safe (SSBS)",
    "CPU features: detected: Privileged Access Never",
    "CPU features: detected: Hardware dirty bit management",
    "CPU features: detected: TLB range maintenance instructions",
    "CPU: All CPU(s) started at EL1",
  ]);
});
