/** The command lines of the long runs (`npm run bench`, `test:matrix`, `fuzz`, `stress:broken`, `stress:mutations`). */
import { parseArgs } from "node:util";
import { printable, UserError } from "../emu/user-error.ts";

export type OptionSpec =
  | {
      readonly kind: "number";
      readonly byDefault: number;
      readonly least: number;
      readonly most: number;
      readonly describe: string;
    }
  | {
      readonly kind: "text";
      readonly byDefault: string;
      readonly choices?: readonly string[];
      readonly describe: string;
    }
  | { readonly kind: "flag"; readonly describe: string };

export interface Usage<Options extends Readonly<Record<string, OptionSpec>>> {
  /** As it is typed. */
  readonly command: string;
  readonly describe: string;
  readonly options: Options;
  /** Words that may follow the options, and what they are called. */
  readonly words?: { readonly name: string; readonly known: readonly string[] };
}

type Value<Spec extends OptionSpec> = Spec extends { kind: "number" }
  ? number
  : Spec extends { kind: "flag" }
    ? boolean
    : string;

export interface Arguments<Options extends Readonly<Record<string, OptionSpec>>> {
  readonly values: { readonly [Name in keyof Options]: Value<Options[Name]> };
  readonly words: readonly string[];
}

/** Processes that an option may ask for. */
export const MAX_JOBS = 512;

/** What a command line says; null: `--help` is in it. @throws UserError */
export function readArguments<const Options extends Readonly<Record<string, OptionSpec>>>(
  usage: Usage<Options>,
  line: readonly string[],
): Arguments<Options> | null {
  const parsed = split(usage, line);
  if (parsed.values["help"] === true) return null;
  const values: Record<string, number | string | boolean> = {};
  for (const [name, spec] of Object.entries(usage.options)) {
    values[name] = parseValue(`--${name}`, spec, parsed.values[name]);
  }
  const known = usage.words?.known ?? [];
  for (const word of parsed.positionals) {
    if (known.includes(word)) continue;
    const hint = usage.words === undefined ? "leave it out" : `give ${usage.words.name} of the list`;
    throw new UserError("is not known", word, `${hint}; see --help`);
  }
  return { values: values as Arguments<Options>["values"], words: parsed.positionals };
}

/** The arguments of this process. Bad ones end it with one line and status 2, `--help` with the usage and status 0. */
export function processArguments<const Options extends Readonly<Record<string, OptionSpec>>>(
  usage: Usage<Options>,
): Arguments<Options> {
  try {
    const given = readArguments(usage, process.argv.slice(2));
    if (given !== null) return given;
  } catch (error) {
    endOnUserError(error);
  }
  console.log(usageText(usage));
  process.exit(0);
}

/** Ends the process as a bad command line does, if that is what the error says. */
export function endOnUserError(error: unknown): never {
  if (!(error instanceof UserError)) throw error;
  console.error(error.line);
  process.exit(2);
}

export function usageText<Options extends Readonly<Record<string, OptionSpec>>>(
  usage: Usage<Options>,
): string {
  const entries = Object.entries(usage.options);
  const heads = entries.map(
    ([name, spec]) => `  --${name}${spec.kind === "flag" ? "" : ` ${placeOf(spec)}`}`,
  );
  const width = Math.max(...heads.map((head) => head.length));
  const words = usage.words === undefined ? "" : ` [${usage.words.name}…]`;
  const lines = entries.map(([, spec], at) => {
    const byDefault = spec.kind === "flag" || spec.byDefault === "" ? "" : ` (${spec.byDefault})`;
    return `${heads[at]!.padEnd(width)}  ${spec.describe}${byDefault}`;
  });
  return [`${usage.command} -- [OPTIONS]${words}`, usage.describe, "", ...lines].join("\n");
}

function placeOf(spec: OptionSpec): string {
  if (spec.kind === "number") return "N";
  return spec.kind === "text" && spec.choices !== undefined ? spec.choices.join("|") : "TEXT";
}

interface Parsed {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
}

function split(usage: Usage<Readonly<Record<string, OptionSpec>>>, line: readonly string[]): Parsed {
  const options: Record<string, { type: "string" | "boolean" }> = { help: { type: "boolean" } };
  for (const [name, { kind }] of Object.entries(usage.options)) {
    options[name] = { type: kind === "flag" ? "boolean" : "string" };
  }
  try {
    return parseArgs({ args: [...line], options, allowPositionals: true }) as Parsed;
  } catch (error) {
    // "Unknown option '--frobnicate'. To specify …": the first sentence is the fact.
    const [fact] = printable((error as Error).message).split(/\.? To specify|\\x0a/);
    throw new UserError(fact!, usage.command, "see --help");
  }
}

function parseValue(
  name: string,
  spec: OptionSpec,
  given: string | boolean | undefined,
): number | string | boolean {
  if (spec.kind === "flag") return given === true;
  if (typeof given !== "string") return spec.byDefault;
  if (spec.kind === "text") {
    if (spec.choices === undefined || spec.choices.includes(given)) return given;
    throw new UserError("is not known", `${name} ${given}`, `give ${spec.choices.join(" or ")}`);
  }
  const value = /^-?\d+$/.test(given) ? Number(given) : Number.NaN;
  if (value >= spec.least && value <= spec.most) return value;
  const what = Number.isNaN(value) ? "is not a whole number" : "is out of range";
  throw new UserError(what, `${name} ${given}`, `give one from ${spec.least} to ${spec.most}`);
}
