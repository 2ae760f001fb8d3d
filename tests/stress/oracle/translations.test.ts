/** The part of the oracle that judges by the may-sets: kernels that leave a flush out are reported, the whole one is not. */
import { describe, expect, it } from "vitest";
import { programPath, programs, readProgram } from "../../../emu/cli/programs.ts";
import { Machine } from "../../../emu/machine.ts";
import { MACHINE_MODELS } from "../../../emu/machines/index.ts";
import { NOTHING } from "../../../kernel/context.ts";
import { createKernel, type Memory } from "../../../kernel/index.ts";
import { observerOf } from "../../../stress/oracle/part.ts";
import { Translations } from "../../../stress/oracle/translations.ts";
import { type Violation, violationText } from "../../../stress/oracle/violation.ts";
import { SteppingScheduler } from "../../emu/machine/stepping.ts";

/** Runs a program on two cores, event by event, to its end or to the first violation. */
function judge(
  command: string,
  design: string,
  seed: number,
  atFirstCall: (memory: Memory) => void = () => {},
): Violation | null {
  const [name, ...args] = command.split(" ");
  const model = MACHINE_MODELS[0]!;
  const machine = new Machine({
    model,
    cpus: 2,
    scheduler: (cores) => new SteppingScheduler(cores, seed),
    memoryBytes: 32 * 2 ** 20,
    seed: 1,
    tlb: "typical",
    ledger: "on",
    maySets: "on",
    console: () => {},
  });
  const program = programs().find((each) => each.name === name)!;
  const kernel = createKernel(machine, model.arch, {
    design,
    seed: 1,
    init: {
      image: readProgram(programPath(model.arch, program)),
      argv: [name!, ...args],
      envp: [],
      stdin: () => new Uint8Array(0),
    },
  });
  machine.kernel = kernel;
  let found: Violation | null = null;
  const part = new Translations({
    kernel,
    memory: kernel.memory as Memory,
    report: (violation) => {
      found ??= violation;
      machine.stop({ kind: "limit", text: "violation", status: 125 });
    },
  });
  let calls = 0;
  const first = {
    syscallEnter: () => {
      if (calls++ === 0) atFirstCall(kernel.memory as Memory);
    },
  };
  kernel.observer = observerOf([first, part.events]);
  part.mark();
  kernel.boot();
  const { kind } = machine.run({ maxInstructions: 1e8 });
  part.atEnd();
  expect(machine.maySets!.lost).toBe(0);
  if (found === null) expect(kind).toBe("power-off");
  return found;
}

describe("a kernel that leaves one step of a flush out", () => {
  it.each([
    ["MmSteps.flushForked", "cow 2 2", "spf-mm", ["I4"]],
    ["MmSteps.flushCopied", "cow 2 2", "classic", ["I7", "I3"]],
    ["MmSteps.flushMoved", "mremap 2 2", "spf-mm", ["I4", "I3"]],
    ["C07", "dontneed 2 4", "spf-mm", ["I3"]],
    ["C08", "mremap 2 2", "classic", ["I2"]],
  ] as const)("%s, running %s under %s, is reported", (step, command, design, invariants) => {
    const violation = judge(command, `${design}+${step}`, 1);
    expect(violation).not.toBeNull();
    expect(invariants, violationText(violation!)).toContain(violation!.invariant);
    expect(violation!.earlier!.what).not.toMatch(/0x/);
  });

  it("mprotect without its flush, which loading a program needs, is reported from the first system call on", () => {
    const violation = judge("mprotect 2 4", "classic", 1, ({ steps }) => {
      steps.flushProtected = () => NOTHING;
    });
    expect(violation).toMatchObject({ invariant: "I4", later: { what: "stale-after-return: call-return" } });
  });
});

it.each([
  ["mprotect 2 4", "spf-mm"],
  ["cow 2 2", "spf-mm"],
  ["mremap 2 2", "classic"],
  ["dontneed 2 4", "spf-mm"],
  ["mapfixed", "spf-mm"],
])("the whole kernel, running %s under %s, is not reported", (command, design) => {
  for (const seed of [1, 2]) {
    const violation = judge(command, design, seed);
    expect(violation === null ? "" : violationText(violation), `seed ${seed}`).toBe("");
  }
});
