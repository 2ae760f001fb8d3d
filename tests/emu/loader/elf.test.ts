import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type ElfLimits, parseElf } from "../../../emu/loader/index.ts";
import { UserError } from "../../../emu/user-error.ts";
import { load, soundFile, writeElf } from "./elf-writer.ts";
import { x86Limits } from "./limits.ts";
import { malformedFiles } from "./malformed.ts";

const LIMITS: ElfLimits = x86Limits(256 << 20);
const PROGRAMS = fileURLToPath(new URL("../../../userland/bin/x86-64/", import.meta.url));

/** Paths of the files of programs and scenarios. */
function programFiles(): string[] {
  return readdirSync(PROGRAMS, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.includes("."))
    .map((entry) => join(entry.parentPath, entry.name));
}

function parse(file: ReturnType<typeof soundFile>): ReturnType<typeof parseElf> {
  return parseElf(writeElf(file), "program", LIMITS);
}

function accepted(file: ReturnType<typeof soundFile>): Exclude<ReturnType<typeof parseElf>, UserError> {
  const image = parse(file);
  if (image instanceof UserError) throw image;
  return image;
}

describe("a sound program file", () => {
  it("gives its segments in order of address, its entry point and its program headers", () => {
    const file = soundFile();
    file.programHeaders.reverse();
    const image = accepted(file);
    expect(image.entry).toBe(0x401000n);
    expect(image.machine).toBe(62);
    expect(image.positionIndependent).toBe(false);
    expect(image.phdrVa).toBe(0x400040n);
    expect([image.phdrBytes, image.phdrCount]).toEqual([56, 4]);
    expect(image.stackExecutable).toBe(false);
    expect(image.segments.map((segment) => [segment.va, segment.fileBytes, segment.memoryBytes])).toEqual([
      [0x400000n, 0x120, 0x120n],
      [0x401000n, 0x800, 0x800n],
      [0x403000n, 0x100, 0x2100n],
    ]);
    expect(image.segments.map((s) => [s.readable, s.writable, s.executable])).toEqual([
      [true, false, false],
      [true, false, true],
      [true, true, false],
    ]);
  });

  it("may be position independent, writable and executable at once, without sections, and small", () => {
    const file = soundFile();
    file.header.type = 3;
    file.header.entry = 0x40n;
    file.header.shoff = 0n;
    file.header.phnum = 1;
    file.programHeaders = [load(7, 0n, 0n, 0x78n, 0x78n)];
    file.lengthBytes = 0x78;
    const image = accepted(file);
    expect(image.positionIndependent).toBe(true);
    expect(image.segments[0]).toMatchObject({ readable: true, writable: true, executable: true });
    expect(image.stackExecutable).toBe(true);
  });

  it("may have two segments in one page, as long as their bytes differ", () => {
    const file = soundFile();
    file.programHeaders[2] = load(6, 0x1800n, 0x401800n, 0x100n, 0x100n);
    expect(accepted(file).segments).toHaveLength(3);
  });

  it("has program headers at 0 if no segment holds them", () => {
    const file = soundFile();
    file.programHeaders[0]!.type = 4;
    expect(accepted(file).phdrVa).toBe(0n);
  });

  it("is accepted for every program of the project", () => {
    for (const name of programFiles()) {
      const image = parseElf(readFileSync(name), name, LIMITS);
      expect(image, name).not.toBeInstanceOf(UserError);
    }
  });
});

describe("a malformed program file", () => {
  const files = malformedFiles();

  it("comes in more than 200 kinds", () => {
    expect(files.length).toBeGreaterThanOrEqual(200);
    expect(new Set(files.map((file) => file.name)).size).toBe(files.length);
  });

  it.each(files)("is answered by one line: $name", ({ bytes, says }) => {
    const answer = parseElf(bytes, "program", LIMITS);
    expect(answer).toBeInstanceOf(UserError);
    const { line, what, where, hint } = answer as UserError;
    expect(line).toMatch(says);
    expect(line).toMatch(/^program/);
    expect(line).not.toMatch(/[\n\r]/);
    for (const part of [what, where, hint]) expect(part).not.toBe("");
  });

  it("is answered in one line even if its name has line breaks", () => {
    const answer = parseElf(new Uint8Array(0), "a\nb\u001b[1m", LIMITS) as UserError;
    expect(answer.line).toBe("a\\x0ab\\x1b[1m: the file is empty; build or copy the file again");
  });

  it("never makes the loader fail, whatever single byte is wrong", () => {
    const sound = writeElf(soundFile());
    for (let at = 0; at < 64 + 4 * 56; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const bytes = sound.slice();
        bytes[at]! ^= flip;
        const answer = parseElf(bytes, "program", LIMITS);
        if (answer instanceof UserError) continue;
        for (const segment of answer.segments) {
          expect(segment.va + segment.memoryBytes).toBeLessThanOrEqual(LIMITS.userEnd);
          expect(segment.fileOffset + segment.fileBytes).toBeLessThanOrEqual(bytes.length);
        }
      }
    }
  });
});
