import { describe, expect, test } from "vitest";
import type { Context, Work } from "../../kernel/context.ts";
import { CpuSet } from "../../kernel/cpu-set.ts";
import { smpCallFunctionMany } from "../../kernel/cross-call.ts";
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
} from "../../kernel/locking/index.ts";
import { synchronizeRcu } from "../../kernel/rcu.ts";
import { scheduleTimeout, TASK_INTERRUPTIBLE, yieldTask } from "../../kernel/sched/index.ts";
import { kptrOf } from "../../kernel/struct.ts";
import { RealMachine, type RealOptions } from "./support/real-machine.ts";

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

/** RAM that nothing else uses: below the kernel text. */
const SCRATCH = 0x9_0000;

const CONFIGURATIONS: readonly RealOptions[] = ["x86-64", "aarch64"].flatMap((arch) => [
  { arch, cpus: 1, scheduler: "timed" as const },
  { arch, cpus: 4, scheduler: "timed" as const },
  { arch, cpus: 16, scheduler: "timed" as const },
  ...[1, 2, 3, 4, 5].map((seed) => ({ arch, cpus: 4, scheduler: "random" as const, seed })),
]);

describe.each(CONFIGURATIONS)("on $cpus emulated cores of $arch, $scheduler, seed $seed", (options) => {
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

test.each(["x86-64", "aarch64"])("the same seed gives the same hashes, twice, on %s", (arch) => {
  const hashes = [1, 2].map(() => {
    const real = new RealMachine({ arch, cpus: 4, scheduler: "random", seed: 9 }, [
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
