/** From the words after `faultline` to a command's exit status, in process.exitCode. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import yargs from "yargs";
import { nearMiss, printable, UserError } from "../user-error.ts";
import { bootCommand } from "./commands/boot.ts";
import { demoCommand } from "./commands/demo.ts";
import { listCommand } from "./commands/list.ts";
import { litmusCommand } from "./commands/litmus.ts";
import { replayCommand } from "./commands/replay.ts";
import { runCommand, splitGuestArguments } from "./commands/run.ts";
import { stressCommand } from "./commands/stress.ts";
import { tieNegativeValues } from "./options.ts";
import { ROOT } from "./programs.ts";
import { STATUS_USAGE } from "./verdict.ts";

const COMMANDS: readonly string[] = ["boot", "run", "stress", "replay", "litmus", "list", "demo"];

/** What yargs finds wrong with the words. */
class UsageError extends Error {}

/** Runs one command. What the user did wrong becomes one line on standard error and status 2. */
export async function runCommandLine(words: readonly string[]): Promise<void> {
  const { own, guest } = splitGuestArguments(words);
  try {
    await yargs(tieNegativeValues(own))
      .scriptName("faultline")
      .parserConfiguration({ "duplicate-arguments-array": false })
      .usage("$0 COMMAND\n\nEmulated multi-core machines with switchable page-fault designs.")
      .command(bootCommand)
      .command(runCommand(guest))
      .command(listCommand)
      .command(stressCommand)
      .command(replayCommand)
      .command(litmusCommand)
      .command(demoCommand)
      .demandCommand(1, "say what to do: boot, run, stress, replay, litmus, list or demo")
      .strict()
      .version(`faultline ${version()}`)
      .help()
      .wrap(Math.min(110, process.stdout.columns ?? 110))
      .exitProcess(false)
      .fail((message, error) => {
        // What an option's own check threw comes as yargs' error with the same message.
        if (error?.name === "YError") throw new UsageError(message);
        if (error != null) throw error;
        const [word] = own;
        if (word !== undefined && !word.startsWith("-") && !COMMANDS.includes(word)) {
          const hint = nearMiss(word, COMMANDS, "see `faultline --help`");
          throw new UserError("there is no such command", word, hint);
        }
        throw new UsageError(`${message.replace(/\s*\n\s*/g, " ")}; see \`faultline --help\``);
      })
      .parseAsync();
  } catch (error) {
    if (error instanceof UserError) fail(error.line);
    else if (error instanceof UsageError) fail(printable(error.message));
    else throw error;
  }
}

/** Of the package, which is where the programs are. */
function version(): string {
  const text = readFileSync(join(ROOT, "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

function fail(line: string): void {
  process.stderr.write(`faultline: ${line}\n`);
  process.exitCode = STATUS_USAGE;
}
