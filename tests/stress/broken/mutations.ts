/**
 * `npm run stress:mutations`: every invalidation, wait for an acknowledgement, flush before a free and re-check of spf-mm
 * and of the flush code is left out once, and all scenarios are run until something is reported. The score is the part
 * that is caught. Steps whose only effect is the order of memory accesses are listed, not scored.
 */
import { formatTable } from "../../../emu/cli/table.ts";
import { Progress } from "../../../emu/cli/terminal.ts";
import { UserError } from "../../../emu/user-error.ts";
import { MUTATIONS, ORDER_ONLY } from "../../../kernel/index.ts";
import type { Unit } from "../../../stress/campaign/index.ts";
import { scenarios } from "../../../stress/scenarios/index.ts";
import { processArguments } from "../../arguments.ts";
import { architecturesOf, openCatchUnit } from "./catch.ts";
import { EXPLAINED } from "./survivors.ts";

/** Schedules of each scenario, in turns of PART_RUNS over all scenarios, so that an easy catch is a quick one. */
const DEFAULT_RUNS = 400;
const PART_RUNS = 25;

interface Outcome {
  readonly id: string;
  readonly kind: string;
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
    json: { kind: "flag", describe: "print JSON" },
  },
  words: { name: "IDs", known: MUTATIONS.map(({ id }) => id) },
});
const maxRuns = values.runs;
const progress = new Progress();
const chosen = words.length === 0 ? MUTATIONS : MUTATIONS.filter(({ id }) => words.includes(id));
const outcomes = chosen.map((mutation) => {
  progress.show(() => `${mutation.id}`);
  const design = mutation.variant.designs.includes("spf-mm") ? "spf-mm" : mutation.variant.designs[0]!;
  const arch = architecturesOf(mutation.variant)[0]!;
  return attack(mutation.id, mutation.kind, `${design}+${mutation.id}`, arch);
});
progress.clear();

/** All scenarios in turns until one of them shows something; a kernel that does not get to a start shows enough. */
function attack(id: string, kind: string, design: string, arch: string): Outcome {
  const all = scenarios();
  const units: Unit[] = [];
  let runs = 0;
  for (let first = 1; first <= maxRuns; first += PART_RUNS) {
    const end = Math.min(first + PART_RUNS, maxRuns + 1);
    for (const [at, scenario] of all.entries()) {
      try {
        units[at] ??= openCatchUnit(scenario, design, [], arch);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        return { id, kind, scenario: scenario.name, signature: `no start: ${error.line}`, runs };
      }
      const result = units[at].run({ first, end, stride: 1, known: [] });
      runs += result.runs;
      const [finding] = result.findings;
      if (finding !== undefined) {
        return { id, kind, scenario: scenario.name, signature: finding.signature, runs };
      }
    }
  }
  return { id, kind, scenario: "-", signature: null, runs };
}

const caught = outcomes.filter((outcome) => outcome.signature !== null);
const survivors = outcomes.filter((outcome) => outcome.signature === null);
const unexplained = survivors.filter(({ id }) => EXPLAINED[id] === undefined);
const stale = Object.keys(EXPLAINED).filter((id) => caught.some((outcome) => outcome.id === id));
if (values.json) {
  console.log(
    JSON.stringify(
      { outcomes, survivors: survivors.map(({ id }) => ({ id, why: EXPLAINED[id] ?? null })) },
      null,
      2,
    ),
  );
} else {
  const rows = outcomes.map(({ id, kind, scenario, signature, runs }) => [
    id,
    kind,
    scenario,
    runs,
    (signature ?? "-").slice(0, 70),
  ]);
  console.log(
    formatTable(
      [
        { title: "step left out", align: "left" },
        { title: "kind", align: "left" },
        { title: "scenario", align: "left" },
        { title: "schedules", align: "right" },
        { title: "caught as", align: "left" },
      ],
      rows,
    ).join("\n"),
  );
  for (const { id } of survivors) console.log(`survivor ${id}: ${EXPLAINED[id] ?? "NOT EXPLAINED"}`);
  for (const id of stale) console.log(`${id} is caught, but listed as a survivor`);
  for (const { id, step } of ORDER_ONLY) console.log(`not scored, order of memory only: ${id}: ${step}`);
}
const score = (100 * caught.length) / outcomes.length;
console.log(`mutation score ${score.toFixed(1)} %: ${caught.length} of ${outcomes.length} caught`);
process.exitCode = score < 90 || unexplained.length > 0 || stale.length > 0 ? 1 : 0;
