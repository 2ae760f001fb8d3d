/** The guest programs that come with Faultline: userland/programs.json and the ELF files beside it. */
import { closeSync, existsSync, openSync, readFileSync, readSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { MACHINE_MODELS } from "../machines/index.ts";
import { nearMiss, UserError } from "../user-error.ts";

export interface Program {
  readonly name: string;
  readonly file: string;
  readonly description: string;
  readonly args: readonly string[];
  /** Status that a correct run ends with (128+N for signal N); null: it ends by no status of its own. */
  readonly exitStatus: number | null;
  readonly demo: boolean;
  readonly matrix: boolean;
  /** Architectures that lack what it is about: it says so there and ends. */
  readonly trivialOn?: readonly string[];
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

/** The architectures that it has been built for and has something to do on, in the order of the machines. */
export function programArchitectures(program: Program): readonly string[] {
  const built = [...new Set(MACHINE_MODELS.map(({ arch }) => arch))].filter((arch) =>
    existsSync(programPath(arch, program)),
  );
  return built.filter((arch) => program.trivialOn?.includes(arch) !== true);
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
  const names = programs().map((program) => program.name);
  const hint = nearMiss(nameOrPath, names, "see `faultline list programs`, or give a path");
  throw new UserError("there is no such program", nameOrPath, hint);
}

/** Bytes of a program file at most: far more than guest RAM can hold of one. */
const LARGEST_FILE_BYTES = 2 ** 30;
/** What is read at a time from a pipe or device, which does not say how long it is. */
const CHUNK_BYTES = 2 ** 16;
const ELF_MAGIC = 0x7f45_4c46;

/** @throws UserError if the file cannot be read, is too large, or is no ELF file at its first bytes */
export function readProgram(path: string): Uint8Array {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    return readBounded(file, path);
  } catch (error) {
    throw error instanceof UserError ? error : unreadable(path, error);
  } finally {
    closeSync(file);
  }
}

/** Reads to the end, but no further than the bound and not past the first bytes of what is no ELF file. */
function readBounded(file: number, path: string): Uint8Array {
  const chunks: Buffer[] = [];
  let length = 0;
  for (;;) {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    const read = readSync(file, chunk);
    if (read === 0) break;
    chunks.push(chunk.subarray(0, read));
    if (length === 0 && read >= 4 && chunk.readUInt32BE(0) !== ELF_MAGIC) break;
    length += read;
    if (length > LARGEST_FILE_BYTES) {
      throw new UserError("is larger than 1 GiB", path, "give the path of a static ELF executable");
    }
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function unreadable(path: string, error: unknown): UserError {
  const code = (error as NodeJS.ErrnoException).code ?? "error";
  const what =
    code === "ENOENT" ? "no such file" : code === "EISDIR" ? "is a directory" : `cannot be read (${code})`;
  return new UserError(what, path, "give the path of a static ELF executable");
}

/** e_machine of a program file, if there is a machine for it; what else is wrong with the file is the loader's matter. */
export function programMachine(image: Uint8Array): number | undefined {
  if (image.length < 20) return undefined;
  const bigEndian = image[5] === 2;
  const value = bigEndian ? image[18]! * 256 + image[19]! : image[19]! * 256 + image[18]!;
  return MACHINE_MODELS.some((model) => model.elfMachine === value) ? value : undefined;
}
