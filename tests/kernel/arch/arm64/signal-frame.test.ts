import { describe, expect, it } from "vitest";
import * as abi from "../../../../kernel/arch/arm64/elf-abi.ts";
import {
  encodeFrame,
  MINSIGSTKSZ,
  SIGNAL_FRAME_BYTES,
  SIGNAL_STACK_BYTES,
} from "../../../../kernel/arch/arm64/signal-frame.ts";
import type { SignalDelivery } from "../../../../kernel/signal/delivery-record.ts";
import { faultInfo } from "../../../../kernel/signal/signal-info.ts";
import * as numbers from "../../../../kernel/signal/signal-numbers.ts";
import { kptrOf } from "../../../../kernel/struct.ts";
import { PhysicalMemory } from "../../../../mmu/index.ts";
import { fact } from "./support/facts.ts";

const FRAME = kptrOf(0x1000);
const UNWRITTEN = 0xee;

function pattern(offset: number): bigint {
  return 0x1122_3344_0000_0000n + BigInt(offset) * 0x0001_0001n;
}

/** The frame on a stack that was full of 0xee. */
function frameOnStack(options: { flags?: number; esr?: number } = {}): DataView {
  const ram = new PhysicalMemory(1 << 16, 0);
  for (let offset = 0; offset < 0x110; offset += 8) {
    ram.view.setBigUint64(FRAME + offset, pattern(offset), true);
  }
  const delivery: SignalDelivery = {
    info: faultInfo(numbers.SIGSEGV, numbers.SEGV_ACCERR, 0x1234_5678, 0x7fff),
    action: {
      handlerLo: 1,
      handlerHi: 0,
      flags: options.flags ?? numbers.SA_SIGINFO,
      restorerLo: 0,
      restorerHi: 0,
      maskLo: 0,
      maskHi: 0,
    },
    maskLo: 0x200,
    maskHi: 0x80,
    altStack: { lo: 0x7000, hi: 2, sizeBytes: 0x1_0000_2000, flags: numbers.SS_AUTODISARM },
    fault: {
      trap: 0x24,
      error: options.esr ?? 0x9200_004f | 0,
      addressLo: 0x1234_5678,
      addressHi: 0x7fff,
      reportDue: false,
    },
  };
  const bytes = new Uint8Array(SIGNAL_FRAME_BYTES + 16).fill(UNWRITTEN);
  for (const piece of encodeFrame(ram, FRAME, delivery)) bytes.set(piece.bytes, piece.offset);
  return new DataView(bytes.buffer);
}

const ucontext = fact("rt_sigframe.uc");
const context = ucontext + fact("ucontext.uc_mcontext");
const reserved = context + fact("sigcontext.__reserved");

describe("the signal frame of arm64", () => {
  const view = frameOnStack();

  it("is a siginfo and a ucontext, of the headers' sizes", () => {
    expect(SIGNAL_FRAME_BYTES).toBe(fact("sizeof rt_sigframe"));
    expect(ucontext + fact("sizeof ucontext")).toBe(SIGNAL_FRAME_BYTES);
    expect(view.getInt32(fact("rt_sigframe.info"), true)).toBe(numbers.SIGSEGV);
    expect(view.getBigUint64(16, true)).toBe(0x7fff_1234_5678n);
  });

  it("holds X0 to X30, SP, PC and PSTATE where struct sigcontext has them", () => {
    for (let number = 0; number <= 30; number++) {
      const at = context + fact("sigcontext.regs") + number * 8;
      expect(view.getBigUint64(at, true)).toBe(pattern(number * 8));
    }
    expect(view.getBigUint64(context + fact("sigcontext.sp"), true)).toBe(pattern(0xf8));
    expect(view.getBigUint64(context + fact("sigcontext.pc"), true)).toBe(pattern(0x100));
    expect(view.getBigUint64(context + fact("sigcontext.pstate"), true)).toBe(pattern(0x108));
    expect(view.getBigUint64(context + fact("sigcontext.fault_address"), true)).toBe(0x7fff_1234_5678n);
  });

  it("holds mask and alternate stack where struct ucontext has them", () => {
    expect(view.getBigUint64(ucontext + fact("ucontext.uc_flags"), true)).toBe(0n);
    expect(view.getBigUint64(ucontext + fact("ucontext.uc_link"), true)).toBe(0n);
    expect(view.getBigUint64(ucontext + fact("ucontext.uc_sigmask"), true)).toBe(0x80_0000_0200n);
    expect(view.getBigUint64(ucontext + fact("ucontext.uc_stack.ss_sp"), true)).toBe(0x2_0000_7000n);
    expect(view.getInt32(ucontext + fact("ucontext.uc_stack.ss_flags"), true)).toBe(numbers.SS_AUTODISARM);
    expect(view.getBigUint64(ucontext + fact("ucontext.uc_stack.ss_size"), true)).toBe(0x1_0000_2000n);
  });

  it("has the syndrome as its only record, and then the terminator", () => {
    expect(view.getUint32(reserved, true)).toBe(fact("ESR_MAGIC"));
    expect(view.getUint32(reserved + fact("_aarch64_ctx.size"), true)).toBe(fact("sizeof esr_context"));
    expect(view.getBigUint64(reserved + fact("esr_context.esr"), true)).toBe(0x9200_004fn);
    expect(view.getBigUint64(reserved + fact("sizeof esr_context"), true)).toBe(0n);
  });

  it("has no record at all after an exception without a syndrome", () => {
    const bare = frameOnStack({ esr: 0 });
    expect(bare.getBigUint64(reserved, true)).toBe(0n);
    expect(bare.getUint8(reserved + 8)).toBe(UNWRITTEN);
  });

  it("ends with the frame record, X29 and X30", () => {
    expect(view.getBigUint64(SIGNAL_FRAME_BYTES, true)).toBe(pattern(29 * 8));
    expect(view.getBigUint64(SIGNAL_FRAME_BYTES + 8, true)).toBe(pattern(30 * 8));
  });

  it("leaves what it does not name on the stack as it was: unused mask, reserved area, siginfo without SA_SIGINFO", () => {
    expect(view.getUint8(ucontext + fact("ucontext.uc_sigmask") + 8)).toBe(UNWRITTEN);
    expect(view.getUint8(context - 1)).toBe(UNWRITTEN);
    expect(view.getUint8(reserved + fact("sizeof esr_context") + fact("sizeof _aarch64_ctx"))).toBe(
      UNWRITTEN,
    );
    expect(view.getUint8(SIGNAL_FRAME_BYTES - 1)).toBe(UNWRITTEN);
    const plain = frameOnStack({ flags: 0 });
    for (let at = 0; at < fact("rt_sigframe.uc"); at++) expect(plain.getUint8(at)).toBe(UNWRITTEN);
    expect(plain.getBigUint64(context + fact("sigcontext.pc"), true)).toBe(pattern(0x100));
  });
});

describe("constants of the ABI", () => {
  it("are the headers'", () => {
    expect(MINSIGSTKSZ).toBe(fact("MINSIGSTKSZ"));
    expect(numbers.SA_RESTORER).toBe(fact("SA_RESTORER"));
    expect(abi.O_DIRECTORY).toBe(fact("O_DIRECTORY"));
    expect(abi.O_NOFOLLOW).toBe(fact("O_NOFOLLOW"));
  });

  it("AT_MINSIGSTKSZ is that of a machine without SVE, 4720", () => {
    expect(SIGNAL_STACK_BYTES).toBe(4720);
  });
});
