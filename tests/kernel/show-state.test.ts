import { expect, test } from "vitest";
import { type LockClass, lockClass, spinLock } from "../../kernel/locking/index.ts";
import { scheduleTimeout, TASK_INTERRUPTIBLE } from "../../kernel/sched/index.ts";
import { showState } from "../../kernel/show-state.ts";
import { kptrOf } from "../../kernel/struct.ts";
import { FakeMachine } from "./support/fake-machine.ts";

const LOCK: LockClass = lockClass({
  name: "ptlock",
  rank: 1,
  context: "process",
  kind: "spin",
  guards: "entries",
});

test("a deadlock report names tasks, states and held locks", () => {
  const machine = new FakeMachine({ cpus: 3, seed: 2 });
  const lock = kptrOf(machine.take(64, 64));
  machine.init = function* (k) {
    yield* machine.spawn(k, "sleeper", function* (own) {
      own.task!.state = TASK_INTERRUPTIBLE;
      yield* scheduleTimeout(own, Number.POSITIVE_INFINITY);
    });
    yield* machine.spawn(k, "spinner", function* (own) {
      yield* spinLock(own, lock, LOCK);
      machine.ram.write32(lock, 0x10_0000);
      yield* spinLock(own, kptrOf(lock), LOCK, 1);
    });
  };
  machine.boot();
  machine.run(5000);
  const text = showState(machine.kernel);
  expect(text).toMatch(/core 0: task:init pid:1 state:R user mode/);
  expect(text).toMatch(/^task:sleeper pid:2 state:S in the kernel/m);
  expect(text).toMatch(/task:spinner pid:3 state:R in the kernel\n {2}2 locks held:\n {3}#0: ptlock@/);
  expect(text).toMatch(/^core 2: swapper\/2 idle$/m);
});
