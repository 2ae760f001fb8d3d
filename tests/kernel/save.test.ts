import { expect, test } from "vitest";
import { TIF_NEED_RESCHED } from "../../kernel/sched/index.ts";
import type { FakeCpu } from "./support/fake-cpu.ts";
import { FakeMachine } from "./support/fake-machine.ts";

/** Registers and clocks of all cores, and all of RAM. */
function hardware(machine: FakeMachine) {
  return {
    ram: machine.ram.u8.slice(),
    cpus: machine.cpus.map((cpu) => ({
      gpr: cpu.gpr.slice(),
      state: {
        phase: cpu.phase,
        clock: cpu.clock,
        cs: cpu.cs,
        ss: cpu.ss,
        rflags: cpu.rflags,
        deadline: cpu.deadline,
      },
      pc: [...cpu.pc] as [number, number],
      pending: [...cpu.pending],
      inService: [...cpu.inService],
    })),
  };
}

function restoreHardware(machine: FakeMachine, saved: ReturnType<typeof hardware>): void {
  machine.ram.u8.set(saved.ram);
  saved.cpus.forEach((from, id) => {
    const cpu = machine.cpus[id]!;
    cpu.gpr.set(from.gpr);
    Object.assign(cpu, from.state);
    cpu.pc = [...from.pc];
    cpu.pending.clear();
    for (const vector of from.pending) cpu.pending.add(vector);
    cpu.inService.length = 0;
    cpu.inService.push(...from.inService);
  });
}

test("a saved kernel, restored, does again exactly what it did, as often as one likes", () => {
  let calls = 0;
  const user = (cpu: FakeCpu): void => {
    cpu.clock += 300_000;
    if (++calls % 7 === 0) cpu.syscall();
  };
  const machine = new FakeMachine({
    cpus: 2,
    seed: 5,
    user,
    *syscall(k): Generator<void, void, void> {
      if (k.point(100)) yield;
      k.task!.setFlag(TIF_NEED_RESCHED);
    },
  });
  machine.init = function* (k) {
    for (const name of ["a", "b", "c", "d"]) {
      yield* machine.spawn(k, name, function* (own) {
        if (own.point(1)) yield;
      });
    }
  };
  machine.boot();
  let tries = 0;
  do machine.run(100);
  while (!machine.kernel.isQuiet() && ++tries < 1000);
  expect(machine.kernel.isQuiet()).toBe(true);
  const start = hardware(machine);
  const kernel = JSON.parse(JSON.stringify(machine.kernel.save())) as Record<string, unknown>;
  const callsThen = calls;
  const outcomes = [0, 1, 2].map(() => {
    restoreHardware(machine, start);
    machine.kernel.restore(kernel);
    machine.reseed(77);
    calls = callsThen;
    machine.events.length = 0;
    machine.run(3000);
    return JSON.stringify([
      machine.events,
      machine.cpus.map((cpu) => cpu.clock),
      machine.kernel.counters.entries(),
    ]);
  });
  expect(outcomes[1]).toBe(outcomes[0]);
  expect(outcomes[2]).toBe(outcomes[0]);
  expect(outcomes[0]).toContain("switch");
});

test("a machine in which a task is inside the kernel cannot be saved", () => {
  const machine = new FakeMachine({ cpus: 1 });
  machine.init = function* () {
    for (;;) yield;
  };
  machine.boot();
  machine.run(50);
  expect(() => machine.kernel.save()).toThrow("every task is in user mode");
});
