import { expect, test } from "vitest";
import type { X86Cpu } from "../../../../emu/hardware.ts";
import { type LockClass, lockClass, spinLock, spinUnlock } from "../../../../kernel/locking/index.ts";
import { kptrOf } from "../../../../kernel/struct.ts";
import { RealMachine } from "../../support/real-machine.ts";

const SPIN: LockClass = lockClass({
  name: "spin",
  rank: 50,
  context: "process",
  kind: "spin",
  guards: "a counter",
});
/** RAM that nothing else uses: below the kernel text, above the trampoline. */
const SCRATCH = 0x9_0000;

test.each(["timed", "random"] as const)(
  "NMIs reach idle, waiting and running cores and leave no trace, %s",
  (scheduler) => {
    const lock = kptrOf(SCRATCH);
    let phase = 0;
    const real = new RealMachine({ cpus: 3, scheduler, seed: 4 }, [
      function* (k) {
        yield* spinLock(k, lock, SPIN);
        phase = 1;
        for (let round = 0; round < 40; round++) if (k.point(100)) yield;
        for (let target = 0; target < 3; target++) {
          (k.cpu as X86Cpu).wrmsr(0x830, 0x400, target);
          for (let round = 0; round < 40; round++) if (k.point(100)) yield;
        }
        spinUnlock(k, lock, SPIN);
      },
      function* (k) {
        while (phase === 0) if (k.point(50)) yield;
        yield* spinLock(k, lock, SPIN);
        spinUnlock(k, lock, SPIN);
      },
    ]);
    expect(real.run()).toBe("power-off");
    expect(real.kernel.reports).toEqual([]);
    expect(real.kernel.counters.get("NMI")).toBe(3);
    expect(real.lines.filter((line) => line.includes("Uhhuh. NMI received"))).toHaveLength(3);
  },
);

test.each([2, 4, 16])("bringing up %i cores takes 20 microseconds for each start-up IPI", (cpus) => {
  const real = new RealMachine({ cpus, scheduler: "timed" }, [
    function* (k) {
      if (k.point(10)) yield;
    },
  ]);
  expect(real.run()).toBe("power-off");
  const timeUs = (text: string): number => {
    const line = real.lines.find((each) => each.includes(text))!;
    return Math.round(Number(/^\[ *([\d.]+)\]/.exec(line)![1]) * 1e6);
  };
  const perCore = (timeUs("Brought up") - timeUs("Bringing up")) / (cpus - 1);
  expect(perCore).toBeGreaterThanOrEqual(40);
  expect(perCore).toBeLessThan(42);
});
