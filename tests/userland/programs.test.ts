import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { programImage, wrongInstructions } from "./program-file.ts";

const USERLAND = fileURLToPath(new URL("../../userland", import.meta.url));
const BIN = join(USERLAND, "bin/x86-64");
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
}

const { programs } = JSON.parse(readFileSync(join(USERLAND, "programs.json"), "utf8")) as {
  readonly programs: readonly ProgramEntry[];
};

describe("the table of programs", () => {
  const sources = readdirSync(join(USERLAND, "programs")).map((name) => name.replace(/\.c$/, ""));

  it("lists every program once", () => {
    expect(programs.map((program) => program.name).sort()).toEqual(sources.sort());
  });

  it("names the files that exist, and no others exist", () => {
    const files = readdirSync(BIN).filter((name) => name !== TOOLCHAIN && name !== SCENARIOS);
    expect(files.sort()).toEqual(programs.map((program) => program.file).sort());
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

describe.each(programs.map((program) => program.file))("%s", (file) => {
  it("is small and loads as one segment each of rights R, RX and RW, without an executable stack", () => {
    expect(statSync(join(BIN, file)).size).toBeLessThan(MAX_FILE_BYTES);
    const { segments, stackExecutable } = programImage(file);
    const rights = segments.map((s) =>
      [s.readable && "r", s.writable && "w", s.executable && "x"].filter(Boolean).join(""),
    );
    expect(rights).toEqual(["r", "rx", "rw"]);
    expect(stackExecutable).toBe(false);
  });

  it("holds general-register instructions only, and none that the frontend lacks", () => {
    expect(wrongInstructions(file)).toEqual([]);
  });
});

describe("the committed files", () => {
  const recorded = readFileSync(join(BIN, TOOLCHAIN), "utf8");
  const present = installedToolchain();
  const reason =
    present === null
      ? "no gcc and make here"
      : present === recorded
        ? ""
        : `built with ${recorded.trim().replace("\n", ", ")}; here is ${present.trim().replace("\n", ", ")}`;
  const directory = mkdtempSync(join(tmpdir(), "faultline-userland-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it.skipIf(reason !== "")(`are what the sources give${reason && ` (skipped: ${reason})`}`, () => {
    const manifest = join(directory, MANIFEST);
    const run = spawnSync("make", ["-s", "-j2", "-C", USERLAND, `BIN=${directory}`, `MANIFEST=${manifest}`], {
      encoding: "utf8",
    });
    expect(run.stderr).toBe("");
    expect(run.status).toBe(0);
    expect(readFileSync(manifest, "utf8")).toBe(readFileSync(join(USERLAND, MANIFEST), "utf8"));
    rmSync(manifest);
    const built = files(directory);
    expect(built).toEqual(files(BIN));
    for (const name of built) {
      const same = readFileSync(join(directory, name)).equals(readFileSync(join(BIN, name)));
      expect(same, `${name} differs from what its source gives; run make in userland/`).toBe(true);
    }
  });
});

/** Paths of all files below a folder. */
function files(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[])
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort();
}

/** The compiler's and the linker's version lines, as the Makefile records them; null if one is missing. */
function installedToolchain(): string | null {
  const environment = { ...process.env, LC_ALL: "C" };
  const firstLine = (command: string, ...args: string[]): string =>
    `${execFileSync(command, args, { env: environment, encoding: "utf8", stdio: "pipe" }).split("\n")[0]}\n`;
  try {
    firstLine("make", "--version");
    return firstLine("gcc", "--version") + firstLine("gcc", "-Wl,--version");
  } catch {
    return null;
  }
}
