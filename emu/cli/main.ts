#!/usr/bin/env node
/** The `faultline` command. */
import { runCommandLine } from "./command-line.ts";

for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(process.exitCode ?? 0);
    throw error;
  });
}

await runCommandLine(process.argv.slice(2));
