/**
 * `npm run fuzz`: guests that execute random bytes and random instructions, for 10,000 seeds, whole and suspended.
 * A failure is printed with its seed; exit status 1 if there is one.
 *
 *     node dist/tests/fuzz/main.js [--seeds N] [--first SEED] [--execution whole|suspended|both]
 */
import { parseArgs } from "node:util";
import { Progress } from "../../emu/cli/terminal.ts";
import { checkSeed, type Execution } from "./run-seed.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "10000" },
    first: { type: "string", default: "1" },
    execution: { type: "string", default: "both" },
  },
});

const executions = (["whole", "suspended"] as const).filter(
  (each) => values.execution === "both" || values.execution === each,
);
const first = Number(values.first);
const last = first + Number(values.seeds) - 1;
const progress = new Progress();
let failed = 0;

for (let seed = first; seed <= last; seed++) {
  progress.show(() => `seed ${seed} of ${last}, ${failed} failed`);
  for (const execution of executions) check(seed, execution);
}
progress.clear();
console.log(`${last - first + 1} seeds, ${executions.join(" and ")}: ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

function check(seed: number, execution: Execution): void {
  let wrong: string[];
  try {
    wrong = checkSeed(seed, execution);
  } catch (error) {
    wrong = [`seed ${seed} (${execution}): host exception`, (error as Error).stack ?? String(error)];
  }
  if (wrong.length === 0) return;
  failed++;
  progress.clear();
  console.log(wrong.join("\n    "));
}
