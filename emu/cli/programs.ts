/** The guest programs that come with Faultline: userland/programs.json and the ELF files beside it. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { MACHINE_MODELS } from "../machines/index.ts";
import { UserError } from "../user-error.ts";

export interface Program {
  readonly name: string;
  readonly file: string;
  readonly description: string;
  readonly args: readonly string[];
  /** Status that a correct run ends with (128+N for signal N); null: it ends by no status of its own. */
  readonly exitStatus: number | null;
  readonly demo: boolean;
  readonly matrix: boolean;
}

/** The project's root, from the sources and from the build alike. */
export const ROOT: string = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(folder: string): string {
  if (existsSync(join(folder, "userland", "programs.json"))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error("programs: userland/programs.json is missing from the installation");
  return findRoot(parent);
}

export function programs(): readonly Program[] {
  const text = readFileSync(join(ROOT, "userland", "programs.json"), "utf8");
  return (JSON.parse(text) as { programs: Program[] }).programs;
}

export function programPath(arch: string, program: Program): string {
  return join(ROOT, "userland", "bin", arch, program.file);
}

/**
 * A program of the list by name, or a path to an ELF file.
 * @param arch of the program of the list; undefined: that of the first machine
 * @throws UserError
 */
export function resolveProgram(
  arch: string | undefined,
  nameOrPath: string,
): { path: string; args: readonly string[] } {
  const known = programs().find((program) => program.name === nameOrPath);
  if (known !== undefined) {
    return { path: programPath(arch ?? MACHINE_MODELS[0]!.arch, known), args: known.args };
  }
  if (nameOrPath.includes("/") || existsSync(nameOrPath)) return { path: nameOrPath, args: [] };
  throw new UserError(
    "there is no such program",
    nameOrPath,
    "see `faultline list programs`, or give a path",
  );
}

/** @throws UserError if the file cannot be read */
export function readProgram(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "error";
    const what =
      code === "ENOENT" ? "no such file" : code === "EISDIR" ? "is a directory" : `cannot be read (${code})`;
    throw new UserError(what, path, "give the path of a static ELF executable");
  }
}

/** e_machine of a program file, if there is a machine for it; what else is wrong with the file is the loader's matter. */
export function programMachine(image: Uint8Array): number | undefined {
  if (image.length < 20) return undefined;
  const bigEndian = image[5] === 2;
  const value = bigEndian ? image[18]! * 256 + image[19]! : image[19]! * 256 + image[18]!;
  return MACHINE_MODELS.some((model) => model.elfMachine === value) ? value : undefined;
}
