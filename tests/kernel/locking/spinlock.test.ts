import { describe, expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import {
  irqRestore,
  irqSave,
  type LockClass,
  lockClass,
  spinIsLocked,
  spinLock,
  spinLockIrqsave,
  spinTrylock,
  spinUnlock,
  spinUnlockIrqrestore,
} from "../../../kernel/locking/index.ts";
import { schedule } from "../../../kernel/sched/index.ts";
import { kptrOf } from "../../../kernel/struct.ts";
import { FakeMachine } from "../support/fake-machine.ts";

const PLAIN: LockClass = lockClass({
  name: "plain",
  rank: 10,
  context: "process",
  kind: "spin",
  guards: "the counter",
});
const INNER: LockClass = lockClass({ ...PLAIN, name: "inner", rank: 20 });
const IRQ: LockClass = lockClass({ ...PLAIN, name: "irq", rank: 30, context: "irq-safe" });

function increments(machine: FakeMachine, lock: number, counter: number, times: number) {
  return function* (k: Context): Work {
    for (let round = 0; round < times; round++) {
      yield* spinLock(k, kptrOf(lock), PLAIN);
      const value = machine.ram.read32(counter);
      if (k.point(5)) yield;
      machine.ram.write32(counter, value + 1);
      if (k.point(5)) yield;
      spinUnlock(k, kptrOf(lock), PLAIN);
    }
  };
}

test("no increment is lost under a spinlock, whatever the schedule", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const machine = new FakeMachine({ cpus: 4, seed });
    const lock = machine.take(64, 64);
    machine.runTasks(Array.from({ length: 4 }, () => increments(machine, lock, lock + 8, 20)));
    expect(machine.ram.read32(lock + 8)).toBe(80);
    expect(machine.kernel.reports).toEqual([]);
    expect(machine.ram.read32(lock) >>> 16).toBe(80);
  }
});

test("without the lock increments are lost, so the schedules above do interleave", () => {
  const machine = new FakeMachine({ cpus: 4 });
  const counter = machine.take(64, 64);
  const racy = function* (k: Context): Work {
    for (let round = 0; round < 20; round++) {
      const value = machine.ram.read32(counter);
      if (k.point(5)) yield;
      machine.ram.write32(counter, value + 1);
    }
  };
  machine.runTasks([racy, racy, racy, racy]);
  expect(machine.ram.read32(counter)).toBeLessThan(80);
});

test("waiters are served in order of arrival", () => {
  const machine = new FakeMachine({ cpus: 4 });
  const lock = kptrOf(machine.take(64, 64));
  const served: number[] = [];
  const arrived: number[] = [];
  const work = function* (k: Context): Work {
    for (let round = 0; round < 10; round++) {
      if (k.point(20)) yield;
      const ticket = machine.ram.read32(lock) >>> 16;
      arrived.push(ticket);
      yield* spinLock(k, lock, PLAIN);
      served.push(machine.ram.read32(lock) & 0xffff);
      if (k.point(50)) yield;
      spinUnlock(k, lock, PLAIN);
    }
  };
  machine.runTasks([work, work, work, work]);
  expect(served).toEqual(Array.from({ length: 40 }, (_, index) => index));
});

test("a ticket counter wraps at 16 bits", () => {
  const machine = new FakeMachine();
  const lock = kptrOf(machine.take(64, 64));
  machine.ram.write32(lock, 0xffff_ffff | 0);
  machine.runTasks([
    function* (k: Context): Work {
      expect(spinIsLocked(k, lock)).toBe(false);
      yield* spinLock(k, lock, PLAIN);
      expect(spinIsLocked(k, lock)).toBe(true);
      expect(spinTrylock(k, lock, INNER)).toBe(false);
      spinUnlock(k, lock, PLAIN);
      expect(machine.ram.read32(lock)).toBe(0);
    },
  ]);
});

describe("lockdep reports", () => {
  function reportsOf(body: (k: Context, at: number) => Work): string[] {
    const machine = new FakeMachine();
    const at = machine.take(64, 64);
    machine.runTasks([(k) => body(k, at)]);
    return machine.kernel.reports;
  }

  const cases: [string, RegExp, (k: Context, at: number) => Work][] = [
    [
      "a lower rank taken inside a higher one",
      /possible circular locking dependency: plain@.* while holding inner@/,
      function* (k, at) {
        yield* spinLock(k, kptrOf(at), INNER);
        yield* spinLock(k, kptrOf(at + 4), PLAIN);
        spinUnlock(k, kptrOf(at + 4), PLAIN);
        spinUnlock(k, kptrOf(at), INNER);
      },
    ],
    [
      "two locks of a class without a subclass",
      /possible circular locking dependency: plain@.* while holding plain@/,
      function* (k, at) {
        yield* spinLock(k, kptrOf(at), PLAIN);
        yield* spinLock(k, kptrOf(at + 4), PLAIN);
        spinUnlock(k, kptrOf(at + 4), PLAIN);
        spinUnlock(k, kptrOf(at), PLAIN);
      },
    ],
    [
      "an interrupt-safe lock taken with interrupts on",
      /inconsistent lock state: irq@.* taken with interrupts on/,
      function* (k, at) {
        yield* spinLock(k, kptrOf(at), IRQ);
        spinUnlock(k, kptrOf(at), IRQ);
      },
    ],
    [
      "a process lock taken in an interrupt",
      /inconsistent lock state: plain@.* taken in an interrupt/,
      function* (k, at) {
        k.irqDepth++;
        yield* spinLock(k, kptrOf(at), PLAIN);
        spinUnlock(k, kptrOf(at), PLAIN);
        k.irqDepth--;
      },
    ],
    [
      "a process lock taken inside an interrupt-safe one",
      /possible circular locking dependency: plain/,
      function* (k, at) {
        const enabled = yield* spinLockIrqsave(k, kptrOf(at), { ...IRQ, rank: 5 });
        yield* spinLock(k, kptrOf(at + 4), PLAIN);
        spinUnlock(k, kptrOf(at + 4), PLAIN);
        yield* spinUnlockIrqrestore(k, kptrOf(at), k.held.classes[0]!, enabled);
      },
    ],
    [
      "the release of a lock that is not held",
      /bad unlock balance: plain@/,
      function* (k, at) {
        if (k.point(1)) yield;
        k.atomicDepth++;
        spinUnlock(k, kptrOf(at), PLAIN);
      },
    ],
    [
      "sleeping with a spinlock held",
      /scheduling while atomic \(atomic section\)[\s\S]*#0: plain@/,
      function* (k, at) {
        yield* spinLock(k, kptrOf(at), PLAIN);
        yield* schedule(k);
        spinUnlock(k, kptrOf(at), PLAIN);
      },
    ],
  ];
  test.each(cases)("%s", (_name, pattern, body) => {
    const reports = reportsOf(body);
    expect(reports.length).toBeGreaterThanOrEqual(1);
    expect(reports[0]).toMatch(pattern);
    expect(reports[0]).toMatch(/CPU: 0 PID: 2 Comm: task0/);
  });

  test("nothing when order and contexts are respected", () => {
    const reports = reportsOf(function* (k, at) {
      yield* spinLock(k, kptrOf(at), PLAIN);
      yield* spinLock(k, kptrOf(at + 4), PLAIN, 1);
      yield* spinLock(k, kptrOf(at + 8), INNER);
      const enabled = yield* spinLockIrqsave(k, kptrOf(at + 12), IRQ);
      expect(k.cpu.interruptsEnabled()).toBe(false);
      yield* spinUnlockIrqrestore(k, kptrOf(at + 12), IRQ, enabled);
      expect(k.cpu.interruptsEnabled()).toBe(true);
      spinUnlock(k, kptrOf(at), PLAIN);
      spinUnlock(k, kptrOf(at + 8), INNER);
      spinUnlock(k, kptrOf(at + 4), PLAIN);
      expect(spinTrylock(k, kptrOf(at), INNER)).toBe(true);
      expect(spinTrylock(k, kptrOf(at + 4), PLAIN)).toBe(true);
      spinUnlock(k, kptrOf(at + 4), PLAIN);
      spinUnlock(k, kptrOf(at), INNER);
      irqRestore(k, irqSave(k));
    });
    expect(reports).toEqual([]);
  });
});
