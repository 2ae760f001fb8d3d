import { expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import {
  type LockClass,
  lockClass,
  PERCPU_RWSEM_BYTES,
  percpuDownRead,
  percpuDownReadTrylock,
  percpuDownWrite,
  percpuInitRwsem,
  percpuRwsemCountsBytes,
  percpuRwsemIsIdle,
  percpuUpRead,
  percpuUpWrite,
} from "../../../kernel/locking/index.ts";
import { kptrOf } from "../../../kernel/struct.ts";
import { FakeMachine } from "../support/fake-machine.ts";

const NOTIFIER: LockClass = lockClass({
  name: "mmu_notifier_lock",
  rank: 20,
  context: "process",
  kind: "sleep",
  guards: "notifiers",
});

function* pause(k: Context, points: number): Work {
  for (let round = 0; round < points; round++) if (k.point(50)) yield;
}

test("a writer excludes readers, trylocks included, over many schedules", () => {
  let refused = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const machine = new FakeMachine({ cpus: 4, seed });
    const sem = kptrOf(machine.take(PERCPU_RWSEM_BYTES, 64));
    const counts = kptrOf(machine.take(percpuRwsemCountsBytes(4), 64));
    let readers = 0;
    let writers = 0;
    const read = function* (k: Context): Work {
      for (let round = 0; round < 10; round++) {
        if (round % 2 === 0) yield* percpuDownRead(k, sem, NOTIFIER);
        else if (!percpuDownReadTrylock(k, sem, NOTIFIER)) {
          refused++;
          yield* pause(k, 2);
          continue;
        }
        readers++;
        expect(writers).toBe(0);
        yield* pause(k, 2);
        expect(writers).toBe(0);
        readers--;
        yield* percpuUpRead(k, sem, NOTIFIER);
        yield* pause(k, 2);
      }
    };
    const write = function* (k: Context): Work {
      for (let round = 0; round < 3; round++) {
        yield* percpuDownWrite(k, sem, NOTIFIER);
        writers++;
        expect([readers, writers]).toEqual([0, 1]);
        yield* pause(k, 4);
        expect([readers, writers]).toEqual([0, 1]);
        writers--;
        yield* percpuUpWrite(k, sem, NOTIFIER);
        yield* pause(k, 4);
      }
    };
    percpuInitRwsem({ ram: machine.ram } as Context, sem, counts);
    machine.runTasks([read, read, write, write]);
    machine.run(50_000);
    expect(machine.kernel.reports).toEqual([]);
    expect(percpuRwsemIsIdle(machine.kernel.current[0]!, sem)).toBe(true);
  }
  expect(refused).toBeGreaterThan(0);
});
