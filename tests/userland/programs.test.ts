import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { ARCH_NAMES, ARCHITECTURES, programImage, wrongInstructions } from "./program-file.ts";

const USERLAND = fileURLToPath(new URL("../../userland", import.meta.url));
const BIN = join(USERLAND, "bin");
const TOOLCHAIN = "toolchain.txt";
const SCENARIOS = "scenarios";
const MANIFEST = "scenarios.json";

/** Larger than any program needs to be; a library or padding crept in if one passes it. */
const MAX_FILE_BYTES = 24 << 10;

interface ProgramEntry {
  readonly name: string;
  readonly file: string;
  readonly description: string;
  readonly args: readonly string[];
  readonly exitStatus: number | null;
  readonly demo: boolean;
  readonly matrix: boolean;
  /** Architectures that lack what it is about: it says so there and ends. */
  readonly trivialOn?: readonly string[];
}

const { programs } = JSON.parse(readFileSync(join(USERLAND, "programs.json"), "utf8")) as {
  readonly programs: readonly ProgramEntry[];
};

describe("the table of programs", () => {
  const sources = readdirSync(join(USERLAND, "programs")).map((name) => name.replace(/\.c$/, ""));

  it("lists every program once", () => {
    expect(programs.map((program) => program.name).sort()).toEqual(sources.sort());
  });

  it.each(ARCH_NAMES)("names the files that exist for %s, and no others exist", (arch) => {
    const files = readdirSync(join(BIN, arch)).filter((name) => name !== TOOLCHAIN && name !== SCENARIOS);
    expect(files.sort()).toEqual(programs.map((program) => program.file).sort());
  });

  it("says which programs have nothing to do on an architecture, and these are all", () => {
    const trivial = programs.flatMap(({ name, trivialOn }) => (trivialOn ?? []).map((arch) => [name, arch]));
    expect(trivial).toEqual([
      ["pkeys", "aarch64"],
      ["highaddr", "aarch64"],
    ]);
  });

  it("gives each program a description of one line and arguments that are numbers or words", () => {
    for (const program of programs) {
      expect(program.description, program.name).toMatch(/^.{10,80}$/);
      for (const argument of program.args) expect(argument, program.name).toMatch(/^[\w-]+$/);
    }
  });

  it("runs only programs that end by themselves in the demo and the matrix", () => {
    for (const program of programs.filter((each) => each.demo || each.matrix)) {
      expect(program.exitStatus, program.name).not.toBeNull();
      expect(["oom", "spin"]).not.toContain(program.name);
    }
  });
});

const files = ARCH_NAMES.flatMap((arch) => programs.map(({ file }) => ({ arch, file })));

describe.each(files)("$arch/$file", ({ arch, file }) => {
  it("is small and loads as one segment each of rights R, RX and RW, without an executable stack", () => {
    expect(statSync(join(BIN, arch, file)).size).toBeLessThan(MAX_FILE_BYTES);
    const { segments, stackExecutable } = programImage(arch, file);
    const rights = segments.map((s) =>
      [s.readable && "r", s.writable && "w", s.executable && "x"].filter(Boolean).join(""),
    );
    expect(rights).toEqual(["r", "rx", "rw"]);
    expect(stackExecutable).toBe(false);
  });

  it("holds general-register instructions only, and none that the frontend lacks", () => {
    expect(wrongInstructions(arch, file)).toEqual([]);
  });
});

describe.each(ARCH_NAMES)("the committed files of %s", (arch) => {
  const compiler = `${ARCHITECTURES[arch].cross}gcc`;
  const recorded = readFileSync(join(BIN, arch, TOOLCHAIN), "utf8");
  const present = installedToolchain(compiler);
  const reason =
    present === null
      ? `no ${compiler} and make here`
      : present === recorded
        ? ""
        : `built with ${recorded.trim().replace("\n", ", ")}; here is ${present.trim().replace("\n", ", ")}`;
  const directory = mkdtempSync(join(tmpdir(), "faultline-userland-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it.skipIf(reason !== "")(`are what the sources give${reason && ` (skipped: ${reason})`}`, () => {
    const manifest = join(directory, MANIFEST);
    const options = [`ARCH=${arch}`, `BIN=${directory}`, `MANIFEST=${manifest}`];
    const run = spawnSync("make", ["-s", "-j2", "-C", USERLAND, ...options], { encoding: "utf8" });
    expect(run.stderr).toBe("");
    expect(run.status).toBe(0);
    expect(readFileSync(manifest, "utf8")).toBe(readFileSync(join(USERLAND, MANIFEST), "utf8"));
    rmSync(manifest);
    const built = filesBelow(directory);
    expect(built).toEqual(filesBelow(join(BIN, arch)));
    for (const name of built) {
      const same = readFileSync(join(directory, name)).equals(readFileSync(join(BIN, arch, name)));
      expect(same, `${name} differs from what its source gives; run make ARCH=${arch} in userland/`).toBe(
        true,
      );
    }
  });
});

/** Paths of all files below a folder. */
function filesBelow(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[])
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort();
}

/** The compiler's and the linker's version lines, as the Makefile records them; null if one is missing. */
function installedToolchain(compiler: string): string | null {
  const environment = { ...process.env, LC_ALL: "C" };
  const firstLine = (command: string, ...args: string[]): string =>
    `${execFileSync(command, args, { env: environment, encoding: "utf8", stdio: "pipe" }).split("\n")[0]}\n`;
  try {
    firstLine("make", "--version");
    return firstLine(compiler, "--version") + firstLine(compiler, "-Wl,--version");
  } catch {
    return null;
  }
}
