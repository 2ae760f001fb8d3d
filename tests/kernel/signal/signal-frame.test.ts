import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EXTENDED_STATE, encodeFrame, SIGNAL_FRAME_BYTES } from "../../../kernel/arch/x86/signal-frame.ts";
import {
  type AlternateStack,
  isOnAlternateStack,
  type SignalDelivery,
} from "../../../kernel/signal/delivery-record.ts";
import { childInfo, encodeSignalInfo, faultInfo, sentInfo } from "../../../kernel/signal/signal-info.ts";
import * as numbers from "../../../kernel/signal/signal-numbers.ts";
import { kptrOf } from "../../../kernel/struct.ts";
import { PhysicalMemory } from "../../../mmu/index.ts";

/** Recorded by layout-facts.c from the kernel's own headers; see there. */
const FACTS = JSON.parse(readFileSync(new URL("./layout-facts.json", import.meta.url), "utf8")) as Record<
  string,
  number
>;

/** Offsets of pt_regs, arch/x86/include/asm/ptrace.h. */
const PT_REGS: Readonly<Record<string, number>> = {
  r15: 0x00,
  r14: 0x08,
  r13: 0x10,
  r12: 0x18,
  rbp: 0x20,
  rbx: 0x28,
  r11: 0x30,
  r10: 0x38,
  r9: 0x40,
  r8: 0x48,
  rax: 0x50,
  rcx: 0x58,
  rdx: 0x60,
  rsi: 0x68,
  rdi: 0x70,
  rip: 0x80,
  eflags: 0x90,
  rsp: 0x98,
};

const FRAME = kptrOf(0x1000);

/** The frame's bytes for registers that each hold a pattern of their own. */
function frameBytes(
  altStack: AlternateStack = { lo: 0x7000, hi: 2, sizeBytes: 0x1_0000_2000, flags: 0 },
): DataView {
  const ram = new PhysicalMemory(1 << 16, 0);
  for (const [name, offset] of Object.entries(PT_REGS))
    ram.view.setBigUint64(FRAME + offset, pattern(name), true);
  ram.view.setBigUint64(FRAME + 0x88, 0x33n, true);
  ram.view.setBigUint64(FRAME + 0xa0, 0x2bn, true);
  const delivery: SignalDelivery = {
    info: faultInfo(numbers.SIGSEGV, numbers.SEGV_PKUERR, 0x1234_5678, 0x7fff, 5),
    action: {
      handlerLo: 1,
      handlerHi: 0,
      flags: numbers.SA_RESTORER,
      restorerLo: 0x40_1234,
      restorerHi: 0x11,
      maskLo: 0,
      maskHi: 0,
    },
    maskLo: 0x200,
    maskHi: 0x80,
    altStack,
    fault: { trap: 14, error: 0x27, addressLo: 0x1234_5678, addressHi: 0x7fff, reportDue: false },
  };
  const bytes = encodeFrame(ram, FRAME, delivery, 0x5555_5554);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function pattern(name: string): bigint {
  let value = 0x9e37_79b9n;
  for (const character of name)
    value = BigInt.asUintN(64, value * 0x1_0000_01b3n + BigInt(character.charCodeAt(0)));
  return value;
}

function fact(name: string): number {
  const value = FACTS[name];
  if (value === undefined) throw new Error(`no recorded fact ${name}`);
  return value;
}

describe("the signal frame of x86-64", () => {
  const view = frameBytes();
  const ucontext = 8;
  const context = ucontext + fact("ucontext.uc_mcontext");

  it("is a return address, a ucontext and a siginfo", () => {
    expect(SIGNAL_FRAME_BYTES).toBe(8 + fact("sizeof ucontext") + fact("sizeof siginfo"));
    expect(view.getBigUint64(0, true)).toBe(0x11_0040_1234n);
  });

  it.each(Object.keys(PT_REGS))("holds %s where struct sigcontext has it", (name) => {
    expect(view.getBigUint64(context + fact(`sigcontext.${name}`), true)).toBe(pattern(name));
  });

  it("holds segments, error code, trap number, CR2 and the mask", () => {
    expect(view.getUint16(context + fact("sigcontext.cs"), true)).toBe(0x33);
    expect(view.getUint16(context + fact("sigcontext.gs"), true)).toBe(0);
    expect(view.getUint16(context + fact("sigcontext.fs"), true)).toBe(0);
    expect(view.getUint16(context + fact("sigcontext.ss"), true)).toBe(0x2b);
    expect(view.getBigUint64(context + fact("sigcontext.err"), true)).toBe(0x27n);
    expect(view.getBigUint64(context + fact("sigcontext.trapno"), true)).toBe(14n);
    expect(view.getBigUint64(context + fact("sigcontext.oldmask"), true)).toBe(0x80_0000_0200n);
    expect(view.getBigUint64(context + fact("sigcontext.cr2"), true)).toBe(0x7fff_1234_5678n);
    expect(view.getBigUint64(context + fact("sigcontext.fpstate"), true)).toBe(0n);
    expect(view.getBigUint64(ucontext + fact("ucontext.uc_sigmask"), true)).toBe(0x80_0000_0200n);
  });

  it("says in uc_flags that SS is saved and strictly restored, and no more", () => {
    const flags = BigInt(fact("UC_SIGCONTEXT_SS") | fact("UC_STRICT_RESTORE_SS"));
    expect(view.getBigUint64(ucontext + fact("ucontext.uc_flags"), true)).toBe(flags);
    expect(view.getBigUint64(ucontext + fact("ucontext.uc_link"), true)).toBe(0n);
  });

  it("holds the alternate stack as sigaltstack() knows it", () => {
    expect(view.getBigUint64(ucontext + fact("ucontext.uc_stack.ss_sp"), true)).toBe(0x2_0000_7000n);
    expect(view.getInt32(ucontext + fact("ucontext.uc_stack.ss_flags"), true)).toBe(0);
    expect(view.getBigUint64(ucontext + fact("ucontext.uc_stack.ss_size"), true)).toBe(0x1_0000_2000n);
  });

  /** A stack that the interrupted stack pointer lies on. */
  const used = { lo: Number(BigInt.asIntN(32, pattern("rsp") - 0x1000n)), sizeBytes: 0x2000 };
  const above = Number(BigInt.asIntN(32, (pattern("rsp") - 0x1000n) >> 32n));

  it.each([
    ["0 on the stack", 0],
    ["SS_ONSTACK", numbers.SS_ONSTACK],
    ["SS_DISABLE", numbers.SS_DISABLE],
    ["SS_AUTODISARM", numbers.SS_AUTODISARM],
    ["SS_DISABLE | SS_AUTODISARM", numbers.SS_DISABLE | numbers.SS_AUTODISARM],
  ])("holds ss_flags as they were set: %s", (_name, flags) => {
    const view = frameBytes({ ...used, hi: above, flags });
    expect(view.getInt32(ucontext + fact("ucontext.uc_stack.ss_flags"), true)).toBe(flags);
  });

  it("is never on an alternate stack that disarms itself", () => {
    const stack = { ...used, hi: above, flags: 0 };
    expect(isOnAlternateStack(stack, stack.lo + 0x1000, above)).toBe(true);
    stack.flags = numbers.SS_AUTODISARM;
    expect(isOnAlternateStack(stack, stack.lo + 0x1000, above)).toBe(false);
  });

  it("has the siginfo after the ucontext and PKRU in the extended state", () => {
    const info = 8 + fact("sizeof ucontext");
    expect(view.getInt32(info + fact("siginfo.si_signo"), true)).toBe(numbers.SIGSEGV);
    expect(view.getInt32(info + fact("siginfo.si_errno"), true)).toBe(0);
    expect(view.getInt32(info + fact("siginfo.si_code"), true)).toBe(fact("SEGV_PKUERR"));
    expect(view.getBigUint64(info + fact("siginfo.si_addr"), true)).toBe(0x7fff_1234_5678n);
    expect(view.getUint32(info + fact("siginfo.si_pkey"), true)).toBe(5);
    expect(view.getUint32(EXTENDED_STATE, true)).toBe(0x5555_5554);
  });
});

describe("siginfo_t", () => {
  it("names the sender of a signal", () => {
    const bytes = encodeSignalInfo(sentInfo(10, numbers.SI_TKILL, 77), "little");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    expect(bytes.length).toBe(fact("sizeof siginfo"));
    expect(view.getInt32(fact("siginfo.si_code"), true)).toBe(fact("SI_TKILL"));
    expect(view.getInt32(fact("siginfo.si_pid"), true)).toBe(77);
    expect(view.getInt32(fact("siginfo.si_uid"), true)).toBe(0);
  });

  it("names the child and its status", () => {
    const bytes = encodeSignalInfo(childInfo(17, numbers.CLD_KILLED, 300, 9), "little");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    expect(view.getInt32(fact("siginfo.si_code"), true)).toBe(fact("CLD_KILLED"));
    expect(view.getInt32(fact("siginfo.si_pid"), true)).toBe(300);
    expect(view.getInt32(fact("siginfo.si_status"), true)).toBe(9);
  });

  it("is written in the machine's byte order", () => {
    const bytes = encodeSignalInfo(faultInfo(11, 1, 0x0102_0304, 0x0506_0708), "big");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    expect(view.getInt32(0)).toBe(11);
    expect(view.getBigUint64(fact("siginfo.si_addr"))).toBe(0x0506_0708_0102_0304n);
  });
});

describe("constants of the signal interface", () => {
  const names = Object.keys(FACTS).filter((name) => /^(SA|SI|SEGV|CLD)_/.test(name));

  it.each(names)("%s is the headers'", (name) => {
    const value = (numbers as unknown as Record<string, number>)[name];
    expect((value ?? 0) >>> 0).toBe(fact(name) >>> 0);
  });
});
