/**
 * Trap delivery: frame bytes, gates, stacks, faults on the way. Expected values are those of the SDM, vol. 3A chapter 6
 * and vol. 2 "INT n".
 */
import { describe, expect, it } from "vitest";
import { FETCH, READ, WRITE } from "../../../mmu/index.ts";
import {
  CODE_32,
  CODE_ABSENT,
  CODE_BOTH,
  CONFORMING_CS,
  cr2,
  finish,
  frame,
  GDT_LIMIT,
  IDT,
  IST1,
  IST2,
  KERNEL_CS,
  KERNEL_SS,
  Rig,
  RSP,
  RSP0,
  register,
  rip,
  setRegister,
  TRAP_GATE,
  TSS,
  TSS_SELECTOR,
  USER_CS,
  USER_RSP,
  USER_SS,
  vectorAt,
  wordsOf,
} from "./rig.ts";

const INT = 7;
const RF = 0x1_0000n;

/** INT n of two bytes at RIP. */
function softwareInterrupt(rig: Rig, vector: number): void {
  const { core } = rig;
  const at = core.readPcLo();
  core.setKernelPc(at + 2, core.readPcHi());
  core.helper(INT, vector, 0, 0, 0, at, core.readPcHi());
  finish(core);
}

function raise(rig: Rig, vector: number): void {
  rig.core.raiseTrap(vector);
  finish(rig.core);
}

function pageFault(rig: Rig, address: bigint, kind: 0 | 1 | 2, attr = 0): void {
  const { core } = rig;
  const lo = Number(BigInt.asIntN(32, address));
  const hi = Number(BigInt.asIntN(32, address >> 32n));
  expect(core.mmu.translate(lo, hi, kind, core.regime)).toBe(1);
  core.raiseTranslationFault(attr);
  finish(core);
}

/** [error code, RIP, CS, RFLAGS, RSP, SS] of the frame of an exception with error code. */
function frameOfUser(error: bigint, flags = 0x202n | RF): bigint[] {
  return [error, 0x40_0000n, BigInt(USER_CS), flags, BigInt(USER_RSP), BigInt(USER_SS)];
}

describe("frames", () => {
  it("a fault at CPL 3 pushes SS, RSP, RFLAGS with RF, CS and RIP on the stack of the TSS", () => {
    const rig = new Rig();
    rig.start(rig.core, "user");
    raise(rig, 0);
    expect(vectorAt(rig.core)).toBe(0);
    expect(register(rig.core, RSP)).toBe(BigInt(RSP0 - 40));
    expect(frame(rig, rig.core, 5)).toEqual(frameOfUser(0n).slice(1));
    expect(wordsOf(rig.core).cpl()).toBe(0);
    expect(wordsOf(rig.core).selector("CS")).toBe(KERNEL_CS);
    expect(wordsOf(rig.core).selector("SS")).toBe(0);
    expect(rig.core.phase).toBe("execute");
  });

  it.each([8, 10, 11, 12, 13, 14, 17, 21])("vector %i pushes an error code", (vector) => {
    const rig = new Rig();
    rig.start(rig.core, "user");
    raise(rig, vector);
    expect(register(rig.core, RSP)).toBe(BigInt(RSP0 - 48));
    expect(frame(rig, rig.core)).toEqual(frameOfUser(0n));
  });

  it.each([0, 3, 5, 6, 7, 16, 18, 19])("vector %i pushes no error code", (vector) => {
    const rig = new Rig();
    rig.start(rig.core, "user");
    raise(rig, vector);
    expect(register(rig.core, RSP)).toBe(BigInt(RSP0 - 40));
  });

  it("INT1 saves the next instruction without RF", () => {
    const rig = new Rig();
    rig.start(rig.core, "user");
    raise(rig, 1);
    expect(frame(rig, rig.core, 5)).toEqual(frameOfUser(0n, 0x202n).slice(1));
  });

  it("at the same privilege the frame goes on the present stack, aligned to 16 bytes", () => {
    const rig = new Rig();
    for (const [rsp, top] of [
      [0x1_8000n, 0x1_8000n],
      [0x1_8008n, 0x1_8000n],
      [0x1_800fn, 0x1_8000n],
    ] as const) {
      rig.start(rig.core, "kernel");
      setRegister(rig.core, RSP, rsp);
      raise(rig, 6);
      expect(register(rig.core, RSP)).toBe(top - 40n);
      const flags = 0x2n | RF;
      expect(frame(rig, rig.core, 5)).toEqual([0x10_0000n, BigInt(KERNEL_CS), flags, rsp, BigInt(KERNEL_SS)]);
      expect(wordsOf(rig.core).selector("SS")).toBe(KERNEL_SS);
    }
  });

  it("an IST stack is used whatever the privilege", () => {
    const rig = new Rig();
    rig.gate(6, { ist: 1 });
    rig.gate(7, { ist: 2 });
    rig.start(rig.core, "kernel");
    raise(rig, 6);
    expect(register(rig.core, RSP)).toBe(BigInt(IST1 - 40));
    rig.start(rig.core, "user");
    raise(rig, 7);
    expect(register(rig.core, RSP)).toBe(BigInt(IST2 - 40));
  });

  it("an interrupt gate clears IF, a trap gate keeps it; both clear TF, NT and RF and keep AC", () => {
    for (const [type, kept] of [
      [0xe, 0],
      [TRAP_GATE, 0x200],
    ] as const) {
      const rig = new Rig();
      rig.gate(6, { type });
      rig.start(rig.core, "kernel");
      rig.core.writeRflags(0x2 | 0x100 | 0x200 | 0x4000 | 0x4_0000 | 0x8d5);
      raise(rig, 6);
      expect(rig.core.readRflags()).toBe(0x2 | kept | 0x4_0000 | 0x8d5);
      expect(frame(rig, rig.core, 5)[2]).toBe(0x5_4bd7n);
    }
  });

  it("a conforming handler runs at the privilege it was reached from", () => {
    const rig = new Rig();
    rig.gate(0x80, { selector: CONFORMING_CS, dpl: 3 });
    rig.start(rig.core, "user");
    softwareInterrupt(rig, 0x80);
    expect(wordsOf(rig.core).cpl()).toBe(3);
    expect(wordsOf(rig.core).selector("CS")).toBe(CONFORMING_CS | 3);
    expect(register(rig.core, RSP)).toBe(BigInt(USER_RSP - 40));
  });

  it("the accessed bit of the handler's code segment is set", () => {
    const rig = new Rig();
    rig.descriptor(KERNEL_CS, 0x9a, 0xa);
    rig.ram.u8[0x600d] = 0x9a;
    rig.start(rig.core, "user");
    rig.ram.u8[0x600d] = 0x9a;
    raise(rig, 6);
    expect(rig.ram.u8[0x600d]).toBe(0x9b);
  });
});

describe("page faults and address faults", () => {
  it.each([
    ["a read of an absent page at CPL 3", 0x5_0000n, READ, 4n],
    ["a write to an absent page at CPL 3", 0x5_0000n, WRITE, 6n],
    ["a fetch from an absent page at CPL 3", 0x5_0000n, FETCH, 0x14n],
    ["a write to a read-only page", 0x5_1000n, WRITE, 7n],
    ["a read of a supervisor page", 0x5_2000n, READ, 5n],
  ])("%s gives the error code and CR2", (_name, address, kind, error) => {
    const rig = new Rig();
    rig.unmap(0x5_0000);
    rig.protect(0x5_1000, 5);
    rig.protect(0x5_2000, 3);
    rig.start(rig.core, "user");
    pageFault(rig, address + 0x123n, kind as 0 | 1 | 2);
    expect(vectorAt(rig.core)).toBe(14);
    expect(frame(rig, rig.core)).toEqual(frameOfUser(error));
    expect(cr2(rig.core)).toBe(address + 0x123n);
  });

  it("a non-canonical data address is #GP(0), a stack address #SS(0)", () => {
    for (const [attr, vector] of [
      [0, 13],
      [64, 12],
    ] as const) {
      const rig = new Rig();
      rig.start(rig.core, "user");
      pageFault(rig, 0x8000_0000_0000n, READ, attr);
      expect(vectorAt(rig.core)).toBe(vector);
      expect(frame(rig, rig.core)).toEqual(frameOfUser(0n));
      expect(cr2(rig.core)).toBe(0n);
    }
  });

  it("a misaligned access is #AC(0) under alignment check and #GP(0) where alignment is always required", () => {
    for (const [attr, vector] of [
      [0x20, 17],
      [0x10, 13],
    ] as const) {
      const rig = new Rig();
      rig.start(rig.core, "user");
      rig.core.mmu.fault.cause = "alignment";
      rig.core.raiseTranslationFault(attr);
      finish(rig.core);
      expect(vectorAt(rig.core)).toBe(vector);
      expect(frame(rig, rig.core)).toEqual(frameOfUser(0n));
    }
  });
});

describe("software interrupts", () => {
  it("INT n saves the next instruction and needs a gate with DPL >= CPL", () => {
    const rig = new Rig();
    rig.gate(0x80, { dpl: 3 });
    rig.start(rig.core, "user");
    softwareInterrupt(rig, 0x80);
    expect(vectorAt(rig.core)).toBe(0x80);
    expect(frame(rig, rig.core, 5)[0]).toBe(0x40_0002n);
    expect(frame(rig, rig.core, 5)[2]).toBe(0x202n);
    rig.start(rig.core, "user");
    softwareInterrupt(rig, 0x81);
    expect(vectorAt(rig.core)).toBe(13);
    expect(frame(rig, rig.core)).toEqual(frameOfUser(BigInt(0x81 * 8 + 2)));
  });

  it("a hardware exception ignores the gate's DPL", () => {
    const rig = new Rig();
    rig.start(rig.core, "user");
    raise(rig, 6);
    expect(vectorAt(rig.core)).toBe(6);
  });
});

/** What goes wrong on the way, and the exception that follows with its error code; EXT is 1 unless INT n started it. */
const BAD_DELIVERIES: readonly (readonly [string, (rig: Rig) => void, number, number])[] = [
  ["a vector past the IDT's limit", (rig) => rig.core.loadIdt(IDT, 0, 0x80 * 16 + 14), 13, 0x80 * 8 + 2],
  ["a gate of another type", (rig) => rig.gate(0x80, { dpl: 3, type: 5 }), 13, 0x80 * 8 + 2],
  ["an absent gate", (rig) => rig.gate(0x80, { dpl: 3, present: false }), 11, 0x80 * 8 + 2],
  ["a null code selector", (rig) => rig.gate(0x80, { dpl: 3, selector: 3 }), 13, 0],
  [
    "a selector past the GDT",
    (rig) => rig.gate(0x80, { dpl: 3, selector: GDT_LIMIT + 1 }),
    13,
    GDT_LIMIT + 1,
  ],
  ["a selector of an absent LDT", (rig) => rig.gate(0x80, { dpl: 3, selector: 0xc }), 13, 0xc],
  ["a data segment", (rig) => rig.gate(0x80, { dpl: 3, selector: KERNEL_SS }), 13, KERNEL_SS],
  ["a 32-bit code segment", (rig) => rig.gate(0x80, { dpl: 3, selector: CODE_32 }), 13, CODE_32],
  ["a code segment with L and D", (rig) => rig.gate(0x80, { dpl: 3, selector: CODE_BOTH }), 13, CODE_BOTH],
  ["an absent code segment", (rig) => rig.gate(0x80, { dpl: 3, selector: CODE_ABSENT }), 11, CODE_ABSENT],
  ["a non-canonical target", (rig) => rig.gate(0x80, { dpl: 3, target: 1n << 47n }), 13, 0],
  ["a non-canonical stack", (rig) => rig.write64(TSS + 36, (1n << 47n) + 0x1000n), 12, 0],
  ["a TSS too short for the stack", (rig) => rig.gate(0x80, { dpl: 3, ist: 7 }), 10, TSS_SELECTOR],
];

describe("faults during delivery", () => {
  it.each(BAD_DELIVERIES)("INT n through %s", (_name, prepare, vector, error) => {
    const rig = new Rig();
    rig.gate(0x80, { dpl: 3, ist: 1 });
    rig.start(rig.core, "user");
    if (vector === 10) rig.core.state[(360 + 48 + 8) >> 2] = 0x53;
    prepare(rig);
    softwareInterrupt(rig, 0x80);
    expect(vectorAt(rig.core)).toBe(vector);
    expect(frame(rig, rig.core)).toEqual(frameOfUser(BigInt(error)));
  });

  it.each(BAD_DELIVERIES)("an external interrupt through %s has EXT set", (_name, prepare, vector, error) => {
    const rig = new Rig();
    rig.gate(0x80, { ist: 1 });
    rig.start(rig.core, "user");
    if (vector === 10) rig.core.state[(360 + 48 + 8) >> 2] = 0x53;
    prepare(rig);
    rig.core.wrmsr(0x80f, 0x1ff, 0);
    rig.core.wrmsr(0x83f, 0x80, 0);
    expect(rig.core.interruptDeliverable()).toBe(true);
    rig.core.acceptInterrupt();
    finish(rig.core);
    expect(vectorAt(rig.core)).toBe(vector);
    expect(frame(rig, rig.core)).toEqual(frameOfUser(BigInt(error | 1)));
  });

  it("a selector of a code segment that is less privileged than CPL is #GP(selector)", () => {
    const rig = new Rig();
    rig.gate(0x80, { selector: USER_CS });
    rig.start(rig.core, "kernel");
    softwareInterrupt(rig, 0x80);
    expect(vectorAt(rig.core)).toBe(13);
    expect(frame(rig, rig.core)[0]).toBe(BigInt(USER_CS & ~3));
  });

  it("a page fault of a push is delivered as #PF with W set and U clear", () => {
    const rig = new Rig();
    rig.gate(0x80, { dpl: 3, ist: 1 });
    rig.unmap(IST1 - 8);
    rig.start(rig.core, "user");
    softwareInterrupt(rig, 0x80);
    expect(vectorAt(rig.core)).toBe(14);
    expect(frame(rig, rig.core)).toEqual(frameOfUser(2n));
    expect(cr2(rig.core)).toBe(BigInt(IST1 - 8));
  });

  it("a page fault of reading the gate leaves CPL 3 out of the error code", () => {
    const rig = new Rig();
    rig.start(rig.core, "user");
    rig.core.loadIdt(IDT, 0, 0xfff);
    rig.core.loadIdt(0x5_0000 - 14 * 16 - 16, 0, 0xfff);
    for (let i = 0; i <= 14; i++) {
      rig.ram.u8.copyWithin(0x5_0000 - 14 * 16 - 16 + i * 16, IDT + i * 16, IDT + i * 16 + 16);
    }
    rig.unmap(0x5_0000);
    rig.core.mmu.invlpg(0x5_0000, 0);
    softwareInterrupt(rig, 0x80);
    expect(vectorAt(rig.core)).toBe(14);
    expect(frame(rig, rig.core)[0]).toBe(0n);
  });
});

describe("double faults (table 6-5)", () => {
  /** Delivers `first` through a gate whose delivery itself ends in `second`. */
  function combine(first: number, second: 11 | 13 | 14): number {
    const rig = new Rig();
    rig.gate(8, { ist: 2 });
    if (second === 11) rig.gate(first, { present: false });
    else if (second === 13) rig.gate(first, { selector: KERNEL_SS });
    else {
      rig.gate(first, { ist: 1 });
      rig.unmap(IST1 - 8);
    }
    if (first === second) rig.gate(14, first === 14 ? { ist: 1 } : {});
    rig.start(rig.core, "user");
    raise(rig, first);
    return vectorAt(rig.core);
  }

  it.each([
    [6, 13, 13],
    [6, 14, 14],
    [1, 11, 11],
    [0, 11, 8],
    [0, 13, 8],
    [0, 14, 14],
    [10, 11, 8],
    [10, 14, 14],
    [12, 13, 8],
    [13, 11, 8],
    [13, 14, 14],
    [14, 11, 8],
    [14, 13, 8],
    [14, 14, 8],
    [17, 11, 11],
  ] as const)("vector %i, then %i on its delivery, is vector %i", (first, second, result) => {
    expect(combine(first, second)).toBe(result);
  });

  it("a double fault pushes error code 0 and the address of the first fault", () => {
    const rig = new Rig();
    rig.gate(8, { ist: 2 });
    rig.gate(14, { present: false });
    rig.unmap(0x5_0000);
    rig.start(rig.core, "user");
    pageFault(rig, 0x5_0000n, READ);
    expect(vectorAt(rig.core)).toBe(8);
    expect(register(rig.core, RSP)).toBe(BigInt(IST2 - 48));
    expect(frame(rig, rig.core)).toEqual(frameOfUser(0n));
    expect(cr2(rig.core)).toBe(0x5_0000n);
  });

  it("a fault while #DF is delivered stops the machine with the registers", () => {
    const rig = new Rig();
    rig.gate(8, { present: false });
    rig.gate(13, { present: false });
    rig.start(rig.core, "user");
    raise(rig, 13);
    expect(rig.core.phase).toBe("parked");
    expect(rig.host.stopReason).toMatchObject({ kind: "triple-fault" });
    expect(rig.host.stopReason?.text).toContain("RIP: 002b:0000000000400000");
    expect(rig.host.stopReason?.text).toContain("CPL: 3");
  });
});

describe("suspension", () => {
  /** Granting one event at a time; `between` runs at each stop. */
  function inSteps(rig: Rig, between: (stop: number) => void): number {
    const { core } = rig;
    core.budget.exploring = true;
    let stops = 0;
    while (core.phase === "microcode") {
      core.budget.left = 1;
      if (core.microstep() === 2) between(stops++);
      if (stops > 1000) throw new Error("no end");
    }
    core.budget.exploring = false;
    return stops;
  }

  it("a delivery stopped at every memory access leaves the same state as one that runs through", () => {
    const whole = new Rig();
    whole.start(whole.core, "user");
    raise(whole, 13);
    const stepped = new Rig();
    stepped.start(stepped.core, "user");
    stepped.core.raiseTrap(13);
    const stops = inSteps(stepped, () => {});
    // 2 of the gate, descriptor, TSS, 6 pushes, and the walks of five pages.
    expect(stops).toBeGreaterThan(10);
    expect(frame(stepped, stepped.core)).toEqual(frame(whole, whole.core));
    expect(stepped.core.architecturalHash()).toBe(whole.core.architecturalHash());
    expect(stepped.core.mmu.hash(0)).toBe(whole.core.mmu.hash(0));
  });

  it("a saved core goes on in the middle of a delivery", () => {
    const rig = new Rig();
    rig.start(rig.core, "user");
    rig.core.raiseTrap(13);
    const { core } = rig;
    core.budget.exploring = true;
    let step = 0;
    while (core.phase === "microcode") {
      core.budget.left = 1;
      core.microstep();
      const saved = [core.stateBytes.slice(), core.save()] as const;
      if (step++ % 3 === 0) core.stateBytes.fill(0xa5, 8192);
      core.stateBytes.set(saved[0]);
      core.restore(saved[1]);
    }
    expect(vectorAt(core)).toBe(13);
    expect(frame(rig, core)).toEqual(frameOfUser(0n));
  });

  it("a TSS changed before it is read decides the stack, and after it does not", () => {
    const stacks = new Set<bigint>();
    for (let when = 0; when < 40; when++) {
      const rig = new Rig();
      rig.start(rig.core, "user");
      rig.core.raiseTrap(6);
      inSteps(rig, (stop) => {
        if (stop === when) rig.write64(TSS + 4, BigInt(IST1));
      });
      expect(vectorAt(rig.core)).toBe(6);
      expect(frame(rig, rig.core, 5)).toEqual(frameOfUser(0n).slice(1));
      stacks.add(register(rig.core, RSP));
    }
    expect([...stacks].sort()).toEqual([BigInt(RSP0 - 40), BigInt(IST1 - 40)].sort());
  });

  it("a gate changed between its halves is read torn", () => {
    const targets = new Set<bigint>();
    for (let when = 0; when < 40; when++) {
      const rig = new Rig();
      rig.start(rig.core, "user");
      rig.core.raiseTrap(6);
      inSteps(rig, (stop) => {
        if (stop === when) rig.gate(6, { target: 0x1234_5678_9ab0n });
      });
      targets.add(rip(rig.core));
    }
    expect([...targets].sort()).toEqual([0x1234_5678_9ab0n, 0x1234_0008_0060n, 0x8_0060n].sort());
  });
});
