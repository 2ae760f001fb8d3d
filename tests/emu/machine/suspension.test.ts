import { describe, expect, it } from "vitest";
import { programPath, programs, readProgram } from "../../../emu/cli/programs.ts";
import { Session, type SessionOptions } from "../../../emu/cli/session.ts";
import { MACHINE_MODELS, type MachineModel } from "../../../emu/machines/index.ts";
import { SteppingScheduler } from "./stepping.ts";

/** The default machine of each architecture. */
const MODELS = MACHINE_MODELS.filter(
  (model, at) => MACHINE_MODELS.findIndex(({ arch }) => arch === model.arch) === at,
);

interface Ending {
  readonly reason: string;
  readonly output: string;
  readonly state: string;
  readonly clock: number;
  readonly retired: number;
  readonly assertions: number;
  readonly violations: number;
}

function run(
  model: MachineModel,
  command: string,
  cpus: number,
  design: string,
  scheduler: SessionOptions["scheduler"],
): Ending {
  const [name, ...args] = command.split(" ");
  let output = "";
  const session = new Session({
    model,
    cpus,
    design,
    scheduler,
    memoryBytes: 32 * 2 ** 20,
    seed: 1,
    tlb: "typical",
    ledger: "on",
    maxInstructions: 1e8,
    timeoutSeconds: 100,
    image: readProgram(programPath(model.arch, programs().find((program) => program.name === name)!)),
    argv: [name!, ...args],
    console: (stream, bytes) => {
      if (stream !== "kernel") output += new TextDecoder().decode(bytes);
    },
  });
  const { kind, status } = session.run();
  const { machine, kernel } = session;
  return {
    reason: `${kind} ${status}`,
    output,
    state: machine.stateHash(),
    clock: machine.clock,
    retired: machine.retired,
    assertions: kernel.assertions,
    violations: machine.ledger!.total,
  };
}

describe.each(MODELS.map((model) => [model.name, model] as const))(
  "%s, suspended at every memory access, inside instructions, trap deliveries and returns",
  (_, model) => {
    it.each(["hello", "stack", "sigsegv 1 1", "pingpong 2 2"])(
      "ends one core's %s in the state, at the clock and with the output of an unsuspended run",
      (command) => {
        const whole = run(model, command, 1, "classic", "timed");
        const stepped = run(model, command, 1, "classic", (cores) => new SteppingScheduler(cores, 1));
        expect(whole.reason).toBe("power-off 0");
        expect(stepped).toEqual(whole);
      },
    );

    it.each([
      ["storm 2 1", "spf-mm"],
      ["cow 2 2", "classic"],
      ["mremap 2 2", "spf-mm"],
      ["mprotect 2 4", "spf-mm"],
      ["dontneed 2 4", "classic"],
    ])("runs %s on two cores under %s, event by event, without a finding", (command, design) => {
      for (const seed of [1, 2]) {
        const ending = run(model, command, 2, design, (cores) => new SteppingScheduler(cores, seed));
        expect(ending, `seed ${seed}`).toMatchObject({ reason: "power-off 0", assertions: 0, violations: 0 });
      }
    });
  },
);
