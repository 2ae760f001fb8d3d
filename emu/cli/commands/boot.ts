/** `faultline boot`: a machine from power-on to power-off, with the kernel's log as it comes. */
import type { Argv, CommandModule } from "yargs";
import { GuestOutput } from "../guest-output.ts";
import { chooseModel, type MachineArguments, machineOptions } from "../options.ts";
import { readProgram, resolveProgram } from "../programs.ts";
import { openSession, openTrace, reportTrace, runShowingProgress, sessionOptions } from "../setup.ts";
import { collectStatistics } from "../statistics.ts";
import { Progress } from "../terminal.ts";
import { judge } from "../verdict.ts";

interface BootArguments extends MachineArguments {
  readonly init: string;
  readonly json: boolean;
}

export const bootCommand: CommandModule<object, BootArguments> = {
  command: "boot",
  describe: "boot a machine, run its first program and power off",
  builder: (yargs): Argv<BootArguments> =>
    machineOptions(yargs)
      .option("init", {
        type: "string",
        default: "hello",
        describe: "first program: a name of `faultline list programs`, or the path of a static ELF file",
      })
      .option("json", {
        type: "boolean",
        default: false,
        describe: "print nothing but one JSON object at the end: log, output, statistics",
      }) as Argv<BootArguments>,
  handler: boot,
};

async function boot(args: BootArguments): Promise<void> {
  const model = chooseModel(args);
  const options = sessionOptions(args, model);
  const program = resolveProgram(model.arch, args.init);
  const image = readProgram(program.path);
  const trace = openTrace(args.trace);
  const written = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  const progress = new Progress();
  const output = new GuestOutput((stream, bytes) => {
    if (args.json) {
      if (stream !== "kernel") written[stream].push(bytes.slice());
    } else {
      progress.clear();
      (stream === "stderr" ? process.stderr : process.stdout).write(bytes.slice());
    }
  });
  const session = openSession({
    ...options,
    image,
    argv: [args.init, ...program.args],
    sink: trace,
    console: output.console,
  });
  const end = await runShowingProgress(session, "boot", progress);
  const verdict = judge(session, end);
  for (const line of verdict.lines) process.stderr.write(`${line}\n`);
  process.exitCode = reportTrace(trace, verdict.status);
  if (!args.json) return;
  const summary = {
    machine: model.name,
    cpus: args.cpus,
    memoryBytes: options.memoryBytes,
    design: args.mm,
    seed: args.seed,
    scheduler: args.scheduler,
    tlb: args.tlb,
    init: [args.init, ...program.args],
    stop: end.reason,
    status: verdict.status,
    log: output.log,
    stdout: text(written.stdout),
    stderr: text(written.stderr),
    statistics: collectStatistics(session),
  };
  process.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
}

function text(parts: readonly Uint8Array[]): string {
  return Buffer.concat(parts).toString("utf8");
}
