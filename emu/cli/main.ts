#!/usr/bin/env node
/** The `faultline` command. */
import { runCommandLine } from "./command-line.ts";

/** 128 + SIGPIPE: nobody reads the output any more. */
const STATUS_PIPE = 141;
/** The output cannot be written. */
const STATUS_OUTPUT = 1;

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(STATUS_PIPE);
  process.stderr.write(
    `faultline: standard output: cannot be written (${error.code}); give it another place\n`,
  );
  process.exit(STATUS_OUTPUT);
});
process.stderr.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? STATUS_PIPE : STATUS_OUTPUT);
});

await runCommandLine(process.argv.slice(2));
