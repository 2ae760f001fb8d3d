import { expect, test } from "vitest";
import type { Aarch64Cpu } from "../../../../emu/hardware.ts";
import { IPI_RESCHEDULE, sendSgi } from "../../../../kernel/arch/arm64/gic.ts";
import type { Context } from "../../../../kernel/context.ts";
import { irqRestore, irqSave } from "../../../../kernel/locking/index.ts";
import { scheduleTimeout, TASK_INTERRUPTIBLE } from "../../../../kernel/sched/index.ts";
import { RealMachine } from "../../support/real-machine.ts";

const ARCH = "aarch64";

test("an SGI reaches the core that its affinity names, past the first sixteen too", () => {
  const reached: number[] = [];
  const real = new RealMachine({ arch: ARCH, cpus: 20, scheduler: "timed" }, [
    function* (k) {
      const accepted = (): number[] =>
        real.machine.cores.map((core) => (core as unknown as Accepting).interruptsAccepted);
      for (const target of [1, 15, 16, 19]) {
        // What was under way before has arrived by then.
        for (let round = 0; round < 200; round++) if (k.point(100)) yield;
        const before = accepted();
        sendSgi(k.cpu as Aarch64Cpu, k.kernel.platform.cpus[target] as Aarch64Cpu, IPI_RESCHEDULE);
        for (let round = 0; round < 200; round++) if (k.point(100)) yield;
        accepted().forEach((count, core) => {
          if (count !== before[core]) reached.push(core);
        });
      }
    },
  ]);
  expect(real.run()).toBe("power-off");
  expect(reached).toEqual([1, 15, 16, 19]);
  expect(real.kernel.reports).toEqual([]);
});

interface Accepting {
  readonly interruptsAccepted: number;
}

test("an interrupt waits while DAIF masks it, and is taken at the point that unmasks", () => {
  const depths: number[] = [];
  let pendingMasked = 0;
  const real = new RealMachine({ arch: ARCH, cpus: 1, scheduler: "timed" }, [
    function* (k) {
      const cpu = k.cpu as Aarch64Cpu;
      const enabled = irqSave(k);
      sendSgi(cpu, cpu, IPI_RESCHEDULE);
      for (let round = 0; round < 50; round++) {
        if (k.point(100)) yield;
        depths.push(k.traps.length);
      }
      pendingMasked = real.kernel.counters.get("IPI0");
      irqRestore(k, enabled);
      for (let round = 0; round < 5; round++) if (k.point(100)) yield;
    },
  ]);
  expect(real.run()).toBe("power-off");
  expect(new Set(depths)).toEqual(new Set([1]));
  expect(pendingMasked).toBe(0);
  expect(real.kernel.counters.get("IPI0")).toBe(1);
});

test("an interrupt that was acknowledged is over when its handler is: the same one is taken again", () => {
  const real = new RealMachine({ arch: ARCH, cpus: 1, scheduler: "timed" }, [
    function* (k) {
      for (let round = 1; round <= 3; round++) {
        sendSgi(k.cpu as Aarch64Cpu, k.cpu as Aarch64Cpu, IPI_RESCHEDULE);
        while (real.kernel.counters.get("IPI0") < round) if (k.point(50)) yield;
      }
    },
  ]);
  expect(real.run()).toBe("power-off");
  const cpu = real.machine.cores[0] as unknown as Aarch64Cpu;
  // No active priority is left.
  expect(cpu.mrsLo("ICC_AP1R0_EL1")).toBe(0);
  expect(cpu.mrsLo("ICC_RPR_EL1")).toBe(0xff);
});

test("the timer interrupts once its time has come, not before, and is masked until it is armed again", () => {
  const late: number[] = [];
  const real = new RealMachine({ arch: ARCH, cpus: 1, scheduler: "timed" }, [
    function* (k: Context) {
      for (const span of [1, 1000, 12_345, 300_001]) {
        const until = k.cpu.clock + span;
        k.task!.state = TASK_INTERRUPTIBLE;
        yield* scheduleTimeout(k, until);
        late.push(k.cpu.clock - until);
        expect((k.cpu as Aarch64Cpu).mrsLo("CNTV_CTL_EL0") & 3).not.toBe(1);
      }
    },
  ]);
  expect(real.run()).toBe("power-off");
  for (const cycles of late) {
    expect(cycles).toBeGreaterThanOrEqual(0);
    expect(cycles).toBeLessThan(5000);
  }
  expect(real.kernel.counters.get("arch_timer")).toBe(4);
});

test("a private interrupt that nobody handles is reported", () => {
  const real = new RealMachine({ arch: ARCH, cpus: 1, scheduler: "timed" }, [
    function* (k) {
      const cpu = k.cpu as Aarch64Cpu;
      sendSgi(cpu, cpu, 5);
      for (let round = 0; round < 30; round++) if (k.point(100)) yield;
    },
  ]);
  expect(real.run()).toBe("power-off");
  expect(real.lines.some((line) => line.includes("irq 5: nobody cared"))).toBe(true);
});
