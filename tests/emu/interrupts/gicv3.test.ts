/** GICv3 as Non-secure EL1 sees it: Arm IHI 0069, sections as named. */
import { describe, expect, it } from "vitest";
import {
  affinityOf,
  Gicv3,
  Gicv3Bus,
  ICC_UNDEFINED,
  type IccRegister,
} from "../../../emu/interrupts/index.ts";
import {
  DEFAULT_PRIORITY,
  GICR,
  GicRig,
  LATENCY,
  NMI_PRIORITY,
  PMR_OFF,
  PMR_ON,
  SPURIOUS,
  sgi,
  sgiToOthers,
  write,
} from "./gic-rig.ts";

function started(count = 1): GicRig {
  const rig = new GicRig(count);
  for (let core = 0; core < count; core++) rig.start(core);
  return rig;
}

describe("reset state, as firmware leaves it", () => {
  const { gic } = new GicRig();
  // PMR: all priorities; BPR1: the smallest of 5 bits, plus one; CTLR: A3V and PRIbits - 1 = 4; SRE: SRE, DFB, DIB.
  const values: readonly (readonly [IccRegister, number])[] = [
    ["ICC_PMR_EL1", 0xf0],
    ["ICC_BPR1_EL1", 3],
    ["ICC_CTLR_EL1", 0x8400],
    ["ICC_SRE_EL1", 7],
    ["ICC_IGRPEN1_EL1", 0],
    ["ICC_RPR_EL1", 0xff],
    ["ICC_AP1R0_EL1", 0],
    ["ICC_IAR1_EL1", SPURIOUS],
    ["ICC_HPPIR1_EL1", SPURIOUS],
  ];
  it.each(values)("%s is 0x%x", (register, value) => {
    expect(gic.read(register)).toBe(value);
  });

  const redistributor: readonly (readonly [keyof typeof GICR, number])[] = [
    ["ISENABLER0", 0],
    ["ISPENDR0", 0],
    ["ISACTIVER0", 0],
    ["ICFGR0", 0xaaaa_aaaa | 0],
    ["ICFGR1", 0],
    ["IPRIORITYR0", 0],
    ["WAKER", 0],
    ["IGROUPR0", 0],
    ["TYPER", 0],
  ];
  it.each(redistributor)("GICR_%s is 0x%x", (name, value) => {
    expect(gic.readRedistributor(GICR[name])).toBe(value);
  });
});

describe("what belongs to firmware", () => {
  const { gic } = new GicRig();
  it.each<IccRegister>([
    "ICC_IAR0_EL1",
    "ICC_HPPIR0_EL1",
    "ICC_BPR0_EL1",
    "ICC_AP0R0_EL1",
    "ICC_IGRPEN0_EL1",
  ])("%s is UNDEFINED", (register) => {
    expect(gic.read(register)).toBe(ICC_UNDEFINED);
    expect(gic.write(register, 0, 0)).toBe(false);
  });

  it.each<IccRegister>(["ICC_EOIR1_EL1", "ICC_DIR_EL1", "ICC_SGI1R_EL1"])("%s cannot be read", (register) => {
    expect(gic.read(register)).toBe(ICC_UNDEFINED);
  });

  it.each<IccRegister>(["ICC_IAR1_EL1", "ICC_RPR_EL1", "ICC_HPPIR1_EL1"])(
    "%s cannot be written",
    (register) => {
      expect(gic.write(register, 0, 0)).toBe(false);
    },
  );

  it("a Secure SGI is not sent", () => {
    const rig = started(2);
    write(rig.gic, "ICC_SGI0R_EL1", sgi(1, 2));
    write(rig.gic, "ICC_ASGI1R_EL1", sgi(1, 2));
    rig.at(10_000, 1);
    expect(rig.gics[1]!.irq).toBe(false);
  });
});

describe("the Non-secure view of priorities, 4.8.1", () => {
  it.each([
    [0xff, 0xf0],
    [0xe0, 0xe0],
    [0xa0, 0xa0],
    [0x60, 0x60],
    [0x17, 0x10],
    [0x10, 0x10],
    // The lowest implemented bit is lost: Linux finds out by this that Group 0 is not its own.
    [0x08, 0x00],
    [0x00, 0x00],
  ])("ICC_PMR_EL1 = 0x%x reads as 0x%x", (written, read) => {
    const { gic } = new GicRig();
    write(gic, "ICC_PMR_EL1", written);
    expect(gic.read("ICC_PMR_EL1")).toBe(read);
  });

  it("GICR_IPRIORITYR has one byte per interrupt, four bits of it", () => {
    const { gic } = new GicRig();
    gic.writeRedistributor(GICR.IPRIORITYR0 + 28, 0xffa0_2f08 | 0);
    expect(gic.readRedistributor(GICR.IPRIORITYR0 + 28) >>> 0).toBe(0xf0a0_2000);
    expect(gic.readRedistributor(GICR.IPRIORITYR0 + 24)).toBe(0);
  });
});

describe("the states of an interrupt, 4.1", () => {
  it("is pending, is acknowledged and active, and is done", () => {
    const rig = started();
    const { gic } = rig;
    expect(gic.irq).toBe(false);
    rig.pend(5);
    expect(gic.irq).toBe(true);
    expect(gic.fiq).toBe(false);
    expect(gic.read("ICC_IAR1_EL1")).toBe(5);
    expect([gic.irq, gic.readRedistributor(GICR.ISPENDR0), gic.readRedistributor(GICR.ISACTIVER0)]).toEqual([
      false,
      0,
      1 << 5,
    ]);
    expect(gic.read("ICC_IAR1_EL1")).toBe(SPURIOUS);
    write(gic, "ICC_EOIR1_EL1", 5);
    expect(gic.readRedistributor(GICR.ISACTIVER0)).toBe(0);
    expect(gic.irq).toBe(false);
  });

  it("that comes again while it is active is signalled after its end", () => {
    const rig = started();
    const { gic } = rig;
    rig.pend(5);
    gic.read("ICC_IAR1_EL1");
    rig.pend(5);
    expect(gic.irq).toBe(false);
    expect(gic.read("ICC_HPPIR1_EL1")).toBe(SPURIOUS);
    write(gic, "ICC_EOIR1_EL1", 5);
    expect(gic.read("ICC_IAR1_EL1")).toBe(5);
  });

  it("may lose its pending state before it is acknowledged: the acknowledgement is spurious", () => {
    const rig = started();
    rig.pend(5);
    rig.gic.writeRedistributor(GICR.ICPENDR0, 1 << 5);
    expect(rig.gic.irq).toBe(false);
    expect(rig.gic.read("ICC_IAR1_EL1")).toBe(SPURIOUS);
  });

  it("is not signalled while it is disabled, and stays pending", () => {
    const rig = started();
    rig.gic.writeRedistributor(GICR.ICENABLER0, 1 << 5);
    rig.pend(5);
    expect(rig.gic.irq).toBe(false);
    rig.gic.writeRedistributor(GICR.ISENABLER0, 1 << 5);
    expect(rig.gic.read("ICC_IAR1_EL1")).toBe(5);
  });

  it("is not signalled while its group is disabled at the CPU interface", () => {
    const rig = started();
    write(rig.gic, "ICC_IGRPEN1_EL1", 0);
    rig.pend(5);
    expect([rig.gic.irq, rig.gic.read("ICC_HPPIR1_EL1")]).toEqual([false, SPURIOUS]);
    write(rig.gic, "ICC_IGRPEN1_EL1", 1);
    expect(rig.gic.irq).toBe(true);
  });

  it("made active by GICR_ISACTIVER0 is not signalled until it is deactivated", () => {
    const rig = started();
    rig.gic.writeRedistributor(GICR.ISACTIVER0, 1 << 5);
    rig.pend(5);
    expect(rig.gic.irq).toBe(false);
    rig.gic.writeRedistributor(GICR.ICACTIVER0, 1 << 5);
    expect(rig.gic.irq).toBe(true);
  });
});

describe("priorities, 4.8", () => {
  it("the highest comes first, then the lowest INTID among equals", () => {
    const rig = started();
    rig.setPriority(9, 0x40);
    for (const intid of [12, 9, 3, 7]) rig.pend(intid);
    const order: number[] = [];
    for (let intid = rig.gic.read("ICC_IAR1_EL1"); intid !== SPURIOUS; intid = rig.gic.read("ICC_IAR1_EL1")) {
      order.push(intid);
      write(rig.gic, "ICC_EOIR1_EL1", intid);
    }
    expect(order).toEqual([9, 3, 7, 12]);
  });

  it("only a higher one preempts", () => {
    const rig = started();
    const { gic } = rig;
    rig.setPriority(1, 0x80);
    rig.setPriority(2, 0x80);
    rig.setPriority(3, 0x70);
    rig.setPriority(4, 0x90);
    rig.pend(1);
    expect(gic.read("ICC_IAR1_EL1")).toBe(1);
    rig.pend(2);
    rig.pend(4);
    expect(gic.irq).toBe(false);
    rig.pend(3);
    expect(gic.read("ICC_IAR1_EL1")).toBe(3);
  });

  it("the running priority is that of the active interrupt, and of the one before after its end", () => {
    const rig = started();
    const { gic } = rig;
    rig.setPriority(1, 0x80);
    rig.setPriority(2, 0x30);
    rig.pend(1);
    gic.read("ICC_IAR1_EL1");
    expect(gic.read("ICC_RPR_EL1")).toBe(0x80);
    // 0x80 is 0xc0 as compared, level 24 of 32.
    expect(gic.read("ICC_AP1R0_EL1")).toBe(1 << 24);
    rig.pend(2);
    gic.read("ICC_IAR1_EL1");
    expect([gic.read("ICC_RPR_EL1"), gic.read("ICC_AP1R0_EL1")]).toEqual([0x30, (1 << 24) | (1 << 19)]);
    write(gic, "ICC_EOIR1_EL1", 2);
    expect(gic.read("ICC_RPR_EL1")).toBe(0x80);
    write(gic, "ICC_EOIR1_EL1", 1);
    expect([gic.read("ICC_RPR_EL1"), gic.read("ICC_AP1R0_EL1")]).toEqual([0xff, 0]);
  });

  it.each([
    // As compared 0xd0 and 0xa0. BPR1 = 7: bit 7, one group of all; 6: bits 7:6.
    [7, false, 0x80 << 1],
    [6, true, 0xc0 << 1],
  ])("with a binary point of %i a higher one preempts: %s", (point, preempts, running) => {
    const rig = started();
    const { gic } = rig;
    write(gic, "ICC_BPR1_EL1", point);
    rig.setPriority(1, 0xa0);
    rig.setPriority(2, 0x40);
    rig.pend(1);
    gic.read("ICC_IAR1_EL1");
    expect(gic.read("ICC_RPR_EL1")).toBe(running & 0xff);
    rig.pend(2);
    expect(gic.irq).toBe(preempts);
  });

  it("the binary point has a least value, and does not change the order of what is pending", () => {
    const rig = started();
    write(rig.gic, "ICC_BPR1_EL1", 0);
    expect(rig.gic.read("ICC_BPR1_EL1")).toBe(3);
    write(rig.gic, "ICC_BPR1_EL1", 7);
    rig.setPriority(2, 0x40);
    rig.pend(1);
    rig.pend(2);
    expect(rig.gic.read("ICC_IAR1_EL1")).toBe(2);
  });

  it("the mask lets through what is higher than itself", () => {
    const rig = started();
    rig.pend(5);
    write(rig.gic, "ICC_PMR_EL1", DEFAULT_PRIORITY);
    expect([rig.gic.irq, rig.gic.read("ICC_IAR1_EL1")]).toEqual([false, SPURIOUS]);
    // It stays the highest pending one.
    expect(rig.gic.read("ICC_HPPIR1_EL1")).toBe(5);
    write(rig.gic, "ICC_PMR_EL1", DEFAULT_PRIORITY + 0x10);
    expect(rig.gic.irq).toBe(true);
  });

  it("a pseudo-NMI passes the mask that holds off all others, and preempts one of them", () => {
    const rig = started();
    const { gic } = rig;
    rig.setPriority(7, NMI_PRIORITY);
    write(gic, "ICC_PMR_EL1", PMR_OFF);
    rig.pend(2);
    expect(gic.irq).toBe(false);
    rig.pend(7);
    expect([gic.irq, gic.read("ICC_IAR1_EL1"), gic.read("ICC_RPR_EL1")]).toEqual([true, 7, NMI_PRIORITY]);
    write(gic, "ICC_EOIR1_EL1", 7);
    expect(gic.irq).toBe(false);
    write(gic, "ICC_PMR_EL1", PMR_ON);
    expect(gic.read("ICC_IAR1_EL1")).toBe(2);
    rig.pend(7);
    expect(gic.read("ICC_IAR1_EL1")).toBe(7);
  });

  it("levels of the Secure half cannot be claimed by ICC_AP1R0_EL1", () => {
    const { gic } = new GicRig();
    write(gic, "ICC_AP1R0_EL1", 0x8001_ffff);
    expect(gic.read("ICC_AP1R0_EL1")).toBe(0x8001_0000);
    write(gic, "ICC_AP1R0_EL1", 0);
    expect(gic.read("ICC_RPR_EL1")).toBe(0xff);
  });
});

describe("the end of an interrupt, 4.1.1", () => {
  it("with EOImode 1 is a priority drop, and ICC_DIR_EL1 deactivates", () => {
    const rig = started();
    const { gic } = rig;
    write(gic, "ICC_CTLR_EL1", 2);
    expect(gic.read("ICC_CTLR_EL1")).toBe(0x8402);
    rig.pend(5);
    gic.read("ICC_IAR1_EL1");
    write(gic, "ICC_EOIR1_EL1", 5);
    expect([gic.read("ICC_RPR_EL1"), gic.readRedistributor(GICR.ISACTIVER0)]).toEqual([0xff, 1 << 5]);
    rig.pend(5);
    rig.pend(6);
    expect(gic.read("ICC_IAR1_EL1")).toBe(6);
    write(gic, "ICC_EOIR1_EL1", 6);
    write(gic, "ICC_DIR_EL1", 5);
    expect(gic.read("ICC_IAR1_EL1")).toBe(5);
    expect(gic.readRedistributor(GICR.ISACTIVER0)).toBe((1 << 5) | (1 << 6));
  });

  it("with EOImode 0 needs no ICC_DIR_EL1, which does nothing", () => {
    const rig = started();
    rig.pend(5);
    rig.gic.read("ICC_IAR1_EL1");
    write(rig.gic, "ICC_DIR_EL1", 5);
    expect(rig.gic.readRedistributor(GICR.ISACTIVER0)).toBe(1 << 5);
  });

  it.each([1020, 1021, 1022, 1023])("of INTID %i, which is none, is ignored", (intid) => {
    const rig = started();
    rig.pend(5);
    rig.gic.read("ICC_IAR1_EL1");
    write(rig.gic, "ICC_EOIR1_EL1", intid);
    expect(rig.gic.read("ICC_RPR_EL1")).toBe(DEFAULT_PRIORITY);
  });

  it("without an active interrupt is ignored", () => {
    const rig = started();
    rig.gic.writeRedistributor(GICR.ISACTIVER0, 1 << 5);
    write(rig.gic, "ICC_EOIR1_EL1", 5);
    expect(rig.gic.readRedistributor(GICR.ISACTIVER0)).toBe(1 << 5);
  });

  it("only EOImode can be written in ICC_CTLR_EL1 with two Security states", () => {
    const { gic } = new GicRig();
    write(gic, "ICC_CTLR_EL1", 0xffff_ffff);
    expect(gic.read("ICC_CTLR_EL1")).toBe(0x8402);
  });
});

describe("SGIs, 4.7 and ICC_SGI1R_EL1", () => {
  const CORES = 20;

  /** Cores at which the SGI is pending when everything has arrived. */
  function reached(value: bigint): number[] {
    const rig = started(CORES);
    write(rig.gic, "ICC_SGI1R_EL1", value);
    rig.gics.forEach((_, core) => {
      rig.at(LATENCY, core);
    });
    return rig.gics.flatMap((gic, core) => (gic.read("ICC_IAR1_EL1") === 3 ? [core] : []));
  }

  it("clusters have 16 cores", () => {
    expect([0, 1, 15, 16, 17, 255, 256].map(affinityOf)).toEqual([0, 1, 15, 0x100, 0x101, 0xf0f, 0x1000]);
  });

  it.each([
    ["one of the first cluster", sgi(3, 1 << 4), [4]],
    ["several of it", sgi(3, 0x8003), [0, 1, 15]],
    ["the second cluster", sgi(3, 0b0101, 1), [16, 18]],
    ["cores that do not exist", sgi(3, 0xff00, 1), []],
    ["a cluster that does not exist", sgi(3, 1, 0, 1), []],
    ["a range selector, which there is not", sgi(3, 1) | (1n << 44n), []],
    ["Aff3", sgi(3, 1) | (1n << 48n), []],
    ["all but the sender", sgiToOthers(3), Array.from({ length: CORES - 1 }, (_, at) => at + 1)],
  ])("to %s", (_what, value, cores) => {
    expect(reached(value)).toEqual(cores);
  });

  it("arrives a latency after the sender's clock, the sender's own too", () => {
    const rig = started(2);
    rig.at(1000);
    write(rig.gic, "ICC_SGI1R_EL1", sgi(3, 0b11));
    expect(rig.core.sends).toBe(1);
    for (const core of [0, 1]) {
      const gic = rig.gics[core]!;
      expect([gic.nextMessageTime, gic.nextEventTime]).toEqual([1000 + LATENCY, 1000 + LATENCY]);
      rig.at(1000 + LATENCY - 1, core);
      expect(gic.irq).toBe(false);
      rig.at(1000 + LATENCY, core);
      expect([gic.irq, gic.nextMessageTime]).toEqual([true, Number.POSITIVE_INFINITY]);
    }
  });

  it("of two senders in flight at once is one interrupt, after the arrival of the second at the latest", () => {
    const rig = started(3);
    rig.cores[1]!.clock = 50;
    write(rig.gics[1]!, "ICC_SGI1R_EL1", sgi(3, 1));
    rig.cores[2]!.clock = 60;
    write(rig.gics[2]!, "ICC_SGI1R_EL1", sgi(3, 1));
    rig.at(160);
    expect([rig.gic.read("ICC_IAR1_EL1"), rig.gic.read("ICC_IAR1_EL1")]).toEqual([3, SPURIOUS]);
    write(rig.gic, "ICC_EOIR1_EL1", 3);
    expect(rig.gic.irq).toBe(false);
  });

  it("that is active may be in flight again", () => {
    const rig = started(2);
    write(rig.gics[1]!, "ICC_SGI1R_EL1", sgi(3, 1));
    rig.at(LATENCY);
    rig.gic.read("ICC_IAR1_EL1");
    rig.cores[1]!.clock = LATENCY;
    write(rig.gics[1]!, "ICC_SGI1R_EL1", sgi(3, 1));
    rig.at(2 * LATENCY);
    write(rig.gic, "ICC_EOIR1_EL1", 3);
    expect(rig.gic.read("ICC_IAR1_EL1")).toBe(3);
  });

  it("floods are bounded, and the last one is not lost", () => {
    const rig = started(2);
    for (let clock = 0; clock < 1000; clock++) {
      rig.cores[1]!.clock = clock;
      write(rig.gics[1]!, "ICC_SGI1R_EL1", sgi(clock & 15, 1));
    }
    rig.at(999 + LATENCY);
    const taken: number[] = [];
    for (let at = 0; at < 16; at++) {
      taken.push(rig.gic.read("ICC_IAR1_EL1"));
      write(rig.gic, "ICC_EOIR1_EL1", taken.at(-1)!);
    }
    expect(taken).toEqual(Array.from({ length: 16 }, (_, at) => at));
    expect(rig.gic.nextEventTime).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("state", () => {
  it("lies in the words: a copy of them goes on as the original", () => {
    const rig = started(2);
    rig.setPriority(4, 0x40);
    rig.pend(4);
    rig.gic.read("ICC_IAR1_EL1");
    rig.gic.timer.write("CNTV_CVAL_EL0", 500, 0);
    rig.gic.timer.write("CNTV_CTL_EL0", 1, 0);
    write(rig.gics[1]!, "ICC_SGI1R_EL1", sgi(3, 1));
    const saved = rig.words[0]!.slice();
    const before = rig.gic.hash(7);

    const play = (): unknown[] => {
      rig.core.clock = 0;
      rig.at(LATENCY);
      write(rig.gic, "ICC_EOIR1_EL1", 4);
      return [rig.gic.read("ICC_IAR1_EL1"), rig.gic.nextEventTime, rig.gic.hash(7)];
    };
    const first = play();
    expect(first.slice(0, 2)).toEqual([3, 1500]);
    rig.words[0]!.set(saved);
    expect(rig.gic.hash(7)).toBe(before);
    expect(play()).toEqual(first);
    expect(first[2]).not.toBe(before);
  });

  it("of the Redistributor survives the core's power cycle, that of the CPU interface and timers does not", () => {
    const rig = started();
    const { gic } = rig;
    rig.pend(5);
    gic.timer.write("CNTP_CTL_EL0", 1, 0);
    gic.resetCpuInterface();
    expect([gic.read("ICC_IGRPEN1_EL1"), gic.read("ICC_PMR_EL1"), gic.irq]).toEqual([0, 0xf0, false]);
    expect(gic.readRedistributor(GICR.ISPENDR0)).toBe(1 << 5);
    expect(gic.readRedistributor(GICR.ISENABLER0)).toBe(0xffff);
    write(gic, "ICC_IGRPEN1_EL1", 1);
    expect(gic.read("ICC_IAR1_EL1")).toBe(5);
  });

  it("two controllers cannot have one affinity", () => {
    const bus = new Gicv3Bus(1);
    const make = (): Gicv3 =>
      new Gicv3({
        id: 3,
        core: new GicRig().core,
        bus,
        words: new Int32Array(Gicv3.words),
        base: 0,
        cyclesPerTick: 1,
        counterFrequency: 1,
      });
    make();
    expect(make).toThrow("affinity 3 is taken");
  });

  it("tells the core whenever what it would accept may have changed", () => {
    const rig = started();
    const { gic, core } = rig;
    const writes: (() => void)[] = [
      () => rig.pend(5),
      () => write(gic, "ICC_PMR_EL1", 0),
      () => write(gic, "ICC_IGRPEN1_EL1", 0),
      () => write(gic, "ICC_BPR1_EL1", 4),
      () => gic.post(3, 10),
      () => gic.timer.write("CNTP_CTL_EL0", 1, 0),
    ];
    for (const each of writes) {
      const { updates } = core;
      each();
      expect(core.updates).toBeGreaterThan(updates);
    }
  });
});
