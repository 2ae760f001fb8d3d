/** The AArch64 machines: what firmware and ID registers say of each, and that the kernel runs programs on it. */
import { describe, expect, it } from "vitest";
import { programPath, programs, readProgram } from "../../../emu/cli/programs.ts";
import { Session } from "../../../emu/cli/session.ts";
import { MACHINE_MODELS, type MachineModel } from "../../../emu/machines/index.ts";
import { Rig, register } from "../traps/aarch64/rig.ts";

const MODELS = MACHINE_MODELS.filter((model) => model.arch === "aarch64");

function run(model: MachineModel, command: string, design: string) {
  const [name, ...args] = command.split(" ");
  let output = "";
  const session = new Session({
    model,
    cpus: 2,
    design,
    scheduler: "random",
    memoryBytes: 32 * 2 ** 20,
    seed: 1,
    tlb: "adversarial",
    ledger: "on",
    maxInstructions: 1e7,
    timeoutSeconds: 100,
    image: readProgram(programPath(model.arch, programs().find((program) => program.name === name)!)),
    argv: [name!, ...args],
    console: (stream, bytes) => {
      if (stream !== "kernel") output += new TextDecoder().decode(bytes);
    },
  });
  const { kind, status } = session.run();
  return {
    end: `${kind} ${status}`,
    output,
    assertions: session.kernel.assertions,
    violations: session.machine.ledger!.total,
  };
}

describe.each(MODELS.map((model) => [model.name, model] as const))("%s", (_, model) => {
  it.each([
    ["cow 2 2", "classic"],
    ["mprotect 2 4", "spf-mm"],
  ])("runs %s under %s", (command, design) => {
    expect(run(model, command, design)).toMatchObject({ end: "power-off 0", assertions: 0, violations: 0 });
  });
});

describe("what tells the machines apart", () => {
  it.each([
    ["aarch64", 16, 0, 2n, 0n],
    ["aarch64-small", 16, 0, 2n, 0n],
    ["aarch64-stress", 1, 0, 2n, 0n],
    ["aarch64-ets2", 16, 1, 2n, 2n],
    ["aarch64-no-hafdbs", 16, 0, 0n, 0n],
  ])(
    "%s: %i ASID bits to use, FEAT_ETS2 %i; ID_AA64MMFR1_EL1.HAFDBS %i, ETS %i",
    (name, asidBits, ets2, hafdbs, ets) => {
      const rig = new Rig({ model: name });
      expect(rig.machine.firmware).toMatchObject({ asidBits, ets2 });
      const mmfr1 = register(rig.core, "ID_AA64MMFR1_EL1");
      expect([mmfr1 & 15n, (mmfr1 >> 36n) & 15n]).toEqual([hafdbs, ets]);
    },
  );

  it("each is listed here", () => {
    expect(MODELS).toHaveLength(5);
  });
});
