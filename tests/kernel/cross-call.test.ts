import { expect, test } from "vitest";
import type { Context, Work } from "../../kernel/context.ts";
import { CpuSet } from "../../kernel/cpu-set.ts";
import { CrossCalls, smpCallFunctionMany, smpCallFunctionSingle } from "../../kernel/cross-call.ts";
import { schedule } from "../../kernel/sched/index.ts";
import { kptrOf } from "../../kernel/struct.ts";
import { FakeMachine } from "./support/fake-machine.ts";

function* pause(k: Context, points: number): Work {
  for (let round = 0; round < points; round++) if (k.point(50)) yield;
}

test("a waiting sender goes on only after every target, and no other core, has run the function", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const machine = new FakeMachine({ cpus: 4, seed });
    const ran: [number, number][] = [];
    const kind = machine.kernel.registerCall("test", function* (k, arg) {
      expect(k.irqDepth).toBe(1);
      expect(k.cpu.interruptsEnabled()).toBe(false);
      yield* pause(k, 3);
      ran.push([k.cpu.id, arg]);
    });
    machine.runTasks([
      function* (k) {
        const self = k.cpu.id;
        const targets = CpuSet.first(4);
        targets.delete((self + 1) % 4);
        yield* smpCallFunctionMany(k, targets, kind, kptrOf(64), { wait: "wait" });
        expect(ran.map(([cpu]) => cpu).sort()).toEqual([(self + 2) % 4, (self + 3) % 4].sort());
        expect(ran.every(([, arg]) => arg === 64)).toBe(true);
        yield* smpCallFunctionMany(k, CpuSet.of(self), kind, kptrOf(64), { wait: "wait" });
        expect(ran).toHaveLength(2);
      },
    ]);
    expect(machine.kernel.reports).toEqual([]);
  }
});

test("cores that call each other at once do not deadlock, and no call is lost", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const machine = new FakeMachine({ cpus: 4, seed });
    let ran = 0;
    const kind = machine.kernel.registerCall("test", function* (k) {
      yield* pause(k, 1);
      ran++;
    });
    const caller = function* (k: Context): Work {
      for (let round = 0; round < 6; round++) {
        yield* smpCallFunctionMany(k, CpuSet.first(4), kind, kptrOf(8), { wait: "wait" });
        yield* pause(k, 2);
        if (round === 3) yield* schedule(k);
      }
    };
    machine.runTasks([caller, caller, caller, caller]);
    expect(ran).toBe(4 * 6 * 3);
    expect(machine.kernel.reports).toEqual([]);
  }
});

test("calls without waiting run in the order in which they were sent", () => {
  const machine = new FakeMachine({ cpus: 2, seed: 2 });
  const order: number[] = [];
  const kind = machine.kernel.registerCall("test", function* (k, arg) {
    yield* pause(k, 1);
    order.push(arg);
  });
  machine.runTasks([
    function* (k) {
      for (let call = 8; call < 48; call += 8) {
        yield* smpCallFunctionSingle(k, 1 - k.cpu.id, kind, kptrOf(call), { wait: "no-wait" });
      }
    },
  ]);
  machine.run(5000);
  expect(order).toEqual([8, 16, 24, 32, 40]);
});

test("the vector says whether there is one target or several", () => {
  const machine = new FakeMachine({ cpus: 4 });
  const vectors: number[] = [];
  const kind = machine.kernel.registerCall("test", function* (k) {
    yield* pause(k, 1);
  });
  machine.runTasks([
    function* (k) {
      const cpu = machine.cpus[k.cpu.id]!;
      const write = cpu.wrmsr.bind(cpu);
      cpu.wrmsr = (msr, lo, hi) => {
        if (msr === 0x830) vectors.push(lo & 0xff);
        write(msr, lo, hi);
      };
      const others = CpuSet.first(4);
      yield* smpCallFunctionMany(k, others, kind, kptrOf(8), { wait: "wait" });
      yield* smpCallFunctionMany(k, CpuSet.of((cpu.id + 1) % 4), kind, kptrOf(8), { wait: "wait" });
    },
  ]);
  expect(vectors).toEqual([0xfc, 0xfc, 0xfc, 0xfb]);
});

test("a call with interrupts off is reported", () => {
  const machine = new FakeMachine({ cpus: 2 });
  const kind = machine.kernel.registerCall("test", function* (k) {
    yield* pause(k, 1);
  });
  machine.runTasks([
    function* (k) {
      k.cpu.setInterruptsEnabled(false);
      yield* smpCallFunctionMany(k, CpuSet.first(2), kind, kptrOf(8), { wait: "wait" });
      k.cpu.setInterruptsEnabled(true);
    },
  ]);
  expect(machine.kernel.reports[0]).toMatch(/smp_call_function_many with interrupts off/);
  expect(CrossCalls.bytes(1024)).toBe(32 * 1024 * 1024);
});
