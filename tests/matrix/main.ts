/**
 * `npm run test:matrix`: runs the whole matrix on worker processes. Each failure is printed with the command that
 * repeats it. Exit status 1 if there is one, 2 for a bad command line or one that leaves nothing to run.
 */
import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { formatNumber } from "../../emu/cli/table.ts";
import { Progress } from "../../emu/cli/terminal.ts";
import { UserError } from "../../emu/user-error.ts";
import { endOnUserError, MAX_JOBS, processArguments } from "../arguments.ts";
import { allCombinations, type Combination, replayCommand, sample } from "./combination.ts";
import type { Answer, Order } from "./worker.ts";

const WORKER: string = fileURLToPath(new URL("./worker.js", import.meta.url));
/** Combinations after which a worker is replaced: memories of old machines go with it. */
const WORKER_LIFE = 400;
const PROCESS_ENDED = "the host process ended";
/** Failures printed in full. */
const SHOWN_FAILURES = 50;

const { values } = processArguments({
  command: "npm run test:matrix",
  describe: "Every architecture × program × fault design × number of cores × TLB policy × schedule.",
  options: {
    jobs: {
      kind: "number",
      byDefault: availableParallelism(),
      least: 1,
      most: MAX_JOBS,
      describe: "worker processes",
    },
    only: { kind: "text", byDefault: "", describe: "only combinations whose replay command contains this" },
    sample: {
      kind: "number",
      byDefault: allCombinations().length,
      least: 1,
      most: Number.MAX_SAFE_INTEGER,
      describe: "so many of all combinations, evenly spread and always the same",
    },
    ledger: {
      kind: "text",
      byDefault: "on",
      choices: ["on", "off"],
      describe: "check what TLBs and walk caches can reach",
    },
  },
});

const queue = sample(values.sample).filter((combination) => replayCommand(combination).includes(values.only));
if (queue.length === 0) {
  endOnUserError(
    new UserError("no combination has this", `--only ${values.only}`, "give part of a replay command"),
  );
}
const total = queue.length;
const failures: Answer[] = [];
const progress = new Progress();
const from = Date.now();
let done = 0;
/** Exit status that a signal calls for; 0: none came. What is done by then is still summed up. */
let interrupted = 0;
queue.reverse();
for (const [signal, status] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.once(signal, () => {
    interrupted = status;
    queue.length = 0;
  });
}

await Promise.all(Array.from({ length: values.jobs }, work));
progress.clear();
const seconds = ((Date.now() - from) / 1000).toFixed(0);
const count =
  interrupted === 0 ? formatNumber(total) : `interrupted: ${formatNumber(done)} of ${formatNumber(total)}`;
console.log(
  `${count} combinations, ${formatNumber(failures.length)} failed, ${seconds} seconds of host time`,
);
process.exitCode = interrupted || (failures.length > 0 ? 1 : 0);

/** Keeps one worker process at work until the queue is empty. */
async function work(): Promise<void> {
  let child: ChildProcess | null = null;
  for (let life = 0; queue.length > 0; life++) {
    if (life % WORKER_LIFE === 0 || child === null || !child.connected) {
      child?.disconnect();
      child = fork(WORKER);
    }
    report(await ask(child, queue.pop()!));
  }
  if (child?.connected) child.disconnect();
}

function ask(child: ChildProcess, combination: Combination): Promise<Answer> {
  return new Promise((resolve) => {
    const died = (status: number | null, signal: string | null): void => {
      child.off("message", answered);
      resolve({ combination, wrong: [`${PROCESS_ENDED}: ${signal ?? `status ${status}`}`] });
    };
    const answered = (answer: unknown): void => {
      child.off("exit", died);
      resolve(answer as Answer);
    };
    child.once("exit", died);
    child.once("message", answered);
    const order: Order = { combination, ledger: values.ledger === "off" ? "off" : "on" };
    child.send(order);
  });
}

function report(answer: Answer): void {
  // A signal to the whole process group ends the workers too: what they were at has no answer.
  if (interrupted !== 0 && answer.wrong.some((what) => what.startsWith(PROCESS_ENDED))) return;
  done++;
  if (answer.wrong.length > 0) {
    failures.push(answer);
    progress.clear();
    if (failures.length <= SHOWN_FAILURES) {
      console.log([`FAILED  ${replayCommand(answer.combination)}`, ...answer.wrong].join("\n        "));
    }
  }
  progress.show(() => `${done}/${total} combinations, ${failures.length} failed`);
}
