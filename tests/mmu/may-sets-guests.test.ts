/** The real kernel and guest programs under the may-sets: correct protocols, so nothing may be reported. */
import { expect, it } from "vitest";
import { programPath, programs, readProgram } from "../../emu/cli/programs.ts";
import type { Core } from "../../emu/cores/index.ts";
import { Machine, type MachineOptions } from "../../emu/machine.ts";
import { MACHINE_MODELS } from "../../emu/machines/index.ts";
import { createKernel } from "../../kernel/index.ts";
import { formatMayViolation } from "../../mmu/index.ts";
import { SteppingScheduler } from "../emu/machine/stepping.ts";

interface Ending {
  readonly reason: string;
  readonly reports: string[];
  readonly total: number;
  readonly lost: number;
  readonly ledger: number;
}

type Scheduler = MachineOptions["scheduler"];

interface More {
  readonly tlb?: "typical" | "adversarial";
  readonly model?: string;
  readonly seed?: number;
  readonly maySets?: "checked" | "off";
}

function machineAfter(
  command: string,
  cpus: number,
  design: string,
  scheduler: Scheduler,
  more: More,
): Machine {
  const [name, ...args] = command.split(" ");
  const model = MACHINE_MODELS.find((each) => each.name === (more.model ?? "x86-64"))!;
  const seed = more.seed ?? 1;
  const machine = new Machine({
    model,
    cpus,
    scheduler,
    memoryBytes: 32 * 2 ** 20,
    seed,
    tlb: more.tlb ?? "typical",
    ledger: "on",
    maySets: more.maySets ?? "checked",
    console: () => {},
  });
  const program = programs().find((each) => each.name === name)!;
  const kernel = createKernel(machine, model.arch, {
    design,
    seed,
    init: {
      image: readProgram(programPath(model.arch, program)),
      argv: [name!, ...args],
      envp: [],
      stdin: () => new Uint8Array(0),
    },
  });
  machine.kernel = kernel;
  kernel.boot();
  machine.run({ maxInstructions: 1e8 });
  return machine;
}

function run(command: string, cpus: number, design: string, scheduler: Scheduler, more: More = {}): Ending {
  const machine = machineAfter(command, cpus, design, scheduler, more);
  const maySets = machine.maySets!;
  const { kind, status } = machine.stopReason!;
  return {
    reason: `${kind} ${status}`,
    reports: maySets.violations.slice(0, 3).map(formatMayViolation),
    total: maySets.total,
    lost: maySets.lost,
    ledger: machine.ledger!.total,
  };
}

const CLEAN: Ending = { reason: "power-off 0", reports: [], total: 0, lost: 0, ledger: 0 };

it.each([
  ["storm 2 1", "spf-mm", "x86-64"],
  ["cow 2 2", "classic", "x86-64"],
  ["mremap 2 2", "spf-mm", "x86-64"],
  ["mprotect 2 4", "spf-mm", "x86-64"],
  ["dontneed 2 4", "classic", "x86-64"],
  ["cow 2 2", "classic", "aarch64"],
  ["mremap 2 2", "spf-mm", "aarch64"],
])(
  "%s on two cores under %s, event by event, holds nothing longer than it may (%s)",
  (command, design, model) => {
    expect(run(command, 2, design, (cores) => new SteppingScheduler(cores, 1), { model })).toEqual(CLEAN);
  },
);

it.each([
  ["mprotect 4 4", "spf-mm", "typical", "x86-64"],
  ["mremap 4 4", "classic", "adversarial", "x86-64"],
  ["cow 2 2", "spf-mm", "adversarial", "x86-64-stress"],
  ["dontneed 3 4", "spf-mm", "adversarial", "x86-64-la57"],
  ["mprotect 4 4", "spf-mm", "adversarial", "aarch64-small"],
  ["cow 2 2", "classic", "adversarial", "aarch64-stress"],
] as const)(
  "%s in random slices on four cores under %s, %s TLBs, %s, is clean",
  (command, design, tlb, model) => {
    for (const seed of [1, 2])
      expect(run(command, 4, design, "random", { tlb, model, seed }), `seed ${seed}`).toEqual(CLEAN);
  },
);

it("may-sets change nothing of a run", () => {
  for (const scheduler of ["random", (cores: readonly Core[]) => new SteppingScheduler(cores, 3)] as const) {
    const [kept, without] = (["checked", "off"] as const).map((maySets) => {
      const machine = machineAfter("cow 2 2", 2, "spf-mm", scheduler, { maySets, tlb: "adversarial" });
      return { trace: machine.events.hash, state: machine.stateHash(), clock: machine.clock };
    });
    expect(kept).toEqual(without);
  }
});
