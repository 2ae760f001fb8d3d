import { describe, expect, it } from "vitest";
import { programs } from "../../emu/cli/programs.ts";
import { MACHINE_MODELS } from "../../emu/machines/index.ts";
import { listDesigns } from "../../kernel/index.ts";
import { Guest } from "./guest.ts";

const others = MACHINE_MODELS.slice(1).map((model) => model.name);
const designs = listDesigns().map((design) => design.name);
const cases = others.flatMap((machine) =>
  designs.flatMap((design) =>
    programs()
      .filter((program) => program.matrix)
      .map((program) => [machine, design, program.name, program.exitStatus] as const),
  ),
);

describe("machines beside the default one", () => {
  it.each(cases)("%s, %s: %s runs clean", (machine, design, program, status) => {
    const end = new Guest({ machine, design, program, scheduler: "random", ledger: "on" }).run();
    expect([end.kind, end.status, end.violations]).toEqual(["power-off", status, []]);
  });

  it.each(designs)("with 5-level paging a program uses addresses above 2^53: %s", (design) => {
    const end = new Guest({ machine: "x86-64-la57", design, program: "highaddr", ledger: "on" }).run();
    expect([end.status, end.violations]).toEqual([0, []]);
    expect(end.stdout).not.toMatch(/no addresses above/);
  });
});
