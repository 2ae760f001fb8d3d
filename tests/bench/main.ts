/**
 * `npm run bench`: speed and size on this host, as a table and as JSON.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { type Cell, formatTable } from "../../emu/cli/table.ts";
import { Progress } from "../../emu/cli/terminal.ts";
import { UserError } from "../../emu/user-error.ts";
import { endOnUserError, processArguments } from "../arguments.ts";
import { broadcasts } from "./broadcasts.ts";
import { hostLoad } from "./host-load.ts";
import { PROCESSES } from "./processes.ts";
import { isMet, type Measurement, type Row, take } from "./row.ts";
import { SPEED } from "./speed.ts";
import { STRESS } from "./stress.ts";

const ALL: readonly Measurement[] = [...SPEED, broadcasts, ...PROCESSES, hostLoad, ...STRESS];

const { values } = processArguments({
  command: "npm run bench",
  describe: "Speed and size on this host, as a table and as JSON.",
  options: {
    json: { kind: "text", byDefault: "", describe: "file for the JSON, which is printed otherwise" },
    only: { kind: "text", byDefault: "", describe: "only measurements whose name begins so" },
    row: { kind: "text", byDefault: "", describe: "this measurement alone, in this process, as JSON" },
  },
});
const single = ALL.find((each) => each.name === values.row);
if (single !== undefined) {
  console.log(JSON.stringify(await take(single)));
  process.exit();
}
const chosen = ALL.filter((each) => each.name.startsWith(values.only));
if (chosen.length === 0) {
  const names = ALL.map((each) => each.name).join(", ");
  endOnUserError(new UserError("no measurement begins so", `--only ${values.only}`, `choose from ${names}`));
}

/**
 * One measurement in a process of its own: what the host's compiler has learnt from another one, above all from another
 * architecture, makes code slower that has only ever seen one in practice.
 */
function takeApart(name: string): Row {
  const script = process.argv[1]!;
  const child = spawnSync(process.execPath, [...process.execArgv, script, "--row", name], {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  if (child.status !== 0) throw new Error(`the measurement ${name} ended with status ${child.status}`);
  return JSON.parse(child.stdout) as Row;
}

const progress = new Progress();
const rows: Row[] = [];
for (const measurement of chosen) {
  progress.show(() => measurement.what);
  rows.push(takeApart(measurement.name));
}
progress.clear();

const host = `${cpus()[0]?.model ?? "unknown processor"}, ${availableParallelism()} threads, Node ${process.version}`;
console.log(host);
const lines = formatTable(
  [
    { title: "measurement", align: "left" },
    { title: "measured", align: "right" },
    { title: "asked", align: "right" },
    { title: "goal", align: "right" },
    { title: "unit", align: "left" },
    { title: "", align: "left" },
  ],
  rows.map((row): Cell[] => [
    row.what,
    shown(row.measured),
    row.asked === null ? "" : `${row.better === "more" ? "≥" : "≤"} ${shown(row.asked)}`,
    row.goal === null ? "" : shown(row.goal),
    row.unit,
    isMet(row) ? "" : "not reached",
  ]),
);
console.log(lines.join("\n"));
if (values.json !== "") {
  writeFileSync(values.json, `${JSON.stringify({ host, rows }, null, 2)}\n`);
} else {
  console.log(JSON.stringify({ host, rows }));
}

/** Three significant digits below 1000, whole numbers with separators above. */
function shown(value: number): string {
  if (Math.abs(value) < 1000) return String(Number(value.toPrecision(3)));
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}
