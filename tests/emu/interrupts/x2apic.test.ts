/** The local APIC: Intel SDM vol. 3A chapter 10. Delivery into the core is tested here as well. */
import { describe, expect, it } from "vitest";
import { SYSTEM_HELPERS } from "../../../emu/frontends/x86-64/system-helpers.ts";
import { ApicMessages } from "../../../emu/interrupts/apic-messages.ts";
import { X86_DEFAULT_PROFILE, type X86Core } from "../../../emu/traps/x86-64/index.ts";
import {
  finish,
  frame,
  handler,
  Rig,
  RSP,
  rip,
  setRegister,
  setRip,
  vectorAt,
  wordsOf,
} from "../traps/rig.ts";

const ID = 0x802;
const VERSION = 0x803;
const TPR = 0x808;
const PPR = 0x80a;
const EOI = 0x80b;
const LDR = 0x80d;
const SVR = 0x80f;
const ISR = 0x810;
const IRR = 0x820;
const ESR = 0x828;
const ICR = 0x830;
const LVT_TIMER = 0x832;
const LVT_LINT0 = 0x835;
const LVT_ERROR = 0x837;
const INITIAL_COUNT = 0x838;
const CURRENT_COUNT = 0x839;
const DIVIDE = 0x83e;
const SELF_IPI = 0x83f;
const TSC_DEADLINE = 0x6e0;
const WRMSR = 13;
const RDMSR = 12;
const LATENCY = X86_DEFAULT_PROFILE.ipiLatencyCycles;
const TICK = X86_DEFAULT_PROFILE.cyclesPerCrystal;

function rigOf(count: number): Rig {
  const rig = new Rig(count);
  for (const core of rig.cores) {
    rig.start(core, "kernel");
    core.writeRflags(0x202);
    core.wrmsr(SVR, 0x1ff, 0);
  }
  return rig;
}

/** Moves a core to a time and takes what is deliverable; the vectors in order. */
function accept(core: X86Core, clock = core.clock): number[] {
  if (core.clock < clock) core.clock = clock;
  core.interrupts.advance(core.clock);
  const vectors: number[] = [];
  while (core.interruptDeliverable()) {
    core.acceptInterrupt();
    finish(core);
    vectors.push(vectorAt(core));
    core.writeRflags(core.readRflags() | 0x200);
    setRegister(core, RSP, 0x1_8000n);
  }
  return vectors;
}

function bits(core: X86Core, first: number): number[] {
  const set: number[] = [];
  for (let i = 0; i < 8; i++) {
    for (let bit = 0; bit < 32; bit++) if (core.rdmsrLo(first + i) & (1 << bit)) set.push(i * 32 + bit);
  }
  return set;
}

/** WRMSR by the instruction; true: #GP(0). */
function faults(rig: Rig, core: X86Core, msr: number, lo: number, hi = 0): boolean {
  core.gpr[2] = msr;
  core.gpr[0] = lo;
  core.gpr[4] = hi;
  setRip(core, 0x10_0000n);
  core.helper(WRMSR, 0, 0, 0, 0, 0x10_0000, 0);
  if (core.phase !== "microcode") return false;
  finish(core);
  const gp = vectorAt(core) === 13 && frame(rig, core)[0] === 0n;
  rig.start(core, "kernel");
  core.writeRflags(0x202);
  if (!gp) throw new Error("another fault");
  return true;
}

describe("registers", () => {
  it("id, version and logical id identify the core", () => {
    const rig = rigOf(18);
    const core = rig.cores[17]!;
    expect(core.rdmsrLo(ID)).toBe(17);
    expect(core.rdmsrLo(VERSION)).toBe(0x50014);
    expect(core.rdmsrLo(LDR)).toBe(0x1_0002);
  });

  it("after reset the APIC is disabled by software and masks its local entries", () => {
    const rig = new Rig();
    expect(rig.core.rdmsrLo(SVR)).toBe(0xff);
    expect(rig.core.rdmsrLo(LVT_TIMER)).toBe(0x1_0000);
    rig.core.wrmsr(LVT_TIMER, 0x40, 0);
    expect(rig.core.rdmsrLo(LVT_TIMER)).toBe(0x1_0040);
    rig.core.wrmsr(SELF_IPI, 0x40, 0);
    expect(bits(rig.core, IRR)).toEqual([]);
  });

  it.each<[string, number, number, number]>([
    ["a register that does not exist", 0x804, 0, 0],
    ["the id", ID, 0, 0],
    ["PPR", PPR, 0, 0],
    ["ISR", ISR, 0, 0],
    ["EOI with a value", EOI, 1, 0],
    ["TPR above 8 bits", TPR, 0x100, 0],
    ["a high half", TPR, 0, 1],
    ["SVR with reserved bits", SVR, 0x3ff, 0],
    ["ESR with a value", ESR, 1, 0],
    ["ICR with the delivery-status bit", ICR, 0x1040, 0],
    ["ICR with reserved bits", ICR, 0x10_0040, 0],
    ["a timer entry with reserved bits", LVT_TIMER, 0x8_0040, 0],
    ["the reserved timer mode", LVT_TIMER, 0x6_0040, 0],
    ["LINT0 with reserved bits", LVT_LINT0, 0x800, 0],
    ["the divide configuration's bit 2", DIVIDE, 4, 0],
    ["self-IPI above 8 bits", SELF_IPI, 0x140, 0],
    ["the CMCI entry, which version 0x14 with six entries lacks", 0x82f, 0x1_0000, 0],
    ["leaving x2APIC mode", 0x1b, 0xfee0_0900 | 0, 0],
  ])("writing %s is #GP(0)", (_name, msr, lo, hi) => {
    const rig = rigOf(1);
    expect(faults(rig, rig.core, msr, lo, hi)).toBe(true);
  });

  it("reading EOI or self-IPI is #GP(0)", () => {
    for (const msr of [EOI, SELF_IPI, 0x831]) {
      const rig = rigOf(1);
      rig.core.gpr[2] = msr;
      rig.core.helper(RDMSR, 0, 0, 0, 0, 0x10_0000, 0);
      finish(rig.core);
      expect(vectorAt(rig.core)).toBe(13);
    }
  });
});

describe("priorities", () => {
  it("the highest vector is taken first, lower classes wait for EOI", () => {
    const rig = rigOf(1);
    const { core } = rig;
    for (const vector of [0x31, 0x52, 0x5f, 0x30]) core.wrmsr(SELF_IPI, vector, 0);
    expect(bits(core, IRR)).toEqual([0x30, 0x31, 0x52, 0x5f]);
    expect(accept(core)).toEqual([0x5f]);
    expect(bits(core, ISR)).toEqual([0x5f]);
    expect(core.rdmsrLo(PPR)).toBe(0x50);
    core.wrmsr(EOI, 0, 0);
    expect(accept(core)).toEqual([0x52]);
    core.wrmsr(EOI, 0, 0);
    expect(accept(core)).toEqual([0x31]);
    core.wrmsr(SELF_IPI, 0x41, 0);
    expect(accept(core)).toEqual([0x41]);
    expect(bits(core, ISR)).toEqual([0x31, 0x41]);
    core.wrmsr(EOI, 0, 0);
    expect(bits(core, ISR)).toEqual([0x31]);
    expect(accept(core)).toEqual([]);
    core.wrmsr(EOI, 0, 0);
    expect(accept(core)).toEqual([0x30]);
  });

  it("TPR and CR8 hold off classes up to theirs", () => {
    const rig = rigOf(1);
    const { core } = rig;
    core.wrmsr(TPR, 0x53, 0);
    expect(core.rdmsrLo(PPR)).toBe(0x53);
    core.wrmsr(SELF_IPI, 0x5f, 0);
    expect(accept(core)).toEqual([]);
    core.wrmsr(SELF_IPI, 0x60, 0);
    expect(accept(core)).toEqual([0x60]);
    core.wrmsr(EOI, 0, 0);
    core.helper(14, 4, 0, 8, 0, 0x10_0000, 0);
    expect(core.rdmsrLo(TPR)).toBe(0x40);
    expect(accept(core)).toEqual([0x5f]);
  });

  it("nothing is accepted with IF clear", () => {
    const rig = rigOf(1);
    rig.core.wrmsr(SELF_IPI, 0x40, 0);
    rig.core.setInterruptsEnabled(false);
    expect(rig.core.interruptDeliverable()).toBe(false);
    rig.core.setInterruptsEnabled(true);
    expect(rig.core.interruptDeliverable()).toBe(true);
  });
});

describe("interprocessor interrupts", () => {
  const pending = (rig: Rig, clock: number): number[] =>
    rig.cores
      .filter((core) => {
        core.interrupts.advance(clock);
        return bits(core, IRR).includes(0x40);
      })
      .map((core) => core.id);

  it.each<[string, number, number, number[]]>([
    ["physical", 0x40, 2, [2]],
    ["physical, to itself", 0x40, 0, [0]],
    ["physical, nobody", 0x40, 77, []],
    ["physical broadcast", 0x40, -1, [0, 1, 2, 3]],
    ["logical", 0x840, 0b1010, [1, 3]],
    ["logical, another cluster", 0x840, 0x1_000a, []],
    ["logical broadcast", 0x840, -1, [0, 1, 2, 3]],
    ["shorthand self", 0x4_0040, 0, [0]],
    ["shorthand all including self", 0x8_0040, 0, [0, 1, 2, 3]],
    ["shorthand all excluding self", 0xc_0040, 0, [1, 2, 3]],
    ["lowest priority, unsupported", 0x140, 1, []],
  ])("%s", (_name, lo, hi, targets) => {
    const rig = rigOf(4);
    rig.core.clock = 5000;
    rig.core.wrmsr(ICR, lo, hi);
    expect(pending(rig, 5000 + LATENCY + 1000)).toEqual(targets);
  });

  it("arrives at the sender's clock plus the latency, not before, and the sender leads no further", () => {
    const rig = rigOf(2);
    const [sender, target] = [rig.cores[0]!, rig.cores[1]!];
    sender.setLimits(1e9, 1e9);
    sender.clock = 10_000;
    sender.wrmsr(ICR, 0x40, 1);
    const arrival = sender.clock + LATENCY;
    expect([sender.userLimit, sender.kernelLimit]).toEqual([arrival, arrival]);
    expect(target.interrupts.nextEventTime).toBe(arrival);
    expect(accept(target, arrival - 1)).toEqual([]);
    expect(accept(target, arrival)).toEqual([0x40]);
    expect(rig.host.events).toContain("0 ipi 40 1");
  });

  it("a point of the target yields once the message has arrived", () => {
    const rig = rigOf(2);
    const [sender, target] = [rig.cores[0]!, rig.cores[1]!];
    target.setLimits(1e9, 1e9);
    sender.wrmsr(ICR, 0x40, 1);
    expect(target.point(1)).toBe(false);
    expect(target.point(sender.clock + LATENCY)).toBe(true);
  });

  it("vectors below 16 set ESR on writing it, and raise the error interrupt once", () => {
    const rig = rigOf(1);
    const { core } = rig;
    core.wrmsr(LVT_ERROR, 0xfe, 0);
    core.wrmsr(ICR, 0x0f, 0);
    core.wrmsr(SELF_IPI, 3, 0);
    expect(core.rdmsrLo(ESR)).toBe(0);
    core.wrmsr(ESR, 0, 0);
    expect(core.rdmsrLo(ESR)).toBe(1 << 5);
    core.wrmsr(ESR, 0, 0);
    expect(core.rdmsrLo(ESR)).toBe(0);
    expect(accept(core)).toEqual([0xfe]);
  });

  it("a full set of vectors in flight is delivered completely, whatever the number of messages", () => {
    const rig = rigOf(2);
    const [sender, target] = [rig.cores[0]!, rig.cores[1]!];
    for (let round = 0; round < 4; round++) {
      for (let vector = 16; vector < 256; vector++) sender.wrmsr(ICR, vector, 1);
    }
    expect(target.interrupts.nextEventTime).toBeGreaterThan(0);
    target.interrupts.advance(1e12);
    expect(bits(target, IRR).length).toBe(240);
    expect(target.interrupts.nextEventTime).toBe(Number.POSITIVE_INFINITY);
  });

  it("messages of one vector keep their first and last arrival", () => {
    const messages = new ApicMessages(new Int32Array(ApicMessages.words), 0);
    for (const time of [500, 100, 300, 900, 50]) messages.insert(0, 0x40, time);
    messages.insert(0, 0x41, 200);
    const seen: string[] = [];
    while (messages.count > 0) {
      seen.push(`${messages.firstVector.toString(16)}@${messages.firstTime}`);
      messages.removeFirst();
    }
    expect(seen).toEqual(["40@50", "41@200", "40@900"]);
  });
});

describe("NMI", () => {
  it("needs no IF, uses vector 2, and blocks further NMIs until IRET", () => {
    const rig = rigOf(2);
    const [sender, target] = [rig.cores[0]!, rig.cores[1]!];
    rig.gate(2, { ist: 1 });
    target.writeRflags(0x2);
    sender.wrmsr(ICR, 0x400, 1);
    target.clock = sender.clock + LATENCY;
    target.interrupts.advance(target.clock);
    expect(target.interruptDeliverable()).toBe(true);
    target.acceptInterrupt();
    finish(target);
    expect(vectorAt(target)).toBe(2);
    sender.wrmsr(ICR, 0x400, 1);
    target.clock = sender.clock + LATENCY;
    target.interrupts.advance(target.clock);
    expect(target.interruptDeliverable()).toBe(false);
    target.returnFromTrap();
    finish(target);
    expect(target.interruptDeliverable()).toBe(true);
  });

  it("wakes a core that spins with interrupts masked, and a fixed interrupt does not", () => {
    const rig = rigOf(2);
    const [sender, target] = [rig.cores[0]!, rig.cores[1]!];
    target.phase = "kernel";
    target.setInterruptsEnabled(false);
    target.waitForWord(0x1_0000);
    sender.wrmsr(ICR, 0x40, 1);
    expect(target.readyTime()).toBe(Number.POSITIVE_INFINITY);
    sender.wrmsr(ICR, 0x400, 1);
    expect(target.readyTime()).toBe(sender.clock + LATENCY);
  });
});

describe("interrupt shadow", () => {
  const FLAGS_CHANGED = 1;
  const LOAD_FAR_POINTER = SYSTEM_HELPERS.LOAD_FAR_POINTER;
  const SHADOW_WORD = 200 >> 2;

  /** What the lifted STI leaves behind when IF was clear. */
  function sti(core: X86Core): void {
    core.state[SHADOW_WORD] = 1;
    core.writeRflags(core.readRflags() | 0x200);
    core.helper(FLAGS_CHANGED, 0, 0, 0, 0, 0x10_0000, 0);
  }

  it("STI holds interrupts off for one instruction", () => {
    const rig = rigOf(1);
    const { core } = rig;
    core.writeRflags(0x2);
    core.wrmsr(SELF_IPI, 0x40, 0);
    sti(core);
    expect(core.interruptDeliverable()).toBe(false);
    expect(core.userSliceEnd()).toBe(core.clock + 1);
    core.retired++;
    expect(core.interruptDeliverable()).toBe(true);
  });

  it("MOV SS holds interrupts and NMIs off for one instruction", () => {
    const rig = rigOf(1);
    const { core } = rig;
    core.wrmsr(SELF_IPI, 0x40, 0);
    core.helper(26, 2, 0, 0x10, 0, 0x10_0000, 0);
    finish(core);
    expect(core.interruptDeliverable()).toBe(false);
    setRip(core, 0x10_0003n);
    expect(core.interruptDeliverable()).toBe(true);
  });

  it("LSS, which loads the stack pointer as well, holds nothing off", () => {
    const rig = rigOf(1);
    const { core } = rig;
    core.wrmsr(SELF_IPI, 0x40, 0);
    // Segment 2 (SS) and register 4 (RSP) of 64 bits above the selector; the offset is the new RSP.
    core.helper(LOAD_FAR_POINTER, (4 << 24) | (2 << 16) | 0x10, 64, 0x1_8000, 0, 0x10_0000, 0);
    finish(core);
    expect(core.gpr[8]).toBe(0x1_8000);
    expect(core.interruptDeliverable()).toBe(true);
  });

  it("HLT after STI sleeps until the interrupt that is already pending", () => {
    const rig = rigOf(1);
    const { core } = rig;
    core.writeRflags(0x2);
    core.wrmsr(SELF_IPI, 0x40, 0);
    sti(core);
    setRip(core, 0x10_0002n);
    core.retired++;
    core.helper(3, 0, 0, 0, 0, 0x10_0001, 0);
    expect(core.phase).toBe("halted");
    expect(core.readyTime()).toBe(core.clock);
    core.setLimits(core.clock + 100, core.clock + 100);
    core.run();
    expect(rip(core)).toBe(handler(0x40));
    expect(frame(rig, core, 1)[0]).toBe(0x10_0002n);
  });
});

describe("timer", () => {
  it("one-shot counts down at the crystal clock over the divisor and fires once", () => {
    const rig = rigOf(1);
    const { core } = rig;
    core.wrmsr(LVT_TIMER, 0x50, 0);
    core.wrmsr(DIVIDE, 0b0011, 0); // by 16
    core.wrmsr(INITIAL_COUNT, 100, 0);
    const start = core.clock;
    expect(core.interrupts.nextEventTime).toBe(start + 100 * 16 * TICK);
    core.clock = start + 40 * 16 * TICK;
    expect(core.rdmsrLo(CURRENT_COUNT)).toBe(60);
    expect(accept(core, start + 100 * 16 * TICK - 1)).toEqual([]);
    expect(accept(core, start + 100 * 16 * TICK)).toEqual([0x50]);
    expect(core.rdmsrLo(CURRENT_COUNT)).toBe(0);
    expect(core.interrupts.nextEventTime).toBe(Number.POSITIVE_INFINITY);
  });

  it.each([
    [0b0000, 2],
    [0b0001, 4],
    [0b0010, 8],
    [0b0011, 16],
    [0b1000, 32],
    [0b1001, 64],
    [0b1010, 128],
    [0b1011, 1],
  ])("divide configuration %i divides by %i", (value, divisor) => {
    const rig = rigOf(1);
    rig.core.wrmsr(LVT_TIMER, 0x50, 0);
    rig.core.wrmsr(DIVIDE, value, 0);
    rig.core.wrmsr(INITIAL_COUNT, 10, 0);
    expect(rig.core.interrupts.nextEventTime).toBe(rig.core.clock + 10 * divisor * TICK);
  });

  it("periodic fires every period; periods that went by together are one interrupt", () => {
    const rig = rigOf(1);
    const { core } = rig;
    core.wrmsr(LVT_TIMER, 0x2_0050, 0);
    core.wrmsr(DIVIDE, 0xb, 0);
    core.wrmsr(INITIAL_COUNT, 10, 0);
    const period = 10 * TICK;
    const start = core.clock;
    expect(accept(core, start + period)).toEqual([0x50]);
    core.wrmsr(EOI, 0, 0);
    expect(core.interrupts.nextEventTime).toBe(start + 2 * period);
    expect(accept(core, start + 5 * period + 1)).toEqual([0x50]);
    core.wrmsr(EOI, 0, 0);
    expect(core.interrupts.nextEventTime).toBe(start + 6 * period);
    core.wrmsr(INITIAL_COUNT, 0, 0);
    expect(core.interrupts.nextEventTime).toBe(Number.POSITIVE_INFINITY);
  });

  it("a masked timer expires unseen", () => {
    const rig = rigOf(1);
    const { core } = rig;
    core.wrmsr(LVT_TIMER, 0x1_0050, 0);
    core.wrmsr(DIVIDE, 0xb, 0);
    core.wrmsr(INITIAL_COUNT, 10, 0);
    expect(core.interrupts.nextEventTime).toBe(Number.POSITIVE_INFINITY);
    core.clock += 20 * TICK;
    core.wrmsr(LVT_TIMER, 0x50, 0);
    expect(accept(core, core.clock + 1)).toEqual([]);
  });

  it("TSC-deadline mode fires when the counter reaches the deadline, and clears it", () => {
    const rig = rigOf(1);
    const { core } = rig;
    core.wrmsr(TSC_DEADLINE, 99_999, 0);
    expect(core.rdmsrLo(TSC_DEADLINE)).toBe(0);
    core.wrmsr(LVT_TIMER, 0x4_0050, 0);
    core.wrmsr(TSC_DEADLINE, 99_999, 0);
    expect(core.rdmsrLo(TSC_DEADLINE)).toBe(99_999);
    core.wrmsr(INITIAL_COUNT, 1, 0);
    expect(core.interrupts.nextEventTime).toBe(99_999);
    expect(accept(core, 99_998)).toEqual([]);
    expect(accept(core, 99_999)).toEqual([0x50]);
    expect(core.rdmsrLo(TSC_DEADLINE)).toBe(0);
  });

  it("a deadline in the past fires at once; 0 disarms; the counter's offset counts", () => {
    const rig = rigOf(1);
    const { core } = rig;
    core.clock = 1_000_000;
    core.wrmsr(LVT_TIMER, 0x4_0050, 0);
    core.wrmsr(TSC_DEADLINE, 5, 0);
    expect(accept(core)).toEqual([0x50]);
    core.wrmsr(EOI, 0, 0);
    core.wrmsr(TSC_DEADLINE, 2_000_000, 0);
    core.wrmsr(TSC_DEADLINE, 0, 0);
    expect(core.interrupts.nextEventTime).toBe(Number.POSITIVE_INFINITY);
    core.wrmsr(TSC_DEADLINE, 2_000_000, 0);
    core.wrmsr(0x10, 500, 0); // TSC := 500
    const zero = core.clock - 500;
    expect(core.interrupts.nextEventTime).toBe(zero + 2_000_000);
    expect(core.rdmsrLo(0x3b)).toBe((500 - core.clock) | 0);
  });
});

describe("INIT and start-up", () => {
  const START = 0x1_0000;

  function trampoline(rig: Rig): void {
    rig.write64(START + 8, 0x1000n);
    rig.write64(START + 0x10, 0xffff_8000_0000_1230n);
    rig.write64(START + 0x18, 0x1_9000n);
  }

  it("INIT then SIPI starts a parked core at the state of the vector's page; a second SIPI is ignored", () => {
    const rig = new Rig(2);
    const [boot, other] = [rig.cores[0]!, rig.cores[1]!];
    rig.start(boot, "kernel");
    trampoline(rig);
    expect(other.phase).toBe("parked");
    expect(other.readyTime()).toBe(Number.POSITIVE_INFINITY);
    boot.clock = 50_000;
    boot.wrmsr(ICR, 0xc500, 1);
    boot.wrmsr(ICR, 0xc610, 1);
    const arrival = boot.clock + LATENCY;
    boot.wrmsr(ICR, 0xc610, 1);
    expect(other.readyTime()).toBe(arrival);
    other.setLimits(arrival + 10_000, arrival + 10_000);
    other.run();
    expect(other.phase).toBe("execute");
    expect(rip(other)).toBe(0xffff_8000_0000_1230n);
    expect(other.cr3Lo).toBe(0x1000);
    expect(wordsOf(other).cpl()).toBe(0);
    expect(other.readRflags()).toBe(2);
    expect(other.rdmsrLo(0xc000_0080)).toBe(0xd01);
    other.clock += 10_000;
    other.interrupts.advance(other.clock);
    expect(other.interruptDeliverable()).toBe(false);
    expect(rip(other)).toBe(0xffff_8000_0000_1230n);
  });

  it("control registers that the page names replace the defaults", () => {
    const rig = new Rig(2);
    trampoline(rig);
    rig.write64(START + 0x28, 0x10a0n);
    rig.start(rig.core, "kernel");
    rig.core.wrmsr(ICR, 0x610, 1);
    finish(rig.cores[1]!);
    expect(rig.cores[1]!.state[(264 + 24) >> 2]).toBe(0x10a0);
  });

  it("a state that no core can be in shuts the machine down", () => {
    const rig = new Rig(2);
    trampoline(rig);
    rig.write64(START + 0x28, 0x80n);
    rig.start(rig.core, "kernel");
    rig.core.wrmsr(ICR, 0x610, 1);
    finish(rig.cores[1]!);
    expect(rig.host.stopReason?.kind).toBe("triple-fault");
  });

  it.each([
    ["in flight", -30],
    ["there already", 0],
  ])("INIT resets a running core and parks it; a SIPI that is %s then starts it", (_name, before) => {
    const rig = rigOf(2);
    const [boot, other] = [rig.cores[0]!, rig.cores[1]!];
    trampoline(rig);
    boot.wrmsr(ICR, 0xc500, 1);
    boot.wrmsr(ICR, 0xc610, 1);
    other.clock = boot.clock + LATENCY + before;
    other.interrupts.advance(other.clock);
    expect(other.interruptDeliverable()).toBe(true);
    other.acceptInterrupt();
    expect(other.phase).toBe("microcode");
    expect(other.clock).toBe(boot.clock + LATENCY);
    finish(other);
    expect(rip(other)).toBe(0xffff_8000_0000_1230n);
    expect(other.rdmsrLo(SVR)).toBe(0xff);
  });
});
