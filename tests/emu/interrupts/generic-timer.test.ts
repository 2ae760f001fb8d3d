/** The Generic Timer and its PPIs: Arm ARM DDI 0487 D12, IHI 0069 4.1. */
import { describe, expect, it } from "vitest";
import type { TimerRegister } from "../../../emu/interrupts/index.ts";
import { CYCLES_PER_TICK, GICR, GicRig, SPURIOUS, write } from "./gic-rig.ts";

const ENABLE = 1n;
const IMASK = 2n;
const ISTATUS = 4n;
const NEVER = Number.POSITIVE_INFINITY;

interface TimerNames {
  readonly name: string;
  readonly intid: number;
  readonly ctl: TimerRegister;
  readonly cval: TimerRegister;
  readonly tval: TimerRegister;
}

const TIMERS: readonly TimerNames[] = [
  { name: "physical", intid: 30, ctl: "CNTP_CTL_EL0", cval: "CNTP_CVAL_EL0", tval: "CNTP_TVAL_EL0" },
  { name: "virtual", intid: 27, ctl: "CNTV_CTL_EL0", cval: "CNTV_CVAL_EL0", tval: "CNTV_TVAL_EL0" },
];

class TimerRig extends GicRig {
  constructor() {
    super(1);
    this.start();
    this.gic.writeRedistributor(GICR.ISENABLER0, (1 << 27) | (1 << 30));
  }

  get(register: TimerRegister): bigint {
    const { timer } = this.gic;
    timer.read(register);
    return (BigInt(timer.valueHi >>> 0) << 32n) | BigInt(timer.valueLo >>> 0);
  }

  set(register: TimerRegister, value: bigint): boolean {
    return this.gic.timer.write(
      register,
      Number(BigInt.asIntN(32, value)),
      Number(BigInt.asIntN(32, value >> 32n)),
    );
  }

  /** Moves the core to a count. */
  atCount(count: number): void {
    this.at(count * CYCLES_PER_TICK);
  }
}

describe("counters", () => {
  it("count the core's clock, and both are the same", () => {
    const rig = new TimerRig();
    rig.core.clock = 3 * 0x1_2345_6789 + 2;
    expect([rig.get("CNTPCT_EL0"), rig.get("CNTVCT_EL0")]).toEqual([0x1_2345_6789n, 0x1_2345_6789n]);
    expect(rig.get("CNTFRQ_EL0")).toBe(1_000_000_000n);
  });

  it.each<TimerRegister>(["CNTFRQ_EL0", "CNTPCT_EL0", "CNTVCT_EL0"])(
    "%s cannot be written at EL1",
    (register) => {
      expect(new TimerRig().set(register, 1n)).toBe(false);
    },
  );
});

describe.each(TIMERS)("the $name timer", ({ intid, ctl, cval, tval }) => {
  it("fires when the counter reaches the compare value, and not before", () => {
    const rig = new TimerRig();
    rig.set(cval, 100n);
    rig.set(ctl, ENABLE);
    expect([rig.gic.nextEventTime, rig.gic.timerTime]).toEqual([300, 300]);
    rig.at(299);
    expect([rig.gic.irq, rig.get(ctl)]).toEqual([false, ENABLE]);
    rig.at(300);
    expect([rig.gic.irq, rig.get(ctl)]).toEqual([true, ENABLE | ISTATUS]);
    expect(rig.gic.read("ICC_IAR1_EL1")).toBe(intid);
  });

  it("keeps its interrupt pending, and active and pending, until the condition is gone", () => {
    const rig = new TimerRig();
    const { gic } = rig;
    rig.set(cval, 100n);
    rig.set(ctl, ENABLE);
    rig.atCount(100);
    expect(gic.nextEventTime).toBe(NEVER);
    gic.writeRedistributor(GICR.ICPENDR0, 1 << intid);
    expect(gic.readRedistributor(GICR.ISPENDR0)).toBe(1 << intid);
    gic.read("ICC_IAR1_EL1");
    expect([gic.readRedistributor(GICR.ISPENDR0), gic.readRedistributor(GICR.ISACTIVER0)]).toEqual([
      1 << intid,
      1 << intid,
    ]);
    write(gic, "ICC_EOIR1_EL1", intid);
    expect(gic.read("ICC_IAR1_EL1")).toBe(intid);
    rig.set(cval, 200n);
    write(gic, "ICC_EOIR1_EL1", intid);
    expect([gic.irq, gic.nextEventTime]).toEqual([false, 600]);
    rig.atCount(200);
    expect(gic.read("ICC_IAR1_EL1")).toBe(intid);
  });

  it("whose condition goes before the acknowledgement gives a spurious one", () => {
    const rig = new TimerRig();
    rig.set(cval, 10n);
    rig.set(ctl, ENABLE);
    rig.atCount(10);
    expect(rig.gic.irq).toBe(true);
    rig.set(ctl, 0n);
    expect([rig.gic.irq, rig.gic.read("ICC_IAR1_EL1")]).toEqual([false, SPURIOUS]);
  });

  it("fires at once if the compare value is in the past", () => {
    const rig = new TimerRig();
    rig.atCount(1000);
    rig.set(cval, 999n);
    rig.set(ctl, ENABLE);
    expect([rig.gic.irq, rig.gic.nextEventTime]).toEqual([true, NEVER]);
  });

  it("tells its status and does not fire while it is masked", () => {
    const rig = new TimerRig();
    rig.set(cval, 10n);
    rig.set(ctl, ENABLE | IMASK);
    expect([rig.gic.nextEventTime, rig.gic.timerTime]).toEqual([NEVER, NEVER]);
    rig.atCount(10);
    expect([rig.gic.irq, rig.get(ctl)]).toEqual([false, ENABLE | IMASK | ISTATUS]);
    rig.set(ctl, ENABLE);
    expect(rig.gic.irq).toBe(true);
  });

  it("that is disabled has no status, and keeps its compare value", () => {
    const rig = new TimerRig();
    rig.set(cval, 10n);
    rig.atCount(20);
    expect([rig.get(ctl), rig.gic.irq, rig.get(cval)]).toEqual([0n, false, 10n]);
  });

  it("compares without a sign, all 64 bits", () => {
    const rig = new TimerRig();
    rig.set(ctl, ENABLE);
    rig.set(cval, 0xffff_ffff_ffff_ffffn);
    rig.atCount(1_000_000_000);
    expect([rig.gic.irq, rig.get(ctl), rig.get(cval)]).toEqual([false, ENABLE, 0xffff_ffff_ffff_ffffn]);
    rig.set(cval, 0x1_0000_0000n);
    expect(rig.gic.nextEventTime).toBe(3 * 0x1_0000_0000);
    rig.atCount(0x1_0000_0000);
    expect(rig.gic.irq).toBe(true);
  });

  it.each([
    [5n, 1005n],
    [0xffff_fff6n, 990n],
    [0x7fff_ffffn, 0x8000_03e7n],
    [0x8000_0000n, 0xffff_ffff_8000_03e8n],
  ])("TVAL = 0x%x at a count of 1000 makes CVAL 0x%x", (value, compare) => {
    const rig = new TimerRig();
    rig.atCount(1000);
    rig.set(tval, value);
    expect(rig.get(cval)).toBe(compare);
    expect(rig.get(tval)).toBe(value);
  });

  it("TVAL counts down, and on below 0", () => {
    const rig = new TimerRig();
    rig.set(cval, 100n);
    rig.atCount(40);
    expect(rig.get(tval)).toBe(60n);
    rig.atCount(103);
    expect(rig.get(tval)).toBe(0xffff_fffdn);
  });

  it("carries out of 32 bits when TVAL is written", () => {
    const rig = new TimerRig();
    rig.atCount(0xffff_fff0);
    rig.set(tval, 0x20n);
    expect(rig.get(cval)).toBe(0x1_0000_0010n);
  });

  it("whose interrupt is disabled is no event for the scheduler of exploring runs", () => {
    const rig = new TimerRig();
    rig.set(cval, 10n);
    rig.set(ctl, ENABLE);
    rig.gic.writeRedistributor(GICR.ICENABLER0, 1 << intid);
    expect(rig.gic.timerTime).toBe(NEVER);
    rig.atCount(10);
    expect(rig.gic.irq).toBe(false);
    rig.gic.writeRedistributor(GICR.ISENABLER0, 1 << intid);
    expect(rig.gic.irq).toBe(true);
  });

  it("as an edge is pending once for each rise", () => {
    const rig = new TimerRig();
    const { gic } = rig;
    gic.writeRedistributor(GICR.ICFGR1, 2 << ((intid - 16) * 2));
    expect(gic.readRedistributor(GICR.ICFGR1)).toBe(2 << ((intid - 16) * 2));
    rig.set(cval, 10n);
    rig.set(ctl, ENABLE);
    rig.atCount(10);
    expect(gic.read("ICC_IAR1_EL1")).toBe(intid);
    expect(gic.readRedistributor(GICR.ISPENDR0)).toBe(0);
    write(gic, "ICC_EOIR1_EL1", intid);
    expect(gic.irq).toBe(false);
    rig.set(cval, 20n);
    rig.atCount(20);
    expect(gic.irq).toBe(true);
  });
});

describe("both timers", () => {
  it("are independent, and the earlier one is the next event", () => {
    const rig = new TimerRig();
    rig.set("CNTP_CVAL_EL0", 50n);
    rig.set("CNTP_CTL_EL0", ENABLE);
    rig.set("CNTV_CVAL_EL0", 40n);
    rig.set("CNTV_CTL_EL0", ENABLE);
    expect(rig.gic.nextEventTime).toBe(120);
    rig.atCount(40);
    expect([rig.gic.read("ICC_IAR1_EL1"), rig.gic.nextEventTime]).toEqual([27, 150]);
    rig.set("CNTV_CTL_EL0", 0n);
    write(rig.gic, "ICC_EOIR1_EL1", 27);
    rig.atCount(50);
    expect(rig.gic.read("ICC_IAR1_EL1")).toBe(30);
  });
});
