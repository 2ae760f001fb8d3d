import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readSymbols, type SymbolTable } from "../../emu/loader/index.ts";
import { UserError } from "../../emu/user-error.ts";
import {
  readScenario,
  SCENARIO_ARCHITECTURES,
  type Scenario,
  scenarioPath,
  scenarios,
} from "../../stress/scenarios/index.ts";
import { ARCH_NAMES, type Arch, programImage, wrongInstructions } from "./program-file.ts";

const USERLAND = fileURLToPath(new URL("../../userland", import.meta.url));
const SOURCES = join(USERLAND, "scenarios");
const PAGE = 4096n;
const MAX_FILE_BYTES = 24 << 10;
/** struct scenario_thread: function, core, how it parks, what it touches. */
const THREAD_BYTES = 24;

/** Races that a scenario may name beside the catalogue's A01 … C28. */
const NAMED_RACES = ["early-ack", "no-pte-same"];

const all = scenarios();

/** What the first comment of a source file says, read apart from the script that makes the manifest. */
function header(name: string): Map<string, string> {
  const text = readFileSync(join(SOURCES, `${name}.c`), "utf8");
  const comment = /^\/\*\n((?: \* [a-z]+: .*\n)+)/.exec(text);
  const lines = (comment?.[1] ?? "").trimEnd().split("\n");
  return new Map(lines.map((line) => /^ \* ([a-z]+): +(.*)$/.exec(line)!.slice(1) as [string, string]));
}

function words(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(" ");
}

function symbolsOf(arch: Arch, scenario: Scenario): SymbolTable {
  const symbols = readSymbols(programImage(arch, `scenarios/${scenario.name}`));
  if (symbols instanceof UserError) throw symbols;
  return symbols;
}

describe("the manifest of scenarios", () => {
  it("is there for the architectures that programs are built for", () => {
    expect(SCENARIO_ARCHITECTURES).toEqual(ARCH_NAMES);
  });

  it("lists every source file once, in order, and each has its ELF files", () => {
    const sources = readdirSync(SOURCES).map((name) => name.replace(/\.c$/, ""));
    expect(all.map((scenario) => scenario.name)).toEqual(sources.sort());
    for (const arch of ARCH_NAMES)
      expect(readdirSync(join(USERLAND, "bin", arch, "scenarios")).sort(), arch).toEqual(sources);
  });

  it.each(all)("says of $name what the file's first comment says", (scenario) => {
    const said = header(scenario.name);
    expect(scenario).toEqual({
      name: said.get("scenario"),
      description: said.get("about"),
      races: words(said.get("races")),
      litmus: words(said.get("litmus")),
      cores: Number(said.get("cores")),
      tasks: Number(said.get("tasks")),
      profile: said.get("machine") ?? "small",
      invariants: words(said.get("check")),
      seeded: said.get("seeded") === "yes",
    });
    for (const key of said.keys()) {
      expect([
        "scenario",
        "about",
        "races",
        "litmus",
        "cores",
        "tasks",
        "machine",
        "check",
        "seeded",
      ]).toContain(key);
    }
  });

  it.each(all)("describes $name in one line, with races, rows and invariants that exist", (scenario) => {
    expect(scenario.description).toMatch(/^[a-zA-Z].{15,100}$/);
    for (const race of scenario.races) {
      if (!NAMED_RACES.includes(race)) expect(race).toMatch(/^[ABC][0-3][0-9][a-d]?(-[a-z]+)?$/);
    }
    for (const row of scenario.litmus) expect(Number(row)).toBeGreaterThanOrEqual(67);
    for (const invariant of scenario.invariants) expect(invariant).toMatch(/^I([1-9]|1[0-5])$/);
    expect(scenario.tasks).toBeGreaterThanOrEqual(2);
    expect(scenario.cores).toBeLessThanOrEqual(4);
    expect(["small", "stress"]).toContain(scenario.profile);
  });

  it("covers rows 70 to 72 and 76 to 80 of the litmus table", () => {
    const rows = new Set(all.flatMap((scenario) => scenario.litmus));
    expect(["70", "71", "72", "76", "77", "78", "79", "80"].filter((row) => !rows.has(row))).toEqual([]);
  });
});

const built = ARCH_NAMES.flatMap((arch) => all.map((scenario) => ({ arch, scenario })));

describe.each(built)("$arch/$scenario.name", ({ arch, scenario }) => {
  it("is small, has no executable stack and holds only instructions that the frontend has", () => {
    expect(statSync(scenarioPath(arch, scenario)).size).toBeLessThan(MAX_FILE_BYTES);
    expect(programImage(arch, `scenarios/${scenario.name}`).stackExecutable).toBe(false);
    expect(wrongInstructions(arch, `scenarios/${scenario.name}`)).toEqual([]);
  });

  it("keeps the symbols at which it is stopped, its code in one page and its data in another", () => {
    const symbols = symbolsOf(arch, scenario);
    const code = ["scenario_begin", "scenario_thread", "scenario_park", "scenario_park_asleep"];
    const pages = code.map((name) => symbols.find(name)!.va / PAGE);
    expect(new Set(pages).size).toBe(1);
    const phase = symbols.find("scenario_phase")!;
    expect(phase.sizeBytes).toBe(4);
    const start = symbols.find("scenario_data")!.va;
    const end = symbols.find("scenario_data_end")!.va;
    expect(phase.va).toBeGreaterThanOrEqual(start);
    expect(symbols.find("scenario_seed")!.va).toBeGreaterThanOrEqual(start);
    expect((end - 1n) / PAGE).toBe(start / PAGE);
  });

  it("says how many threads it has, and has a core for each that it names", () => {
    const image = programImage(arch, `scenarios/${scenario.name}`);
    const symbols = symbolsOf(arch, scenario);
    const view = new DataView(readScenario(arch, scenario).buffer);
    const fileOffset = (name: string): number => {
      const { va } = symbols.find(name)!;
      const home = image.segments.find((s) => va >= s.va && va < s.va + BigInt(s.fileBytes))!;
      return home.fileOffset + Number(va - home.va);
    };
    const count = view.getUint32(fileOffset("scenario_thread_count"), true);
    const threads = fileOffset("scenario_threads");
    const cores = Array.from({ length: count }, (_, index) =>
      view.getUint32(threads + index * THREAD_BYTES + 8, true),
    );
    expect(cores[0]).toBe(0);
    expect(cores.slice(1)).not.toContain(0);
    expect(Math.max(...cores)).toBeLessThan(scenario.cores);
    expect(count).toBeLessThanOrEqual(scenario.tasks);
    for (let index = 0; index < count; index++) {
      const function_ = symbols.at(view.getBigUint64(threads + index * THREAD_BYTES, true))!;
      expect(function_.offset).toBe(0);
      expect(function_.symbol.va / PAGE, "a thread's code is on the page of scenario_thread").toBe(
        symbols.find("scenario_thread")!.va / PAGE,
      );
    }
  });
});
