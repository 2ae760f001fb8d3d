import { expect, test } from "vitest";
import type { Context, Work } from "../../../kernel/context.ts";
import { seqChanged, seqRead, seqWriteBegin, seqWriteEnd } from "../../../kernel/locking/index.ts";
import { type KPtr, kptrOf, StructLayout } from "../../../kernel/struct.ts";
import { FakeMachine } from "../support/fake-machine.ts";

const LAYOUT = new StructLayout("guarded");
const COUNT = LAYOUT.u64("mmap_seq", "writers' lock");
const FIRST = LAYOUT.i32("first", "mmap_seq");
const SECOND = LAYOUT.i32("second", "mmap_seq");

function* write(k: Context, object: KPtr, value: number): Work {
  if (k.point(4)) yield;
  seqWriteBegin(k, object, COUNT);
  for (const field of [FIRST, SECOND]) {
    if (k.point(4)) yield;
    field.set(k.ram, object, value);
  }
  if (k.point(4)) yield;
  seqWriteEnd(k, object, COUNT);
}

test("a copy that passes the check is never torn, and torn copies do occur", () => {
  let torn = 0;
  let good = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const machine = new FakeMachine({ cpus: 3, seed });
    const object = kptrOf(machine.take(64, 64));
    const reader = function* (k: Context): Work {
      for (let round = 0; round < 20; round++) {
        if (k.point(4)) yield;
        const start = seqRead(k, object, COUNT);
        if (k.point(4)) yield;
        const first = FIRST.get(k.ram, object);
        if (k.point(4)) yield;
        const second = SECOND.get(k.ram, object);
        if (k.point(4)) yield;
        if (start % 2 === 0 && !seqChanged(k, object, COUNT, start)) {
          expect(second).toBe(first);
          good++;
        } else if (first !== second) {
          torn++;
        }
      }
    };
    machine.runTasks([
      reader,
      reader,
      function* (k) {
        for (let value = 1; value < 15; value++) yield* write(k, object, value);
      },
    ]);
    expect(machine.kernel.reports).toEqual([]);
  }
  expect(torn).toBeGreaterThan(0);
  expect(good).toBeGreaterThan(0);
});

test("a second writer inside, and an end without a begin, are reported", () => {
  const machine = new FakeMachine();
  const object = kptrOf(machine.take(64, 64));
  machine.runTasks([
    function* (k) {
      if (k.point(1)) yield;
      seqWriteEnd(k, object, COUNT);
      seqWriteBegin(k, object, COUNT);
    },
  ]);
  expect(machine.kernel.reports.map((text) => text.split("\n")[0])).toEqual([
    "BUG: mmap_seq is even (0) at a write end",
    "BUG: mmap_seq is odd (1) at a write begin",
  ]);
});
