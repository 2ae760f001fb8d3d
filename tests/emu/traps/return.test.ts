/** IRET, far RET, SYSCALL and SYSRET: every check of the SDM, vol. 2, and what a successful return restores. */
import { describe, expect, it } from "vitest";
import type { X86Core } from "../../../emu/traps/x86-64/index.ts";
import {
  CODE_32,
  CODE_ABSENT,
  CODE_BOTH,
  CONFORMING_CS,
  CR0_ON,
  CR4_ON,
  cr2,
  DATA_ABSENT,
  DATA_READ_ONLY,
  finish,
  frame,
  GDT_LIMIT,
  KERNEL_CS,
  KERNEL_SS,
  R11,
  RCX,
  Rig,
  RSP,
  RSP0,
  register,
  rip,
  SYSTEM_HOLE,
  setRegister,
  TSS_SELECTOR,
  USER_CS,
  USER_CS_FRESH,
  USER_RSP,
  USER_SS,
  USER_SS_FRESH,
  vectorAt,
  wordsOf,
} from "./rig.ts";

const SYSCALL = 4;
const SYSRET = 5;
const IRET = 6;
const FAR_RETURN = 31;
const FRAME = 0x1_8000;

interface Image {
  rip?: bigint;
  cs?: number;
  rflags?: bigint;
  rsp?: bigint;
  ss?: number;
}

function putFrame(rig: Rig, image: Image): void {
  const words = [
    image.rip ?? 0x40_1234n,
    BigInt(image.cs ?? USER_CS),
    image.rflags ?? 0x202n,
    image.rsp ?? BigInt(USER_RSP - 64),
    BigInt(image.ss ?? USER_SS),
  ];
  words.forEach((word, i) => {
    rig.write64(FRAME + i * 8, word);
  });
}

function iret(rig: Rig, image: Image, privilege: "user" | "kernel" = "kernel"): X86Core {
  const { core } = rig;
  rig.start(core, privilege);
  setRegister(core, RSP, BigInt(FRAME));
  putFrame(rig, image);
  core.returnFromTrap();
  finish(core);
  return core;
}

describe("IRETQ", () => {
  it("to CPL 3 restores RIP, CS, RFLAGS, RSP and SS", () => {
    const core = iret(new Rig(), { rflags: 0x24_0ed7n });
    expect(rip(core)).toBe(0x40_1234n);
    expect(register(core, RSP)).toBe(BigInt(USER_RSP - 64));
    expect(core.readRflags()).toBe(0x24_0ed7);
    expect(wordsOf(core).cpl()).toBe(3);
    expect(wordsOf(core).selector("CS")).toBe(USER_CS);
    expect(wordsOf(core).selector("SS")).toBe(USER_SS);
    expect(core.regime).toBe(0);
    expect(core.phase).toBe("execute");
  });

  it("to the same privilege restores RSP and SS as well, and a null SS is allowed at CPL 0", () => {
    const core = iret(new Rig(), { cs: KERNEL_CS, ss: 0, rsp: 0x1_7000n });
    expect(rip(core)).toBe(0x40_1234n);
    expect(register(core, RSP)).toBe(0x1_7000n);
    expect(wordsOf(core).selector("SS")).toBe(0);
    expect(wordsOf(core).cpl()).toBe(0);
  });

  it("reserved bits and VM of the image are ignored", () => {
    const core = iret(new Rig(), { rflags: 0xffff_ffff_ffc2_8028n | 0x2_0000n });
    expect(core.readRflags()).toBe(0x2);
  });

  it("at CPL 3 changes neither IOPL nor IF", () => {
    const rig = new Rig();
    const core = iret(rig, { rflags: 0x3000n }, "user");
    expect(rip(core)).toBe(0x40_1234n);
    expect(core.readRflags()).toBe(0x202);
  });

  it("at CPL 3 with IOPL 3 changes IF", () => {
    const rig = new Rig();
    rig.start(rig.core, "user");
    setRegister(rig.core, RSP, BigInt(FRAME));
    putFrame(rig, { rflags: 0n });
    rig.core.writeRflags(0x3202);
    rig.core.returnFromTrap();
    finish(rig.core);
    expect(rig.core.readRflags()).toBe(0x3002);
  });

  it("data segments that CPL 3 may not use become null", () => {
    const rig = new Rig();
    rig.start(rig.core, "kernel");
    for (const [segment, selector] of [
      [3, KERNEL_SS],
      [0, USER_SS],
      [5, CONFORMING_CS],
    ] as const) {
      rig.core.helper(26, segment, 0, selector, 0, 0, 0);
      finish(rig.core);
    }
    setRegister(rig.core, RSP, BigInt(FRAME));
    putFrame(rig, {});
    rig.core.returnFromTrap();
    finish(rig.core);
    const words = wordsOf(rig.core);
    expect([words.selector("DS"), words.selector("ES"), words.selector("GS")]).toEqual([
      0,
      USER_SS,
      CONFORMING_CS,
    ]);
  });

  it("sets the accessed bits of the segments it loads", () => {
    const rig = new Rig();
    iret(rig, { cs: USER_CS_FRESH, ss: USER_SS_FRESH });
    expect(wordsOf(rig.core).selector("CS")).toBe(USER_CS_FRESH);
    expect(rig.ram.u8[0x6000 + (USER_CS_FRESH & ~7) + 5]).toBe(0xfb);
    expect(rig.ram.u8[0x6000 + (USER_SS_FRESH & ~7) + 5]).toBe(0xf3);
  });

  it.each<[string, Image, number, number]>([
    ["a null CS", { cs: 3 }, 13, 0],
    ["a CS past the GDT", { cs: GDT_LIMIT | 3 }, 13, GDT_LIMIT & ~3],
    ["a CS in an absent LDT", { cs: 0xf }, 13, 0xc],
    ["a data segment as CS", { cs: USER_SS }, 13, USER_SS & ~3],
    ["a system descriptor as CS", { cs: SYSTEM_HOLE | 3 }, 13, SYSTEM_HOLE],
    ["a TSS as CS", { cs: TSS_SELECTOR | 3 }, 13, TSS_SELECTOR],
    ["a CS whose DPL is not its RPL", { cs: KERNEL_CS | 3 }, 13, KERNEL_CS],
    ["a CS with RPL below its DPL", { cs: USER_CS & ~3, ss: 0 }, 13, USER_CS & ~3],
    ["a 32-bit CS", { cs: CODE_32, ss: KERNEL_SS }, 13, CODE_32],
    ["a CS with both L and D", { cs: CODE_BOTH, ss: KERNEL_SS }, 13, CODE_BOTH],
    ["an absent CS", { cs: CODE_ABSENT, ss: KERNEL_SS }, 11, CODE_ABSENT],
    ["a null SS to CPL 3", { ss: 3 }, 13, 0],
    ["a null SS with the wrong RPL", { cs: KERNEL_CS, ss: 3 }, 13, 0],
    ["an SS with another RPL than CS", { ss: USER_SS & ~3 }, 13, USER_SS & ~3],
    ["an SS with another DPL", { ss: KERNEL_SS | 3 }, 13, KERNEL_SS],
    ["an SS past the GDT", { ss: 0x1003 }, 13, 0x1000],
    ["a read-only SS", { cs: KERNEL_CS, ss: DATA_READ_ONLY }, 13, DATA_READ_ONLY],
    ["a code segment as SS", { ss: USER_CS }, 13, USER_CS & ~3],
    ["an absent SS", { ss: DATA_ABSENT | 3 }, 12, DATA_ABSENT],
    ["a non-canonical RIP", { rip: 1n << 47n }, 13, 0],
  ])("%s faults at the IRET itself and changes nothing", (_name, image, vector, error) => {
    const rig = new Rig();
    const core = iret(rig, image);
    expect(vectorAt(core)).toBe(vector);
    expect(frame(rig, core)).toEqual([
      BigInt(error),
      0x10_0000n,
      BigInt(KERNEL_CS),
      0x1_0002n,
      BigInt(FRAME),
      BigInt(KERNEL_SS),
    ]);
    expect(wordsOf(core).cpl()).toBe(0);
  });

  it("NT is #GP(0)", () => {
    const rig = new Rig();
    rig.start(rig.core, "kernel");
    rig.core.writeRflags(0x4002);
    setRegister(rig.core, RSP, BigInt(FRAME));
    putFrame(rig, {});
    rig.core.returnFromTrap();
    finish(rig.core);
    expect(vectorAt(rig.core)).toBe(13);
    expect(frame(rig, rig.core)[0]).toBe(0n);
  });

  it("a return to a more privileged level is #GP(selector)", () => {
    const rig = new Rig();
    const core = iret(rig, { cs: KERNEL_CS, ss: KERNEL_SS }, "user");
    expect(vectorAt(core)).toBe(13);
    expect(frame(rig, core)[0]).toBe(BigInt(KERNEL_CS));
    expect(register(core, RSP)).toBe(BigInt(RSP0 - 48));
  });

  it("a non-canonical stack is #SS(0), an absent one #PF", () => {
    const rig = new Rig();
    rig.gate(12, { ist: 1 });
    rig.gate(14, { ist: 1 });
    // The second begins on an absent page and ends past the canonical addresses.
    for (const stack of [1n << 60n, (1n << 47n) - 4n]) {
      rig.start(rig.core, "kernel");
      setRegister(rig.core, RSP, stack);
      rig.core.returnFromTrap();
      finish(rig.core);
      expect(vectorAt(rig.core)).toBe(12);
    }
    rig.start(rig.core, "kernel");
    rig.unmap(0x5_1000);
    setRegister(rig.core, RSP, 0x5_0ff0n);
    rig.core.returnFromTrap();
    finish(rig.core);
    expect(vectorAt(rig.core)).toBe(14);
    expect(cr2(rig.core)).toBe(0x5_1000n);
    expect(frame(rig, rig.core)[4]).toBe(0x5_0ff0n);
  });

  it.each<[string, "user" | "kernel", bigint, number | null]>([
    ["at CPL 3 with AC set is #AC(0)", "user", 0x4_0202n, 17],
    ["at CPL 3 without AC works", "user", 0x202n, null],
    ["at CPL 0 works, whatever AC is", "kernel", 0x4_0202n, null],
  ])("a stack that is not aligned %s", (_name, privilege, rflags, vector) => {
    const rig = new Rig();
    const { core } = rig;
    rig.start(core, privilege);
    core.writeRflags(Number(rflags));
    setRegister(core, RSP, BigInt(FRAME + 4));
    [0x40_1234n, BigInt(USER_CS), 0x202n, BigInt(USER_RSP), BigInt(USER_SS)].forEach((word, i) => {
      rig.write64(FRAME + 4 + i * 8, word);
    });
    core.returnFromTrap();
    finish(core);
    expect(vector === null ? rip(core) : vectorAt(core)).toBe(vector ?? 0x40_1234n);
    if (vector !== null) expect(frame(rig, core, 1)).toEqual([0n]);
  });

  it("IRETD pops five doublewords, IRET five words", () => {
    for (const bytes of [4, 2] as const) {
      const rig = new Rig();
      rig.start(rig.core, "kernel");
      setRegister(rig.core, RSP, BigInt(FRAME));
      [0x8765, USER_CS, 0x8d7, 0xfff0, USER_SS].forEach((value, i) => {
        if (bytes === 4) rig.ram.view.setUint32(FRAME + i * 4, value, true);
        else rig.ram.view.setUint16(FRAME + i * 2, value, true);
      });
      rig.core.helper(IRET, bytes * 8, 0, 0, 0, 0, 0);
      finish(rig.core);
      expect(rip(rig.core)).toBe(0x8765n);
      expect(register(rig.core, RSP)).toBe(0xfff0n);
      expect(rig.core.readRflags()).toBe(0x8d7);
    }
  });

  it("stopped at every memory access it leaves the same state as one that runs through", () => {
    const whole = new Rig();
    iret(whole, { cs: USER_CS_FRESH, ss: USER_SS_FRESH });
    const stepped = new Rig();
    stepped.start(stepped.core, "kernel");
    setRegister(stepped.core, RSP, BigInt(FRAME));
    putFrame(stepped, { cs: USER_CS_FRESH, ss: USER_SS_FRESH });
    stepped.core.returnFromTrap();
    stepped.core.budget.exploring = true;
    let stops = 0;
    while (stepped.core.phase === "microcode") {
      stepped.core.budget.left = 1;
      stepped.core.microstep();
      stops++;
    }
    expect(stops).toBeGreaterThan(9);
    expect(stepped.core.architecturalHash()).toBe(whole.core.architecturalHash());
  });

  it("takes each half of the frame as another agent left it when it was popped", () => {
    const seen = new Set<string>();
    for (let when = 0; when < 30; when++) {
      const rig = new Rig();
      rig.start(rig.core, "kernel");
      setRegister(rig.core, RSP, BigInt(FRAME));
      putFrame(rig, {});
      rig.core.returnFromTrap();
      rig.core.budget.exploring = true;
      for (let stop = 0; rig.core.phase === "microcode"; stop++) {
        rig.core.budget.left = 1;
        if (rig.core.microstep() === 2 && stop === when) putFrame(rig, { rip: 0x55_0000n, rsp: 0x2_8000n });
      }
      seen.add(`${rip(rig.core).toString(16)} ${register(rig.core, RSP).toString(16)}`);
    }
    expect([...seen].sort()).toEqual(["401234 28000", "401234 2ffc0", "550000 28000"]);
  });
});

describe("RF", () => {
  it("of an IRET's image holds until the next instruction has been executed", () => {
    for (const [retired, rf] of [
      [0, 0x1_0000n],
      [1, 0n],
    ] as const) {
      const rig = new Rig();
      const core = iret(rig, { rflags: 0x1_0202n });
      core.retired += retired;
      core.wrmsr(0x80f, 0x1ff, 0);
      core.wrmsr(0x83f, 0x40, 0);
      core.acceptInterrupt();
      finish(core);
      expect(frame(rig, core, 5)[2]).toBe(0x202n | rf);
    }
  });
});

describe("far RET", () => {
  it("to the same privilege pops RIP and CS and releases the parameters", () => {
    const rig = new Rig();
    rig.start(rig.core, "kernel");
    setRegister(rig.core, RSP, BigInt(FRAME));
    rig.write64(FRAME, 0x10_5678n);
    rig.write64(FRAME + 8, BigInt(KERNEL_CS));
    rig.core.helper(FAR_RETURN, 64, 0, 24, 0, 0, 0);
    finish(rig.core);
    expect(rip(rig.core)).toBe(0x10_5678n);
    expect(register(rig.core, RSP)).toBe(BigInt(FRAME + 40));
  });

  it("to an outer privilege pops RSP and SS behind the parameters and releases there too", () => {
    const rig = new Rig();
    rig.start(rig.core, "kernel");
    setRegister(rig.core, RSP, BigInt(FRAME));
    rig.write64(FRAME, 0x40_5678n);
    rig.write64(FRAME + 8, BigInt(USER_CS));
    rig.write64(FRAME + 24, BigInt(USER_RSP - 128));
    rig.write64(FRAME + 32, BigInt(USER_SS));
    rig.core.helper(FAR_RETURN, 64, 0, 8, 0, 0, 0);
    finish(rig.core);
    expect(rip(rig.core)).toBe(0x40_5678n);
    expect(register(rig.core, RSP)).toBe(BigInt(USER_RSP - 120));
    expect(wordsOf(rig.core).cpl()).toBe(3);
  });
});

describe("SYSCALL and SYSRET", () => {
  const STAR_HI = (((USER_CS - 16) & ~3) << 16) | KERNEL_CS;

  function prepare(rig: Rig, privilege: "user" | "kernel"): X86Core {
    const { core } = rig;
    rig.start(core, privilege);
    core.wrmsr(0xc000_0081, 0, STAR_HI);
    core.wrmsr(0xc000_0082, 0x20_0040, 0);
    core.wrmsr(0xc000_0084, 0x4_7700, 0);
    return core;
  }

  it("SYSCALL goes to LSTAR at CPL 0 with RFLAGS masked by FMASK", () => {
    const core = prepare(new Rig(), "user");
    core.writeRflags(0x4_0ed7);
    core.setKernelPc(0x40_0002, 0);
    core.helper(SYSCALL, 0, 0, 0, 0, 0x40_0000, 0);
    expect(rip(core)).toBe(0x20_0040n);
    expect(core.readRflags()).toBe(0x8d7);
    expect(wordsOf(core).cpl()).toBe(0);
    expect(wordsOf(core).selector("CS")).toBe(KERNEL_CS);
    expect(wordsOf(core).selector("SS")).toBe(KERNEL_CS + 8);
    expect(register(core, RSP)).toBe(BigInt(USER_RSP));
  });

  it("SYSRET takes RIP from RCX and RFLAGS from R11 without RF and VM", () => {
    const core = prepare(new Rig(), "kernel");
    setRegister(core, RCX, 0x7fff_ffff_f000n);
    setRegister(core, R11, 0xffff_ffffn);
    core.sysret();
    expect(rip(core)).toBe(0x7fff_ffff_f000n);
    expect(core.readRflags()).toBe(0x3c_7fd7);
    expect(wordsOf(core).cpl()).toBe(3);
    expect(wordsOf(core).selector("CS")).toBe(USER_CS);
    expect(wordsOf(core).selector("SS")).toBe(USER_SS);
    expect(core.phase).toBe("execute");
  });

  it("a non-canonical RCX is #GP(0) at CPL 0, on the stack that RSP names", () => {
    const rig = new Rig();
    const core = prepare(rig, "kernel");
    setRegister(core, RCX, 1n << 47n);
    core.sysret();
    finish(core);
    expect(vectorAt(core)).toBe(13);
    expect(frame(rig, core)).toEqual([
      0n,
      0x10_0000n,
      BigInt(KERNEL_CS),
      0x1_0002n,
      0x1_8000n,
      BigInt(KERNEL_SS),
    ]);
  });

  it("SYSRET at CPL 3 is #GP(0); without EFER.SCE it is #UD", () => {
    const user = prepare(new Rig(), "user");
    user.helper(SYSRET, 64, 0, 0, 0, 0x40_0000, 0);
    finish(user);
    expect(vectorAt(user)).toBe(13);
    const kernel = prepare(new Rig(), "kernel");
    kernel.writeControls(CR0_ON | 0, CR4_ON, 0x900);
    kernel.helper(SYSRET, 64, 0, 0, 0, 0x10_0000, 0);
    finish(kernel);
    expect(vectorAt(kernel)).toBe(6);
  });
});
