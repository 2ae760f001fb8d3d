/**
 * `faultline demo`, which `npm start` runs: on a machine of each architecture one boot log, then every demo program under
 * every fault design, what each wrote, and a table that compares architectures and designs.
 */
import type { Argv, CommandModule } from "yargs";
import { listDesigns, selectDesign, unreachableEvents } from "../../../kernel/index.ts";
import type { MachineModel } from "../../machines/model.ts";
import { compareDesigns, type DesignTotals, totalsOf } from "../design-totals.ts";
import { GuestOutput } from "../guest-output.ts";
import { runToEnd } from "../host.ts";
import { chooseModel, defaultModels, type MachineArguments, machineOptions } from "../options.ts";
import { type Program, programPath, programs, readProgram } from "../programs.ts";
import { openSession, openTrace, reportTrace, sessionOptions } from "../setup.ts";
import { collectStatistics, type Statistics } from "../statistics.ts";
import { bold, dim, Progress } from "../terminal.ts";
import type { TraceFile } from "../trace-file.ts";
import { count, judge, STATUS_VIOLATION } from "../verdict.ts";

interface DemoArguments extends MachineArguments {
  readonly json: boolean;
}

/** What one program did under one design. */
interface ProgramRun {
  readonly name: string;
  readonly status: number;
  readonly expectedStatus: number | null;
  readonly ok: boolean;
  /** Standard output and standard error, in the order in which they were written. */
  readonly output: string;
  /** What the kernel said about the program. */
  readonly messages: readonly string[];
  readonly verdict: readonly string[];
  readonly statistics: Statistics;
}

interface DesignRun {
  readonly arch: string;
  readonly design: string;
  readonly programs: readonly ProgramRun[];
  readonly totals: DesignTotals;
}

/** `--mm` of the demo: every design. */
const ALL = "all";
/** Exit status if a program did not do what it should. */
const STATUS_FAILED = 1;

export const demoCommand: CommandModule<object, DemoArguments> = {
  command: "demo",
  describe: "run the demo programs once per architecture and fault design and compare them",
  builder: (yargs): Argv<DemoArguments> =>
    machineOptions(yargs)
      .option("mm", { type: "string", default: ALL, describe: "one fault design, or all of them" })
      .default("ledger", "on")
      .option("json", {
        type: "boolean",
        default: false,
        describe: "print nothing but one JSON object at the end",
      }) as Argv<DemoArguments>,
  handler: demo,
};

type Design = ReturnType<typeof listDesigns>[number];

async function demo(args: DemoArguments): Promise<void> {
  const models =
    args.machine === undefined && args.arch === undefined ? defaultModels() : [chooseModel(args)];
  const known = listDesigns();
  const designs = args.mm === ALL ? known : [oneDesign(args.mm)];
  for (const model of models) sessionOptions({ ...args, mm: designs[0]!.name }, model);
  const trace = openTrace(args.trace);
  const stages = models.map((model) => new Stage(args, model, trace));
  const runs: DesignRun[] = [];
  for (const stage of stages) {
    runs.push(...(await performAll(stage, designs, args.json ? () => {} : say)));
    if (stage.signalStatus === null) continue;
    process.stderr.write("faultline: interrupted\n");
    process.exitCode = reportTrace(trace, stage.signalStatus);
    return;
  }
  const failed = runs.flatMap(({ arch, design, programs: all }) =>
    all.filter((run) => !run.ok).map((run) => ({ ...run, where: `${arch}, ${design}` })),
  );
  const violated = failed.some((run) => run.status === STATUS_VIOLATION);
  const status = violated ? STATUS_VIOLATION : failed.length > 0 ? STATUS_FAILED : 0;
  process.exitCode = reportTrace(trace, status);
  if (args.json) {
    say(JSON.stringify(summary(args, stages, runs, status), null, 2));
    return;
  }
  for (const line of comparisonLines(runs, args)) say(line);
  for (const run of failed) {
    say(bold(`${run.name} failed (${run.where}): status ${run.status}, not ${run.expectedStatus}`));
  }
}

/** A design, or a broken variant of one. @throws UserError */
function oneDesign(name: string): Design {
  const { design, variant } = selectDesign(name, "--mm");
  return { name, description: variant?.title ?? design.description };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Every demo program under every design on one machine, up to the end or to a signal. */
async function performAll(
  stage: Stage,
  designs: readonly Design[],
  tell: (line: string) => void,
): Promise<DesignRun[]> {
  const runs: DesignRun[] = [];
  for (const { name, description } of designs) {
    const done: ProgramRun[] = [];
    for (const program of programs().filter((each) => each.demo)) {
      const run = await stage.perform(name, program);
      if (stage.signalStatus !== null) return runs;
      if (runs.length === 0 && done.length === 0) for (const line of stage.bootLog) tell(line);
      if (done.length === 0) tell(`\n${bold(`${stage.model.arch}, ${name}: ${description}`)}`);
      for (const line of programLines(run)) tell(line);
      done.push(run);
    }
    const totals = totalsOf(done.map((run) => run.statistics));
    runs.push({ arch: stage.model.arch, design: name, programs: done, totals });
  }
  tell("");
  return runs;
}

function summary(
  args: DemoArguments,
  stages: readonly Stage[],
  designs: readonly DesignRun[],
  status: number,
): object {
  return {
    machines: stages.map(({ model, bootLog }) => ({ name: model.name, arch: model.arch, bootLog })),
    cpus: args.cpus,
    seed: args.seed,
    scheduler: args.scheduler,
    tlb: args.tlb,
    status,
    designs,
    unreachable: Object.fromEntries(unreachableEvents()),
  };
}

/** Runs programs, each on a machine of its own. */
class Stage {
  readonly model: MachineModel;
  readonly #args: DemoArguments;
  readonly #trace: TraceFile | null;
  readonly #progress: Progress = new Progress();
  /** Log of the first boot. */
  bootLog: readonly string[] = [];
  /** Exit status that a signal calls for. */
  signalStatus: number | null = null;

  constructor(args: DemoArguments, model: MachineModel, trace: TraceFile | null) {
    this.#args = args;
    this.model = model;
    this.#trace = trace;
  }

  async perform(design: string, program: Program): Promise<ProgramRun> {
    const parts: Uint8Array[] = [];
    const output = new GuestOutput((stream, bytes) => {
      if (stream !== "kernel") parts.push(bytes.slice());
    });
    this.#trace?.event(0, 0, `start:${this.model.arch}:${design}:${program.name}`, 0, 0);
    const session = openSession({
      ...sessionOptions({ ...this.#args, mm: design }, this.model),
      image: readProgram(programPath(this.model.arch, program)),
      argv: [program.name, ...program.args],
      sink: this.#trace,
      console: output.console,
    });
    this.#progress.show(() => `${this.model.arch}, ${design}: ${program.name}`);
    const end = await runToEnd(session);
    this.#progress.clear();
    this.signalStatus = end.signalStatus;
    if (this.bootLog.length === 0) this.bootLog = output.bootLog;
    const verdict = judge(session, end);
    return {
      name: program.name,
      status: verdict.status,
      expectedStatus: program.exitStatus,
      ok: verdict.status === program.exitStatus,
      output: Buffer.concat(parts).toString("utf8"),
      messages: output.messages,
      verdict: verdict.lines,
      statistics: collectStatistics(session),
    };
  }
}

const NAME_COLUMN = 10;

function programLines(run: ProgramRun): string[] {
  const lines = [
    ...run.output.split("\n").filter((line) => line !== ""),
    ...run.messages.map(dim),
    ...run.verdict,
  ];
  if (run.status !== 0) lines.push(dim(statusText(run.status)));
  const indent = " ".repeat(NAME_COLUMN);
  return lines.map((line, i) => (i === 0 ? run.name.padEnd(NAME_COLUMN) : indent) + line);
}

function statusText(status: number): string {
  return status > 128 ? `killed by signal ${status - 128} (status ${status})` : `status ${status}`;
}

function comparisonLines(runs: readonly DesignRun[], args: DemoArguments): string[] {
  const violations = runs.reduce((sum, run) => sum + (run.totals.ledgerViolations ?? 0), 0);
  const assertions = runs.reduce((sum, run) => sum + run.totals.kernelAssertions, 0);
  const names = unreachableEvents().map(([name, reason]) => `${name} (${reason})`);
  return [
    ...compareDesigns(runs),
    "",
    dim(
      "Attempts: faults of user code in address spaces with more than one user; all others take mmap_lock at once, " +
        "and an attempt that aborts is made again under it.",
    ),
    dim(`Always 0 in this version: ${names.join(", ")}.`),
    args.ledger === "off"
      ? "ledger: off"
      : `ledger: ${count(violations, "violation")}; kernel: ${count(assertions, "assertion")} fired`,
  ];
}
