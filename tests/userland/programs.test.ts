import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import {
  decode,
  disassemble,
  Instruction,
  type OperandSpec,
  type Row,
} from "../../emu/frontends/x86-64/index.ts";
import { type ElfImage, parseElf } from "../../emu/loader/index.ts";
import { UserError } from "../../emu/user-error.ts";
import { x86Limits } from "../emu/loader/limits.ts";

const USERLAND = fileURLToPath(new URL("../../userland", import.meta.url));
const BIN = join(USERLAND, "bin/x86-64");
const TOOLCHAIN = "toolchain.txt";

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

function image(file: string): ElfImage {
  const parsed = parseElf(readFileSync(join(BIN, file)), file, x86Limits(256 << 20));
  if (parsed instanceof UserError) throw parsed;
  return parsed;
}

const VECTOR_FILES: ReadonlySet<OperandSpec["file"]> = new Set(["mm", "xmm", "ymm", "st"]);

/** Every instruction of the executable segment, in order. */
function* instructions(file: string): Generator<{ readonly text: string; readonly row: Row }> {
  const { bytes, segments } = image(file);
  const code = segments.find((segment) => segment.executable)!;
  const end = code.fileOffset + code.fileBytes;
  const found = new Instruction();
  for (let at = code.fileOffset; at < end; at += found.lengthBytes) {
    const address = code.va + BigInt(at - code.fileOffset);
    const status = decode(bytes, at, end, found);
    if (status !== "ok") throw new Error(`${file}: ${status} instruction at ${address.toString(16)}`);
    yield { text: disassemble(found, address), row: found.row! };
  }
}

describe("the table of programs", () => {
  const sources = readdirSync(join(USERLAND, "programs")).map((name) => name.replace(/\.c$/, ""));

  it("lists every program once", () => {
    expect(programs.map((program) => program.name).sort()).toEqual(sources.sort());
  });

  it("names the files that exist, and no others exist", () => {
    const files = readdirSync(BIN).filter((name) => name !== TOOLCHAIN);
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
    const { segments, stackExecutable } = image(file);
    const rights = segments.map((s) =>
      [s.readable && "r", s.writable && "w", s.executable && "x"].filter(Boolean).join(""),
    );
    expect(rights).toEqual(["r", "rx", "rw"]);
    expect(stackExecutable).toBe(false);
  });

  it("holds general-register instructions only, and none that the frontend lacks", () => {
    const wrong: string[] = [];
    for (const { text, row } of instructions(file)) {
      const isVector = row.operands.some((operand) => VECTOR_FILES.has(operand.file));
      if (row.kind !== "lifted" || isVector) wrong.push(text);
    }
    expect(wrong).toEqual([]);
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
    const run = spawnSync("make", ["-s", "-j2", "-C", USERLAND, `BIN=${directory}`], { encoding: "utf8" });
    expect(run.stderr).toBe("");
    expect(run.status).toBe(0);
    const built = readdirSync(directory).sort();
    expect(built).toEqual(readdirSync(BIN).sort());
    for (const name of built) {
      const same = readFileSync(join(directory, name)).equals(readFileSync(join(BIN, name)));
      expect(same, `${name} differs from what its source gives; run make in userland/`).toBe(true);
    }
  });
});

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
