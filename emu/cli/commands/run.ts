/**
 * `faultline run PROGRAM [args…]`: the guest's standard streams and exit status are the command's own. What the kernel
 * says about a program that a signal killed follows on standard error when it has ended.
 */
import type { Argv, CommandModule } from "yargs";
import { GuestOutput } from "../guest-output.ts";
import { chooseModel, type MachineArguments, machineOptions } from "../options.ts";
import { programMachine, readProgram, resolveProgram } from "../programs.ts";
import {
  openSession,
  openTrace,
  reportTrace,
  runShowingProgress,
  sessionOptions,
  standardInput,
} from "../setup.ts";
import { collectStatistics, statLines } from "../statistics.ts";
import { Progress } from "../terminal.ts";
import { judge } from "../verdict.ts";

interface RunArguments extends MachineArguments {
  readonly program: string;
  readonly stat: boolean;
  readonly json: boolean;
}

/** Exit status when nobody reads the output any more: 128 + SIGPIPE. */
const STATUS_PIPE = 141;

/** Options of `run` that take no value; all others do. */
const FLAGS: ReadonlySet<string> = new Set([
  "--stat",
  "--no-stat",
  "--json",
  "--no-json",
  "--help",
  "--version",
]);

/**
 * Cuts a command line at the program of `run`: what follows is the guest's, whatever it looks like.
 * @param argv what comes after `faultline`
 */
export function splitGuestArguments(argv: readonly string[]): { own: string[]; guest: string[] } {
  if (argv[0] !== "run") return { own: [...argv], guest: [] };
  let at = 1;
  while (at < argv.length && argv[at]!.startsWith("-") && argv[at] !== "-") {
    const word = argv[at]!;
    if (word === "--")
      return { own: [...argv.slice(0, at), ...argv.slice(at + 1, at + 2)], guest: argv.slice(at + 2) };
    at += FLAGS.has(word) || word.includes("=") ? 1 : 2;
  }
  return { own: argv.slice(0, at + 1), guest: argv.slice(at + 1) };
}

export function runCommand(guestArguments: readonly string[]): CommandModule<object, RunArguments> {
  return {
    command: "run <program>",
    describe: "run a program; its output and exit status are the command's own",
    builder: (yargs): Argv<RunArguments> =>
      machineOptions(yargs)
        .usage("$0 run [OPTIONS] PROGRAM [ARGUMENTS…]\n\nWhat follows PROGRAM belongs to the program.")
        .positional("program", {
          type: "string",
          demandOption: true,
          describe: "path of a static ELF file, or a name of `faultline list programs`",
        })
        .option("stat", {
          type: "boolean",
          default: false,
          describe: "print counts to standard error at the end, in the manner of perf stat",
        })
        .option("json", {
          type: "boolean",
          default: false,
          describe: "print the counts of --stat as JSON",
        }) as Argv<RunArguments>,
    handler: (args) => run(args, guestArguments),
  };
}

async function run(args: RunArguments, guestArguments: readonly string[]): Promise<void> {
  const program = resolveProgram(chooseModel(args).arch, args.program);
  const image = readProgram(program.path);
  const model = chooseModel(args, programMachine(image));
  const options = sessionOptions(args, model);
  const trace = openTrace(args.trace);
  const progress = new Progress();
  const output = new GuestOutput((stream, bytes) => {
    progress.clear();
    if (stream === "stdout") process.stdout.write(bytes.slice());
    else if (stream === "stderr") process.stderr.write(bytes.slice());
  });
  const programArguments = guestArguments.length > 0 ? guestArguments : program.args;
  const session = openSession({
    ...options,
    image,
    argv: [args.program, ...programArguments],
    stdin: standardInput,
    sink: trace,
    console: output.console,
  });
  process.exitCode = STATUS_PIPE;
  const end = await runShowingProgress(session, "run", progress);
  const verdict = judge(session, end);
  if (end.reason.status !== 0) for (const line of output.messages) process.stderr.write(`${line}\n`);
  for (const line of verdict.lines) process.stderr.write(`${line}\n`);
  if (args.stat || args.json) {
    const statistics = collectStatistics(session);
    const command = [args.program, ...programArguments].join(" ");
    const lines = args.json ? [JSON.stringify(statistics, null, 2)] : statLines(command, statistics);
    process.stderr.write(`${lines.join("\n")}\n`);
  }
  process.exitCode = reportTrace(trace, verdict.status);
}
