/** IRQs at the core: masks, vectors, nesting, sleeping. Arm ARM D1.3.6, D1.6; the controller has tests of its own. */
import { describe, expect, test } from "vitest";
import {
  a64,
  DAIF,
  EL0,
  EL1H,
  EL1T,
  type Entry,
  type Handler,
  KERNEL_CODE,
  PSTATE_I,
  Rig,
  type RigOptions,
  register,
  SCTLR_NO_EL0,
  setRegister,
  setX,
  USER_CODE,
  USER_DATA,
  x,
} from "./rig.ts";

const GICR_ISENABLER0 = 0x1_0100;
const GICR_IPRIORITYR0 = 0x1_0400;
const VIRTUAL_TIMER = 27;
const IRQ = 0x80;
/** ICC_SGI1R_EL1: INTID 3 to Aff0 0 and to Aff0 1. */
const SGI3_TO_0 = 0x300_0001;
const SGI3_TO_1 = 0x300_0002;
const SGI2_TO_0 = 0x200_0001;

function rigWithGic(options: RigOptions = {}): Rig {
  const rig = new Rig(options);
  for (const core of rig.cores) {
    core.writeRedistributor(GICR_ISENABLER0, 0x800_ffff);
    setRegister(core, "ICC_IGRPEN1_EL1", 1n);
    setRegister(core, "ICC_PMR_EL1", 0xf0n);
  }
  return rig;
}

/** Loops until something happens. */
const SPIN = a64("b .");

/** Acknowledges and ends the interrupt, notes its number, and goes on. */
function acknowledging(taken: number[], more: Handler = () => "return"): Handler {
  return (core, entry) => {
    if ((entry.vector & 0x180) !== IRQ) return more(core, entry);
    const intid = core.mrsLo("ICC_IAR1_EL1");
    taken.push(intid);
    core.msr("ICC_EOIR1_EL1", intid, 0);
    return more(core, entry);
  };
}

describe("acceptance", () => {
  test.each([
    ["EL0", EL0, 0x480],
    ["EL1 with SP_EL0", EL1T, 0x080],
    ["EL1 with SP_EL1", EL1H, 0x280],
  ] as const)("an IRQ from %s", (_, from, vector) => {
    const rig = rigWithGic();
    rig.start(rig.core, from | 0x2000_0000, SPIN);
    rig.core.msr("ICC_SGI1R_EL1", SGI3_TO_0, 0);
    expect(rig.run(10_000)).toBe("stopped");
    const [entry] = rig.entries as [Entry];
    expect([entry.vector, entry.spsr, entry.daif]).toEqual([vector, from | 0x2000_0000, DAIF]);
    expect(entry.elr).toBe(BigInt(from === EL0 ? USER_CODE : KERNEL_CODE));
  });

  test("ESR_EL1 and FAR_EL1 are left alone", () => {
    const rig = rigWithGic();
    setRegister(rig.core, "ESR_EL1", 0x1234n);
    setRegister(rig.core, "FAR_EL1", 0x5678n);
    rig.start(rig.core, EL0, SPIN);
    rig.core.msr("ICC_SGI1R_EL1", SGI3_TO_0, 0);
    rig.run(10_000);
    expect([rig.entries[0]!.esr, rig.entries[0]!.far]).toEqual([0x1234, 0x5678n]);
  });

  test.each([
    ["I masks", PSTATE_I, "mask"],
    ["F does not", 0x40, "no mask"],
    ["A and D do not", 0x300, "no mask"],
  ] as const)("PSTATE.%s", (_, bits, effect) => {
    const rig = rigWithGic();
    rig.start(rig.core, EL1H | bits, SPIN);
    rig.core.msr("ICC_SGI1R_EL1", SGI3_TO_0, 0);
    rig.run(5000);
    expect(rig.entries.length).toBe(effect === "mask" ? 0 : 1);
    expect(register(rig.core, "ISR_EL1")).toBe(0x80n);
  });

  test("MSR DAIFClr lets it in before the next instruction", () => {
    const rig = rigWithGic();
    rig.core.msr("ICC_SGI1R_EL1", SGI3_TO_0, 0);
    rig.core.charge(10_000);
    rig.start(rig.core, EL1H | PSTATE_I, a64("nop", "msr daifclr, #2", "brk #0x7"));
    rig.run();
    expect([rig.entries[0]!.vector, rig.entries[0]!.elr]).toEqual([0x280, BigInt(KERNEL_CODE + 8)]);
  });

  test("MSR DAIF does, too, and so does ERET", () => {
    for (const code of [a64("msr daif, xzr", "brk #0x7"), a64("eret")]) {
      const rig = rigWithGic();
      rig.core.msr("ICC_SGI1R_EL1", SGI3_TO_0, 0);
      rig.core.charge(10_000);
      rig.start(rig.core, EL1H | PSTATE_I, code);
      rig.core.writeSpsr(EL1H);
      rig.core.writeElr(KERNEL_CODE + 4, 0);
      rig.run();
      expect([rig.entries[0]!.vector, rig.entries[0]!.elr]).toEqual([0x280, BigInt(KERNEL_CODE + 4)]);
    }
  });

  test("an interrupt of higher priority nests in the handler of another, and both return", () => {
    const rig = rigWithGic();
    // SGI 2 beats SGI 3.
    rig.core.writeRedistributor(GICR_IPRIORITYR0, 0x8040_8080 | 0);
    const order: string[] = [];
    rig.handler = (core, entry) => {
      if ((entry.vector & 0x180) === 0) return "stop";
      const intid = core.mrsLo("ICC_IAR1_EL1");
      order.push(`enter ${intid} from ${entry.vector.toString(16)}`);
      if (intid === 3) {
        // Unmasks, sends itself the other one, executes guest code, and only then ends its own.
        core.msr("ICC_SGI1R_EL1", SGI2_TO_0, 0);
        setX(core, 10, entry.elr);
        setX(core, 11, entry.spsr);
        rig.put(KERNEL_CODE, [
          ...a64("msr daifclr, #2", "cbz x9, .", "msr daifset, #2", "mov x12, #3", "msr icc_eoir1_el1, x12"),
          ...a64("msr elr_el1, x10", "msr spsr_el1, x11", "eret"),
        ]);
        core.setKernelPc(KERNEL_CODE, 0);
        core.phase = "execute";
        return "leave";
      }
      setX(core, 9, 1);
      core.msr("ICC_EOIR1_EL1", intid, 0);
      return "return";
    };
    rig.start(rig.core, EL0, a64("cbz x9, .", "svc #0"));
    rig.core.msr("ICC_SGI1R_EL1", SGI3_TO_0, 0);
    expect(rig.run(100_000)).toBe("stopped");
    expect(order).toEqual(["enter 3 from 480", "enter 2 from 280"]);
    expect(rig.entries.at(-1)!.elr).toBe(BigInt(USER_CODE + 8));
    expect(register(rig.core, "ICC_RPR_EL1")).toBe(0xffn);
  });
});

describe("WFI", () => {
  test("sleeps until the timer, and the interrupt is taken with the following instruction as return address", () => {
    const taken: number[] = [];
    const rig = rigWithGic();
    rig.handler = acknowledging(taken, () => "stop");
    setRegister(rig.core, "CNTV_TVAL_EL0", 100_000n);
    setRegister(rig.core, "CNTV_CTL_EL0", 1n);
    rig.start(rig.core, EL1H, a64("wfi", "brk #0x7"));
    expect(rig.run()).toBe("stopped");
    expect(taken).toEqual([VIRTUAL_TIMER]);
    expect(rig.entries[0]!.elr).toBe(BigInt(KERNEL_CODE + 4));
    // 100 000 ticks of a counter of 1 GHz at 3 GHz.
    expect(rig.core.clock).toBeGreaterThanOrEqual(300_000);
    expect(rig.core.clock).toBeLessThan(301_000);
    expect(rig.core.retired).toBeLessThan(5);
  });

  test("goes on with a masked interrupt, which stays pending", () => {
    const rig = rigWithGic();
    setRegister(rig.core, "CNTV_TVAL_EL0", 1000n);
    setRegister(rig.core, "CNTV_CTL_EL0", 1n);
    rig.start(rig.core, EL1H | PSTATE_I, a64("wfi", "mrs x0, isr_el1", "svc #0"));
    expect(rig.run()).toBe("stopped");
    expect(x(rig.core, 0)).toBe(0x80n);
    expect(rig.entries[0]!.vector).toBe(0x200);
    expect(rig.core.clock).toBeGreaterThanOrEqual(3000);
  });

  test("does not sleep while one is pending", () => {
    const rig = rigWithGic();
    rig.core.msr("ICC_SGI1R_EL1", SGI3_TO_0, 0);
    rig.core.charge(10_000);
    rig.start(rig.core, EL1H | PSTATE_I, a64("wfi", "svc #0"));
    expect(rig.run()).toBe("stopped");
  });

  test("with nothing to wake the core is a deadlock, not a hang", () => {
    const rig = rigWithGic();
    rig.start(rig.core, EL1H, a64("wfi"));
    expect(rig.run()).toBe("no core can ever run again");
  });

  test("another core's SGI wakes it at its arrival", () => {
    const taken: number[] = [];
    const rig = rigWithGic({ cpus: 2 });
    rig.handler = acknowledging(taken, () => "stop");
    const [first, second] = rig.cores as [(typeof rig.cores)[0], (typeof rig.cores)[0]];
    rig.start(second, EL1H, a64("wfi"), KERNEL_CODE + 0x100);
    setX(first, 0, SGI3_TO_1);
    rig.start(first, EL1H, a64("msr icc_sgi1r_el1, x0", "b ."));
    expect(rig.run(100_000)).toBe("stopped");
    expect(taken).toEqual([3]);
    expect(rig.entries[0]!.core).toBe(1);
    expect(second.clock).toBeGreaterThanOrEqual(800);
  });
});

describe("WFE", () => {
  test("SEVL makes the next WFE go on, the one after it waits", () => {
    const rig = rigWithGic();
    rig.start(rig.core, EL1H, a64("wfe", "sevl", "wfe", "mov x5, #1", "wfe", "mov x5, #2"));
    expect(rig.run()).toBe("no core can ever run again");
    expect(x(rig.core, 5)).toBe(1n);
  });

  test("SEV wakes the other core, not before its own time", () => {
    const rig = new Rig({ cpus: 2 });
    const [first, second] = rig.cores as [(typeof rig.cores)[0], (typeof rig.cores)[0]];
    rig.handler = (core) => (core.id === 1 ? "stop" : "leave");
    rig.start(second, EL0, a64("wfe", "wfe", "svc #0"), USER_CODE + 0x100);
    first.charge(50_000);
    rig.start(first, EL0, a64("sev", "b ."));
    expect(rig.run(100_000)).toBe("stopped");
    expect(second.clock).toBeGreaterThanOrEqual(50_000);
  });

  test("SEV sets the event register of its own core", () => {
    const rig = new Rig();
    rig.start(rig.core, EL0, a64("wfe", "sev", "wfe", "svc #0"));
    expect(rig.run()).toBe("stopped");
  });

  test.each(["timed", "random"] as const)(
    "a store to a monitored word wakes whoever waits for it: %s",
    (scheduler) => {
      const rig = new Rig({ cpus: 2, scheduler });
      const [first, second] = rig.cores as [(typeof rig.cores)[0], (typeof rig.cores)[0]];
      rig.handler = (core) => (core.id === 1 ? "stop" : "leave");
      // The waiting half of a spin lock.
      for (const core of rig.cores) setX(core, 0, USER_DATA);
      rig.start(
        second,
        EL0,
        a64("sevl", "wfe", "ldaxr w1, [x0]", "cbz w1, .-8", "svc #0"),
        USER_CODE + 0x100,
      );
      setX(first, 2, 20_000);
      rig.start(first, EL0, a64("sub x2, x2, #1", "cbnz x2, .-4", "mov w1, #1", "stlr w1, [x0]", "b ."));
      expect(rig.run(200_000)).toBe("stopped");
      expect(x(second, 1)).toBe(1n);
      // It slept: it retired a handful of instructions while the other core counted down.
      expect(second.retired).toBeLessThan(40);
      expect(second.clock).toBeGreaterThan(40_000);
    },
  );

  test("an unmasked interrupt ends it, a masked one does not", () => {
    for (const [mask, end] of [
      [0, "stopped"],
      [PSTATE_I, "no core can ever run again"],
    ] as const) {
      const rig = rigWithGic();
      setRegister(rig.core, "CNTV_TVAL_EL0", 1000n);
      setRegister(rig.core, "CNTV_CTL_EL0", 1n);
      rig.start(rig.core, EL1H | mask, a64("wfe", "wfe", "svc #0"));
      expect(rig.run()).toBe(end);
      if (mask === 0) expect(rig.entries[0]!.vector).toBe(0x280);
    }
  });

  test("at EL0 it waits only if SCTLR_EL1.nTWE lets it", () => {
    const rig = rigWithGic();
    setRegister(rig.core, "SCTLR_EL1", SCTLR_NO_EL0);
    rig.start(rig.core, EL0, a64("wfe", "wfe"));
    rig.run();
    expect(rig.entries[0]!.esr >>> 26).toBe(1);
  });
});

describe("loops without end", () => {
  test.each(["b .", "cbz x0, .", "cbnz x1, .", "tbz x0, #3, .", "tbnz x1, #40, .", "b.eq ."])(
    "%s ends its slices, so that others run and interrupts arrive",
    (loop) => {
      const rig = rigWithGic();
      setX(rig.core, 1, -1n);
      setRegister(rig.core, "CNTV_TVAL_EL0", 5000n);
      setRegister(rig.core, "CNTV_CTL_EL0", 1n);
      rig.start(rig.core, EL0 | 0x4000_0000, a64(loop));
      expect(rig.run(100_000)).toBe("stopped");
      expect(rig.core.clock).toBeLessThan(20_000);
    },
  );
});
