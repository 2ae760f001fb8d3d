import { expect, test } from "vitest";
import { ERESTART_RESTARTBLOCK } from "../../../kernel/errno.ts";
import { BOOT_EPOCH_SECONDS } from "../../../kernel/time.ts";
import { PAGE, SyscallBench } from "./bench.ts";

test("a sleep takes its time or a little more, whatever else runs on the core", () => {
  const bench = new SyscallBench({ cpus: 2, seed: 3 });
  bench.run(
    [1, 1000, 40_000, 3_000_000].map(
      (nanoseconds, index) =>
        function* (own: SyscallBench, k) {
          const at = PAGE + 64 + index * 16;
          own.write64(at, 0, nanoseconds);
          const before = k.cpu.clock;
          expect(yield* own.call(k, "nanosleep", at, 0)).toBe(0);
          expect(k.cpu.clock - before).toBeGreaterThanOrEqual(nanoseconds);
        },
    ),
  );
  expect(bench.machine.kernel.reports).toEqual([]);
});

test.each([
  [0, 1_000_000_000],
  [0, -1],
  [-1, 0],
  [-1, 999_999_999],
])("a sleep of %i s and %i ns is refused", (seconds, nanoseconds) => {
  const bench = new SyscallBench();
  bench.run([
    function* (own, k) {
      own.write64(PAGE, seconds, nanoseconds);
      expect(yield* own.call(k, "nanosleep", PAGE, 0)).toBe(-22);
      expect(yield* own.call(k, "clock_nanosleep", 1, 1, PAGE, 0)).toBe(-22);
    },
  ]);
});

test("a sleep that a signal interrupts says how much was left and can go on", () => {
  const bench = new SyscallBench({ cpus: 2 });
  let sleeper = 0;
  bench.run([
    function* (own, k) {
      sleeper = k.task!.pid;
      own.write64(PAGE, 0x40_0000, 0x0400_0000, 0x40_1000, 0);
      yield* own.call(k, "rt_sigaction", 10, PAGE, 0, 8);
      own.write64(PAGE, 0, 5_000_000);
      const before = k.cpu.clock;
      expect(yield* own.call(k, "nanosleep", PAGE, PAGE + 16)).toBe(-ERESTART_RESTARTBLOCK);
      const left = Number(own.read64(PAGE + 24));
      expect([Number(own.read64(PAGE + 16)), left > 0 && left < 5_000_000]).toEqual([0, true]);
      k.task!.clearFlag(4);
      expect(yield* own.call(k, "restart_syscall")).toBe(0);
      expect(k.cpu.clock - before).toBeGreaterThanOrEqual(5_000_000);
    },
    function* (own, k) {
      while (sleeper === 0 || own.machine.kernel.sched.taskByPid(sleeper)!.state === 0) {
        yield* own.call(k, "sched_yield");
      }
      yield* own.call(k, "tkill", sleeper, 10);
    },
  ]);
});

test("clocks never go back, from core to core, and count the same time", () => {
  const bench = new SyscallBench({ cpus: 4, seed: 8 });
  let last = 0;
  bench.run(
    [0, 1, 2, 3].map(
      (index) =>
        function* (own: SyscallBench, k) {
          for (let turn = 0; turn < 50; turn++) {
            const at = PAGE + index * 64;
            expect(yield* own.call(k, "clock_gettime", turn % 2 === 0 ? 1 : 0, at)).toBe(0);
            const epoch = turn % 2 === 0 ? 0 : BOOT_EPOCH_SECONDS;
            const now = (Number(own.read64(at)) - epoch) * 1e9 + Number(own.read64(at + 8));
            expect(now).toBeGreaterThanOrEqual(0);
            last = Math.max(last, now);
          }
        },
    ),
  );
  expect(last).toBeGreaterThan(0);
  expect(last).toBeLessThanOrEqual(Math.max(...bench.machine.cpus.map((cpu) => cpu.clock)));
});

test("random bytes are the seed's: the same twice, and not the same as the next ones", () => {
  const runs = [1, 2].map(() => {
    const bench = new SyscallBench();
    const words: bigint[] = [];
    bench.run([
      function* (own, k) {
        for (const at of [PAGE, PAGE + 16]) expect(yield* own.call(k, "getrandom", at, 16, 0)).toBe(16);
        for (let at = PAGE; at < PAGE + 32; at += 8) words.push(own.read64(at));
      },
    ]);
    return words;
  });
  expect(runs[0]).toEqual(runs[1]);
  expect(new Set(runs[0]).size).toBe(4);
});
