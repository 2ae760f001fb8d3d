/** `faultline list machines|designs|programs|scenarios|broken`. */
import type { Argv, CommandModule } from "yargs";
import { listBroken, listDesigns } from "../../../kernel/index.ts";
import { SCENARIO_ARCHITECTURES, scenarioArchitectures, scenarios } from "../../../stress/scenarios/index.ts";
import { MACHINE_MODELS } from "../../machines/index.ts";
import { programArchitectures, programs } from "../programs.ts";
import { type Cell, type Column, formatTable } from "../table.ts";

const WHAT = ["machines", "designs", "programs", "scenarios", "broken"] as const;
type What = (typeof WHAT)[number];

interface ListArguments {
  readonly what: What;
  readonly json: boolean;
}

interface Listing {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
  readonly objects: readonly object[];
}

function listing(what: What): Listing {
  const name: Column = { title: "name", align: "left" };
  const description: Column = { title: "description", align: "left" };
  const architectures: Column = { title: "on", align: "left" };
  switch (what) {
    case "machines": {
      const objects = MACHINE_MODELS.map((model) => ({
        name: model.name,
        arch: model.arch,
        maxCores: model.maxCores,
        cyclesPerSecond: model.cyclesPerSecond,
        description: model.description,
      }));
      return {
        columns: [name, { title: "arch", align: "left" }, { title: "cores", align: "right" }, description],
        rows: objects.map((each) => [each.name, each.arch, each.maxCores, each.description]),
        objects,
      };
    }
    case "designs": {
      const objects = listDesigns();
      return {
        columns: [name, description],
        rows: objects.map((each) => [each.name, each.description]),
        objects,
      };
    }
    case "broken": {
      const objects = listBroken().map((each) => ({
        ...each,
        architectures: each.waitsFor === null ? (each.architectures ?? SCENARIO_ARCHITECTURES) : [],
      }));
      return {
        columns: [
          name,
          { title: "race", align: "left" },
          { title: "violates", align: "left" },
          { title: "designs", align: "left" },
          architectures,
          description,
        ],
        rows: objects.map((each) => [
          each.id,
          each.catalogue ?? "-",
          each.invariants.join(" "),
          each.designs.length === 0 ? "-" : each.designs.join(" "),
          each.waitsFor === null ? each.architectures.join(" ") : "-",
          each.waitsFor === null
            ? withNeeds(each.title, each.needs)
            : `(waits for ${each.waitsFor}) ${each.title}`,
        ]),
        objects,
      };
    }
    case "scenarios": {
      const objects = scenarios().map((each) => ({ ...each, architectures: scenarioArchitectures(each) }));
      return {
        columns: [
          name,
          { title: "cores", align: "right" },
          { title: "tasks", align: "right" },
          { title: "races", align: "left" },
          architectures,
          description,
        ],
        rows: objects.map((each) => [
          each.name,
          each.cores,
          each.tasks,
          each.races.join(" "),
          each.architectures.join(" "),
          each.description,
        ]),
        objects,
      };
    }
    case "programs": {
      const objects = programs().map((each) => ({ ...each, architectures: programArchitectures(each) }));
      return {
        columns: [
          name,
          { title: "arguments", align: "left" },
          { title: "status", align: "right" },
          architectures,
          description,
        ],
        rows: objects.map((each) => [
          each.name,
          each.args.join(" "),
          each.exitStatus ?? "-",
          each.architectures.join(" "),
          each.description,
        ]),
        objects,
      };
    }
  }
}

function withNeeds(title: string, needs: readonly string[]): string {
  return needs.length === 0 ? title : `${title} (needs ${needs.join(", ")})`;
}

export const listCommand: CommandModule<object, ListArguments> = {
  command: "list <what>",
  describe: "list machines, fault designs, guest programs, stress scenarios or broken variants of the kernel",
  builder: (yargs): Argv<ListArguments> =>
    yargs
      .positional("what", { choices: WHAT, demandOption: true, describe: "what to list" })
      .option("json", { type: "boolean", default: false, describe: "print JSON" }),
  handler: ({ what, json }) => {
    const { columns, rows, objects } = listing(what);
    const lines = json ? [JSON.stringify(objects, null, 2)] : formatTable(columns, rows);
    process.stdout.write(`${lines.join("\n")}\n`);
  },
};
