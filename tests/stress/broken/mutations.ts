/**
 * `npm run stress:mutations`: every invalidation, wait for an acknowledgement, flush before a free and re-check of spf-mm
 * and of the flush code is left out once, and all scenarios are run until something is reported. The score is the part
 * that is caught, on every architecture that has the step. Steps whose only effect is the order of memory accesses are listed, not scored.
 */
import { formatTable } from "../../../emu/cli/table.ts";
import { Progress } from "../../../emu/cli/terminal.ts";
import { UserError } from "../../../emu/user-error.ts";
import { MUTATIONS, type Mutation, ORDER_ONLY } from "../../../kernel/index.ts";
import type { Unit } from "../../../stress/campaign/index.ts";
import { SCENARIO_ARCHITECTURES, scenarios } from "../../../stress/scenarios/index.ts";
import { processArguments } from "../../arguments.ts";
import { architecturesOf, openCatchUnit } from "./catch.ts";
import { explanationOf } from "./survivors.ts";

/**
 * Schedules of each scenario, in turns of PART_RUNS over all scenarios, so that an easy catch is a quick one. A walk in a
 * table that was freed although there was no memory for a batch is met once in a thousand schedules.
 */
const DEFAULT_RUNS = 1000;
const PART_RUNS = 25;

interface Outcome {
  readonly id: string;
  readonly kind: string;
  readonly arch: string;
  readonly scenario: string;
  readonly signature: string | null;
  readonly runs: number;
}

const { values, words } = processArguments({
  command: "npm run stress:mutations",
  describe: "Each step of spf-mm and of the flush code left out once, against all scenarios.",
  options: {
    runs: {
      kind: "number",
      byDefault: DEFAULT_RUNS,
      least: 1,
      most: 1e9,
      describe: "schedules of a scenario",
    },
    arch: {
      kind: "text",
      byDefault: "all",
      choices: ["all", ...SCENARIO_ARCHITECTURES],
      describe: "architecture",
    },
    json: { kind: "flag", describe: "print JSON" },
  },
  words: { name: "IDs", known: MUTATIONS.map(({ id }) => id) },
});
const maxRuns = values.runs;
const progress = new Progress();
const chosen = words.length === 0 ? MUTATIONS : MUTATIONS.filter(({ id }) => words.includes(id));
const outcomes = chosen.flatMap((mutation) =>
  architecturesOf(mutation.variant)
    .filter((arch) => values.arch === "all" || values.arch === arch)
    .map((arch) => {
      progress.show(() => `${mutation.id} on ${arch}`);
      return attack(mutation, arch);
    }),
);
progress.clear();

/** All scenarios in turns until one of them shows something; a kernel that does not get to a start shows enough. */
function attack({ id, kind, variant }: Mutation, arch: string): Outcome {
  const all = scenarios();
  const design = `${variant.designs.includes("spf-mm") ? "spf-mm" : variant.designs[0]!}+${id}`;
  const units: Unit[] = [];
  let runs = 0;
  for (let first = 1; first <= maxRuns; first += PART_RUNS) {
    const end = Math.min(first + PART_RUNS, maxRuns + 1);
    for (const [at, scenario] of all.entries()) {
      try {
        units[at] ??= openCatchUnit(scenario, design, { arch });
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        return { id, kind, arch, scenario: scenario.name, signature: `no start: ${error.line}`, runs };
      }
      const result = units[at].run({ first, end, stride: 1, known: [] });
      runs += result.runs;
      const [finding] = result.findings;
      if (finding !== undefined) {
        return { id, kind, arch, scenario: scenario.name, signature: finding.signature, runs };
      }
    }
  }
  return { id, kind, arch, scenario: "-", signature: null, runs };
}

const caught = outcomes.filter((outcome) => outcome.signature !== null);
const survivors = outcomes.filter((outcome) => outcome.signature === null);
const unexplained = survivors.filter((outcome) => explanationOf(outcome) === null);
const stale = caught.filter((outcome) => explanationOf(outcome) !== null);
if (values.json) {
  console.log(
    JSON.stringify(
      {
        outcomes,
        survivors: survivors.map((each) => ({ id: each.id, arch: each.arch, why: explanationOf(each) })),
      },
      null,
      2,
    ),
  );
} else {
  const rows = outcomes.map(({ id, kind, arch, scenario, signature, runs }) => [
    id,
    kind,
    arch,
    scenario,
    runs,
    (signature ?? "-").slice(0, 70),
  ]);
  console.log(
    formatTable(
      [
        { title: "step left out", align: "left" },
        { title: "kind", align: "left" },
        { title: "on", align: "left" },
        { title: "scenario", align: "left" },
        { title: "schedules", align: "right" },
        { title: "caught as", align: "left" },
      ],
      rows,
    ).join("\n"),
  );
  for (const each of survivors) {
    console.log(`survivor ${each.id} on ${each.arch}: ${explanationOf(each) ?? "NOT EXPLAINED"}`);
  }
  for (const { id, arch } of stale) console.log(`${id} is caught on ${arch}, but listed as a survivor`);
  for (const { id, step } of ORDER_ONLY) console.log(`not scored, order of memory only: ${id}: ${step}`);
}
const score = (100 * caught.length) / outcomes.length;
console.log(`mutation score ${score.toFixed(1)} %: ${caught.length} of ${outcomes.length} caught`);
const equivalent = survivors.length - unexplained.length;
const rest = outcomes.length - equivalent;
if (equivalent > 0) {
  console.log(
    `${caught.length} of the ${rest} on whose step anything depends: ${((100 * caught.length) / rest).toFixed(1)} %`,
  );
}
process.exitCode = score < 90 || unexplained.length > 0 || stale.length > 0 ? 1 : 0;
