import { expect, test } from "vitest";
import { EAGAIN, ENOSYS, ERESTARTSYS, ETIMEDOUT } from "../../../kernel/errno.ts";
import { OTHER, PAGE, SyscallBench } from "./bench.ts";

const WAIT = 0x80;
const WAKE = 0x81;
const REQUEUE = 0x83;
const CMP_REQUEUE = 0x84;
const WAIT_BITSET = 0x89;
const WAKE_BITSET = 0x8a;

const SEEDS = Array.from({ length: 20 }, (_, seed) => seed + 1);

test.each(SEEDS)("no wake-up is lost between the look at the word and the sleep (seed %i)", (seed) => {
  const bench = new SyscallBench({ cpus: 4, seed });
  const results: number[] = [];
  bench.run([
    ...[0, 1, 2].map(
      () =>
        function* (own: SyscallBench, k: Parameters<SyscallBench["call"]>[0]) {
          while (own.read32(PAGE) === 0) results.push(yield* own.call(k, "futex", PAGE, WAIT, 0, 0));
        },
    ),
    function* (own, k) {
      for (let pause = 0; pause < seed; pause++) if (k.point(50)) yield;
      own.write32(PAGE, 1);
      yield* own.call(k, "futex", PAGE, WAKE, 100);
    },
  ]);
  expect(results.every((result) => result === 0 || result === -EAGAIN)).toBe(true);
  expect(bench.processes.table.futexes.queues.every((queue) => queue.length === 0)).toBe(true);
  expect(bench.machine.kernel.reports).toEqual([]);
});

/** Starts `waiters` threads on words, waits until all sleep, then runs a body. */
function withWaiters(
  words: readonly { at: number; op?: number; bitset?: number }[],
  body: (
    bench: SyscallBench,
    k: Parameters<SyscallBench["call"]>[0],
    woken: number[],
  ) => Generator<void, void, void>,
): number[] {
  const bench = new SyscallBench({ cpus: 2 });
  const woken: number[] = [];
  const { queues } = bench.processes.table.futexes;
  bench.run([
    ...words.map(
      ({ at, op, bitset }, index) =>
        function* (own: SyscallBench, k: Parameters<SyscallBench["call"]>[0]) {
          const result = yield* own.call(k, "futex", at, op ?? WAIT, 0, 0, 0, bitset ?? -1);
          expect(result).toBe(0);
          woken.push(index);
        },
    ),
    function* (own, k) {
      while (queues.reduce((sum, queue) => sum + queue.length, 0) < words.length) {
        yield* own.call(k, "sched_yield");
      }
      yield* body(own, k, woken);
    },
  ]);
  expect(bench.machine.kernel.reports).toEqual([]);
  return woken;
}

function* settle(
  bench: SyscallBench,
  k: Parameters<SyscallBench["call"]>[0],
  woken: number[],
  count: number,
) {
  for (let turn = 0; turn < 1000 && woken.length < count; turn++) yield* bench.call(k, "sched_yield");
  expect(woken).toHaveLength(count);
}

test("a wake-up takes waiters of its word alone, oldest first, as many as it asks for", () => {
  withWaiters([{ at: PAGE }, { at: PAGE + 4 }, { at: PAGE }, { at: PAGE }], function* (bench, k, woken) {
    expect(yield* bench.call(k, "futex", PAGE, WAKE, 2)).toBe(2);
    yield* settle(bench, k, woken, 2);
    expect(woken).not.toContain(1);
    expect(yield* bench.call(k, "futex", PAGE, WAKE, 5)).toBe(1);
    expect(yield* bench.call(k, "futex", PAGE + 4, WAKE, 1)).toBe(1);
    expect(yield* bench.call(k, "futex", PAGE, WAKE, 1)).toBe(0);
  });
});

test("a count of 0 wakes one, as Linux does", () => {
  withWaiters([{ at: PAGE }], function* (bench, k) {
    expect(yield* bench.call(k, "futex", PAGE, WAKE, 0)).toBe(1);
  });
});

test("bitsets select waiters", () => {
  const waiters = [1, 2, 4].map((bitset) => ({ at: PAGE, op: WAIT_BITSET, bitset }));
  withWaiters(waiters, function* (bench, k, woken) {
    expect(yield* bench.call(k, "futex", PAGE, WAKE_BITSET, 9, 0, 0, 8)).toBe(0);
    expect(yield* bench.call(k, "futex", PAGE, WAKE_BITSET, 9, 0, 0, 2)).toBe(1);
    yield* settle(bench, k, woken, 1);
    expect(woken).toEqual([1]);
    expect(yield* bench.call(k, "futex", PAGE, WAKE, 9)).toBe(2);
  });
});

test.each([REQUEUE, CMP_REQUEUE])("operation %i wakes some, moves some, and leaves the rest", (op) => {
  const waiters = Array.from({ length: 5 }, () => ({ at: PAGE }));
  withWaiters(waiters, function* (bench, k, woken) {
    expect(yield* bench.call(k, "futex", PAGE, op, 1, 2, OTHER, 0)).toBe(3);
    yield* settle(bench, k, woken, 1);
    expect(yield* bench.call(k, "futex", OTHER, WAKE, 9)).toBe(2);
    yield* settle(bench, k, woken, 3);
    expect(yield* bench.call(k, "futex", PAGE, WAKE, 9)).toBe(2);
  });
});

test("a requeue of all waiters to their own word keeps them", () => {
  withWaiters([{ at: PAGE }, { at: PAGE }], function* (bench, k) {
    expect(yield* bench.call(k, "futex", PAGE, REQUEUE, 0, 9, PAGE)).toBe(2);
    expect(yield* bench.call(k, "futex", PAGE, WAKE, 9)).toBe(2);
  });
});

const WAKE_OP = 0x85;

/** Operation word, what becomes of 5, and whether 5 compares: recorded on an x86-64 host under Linux 6.18. */
test.each([
  ["set, equal", 0x0000_7005, 7, true],
  ["add, not equal", 0x1100_7005, 0xc, false],
  ["or, less", 0x2201_8006, 0x1d, true],
  ["and not, less or equal", 0x3300_4005, 1, true],
  ["exclusive or, greater", 0x440f_f005, 0xfa, false],
  ["add -1, greater or equal", 0x15ff_f004, 4, true],
  ["add 2047, greater or equal", 0x157f_f004, 0x804, true],
  ["set 1 << 4", 0x8000_4005, 0x10, true],
  ["add 1 << 31", 0x9001_f005, 0x8000_0005 | 0, true],
  ["set 1 << 33, of which five bits count", 0x8002_1005, 2, true],
  ["set 1 << -1", 0x80ff_f005, 0x8000_0000 | 0, true],
  ["set, greater than a negative number", 0x0400_7fff, 7, true],
] as const)("FUTEX_WAKE_OP: %s", (_name, operation, after, compares) => {
  withWaiters([{ at: PAGE }, { at: PAGE }, { at: OTHER }, { at: OTHER }], function* (bench, k, woken) {
    bench.write32(OTHER, 5);
    const first = yield* bench.call(k, "futex", PAGE, WAKE_OP, 1, 1, OTHER, operation);
    expect(bench.read32(OTHER)).toBe(after);
    expect(first).toBe(compares ? 2 : 1);
    yield* settle(bench, k, woken, first);
    expect(yield* bench.call(k, "futex", PAGE, WAKE, 9)).toBe(1);
    expect(yield* bench.call(k, "futex", OTHER, WAKE, 9)).toBe(compares ? 1 : 2);
  });
});

test("FUTEX_WAKE_OP on one word wakes for both counts, and changes it though the comparison is none", () => {
  withWaiters([{ at: PAGE }, { at: PAGE }, { at: PAGE }], function* (bench, k, woken) {
    expect(yield* bench.call(k, "futex", PAGE, WAKE_OP, 1, 1, PAGE, 0x1f00_1000)).toBe(-ENOSYS);
    expect(bench.read32(PAGE)).toBe(1);
    expect(yield* bench.call(k, "futex", PAGE, WAKE_OP, 1, 1, PAGE, 0x1000_1001)).toBe(2);
    yield* settle(bench, k, woken, 2);
    expect(yield* bench.call(k, "futex", PAGE, WAKE, 9)).toBe(1);
  });
});

test("operations with priority inheritance are counted by name", () => {
  withWaiters([], function* (bench, k) {
    yield* bench.call(k, "futex", PAGE, 0x86, 0, 0);
    yield* bench.call(k, "futex", PAGE, 0x86, 0, 0);
    yield* bench.call(k, "futex", PAGE, 99, 0, 0);
    const counters = new Map(bench.machine.kernel.counters.entries());
    expect(counters.get("ENOSYS futex LOCK_PI")).toBe(2);
    expect(counters.get("ENOSYS futex unknown")).toBe(1);
  });
});

test("a timeout ends a wait, not before its time, relative for WAIT and absolute for WAIT_BITSET", () => {
  const bench = new SyscallBench();
  bench.run([
    function* (own, k) {
      own.write64(PAGE + 64, 0, 50_000);
      const before = k.cpu.clock;
      expect(yield* own.call(k, "futex", PAGE, WAIT, 0, PAGE + 64)).toBe(-ETIMEDOUT);
      expect(k.cpu.clock - before).toBeGreaterThanOrEqual(50_000);
      const until = k.cpu.clock + 30_000;
      own.write64(PAGE + 64, Math.floor(until / 1e9), until % 1e9);
      expect(yield* own.call(k, "futex", PAGE, WAIT_BITSET, 0, PAGE + 64, 0, -1)).toBe(-ETIMEDOUT);
      expect(k.cpu.clock).toBeGreaterThanOrEqual(until);
      expect(yield* own.call(k, "futex", PAGE, WAIT_BITSET, 0, PAGE + 64, 0, -1)).toBe(-ETIMEDOUT);
    },
  ]);
  expect(bench.machine.kernel.reports).toEqual([]);
});

test("a signal ends a wait without a timeout so that it can be restarted", () => {
  const bench = new SyscallBench({ cpus: 2 });
  let result = 0;
  let sleeper = 0;
  bench.run([
    function* (own, k) {
      sleeper = k.task!.pid;
      own.write64(PAGE + 128, 0x40_0000, 0x0400_0000, 0x40_1000, 0);
      expect(yield* own.call(k, "rt_sigaction", 10, PAGE + 128, 0, 8)).toBe(0);
      result = yield* own.call(k, "futex", PAGE, WAIT, 0, 0);
    },
    function* (own, k) {
      const { queues } = own.processes.table.futexes;
      while (!queues.some((queue) => queue.length > 0)) yield* own.call(k, "sched_yield");
      expect(yield* own.call(k, "tkill", sleeper, 10)).toBe(0);
    },
  ]);
  expect(result).toBe(-ERESTARTSYS);
  expect(bench.processes.table.futexes.queues.every((queue) => queue.length === 0)).toBe(true);
});
