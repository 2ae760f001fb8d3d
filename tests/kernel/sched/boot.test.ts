import { expect, test } from "vitest";
import { FakeMachine } from "../support/fake-machine.ts";

for (const cpus of [1, 2, 4, 16]) {
  test(`all of ${cpus} cores come up, and the first task reaches user mode`, () => {
    const machine = new FakeMachine({ cpus });
    machine.boot();
    machine.run(20_000);
    expect(machine.stopped).toBe(null);
    expect(machine.kernel.reports).toEqual([]);
    expect(machine.kernel.sched.online.count()).toBe(cpus);
    const inUser = machine.cpus.filter((cpu) => cpu.phase === "user");
    expect(inUser).toHaveLength(1);
    expect(machine.cpus.filter((cpu) => cpu.phase === "halted")).toHaveLength(cpus - 1);
    expect(inUser[0]!.pc).toEqual([0x40_1000, 0]);
    expect(inUser[0]!.cs).toBe(0x33);
    expect(inUser[0]!.gpr[8]).toBe(0x7fff_0000);
    expect(machine.lines.at(0)).toMatch(/^\[ {4}0\.000000\] Faultline kernel/);
    expect(
      machine.lines.some((line) => line.endsWith(`Brought up 1 node, ${cpus} CPU${cpus === 1 ? "" : "s"}`)),
    ).toBe(true);
  });
}

test("booting twice with one seed gives the same events", () => {
  const events = [7, 7].map((seed) => {
    const machine = new FakeMachine({ cpus: 4, seed });
    machine.boot();
    machine.run(20_000);
    return machine.events.concat(machine.lines).join("\n");
  });
  expect(events[1]).toBe(events[0]);
});
