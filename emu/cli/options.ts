/** Options that several commands share, and their checking: bad ones are UserErrors. */
import type { Argv, Options } from "yargs";
import { MACHINE_MODELS } from "../machines/index.ts";
import type { MachineModel } from "../machines/model.ts";
import { nearMiss, UserError } from "../user-error.ts";

export interface MachineArguments {
  readonly machine: string | undefined;
  readonly arch: string | undefined;
  readonly cpus: number;
  readonly mem: string;
  readonly mm: string;
  readonly seed: number;
  readonly scheduler: "timed" | "random";
  readonly tlb: "typical" | "adversarial";
  readonly ledger: "on" | "off";
  readonly maxInstructions: number;
  readonly timeout: number;
  readonly trace: string | undefined;
}

/** Instructions after which a run is stopped unless told otherwise. */
const DEFAULT_MAX_INSTRUCTIONS = 20_000_000_000;
const DEFAULT_TIMEOUT_SECONDS = 600;
const SMALLEST_MEMORY = 16 * 2 ** 20;
/** What a 32-bit host memory leaves for RAM beside the state of the cores. */
const LARGEST_MEMORY = 3.5 * 2 ** 30;
/** Whole numbers that an option takes, both ends included. */
export interface WholeRange {
  readonly least: number;
  readonly most: number;
}

const CPUS: WholeRange = { least: 1, most: Math.max(...MACHINE_MODELS.map((model) => model.maxCores)) };
const SEEDS: WholeRange = { least: 0, most: 2 ** 32 - 1 };
const INSTRUCTIONS: WholeRange = { least: 1, most: Number.MAX_SAFE_INTEGER };

export function machineOptions<T>(yargs: Argv<T>): Argv<T & MachineArguments> {
  return yargs
    .option("arch", { type: "string", describe: "architecture of the machine" })
    .option("machine", { type: "string", describe: "machine, see `faultline list machines`" })
    .option("cpus", numberOption("--cpus", 4, "number of cores", CPUS))
    .option("mem", { type: "string", default: "256M", describe: "guest RAM, with K, M or G" })
    .option("mm", {
      type: "string",
      default: "classic",
      describe: "fault design, see `faultline list designs`",
    })
    .option("seed", numberOption("--seed", 1, "seed of everything that is random", SEEDS))
    .option("scheduler", {
      choices: ["timed", "random"] as const,
      default: "timed" as const,
      describe: "which core goes next: by virtual time, or a seeded random walk",
    })
    .option("tlb", {
      choices: ["typical", "adversarial"] as const,
      default: "typical" as const,
      describe: "TLBs of the machine's sizes, or ones that keep, drop and prefetch by seeded choice",
    })
    .option("ledger", {
      choices: ["on", "off"] as const,
      default: "off" as const,
      describe: "check that nothing is freed while a TLB or walk cache can reach it",
    })
    .option(
      "max-instructions",
      numberOption(
        "--max-instructions",
        DEFAULT_MAX_INSTRUCTIONS,
        "stop after so many instructions (status 124)",
        INSTRUCTIONS,
      ),
    )
    .option(
      "timeout",
      numberOption(
        "--timeout",
        DEFAULT_TIMEOUT_SECONDS,
        "stop after so many seconds of host time (status 124)",
      ),
    )
    .option("trace", {
      type: "string",
      describe: "write the events of the run to a file, a JSON object a line",
    }) as unknown as Argv<T & MachineArguments>;
}

/**
 * An option that takes a number. yargs would turn other words into NaN, and the message could not show them.
 * @param range what a word must lie in; the message quotes the word, where a number may have lost digits
 */
export function numberOption(
  name: string,
  byDefault: number,
  describe: string,
  range: WholeRange | null = null,
): Options {
  return {
    type: "string",
    requiresArg: true,
    default: byDefault,
    defaultDescription: String(byDefault),
    describe,
    coerce: (given: string | number): number => {
      const value = String(given).trim() === "" ? Number.NaN : Number(given);
      if (!Number.isNaN(value)) {
        // A default need not be a value of the range: it can stand for one that is found later.
        if (range !== null && typeof given === "string" && !lies(value, range))
          throw outOfRange(`${name} ${given}`, range);
        return value;
      }
      throw new UserError(
        "is not a number",
        `${name} ${given}`.trim(),
        `give one, as in ${name} ${range === null || lies(byDefault, range) ? byDefault : range.least}`,
      );
    },
  };
}

/**
 * Ties values such as -5M to the options before them: yargs takes a word that begins with a minus sign and is no number
 * for options of one letter.
 */
export function tieNegativeValues(words: readonly string[]): string[] {
  const tied: string[] = [];
  for (const word of words) {
    const option = tied.at(-1) ?? "";
    const isOption = option.startsWith("--") && !option.includes("=") && option !== "--";
    if (isOption && /^-[\d.]/.test(word)) tied.splice(-1, 1, `${option}=${word}`);
    else tied.push(word);
  }
  return tied;
}

/** @throws UserError */
export function checkMachineArguments(args: MachineArguments, model: MachineModel): void {
  wholeNumber(args.cpus, "--cpus", 1, model.maxCores);
  if (!(args.timeout > 0))
    throw new UserError("is not a positive number", `--timeout ${args.timeout}`, "give seconds of host time");
}

/** The machine that the options or the program's ELF machine ask for. @throws UserError */
export function chooseModel(
  args: Pick<MachineArguments, "arch" | "machine">,
  elfMachine?: number,
): MachineModel {
  if (args.machine !== undefined) {
    const model = MACHINE_MODELS.find((each) => each.name === args.machine);
    if (model === undefined) {
      const names = MACHINE_MODELS.map((each) => each.name);
      const hint = nearMiss(args.machine, names, "see `faultline list machines`");
      throw new UserError("there is no such machine", `--machine ${args.machine}`, hint);
    }
    if (args.arch !== undefined && args.arch !== model.arch) {
      throw new UserError(`is a machine of ${model.arch}`, `--machine ${args.machine}`, "leave --arch out");
    }
    return model;
  }
  const wanted = MACHINE_MODELS.find((each) =>
    args.arch !== undefined
      ? each.arch === args.arch
      : elfMachine === undefined || each.elfMachine === elfMachine,
  );
  if (wanted === undefined) {
    throw new UserError(
      "there is no machine of this architecture",
      `--arch ${args.arch}`,
      "see `faultline list machines`",
    );
  }
  return wanted;
}

/** The default machine of every architecture. */
export function defaultModels(): readonly MachineModel[] {
  return [...new Set(MACHINE_MODELS.map(({ arch }) => arch))].map((arch) =>
    chooseModel({ arch, machine: undefined }),
  );
}

/** Bytes of a size such as 256M. @throws UserError */
export function memoryBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMG]?)$/i.exec(text.trim());
  if (match === null)
    throw new UserError("is not a size", `--mem ${text}`, "give a number with K, M or G, as in 256M");
  const unit = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }[match[2]!.toUpperCase() as "" | "K" | "M" | "G"];
  const bytes = Number(match[1]) * unit;
  if (bytes % 65536 !== 0) throw new UserError("is no multiple of 64K", `--mem ${text}`, "round it");
  if (bytes < SMALLEST_MEMORY || bytes > LARGEST_MEMORY) {
    throw new UserError("is out of range", `--mem ${text}`, "give 16M to 3584M");
  }
  return bytes;
}

/** @throws UserError unless it is a whole number of the range */
export function wholeNumber(value: number, where: string, least: number, most: number): void {
  if (!lies(value, { least, most })) throw outOfRange(`${where} ${value}`, { least, most });
}

function lies(value: number, { least, most }: WholeRange): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function outOfRange(where: string, { least, most }: WholeRange): UserError {
  return new UserError("is out of range", where, `give a whole number from ${least} to ${most}`);
}
