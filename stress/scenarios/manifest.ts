/**
 * The scenarios that come with Faultline: userland/scenarios.json, which is made from the first comments of the files
 * in userland/scenarios, and the ELF files beside it.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { nearMiss, UserError } from "../../emu/user-error.ts";

export interface Scenario {
  readonly name: string;
  /** One line. */
  readonly description: string;
  /** The races that it is after: catalogue numbers, or the name of a broken variant that has none. */
  readonly races: readonly string[];
  /** Rows of the table of litmus tests. */
  readonly litmus: readonly string[];
  /** Cores that it needs. */
  readonly cores: number;
  /** Threads and processes that are there at the start. */
  readonly tasks: number;
  /** Which machine of an architecture it runs on: `small`, or `stress` with few context slots. */
  readonly profile: "small" | "stress";
  /** What check() stands for. */
  readonly invariants: readonly string[];
  /** What it does depends on the word `scenario_seed`. */
  readonly seeded: boolean;
}

const ROOT: string = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(folder: string): string {
  if (existsSync(join(folder, "userland", "scenarios.json"))) return folder;
  const parent = dirname(folder);
  if (parent === folder)
    throw new Error("scenarios: userland/scenarios.json is missing from the installation");
  return findRoot(parent);
}

/** All scenarios, in alphabetical order. */
export function scenarios(): readonly Scenario[] {
  const text = readFileSync(join(ROOT, "userland", "scenarios.json"), "utf8");
  return (JSON.parse(text) as { scenarios: Scenario[] }).scenarios;
}

/** A scenario by name. @throws UserError */
export function findScenario(name: string): Scenario {
  const all = scenarios();
  const found = all.find((scenario) => scenario.name === name);
  if (found === undefined) {
    const names = all.map((scenario) => scenario.name);
    const hint = nearMiss(name, names, "see `faultline list scenarios`");
    throw new UserError("there is no such scenario", name, hint);
  }
  return found;
}

/** The architectures that scenarios are built for, in the order in which they are shown. */
export const SCENARIO_ARCHITECTURES: readonly string[] = ["x86-64", "aarch64"];

/** Those that this one is built for. */
export function scenarioArchitectures(scenario: Scenario): readonly string[] {
  return SCENARIO_ARCHITECTURES.filter((arch) => existsSync(scenarioPath(arch, scenario)));
}

/** Name of the machine that it runs on unless another one is asked for. */
export function scenarioMachine(arch: string, scenario: Scenario): string {
  return `${arch}-${scenario.profile}`;
}

/** Where its ELF file is. */
export function scenarioPath(arch: string, scenario: Scenario): string {
  return join(ROOT, "userland", "bin", arch, "scenarios", scenario.name);
}

/** Its ELF file. @throws UserError if it was not built for the architecture */
export function readScenario(arch: string, scenario: Scenario): Uint8Array {
  const path = scenarioPath(arch, scenario);
  if (!existsSync(path)) {
    throw new UserError(`there is no ${arch} file of this scenario`, path, "run make in userland/");
  }
  return new Uint8Array(readFileSync(path));
}
