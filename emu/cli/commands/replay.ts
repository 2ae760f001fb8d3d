/** `faultline replay FILE`: runs a recorded schedule again and tells its story. */
import { readFileSync } from "node:fs";
import type { Argv, CommandModule } from "yargs";
import { modelByName, parseSchedule, type Schedule, signatureOf } from "../../../stress/campaign/index.ts";
import { findScenario, readScenario } from "../../../stress/scenarios/index.ts";
import { StoryRecorder, storyLines } from "../../../stress/story/index.ts";
import { type RunResult, World } from "../../../stress/world/index.ts";
import { Replay } from "../../schedulers/index.ts";
import { UserError } from "../../user-error.ts";
import { STATUS_VIOLATION } from "../verdict.ts";

interface ReplayArguments {
  readonly file: string;
  readonly full: boolean;
  readonly json: boolean;
}

/** Lines of a story unless all is asked for. */
const STORY_LINES = 40;

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
      .option("json", {
        type: "boolean",
        default: false,
        describe: "print JSON",
      }) as unknown as Argv<ReplayArguments>,
  handler: ({ file, full, json }) => {
    const schedule = parseSchedule(readText(file), file);
    const { result, recorder, cores } = replay(schedule);
    const { judgement, traceHash } = result;
    const same =
      judgement !== null && signatureOf(judgement) === schedule.signature && traceHash === schedule.trace;
    if (json) {
      const { signature, trace: expected } = schedule;
      const found = { reproduced: same, trace: traceHash, expected, signature, judgement };
      process.stdout.write(`${JSON.stringify({ ...found, events: recorder.events }, null, 2)}\n`);
    } else {
      const maxLines = full ? Number.POSITIVE_INFINITY : STORY_LINES;
      process.stdout.write(`${lines(schedule, result, same).join("\n")}\n\n`);
      process.stdout.write(`${storyLines(recorder.events, { cores, maxLines, judgement }).join("\n")}\n`);
    }
    process.exitCode = same ? STATUS_VIOLATION : 1;
  },
};

interface Replayed {
  readonly result: RunResult;
  readonly recorder: StoryRecorder;
  readonly cores: number;
}

function replay(schedule: Schedule): Replayed {
  const model = modelByName(schedule.machine);
  const scenario = findScenario(schedule.scenario);
  let recorder: StoryRecorder | null = null;
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
  recorder!.events.length = 0;
  const { seed, absent } = schedule;
  const result = world.run(new Replay(schedule.decisions), { seed, absent });
  return { result, recorder: recorder!, cores: scenario.cores };
}

function lines(schedule: Schedule, result: RunResult, same: boolean): string[] {
  const { judgement } = result;
  const told = [
    `${schedule.scenario} under ${schedule.design} on ${schedule.machine}: ${schedule.signature}`,
    `found by ${schedule.found}; ${result.events} events, ${result.recorded.segments.length} switches between agents`,
  ];
  if (same) told.push(`reproduced, trace ${result.traceHash}`);
  else if (judgement === null) told.push("NOT reproduced: nothing is wrong in this run");
  else
    told.push(
      `NOT reproduced: ${signatureOf(judgement)}, trace ${result.traceHash} instead of ${schedule.trace}`,
    );
  if (judgement !== null) {
    told.push("", `${judgement.invariant}: ${judgement.text}`);
    for (const [name, site] of [
      ["earlier", judgement.earlier],
      ["later", judgement.later],
    ] as const) {
      if (site === null) continue;
      const at = site.va === null ? "" : ` at ${site.va}`;
      const locks = site.locks === "" ? "" : ` (${site.locks})`;
      told.push(
        `  ${name.padEnd(7)} core ${site.core}, pid ${site.pid}, cycle ${site.time}: ${site.what}${at}${locks}`,
      );
    }
  }
  return told;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(`cannot be read (${code})`, file, "give a schedule file of `faultline stress`");
  }
}
