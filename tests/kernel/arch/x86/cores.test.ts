import { describe, expect, test } from "vitest";
import type { X86Cpu } from "../../../../emu/hardware.ts";
import type { Context, Work } from "../../../../kernel/context.ts";
import { CpuSet } from "../../../../kernel/cpu-set.ts";
import { smpCallFunctionMany } from "../../../../kernel/cross-call.ts";
import {
  downRead,
  downWrite,
  type LockClass,
  lockClass,
  RWSEM_BYTES,
  spinLock,
  spinUnlock,
  upRead,
  upWrite,
} from "../../../../kernel/locking/index.ts";
import { synchronizeRcu } from "../../../../kernel/rcu.ts";
import { scheduleTimeout, TASK_INTERRUPTIBLE, yieldTask } from "../../../../kernel/sched/index.ts";
import { kptrOf } from "../../../../kernel/struct.ts";
import { RealMachine, type RealOptions } from "../../support/real-machine.ts";

const SPIN: LockClass = lockClass({
  name: "spin",
  rank: 50,
  context: "process",
  kind: "spin",
  guards: "a counter",
});
const SEM: LockClass = lockClass({
  name: "sem",
  rank: 40,
  context: "process",
  kind: "sleep",
  guards: "a counter",
});

/** RAM that nothing else uses: below the kernel text, above the trampoline. */
const SCRATCH = 0x9_0000;

const CONFIGURATIONS: readonly RealOptions[] = [
  { cpus: 1, scheduler: "timed" },
  { cpus: 4, scheduler: "timed" },
  { cpus: 16, scheduler: "timed" },
  ...[1, 2, 3, 4, 5].map((seed) => ({ cpus: 4, scheduler: "random" as const, seed })),
];

describe.each(CONFIGURATIONS)("on $cpus emulated cores, $scheduler, seed $seed", (options) => {
  test("locks, sleeps, grace periods and cross calls work together", () => {
    const tasks = 6;
    let calls = 0;
    let expected = 0;
    const real: RealMachine = new RealMachine(
      options,
      Array.from({ length: tasks }, (_, index) => work(index)),
    );
    const kind = real.kernel.registerCall("test", function* (k) {
      if (k.point(10)) yield;
      calls++;
    });
    expect(real.run()).toBe("power-off");
    expect(real.kernel.reports).toEqual([]);
    expect(real.machine.ram.read32(SCRATCH + 4)).toBe(tasks * 12);
    expect(real.machine.ram.read32(SCRATCH + RWSEM_BYTES + 64)).toBe(tasks * 6);
    expect(calls).toBe(expected);

    function work(index: number): (k: Context) => Work {
      return function* (k) {
        const { ram } = k;
        const sem = kptrOf(SCRATCH + 64);
        for (let round = 0; round < 12; round++) {
          yield* spinLock(k, kptrOf(SCRATCH), SPIN);
          const value = ram.read32(SCRATCH + 4);
          if (k.point(30)) yield;
          ram.write32(SCRATCH + 4, value + 1);
          spinUnlock(k, kptrOf(SCRATCH), SPIN);
          if (round % 2 === 0) {
            yield* downWrite(k, sem, SEM);
            const count = ram.read32(SCRATCH + RWSEM_BYTES + 64);
            if (k.point(200)) yield;
            ram.write32(SCRATCH + RWSEM_BYTES + 64, count + 1);
            yield* upWrite(k, sem, SEM);
          } else {
            yield* downRead(k, sem, SEM);
            if (k.point(100)) yield;
            yield* upRead(k, sem, SEM);
          }
          if (round === 5) {
            k.task!.state = TASK_INTERRUPTIBLE;
            yield* scheduleTimeout(k, k.cpu.clock + 50_000 * (index + 1));
          }
          if (round % 4 === 1) {
            expected += k.kernel.sched.online.count() - 1;
            yield* smpCallFunctionMany(k, CpuSet.first(options.cpus), kind, kptrOf(SCRATCH), {
              wait: "wait",
            });
          }
          if (round % 5 === 2) yield* yieldTask(k);
          if (round === 8) yield* synchronizeRcu(k);
        }
      };
    }
  });
});

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

test("the same seed gives the same hashes, twice", () => {
  const hashes = [1, 2].map(() => {
    const real = new RealMachine({ cpus: 4, scheduler: "random", seed: 9 }, [
      function* (k) {
        for (let round = 0; round < 50; round++) if (k.point(70)) yield;
        yield* synchronizeRcu(k);
      },
    ]);
    expect(real.run()).toBe("power-off");
    return [real.machine.stateHash(), real.machine.events.hash, real.lines.join("\n")];
  });
  expect(hashes[1]).toEqual(hashes[0]);
});
