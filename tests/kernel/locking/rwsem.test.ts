import { describe, expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import { EINTR } from "../../../kernel/errno.ts";
import {
  downgradeWrite,
  downRead,
  downReadTrylock,
  downWrite,
  downWriteKillable,
  downWriteTrylock,
  type LockClass,
  lockClass,
  RWSEM_BYTES,
  rwsemIsLocked,
  rwsemIsWriteLocked,
  upRead,
  upWrite,
} from "../../../kernel/locking/index.ts";
import {
  TASK_KILLABLE,
  TASK_UNINTERRUPTIBLE,
  type Task,
  TIF_SIGPENDING,
  wakeUpTask,
} from "../../../kernel/sched/index.ts";
import { type KPtr, kptrOf } from "../../../kernel/struct.ts";
import { FakeMachine } from "../support/fake-machine.ts";

const MMAP: LockClass = lockClass({
  name: "mmap_lock",
  rank: 10,
  context: "process",
  kind: "sleep",
  guards: "the list",
});

function semaphore(machine: FakeMachine): KPtr {
  return kptrOf(machine.take(RWSEM_BYTES, 64));
}

function* pause(k: Context, points: number): Work {
  for (let round = 0; round < points; round++) if (k.point(50)) yield;
}

test("writers exclude everybody, readers only writers, over many schedules", () => {
  let overlaps = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const machine = new FakeMachine({ cpus: 4, seed });
    const sem = semaphore(machine);
    let readers = 0;
    let writers = 0;
    const read = function* (k: Context): Work {
      for (let round = 0; round < 8; round++) {
        yield* downRead(k, sem, MMAP);
        readers++;
        if (readers > 1) overlaps++;
        expect(writers).toBe(0);
        yield* pause(k, 3);
        expect(writers).toBe(0);
        readers--;
        yield* upRead(k, sem, MMAP);
        yield* pause(k, 1);
      }
    };
    const write = function* (k: Context): Work {
      for (let round = 0; round < 8; round++) {
        yield* downWrite(k, sem, MMAP);
        writers++;
        expect([readers, writers]).toEqual([0, 1]);
        yield* pause(k, 3);
        expect([readers, writers]).toEqual([0, 1]);
        writers--;
        if (round % 2 === 0) {
          readers++;
          yield* downgradeWrite(k, sem, MMAP);
          yield* pause(k, 2);
          readers--;
          yield* upRead(k, sem, MMAP);
        } else {
          yield* upWrite(k, sem, MMAP);
        }
      }
    };
    machine.runTasks([read, read, read, write, write]);
    expect(machine.kernel.reports).toEqual([]);
    expect(machine.ram.read32(sem)).toBe(0);
  }
  expect(overlaps).toBeGreaterThan(0);
});

test("a reader that comes after a waiting writer waits behind it", () => {
  const machine = new FakeMachine({ cpus: 4, seed: 3 });
  const sem = semaphore(machine);
  const order: string[] = [];
  let phase = 0;
  machine.runTasks([
    function* (k) {
      yield* downRead(k, sem, MMAP);
      order.push("first reader");
      phase = 1;
      while (phase < 3) yield* pause(k, 1);
      yield* pause(k, 20);
      yield* upRead(k, sem, MMAP);
    },
    function* (k) {
      while (phase < 1) yield* pause(k, 1);
      phase = 2;
      yield* downWrite(k, sem, MMAP);
      order.push("writer");
      yield* upWrite(k, sem, MMAP);
    },
    function* (k) {
      while (phase < 2 || (machine.ram.read32(sem) & 2) === 0) yield* pause(k, 1);
      expect(downReadTrylock(k, sem, MMAP)).toBe(false);
      phase = 3;
      yield* downRead(k, sem, MMAP);
      order.push("late reader");
      yield* upRead(k, sem, MMAP);
    },
  ]);
  expect(order).toEqual(["first reader", "writer", "late reader"]);
});

test("a killed task that waits for the write lock gives up, and those behind it get their turn", () => {
  const machine = new FakeMachine({ cpus: 4, seed: 5 });
  const sem = semaphore(machine);
  let victim: Task | null = null;
  let result = 0;
  let lateReader = false;
  let done = false;
  machine.runTasks([
    function* (k) {
      yield* downRead(k, sem, MMAP);
      while (victim === null || victim.state !== TASK_KILLABLE) yield* pause(k, 1);
      while (!lateReader) yield* pause(k, 1);
      yield* pause(k, 10);
      victim.setFlag(TIF_SIGPENDING);
      wakeUpTask(k, victim, TASK_KILLABLE);
      while (!done) yield* pause(k, 1);
      yield* upRead(k, sem, MMAP);
    },
    function* (k) {
      yield* pause(k, 5);
      victim = k.task;
      result = yield* downWriteKillable(k, sem, MMAP);
    },
    function* (k) {
      while (victim === null || victim.state !== TASK_KILLABLE) yield* pause(k, 1);
      lateReader = true;
      yield* downRead(k, sem, MMAP);
      done = true;
      yield* upRead(k, sem, MMAP);
    },
  ]);
  expect(result).toBe(-EINTR);
  expect(done).toBe(true);
  expect(machine.ram.read32(sem)).toBe(0);
  expect(machine.kernel.reports).toEqual([]);
});

test("trylocks take what is free and nothing else", () => {
  const machine = new FakeMachine();
  const sem = semaphore(machine);
  machine.runTasks([
    function* (k) {
      expect(downReadTrylock(k, sem, MMAP)).toBe(true);
      expect(downWriteTrylock(k, sem, MMAP)).toBe(false);
      expect(rwsemIsLocked(k, sem)).toBe(true);
      expect(rwsemIsWriteLocked(k, sem)).toBe(false);
      yield* upRead(k, sem, MMAP);
      expect(downWriteTrylock(k, sem, MMAP)).toBe(true);
      expect(downReadTrylock(k, sem, MMAP)).toBe(false);
      expect(rwsemIsWriteLocked(k, sem)).toBe(true);
      yield* upWrite(k, sem, MMAP);
      expect(rwsemIsLocked(k, sem)).toBe(false);
    },
  ]);
  expect(machine.kernel.reports).toEqual([]);
});

describe("lockdep", () => {
  test("reports a second read lock of the same class", () => {
    const machine = new FakeMachine();
    const sem = semaphore(machine);
    machine.runTasks([
      function* (k) {
        yield* downRead(k, sem, MMAP);
        yield* downRead(k, sem, MMAP);
        yield* upRead(k, sem, MMAP);
        yield* upRead(k, sem, MMAP);
      },
    ]);
    expect(machine.kernel.reports[0]).toMatch(/possible recursive locking: mmap_lock@/);
  });

  test("reports a semaphore taken in an atomic section", () => {
    const machine = new FakeMachine();
    const sem = semaphore(machine);
    machine.runTasks([
      function* (k) {
        k.atomicDepth++;
        yield* downRead(k, sem, MMAP);
        yield* upRead(k, sem, MMAP);
        k.atomicDepth--;
      },
    ]);
    expect(machine.kernel.reports[0]).toMatch(/sleeping lock mmap_lock@.* taken in atomic context/);
  });

  test("reports a lock that is still held at the return to user mode", () => {
    const machine = new FakeMachine();
    const sem = semaphore(machine);
    machine.init = function* (k) {
      yield* downRead(k, sem, MMAP);
    };
    machine.boot();
    machine.run(5000);
    expect(machine.kernel.reports[0]).toMatch(/lock held when returning to user space/);
    expect(machine.kernel.reports[0]).toMatch(/#0: mmap_lock@/);
    expect(TASK_UNINTERRUPTIBLE).toBe(2);
  });
});
