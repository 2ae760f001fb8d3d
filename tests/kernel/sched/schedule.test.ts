import { expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import { CpuSet } from "../../../kernel/cpu-set.ts";
import {
  addTimer,
  schedule,
  scheduleTimeout,
  setAffinity,
  TASK_INTERRUPTIBLE,
  TASK_UNINTERRUPTIBLE,
  type Task,
  TIF_SIGPENDING,
  WaitQueue,
  waitEvent,
  wakeUp,
  wakeUpTask,
  yieldTask,
} from "../../../kernel/sched/index.ts";
import { kptrOf, NULL } from "../../../kernel/struct.ts";
import { physAddr } from "../../../mmu/index.ts";
import { FakeMachine } from "../support/fake-machine.ts";

function* pause(k: Context, points: number): Work {
  for (let round = 0; round < points; round++) if (k.point(50)) yield;
}

test("tasks that compute in user mode share one core by the tick, evenly", () => {
  const slices = new Map<number, number>();
  const machine = new FakeMachine({
    cpus: 1,
    user: (cpu, task) => {
      cpu.clock += 100_000;
      slices.set(task.pid, (slices.get(task.pid) ?? 0) + 1);
    },
  });
  machine.init = function* (k) {
    for (const name of ["a", "b", "c"]) yield* machine.spawn(k, name, (own) => pause(own, 1));
  };
  machine.boot();
  machine.run(4000);
  expect([...slices.keys()].sort()).toEqual([1, 2, 3, 4]);
  const counts = [...slices.values()];
  expect(Math.max(...counts) / Math.min(...counts)).toBeLessThan(1.2);
  expect(machine.kernel.counters.get("LOC")).toBeGreaterThan(20);
  expect(machine.kernel.reports).toEqual([]);
});

test("a lone task is never interrupted by the tick", () => {
  const machine = new FakeMachine({ cpus: 1, user: (cpu) => (cpu.clock += 1_000_000) });
  machine.boot();
  machine.run(2000);
  expect(machine.cpus[0]!.clock).toBeGreaterThan(1e9);
  expect(machine.kernel.counters.get("LOC")).toBe(0);
});

test("new tasks go to idle cores, and a core that runs dry takes over a waiting task", () => {
  const ranOn = new Map<number, Set<number>>();
  const machine = new FakeMachine({ cpus: 4, seed: 11 });
  const work = function* (k: Context): Work {
    for (let round = 0; round < 30; round++) {
      const cores = ranOn.get(k.task!.pid) ?? new Set();
      ranOn.set(k.task!.pid, cores.add(k.cpu.id));
      yield* pause(k, 4);
      if (round % 10 === 9) yield* yieldTask(k);
    }
  };
  machine.runTasks([work, work, work, work, work, work]);
  const used = new Set([...ranOn.values()].flatMap((cores) => [...cores]));
  // Core 0 stays with the first task, which is in user mode.
  expect([...used].sort()).toEqual([1, 2, 3]);
  expect(machine.kernel.reports).toEqual([]);
});

test("a wake-up is never lost between the check of the condition and the sleep", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const machine = new FakeMachine({ cpus: 3, seed });
    const queue = new WaitQueue();
    let items = 0;
    let taken = 0;
    const consumer = function* (k: Context): Work {
      for (let round = 0; round < 10; round++) {
        expect(yield* waitEvent(k, queue, TASK_UNINTERRUPTIBLE, () => items > 0)).toBe(true);
        items--;
        taken++;
      }
    };
    const producer = function* (k: Context): Work {
      for (let round = 0; round < 20; round++) {
        items++;
        if (k.point(20)) yield;
        wakeUp(k, queue, 2);
        yield* pause(k, 3);
      }
    };
    machine.runTasks([consumer, consumer, producer]);
    expect([items, taken, queue.pids]).toEqual([0, 20, []]);
  }
});

test("a sleep ends at its time, or earlier by a wake-up or a signal", () => {
  const machine = new FakeMachine({ cpus: 2, seed: 3 });
  const results: [string, boolean, number][] = [];
  let sleeper: Task | null = null;
  machine.runTasks([
    function* (k) {
      const start = k.cpu.clock;
      k.task!.state = TASK_INTERRUPTIBLE;
      results.push(["timeout", yield* scheduleTimeout(k, start + 1_000_000), k.cpu.clock - start]);
      sleeper = k.task;
      k.task!.state = TASK_INTERRUPTIBLE;
      results.push(["woken", yield* scheduleTimeout(k, k.cpu.clock + 100_000_000), 0]);
      const queue = new WaitQueue();
      k.task!.setFlag(TIF_SIGPENDING);
      expect(yield* waitEvent(k, queue, TASK_INTERRUPTIBLE, () => false)).toBe(false);
    },
    function* (k) {
      while (sleeper === null || !wakeUpTask(k, sleeper, TASK_INTERRUPTIBLE)) {
        addTimer(k, k.cpu.clock + 50_000, k.task!);
        k.task!.state = TASK_INTERRUPTIBLE;
        yield* schedule(k);
      }
    },
  ]);
  expect(results[0]!.slice(0, 2)).toEqual(["timeout", true]);
  expect(results[0]![2]).toBeGreaterThanOrEqual(1_000_000);
  expect(results[0]![2]).toBeLessThan(1_050_000);
  expect(results[1]!.slice(0, 2)).toEqual(["woken", false]);
  expect(machine.kernel.sched.queues.every((queue) => queue.timers.length === 0)).toBe(true);
});

test("affinity: a task leaves a core that it may not use, and stays off it", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const machine = new FakeMachine({ cpus: 4, seed });
    const work = function* (k: Context): Work {
      for (let target = 3; target >= 0; target--) {
        setAffinity(k, k.task!, CpuSet.of(target));
        if (k.cpu.id !== target) yield* schedule(k);
        expect(k.cpu.id).toBe(target);
        yield* pause(k, 3);
        yield* yieldTask(k);
        expect(k.cpu.id).toBe(target);
      }
    };
    machine.runTasks([work, work, work, work, work]);
    expect(machine.kernel.reports).toEqual([]);
  }
});

test("an idle core keeps the last address space, counted, and drops it when a task with one comes", () => {
  const machine = new FakeMachine({ cpus: 1 });
  const mms = [kptrOf(machine.take(64, 64)), kptrOf(machine.take(64, 64))];
  const initMm = machine.kernel.memory.initMm;
  const sleepy = (mm: number) =>
    function* (k: Context): Work {
      const task = k.task!;
      machine.kernel.memory.grabMm(k, kptrOf(mm));
      const old = task.activeMm;
      task.mm = kptrOf(mm);
      task.activeMm = kptrOf(mm);
      yield* machine.kernel.arch.mmu.switchMm(k, old, task.mm);
      yield* machine.kernel.memory.dropMm(k, old);
      for (let round = 0; round < 3; round++) {
        k.task!.state = TASK_INTERRUPTIBLE;
        yield* scheduleTimeout(k, k.cpu.clock + 10_000);
        expect(machine.loadedMm[0]).toBe(mm);
      }
      machine.kernel.memory.grabMm(k, kptrOf(mm));
      task.mm = NULL;
      yield* machine.kernel.memory.dropMm(k, kptrOf(mm));
    };
  machine.runTasks([sleepy(mms[0]!), sleepy(mms[1]!)]);
  const counts = Object.fromEntries(machine.mmCounts);
  const idleActive =
    machine.kernel.sched.queues[0]!.idle.activeMm || machine.userTask(machine.cpus[0]!).activeMm;
  for (const mm of mms) expect(counts[mm]).toBe(idleActive === mm ? 1 : 0);
  expect(counts[initMm]! + (counts[mms[0]!] ?? 0) + (counts[mms[1]!] ?? 0)).toBeGreaterThan(0);
});

test("the stack of a dead task is freed once, after the last switch away from it", () => {
  const machine = new FakeMachine({ cpus: 2 });
  machine.runTasks([(k) => pause(k, 2), (k) => pause(k, 5), (k) => pause(k, 9)]);
  machine.run(1000);
  expect(machine.freedStacks).toHaveLength(3);
  expect(new Set(machine.freedStacks).size).toBe(3);
});

test("the tick moves a task from a core with two more", () => {
  const machine = new FakeMachine({ cpus: 2, seed: 6, user: (cpu) => (cpu.clock += 100_000) });
  machine.init = function* (k) {
    setAffinity(k, k.task!, CpuSet.of(0));
    for (const name of ["a", "b", "c"]) {
      yield* machine.spawn(k, name, function* (own) {
        setAffinity(own, own.task!, CpuSet.of(0));
        if (own.cpu.id !== 0) yield* schedule(own);
      });
    }
  };
  machine.boot();
  machine.run(2000);
  const loads = () => machine.kernel.sched.queues.map((queue) => queue.load);
  expect(loads()).toEqual([4, 0]);
  for (const task of machine.kernel.sched.tasks()) task.affinity.add(1);
  machine.run(2000);
  expect(loads()).toEqual([2, 2]);
  expect(machine.kernel.reports).toEqual([]);
});

test("a stack that has grown into the task_struct stops the machine at the next switch", () => {
  const machine = new FakeMachine({ cpus: 1 });
  machine.init = function* (k) {
    machine.ram.fill(physAddr(k.task!.at + 64), 64, 0);
    k.task!.state = TASK_INTERRUPTIBLE;
    yield* scheduleTimeout(k, k.cpu.clock + 1000);
  };
  machine.boot();
  machine.run(2000);
  expect(machine.stopped).toMatchObject({
    kind: "panic",
    text: "corrupted stack end detected inside scheduler",
  });
});
