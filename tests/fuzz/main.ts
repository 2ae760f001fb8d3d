/**
 * `npm run fuzz`: guests that execute random bytes and random instructions, for 10,000 seeds, whole and suspended, on
 * as many processes as the host has threads. A failure is printed with its seed; exit status 1 if there is one.
 */
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Progress } from "../../emu/cli/terminal.ts";
import { MAX_JOBS, processArguments } from "../arguments.ts";
import { checkSeed, type Execution, FUZZED, type Fuzzed } from "./run-seed.ts";

const { values } = processArguments({
  command: "npm run fuzz",
  describe: "Guests that execute random bytes and random instructions.",
  options: {
    seeds: { kind: "number", byDefault: 10_000, least: 1, most: 2 ** 32, describe: "how many" },
    first: { kind: "number", byDefault: 1, least: 0, most: 2 ** 32 - 1, describe: "the first of them" },
    execution: {
      kind: "text",
      byDefault: "both",
      choices: ["whole", "suspended", "both"],
      describe: "instructions in one piece, or stopped at their accesses",
    },
    arch: {
      kind: "text",
      byDefault: "all",
      choices: [...FUZZED, "all"],
      describe: "architecture of the guests",
    },
    jobs: {
      kind: "number",
      byDefault: availableParallelism(),
      least: 1,
      most: MAX_JOBS,
      describe: "processes",
    },
  },
});

const executions = (["whole", "suspended"] as const).filter(
  (each) => values.execution === "both" || values.execution === each,
);
const arches = FUZZED.filter((each) => values.arch === "all" || values.arch === each);
const { first, seeds } = values;
const jobs = Math.min(values.jobs, seeds);

if (jobs === 1) {
  runSeeds();
} else {
  const statuses = await Promise.all(Array.from({ length: jobs }, (_, job) => runProcess(job)));
  process.exitCode = statuses.every((status) => status === 0) ? 0 : 1;
}

/** One process' part of the seeds. */
function runProcess(job: number): Promise<number | null> {
  const from = first + Math.floor((seeds * job) / jobs);
  const to = first + Math.floor((seeds * (job + 1)) / jobs);
  const args = ["--jobs", "1", "--first", String(from), "--seeds", String(to - from)];
  const child = spawn(
    process.execPath,
    [fileURLToPath(import.meta.url), ...args, "--execution", values.execution, "--arch", values.arch],
    { stdio: "inherit" },
  );
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
}

function runSeeds(): void {
  const last = first + seeds - 1;
  const progress = new Progress();
  let failed = 0;
  for (let seed = first; seed <= last; seed++) {
    progress.show(() => `seed ${seed} of ${last}, ${failed} failed`);
    for (const arch of arches) {
      for (const execution of executions) {
        const wrong = check(seed, execution, arch);
        if (wrong.length === 0) continue;
        failed++;
        progress.clear();
        console.log(wrong.join("\n    "));
      }
    }
  }
  progress.clear();
  console.log(
    `seeds ${first} to ${last}, ${executions.join(" and ")}, ${arches.join(" and ")}: ${failed} failed`,
  );
  process.exitCode = failed > 0 ? 1 : 0;
}

function check(seed: number, execution: Execution, arch: Fuzzed): string[] {
  try {
    return checkSeed(seed, execution, arch);
  } catch (error) {
    return [`seed ${seed} (${execution}, ${arch}): host exception`, (error as Error).stack ?? String(error)];
  }
}
