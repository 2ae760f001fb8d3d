/** `faultline litmus FILES…`: virtual-memory litmus tests, each explored exhaustively on a bare machine. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Argv, CommandModule } from "yargs";
import {
  type AbsentRow,
  DEFAULT_BOUNDS,
  type LitmusResult,
  type LitmusTest,
  type LitmusVariant,
  NO_MACHINE,
  readAbsentRows,
  readLitmusTest,
  runLitmusTest,
} from "../../../stress/litmus/index.ts";
import { UserError } from "../../user-error.ts";
import { type Column, formatNumber, formatTable } from "../table.ts";
import { Progress } from "../terminal.ts";
import { count, STATUS_VIOLATION } from "../verdict.ts";

interface LitmusArguments {
  readonly files: readonly string[];
  readonly finals: boolean;
  readonly witness: boolean;
  readonly maxStates: number;
  readonly model: LitmusVariant;
  readonly json: boolean;
}

const EXTENSION = ".litmus";
const ABSENT_ROWS = "rows.tsv";

export const litmusCommand: CommandModule<object, LitmusArguments> = {
  command: "litmus <files..>",
  describe: "run virtual-memory litmus tests, over all interleavings and TLB contents",
  builder: (yargs): Argv<LitmusArguments> =>
    yargs
      // Else the last of several files is the only one.
      .parserConfiguration({ "duplicate-arguments-array": true })
      .usage("$0 litmus [OPTIONS] FILES…\n\nEach file is a litmus test, or a folder of them.")
      .positional("files", {
        type: "string",
        array: true,
        demandOption: true,
        describe: "litmus files (X86_64 or AArch64), or folders of them",
      })
      .option("finals", { type: "boolean", default: false, describe: "print the distinct final states" })
      .option("witness", {
        type: "boolean",
        default: false,
        describe: "print a schedule to each outcome that was found; for a forbidden one it is always printed",
      })
      .option("model", {
        choices: ["base", "ETS2"] as const,
        default: "base" as const,
        describe: "model of the architecture: AArch64 also with FEAT_ETS2; others have the base model alone",
      })
      .option("max-states", {
        type: "number",
        default: DEFAULT_BOUNDS.maxStates,
        describe: "distinct states of one test after which it counts as incomplete",
      })
      .option("json", {
        type: "boolean",
        default: false,
        describe: "print JSON",
      }) as Argv<object> as Argv<LitmusArguments>,
  handler: litmus,
};

function litmus({ files, finals, witness, maxStates, model, json }: LitmusArguments): void {
  if (!Number.isInteger(maxStates) || maxStates < 1) {
    throw new UserError(
      "is no count of states",
      `--max-states ${maxStates}`,
      "give a whole number from 1 on",
    );
  }
  const tests = files.flatMap(testsOf);
  const absent = files.flatMap(absentRowsOf);
  const bounds = { ...DEFAULT_BOUNDS, maxStates };
  const progress = new Progress();
  const results = tests.map((test, i) => {
    progress.show(() => `litmus: ${i} of ${tests.length}, ${test.name}`);
    // Steps that a verdict of the base model rests on need not matter in a stronger one.
    const vacuity = model === "base" ? "checked" : "unchecked";
    return runLitmusTest(test, { vacuity, bounds, variant: model });
  });
  progress.clear();
  const lines = json
    ? [JSON.stringify({ bounds, tests: results.map(asObject), absent }, null, 2)]
    : [
        ...table(results),
        ...(finals ? results.flatMap(finalStates) : []),
        ...results.filter(({ outcome }) => witness || outcome === "reached").flatMap(witnessOf),
        ...totals(results, absent),
      ];
  process.stdout.write(`${lines.join("\n")}\n`);
  process.exitCode = results.some(({ outcome }) => outcome === "reached") ? STATUS_VIOLATION : 0;
}

/** @throws UserError if the path cannot be read */
function pathsOf(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path)
      .filter((name) => name.endsWith(EXTENSION))
      .sort()
      .map((name) => join(path, name));
  } catch {
    throw new UserError("no such file or folder", path, "give litmus files or folders of them");
  }
}

function testsOf(path: string): LitmusTest[] {
  const paths = pathsOf(path);
  if (paths.length === 0) {
    throw new UserError(`holds no ${EXTENSION} files`, path, "give litmus files or folders of them");
  }
  return paths.map((file) => {
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch {
      throw new UserError("cannot be read", file, "give litmus files or folders of them");
    }
    return readLitmusTest(file, text);
  });
}

function absentRowsOf(path: string): AbsentRow[] {
  if (!statSync(path).isDirectory() || !readdirSync(path).includes(ABSENT_ROWS)) return [];
  const file = join(path, ABSENT_ROWS);
  return readAbsentRows(file, readFileSync(file, "utf8"));
}

function table(results: readonly LitmusResult[]): string[] {
  return formatTable(
    [
      { title: "row", align: "right" },
      { title: "test", align: "left" },
      { title: "verdict", align: "left" },
      { title: "result", align: "left" },
      { title: "finals", align: "right" },
      { title: "states", align: "right" },
      { title: "essential steps", align: "left" },
    ],
    results.map((result) => [
      result.test.row ?? "-",
      result.test.name,
      result.test.verdict,
      explain(result),
      result.finals.length,
      result.states,
      vacuityOf(result),
    ]),
  );
}

function totals(results: readonly LitmusResult[], absent: readonly AbsentRow[]): string[] {
  const { maxStates, maxDepth } = results[0]!.bounds;
  const exceeded = results.filter((result) => result.exceeded !== null).map(({ test }) => test.name);
  const by = exceeded.length === 0 ? "none exceeded" : `exceeded by ${exceeded.join(", ")}`;
  return [
    "",
    `bounds: ${formatNumber(maxStates)} states, depth ${formatNumber(maxDepth)}; ${by}`,
    summary(results),
    ...absent.map(({ row, status, reason }) => `row ${row}: ${status}: ${reason}`),
  ];
}

function explain({ outcome, test, exceeded, finals }: LitmusResult): string {
  switch (outcome) {
    case "ok":
      return { forbidden: "not reached", allowed: "witnessed", required: "holds" }[test.verdict as "allowed"];
    case "reached":
      return "REACHED";
    case "unwitnessed":
      return "not witnessed";
    case "inexpressible":
      return `inexpressible: ${test.settings["Inexpressible"]}`;
    case "informative":
      return finals.some((state) => state.holds === 1) ? "possible here" : "not possible here";
    case "incomplete":
      return `incomplete: ${exceeded}`;
    case "no-final-state":
      return "no final state";
    case "no-machine":
      return NO_MACHINE[test.architecture] ?? "no machine yet";
  }
}

/** Of the steps that a verdict rests on, those whose removal lets the outcome be reached. */
function vacuityOf({ vacuity }: LitmusResult): string {
  if (vacuity.length === 0) return "-";
  const idle = vacuity.filter((each) => each.reached === 0).map((each) => each.without);
  const text = `${vacuity.length - idle.length} of ${vacuity.length} needed`;
  return idle.length === 0 ? text : `${text}; makes no difference: ${idle.join(", ")}`;
}

function finalStates({ test, finals }: LitmusResult): string[] {
  return ["", `${test.name} (* satisfies the question)`, ...finals.map(finalState)];
}

function finalState({ text, holds }: LitmusResult["finals"][number]): string {
  return `  ${holds === 1 ? "*" : " "} ${text}`;
}

/** A column for each core, a step in each line; steps of a core that are alike share one. */
function witnessOf({ test, witness }: LitmusResult): string[] {
  if (witness.length === 0) return [];
  const cores = Math.max(...witness.map(({ core }) => core)) + 1;
  const merged = witness.filter(
    ({ core, text }, i) => core !== witness[i - 1]?.core || text !== witness[i - 1]?.text,
  );
  const columns = Array.from({ length: cores }, (_, core): Column => ({ title: `P${core}`, align: "left" }));
  const rows = merged.map(({ core, text }) => columns.map((_, column) => (column === core ? text : "")));
  return ["", `${test.name}: how`, ...formatTable(columns, rows)];
}

function summary(results: readonly LitmusResult[]): string {
  const of = (outcome: LitmusResult["outcome"], verdict?: string): number =>
    results.filter(
      (result) => result.outcome === outcome && (verdict === undefined || result.test.verdict === verdict),
    ).length;
  return [
    `${count(results.length, "test")}: ${count(of("reached"), "forbidden outcome")} reached`,
    `${of("ok", "allowed")} allowed witnessed`,
    `${of("unwitnessed")} not witnessed`,
    `${of("inexpressible")} inexpressible`,
    `${of("informative")} without a promise`,
    `${of("incomplete") + of("no-final-state")} incomplete`,
    `${of("no-machine")} without a machine`,
  ].join(", ");
}

function asObject({ test, bounds: _bounds, ...result }: LitmusResult): object {
  const { name, file, architecture, row, source, verdict } = test;
  return { name, file, architecture, row, source, verdict, ...result };
}
