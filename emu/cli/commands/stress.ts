/**
 * `faultline stress [SCENARIO…]`: runs scenarios under many schedules and reports what breaks.
 * `faultline stress merge FILES…`: adds up what shards found.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Argv, CommandModule } from "yargs";
import { assertionIds, listDesigns, selectDesign } from "../../../kernel/index.ts";
import {
  type CampaignPlan,
  type CampaignResults,
  DEFAULT_PREEMPTIONS,
  type Finding,
  formatSchedule,
  mergeResults,
  parseResults,
  runCampaign,
  type SchedulerName,
  type UnitPlan,
  type UnitResult,
} from "../../../stress/campaign/index.ts";
import {
  findScenario,
  SCENARIO_ARCHITECTURES,
  type Scenario,
  scenarioMachine,
  scenarios,
} from "../../../stress/scenarios/index.ts";
import { pctBound } from "../../schedulers/index.ts";
import { UserError } from "../../user-error.ts";
import { chooseModel, numberOption, wholeNumber } from "../options.ts";
import { type Column, formatNumber, formatTable } from "../table.ts";
import { Progress } from "../terminal.ts";
import { STATUS_VIOLATION } from "../verdict.ts";

interface StressArguments {
  readonly scenario: readonly string[] | undefined;
  readonly runs: number;
  readonly seed: number;
  readonly scheduler: SchedulerName;
  readonly depth: number;
  readonly preemptions: number;
  readonly failures: number;
  readonly mm: string;
  readonly arch: string | undefined;
  readonly machine: string | undefined;
  readonly tlb: "typical" | "adversarial";
  readonly jobs: number;
  readonly shard: string;
  readonly shrink: boolean;
  readonly failFast: boolean;
  readonly assertionOff: readonly string[];
  readonly output: string;
  readonly json: boolean;
}

/** The worker's program beside the bundle, or as it was compiled; null where there is neither: all is done here. */
const WORKER: string | null =
  ["./stress-worker.js", "../../../stress/campaign/worker.js"]
    .map((name) => fileURLToPath(new URL(name, import.meta.url)))
    .find((file) => existsSync(file)) ?? null;
/** In place of scenarios. */
const MERGE = "merge";
/** Of --mm and --arch. */
const ALL = "all";
const RESULTS_FILE = "results.json";
const DEFAULT_RUNS = 2000;
/** Of a search, which ends by itself. */
const DEFAULT_SEARCH_RUNS = 1_000_000;
const MAX_RUNS = 1e9;
const MAX_PREEMPTIONS = 1000;

export const stressCommand: CommandModule<object, StressArguments> = {
  command: "stress [scenario..]",
  describe: "run scenarios under many schedules until something breaks",
  builder: (yargs) =>
    yargs
      // Else the last of several scenarios is the only one.
      .parserConfiguration({ "duplicate-arguments-array": true })
      .positional("scenario", {
        type: "string",
        array: true,
        describe:
          "scenarios, see `faultline list scenarios`; default: all. Or: merge and results files of shards",
      })
      .option("runs", {
        ...numberOption("--runs", 0, "schedules of each scenario and design", { least: 1, most: MAX_RUNS }),
        defaultDescription: `${DEFAULT_RUNS}; exhaustive: ${DEFAULT_SEARCH_RUNS}`,
      })
      .option("seed", numberOption("--seed", 1, "seed of the campaign", { least: 0, most: 2 ** 31 }))
      .option("scheduler", {
        choices: ["random", "pct", "exhaustive"] as const,
        default: "pct" as const,
        describe:
          "random walk; random priorities with few changes (probabilistic concurrency testing); every schedule within a bound (bounded partial-order reduction)",
      })
      .option("depth", numberOption("--depth", 3, "pct: ordering constraints of the bugs to be found"))
      .option(
        "preemptions",
        numberOption("--preemptions", DEFAULT_PREEMPTIONS, "exhaustive: preemptions of a schedule, at most"),
      )
      .option(
        "failures",
        numberOption("--failures", 0, "exhaustive: failing allocations of a schedule, 0 or 1 at most"),
      )
      .option("mm", { type: "string", default: "all", describe: "fault design, DESIGN+VARIANT, or all" })
      .option("arch", {
        type: "string",
        defaultDescription: SCENARIO_ARCHITECTURES[0]!,
        describe: `architecture (${SCENARIO_ARCHITECTURES.join(", ")}), or all`,
      })
      .option("machine", {
        type: "string",
        defaultDescription: "the one that each scenario names",
        describe: "machine of all scenarios, see `faultline list machines`",
      })
      .option("tlb", {
        choices: ["typical", "adversarial"] as const,
        default: "typical" as const,
        describe: "TLBs of the machine's sizes, or ones that keep, drop and prefetch by seeded choice",
      })
      .option("jobs", numberOption("--jobs", availableParallelism(), "worker processes"))
      .option("shard", {
        type: "string",
        default: "1/1",
        describe: "i/n: every n-th run, beginning with the i-th",
      })
      .option("shrink", { type: "boolean", default: true, describe: "shrink the schedules of findings" })
      .option("fail-fast", {
        type: "boolean",
        default: false,
        describe: "stop at the first finding, when the parts that are being run are done",
      })
      .option("assertion-off", {
        type: "string",
        array: true,
        default: [],
        describe: "a kernel assertion that is not to count, by name",
      })
      .option("output", {
        type: "string",
        default: "findings",
        describe: "folder for results and schedule files",
      })
      .option("json", {
        type: "boolean",
        default: false,
        describe: "print JSON",
      }) as unknown as Argv<StressArguments>,
  handler: async (args) => {
    const [first, ...files] = args.scenario ?? [];
    if (first === MERGE) {
      merge(files, args.output, args.json);
      return;
    }
    const plan = planOf(args);
    checkFolder(args.output);
    const progress = new Progress();
    const from = Date.now();
    // The first signal ends the campaign after the parts that are being run, a second one ends the process.
    let interrupted = 0;
    const listeners = [
      ["SIGINT", 130],
      ["SIGTERM", 143],
    ].map(([signal, status]) => {
      const listener = (): void => {
        interrupted = status as number;
      };
      process.once(signal as NodeJS.Signals, listener);
      return () => process.off(signal as NodeJS.Signals, listener);
    });
    const total = Math.ceil(plan.runs / plan.shards) * plan.units.length;
    const ofTotal = plan.scheduler === "exhaustive" ? "" : ` of ${formatNumber(total)}`;
    let written = 0;
    const results = await runCampaign({
      plan,
      jobs: args.jobs,
      worker: args.jobs === 1 ? null : WORKER,
      onPart: (soFar) => {
        const found = soFar.findings.length;
        if (found > written) writeResults(soFar, args.output);
        written = found;
        progress.show(() => {
          const rate = soFar.runs / ((Date.now() - from) / 1000);
          return `${formatNumber(soFar.runs)}${ofTotal} schedules, ${formatNumber(rate)}/s, ${count(found, "finding")}`;
        });
      },
      stops: (soFar) => interrupted !== 0 || (args.failFast && soFar.unexplained.length > 0),
    });
    progress.clear();
    for (const remove of listeners) remove();
    const isNews = results.findings.length > 0 || existsSync(join(args.output, RESULTS_FILE));
    if (plan.shards > 1 || interrupted !== 0 || isNews) writeResults(results, args.output);
    report(results, args.output, args.json);
    if (interrupted !== 0) process.exitCode = interrupted;
  },
};

/** @throws UserError */
function merge(files: readonly string[], output: string, json: boolean): void {
  if (files.length === 0) {
    throw new UserError("has nothing to add up", "stress merge", "give results.json of each shard");
  }
  const parts = files.map((name) => ({ name, results: parseResults(readText(name), name) }));
  report(mergeResults(parts), output, json);
}

/** @throws UserError */
function planOf(args: StressArguments): CampaignPlan {
  const runs =
    args.runs === 0 ? (args.scheduler === "exhaustive" ? DEFAULT_SEARCH_RUNS : DEFAULT_RUNS) : args.runs;
  wholeNumber(runs, "--runs", 1, MAX_RUNS);
  wholeNumber(args.preemptions, "--preemptions", 0, MAX_PREEMPTIONS);
  wholeNumber(args.failures, "--failures", 0, 1);
  wholeNumber(args.seed, "--seed", 0, 2 ** 31);
  wholeNumber(args.depth, "--depth", 1, 20);
  wholeNumber(args.jobs, "--jobs", 1, 512);
  assertionIds(args.assertionOff, "--assertion-off");
  if (args.scheduler === "exhaustive" && args.tlb === "adversarial") {
    throw new UserError(
      "does not go with --scheduler exhaustive, which takes TLB content as given",
      "--tlb adversarial",
      "take --scheduler random or pct",
    );
  }
  const names = args.scenario ?? [];
  const chosen: readonly Scenario[] =
    names.length === 0 ? scenarios() : [...new Set(names)].map(findScenario);
  const { shard, shards } = shardOf(args.shard);
  return {
    units: unitsOf(args, chosen),
    runs,
    seed: args.seed,
    scheduler: args.scheduler,
    depth: args.depth,
    preemptions: args.preemptions,
    failures: args.failures === 1 ? 1 : 0,
    tlb: args.tlb,
    shrink: args.shrink ? "shrink" : "keep",
    shard,
    shards,
    assertionsOff: args.assertionOff,
  };
}

/** Every scenario on its machine of each architecture, under each design. @throws UserError */
function unitsOf(args: StressArguments, chosen: readonly Scenario[]): UnitPlan[] {
  const designs = args.mm === ALL ? listDesigns().map((design) => design.name) : [args.mm];
  const machine = args.machine === undefined ? null : chooseModel(args);
  const architectures = machine === null ? architecturesOf(args.arch) : [machine.arch];
  return chosen.flatMap((scenario) =>
    architectures.flatMap((arch) =>
      designs
        .filter((design) => hasStep(design, arch, architectures))
        .map((design) => ({
          scenario: scenario.name,
          machine: machine?.name ?? scenarioMachine(arch, scenario),
          design,
        })),
    ),
  );
}

/** @throws UserError */
function architecturesOf(arch: string | undefined): readonly string[] {
  const [first] = SCENARIO_ARCHITECTURES;
  if (arch === ALL) return SCENARIO_ARCHITECTURES;
  if (arch === undefined) return [first!];
  if (SCENARIO_ARCHITECTURES.includes(arch)) return [arch];
  const names = [...SCENARIO_ARCHITECTURES, ALL].join(", ");
  throw new UserError("there is no such architecture", `--arch ${arch}`, `choose from ${names}`);
}

/** Of several architectures, a variant of the kernel is for those that have the step it breaks. @throws UserError */
function hasStep(design: string, arch: string, architectures: readonly string[]): boolean {
  const { variant } = selectDesign(design, "--mm", architectures.length === 1 ? arch : undefined);
  return variant?.architectures?.includes(arch) !== false;
}

/** i/n with i from 1 to n; the last shard has the runs that n divides. */
function shardOf(text: string): { shard: number; shards: number } {
  const match = /^(\d+)\/(\d+)$/.exec(text);
  const [, index, count] = match ?? [];
  const shards = Number(count ?? 0);
  if (match === null || shards < 1 || Number(index) < 1 || Number(index) > shards) {
    throw new UserError("is no shard", `--shard ${text}`, "give i/n with i from 1 to n, as in 2/8");
  }
  return { shard: Number(index) % shards, shards };
}

/** Prints what was found, writes its files, and sets the exit status. */
function report(results: CampaignResults, output: string, json: boolean): void {
  const files = writeSchedules(results, output);
  const { findings, unexplained, errors, plan } = results;
  if (json) {
    const printed = findings.map(({ schedule: _, ...finding }, at) => ({ ...finding, file: files[at] }));
    const units = results.units.map(({ findings: all, repeats: __, ...unit }) => ({
      ...unit,
      findings: all.length,
    }));
    process.stdout.write(
      `${JSON.stringify({ plan, complete: results.complete, errors, units, findings: printed }, null, 2)}\n`,
    );
  } else {
    process.stdout.write(`${[...unitTable(results), ...findingLines(results, files)].join("\n")}\n`);
  }
  for (const error of errors) process.stderr.write(`faultline: ${error}\n`);
  if (unexplained.length > 0 || errors.length > 0) process.exitCode = STATUS_VIOLATION;
}

function unitTable(results: CampaignResults): string[] {
  const { plan } = results;
  if (plan.scheduler === "exhaustive") return searchTable(results);
  const isPct = plan.scheduler === "pct";
  const rows = results.units.map((unit) => [
    unit.scenario,
    unit.machine,
    unit.design,
    unit.runs,
    unit.events / Math.max(unit.runs, 1),
    ...(isPct ? [unit.agents, unit.steps, `1/${formatNumber(1 / boundOf(unit, plan))}`] : []),
    unit.findings.reduce((sum, finding) => sum + finding.count, 0),
  ]);
  const bound: readonly Column[] = [
    { title: "n", align: "right" },
    { title: "k", align: "right" },
    { title: `bound, depth ${plan.depth}`, align: "right" },
  ];
  const table = formatTable(
    [
      { title: "scenario", align: "left" },
      { title: "machine", align: "left" },
      { title: "design", align: "left" },
      { title: "schedules", align: "right" },
      { title: "events each", align: "right" },
      ...(isPct ? bound : []),
      { title: "violations", align: "right" },
    ],
    rows,
  );
  const bug = `a bug of depth ${plan.depth} among n agents, whose turns lie in the first k events`;
  return isPct ? [...table, "", `bound: probability, at least, that one schedule finds ${bug}`] : table;
}

function boundOf({ agents, steps }: UnitResult, { depth }: CampaignPlan): number {
  return pctBound(agents, steps, depth);
}

/** The same of searches: how much of each has been done. */
function searchTable({ units, plan }: CampaignResults): string[] {
  const rows = units.map((unit) => [
    unit.scenario,
    unit.machine,
    unit.design,
    unit.runs,
    unit.events / Math.max(unit.runs, 1),
    unit.search?.overBound ?? 0,
    unit.search?.isComplete === true ? "all" : "not all",
    unit.findings.reduce((sum, finding) => sum + finding.count, 0),
  ]);
  const { preemptions, failures } = plan;
  const table = formatTable(
    [
      { title: "scenario", align: "left" },
      { title: "machine", align: "left" },
      { title: "design", align: "left" },
      { title: "schedules", align: "right" },
      { title: "events each", align: "right" },
      { title: "over the bound", align: "right" },
      { title: `to ${preemptions} preemptions`, align: "left" },
      { title: "violations", align: "right" },
    ],
    rows,
  );
  const fails = failures === 1 ? "each allocation fails once" : "no allocation fails";
  return [
    ...table,
    "",
    `bounds: ${preemptions} preemptions; ${fails}; timers only where nothing else can go on`,
  ];
}

function findingLines(results: CampaignResults, files: readonly string[]): string[] {
  const lines: string[] = [""];
  results.findings.forEach((finding, at) => {
    const { scenario, machine, design } = finding.schedule;
    const unit = results.unitOf(finding.schedule)!;
    const known = finding.known === null ? "" : ` (known: ${finding.known})`;
    lines.push(
      `${finding.invariant}${known} in ${scenario} under ${design} on ${machine}: ${formatNumber(finding.count)} of ${formatNumber(unit.runs)} schedules, first in run ${formatNumber(finding.firstRun)} (seed ${finding.firstSeed})`,
      ...finding.text.split("\n").map((line) => `    ${line}`),
      `    faultline replay ${files[at]}`,
      "",
    );
  });
  const { runs, findings, unexplained, complete } = results;
  const known = findings.length - unexplained.length;
  const knownText = known > 0 ? `, ${known} of them known` : "";
  lines.push(
    `${count(runs, "schedule")}, ${count(findings.length, "finding")}${knownText}${complete ? "" : "; not complete"}`,
  );
  return lines;
}

/** 1 finding, 2,000 findings. */
function count(number: number, noun: string): string {
  return `${formatNumber(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** Writes one file per finding; their names in the order of the findings. */
function writeSchedules(results: CampaignResults, output: string): string[] {
  if (results.findings.length > 0) makeFolder(output);
  return results.findings.map((finding) => {
    const file = join(output, fileName(finding));
    writeWhole(file, formatSchedule(finding.schedule));
    return file;
  });
}

function writeResults(results: CampaignResults, output: string): void {
  makeFolder(output);
  writeWhole(join(output, RESULTS_FILE), results.toText());
  writeSchedules(results, output);
}

/** Of what the finding is, so that the same finding has the same file in every campaign. */
function fileName(finding: Finding): string {
  const { scenario, machine, design } = finding.schedule;
  let hash = 0x811c9dc5;
  for (const char of finding.signature) hash = Math.imul(hash ^ char.charCodeAt(0), 0x0100_0193);
  return `${scenario}.${machine}.${design}.${finding.invariant}.${(hash >>> 0).toString(16).padStart(8, "0")}.schedule`;
}

/** Before hours of work: can the results be written? @throws UserError */
function checkFolder(folder: string): void {
  let at = resolve(folder);
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  try {
    if (!statSync(at).isDirectory()) throw Object.assign(new Error(), { code: "ENOTDIR" });
    accessSync(at, constants.W_OK);
  } catch (error) {
    throw new UserError(
      `cannot be written (${(error as NodeJS.ErrnoException).code})`,
      `--output ${folder}`,
      "give another folder",
    );
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new UserError(
      `cannot be made: ${(error as Error).message}`,
      `--output ${folder}`,
      "give another folder",
    );
  }
}

/** Never half a file: what is there already is replaced at once. */
function writeWhole(file: string, text: string): void {
  try {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  } catch (error) {
    throw new UserError(
      `cannot be written: ${(error as Error).message}`,
      file,
      "give another folder with --output",
    );
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(`cannot be read (${code})`, file, "give results.json of each shard");
  }
}
