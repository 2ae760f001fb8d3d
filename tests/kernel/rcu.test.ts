import { expect, test } from "vitest";
import type { Context, Work } from "../../kernel/context.ts";
import { callRcu, rcuReadLock, rcuReadUnlock, synchronizeRcu } from "../../kernel/rcu.ts";
import { schedule } from "../../kernel/sched/index.ts";
import { kptrOf } from "../../kernel/struct.ts";
import { FakeMachine } from "./support/fake-machine.ts";

function* pause(k: Context, points: number): Work {
  for (let round = 0; round < points; round++) if (k.point(50)) yield;
}

test("synchronize_rcu returns only after every read section that was open when it was called", () => {
  let waited = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const machine = new FakeMachine({ cpus: 4, seed });
    const open = new Set<number>();
    const read = function* (k: Context): Work {
      for (let round = 0; round < 10; round++) {
        rcuReadLock(k);
        const section = k.task!.pid * 100 + round;
        open.add(section);
        yield* pause(k, 6);
        open.delete(section);
        rcuReadUnlock(k);
        yield* pause(k, 2);
        yield* schedule(k);
      }
    };
    const update = function* (k: Context): Work {
      for (let round = 0; round < 4; round++) {
        const before = [...open];
        waited += before.length;
        yield* synchronizeRcu(k);
        for (const section of before) expect(open.has(section)).toBe(false);
        yield* pause(k, 3);
      }
    };
    machine.runTasks([read, read, read, update]);
    expect(machine.kernel.reports).toEqual([]);
  }
  expect(waited).toBeGreaterThan(0);
});

test("a callback runs once, after a grace period, on the core that queued it, from the tick of an otherwise idle core", () => {
  const machine = new FakeMachine({ cpus: 2, seed: 9 });
  const { kernel } = machine;
  const ran: [number, number, number][] = [];
  let queuedOn = -1;
  const kind = kernel.rcu.register("test", function* (k, arg) {
    if (k.point(1)) yield;
    expect(k.softirqDepth).toBe(1);
    expect(k.cpu.interruptsEnabled()).toBe(true);
    ran.push([arg, k.cpu.id, kernel.rcu.completed]);
  });
  let before = 0;
  machine.runTasks([
    function* (k) {
      before = kernel.rcu.completed;
      queuedOn = k.cpu.id;
      callRcu(k, kind, kptrOf(4711));
      yield* pause(k, 2);
      expect(ran).toEqual([]);
    },
  ]);
  machine.run(20_000);
  expect(ran).toHaveLength(1);
  expect(ran[0]!.slice(0, 2)).toEqual([4711, queuedOn]);
  expect(ran[0]![2]).toBeGreaterThan(before);
  expect(kernel.rcu.pendingCallbacks).toBe(0);
});

test("user mode is a quiescent state: a core that computes does not hold up a grace period", () => {
  const machine = new FakeMachine({ cpus: 2, seed: 4, user: () => {} });
  let done = false;
  machine.init = function* (k) {
    yield* machine.spawn(k, "computes", function* (own) {
      yield* pause(own, 1);
    });
    yield* machine.spawn(k, "waits", function* (own) {
      yield* pause(own, 50);
      yield* synchronizeRcu(own);
      done = true;
    });
  };
  machine.boot();
  machine.run(300_000);
  expect(done).toBe(true);
});

test("lockdep reports sleeping in a read section", () => {
  const machine = new FakeMachine();
  machine.runTasks([
    function* (k) {
      rcuReadLock(k);
      yield* schedule(k);
      rcuReadUnlock(k);
    },
  ]);
  expect(machine.kernel.reports[0]).toMatch(/scheduling while atomic \(RCU read section\)/);
});
