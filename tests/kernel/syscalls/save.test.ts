import { expect, test } from "vitest";
import { Guest } from "../../matrix/guest.ts";

interface AtRest {
  readonly phase: string;
}

/** Runs on to the next moment at which every task is in user mode; false: the machine stopped before. */
function runUntilQuiet(guest: Guest, instructions: number): boolean {
  const { machine, kernel } = guest.session;
  for (let limit = instructions; ; limit = machine.retired + 1) {
    const reason = machine.advance(limit);
    if (reason === null) continue;
    if (reason.kind !== "limit") return false;
    machine.stopReason = null;
    const isAtRest = (core: AtRest): boolean => ["execute", "halted", "parked"].includes(core.phase);
    if (kernel.isQuiet() && machine.cores.every(isAtRest)) return true;
  }
}

const CASES = ["x86-64", "aarch64"].flatMap((machine) =>
  ["signals", "pingpong", "proc", "cow"].map((program) => [program, machine] as const),
);

test.each(CASES)(
  "%s on %s: processes, signals, files and waits go on from a saved state as they did before",
  (program, machineName) => {
    const options = { machine: machineName, program, cpus: 2, scheduler: "random", seed: 11 } as const;
    const guest = new Guest(options);
    const { machine, kernel } = guest.session;
    const states: string[] = [];
    for (
      let instructions = 20_000;
      runUntilQuiet(guest, instructions);
      instructions = machine.retired + 20_000
    ) {
      const saved = kernel.save();
      const text = JSON.stringify(saved["process"]);
      expect(JSON.parse(text)).toEqual(saved["process"]);
      states.push(text);
      kernel.restore({ ...saved, process: JSON.parse(text) });
      expect(JSON.stringify(kernel.save()["process"])).toBe(text);
    }
    const reason = machine.stopReason;
    expect(reason?.kind).toBe("power-off");
    expect(reason?.status).toBe(0);
    expect(states.length).toBeGreaterThan(0);
    const undisturbed = new Guest(options);
    undisturbed.run();
    expect(guest.hashes()).toBe(undisturbed.hashes());
  },
);
