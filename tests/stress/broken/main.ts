/**
 * `npm run stress:broken`: every broken variant of the kernel against the scenarios that are after it. Printed are the
 * invariant that caught it, the runs that took, and how long the shrunk schedule is. Exit status 1 if one gets away.
 */
import { formatTable } from "../../../emu/cli/table.ts";
import { Progress } from "../../../emu/cli/terminal.ts";
import { BROKEN } from "../../../kernel/index.ts";
import { SCENARIO_ARCHITECTURES } from "../../../stress/scenarios/index.ts";
import { processArguments } from "../../arguments.ts";
import { architecturesOf, type Catch, catchVariant, MAX_CATCH_RUNS, scenariosOf } from "./catch.ts";

const { values, words } = processArguments({
  command: "npm run stress:broken",
  describe: "Every broken variant of the kernel against the scenarios that are after it.",
  options: {
    runs: {
      kind: "number",
      byDefault: MAX_CATCH_RUNS,
      least: 1,
      most: 1e9,
      describe: "schedules of a scenario",
    },
    json: { kind: "flag", describe: "print JSON" },
    arch: {
      kind: "text",
      byDefault: "all",
      choices: ["all", ...SCENARIO_ARCHITECTURES],
      describe: "architecture",
    },
  },
  words: { name: "IDs", known: BROKEN.map(({ id }) => id) },
});

const chosen = words.length === 0 ? BROKEN : BROKEN.filter(({ id }) => words.includes(id));
const progress = new Progress();
const catches: Catch[] = [];
const hunts = chosen.flatMap((variant) =>
  architecturesOf(variant)
    .filter((arch) => values.arch === "all" || values.arch === arch)
    .map((arch) => ({ variant, arch })),
);
for (const { variant, arch } of hunts) {
  progress.show(() => `${catches.length} of ${hunts.length}: ${variant.id} on ${arch}`);
  if (scenariosOf(variant).length === 0) console.error(`${variant.id}: no scenario is after it`);
  catches.push(catchVariant(variant, values.runs, arch));
}
progress.clear();
if (values.json) {
  console.log(JSON.stringify(catches, null, 2));
} else {
  const rows = catches.map((each) => [
    each.variant,
    each.arch,
    each.scenario,
    each.invariant ?? "-",
    each.runs,
    each.assertionsOff.join(" ") || "-",
    each.schedule === null ? "-" : each.schedule.decisions.segments.length,
  ]);
  const columns = [
    { title: "variant", align: "left" },
    { title: "on", align: "left" },
    { title: "scenario", align: "left" },
    { title: "caught by", align: "left" },
    { title: "schedules", align: "right" },
    { title: "assertions off", align: "left" },
    { title: "switches", align: "right" },
  ] as const;
  console.log(formatTable(columns, rows).join("\n"));
}
const away = catches.filter((each) => each.invariant === null);
console.log(`${catches.length - away.length} of ${catches.length} caught`);
process.exitCode = away.length > 0 ? 1 : 0;
