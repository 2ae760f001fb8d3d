#!/usr/bin/env node
/** The `faultline` command. */
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { UserError } from "../user-error.ts";
import { bootCommand } from "./commands/boot.ts";
import { demoCommand } from "./commands/demo.ts";
import { listCommand } from "./commands/list.ts";
import { runCommand, splitGuestArguments } from "./commands/run.ts";

/** Bad usage or input, before the guest starts. */
const STATUS_USAGE = 2;

function fail(line: string): never {
  process.stderr.write(`faultline: ${line}\n`);
  process.exit(STATUS_USAGE);
}

for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(process.exitCode ?? 0);
    throw error;
  });
}

try {
  const { own, guest } = splitGuestArguments(hideBin(process.argv));
  await yargs(own)
    .scriptName("faultline")
    .parserConfiguration({ "duplicate-arguments-array": false })
    .usage("$0 COMMAND\n\nEmulated multi-core machines with switchable page-fault designs.")
    .command(bootCommand)
    .command(runCommand(guest))
    .command(listCommand)
    .command(demoCommand)
    .demandCommand(1, "say what to do: boot, run, list or demo")
    .strict()
    .version(false)
    .help()
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .fail((message, error) => {
      if (error instanceof UserError) fail(error.line);
      if (error) throw error;
      fail(`${message.replace(/\s*\n\s*/g, " ")}; see \`faultline --help\``);
    })
    .parseAsync();
} catch (error) {
  if (error instanceof UserError) fail(error.line);
  throw error;
}
