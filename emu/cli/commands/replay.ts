/** `faultline replay FILE`: runs a recorded schedule again and tells its story. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Argv, CommandModule } from "yargs";
import {
  agentName,
  modelByName,
  parseSchedule,
  type Schedule,
  signatureOf,
} from "../../../stress/campaign/index.ts";
import { findScenario, readScenario } from "../../../stress/scenarios/index.ts";
import {
  type ChromeTrace,
  chromeTrace,
  likedColumns,
  StoryRecorder,
  storyLines,
} from "../../../stress/story/index.ts";
import { type RunResult, World } from "../../../stress/world/index.ts";
import { AGENTS_PER_CORE, Replay } from "../../schedulers/index.ts";
import { UserError } from "../../user-error.ts";
import { numberOption, wholeNumber } from "../options.ts";
import { STATUS_VIOLATION } from "../verdict.ts";

interface ReplayArguments {
  readonly file: string;
  readonly full: boolean;
  readonly columns: number;
  readonly trace: string | undefined;
  readonly json: boolean;
}

/** Lines that are printed, unless all is asked for. */
const MAX_LINES = 40;
const MIN_STORY_LINES = 20;
const MIN_COLUMNS = 60;
const MAX_COLUMNS = 1000;

export const replayCommand: CommandModule<object, ReplayArguments> = {
  command: "replay <file>",
  describe: "run a recorded schedule again and tell its story",
  builder: (yargs) =>
    yargs
      .positional("file", {
        type: "string",
        demandOption: true,
        describe: "a schedule file of `faultline stress`",
      })
      .option("full", { type: "boolean", default: false, describe: "tell every event" })
      .option("columns", numberOption("--columns", 0, "characters in a line; 0: the terminal's"))
      .option("trace", {
        type: "string",
        requiresArg: true,
        describe: "write Chrome trace events (JSON), which Perfetto opens, to this file",
      })
      .option("json", {
        type: "boolean",
        default: false,
        describe: "print JSON",
      }) as unknown as Argv<ReplayArguments>,
  handler: ({ file, full, json, columns, trace }) => {
    if (columns !== 0) wholeNumber(columns, "--columns", MIN_COLUMNS, MAX_COLUMNS);
    const schedule = parseSchedule(readText(file), file);
    const { result, recorder, cores, misfit } = replay(schedule, file);
    if (trace !== undefined) {
      const name = `${schedule.scenario} under ${schedule.design}`;
      const { cyclesPerSecond } = modelByName(schedule.machine);
      writeTrace(trace, chromeTrace(recorder.events, { name, cores, cyclesPerSecond }));
    }
    const { judgement, traceHash } = result;
    const same =
      judgement !== null && signatureOf(judgement) === schedule.signature && traceHash === schedule.trace;
    if (json) {
      const { signature, trace: expected } = schedule;
      const found = { reproduced: same, trace: traceHash, expected, signature, judgement };
      process.stdout.write(`${JSON.stringify({ ...found, events: recorder.events }, null, 2)}\n`);
    } else {
      const summary = [...lines(schedule, result, same ? null : diverged(misfit)), ""];
      const maxLines = full
        ? Number.POSITIVE_INFINITY
        : Math.max(MIN_STORY_LINES, MAX_LINES - summary.length);
      const width = columns || process.stdout.columns || likedColumns(cores);
      const story = storyLines(recorder, { maxLines, columns: width, judgement });
      process.stdout.write(`${[...summary, ...story].join("\n")}\n`);
    }
    process.exitCode = same ? STATUS_VIOLATION : 1;
  },
};

interface Replayed {
  readonly result: RunResult;
  readonly recorder: StoryRecorder;
  readonly cores: number;
  readonly misfit: Replay["misfit"];
}

/** @throws UserError if the schedule names an agent that its machine does not have */
function replay(schedule: Schedule, file: string): Replayed {
  const model = modelByName(schedule.machine);
  const scenario = findScenario(schedule.scenario);
  const { cores } = scenario;
  const stranger = schedule.decisions.segments.find(([agent]) => agent >= cores * AGENTS_PER_CORE);
  if (stranger !== undefined) {
    const text = `${agentName(stranger[0])} takes a turn, and ${scenario.name} has ${cores} cores`;
    throw new UserError(text, file, "the file was changed, or is another scenario's");
  }
  let recorder: StoryRecorder | undefined;
  const world = new World({
    model,
    scenario,
    image: readScenario(model.arch, scenario),
    design: schedule.design,
    tlb: schedule.tlb,
    assertionsOff: schedule.assertionsOff,
    watch: (machine) => {
      recorder = new StoryRecorder(machine);
      return recorder;
    },
  });
  recorder!.attach(world.program);
  const { seed, absent } = schedule;
  const decisions = new Replay(schedule.decisions);
  const result = world.run(decisions, { seed, absent });
  recorder!.finish();
  return { result, recorder: recorder!, cores, misfit: decisions.misfit };
}

/** How far a run that should have been the recorded one was it. */
function diverged(misfit: Replay["misfit"]): string {
  if (misfit === null) return "every decision fitted: what happens between them is not what it was";
  return `the decisions fitted for ${misfit.events} events; then ${agentName(misfit.agent)} could not go on`;
}

/** @param divergence null: reproduced */
function lines(schedule: Schedule, result: RunResult, divergence: string | null): string[] {
  const { judgement } = result;
  const told = [
    `${schedule.scenario} under ${schedule.design} on ${schedule.machine}: ${schedule.signature}`,
    `found by ${schedule.found}; ${result.events} events, ${result.recorded.segments.length} switches between agents`,
  ];
  if (divergence === null) told.push(`reproduced, trace ${result.traceHash}`);
  else if (judgement === null) told.push("NOT reproduced: nothing is wrong in this run");
  else
    told.push(
      `NOT reproduced: ${signatureOf(judgement)}, trace ${result.traceHash} instead of ${schedule.trace}`,
    );
  if (divergence !== null) told.push(divergence);
  if (judgement !== null) {
    told.push("", `${judgement.invariant}: ${judgement.text}`);
    for (const [mark, name, site] of [
      [">1", "earlier", judgement.earlier],
      [">2", "later", judgement.later],
    ] as const) {
      if (site === null) continue;
      const at = site.va === null ? "" : ` at ${site.va}`;
      const pid = site.pid === 0 ? "" : ` pid ${site.pid},`;
      const locks = site.locks === "" ? "" : ` (${site.locks})`;
      told.push(
        `  ${mark} ${name.padEnd(7)} core ${site.core},${pid} cycle ${site.time}: ${site.what}${at}${locks}`,
      );
    }
  }
  return told;
}

function writeTrace(file: string, trace: ChromeTrace): void {
  try {
    writeFileSync(file, `${JSON.stringify(trace)}\n`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(`cannot be written (${code})`, `--trace ${file}`, "give a path in a writable folder");
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(`cannot be read (${code})`, file, "give a schedule file of `faultline stress`");
  }
}
